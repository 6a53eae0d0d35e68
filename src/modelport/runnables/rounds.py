"""A batch in rounds: all items at first, then together those that failed. Each item has its own run and attempts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modelport.runnables import backoff
from modelport.runnables.item_runs import ItemRuns
from modelport.values.errors import InputError

if TYPE_CHECKING:
    from modelport.runnables.attempted import AttemptedRunnable
    from modelport.runnables.attempts import Attempts


class Rounds:
    """Is the state of one batch between its rounds; whoever drives it calls and waits."""

    __slots__ = ("_attempts", "_inputs", "_items", "_wait_seconds", "outcomes", "pending")

    def __init__(self, runnable: AttemptedRunnable[Any, Any], items: ItemRuns) -> None:
        """Prepare the first round of a runnable's batch."""
        self._items = items
        self._inputs = items.values
        self._attempts = [runnable.attempts(item.inner) for item in items.open]
        self._wait_seconds = 0.0
        self.outcomes: list[Any] = [None] * len(self._inputs)
        """Each open item's result or last failure, once `pending` is empty."""
        self.pending: list[int] = []
        """The places, among the open items, of those that the next round is for."""
        for place, value in enumerate(self._inputs):
            try:
                runnable.check_input(value)
                self.pending.append(place)
            except InputError as error:
                self.outcomes[place] = error

    @property
    def next(self) -> Attempts:
        """What this round calls; its items have all had as many attempts."""
        return self._attempts[self.pending[0]]

    def take(self, results: Sequence[Any]) -> None:
        """Take the round's results, failures in their slots; `pending` is what there is another round for."""
        failed: list[tuple[int, BaseException]] = []
        for place, result in zip(self.pending, results, strict=True):
            attempts = self._attempts[place]
            if not isinstance(result, BaseException) or attempts.ends_with(result):
                self.outcomes[place] = result
            elif attempts.over:
                self.outcomes[place] = attempts.take_failure()
            else:
                failed.append((place, result))
        # They go together, so all wait as long as the one that waits longest.
        self._wait_seconds = max((self._attempts[place].wait_seconds for place, _ in failed), default=0.0)
        self.pending = []
        for place, failure in failed:
            if self._attempts[place].can_wait(self._wait_seconds):
                self.pending.append(place)
            else:
                self.outcomes[place] = failure

    def begin(self) -> None:
        """Wait until the next round is due."""
        if self.next.number > 1:
            for attempts in self._give_inputs():
                attempts.tell()
            if self._wait_seconds:
                backoff.sleep(self._wait_seconds)

    async def abegin(self) -> None:
        """Wait on the running loop until the next round is due."""
        if self.next.number > 1:
            for attempts in self._give_inputs():
                await attempts.atell()
            if self._wait_seconds:
                await backoff.asleep(self._wait_seconds)

    def _give_inputs(self) -> list[Attempts]:
        """Give each item of the round its input, which its last failure may be a part of."""
        for place in self.pending:
            self._items.open[place].value = self._attempts[place].input_of(self._inputs[place])
        return [self._attempts[place] for place in self.pending]
