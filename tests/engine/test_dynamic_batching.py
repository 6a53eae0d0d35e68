"""Dynamic batching: concurrent single calls run as batches, and nobody's leaving disturbs the others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import PrivateAttr

from modelport import LLM, ModelTimeoutError, RunnableLambda
from modelport.engine.batcher import Batcher
from modelport.testing.gates import PATIENCE_SECONDS, Gate
from modelport.values.errors import HookError


class Entrance:
    """Counts the items that have entered a batcher's queue, and wakes whoever waits for a number of them."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def enter(self, count: int) -> None:
        with self._changed:
            self._count += count
            self._changed.notify_all()

    def await_count(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._count >= count, PATIENCE_SECONDS)


@pytest.fixture
def entrance(monkeypatch: pytest.MonkeyPatch) -> Entrance:
    entrance, enter = Entrance(), Batcher._enter

    def counted(self: Batcher, items: Any) -> bool:
        is_idle = enter(self, items)
        entrance.enter(len(items))
        return is_idle

    monkeypatch.setattr(Batcher, "_enter", counted)
    return entrance


class Reversing(LLM):
    """Reverses prompts; its first hook call waits at a gate."""

    max_batch_size: int | None = 16
    _gate: Gate = PrivateAttr(default_factory=Gate)
    _is_held: bool = PrivateAttr(default=False)
    _began: Gate = PrivateAttr(default_factory=Gate)
    _calls: list[list[str]] = PrivateAttr(default_factory=list)
    _threads: list[int] = PrivateAttr(default_factory=list)
    _managers: list[Any] = PrivateAttr(default_factory=list)
    _seen: list[dict[str, Any]] = PrivateAttr(default_factory=list)

    def _batch(self, prompts: list[str], stop: Any = None, run_manager: Any = None, **kwargs: Any) -> list[Any]:
        self._calls.append(list(prompts))
        self._threads.append(threading.get_ident())
        self._managers.append(run_manager)
        self._seen.append({"stop": stop, **kwargs})
        if len(self._calls) == 1:
            self._began.open()
            if self._is_held:
                self._gate.wait()
        return [ValueError(prompt) if prompt.startswith("bad") else prompt[::-1] for prompt in prompts]


class AsyncReversing(Reversing):
    """Does the same in an async hook."""

    async def _abatch(self, prompts: list[str], stop: Any = None, run_manager: Any = None, **kwargs: Any) -> list[Any]:
        self._calls.append(list(prompts))
        self._managers.append(run_manager)
        self._seen.append({"stop": stop, **kwargs})
        if len(self._calls) == 1:
            self._began.open()
            if self._is_held:
                await self._gate.wait_async()
        return [ValueError(prompt) if prompt.startswith("bad") else prompt[::-1] for prompt in prompts]


def gated(cls: type[Reversing], **fields: Any) -> Reversing:
    model = cls(**fields)
    model._is_held = True
    return model


def in_threads(work: Callable[[int], Any], count: int) -> list[Any]:
    """Return what each of `count` threads gives, all started before any may begin."""
    barrier = threading.Barrier(count)

    def begin(index: int) -> Any:
        barrier.wait()
        return work(index)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


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


# ── leaving ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_cancelled_item_that_is_queued_never_reaches_the_hook() -> None:
    model = gated(AsyncReversing)
    first = asyncio.create_task(model.ainvoke("first"))
    assert await model._began.wait_async(PATIENCE_SECONDS)
    stays, goes = asyncio.create_task(model.ainvoke("stays")), asyncio.create_task(model.ainvoke("goes"))
    await asyncio.sleep(0)
    goes.cancel()
    await asyncio.gather(goes, return_exceptions=True)
    model._gate.open()
    assert [await first, await stays] == ["tsrif", "syats"]
    assert model._calls == [["first"], ["stays"]]


