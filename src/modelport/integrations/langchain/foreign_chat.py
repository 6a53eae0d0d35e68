"""LangChain's chat models as ours: hooks that call `generate`, `agenerate`, `_stream` and `_astream`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models import _utils as _langchain_utils
from langchain_core.messages import BaseMessage
from pydantic import Field
from typing_extensions import override

from modelport.engine.call import Call
from modelport.engine.closing import aclose_quietly, close_quietly
from modelport.integrations.langchain.foreign_answers import Pieces, answers_of, first_choice, message_answer
from modelport.integrations.langchain.foreign_calls import (
    Target,
    cannot_stop,
    refuses_stop,
    stop_for,
    target_of,
    unbound,
)
from modelport.integrations.langchain.foreign_object import OfLangChain
from modelport.integrations.langchain.foreign_runs import atold_run, token_callbacks, told_run
from modelport.integrations.langchain.messages import messages_to_langchain
from modelport.models.chat import ChatModel
from modelport.runs.scope import Scope
from modelport.values.messages import Message

_normalized: Any = getattr(_langchain_utils, "_normalize_messages", None) or list
"""What LangChain does to messages before it streams: files and sounds in OpenAI's form get LangChain's own."""


class LangChainChat(OfLangChain, ChatModel):
    """Is a LangChain chat model; its hooks are those that the class has by itself."""

    langchain_model: Any = Field(repr=False)
    """LangChain's model, or a binding of it."""

    @override
    def _call_of(
        self, value: Any, scope: Scope | None, stop: Any, include_stop: Any, max_tokens: Any, kwargs: Mapping[str, Any]
    ) -> Call:
        if stop is None:
            stop = unbound(self.langchain_model).kwargs.get("stop")  # kept to like a caller's own
        return super()._call_of(value, scope, stop, include_stop, max_tokens, kwargs)


def _is_model(target: Target) -> bool:
    """Tell whether a model is called; else it is what `bind_tools` made of one."""
    return isinstance(target.model, BaseChatModel)


def _streams(target: Target) -> bool:
    """Tell whether a call streams: some models do not while tools are offered."""
    if not _is_model(target):
        return False
    return not (target.model.disable_streaming == "tool_calling" and target.kwargs.get("tools"))


def _call(
    self: LangChainChat, messages: list[Message], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
) -> Any:
    target = target_of(self.langchain_model, kwargs)
    stop = stop_for(stop, target.kwargs, run_manager)
    return _answer(target, messages_to_langchain(messages), stop, run_manager)


def _answer(target: Target, messages: list[BaseMessage], stop: Any, run_manager: Any) -> Any:
    model, own = target
    try:
        if not _is_model(target):
            return message_answer(model.invoke(messages, {"callbacks": []}, stop=stop, **own), type(model).__name__)
        result = model.generate([messages], stop=stop, callbacks=token_callbacks(run_manager), **own)
    except Exception as error:
        if refuses_stop(error, stop):
            raise cannot_stop(error, run_manager) from error
        raise
    return answers_of(result, f"{type(model).__name__}._generate")


async def _acall(
    self: LangChainChat, messages: list[Message], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
) -> Any:
    target = target_of(self.langchain_model, kwargs)
    stop = stop_for(stop, target.kwargs, run_manager)
    return await _aanswer(target, messages_to_langchain(messages), stop, run_manager)


async def _aanswer(target: Target, messages: list[BaseMessage], stop: Any, run_manager: Any) -> Any:
    model, own = target
    try:
        if not _is_model(target):
            answer = await model.ainvoke(messages, {"callbacks": []}, stop=stop, **own)
            return message_answer(answer, type(model).__name__)
        result = await model.agenerate([messages], stop=stop, callbacks=token_callbacks(run_manager), **own)
    except Exception as error:
        if refuses_stop(error, stop):
            raise cannot_stop(error, run_manager) from error
        raise
    return answers_of(result, f"{type(model).__name__}._agenerate")


def _stream(
    self: LangChainChat, messages: list[Message], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
) -> Generator[Any, None, None]:
    target = target_of(self.langchain_model, kwargs)
    model, own = target
    stop = stop_for(stop, own, run_manager)
    given = messages_to_langchain(messages)
    if not _streams(target):
        yield first_choice(_answer(target, given, stop, run_manager))
        return
    pieces, source, started = Pieces(f"{type(model).__name__}._stream"), None, False
    if model.rate_limiter is not None:
        model.rate_limiter.acquire(blocking=True)
    with told_run(model, given, stop, own) as run:
        try:
            source = model._stream(_normalized(given), stop=stop, **own)  # noqa: SLF001 - LangChain's hook
            for piece in source:
                started = True
                run.note(piece)
                yield pieces.read(piece)
        except Exception as error:
            if not started and refuses_stop(error, stop):
                raise cannot_stop(error, run_manager) from error
            raise
        finally:
            close_quietly(source)


async def _astream(
    self: LangChainChat, messages: list[Message], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
) -> AsyncGenerator[Any, None]:
    target = target_of(self.langchain_model, kwargs)
    model, own = target
    stop = stop_for(stop, own, run_manager)
    given = messages_to_langchain(messages)
    if not _streams(target):
        yield first_choice(await _aanswer(target, given, stop, run_manager))
        return
    pieces, source, started = Pieces(f"{type(model).__name__}._astream"), None, False
    if model.rate_limiter is not None:
        await model.rate_limiter.aacquire(blocking=True)
    async with await atold_run(model, given, stop, own) as run:
        try:
            source = model._astream(_normalized(given), stop=stop, **own)  # noqa: SLF001 - LangChain's hook
            async for piece in source:
                started = True
                await run.note(piece)
                yield pieces.read(piece)
        except Exception as error:
            if not started and refuses_stop(error, stop):
                raise cannot_stop(error, run_manager) from error
            raise
        finally:
            await aclose_quietly(source)


CHAT_HOOKS: dict[str, Any] = {"_call": _call, "_acall": _acall, "_stream": _stream, "_astream": _astream}
"""The hooks by their names."""
