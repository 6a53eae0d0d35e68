"""The batches of runnables that are made of others: a step that answers many at once gets all items together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from modelport.runnables.base import In, Out, Runnable
from modelport.runnables.item_runs import ItemRuns, abatch_together, batch_together


class JointBatches(Runnable[In, Out]):
    """Takes the items of a batch through its steps together, where one of them answers many inputs at once."""

    __slots__ = ()

    def _batch_items(self, items: ItemRuns, kwargs: dict[str, Any]) -> None:
        """Take all items from their inputs to their outputs, given the call's keywords."""
        raise NotImplementedError

    async def _abatch_items(self, items: ItemRuns, kwargs: dict[str, Any]) -> None:
        """Take all items from their inputs to their outputs on the running loop."""
        raise NotImplementedError

    @override
    def batch(
        self,
        inputs: Sequence[In],
        config: Any = None,
        *,
        return_exceptions: bool = False,
        progress: bool = False,
        **kwargs: Any,
    ) -> list[Out]:
        """Run many inputs: what answers many at once gets them in one batch; everything else runs item by item.

        Args:
            inputs: One per output.
            config: One for all, or one per input; `max_concurrency` bounds the batch.
            return_exceptions: True: a failure stays in its slot. False: the first one, in order, is raised at the end.
            progress: Whether to show a bar on stderr that counts the items that have ended (extra `cli`).
            **kwargs: As for `invoke`.
        """
        if not self.batches_at_once or len(inputs) < 2:
            return super().batch(inputs, config, return_exceptions=return_exceptions, progress=progress, **kwargs)
        return batch_together(
            self, inputs, config, return_exceptions, lambda items: self._batch_items(items, kwargs), progress
        )

    @override
    async def abatch(
        self,
        inputs: Sequence[In],
        config: Any = None,
        *,
        return_exceptions: bool = False,
        progress: bool = False,
        **kwargs: Any,
    ) -> list[Out]:
        """Run many inputs on the running loop; see `batch`."""
        if not self.batches_at_once or len(inputs) < 2:
            return await super().abatch(
                inputs, config, return_exceptions=return_exceptions, progress=progress, **kwargs
            )
        return await abatch_together(
            self, inputs, config, return_exceptions, lambda items: self._abatch_items(items, kwargs), progress
        )
