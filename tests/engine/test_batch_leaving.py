"""Dynamic batching: nobody's leaving disturbs the others, and calls inside of calls do not wait for themselves."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelport import LLM, ModelTimeoutError, RunnableLambda
from modelport.testing.gates import PATIENCE_SECONDS, Gate
from tests.engine.batched_models import AsyncReversing, Entrance, Reversing, gated

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


@settings(max_examples=40)
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
