"""Models with a batch hook whose first batch waits at a gate."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import PrivateAttr

from modelport import LLM
from modelport.testing.gates import PATIENCE_SECONDS, Gate


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
