"""No check without a wrong model; and what else fails on it is known, has a reason, and stands in the docs."""

from __future__ import annotations

from modelport.testing import all_checks
from modelport.testing.checks import find_topics
from tests.conformance.wrong_models import fails_together
from tests.conformance.wrong_models_page import PAGE, all_cuts, page


def test_every_check_is_caught_failing():
    caught = {check_id for cut in all_cuts() for check_id in cut.ids}
    assert sorted({one.id for one in all_checks()} - caught) == []


def test_the_table_knows_only_wrong_models_and_topics_that_there_are():
    topics = find_topics(one.id for one in all_checks())
    assert fails_together().keys() - {cut.name for cut in all_cuts()} == set()
    assert {topic for entry in fails_together().values() for topic in entry.get("also", ())} - topics == set()


def test_whatever_fails_together_has_a_reason():
    assert [cut.name for cut in all_cuts() if not cut.is_alone and not cut.why] == []


def test_no_topic_loses_the_wrong_model_on_which_nothing_else_fails():
    assert len({cut.own[0] for cut in all_cuts() if cut.is_alone}) >= 120


def test_the_docs_tell_which_checks_fail_together_and_why():
    assert PAGE.read_text() == page(), "write it anew: python -m tests.conformance.wrong_models_page"
