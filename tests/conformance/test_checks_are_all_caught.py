"""No check without a cut: there is a test in which it fails."""

from __future__ import annotations

from typing import Any

import pytest

from modelport.testing import all_checks


def test_every_check_is_caught_failing(request):
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    wrong = [item.callspec.params["wrong"] for item in items if "caught" in item.fixturenames]
    caught: set[str] = {check_id for one in wrong for check_id in one.ids}
    if len({item.path for item in items if "caught" in item.fixturenames}) < 4:
        pytest.skip("needs all files of cuts to be collected")
    assert sorted({one.id for one in all_checks()} - caught) == []
