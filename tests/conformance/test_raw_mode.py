"""`raw=True` shows what the author's own code keeps: a plain wrapper's known faults are named, with what mends them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from modelport import LLM, ChatModel, CustomLLM, Generation, RunnablePassthrough, Usage
from modelport.testing import CheckResult, EchoEmbeddingModel, EchoHandler, EchoLLM, checks_for, kit, run_checks
from modelport.testing.checks import find_topics
from tests.conformance.guides_model import GuidesLLM

STOP = {"stop:cut"}
BATCH = {"batch:concurrent", "batch:isolated", "batch:raises-at-the-end"}
FIGURES = {"usage:always-there"}
LEFT = {"cancel:task"}


class Wrapper(LLM):
    """Wraps a function, as a first custom LLM does."""

    def _call(self, prompt: str, stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any) -> str:
        return prompt.upper()


class Careful(LLM):
    """Does by itself what a plain caller leaves to the author."""

    def _answer(self, prompt: str, stop: list[str] | None, max_tokens: int | None) -> Generation:
        text = prompt if max_tokens is None else prompt[: 4 * max_tokens]
        ends = [text.find(one) for one in stop or () if one in text]
        text = text[: min(ends)] if ends else text
        return Generation(text, finish_reason="stop", usage=Usage(1, 1, 2))

    def _batch(
        self, prompts: list[str], stop: Any = None, run_manager: Any = None, max_tokens: Any = None
    ) -> list[Any]:
        return [self._answer(prompt, stop, max_tokens) for prompt in prompts]

    async def _abatch(
        self, prompts: list[str], stop: Any = None, run_manager: Any = None, max_tokens: Any = None
    ) -> list[Any]:
        return self._batch(prompts, stop, run_manager, max_tokens)


class Telling(LLM):
    """Tells each piece before it yields it, as the guide asks."""

    def _stream(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Iterator[str]:
        for letter in prompt:
            run_manager.on_llm_new_token(letter)
            yield letter


class Late(Telling):
    """Tells each piece after it has yielded it."""

    def _stream(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Iterator[str]:
        for letter in prompt:
            yield letter
            run_manager.on_llm_new_token(letter)


class Disagreeing(ChatModel):
    """Answers one way and streams another."""

    def _call(self, messages: list[Any]) -> str:
        return "one answer"

    def _stream(self, messages: list[Any]) -> Iterator[str]:
        yield "another"


class OnlyCompletion(CustomLLM):
    """Has the one method that the first example has."""

    def completion(self, messages: list[Any], **kwargs: Any) -> str:
        return messages[-1]["content"]


def faults(results: list[CheckResult]) -> set[str]:
    return find_topics(result.id for result in results if result.outcome == "fail")


@pytest.fixture(scope="module")
def raw() -> Callable[[Callable[[], Any]], list[CheckResult]]:
    """The results of one class, found once."""
    known: dict[Any, list[CheckResult]] = {}

    def results_of(make: Callable[[], Any]) -> list[CheckResult]:
        if make not in known:
            with pytest.MonkeyPatch.context() as short:
                short.setattr(kit, "RAW_PATIENCE_SECONDS", 0.15)
                known[make] = run_checks(make, raw=True)
        return known[make]

    return results_of


def guides_model() -> Any:
    return GuidesLLM(n=5)


def test_the_guides_model_refuses_stop_fails_batches_together_and_tells_no_usage(raw):
    results = raw(guides_model)
    assert faults(results) >= STOP | BATCH | FIGURES
    [stop] = [result for result in results if result.id == "stop:invoke:cut"]
    assert stop.seen == "the hook refuses stop strings: ValueError: stop kwargs are not permitted."
    assert {result.outcome for result in results if result.id.startswith("order:") and "own-tokens" in result.id} == {
        "pass"
    }


def test_a_plain_wrapper_has_all_known_faults(raw):
    assert faults(raw(Wrapper)) == STOP | BATCH | FIGURES | LEFT | {"usage:max-tokens-own"}


def test_with_the_framework_around_it_the_same_wrapper_has_none():
    names = {"stop", "batch", "usage", "cancel"}
    ids = [one.id for one in checks_for(Wrapper) if one.area in names]
    assert [result.id for result in run_checks(Wrapper, ids=ids) if result.outcome != "pass"] == []


def test_a_stream_that_tells_no_tokens_is_found(raw):
    assert {"order:own-tokens", "order:joined-tokens"} <= faults(raw(EchoLLM))


def test_tokens_told_too_late_are_found_and_those_told_in_time_are_not(raw):
    assert "order:own-tokens" in faults(raw(Late))
    assert "order:own-tokens" not in faults(raw(Telling))


def test_hooks_that_disagree_are_found(raw):
    assert "parity:same-text" in faults(raw(Disagreeing))


def test_a_careful_model_keeps_stop_batches_usage_and_max_tokens_by_itself(raw):
    assert faults(raw(Careful)) & (STOP | BATCH | FIGURES | {"usage:max-tokens-own"}) == set()


def test_a_handler_with_one_method_answers_only_one_way(raw):
    results = raw(OnlyCompletion)
    assert {"derive:answers"} | STOP | FIGURES <= faults(results)
    missing = {result.id: result for result in results if result.id.startswith("derive:") and result.outcome == "fail"}
    assert set(missing) == {f"derive:{way}:answers" for way in ("ainvoke", "stream", "astream", "abatch")}
    assert "nothing that `ainvoke` could call by itself" in missing["derive:ainvoke:answers"].seen


def test_a_whole_handler_answers_every_way(raw):
    assert "derive:answers" not in faults(raw(EchoHandler))
    assert faults(raw(EchoHandler)) >= STOP | BATCH | FIGURES


@pytest.mark.parametrize("make", [Wrapper, OnlyCompletion])
def test_each_fault_says_what_was_seen_and_how_to_mend_it(raw, make):
    assert [result.id for result in raw(make) if result.outcome == "fail" and not (result.seen and result.mend)] == []
    [stop] = [result for result in raw(make) if result.id == "stop:invoke:cut"]
    assert stop.mend.startswith("end the answer at the first of `stop` in every hook; or call the model by modelport")


@pytest.mark.parametrize(
    ("check_id", "reason"),
    [
        ("cache:invoke:read", "in raw mode a cache is the framework's"),
        ("deadline:invoke:expires", "in raw mode deadlines are the framework's: a plain caller sets none"),
        ("stop:invoke:excluded", "the check puts an answer of its own in place of the author's"),
        ("usage:generate:always-there", "the framework has it, not the author's code"),
    ],
)
def test_what_only_the_framework_can_keep_does_not_apply(raw, check_id, reason):
    [result] = [result for result in raw(Wrapper) if result.id == check_id]
    assert result.outcome == "not applicable"
    assert result.seen.startswith(reason)


def test_of_what_gives_no_text_the_checklist_is_looked_at():
    ids = ["embedding:embed:answers", "checklist:docs:class"]
    results = run_checks(EchoEmbeddingModel, ids=ids, raw=True)
    assert [result.outcome for result in sorted(results, key=lambda one: one.id)] == ["pass", "not applicable"]


def test_nothing_can_be_put_around_the_authors_own_code():
    with pytest.raises(TypeError, match="leave `through` out"):
        run_checks(Wrapper, raw=True, through=lambda model, kwargs: RunnablePassthrough() | model)


def test_raw_mode_leaves_the_model_as_it_was():
    model = Wrapper()
    run_checks(lambda: model, raw=True, ids=["stop:invoke:cut", "parity:astream:same-text"])
    assert model.invoke("one END two", stop=["END"]) == "ONE END"
    assert asyncio.run(model.ainvoke("hello")) == "HELLO"
