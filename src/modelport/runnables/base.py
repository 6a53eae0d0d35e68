"""`Runnable`: everything that can be invoked, batched, streamed and piped."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from modelport.engine.batches import raise_first
from modelport.engine.concurrency import amap_items, map_items
from modelport.engine.workers import call_in_worker
from modelport.runnables.composing import Composing, In, Out
from modelport.runnables.describing import Describing
from modelport.runnables.eventful import Eventful
from modelport.runnables.joining import ajoined, joined
from modelport.runs.scope import scope_of
from modelport.values.errors import InputError

if TYPE_CHECKING:
    from modelport.runnables.parts import Parts
    from modelport.runs.config import RunnableConfig


Given = TypeVar("Given")


class Runnable(Composing[In, Out], Describing, Eventful[In]):
    """Is anything with `invoke`; the other ways to call follow from it, and a subclass may do them better."""

    __slots__ = ()
    __modelport_kind__: ClassVar[str] = "chain"

    @property
    def scopes_its_code(self) -> bool:
        """Whether all author's code in here is given its scope by the framework, call by call.

        Such a runnable needs no context of its own around it. False for subclasses of other people, whose code may
        call models without handing the config on.
        """
        return False

    @property
    def batches_at_once(self) -> bool:
        """Whether `batch` answers many inputs better than as many `invoke` would: by one call of a `_batch` hook.

        A sequence hands such a step all items of its batch together. So it does with a class of other people that has
        a `batch` of its own.
        """
        return cast("Any", type(self)).batch is not Runnable.batch  # pyright: ignore[reportUnknownMemberType]

    def get_name(self) -> str:
        """Return the name that events and callbacks carry: the field `name`, else the class's name."""
        return getattr(self, "name", None) or type(self).__name__

    @property
    def InputType(self) -> Any:  # noqa: N802 - LangChain's name
        """The type of the input: of a chain its first step's, else the class's type argument, `Any` without one."""
        from modelport.runnables.type_hints import types_of_class

        parts = self.__modelport_parts__()
        if parts is not None and parts.shape == "sequence":
            return parts.arms[0].runnable.InputType
        return types_of_class(type(self), Runnable)[0]

    @property
    def OutputType(self) -> Any:  # noqa: N802 - LangChain's name
        """The type of the output: of a chain its last step's, else the class's type argument, `Any` without one."""
        from modelport.runnables.type_hints import types_of_class

        parts = self.__modelport_parts__()
        if parts is not None and parts.shape == "sequence":
            return parts.arms[-1].runnable.OutputType
        return types_of_class(type(self), Runnable)[1]

    def __modelport_parts__(self) -> Parts | None:
        """Return the runnables that this one is made of, for graphs and schemas; None: it is one step."""
        return None

    def invoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        """Turn one input into one output."""
        raise NotImplementedError(f"{type(self).__name__} must define invoke")

    async def ainvoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        """Turn one input into one output on the running loop; `invoke` runs in a worker thread unless overridden."""
        return await call_in_worker(lambda: self.invoke(input, config, **kwargs))

    def batch(
        self,
        inputs: Sequence[In],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        progress: bool = False,
        **kwargs: Any,
    ) -> list[Out]:
        """Invoke many inputs at once, each with a run of its own.

        Args:
            inputs: One per output.
            config: One config for all (its `max_concurrency` bounds the batch), or one per input.
            return_exceptions: True: a failure stays in its slot. False: the first failure, in order, is raised after
                all items have run.
            progress: Whether to show a bar on stderr that counts the items that have ended (extra `cli`).
            **kwargs: Given to each `invoke`.

        Raises:
            MissingExtraError: A bar is wanted, and the extra is not installed.
        """
        configs, limit = configs_for(inputs, config)
        work: Callable[[int], Out] = lambda i: self.invoke(inputs[i], configs[i], **kwargs)  # noqa: E731
        if progress:
            from modelport.runnables.progress import map_counted, progress_bar

            with progress_bar(self.get_name(), len(inputs)) as advance:
                outcomes = map_counted(work, range(len(inputs)), limit, advance)
        else:
            outcomes = map_items(work, range(len(inputs)), limit)
        if not return_exceptions:
            raise_first(outcomes)
        return cast("list[Out]", outcomes)

    async def abatch(
        self,
        inputs: Sequence[In],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        progress: bool = False,
        **kwargs: Any,
    ) -> list[Out]:
        """Invoke many inputs at once on the running loop, as `batch` does."""
        configs, limit = configs_for(inputs, config)
        work: Callable[[int], Awaitable[Out]] = lambda i: self.ainvoke(inputs[i], configs[i], **kwargs)  # noqa: E731
        if progress:
            from modelport.runnables.progress import amap_counted, progress_bar

            with progress_bar(self.get_name(), len(inputs)) as advance:
                outcomes = await amap_counted(work, range(len(inputs)), limit, advance)
        else:
            outcomes = await amap_items(work, range(len(inputs)), limit)
        if not return_exceptions:
            raise_first(outcomes)
        return cast("list[Out]", outcomes)

    def batch_as_completed(
        self,
        inputs: Sequence[In],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> Generator[tuple[int, Out], None, None]:
        """Return a generator of each input's place and output, in the order in which they end.

        When it is closed early no other item starts; those that run go on to their end, and their outputs are
        dropped.

        Args:
            inputs: One per output.
            config: As for `batch`.
            return_exceptions: True: a failure is given in place of the output. False: the first failure to come is
                raised, and no other item starts.
            **kwargs: Given to each `invoke`.
        """
        from modelport.runnables.completed import completed

        configs, limit = configs_for(inputs, config)
        work: Callable[[int], Out] = lambda i: self.invoke(inputs[i], configs[i], **kwargs)  # noqa: E731
        return completed(work, len(inputs), limit, return_exceptions=return_exceptions)

    def abatch_as_completed(
        self,
        inputs: Sequence[In],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> AsyncGenerator[tuple[int, Out], None]:
        """Return an async generator of each input's place and output, in the order in which they end.

        When it is closed early, or a failure is raised, the other items are cancelled and waited for. The arguments
        are those of `batch_as_completed`.
        """
        from modelport.runnables.completed import acompleted

        configs, limit = configs_for(inputs, config)
        work: Callable[[int], Awaitable[Out]] = lambda i: self.ainvoke(inputs[i], configs[i], **kwargs)  # noqa: E731
        return acompleted(work, len(inputs), limit, return_exceptions=return_exceptions)

    def stream(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Out]:
        """Yield the output piece by piece; one piece unless overridden."""
        yield self.invoke(input, config, **kwargs)

    async def astream(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncIterator[Out]:
        """Yield the output piece by piece on the running loop."""
        yield await self.ainvoke(input, config, **kwargs)

    def transform(self, input: Iterator[In], config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Out]:
        """Turn a stream of input pieces into a stream of output pieces; the input is joined unless overridden."""
        present, whole = joined(input)
        if present:
            yield from self.stream(whole, config, **kwargs)

    async def atransform(
        self,
        input: AsyncIterator[In],
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[Out]:
        """Turn a stream of input pieces into a stream of output pieces on the running loop."""
        present, whole = await ajoined(input)
        if present:
            async with aclosing(cast("AsyncGenerator[Out, None]", self.astream(whole, config, **kwargs))) as pieces:
                async for piece in pieces:
                    yield piece


def configs_for(inputs: Sequence[Any], config: Any) -> tuple[list[Any], int | None]:
    """Return one config per input of a batch, and the batch's `max_concurrency`.

    A `run_id` belongs to the first input only: two runs cannot share one.

    Raises:
        InputError: A list of configs has not one per input.
    """
    if config is None:
        scope = scope_of(None)
        return [None] * len(inputs), scope.max_concurrency if scope is not None else None
    if isinstance(config, Mapping):
        shared = cast("Mapping[str, Any]", config)
        scope = scope_of(shared)
        configs: list[Any] = [_shared(shared, scope) for _ in inputs]
        if configs and shared.get("run_id"):
            configs[0] = {**configs[0], "run_id": shared["run_id"]}
        return configs, scope.max_concurrency if scope is not None else None
    if len(config) != len(inputs):
        raise InputError(f"batch got {len(config)} configs for {len(inputs)} inputs; give one for all, or one each")
    limits = [one.get("max_concurrency") for one in config if one and one.get("max_concurrency")]
    return list(config), min(limits) if limits else None


def _shared(config: Mapping[str, Any], scope: Any) -> dict[str, Any]:
    """Return one input's config: the deadline is counted once, from the start of the whole batch."""
    shared: dict[str, Any] = {"callbacks": scope.inside(None)}
    if config.get("run_name"):
        shared["run_name"] = config["run_name"]
    return shared
