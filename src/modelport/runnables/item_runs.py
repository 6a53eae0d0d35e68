"""A batch whose items go through a runnable together, each with a run of its own, so that one hook sees them all."""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

from modelport.engine.batches import raise_first
from modelport.engine.concurrency import amap_items, map_items
from modelport.engine.telling import is_cut_short
from modelport.runnables.base import Runnable, configs_for
from modelport.runnables.observed import open_run
from modelport.runs.run import Run
from modelport.runs.scope import SCOPE, Scope, scope_of
from modelport.values.errors import InputError


class _Item:
    """Is one item of a batch: what it has come to, its run, and what calls for it inherit."""

    __slots__ = ("context", "deadline", "inner", "run", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        """What the last step gave; a failure when the item has left."""
        self.inner: Scope | None = None
        """What calls made for this item inherit; None when nobody asked for anything."""
        self.run: Run | None = None
        """Its run, when somebody listens, from its start to its end."""
        self.deadline: float | None = None
        self.context: contextvars.Context | None = None
        """The context of its run's sync steps, when there is a run."""

    def fail(self, error: BaseException) -> Run | None:
        """Take a failure; return the run that has to be told, marked when it was cut short."""
        self.value = error
        run, self.run = self.run, None
        if run is not None:
            run.cancelled = is_cut_short(error, self.deadline)
        return run


class ItemRuns:
    """Is a batch's items that have not failed yet, and their runs."""

    def __init__(self, runnable: Any, inputs: Sequence[Any], config: Any, *, is_async: bool) -> None:
        configs, self.limit = configs_for(inputs, config)
        self.advance: Callable[[int], None] | None = None
        """Counts this many items more that have ended, for a bar."""
        self.items = [_Item(value) for value in inputs]
        self.open: list[_Item] = []
        """The items that have not failed."""
        for item, one in zip(self.items, configs, strict=True):
            try:
                scope = scope_of(one)
            except InputError as error:
                item.value = error
                continue
            self.open.append(item)
            if scope is not None:
                item.run = open_run(runnable, "chain", scope, is_async=is_async) if scope.listeners else None
                item.inner, item.deadline = scope.inside(item.run), scope.next_deadline(started=False)

    @property
    def values(self) -> list[Any]:
        """What each open item has come to."""
        return [item.value for item in self.open]

    def _configs(self, items: Sequence[_Item], tag: str | None) -> list[Any] | None:
        if all(item.inner is None for item in items):
            return None
        return [self._config(item, tag) for item in items]

    def _config(self, item: _Item, tag: str | None) -> Any:
        if item.inner is None:
            return None
        config: dict[str, Any] = {"callbacks": item.inner.inside(None, tag)}
        return config if self.limit is None else {**config, "max_concurrency": self.limit}

    def _chosen(self, places: Iterable[int] | None) -> list[_Item]:
        return self.open if places is None else [self.open[place] for place in places]

    def batch(
        self, step: Runnable[Any, Any], tag: str | None, *, places: Sequence[int] | None = None, **kwargs: Any
    ) -> list[Any]:
        """Return what a step gives for the open items (those at `places` only), in one batch; failures in their slots.

        Args:
            step: What is called.
            tag: Marks the step's runs.
            places: Which of the open items, by their order; all when None.
            **kwargs: Given to the step.
        """
        items = self._chosen(places)
        if not items:
            return []
        given, configs = [item.value for item in items], self._configs(items, tag)
        try:
            return step.batch(given, configs, return_exceptions=True, **kwargs)
        except Exception as error:  # noqa: BLE001 - what fails for the whole batch fails for each item
            return [error] * len(items)

    async def abatch(
        self, step: Runnable[Any, Any], tag: str | None, *, places: Sequence[int] | None = None, **kwargs: Any
    ) -> list[Any]:
        """Return what a step gives for the open items on the running loop, as `batch` does."""
        items = self._chosen(places)
        if not items:
            return []
        given, configs = [item.value for item in items], self._configs(items, tag)
        try:
            return await step.abatch(given, configs, return_exceptions=True, **kwargs)
        except Exception as error:  # noqa: BLE001 - what fails for the whole batch fails for each item
            return [error] * len(items)

    def map(self, work: Callable[[Any, Callable[[str], Any]], Any]) -> list[Any]:
        """Do `work(value, config_for_tag)` for each open item in threads; failures in their slots."""

        def one(item: _Item) -> Any:
            config_of: Callable[[str], Any] = lambda tag: self._config(item, tag)  # noqa: E731
            if item.run is None:
                return work(item.value, config_of)
            if item.context is None:
                item.context = contextvars.copy_context()
                item.context.run(SCOPE.set, item.inner)
            return item.context.run(work, item.value, config_of)

        return map_items(one, self.open, self.limit)

    async def amap(self, work: Callable[[Any, Callable[[str], Any]], Awaitable[Any]]) -> list[Any]:
        """Do `work(value, config_for_tag)` for each open item in tasks, as `map` does."""

        async def one(item: _Item) -> Any:
            config_of: Callable[[str], Any] = lambda tag: self._config(item, tag)  # noqa: E731
            if item.run is None:
                return await work(item.value, config_of)
            token = SCOPE.set(item.inner)
            try:
                return await work(item.value, config_of)
            finally:
                SCOPE.reset(token)

        return await amap_items(one, self.open, self.limit)

    # ── starts and ends ─────────────────────────────────────────────────────────────────────────────────────────────

    def settle(self, outcomes: Sequence[Any]) -> None:
        """Take each open item's outcome; an item that failed leaves, and its run is told."""
        for run, error in self._take(outcomes):
            if run.cancelled:
                run.end(None)
            else:
                run.error(error)

    async def asettle(self, outcomes: Sequence[Any]) -> None:
        """Take each open item's outcome, as `settle` does."""
        for run, error in self._take(outcomes):
            if run.cancelled:
                await run.aend(None)
            else:
                await run.aerror(error)

    def _take(self, outcomes: Sequence[Any]) -> list[tuple[Run, BaseException]]:
        """Keep the open items that have not failed; return the runs of those that have."""
        items, self.open = self.open, []
        failed: list[tuple[Run, BaseException]] = []
        for item, outcome in zip(items, outcomes, strict=True):
            if not isinstance(outcome, BaseException):
                item.value = outcome
                self.open.append(item)
            elif (run := item.fail(outcome)) is not None:
                failed.append((run, outcome))
        self.count(len(items) - len(self.open))
        return failed

    def count(self, ended: int) -> None:
        """Count items that have ended, when somebody wants to see it."""
        if self.advance is not None:
            self.advance(ended)

    def start(self) -> None:
        """Tell that the runs start."""
        for item in self.open:
            if item.run is not None:
                item.run.start(item.value)

    async def astart(self) -> None:
        """Tell that the runs start."""
        for item in self.open:
            if item.run is not None:
                await item.run.astart(item.value)

    def end(self) -> None:
        """Tell what the open items' runs gave."""
        for item in self.open:
            if item.run is not None:
                item.run.end(item.value)

    async def aend(self) -> None:
        """Tell what the open items' runs gave."""
        for item in self.open:
            if item.run is not None:
                await item.run.aend(item.value)

    def results(self, *, return_exceptions: bool) -> list[Any]:
        """Return one outcome for each input; raise the first failure, in order, when those are not wanted."""
        slots = [item.value for item in self.items]
        if not return_exceptions:
            raise_first(slots)
        return slots


def batch_together(
    runnable: Any,
    inputs: Sequence[Any],
    config: Any,
    return_exceptions: bool,
    work: Callable[[ItemRuns], None],
    progress: bool = False,
) -> list[Any]:
    """Run one batch: `work` takes all items from their inputs to their outputs.

    An interrupt ends every run that is under way, marked.
    """
    items = ItemRuns(runnable, inputs, config, is_async=False)
    with _bar(items, runnable.get_name(), progress):
        items.start()
        try:
            work(items)
        except BaseException as error:
            items.settle([error] * len(items.open))
            raise
        items.end()
        items.count(len(items.open))
    return items.results(return_exceptions=return_exceptions)


async def abatch_together(
    runnable: Any,
    inputs: Sequence[Any],
    config: Any,
    return_exceptions: bool,
    work: Callable[[ItemRuns], Awaitable[None]],
    progress: bool = False,
) -> list[Any]:
    """Run one batch on the running loop, as `batch_together` does; a cancel ends every run, marked."""
    items = ItemRuns(runnable, inputs, config, is_async=True)
    with _bar(items, runnable.get_name(), progress):
        await items.astart()
        try:
            await work(items)
        except BaseException as error:
            await items.asettle([error] * len(items.open))
            raise
        await items.aend()
        items.count(len(items.open))
    return items.results(return_exceptions=return_exceptions)


@contextmanager
def _bar(items: ItemRuns, name: str, progress: bool) -> Generator[None, None, None]:
    """Show a bar when one is wanted; an input that was refused has ended already."""
    if not progress:
        yield
        return
    from modelport.runnables.progress import progress_bar

    with progress_bar(name, len(items.items)) as items.advance:
        items.count(len(items.items) - len(items.open))
        yield
