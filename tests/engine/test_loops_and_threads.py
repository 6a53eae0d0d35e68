"""One model under many threads, loops, processes and in itself."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import signal
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import PrivateAttr, SecretStr

from modelport import LLM

THREADS = 64
CALLS = 10_000


class SyncEcho(LLM):
    def _call(self, prompt):
        return f"<{prompt}>"


class AsyncEcho(LLM):
    async def _acall(self, prompt):
        await asyncio.sleep(0)
        return f"<{prompt}>"


class StreamEcho(LLM):
    def _stream(self, prompt):
        yield from ("<", prompt, ">")


class AsyncStreamEcho(LLM):
    async def _astream(self, prompt):
        for piece in ("<", prompt, ">"):
            yield piece


ECHOES = [SyncEcho, AsyncEcho, StreamEcho, AsyncStreamEcho]


def in_threads(count: int, work: Callable[[int], object]) -> None:
    """Run `work(number)` in threads that start together; raise the first failure."""
    start, failures = threading.Barrier(count, timeout=20), list[BaseException]()

    def serve(number: int) -> None:
        try:
            start.wait()
            work(number)
        except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=serve, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=50)
    assert not any(thread.is_alive() for thread in threads)
    if failures:
        raise failures[0]


# --- threads --------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [None, 8])
def test_64_threads_get_10000_right_answers_of_a_sync_hook(limit):
    model = SyncEcho(max_concurrency=limit)
    wrong: list[str] = []

    def ask(thread: int) -> None:
        for number in range(CALLS // THREADS + 1):
            prompt = f"{thread}/{number}"
            if model.invoke(prompt) != f"<{prompt}>":
                wrong.append(prompt)

    in_threads(THREADS, ask)
    assert wrong == []


@pytest.mark.parametrize("make", [AsyncEcho, StreamEcho, AsyncStreamEcho])
def test_64_threads_get_right_answers_over_every_bridge(make):
    model = make(max_concurrency=16)
    wrong: list[str] = []

    def ask(thread: int) -> None:
        for number in range(10):
            prompt = f"{thread}/{number}"
            answers = [model.invoke(prompt), "".join(model.stream(prompt)), *model.batch([prompt])]
            if answers != [f"<{prompt}>"] * 3:
                wrong.append(prompt)

    in_threads(THREADS, ask)
    assert wrong == []


async def test_1000_tasks_get_right_answers_of_a_sync_hook():
    model = SyncEcho()
    answers = await asyncio.gather(*(model.ainvoke(str(number)) for number in range(1_000)))
    assert answers == [f"<{number}>" for number in range(1_000)]


# --- loops ----------------------------------------------------------------------------------------


async def all_async_ways(model: Any) -> list[str]:
    streamed = "".join([piece async for piece in model.astream("c")])
    return [await model.ainvoke("a"), *(await model.abatch(["b", "b"])), streamed]


@pytest.mark.parametrize("make", ECHOES)
def test_100_loops_in_a_row_use_one_model(make):
    model = make(max_concurrency=1)
    for _ in range(100):
        assert asyncio.run(all_async_ways(model)) == ["<a>", "<b>", "<b>", "<c>"]


@pytest.mark.parametrize("make", [AsyncEcho, AsyncStreamEcho])
def test_eight_loops_at_once_share_the_slots_of_one_model(make):
    model = make(max_concurrency=2)

    def ask(number: int) -> None:
        for _ in range(5):
            assert asyncio.run(all_async_ways(model)) == ["<a>", "<b>", "<b>", "<c>"]

    in_threads(8, ask)


class Clientele(LLM):
    single_loop = True
    _loops: set[Any] = PrivateAttr(default_factory=set)

    async def _acall(self, prompt):
        self._loops.add(asyncio.get_running_loop())
        return f"<{prompt}>"


def test_a_client_bound_to_a_loop_sees_one_loop_only():
    model = Clientele()
    for _ in range(3):
        asyncio.run(all_async_ways(model))
        model.invoke("x")
    assert len(model._loops) == 1


# --- nesting --------------------------------------------------------------------------------------


class Nested(LLM):
    """Calls the next model synchronously from inside its async hook."""

    inner: Any = None

    async def _acall(self, prompt):
        return f"<{prompt}>" if self.inner is None else self.inner.invoke(f"[{prompt}]")


def tower(height: int) -> Nested:
    model = Nested()
    for _ in range(height - 1):
        model = Nested(inner=model)
    return model


def test_sync_inside_async_inside_sync_answers():
    assert tower(5).invoke("x") == "<[[[[x]]]]>"


async def test_sync_inside_async_inside_sync_inside_async_answers():
    assert await tower(5).ainvoke("x") == "<[[[[x]]]]>"


def test_nested_towers_in_many_threads_answer():
    model = tower(4)
    in_threads(16, lambda number: [model.invoke("x") for _ in range(5)])


class Recursive(LLM):
    """Calls itself from its own hook, `depth` deep, in one way or the other."""

    way: str
    depth: int = 3

    def _call(self, prompt):
        if len(prompt) > self.depth:
            return prompt
        if self.way == "invoke":
            return self.invoke(prompt + ".")
        if self.way == "stream":
            return "".join(self.stream(prompt + "."))
        if self.way == "batch":
            return self.batch([prompt + "."])[0]
        return asyncio.run(self.ainvoke(prompt + "."))


@pytest.mark.parametrize("way", ["invoke", "stream", "batch", "ainvoke"])
@pytest.mark.parametrize("limit", [None, 1])
def test_a_model_that_calls_itself_from_its_own_worker_does_not_deadlock(way, limit):
    model = Recursive(way=way, max_concurrency=limit)
    assert model.invoke("x") == "x..."
    assert asyncio.run(model.ainvoke("x")) == "x..."
    assert model.batch(["x", "x"]) == ["x...", "x..."]


async def test_more_nested_calls_than_workers_do_not_deadlock():
    model = Recursive(way="invoke")
    answers = await asyncio.gather(*(model.ainvoke("x") for _ in range(100)))
    assert answers == ["x..."] * 100


# --- processes and copies -------------------------------------------------------------------------


def run_in_fork(work: Callable[[], None]) -> int:
    """Run `work` in a forked child; return its exit code. An alarm ends a child that hangs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of threads: that is what is tested
        child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(20)
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("make", ECHOES)
def test_a_forked_child_calls_the_model_of_its_parent(make):
    model = make(max_concurrency=1)

    def use_all() -> None:
        assert model.invoke("a") == "<a>"
        assert model.batch(["a", "b"]) == ["<a>", "<b>"]
        assert "".join(model.stream("a", {"timeout": 10})) == "<a>"
        assert asyncio.run(all_async_ways(model)) == ["<a>", "<b>", "<b>", "<c>"]

    use_all()
    open_stream = model.stream("held")
    next(open_stream)  # holds the parent's only slot while the child is made
    assert run_in_fork(use_all) == 0
    open_stream.close()
    use_all()


class Keyed(LLM):
    api_key: SecretStr
    n: int = 3

    def _call(self, prompt):
        return prompt[: self.n]


@pytest.mark.parametrize("twin_of", [copy.deepcopy, copy.copy, lambda model: pickle.loads(pickle.dumps(model))])
async def test_a_used_model_can_be_copied(twin_of):
    model = Keyed(api_key=SecretStr("sk-secret"), max_concurrency=2)
    await all_async_ways(model)
    twin = twin_of(model)
    assert twin.api_key.get_secret_value() == "sk-secret"
    assert twin.invoke("abcdef") == "abc" == await twin.ainvoke("abcdef")
    assert twin != model
    assert twin._modelport_state is not model._modelport_state
