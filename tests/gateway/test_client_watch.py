"""The client's watch: costs nothing for what is ready, cancels the work when the client leaves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from modelport.gateway.client_watch import LONG_STEP_SECONDS, ClientGoneError, watched


class Client:
    """Is ASGI's `receive` of a client that stays until it is told to leave."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.asked = 0

    async def receive(self) -> dict[str, Any]:
        self.asked += 1
        await self.left.wait()
        return {"type": "http.disconnect"}


def no_long_step(seconds: float, subject: None) -> None:
    raise AssertionError(f"a step of {seconds} s")


async def test_work_that_is_ready_runs_without_a_watcher() -> None:
    client = Client()
    done: list[int] = []

    async def work() -> None:
        done.append(len(asyncio.all_tasks()))

    before = len(asyncio.all_tasks())
    await watched(work(), client.receive, no_long_step, None)
    assert done == [before]
    assert client.asked == 0


async def test_a_client_that_leaves_cancels_the_work() -> None:
    client = Client()
    ended = asyncio.Event()

    async def work() -> None:
        client.left.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(ClientGoneError):
        await watched(work(), client.receive, no_long_step, None)
    assert ended.is_set()
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_work_that_swallows_the_cancellation_does_not_pass_it_on() -> None:
    client = Client()

    async def work() -> None:
        client.left.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    with pytest.raises(ClientGoneError):
        await watched(work(), client.receive, no_long_step, None)
    await asyncio.sleep(0)  # would be cancelled, had it been passed on


async def test_a_cancellation_from_outside_reaches_the_work_and_the_caller() -> None:
    waits = asyncio.Event()
    heard: list[bool] = []

    async def work() -> None:
        waits.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            heard.append(True)
            raise

    async def answer() -> None:
        await watched(work(), Client().receive, no_long_step, None)

    task = asyncio.create_task(answer())
    await waits.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert heard == [True]


async def test_errors_come_out_unchanged_and_the_watcher_ends() -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise ValueError("broken")

    before = asyncio.all_tasks()
    with pytest.raises(ValueError, match="broken"):
        await watched(work(), Client().receive, no_long_step, None)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("waits_first", [False, True])
async def test_a_step_that_holds_the_loop_is_told(waits_first: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("modelport.gateway.client_watch.perf_counter", lambda: now[0])
    told: list[float] = []

    async def work() -> None:
        if waits_first:
            await asyncio.sleep(0)
        now[0] += 2 * LONG_STEP_SECONDS

    await watched(work(), Client().receive, lambda seconds, _: told.append(seconds), None)
    assert told == [2 * LONG_STEP_SECONDS]
