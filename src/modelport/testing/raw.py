"""`raw=True`: the author's hooks called as plain callers call them, with none of the guarantees around.

A model is called as LangChain calls a wrapper: `stop` is only handed on, many prompts are answered one after the
other and fail together, events are fired around a call, token events by the author alone. A handler is called as
LiteLLM calls one: each way to call by the method that belongs to it, or not at all.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import aclosing, closing
from typing import Any

from modelport.engine.hooks import Hook
from modelport.engine.reading import chunk_of_message, read_piece
from modelport.testing.checks import NotApplicable
from modelport.testing.raw_runs import RawAsyncRun, RawBatchRun, RawRun, Told
from modelport.testing.ways import WAYS
from modelport.values.generations import Generation, GenerationChunk
from modelport.values.messages import AIMessage

_FRAMEWORKS = ("include_stop", "run_manager")
"""Call keywords that only the framework knows; `max_tokens` goes to hooks that take it."""
_ORDER: dict[str, tuple[str, ...]] = {
    "invoke": ("_call", "_stream", "_batch"),
    "ainvoke": ("_acall", "_astream", "_abatch", "_call", "_stream", "_batch"),
    "stream": ("_stream", "_call", "_batch"),
    "astream": ("_astream", "_stream", "_acall", "_call", "_abatch", "_batch"),
    "batch": ("_batch", "_call", "_stream"),
    "abatch": ("_abatch", "_acall", "_astream", "_batch", "_call", "_stream"),
}
_HANDLERS_ORDER: dict[str, tuple[str, ...]] = {
    "invoke": ("_call",),
    "ainvoke": ("_acall",),
    "stream": ("_stream",),
    "astream": ("_astream",),
    "batch": ("_call",),
    "abatch": ("_acall",),
}


class MissingHook(NotApplicable):
    """Says that the author wrote nothing which a way to call could call."""


def hook_by_itself(cls: type[Any], way: str) -> Hook:
    """Return the hook that a plain caller calls.

    Raises:
        MissingHook: The author wrote none for that way.
    """
    present: dict[str, Hook] = cls.__modelport_hooks__.present
    methods: dict[str, Any] | None = getattr(cls, "__modelport_methods__", None)
    order = (_ORDER if methods is None else _HANDLERS_ORDER)[way]
    hook = next((present[name] for name in order if name in present), None)
    if hook is None:
        known = ", ".join(f"`{one.shown_name}`" for one in present.values()) or "none"
        raise MissingHook(f"the author wrote nothing that `{way}` could call by itself; the hooks are {known}")
    return hook


class RawFace:
    """Is called like a model, and does with its hooks what a plain caller does."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._cls: Any = model.__class__

    def invoke(self, value: Any, config: Any = None, **kwargs: Any) -> Any:
        """Return the answer of one hook call."""
        return _raised_first(self._many("invoke", [value], config, kwargs))[0]

    async def ainvoke(self, value: Any, config: Any = None, **kwargs: Any) -> Any:
        """Return the answer of one hook call; a sync hook is called in a thread."""
        return _raised_first(await self._amany("ainvoke", [value], config, kwargs))[0]

    def batch(
        self, values: Sequence[Any], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> Any:
        """Return one answer after the other; the first failure is that of all."""
        try:
            return _raised_first(self._many("batch", values, config, kwargs), return_exceptions)
        except Exception as error:
            if not return_exceptions:
                raise
            return [error] * len(values)

    async def abatch(
        self, values: Sequence[Any], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> Any:
        """Return one answer after the other, on the running loop."""
        try:
            return _raised_first(await self._amany("abatch", values, config, kwargs), return_exceptions)
        except Exception as error:
            if not return_exceptions:
                raise
            return [error] * len(values)

    def stream(self, value: Any, config: Any = None, **kwargs: Any) -> Generator[Any, None, None]:
        """Yield what the hook yields."""
        hook = hook_by_itself(self._cls, "stream")
        self._model.load()
        argument = self._model.argument_of(value)
        told, answer = self._started(argument, config, RawRun), GenerationChunk()
        with self._telling(told):
            pieces: Any = self._call(hook, argument, told, kwargs)
            for piece in pieces if hook.is_stream else [_only(pieces, hook)]:
                chunk = _read(piece, hook)
                answer = answer + chunk
                yield self._shown_piece(chunk)
        told.end(_whole(answer, told))

    async def astream(self, value: Any, config: Any = None, **kwargs: Any) -> AsyncGenerator[Any, None]:
        """Yield what the hook yields; each step of a sync one is made in a thread."""
        hook = hook_by_itself(self._cls, "astream")
        await self._model.aload()
        argument = self._model.argument_of(value)
        told, answer = self._started(argument, config, RawAsyncRun if hook.is_async else RawRun), GenerationChunk()
        with self._telling(told):
            pieces = _apieces(hook, lambda: self._call(hook, argument, told, kwargs))
            async for piece in pieces:
                chunk = _read(piece, hook)
                answer = answer + chunk
                yield self._shown_piece(chunk)
        told.end(_whole(answer, told))

    def _many(self, way: str, values: Sequence[Any], config: Any, kwargs: dict[str, Any]) -> list[Any]:
        hook = hook_by_itself(self._cls, way)
        self._model.load()
        arguments = [self._model.argument_of(value) for value in values]
        tolds = [self._started(argument, config, RawRun) for argument in arguments]
        with self._telling(*tolds):
            if hook.is_batch:
                given: list[Any] = self._bind(hook, arguments, RawBatchRun(tolds), kwargs)
            else:
                # Like LangChain: the run manager of the first is that of all.
                given = [_joined(self._call(hook, one, tolds[0], kwargs), hook) for one in arguments]
        return self._ended(hook, given, tolds)

    async def _amany(self, way: str, values: Sequence[Any], config: Any, kwargs: dict[str, Any]) -> list[Any]:
        hook = hook_by_itself(self._cls, way)
        await self._model.aload()
        arguments = [self._model.argument_of(value) for value in values]
        tolds = [self._started(argument, config, RawAsyncRun if hook.is_async else RawRun) for argument in arguments]
        manager: Any = RawBatchRun(tolds) if hook.is_batch else tolds[0].run_manager
        with self._telling(*tolds):
            given: list[Any] = []
            for argument in [arguments] if hook.is_batch else arguments:
                value = await _answered(hook, lambda argument=argument: self._bind(hook, argument, manager, kwargs))
                given += value if hook.is_batch else [value]
        return self._ended(hook, given, tolds)

    def _call(self, hook: Hook, argument: Any, told: Told, kwargs: dict[str, Any]) -> Any:
        """Call a hook with one prompt; a batch hook with a list of it."""
        if hook.is_batch:
            return self._bind(hook, [argument], RawBatchRun([told]), kwargs)
        return self._bind(hook, argument, told.run_manager, kwargs)

    def _bind(self, hook: Hook, argument: Any, manager: Any, kwargs: dict[str, Any]) -> Any:
        own = {name: value for name, value in kwargs.items() if name not in ("stop", *_FRAMEWORKS)}
        if not hook.takes("max_tokens"):
            own.pop("max_tokens", None)
        # The model's own class knows what its hooks take: that of a probe takes more than the author's.
        hook = self._cls.__modelport_hooks__.present[hook.name]
        return hook.bind(self._model, argument, kwargs.get("stop"), manager, own)

    def _started(self, argument: Any, config: Any, manager: Callable[[Told], Any]) -> Told:
        told = Told(self._model, config)
        told.run_manager = manager(told)
        told.start(argument)
        return told

    @contextlib.contextmanager
    def _telling(self, *tolds: Told) -> Generator[None, None, None]:
        try:
            yield
        except BaseException as error:
            for told in tolds:
                told.tell("on_llm_error", error)
            raise

    def _ended(self, hook: Hook, given: list[Any], tolds: Sequence[Told]) -> list[Any]:
        results: list[Any] = []
        for value, told in zip(given, tolds, strict=True):
            if isinstance(value, BaseException):
                told.tell("on_llm_error", value)
                results.append(value)
                continue
            answer = _whole(_read(value, hook), told)
            told.end(answer)
            results.append(AIMessage(content=answer.text) if self._is_chat else answer.text)
        return results

    @property
    def _is_chat(self) -> bool:
        return self._model.__modelport_kind__ == "chat_model"

    def _shown_piece(self, chunk: GenerationChunk) -> Any:
        return chunk_of_message(AIMessage(content=chunk.text)) if self._is_chat else chunk.text


def _read(value: Any, hook: Hook) -> GenerationChunk:
    if isinstance(value, (bytes, bytearray)):
        value = bytes(value).decode("utf-8", "replace")
    piece = read_piece(value, hook.label)
    return GenerationChunk(piece.text, piece.finish_reason, piece.usage)


def _whole(answer: GenerationChunk, told: Told) -> Generation:
    """Return an answer with what its author said of it, and nothing else."""
    manager = told.run_manager
    return Generation(answer.text, manager.finish_reason or answer.finish_reason, manager.usage or answer.usage)


def _raised_first(results: list[Any], return_exceptions: bool = False) -> list[Any]:
    """Return results; what a batch hook put into a slot as its failure is raised, unless it may stay there."""
    failure = next((one for one in results if isinstance(one, BaseException)), None)
    if failure is not None and not return_exceptions:
        raise failure
    return results


def _only(value: Any, hook: Hook) -> Any:
    return value[0] if hook.is_batch else value


def _joined(value: Any, hook: Hook) -> Any:
    """Return a hook's answer whole."""
    if not hook.is_stream:
        return value
    answer = GenerationChunk()
    with closing(value):
        for piece in value:
            answer = answer + _read(piece, hook)
    return answer


async def _answered(hook: Hook, call: Callable[[], Any]) -> Any:
    """Return what a hook gives, whole: one prompt's answer, or the list of a batch hook."""
    if not hook.is_async:
        return await asyncio.to_thread(lambda: _joined(call(), hook))
    if not hook.is_stream:
        return await call()
    answer = GenerationChunk()
    async with aclosing(call()) as pieces:
        async for piece in pieces:
            answer = answer + _read(piece, hook)
    return answer


async def _apieces(hook: Hook, call: Callable[[], Any]) -> AsyncGenerator[Any, None]:
    """Yield the pieces of a hook to an async caller; whoever leaves does not close them."""
    if not hook.is_stream:
        yield _only(await _answered(hook, call), hook)
        return
    if hook.is_async:
        async for piece in call():
            yield piece
        return
    pieces, end = iter(call()), object()
    while (piece := await asyncio.to_thread(next, pieces, end)) is not end:
        yield piece


assert set(_ORDER) == set(_HANDLERS_ORDER) == set(WAYS), "every way to call is called"
