"""The tree of runs that a call makes, as handlers of either library hear of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def recorder(base: Any, shown: Callable[[Any], Any] = lambda value: value) -> Any:
    """Return a handler of one library that keeps the tree of runs, each with what is `shown` of its values."""

    class Recorder(base):
        def __init__(self) -> None:
            super().__init__()
            self.calls: list[tuple[Any, ...]] = []
            self.ids: dict[Any, int] = {}

        def note(self, what: str, value: Any, run_id: Any, facts: dict[str, Any]) -> None:
            parent = self.ids.get(facts.get("parent_run_id"))
            number = self.ids.setdefault(run_id, len(self.ids))
            self.calls.append((what, number, parent, facts.get("name"), facts.get("tags"), shown(value)))

        def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: Any, **kwargs: Any) -> None:
            self.note("start", inputs, run_id, kwargs)

        def on_chain_end(self, outputs: Any, *, run_id: Any, **kwargs: Any) -> None:
            self.note("end", outputs, run_id, {})

        def on_chain_error(self, error: BaseException, *, run_id: Any, **kwargs: Any) -> None:
            self.note("error", repr(error), run_id, {})

    return Recorder()


def by_call(calls: list[tuple[Any, ...]]) -> list[list[tuple[Any, ...]]]:
    """Return what was told of each call and its attempts, call by call."""
    roots: dict[int, list[tuple[Any, ...]]] = {}
    of: dict[int, int] = {}
    for what, number, parent, *facts in calls:
        of.setdefault(number, number if parent is None else of[parent])
        roots.setdefault(of[number], []).append((what, number == of[number], *facts))
    return list(roots.values())
