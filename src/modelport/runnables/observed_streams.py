"""The streams of runnables that are made of others: one run around them when somebody listens, else bare."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Any

from typing_extensions import override

from modelport.runnables.base import In, Out, Runnable
from modelport.runnables.joining import aonce, once
from modelport.runnables.observed import aobserve_stream, observe_stream
from modelport.runs.config import RunnableConfig
from modelport.runs.run import UNKNOWN
from modelport.runs.scope import Scope, scope_of


class ObservedStreams(Runnable[In, Out]):
    """Streams what `_pieces` and `_apieces` make of an input, as one run when somebody listens."""

    __slots__ = ()

    def _pieces(self, pieces: Iterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN) -> Any:
        """Return the output's pieces.

        Args:
            pieces: The input's pieces; of a call to `stream` its one input.
            scope: What calls inside inherit; None when nobody asked for anything.
            kwargs: The call's keywords.
            value: The whole input, where it is known from the start.
        """
        raise NotImplementedError

    def _apieces(
        self, pieces: AsyncIterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN
    ) -> Any:
        """Return the output's pieces on the running loop, as `_pieces` does."""
        raise NotImplementedError

    @override
    def stream(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Generator[Out, None, None]:
        """Yield the output piece by piece."""
        scope = scope_of(config)
        if scope is None or not scope.listeners:
            return self._pieces(once(input), scope, kwargs, input)
        return observe_stream(
            self,
            self.__modelport_kind__,
            scope,
            once(input),
            lambda pieces, inner: self._pieces(pieces, inner, kwargs, input),
            value=input,
        )

    @override
    def astream(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncGenerator[Out, None]:
        """Yield the output piece by piece on the running loop."""
        scope = scope_of(config)
        if scope is None or not scope.listeners:
            return self._apieces(aonce(input), scope, kwargs, input)
        return aobserve_stream(
            self,
            self.__modelport_kind__,
            scope,
            aonce(input),
            lambda pieces, inner: self._apieces(pieces, inner, kwargs, input),
            value=input,
            hands_scope_on=self.scopes_its_code,
        )


class PiecewiseStreams(ObservedStreams[In, Out]):
    """Takes its input as it streams in, too, and need not wait for the whole of it."""

    __slots__ = ()

    @override
    def transform(
        self, input: Iterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Generator[Out, None, None]:
        """Turn a stream of input pieces into a stream of output pieces."""
        scope = scope_of(config)
        if scope is None or not scope.listeners:
            return self._pieces(input, scope, kwargs)
        return observe_stream(
            self,
            self.__modelport_kind__,
            scope,
            input,
            lambda pieces, inner: self._pieces(pieces, inner, kwargs),
        )

    @override
    def atransform(
        self, input: AsyncIterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        """Turn a stream of input pieces into a stream of output pieces on the running loop."""
        scope = scope_of(config)
        if scope is None or not scope.listeners:
            return self._apieces(input, scope, kwargs)
        return aobserve_stream(
            self,
            self.__modelport_kind__,
            scope,
            input,
            lambda pieces, inner: self._apieces(pieces, inner, kwargs),
            hands_scope_on=self.scopes_its_code,
        )
