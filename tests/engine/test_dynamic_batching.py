"""Dynamic batching: concurrent single calls run as batches, and each item fails by itself."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import PrivateAttr

from modelport import LLM
from modelport.testing.gates import PATIENCE_SECONDS
from modelport.values.errors import HookError
from tests.engine.batched_models import AsyncReversing, Entrance, Reversing, gated, in_threads

# ── forming batches ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("cls", [Reversing, AsyncReversing])
async def test_64_concurrent_tasks_make_at_most_16_hook_calls(cls: type[Reversing]) -> None:
    model = cls()
    answers = await asyncio.gather(*(model.ainvoke(f"p{i}") for i in range(64)))
    assert answers == [f"p{i}"[::-1] for i in range(64)]
    assert len(model._calls) == 4
    assert sorted(prompt for call in model._calls for prompt in call) == sorted(f"p{i}" for i in range(64))


def test_64_threads_make_at_most_16_hook_calls(entrance: Entrance) -> None:
    model = gated(Reversing)
    with ThreadPoolExecutor(64) as pool:
        futures = [pool.submit(model.invoke, f"p{i}") for i in range(64)]
        entrance.await_count(64)
        model._gate.open()
        assert [future.result() for future in futures] == [f"p{i}"[::-1] for i in range(64)]
    assert [len(call) for call in model._calls] == [1, 16, 16, 16, 15]


def test_threads_and_tasks_share_batches(entrance: Entrance) -> None:
    model = gated(Reversing)

    async def ask(prompts: list[str]) -> list[str]:
        return await asyncio.gather(*(model.ainvoke(prompt) for prompt in prompts))

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(model.invoke, "first")
        assert model._began.wait(PATIENCE_SECONDS)
        others = [pool.submit(model.invoke, "thread"), pool.submit(lambda: asyncio.run(ask(["task", "other"])))]
        entrance.await_count(4)
        model._gate.open()
        assert [first.result(), *[one.result() for one in others]] == ["tsrif", "daerht", ["ksat", "rehto"]]
    assert sorted(model._calls[1]) == ["other", "task", "thread"]
    assert len(model._calls) == 2


def test_a_lone_call_on_an_idle_model_runs_at_once_in_its_own_thread() -> None:
    model = Reversing()
    before = set(threading.enumerate())
    assert model.invoke("abc") == "cba"
    assert model._threads == [threading.get_ident()]
    assert set(threading.enumerate()) <= before


def test_an_idle_model_waits_for_company_until_its_batch_is_full() -> None:
    model = Reversing(max_batch_size=2, max_wait_ms=3_600_000)
    assert in_threads(lambda index: model.invoke(f"p{index}"), 2) == ["0p", "1p"]
    assert [len(call) for call in model._calls] == [2]


async def test_an_idle_model_takes_a_lone_call_when_its_wait_is_over() -> None:
    model = AsyncReversing(max_wait_ms=1)
    assert await model.ainvoke("abc") == "cba"
    assert model._calls == [["abc"]]


async def test_only_equal_stops_and_keywords_share_a_hook_call() -> None:
    model = Reversing()
    await asyncio.gather(
        *(model.ainvoke(f"a{i}") for i in range(2)),
        *(model.ainvoke(f"b{i}", stop=["x"]) for i in range(2)),
        *(model.ainvoke(f"c{i}", temperature=1) for i in range(2)),
        *(model.ainvoke(f"d{i}", temperature=2) for i in range(2)),
        *(model.ainvoke(f"e{i}", bias=[[1], [2]]) for i in range(2)),
    )
    assert [sorted(call) for call in model._calls] == [
        ["a0", "a1"],
        ["b0", "b1"],
        ["c0", "c1"],
        ["d0", "d1"],
        ["e0", "e1"],
    ]
    assert model._seen[1] == {"stop": ["x"]}
    assert [seen.get("temperature") for seen in model._seen] == [None, None, 1, 2, None]


async def test_keywords_that_cannot_be_compared_share_no_hook_call() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise TypeError("an array has no truth")

        __hash__ = None  # type: ignore[assignment]

    model = Reversing()
    assert await asyncio.gather(model.ainvoke("ab", bias=Odd()), model.ainvoke("cd", bias=Odd())) == ["ba", "dc"]
    assert len(model._calls) == 2


async def test_a_batch_of_a_caller_and_single_calls_go_together() -> None:
    model = Reversing(max_batch_size=4)
    many, one = await asyncio.gather(model.abatch([f"p{i}" for i in range(6)]), model.ainvoke("one"))
    assert (many, one) == ([f"p{i}"[::-1] for i in range(6)], "eno")
    assert [len(call) for call in model._calls] == [4, 3]


def test_max_concurrency_says_how_many_batches_run_at_once(entrance: Entrance) -> None:
    class Meeting(LLM):
        max_batch_size: int | None = 1
        max_concurrency: int | None = 2
        _both: threading.Barrier = PrivateAttr(default_factory=lambda: threading.Barrier(2))

        def _batch(self, prompts: list[str]) -> list[str]:
            self._both.wait(PATIENCE_SECONDS)
            return prompts

    model = Meeting()
    assert sorted(in_threads(lambda index: model.invoke(f"p{index}"), 4)) == ["p0", "p1", "p2", "p3"]


async def test_an_answer_that_comes_whole_streams_through_a_batch_too() -> None:
    model = Reversing()

    async def streamed(prompt: str) -> list[str]:
        return [piece async for piece in model.astream(prompt)]

    assert await asyncio.gather(*(streamed(f"p{i}") for i in range(3))) == [["0p"], ["1p"], ["2p"]]
    assert len(model._calls) == 1


async def test_stop_and_max_tokens_cut_each_item_by_itself() -> None:
    class Plain(LLM):
        max_batch_size: int | None = 8
        _calls: list[int] = PrivateAttr(default_factory=list)

        def _batch(self, prompts: list[str]) -> list[str]:
            self._calls.append(len(prompts))
            return prompts

    model = Plain()
    answers = await asyncio.gather(
        model.ainvoke("one END two", stop=["END"]), model.ainvoke("one END two"), model.ainvoke("x" * 40, max_tokens=2)
    )
    assert answers == ["one END", "one END two", "x" * 8]
    assert model._calls == [3]


# ── failures ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_exception_in_a_slot_fails_that_item_alone() -> None:
    model = Reversing()
    answers = await asyncio.gather(*(model.ainvoke(p) for p in ("ab", "bad", "cd")), return_exceptions=True)
    assert [answers[0], answers[2]] == ["ba", "dc"]
    assert isinstance(answers[1], ValueError)
    assert len(model._calls) == 1


@pytest.mark.parametrize("is_async", [False, True])
def test_a_hook_that_raises_fails_its_batch_and_not_the_next(is_async: bool, entrance: Entrance) -> None:
    class Failing(Reversing):
        def _batch(self, prompts: list[str], stop: Any = None, run_manager: Any = None, **kwargs: Any) -> list[Any]:
            answers = super()._batch(prompts)
            if "poison" in prompts:
                raise RuntimeError("out of memory")
            return answers

    model = gated(Failing, max_batch_size=2)

    def ask(prompt: str) -> str:
        return asyncio.run(model.ainvoke(prompt)) if is_async else model.invoke(prompt)

    with ThreadPoolExecutor(5) as pool:
        futures = [pool.submit(ask, "first")]
        assert model._began.wait(PATIENCE_SECONDS)
        for number, prompt in enumerate(["poison", "with it", "later", "last"], 2):
            futures.append(pool.submit(ask, prompt))
            entrance.await_count(number)
        model._gate.open()
        errors = [future.exception() for future in futures]
    assert [isinstance(error, RuntimeError) for error in errors] == [False, True, True, False, False]


async def test_a_wrong_number_of_results_is_an_error_for_each_item() -> None:
    class Short(LLM):
        max_batch_size: int | None = 8

        def _batch(self, prompts: list[str]) -> list[str]:
            return prompts[1:]

    model = Short()
    answers = await asyncio.gather(*(model.ainvoke(p) for p in "abc"), return_exceptions=True)
    assert all(isinstance(answer, HookError) and "2 results for 3 prompts" in str(answer) for answer in answers)
