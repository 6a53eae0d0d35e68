"""How many calls a deployment runs at once, and how many wait for it."""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.gateway.admission import Gate
from modelport.values.status_errors import RateLimitError, UnavailableError

P = ParamSpec("P")


class _Jump(selectors.DefaultSelector):
    """Instead of waiting for a timer, sets the clock to it."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits, and no timer runs"
            self.now += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """Is a loop on which time passes only while everybody waits, and then at once."""

    def __init__(self) -> None:
        self.jump = _Jump()
        self.timers: list[asyncio.TimerHandle] = []
        super().__init__(self.jump)

    def time(self) -> float:
        return self.jump.now

    def call_at(self, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        timer = super().call_at(*args, **kwargs)
        self.timers.append(timer)
        return timer


def on_jumping_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    @functools.wraps(test)
    def running(*args: P.args, **kwargs: P.kwargs) -> None:
        failures: list[dict[str, Any]] = []
        with asyncio.Runner(loop_factory=JumpingLoop) as runner:
            runner.get_loop().set_exception_handler(lambda _, failure: failures.append(failure))
            runner.run(test(*args, **kwargs))
        assert failures == []

    return running


def gate_of(max_concurrency: int | None = 1, max_queue: int = 256, queue_timeout_seconds: float | None = None) -> Gate:
    return Gate(max_concurrency, max_queue, queue_timeout_seconds, clock=asyncio.get_running_loop().time)


async def settle() -> None:
    """Let everybody run who can, without time passing."""
    for _ in range(5):
        await asyncio.sleep(0)


async def waiters(gate: Gate, number: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(gate.enter()) for _ in range(number)]
    await settle()
    return tasks


def inside(tasks: list[asyncio.Task[None]]) -> list[int]:
    return [index for index, task in enumerate(tasks) if task.done() and not task.cancelled() and not task.exception()]


@on_jumping_loop
async def test_calls_enter_up_to_the_bound() -> None:
    gate = gate_of(2)
    assert [gate.try_enter() for _ in range(3)] == [True, True, False]
    assert (gate.running, gate.waiting) == (2, 0)
    gate.leave()
    assert gate.running == 1
    await gate.enter()
    assert gate.running == 2


@on_jumping_loop
async def test_without_a_bound_every_call_enters_and_is_counted() -> None:
    gate = gate_of(None, max_queue=0)
    for _ in range(1000):
        assert gate.try_enter()
    await gate.enter()
    assert gate.running == 1001
    for _ in range(1001):
        gate.leave()
    assert gate.running == 0


@on_jumping_loop
async def test_a_call_that_ends_hands_its_place_to_the_one_that_waits_longest() -> None:
    gate = gate_of(1)
    assert gate.try_enter()
    tasks = await waiters(gate, 3)
    for number in range(3):
        assert (gate.running, gate.waiting, inside(tasks)) == (1, 3 - number, list(range(number)))
        gate.leave()
        assert not gate.try_enter()
        await settle()
    assert inside(tasks) == [0, 1, 2]


@on_jumping_loop
async def test_nobody_overtakes_a_call_whose_place_was_just_handed_over() -> None:
    gate = gate_of(1)
    gate.try_enter()
    (first,) = await waiters(gate, 1)
    gate.leave()
    second = asyncio.create_task(gate.enter())
    await settle()
    assert (first.done(), second.done(), gate.running) == (True, False, 1)
    gate.leave()
    await second


@on_jumping_loop
async def test_a_full_queue_refuses_and_tells_how_long_to_wait() -> None:
    gate = gate_of(1, max_queue=2)
    gate.try_enter()
    for _ in range(3):
        await asyncio.sleep(0.5)
        gate.leave()
        gate.try_enter()
    tasks = await waiters(gate, 2)
    with pytest.raises(RateLimitError, match=r"\(max_concurrency\).*2 wait.*\(max_queue\)") as caught:
        await gate.enter()
    error = caught.value
    assert (error.status_code, error.code, error.type) == (429, "queue_full", "rate_limit_error")
    assert error.retry_after == pytest.approx(1.5)  # two who wait and this one, half a second each
    assert (gate.running, gate.waiting) == (1, 2)
    gate.leave()
    gate.leave()
    await asyncio.gather(*tasks)


@on_jumping_loop
async def test_a_queue_of_nobody_refuses_at_once() -> None:
    gate = gate_of(1, max_queue=0)
    gate.try_enter()
    with pytest.raises(RateLimitError) as caught:
        await gate.enter()
    assert caught.value.retry_after == 1.0  # nothing is measured yet
    gate.leave()
    await gate.enter()


@on_jumping_loop
async def test_calls_that_end_at_once_ask_for_the_shortest_wait() -> None:
    gate = gate_of(1, max_queue=0)
    for _ in range(3):
        gate.try_enter()
        gate.leave()
    gate.try_enter()
    assert gate.retry_after == 0.001


@on_jumping_loop
async def test_time_in_which_no_call_ran_makes_nobody_wait_longer() -> None:
    gate = gate_of(1, max_queue=0)
    for _ in range(3):
        await asyncio.sleep(3600)
        gate.try_enter()
        await asyncio.sleep(2)
        gate.leave()
    gate.try_enter()
    assert gate.retry_after == pytest.approx(2.0)


@on_jumping_loop
async def test_a_call_waits_no_longer_than_it_may() -> None:
    gate = gate_of(1, queue_timeout_seconds=60.0)
    began = gate_time()
    gate.try_enter()
    with pytest.raises(UnavailableError, match=r"waited 60 s.*1 places.*queue_timeout_seconds") as caught:
        await gate.enter()
    error = caught.value
    assert (error.status_code, error.code) == (503, "queue_timeout")
    assert error.retry_after is not None
    assert gate_time() - began == pytest.approx(60.0)
    assert (gate.running, gate.waiting) == (1, 0)
    gate.leave()
    assert gate.running == 0


@on_jumping_loop
async def test_a_call_that_entered_is_not_thrown_out_when_its_time_would_be_up() -> None:
    gate = gate_of(1, queue_timeout_seconds=60.0)
    gate.try_enter()
    (task,) = await waiters(gate, 1)
    gate.leave()
    await task
    await asyncio.sleep(100)
    assert (gate.running, gate.waiting) == (1, 0)


@on_jumping_loop
async def test_no_timer_stays_behind_a_call_that_entered_or_was_cancelled() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, JumpingLoop)
    gate = gate_of(1, queue_timeout_seconds=3600.0)
    gate.try_enter()
    first, second = await waiters(gate, 2)
    second.cancel()
    gate.leave()
    await first
    await settle()
    assert [timer.cancelled() for timer in loop.timers] == [True, True]


@on_jumping_loop
async def test_a_place_that_is_free_at_the_last_moment_is_taken() -> None:
    gate = gate_of(1, queue_timeout_seconds=60.0)
    gate.try_enter()
    asyncio.get_running_loop().call_later(60.0, gate.leave)
    await gate.enter()
    assert gate.running == 1


@on_jumping_loop
async def test_a_call_cancelled_as_its_time_is_up_has_no_place_to_pass_on() -> None:
    gate = gate_of(1, queue_timeout_seconds=60.0)
    gate.try_enter()
    (task,) = await waiters(gate, 1)
    # After the gate's own timer, in the same turn of the loop.
    asyncio.get_running_loop().call_later(60.0, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (gate.running, gate.waiting) == (1, 0)


@on_jumping_loop
async def test_a_cancelled_call_leaves_the_queue_without_a_place() -> None:
    gate = gate_of(1)
    gate.try_enter()
    tasks = await waiters(gate, 3)
    tasks[1].cancel()
    await settle()
    assert gate.waiting == 2
    gate.leave()
    gate.leave()
    await settle()
    assert inside(tasks) == [0, 2]
    gate.leave()
    assert gate.running == 0


@on_jumping_loop
async def test_a_call_cancelled_as_its_place_is_handed_over_passes_it_on() -> None:
    gate = gate_of(1)
    gate.try_enter()
    first, second = await waiters(gate, 2)
    gate.leave()
    first.cancel()
    await settle()
    assert (first.cancelled(), second.done(), gate.running) == (True, True, 1)
    gate.leave()
    assert gate.running == 0


@on_jumping_loop
async def test_a_place_is_not_handed_to_a_call_that_was_just_cancelled() -> None:
    gate = gate_of(1)
    gate.try_enter()
    first, second = await waiters(gate, 2)
    first.cancel()
    gate.leave()
    await settle()
    assert (first.cancelled(), second.done(), gate.running) == (True, True, 1)


@on_jumping_loop
async def test_a_call_that_is_closed_while_it_waits_gives_its_turn_up() -> None:
    gate = gate_of(1)
    gate.try_enter()
    waiting = gate.enter()
    waiting.send(None)
    assert gate.waiting == 1
    waiting.close()
    assert gate.waiting == 0
    gate.leave()
    assert gate.running == 0


def gate_time() -> float:
    return asyncio.get_running_loop().time()


class Crowd:
    """Does at random what callers may do to a gate, and checks that it keeps its word."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.tasks: list[asyncio.Task[None]] = []
        self.entered: list[int] = []
        self.refused = 0
        self.timed_out: set[int] = set()
        self.left = 0

    async def _arrive(self, number: int) -> None:
        try:
            await self.gate.enter()
        except RateLimitError:
            self.refused += 1
        except UnavailableError:
            self.timed_out.add(number)
        else:
            self.entered.append(number)

    async def act(self, action: str, number: int) -> None:
        if action == "arrive":
            self.tasks.append(asyncio.create_task(self._arrive(len(self.tasks))))
        elif action == "try" and self.gate.try_enter():
            self.entered.append(-1)
        elif action == "cancel" and self.tasks:
            self.tasks[number % len(self.tasks)].cancel()
        elif action == "leave" and len(self.entered) > self.left:
            self.left += 1
            self.gate.leave()
        elif action == "step":
            await asyncio.sleep(0)
        elif action == "pass":
            await asyncio.sleep(number)
        self.check_bounds()

    def check_bounds(self) -> None:
        gate = self.gate
        assert len(self.entered) - self.left <= gate.running <= (gate.max_concurrency or 0)
        assert 0 <= gate.waiting <= gate.max_queue
        if gate.waiting:
            assert gate.running == gate.max_concurrency

    async def check_settled(self) -> None:
        await settle()
        self.check_bounds()
        assert self.gate.running == len(self.entered) - self.left
        waiting = [number for number, task in enumerate(self.tasks) if not task.done()]
        assert self.gate.waiting == len(waiting)
        assert max(self.entered, default=-1) < min(waiting, default=len(self.tasks))

    async def go_home(self) -> None:
        """Let everybody who waits have a turn, and find the gate as new."""
        while self.gate.running:
            self.gate.leave()
            self.left += 1
            await self.check_settled()
        assert (self.gate.running, self.gate.waiting) == (0, 0)
        assert all(task.done() for task in self.tasks)
        cancelled = sum(task.cancelled() for task in self.tasks)
        tried = self.entered.count(-1)
        assert len(self.entered) - tried + self.refused + len(self.timed_out) + cancelled == len(self.tasks)
        assert [self.gate.try_enter() for _ in range((self.gate.max_concurrency or 0) + 1)].count(False) == 1


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["arrive", "arrive", "arrive", "try", "cancel", "leave", "leave", "step", "settle", "pass"]),
        st.integers(0, 9),
    ),
    max_size=60,
)


@given(
    max_concurrency=st.integers(1, 3),
    max_queue=st.integers(0, 6),
    timeout=st.sampled_from([None, 0.0, 5.0]),
    actions=ACTIONS,
)
def test_whatever_callers_do_no_place_is_lost_or_given_twice_and_nobody_overtakes(
    max_concurrency: int, max_queue: int, timeout: float | None, actions: list[tuple[str, int]]
) -> None:
    @on_jumping_loop
    async def crowded() -> None:
        crowd = Crowd(gate_of(max_concurrency, max_queue, timeout))
        for action, number in actions:
            if action == "settle":
                await crowd.check_settled()
            else:
                await crowd.act(action, number)
        await crowd.check_settled()
        await crowd.go_home()

    crowded()
