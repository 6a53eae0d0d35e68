"""`Runnable`: everything that can be invoked, batched, streamed and piped."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar, cast, overload

from modelport.engine.batches import raise_first
from modelport.engine.concurrency import amap_items, map_items
from modelport.engine.workers import call_in_worker
from modelport.runnables.joining import ajoined, joined
from modelport.runs.scope import scope_of
from modelport.values.errors import InputError

if TYPE_CHECKING:
    from modelport.runnables.binding import RunnableBinding
    from modelport.runnables.sequence import RunnableSequence
    from modelport.runs.config import RunnableConfig

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)
Other = TypeVar("Other")
Config = Any
"""What `config` is at run time: a `RunnableConfig`, one for each input of a batch, or None."""


class Runnable(Generic[In, Out]):
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

    def get_name(self) -> str:
        """Return the name that events and callbacks carry: the field `name`, else the class's name."""
        return getattr(self, "name", None) or type(self).__name__

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
        **kwargs: Any,
    ) -> list[Out]:
        """Invoke many inputs at once, each with a run of its own.

        Args:
            inputs: One per output.
            config: One config for all (its `max_concurrency` bounds the batch), or one per input.
            return_exceptions: True: a failure stays in its slot. False: the first failure, in order, is raised after
                all items have run.
            **kwargs: Given to each `invoke`.
        """
        configs, limit = configs_for(inputs, config)
        work: Callable[[int], Out] = lambda i: self.invoke(inputs[i], configs[i], **kwargs)  # noqa: E731
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
        **kwargs: Any,
    ) -> list[Out]:
        """Invoke many inputs at once on the running loop, as `batch` does."""
        configs, limit = configs_for(inputs, config)
        work: Callable[[int], Awaitable[Out]] = lambda i: self.ainvoke(inputs[i], configs[i], **kwargs)  # noqa: E731
        outcomes = await amap_items(work, range(len(inputs)), limit)
        if not return_exceptions:
            raise_first(outcomes)
        return cast("list[Out]", outcomes)

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

    def astream_events(
        self,
        input: In,
        config: RunnableConfig | None = None,
        *,
        version: Literal["v1", "v2"] = "v2",
        **kwargs: Any,
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield everything that happens inside the call, in LangChain's event format.

        Args:
            input: As for `invoke`.
            config: As for `invoke`.
            version: "v2", or "v1" as the custom LLM guide prints it.
            **kwargs: As for `invoke`.

        Raises:
            InputError: Another version was asked for.
        """
        from modelport.runnables.events import stream_events

        if version not in ("v1", "v2"):
            raise InputError(f"astream_events knows the versions 'v1' and 'v2', not {version!r}")
        return stream_events(self, input, config, version, kwargs)

    def bind(self, **kwargs: Any) -> RunnableBinding[In, Out]:
        """Return this runnable with keywords that every call gets."""
        from modelport.runnables.binding import RunnableBinding

        return RunnableBinding(self, kwargs=kwargs)

    def with_config(self, config: RunnableConfig | None = None, **kwargs: Any) -> RunnableBinding[In, Out]:
        """Return this runnable with a config that every call's own config is merged over."""
        from modelport.runnables.binding import RunnableBinding
        from modelport.runs.config import merge_configs

        return RunnableBinding(self, config=merge_configs(config, kwargs))

    def pipe(self, *others: Any) -> RunnableSequence[Any, Any]:
        """Return a sequence of this runnable and others."""
        from modelport.runnables.sequence import RunnableSequence

        return RunnableSequence(self, *others)

    @overload
    def __or__(self, other: Runnable[Any, Other]) -> RunnableSequence[In, Other]: ...
    @overload
    def __or__(self, other: Callable[..., Any]) -> RunnableSequence[In, Any]: ...
    def __or__(self, other: Any) -> RunnableSequence[In, Any]:
        """Return a sequence: this runnable's output is the other's input; a function becomes a `RunnableLambda`."""
        from modelport.runnables.sequence import RunnableSequence

        return RunnableSequence(self, other)

    def __ror__(self, other: Callable[..., Any]) -> RunnableSequence[Any, Out]:
        """Return a sequence that starts with a function."""
        from modelport.runnables.sequence import RunnableSequence

        return RunnableSequence(other, self)


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
