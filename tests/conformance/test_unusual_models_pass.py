"""Models that are right in a way of their own are found right."""

from __future__ import annotations

from collections.abc import Iterator

from modelport import LLM, PromptTemplate, RunnableLambda, StrOutputParser
from modelport.testing import EchoLLM, all_checks, run_checks


class Asking(LLM):
    """Answers what another model answers, which it asks inside its hook."""

    def _stream(self, prompt: str) -> Iterator[str]:
        yield from EchoLLM().stream(prompt)


class AskingAChain(LLM):
    """Answers what a chain answers."""

    async def _acall(self, prompt: str) -> str:
        chain = PromptTemplate.from_template("{text}") | EchoLLM() | StrOutputParser() | RunnableLambda(str.upper)
        return await chain.ainvoke({"text": prompt})


class OneAtATime(LLM):
    """Answers one call at a time, in a thread that cannot be stopped."""

    max_concurrency: int | None = 1

    def _call(self, prompt: str) -> str:
        return prompt


def failures(cls: type[LLM], *areas: str) -> dict[str, str]:
    """Return what fails of some areas."""
    ids = [one.id for one in all_checks() if one.area in areas]
    return {result.id: result.seen for result in run_checks(cls, ids=ids) if result.outcome == "fail"}


def test_events_of_models_inside_a_hook_are_not_taken_for_those_of_the_model():
    for cls in (Asking, AskingAChain):
        assert failures(cls, "order", "usage", "choices", "cancel") == {}


def test_a_model_for_one_call_at_a_time_need_not_begin_the_next_before_a_cancelled_one_has_ended():
    assert failures(OneAtATime, "cache") == {}
