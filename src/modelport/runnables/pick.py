"""`RunnablePick`: some keys of a dict."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping, Sequence
from typing import Any, cast

from typing_extensions import override

from modelport.engine.closing import aclose_quietly, close_quietly
from modelport.runnables.observed import aobserve, observe
from modelport.runnables.observed_streams import PiecewiseStreams
from modelport.runs.config import RunnableConfig
from modelport.runs.run import UNKNOWN
from modelport.runs.scope import Scope, scope_of
from modelport.values.errors import InputError


class RunnablePick(PiecewiseStreams[Mapping[str, Any], Any]):
    """Gives of a dict one key's value (None when it is missing), or a dict of those keys that are there.

    A stream's pieces are dicts; what is picked of each comes as it comes, and nothing comes of a piece that has none
    of the keys.
    """

    __slots__ = ("keys", "name")

    def __init__(self, keys: str | Sequence[str], *, name: str | None = None) -> None:
        """Make a pick.

        Args:
            keys: One key, or several.
            name: The name that events carry.

        Raises:
            InputError: `keys` is neither a text nor a list of texts.
        """
        if not isinstance(keys, str) and not (
            isinstance(keys, Sequence) and all(isinstance(key, str) for key in keys)  # pyright: ignore[reportUnnecessaryIsInstance]
        ):
            raise InputError(f"pick takes a key or a list of keys, not {keys!r:.200}")
        self.keys: str | list[str] = keys if isinstance(keys, str) else list(keys)
        """The key whose value is given, or the keys of the dict that is given."""
        self.name = name
        """The name that events carry; `RunnablePick<keys>` when None."""

    @override
    def __repr__(self) -> str:
        return f"RunnablePick({self.keys!r})"

    @override
    def get_name(self) -> str:
        return self.name or f"RunnablePick<{self.keys if isinstance(self.keys, str) else ','.join(self.keys)}>"

    @property
    @override
    def scopes_its_code(self) -> bool:
        return True

    def _pick(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise InputError(
                f"pick({self.keys!r}) needs a dict as its input, not {type(value).__name__} {value!r:.200}"
            )
        given = cast("Mapping[str, Any]", value)
        if isinstance(self.keys, str):
            return given.get(self.keys)
        return {key: given[key] for key in self.keys if key in given} or None

    @override
    def invoke(self, input: Mapping[str, Any], config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        scope = scope_of(config)
        if scope is None or not scope.listeners:
            return self._pick(input)
        return observe(self, "chain", scope, input, lambda _: self._pick(input))

    @override
    async def ainvoke(self, input: Mapping[str, Any], config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        scope = scope_of(config)
        if scope is None or not scope.listeners:
            return self._pick(input)

        async def work(_: Scope) -> Any:
            return self._pick(input)

        return await aobserve(self, "chain", scope, input, work)

    @override
    def _pieces(
        self, pieces: Iterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN
    ) -> Generator[Any, None, None]:
        try:
            for piece in pieces:
                if (picked := self._pick(piece)) is not None:
                    yield picked
        finally:
            close_quietly(pieces)

    @override
    async def _apieces(
        self, pieces: AsyncIterator[Any], scope: Scope | None, kwargs: dict[str, Any], value: Any = UNKNOWN
    ) -> AsyncGenerator[Any, None]:
        try:
            async for piece in pieces:
                if (picked := self._pick(piece)) is not None:
                    yield picked
        finally:
            await aclose_quietly(pieces)
