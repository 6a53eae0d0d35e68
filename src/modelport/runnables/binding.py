"""`RunnableBinding`: a runnable with keywords and a config that every call gets."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from modelport.runnables.base import In, Out, Runnable
from modelport.runs.config import RunnableConfig, check_config, merge_configs

if TYPE_CHECKING:
    from modelport.runnables.parts import Parts


class RunnableBinding(Runnable[In, Out]):
    """Calls another runnable with bound keywords and config; a call's own ones win."""

    def __init__(
        self,
        bound: Runnable[In, Out],
        *,
        kwargs: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        """Bind.

        Args:
            bound: What is called.
            kwargs: Keywords of every call.
            config: Config of every call.

        Raises:
            InputError: The config has a key or value that nothing would read.
        """
        check_config(config or {})
        if isinstance(bound, RunnableBinding):
            inner = bound
            self.bound = inner.bound
            self.kwargs: dict[str, Any] = {**inner.kwargs, **(kwargs or {})}
            self.config: dict[str, Any] = merge_configs(inner.config, config)
            return
        self.bound: Runnable[In, Out] = bound
        """What is called."""
        self.kwargs = dict(kwargs or {})
        """Keywords of every call."""
        self.config = dict(config or {})
        """Config of every call."""

    @override
    def __repr__(self) -> str:
        return f"RunnableBinding(bound={self.bound!r}, kwargs={sorted(self.kwargs)})"

    def __getattr__(self, name: str) -> Any:
        """Answer for what is bound, so that a bound model keeps its fields and methods."""
        if name.startswith("__") or name == "bound":
            raise AttributeError(name)
        return getattr(self.bound, name)

    def bind_tools(self, tools: Any, **options: Any) -> RunnableBinding[In, Out]:
        """Return the bound model's binding of tools, with these keywords and this config; see the model's method."""
        inner = cast("RunnableBinding[In, Out]", cast("Any", self.bound).bind_tools(tools, **options))
        return RunnableBinding(inner.bound, kwargs={**self.kwargs, **inner.kwargs}, config=self.config)

    def with_structured_output(self, schema: Any, **options: Any) -> Runnable[In, Any]:
        """Return the bound model's structured output, with these keywords and this config; see the model's method."""
        return self.bound.with_structured_output(schema, **options).with_bound(self.kwargs, self.config)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]

    @override
    def get_name(self) -> str:
        return self.config.get("run_name") or self.bound.get_name()

    @property
    @override
    def scopes_its_code(self) -> bool:
        return self.bound.scopes_its_code

    @property
    @override
    def batches_at_once(self) -> bool:
        return self.bound.batches_at_once

    @override
    def __modelport_parts__(self) -> Parts | None:
        from modelport.runnables.parts import Parts

        return Parts.of("sequence", self.bound)

    def _config(self, config: Any) -> Any:
        return merge_configs(self.config, config) or None if self.config else config

    def _configs(self, config: Any) -> Any:
        if isinstance(config, Sequence):
            return [self._config(one) for one in config]  # pyright: ignore[reportUnknownVariableType]
        return self._config(config)

    @override
    def invoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        return self.bound.invoke(input, self._config(config), **{**self.kwargs, **kwargs})

    @override
    async def ainvoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        return await self.bound.ainvoke(input, self._config(config), **{**self.kwargs, **kwargs})

    @override
    def batch(
        self, inputs: Sequence[In], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[Out]:
        merged = {**self.kwargs, **kwargs}
        return self.bound.batch(inputs, self._configs(config), return_exceptions=return_exceptions, **merged)

    @override
    async def abatch(
        self, inputs: Sequence[In], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[Out]:
        merged = {**self.kwargs, **kwargs}
        return await self.bound.abatch(inputs, self._configs(config), return_exceptions=return_exceptions, **merged)

    @override
    def batch_as_completed(
        self, inputs: Sequence[In], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> Generator[tuple[int, Out], None, None]:
        merged = {**self.kwargs, **kwargs}
        configs = self._configs(config)
        return self.bound.batch_as_completed(inputs, configs, return_exceptions=return_exceptions, **merged)

    @override
    def abatch_as_completed(
        self, inputs: Sequence[In], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> AsyncGenerator[tuple[int, Out], None]:
        merged = {**self.kwargs, **kwargs}
        configs = self._configs(config)
        return self.bound.abatch_as_completed(inputs, configs, return_exceptions=return_exceptions, **merged)

    @override
    def stream(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Out]:
        return self.bound.stream(input, self._config(config), **{**self.kwargs, **kwargs})

    @override
    def astream(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncIterator[Out]:  # pyright: ignore[reportIncompatibleMethodOverride] - the bound one's own generator
        return self.bound.astream(input, self._config(config), **{**self.kwargs, **kwargs})

    @override
    def transform(self, input: Iterator[In], config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Out]:
        return self.bound.transform(input, self._config(config), **{**self.kwargs, **kwargs})

    @override
    def atransform(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, input: AsyncIterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Out]:
        return self.bound.atransform(input, self._config(config), **{**self.kwargs, **kwargs})
