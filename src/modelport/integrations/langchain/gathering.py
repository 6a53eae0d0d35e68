"""Where the calls of a batch meet, so that a model with a hook for many is asked once for all of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from modelport.engine.batches import Outcome, arun_many, run_many
from modelport.engine.call import Call
from modelport.values.generations import Generation


class Gathering:
    """Asks a model once for all calls of a batch, when each has come or has left."""

    def __init__(self, count: int) -> None:
        self._awaited = count
        self._is_cut = False
        self._lock = threading.Lock()
        self._places: list[Place] = []

    def _is_last(self, place: Place | None) -> bool:
        """Note one that came, or None: one that left; tell whether all have, and somebody came."""
        with self._lock:
            self._awaited -= 1
            if place is not None:
                self._places.append(place)
            return self._awaited == 0 and bool(self._places) and not self._is_cut

    def come(self, place: Place) -> None:
        """Wait for the others; the last one asks the model for all."""
        if self._is_last(place):
            self._answer()
        else:
            place.done.wait()

    async def acome(self, place: Place) -> None:
        """Wait for the others on the running loop; the last one asks the model for all."""
        place.adone = asyncio.get_running_loop().create_future()
        if self._is_last(place):
            await self._aanswer()
        elif self._is_cut:
            raise asyncio.CancelledError("the batch was cancelled")
        else:
            await place.adone

    def leave(self) -> None:
        """Take part no more: the answer came from a cache, or the call failed before its model was asked."""
        if self._is_last(None):
            self._answer()

    async def aleave(self) -> None:
        """Take part no more; see `leave`."""
        if self._is_last(None):
            await self._aanswer()

    def cut(self) -> None:
        """Ask the model no more: the batch was cancelled, and nobody waits for anybody."""
        self._is_cut = True
        for place in self._places:
            if place.adone is not None:
                place.adone.cancel()

    def _answer(self) -> None:
        outcomes: Sequence[Outcome] = [RuntimeError("the batch was cut short")] * len(self._places)
        try:
            outcomes = run_many([place.call for place in self._places])
        finally:
            for place, outcome in zip(self._places, outcomes, strict=True):
                place.outcome = outcome
                place.done.set()

    async def _aanswer(self) -> None:
        outcomes: Sequence[Outcome] = [asyncio.CancelledError("the batch was cut short")] * len(self._places)
        try:
            outcomes = await arun_many([place.call for place in self._places])
        finally:
            for place, outcome in zip(self._places, outcomes, strict=True):
                place.outcome = outcome
                if place.adone is not None and not place.adone.done():
                    place.adone.set_result(None)


class Place:
    """Is one input's place in a gathering; it is taken once, by the call that the input makes."""

    __slots__ = ("_gathering", "_is_taken", "adone", "call", "done", "model", "outcome")

    def __init__(self, gathering: Gathering, model: Any) -> None:
        self._gathering = gathering
        self._is_taken = False
        self.model = model
        self.call: Any = None
        self.outcome: Any = None
        self.done = threading.Event()
        self.adone: asyncio.Future[None] | None = None

    def is_for(self, model: Any) -> bool:
        """Tell whether the input's call may be made here: no call was yet, and it is the batch's model's."""
        return not self._is_taken and model is self.model

    def answer(self, call: Call) -> Generation:
        """Answer a call together with the others of its batch."""
        self._is_taken, self.call = True, call
        self._gathering.come(self)
        return self._result()

    async def aanswer(self, call: Call) -> Generation:
        """Answer a call together with the others of its batch, on the running loop."""
        self._is_taken, self.call = True, call
        await self._gathering.acome(self)
        return self._result()

    def _result(self) -> Generation:
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome

    def leave(self) -> None:
        """Let the others go on, when no call was made."""
        if not self._is_taken:
            self._is_taken = True
            self._gathering.leave()

    async def aleave(self) -> None:
        """Let the others go on, when no call was made."""
        if not self._is_taken:
            self._is_taken = True
            await self._gathering.aleave()
