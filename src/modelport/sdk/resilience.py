"""`num_retries` and `fallbacks` of any call: the runnables' retries and fallbacks, around the SDK's own calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import Any, cast

from typing_extensions import override

from modelport.runnables.base import Runnable
from modelport.runs.config import RunnableConfig
from modelport.sdk.request import seconds_in
from modelport.sdk.stream import ChunkStream
from modelport.values.errors import InputError

_OUTER = ("num_retries", "fallbacks", "first_token_timeout", "config")
_OF_ONE_PROVIDER = (
    "api_key", "api_base", "base_url", "custom_llm_provider", "headers", "extra_headers", "client",
)  # fmt: skip
"""The keywords that are for one provider's servers: another one's must not see them."""


class Ways:
    """Is how one of the SDK's functions is called: each takes a model's name and the caller's keywords.

    What a fallback says differently is among the keywords, and wins also over what the function has a parameter for.
    """

    def __init__(
        self,
        answer: Callable[[str, dict[str, Any]], Any],
        aanswer: Callable[[str, dict[str, Any]], Awaitable[Any]],
        stream: Callable[[str, dict[str, Any]], ChunkStream[Any]] | None = None,
    ) -> None:
        self.answer = answer
        """Returns the answer."""
        self.aanswer = aanswer
        """Returns the answer, on the running loop."""
        self.stream = stream
        """Returns the stream; None: there is none."""


class _OneModel(Runnable[Any, Any]):
    """Is one model's calls as a runnable."""

    def __init__(self, ways: Ways, model: str, given: Mapping[str, Any]) -> None:
        self._ways = ways
        self._model = model
        self._given = given

    @override
    def get_name(self) -> str:
        return self._model

    @property
    @override
    def scopes_its_code(self) -> bool:
        return True

    def _with(self, config: RunnableConfig | None) -> dict[str, Any]:
        return {**self._given, "config": config}

    @override
    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return self._ways.answer(self._model, self._with(config))

    @override
    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return await self._ways.aanswer(self._model, self._with(config))

    @override
    def stream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Generator[Any, None, None]:
        assert self._ways.stream is not None, "only what streams is asked to"
        with closing(self._ways.stream(self._model, self._with(config))) as chunks:
            yield from chunks

    @override
    async def astream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        assert self._ways.stream is not None, "only what streams is asked to"
        async with aclosing(self._ways.stream(self._model, self._with(config))) as chunks:
            async for chunk in chunks:
                yield chunk


class Resilient:
    """Is a call with retries and fallbacks; all attempts share the caller's deadline."""

    def __init__(self, runnable: Runnable[Any, Any], config: RunnableConfig | None) -> None:
        self._runnable = runnable
        self._config = config

    def answer(self) -> Any:
        """Return the answer."""
        return self._runnable.invoke(None, self._config)

    async def aanswer(self) -> Any:
        """Return the answer, on the running loop."""
        return await self._runnable.ainvoke(None, self._config)

    def stream(self) -> ResilientStream:
        """Return the stream; until its first chunk a failure leads to another attempt."""
        return ResilientStream(self._runnable, self._config)


class ResilientStream(ChunkStream[Any]):
    """Streams a call with retries and fallbacks."""

    def __init__(self, runnable: Runnable[Any, Any], config: RunnableConfig | None) -> None:
        super().__init__()
        self._runnable = runnable
        self._config = config

    @override
    def _sync(self) -> Generator[Any, None, None]:
        return cast("Generator[Any, None, None]", self._runnable.stream(None, self._config))

    @override
    def _async(self) -> AsyncGenerator[Any, None]:
        return cast("AsyncGenerator[Any, None]", self._runnable.astream(None, self._config))


def is_resilient(given: Mapping[str, Any]) -> bool:
    """Tell whether a caller asks for retries or fallbacks."""
    return "num_retries" in given or "fallbacks" in given


def resilient(model: str, given: Mapping[str, Any], ways: Ways) -> Resilient:
    """Return a call with the `num_retries` and `fallbacks` among a caller's keywords.

    A fallback of another provider gets neither the caller's key, address nor headers, unless it has its own.

    Raises:
        InputError: `num_retries` is no int of at least 0, or a fallback names no model.
    """
    retries: Any = given.get("num_retries", 0)
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise InputError(f"num_retries must be an int of at least 0, not {retries!r}", param="num_retries")
    others: Any = given.get("fallbacks") or ()
    if isinstance(others, (str, Mapping)) or not isinstance(others, Sequence):
        raise InputError(f"fallbacks must be a list of models, not {_kind(given['fallbacks'])}", param="fallbacks")
    own = {name: value for name, value in given.items() if name not in _OUTER}
    first = _OneModel(ways, model, own)
    runnables = [first, *(_fallback(ways, model, one, own) for one in cast("Sequence[Any]", others))]
    tried: list[Runnable[Any, Any]] = [
        one.with_retry(stop_after_attempt=retries + 1) if retries else one for one in runnables
    ]
    whole = tried[0].with_fallbacks(tried[1:]) if len(tried) > 1 else tried[0]
    return Resilient(whole, _config_of(given))


def _config_of(given: Mapping[str, Any]) -> RunnableConfig | None:
    config: dict[str, Any] = dict(given.get("config") or {})
    for name in ("timeout", "first_token_timeout"):
        if (seconds := seconds_in(given.get(name))) is not None:
            config[name] = seconds
    return cast("RunnableConfig", config) if config else None


def _fallback(ways: Ways, model: str, value: Any, own: Mapping[str, Any]) -> _OneModel:
    more: dict[str, Any] = {"model": value} if isinstance(value, str) else {}
    if isinstance(value, Mapping):
        more = dict(cast("Mapping[str, Any]", value))
    name = more.pop("model", None)
    if not isinstance(name, str):
        raise InputError(f"a fallback is a model's name, or a dict with 'model', not {_kind(value)}", param="fallbacks")
    known = own
    if _provider(name, more) != _provider(model, own):
        known = {key: one for key, one in own.items() if key not in _OF_ONE_PROVIDER}
    return _OneModel(ways, name, {**known, **more})


def _kind(value: Any) -> str:
    return type(value).__name__


def _provider(model: str, given: Mapping[str, Any]) -> str:
    return given.get("custom_llm_provider") or model.partition("/")[0]