@pytest.mark.parametrize("cls", [Reversing, AsyncReversing])
async def test_a_cancelled_item_leaves_its_running_batch_and_the_others_stay(cls: type[Reversing]) -> None:
    model = gated(cls)
    tasks = [asyncio.create_task(model.ainvoke(prompt)) for prompt in ("ab", "goes", "cd")]
    assert await model._began.wait_async(PATIENCE_SECONDS)
    tasks[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    manager = model._managers[0]
    assert [item.cancelled for item in manager.items] == [False, True, False]
    assert not manager.cancelled
    model._gate.open()
    assert [await tasks[0], await tasks[2]] == ["ba", "dc"]
    assert model._calls == [["ab", "goes", "cd"]]


async def test_a_batch_that_everybody_has_left_is_called_off() -> None:
    ended = Gate()

    class Endless(AsyncReversing):
        async def _abatch(self, prompts: list[str], stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
            try:
                return await super()._abatch(prompts, stop, run_manager)
            except asyncio.CancelledError:
                ended.open()
                raise

    model = gated(Endless)
    tasks = [asyncio.create_task(model.ainvoke(prompt)) for prompt in ("ab", "cd")]
    assert await model._began.wait_async(PATIENCE_SECONDS)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert model._managers[0].cancelled
    assert await ended.wait_async(PATIENCE_SECONDS)
    assert await model.ainvoke("next") == "txen"


async def test_the_caller_that_was_first_may_leave_like_any_other() -> None:
    model = gated(Reversing)
    tasks = [asyncio.create_task(model.ainvoke(prompt)) for prompt in ("goes", "ab")]
    assert await model._began.wait_async(PATIENCE_SECONDS)
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    model._gate.open()
    assert await tasks[1] == "ba"


@pytest.mark.parametrize("is_async", [False, True])
def test_a_deadline_ends_its_own_item_alone(is_async: bool, entrance: Entrance) -> None:
    model = gated(Reversing)
    config: Any = {"timeout": 0.02}
    late = (lambda: asyncio.run(model.ainvoke("late", config))) if is_async else (lambda: model.invoke("late", config))
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(model.invoke, "first")
        assert model._began.wait(PATIENCE_SECONDS)
        second = pool.submit(model.invoke, "second")
        entrance.await_count(2)
        with pytest.raises(ModelTimeoutError):
            late()
        model._gate.open()
        assert [first.result(), second.result()] == ["tsrif", "dnoces"]


def test_items_of_a_loop_that_ends_do_not_take_the_others_with_them(entrance: Entrance) -> None:
    model = gated(AsyncReversing)
    leave = Gate()

    async def short_lived() -> None:
        task = asyncio.create_task(model.ainvoke("short"))
        await leave.wait_async()
        task.cancel()

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(lambda: asyncio.run(model.ainvoke("first")))
        assert model._began.wait(PATIENCE_SECONDS)
        short = pool.submit(lambda: asyncio.run(short_lived()))
        entrance.await_count(2)
        long = pool.submit(lambda: asyncio.run(model.ainvoke("long")))
        entrance.await_count(3)
        leave.open()
        short.result()
        model._gate.open()
        assert [first.result(), long.result()] == ["tsrif", "gnol"]


# ── calls inside of calls ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("is_async", [False, True])
def test_a_call_made_inside_a_batch_of_the_same_model_goes_directly(is_async: bool) -> None:
    class Nested(LLM):
        max_batch_size: int | None = 8

        def _batch(self, prompts: list[str]) -> list[str]:
            return [self.invoke(prompt[1:]) + "." if prompt.startswith(">") else prompt for prompt in prompts]

    model = Nested()
    answer = asyncio.run(model.ainvoke(">>deep")) if is_async else model.invoke(">>deep")
    assert answer == "deep.."


async def test_a_sync_call_in_a_coroutine_does_not_wait_for_a_batch_on_its_own_loop() -> None:
    model = gated(AsyncReversing)
    waiting = asyncio.create_task(model.ainvoke("first"))
    assert await model._began.wait_async(PATIENCE_SECONDS)
    assert model.invoke("blocking") == "gnikcolb"
    model._gate.open()
    assert await waiting == "tsrif"


def test_two_event_loops_one_after_the_other_use_one_model() -> None:
    model = AsyncReversing()

    async def ask() -> list[str]:
        return await asyncio.gather(*(model.ainvoke(f"p{i}") for i in range(4)))

    assert [asyncio.run(ask()) for _ in range(3)] == [["0p", "1p", "2p", "3p"]] * 3
    assert [len(call) for call in model._calls] == [4, 4, 4]


async def test_every_item_of_a_batch_has_its_own_run() -> None:
    model = Reversing()
    events = await asyncio.gather(*(_events(model, f"p{i}") for i in range(3)))
    assert len({one[0]["run_id"] for one in events}) == 3
    for index, one in enumerate(events):
        assert [event["event"] for event in one] == ["on_llm_start", "on_llm_end"]
        assert one[-1]["data"]["output"]["generations"][0][0]["text"] == f"{index}p"
    assert len(model._calls) == 1


async def _events(model: LLM, prompt: str) -> list[Any]:
    return [event async for event in model.astream_events(prompt, version="v2")]


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(1, 5),
    limit=st.one_of(st.none(), st.integers(1, 3)),
    calls=st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, 3)), min_size=1, max_size=20),
)
def test_whoever_stays_gets_his_own_answer(size: int, limit: int | None, calls: list[tuple[str, bool, int]]) -> None:
    """Whatever keywords the calls have, and whenever some are cancelled."""
    seen: list[int] = []

    class Model(LLM):
        async def _abatch(self, prompts: list[str], kind: str = "") -> list[str]:
            seen.append(len(prompts))
            await asyncio.sleep(0)
            return [f"{kind}:{prompt}" for prompt in prompts]

    model = Model(max_batch_size=size, max_concurrency=limit)

    async def main() -> None:
        tasks = [asyncio.create_task(model.ainvoke(f"p{i}", kind=kind)) for i, (kind, _, _) in enumerate(calls)]
        for turn in range(4):
            for task, (_, leaves, when) in zip(tasks, calls, strict=True):
                if leaves and when == turn:
                    task.cancel()
            await asyncio.sleep(0)
        for index, (task, (kind, leaves, _)) in enumerate(zip(tasks, calls, strict=True)):
            outcome = (await asyncio.gather(task, return_exceptions=True))[0]
            assert outcome == f"{kind}:p{index}" or (leaves and isinstance(outcome, asyncio.CancelledError))

    asyncio.run(main())
    assert not seen or max(seen) <= size


async def test_a_sync_batch_of_a_chain_in_a_coroutine_does_not_wait_for_a_batch_on_its_own_loop() -> None:
    model = gated(AsyncReversing)
    chain = RunnableLambda(str) | model.bind(kind="same")
    waiting = asyncio.create_task(model.ainvoke("first", kind="same"))
    assert await model._began.wait_async(PATIENCE_SECONDS)
    assert [RunnableLambda(model.invoke).invoke("ab"), *_each_in_a_thread(model, ["cd", "ef"])] == ["ba", "dc", "fe"]
    assert chain.batch(["gh", "ij"]) == ["hg", "ji"]
    model._gate.open()
    assert await waiting == "tsrif"


def _each_in_a_thread(model: LLM, prompts: list[str]) -> list[str]:
    return RunnableLambda(model.invoke).batch(prompts)
