"""`with_retry`: items of a batch that fail go again, together where they went together."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from modelport import (
    LLM,
    Runnable,
    RunnableLambda,
)
from tests.runnables.failing import DownError, with_attribute
from tests.runnables.ways import batched, every_config

pytestmark = pytest.mark.usefixtures("waits")


class Batching(LLM):
    """Answers many prompts in one call; each bad one fails as often as it is told."""

    bad: dict[str, int] = {}
    seen: Any

    def _batch(self, prompts: list[str]) -> list[Any]:
        self.seen.append(list(prompts))
        return [self.answer(prompt) for prompt in prompts]

    def answer(self, prompt: str) -> Any:
        self.bad[prompt] = self.bad.get(prompt, 0) - 1
        return DownError(prompt) if self.bad[prompt] >= 0 else prompt.upper()


@every_config
@pytest.mark.parametrize("way", ["batch", "abatch"])
async def test_a_batch_hook_gets_the_failed_items_again_together(way: str, config: Any, waits: list[float]) -> None:
    seen: list[list[str]] = []
    chain = Batching(seen=seen, bad={"b": 1, "c": 2}).with_retry()
    assert await batched(chain, way, ["a", "b", "c", "d"], config) == ["A", "B", "C", "D"]
    assert seen == [["a", "b", "c", "d"], ["b", "c"], ["c"]]
    assert waits == [1.0, 2.0]


@pytest.mark.parametrize("way", ["batch", "abatch"])
async def test_what_fails_for_good_stays_in_its_slot(way: str) -> None:
    seen: list[list[str]] = []
    answers = await batched(
        Batching(seen=seen, bad={"b": 9}).with_retry(stop_after_attempt=2),
        way,
        ["a", "b", "c"],
        return_exceptions=True,
    )
    assert answers[0::2] == ["A", "C"]
    assert isinstance(answers[1], DownError)
    assert seen == [["a", "b", "c"], ["b"]]
    with pytest.raises(DownError, match="b"):
        await batched(Batching(seen=seen, bad={"b": 9, "c": 9}).with_retry(stop_after_attempt=2), way, ["a", "b", "c"])


@pytest.mark.parametrize("way", ["batch", "abatch"])
async def test_an_item_whose_deadline_is_too_near_is_not_tried_again(way: str, waits: list[float]) -> None:
    seen: list[list[str]] = []
    config: Any = [{"timeout": 0.5}, {"timeout": 60}, {"timeout": 1.5}]
    chain = Batching(seen=seen, bad={"a": 1, "b": 2, "c": 1}).with_retry()
    answers = await batched(chain, way, ["a", "b", "c"], config, return_exceptions=True)
    assert [type(one) for one in answers] == [DownError, str, str]
    assert seen == [["a", "b", "c"], ["b", "c"], ["b"]]
    assert waits == [1.0, 2.0]


def test_items_that_go_together_wait_as_long_as_the_one_that_waits_longest(waits: list[float]) -> None:
    class Asks(LLM):
        seen: Any

        def _batch(self, prompts: list[str]) -> list[Any]:
            first, self.seen = not self.seen, [*self.seen, list(prompts)]
            return [with_attribute("retry_after", int(prompt)) if first else prompt for prompt in prompts]

    model = Asks(seen=[])
    config: Any = [{"timeout": 60}, {"timeout": 60}, {"timeout": 10}]
    answers = model.with_retry().batch(["2", "30", "3"], config, return_exceptions=True)
    assert answers[:2] == ["2", "30"]
    assert isinstance(answers[2], DownError)
    assert waits == [30.0]
    assert model.seen == [["2", "30", "3"], ["2", "30"]]


@pytest.mark.parametrize("way", ["batch", "abatch"])
async def test_items_that_do_not_go_together_do_not_wait_for_each_other(way: str) -> None:
    ended = threading.Event()
    failed: list[str] = []

    def step(value: str) -> str:
        if value == "waits":
            assert ended.wait(10)
        elif not failed:
            failed.append(value)
            raise DownError
        else:
            ended.set()
        return value

    assert await batched(RunnableLambda(step).with_retry(), way, ["waits", "fails"]) == ["waits", "fails"]


@pytest.mark.parametrize("way", ["batch", "abatch"])
async def test_a_batch_that_fails_as_a_whole_fails_for_each_item(way: str) -> None:
    class Odd(Runnable[str, str]):
        calls = 0

        @property
        def batches_at_once(self) -> bool:
            return True

        def invoke(self, input: str, config: Any = None, **kwargs: Any) -> str:
            return input.upper()

        def batch(self, inputs: Any, config: Any = None, **kwargs: Any) -> list[str]:
            self.calls += 1
            if self.calls == 1:
                raise DownError("all")
            return [value.upper() for value in inputs]

        async def abatch(self, inputs: Any, config: Any = None, **kwargs: Any) -> list[str]:
            return self.batch(inputs, config, **kwargs)

    assert await batched(Odd().with_retry(), way, ["a", "b"]) == ["A", "B"]
    assert await batched(Odd().with_retry(), way, []) == []


def test_max_concurrency_bounds_every_round() -> None:
    lock, at_work, most = threading.Lock(), 0, 0
    failed: set[str] = set()

    def step(value: str) -> str:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        try:
            if value not in failed:
                failed.add(value)
                raise DownError
            return value
        finally:
            with lock:
                at_work -= 1

    assert RunnableLambda(step).with_retry().batch(list("abcdef"), {"max_concurrency": 1}) == list("abcdef")
    assert most == 1


@pytest.mark.parametrize("way", ["batch", "abatch"])
@pytest.mark.parametrize("together", [True, False], ids=["together", "alone"])
async def test_a_bar_counts_each_item_once(way: str, together: bool, capsys: pytest.CaptureFixture[str]) -> None:
    def step(value: str) -> str:
        if value == "b":
            raise DownError
        return value

    inner: Any = Batching(seen=[], bad={"b": 9}) if together else RunnableLambda(step)
    answers = await batched(inner.with_retry(), way, ["a", "b", "c"], return_exceptions=True, progress=True)
    assert len(answers) == 3
    shown = capsys.readouterr().err.strip().splitlines()
    assert len(shown) == 1
    assert "3/3" in shown[0]


async def test_as_they_are_completed_each_item_is_tried_again_by_itself() -> None:
    failed: set[str] = set()

    def step(value: str) -> str:
        if value not in failed:
            failed.add(value)
            raise DownError
        return value

    chain = RunnableLambda(step).with_retry()
    assert dict(chain.batch_as_completed(["a", "b"])) == {0: "a", 1: "b"}
    failed.clear()
    assert {place: value async for place, value in chain.abatch_as_completed(["a", "b"])} == {0: "a", 1: "b"}
