"""`RunnableBinding`: a runnable with keywords and a config that every call gets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from typing_extensions import override

from modelport.runnables.base import In, Out, Runnable
from modelport.runs.config import RunnableConfig, check_config, merge_configs


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

    @override
    def get_name(self) -> str:
        return self.config.get("run_name") or self.bound.get_name()

    @property
    @override
    def scopes_its_code(self) -> bool:
        return self.bound.scopes_its_code

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
