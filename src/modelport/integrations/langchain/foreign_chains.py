"""Chains of LangChain's (`prompt | chat | parser`, functions, graphs) as models of ours, by their public methods.

A chain that is a model is one run of the call. As a step of a pipe it shows the runs inside of it (`steps`).
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncGenerator, Generator, Mapping
from functools import cached_property
from typing import Any, cast

from langchain_core.language_models import BaseLanguageModel
from langchain_core.messages import BaseMessage
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable as LangChainRunnable
from langchain_core.runnables import RunnableSequence
from pydantic import Field

from modelport.engine.closing import aclose_quietly, close_quietly
from modelport.integrations.langchain.foreign_answers import Pieces, message_answer, value_text
from modelport.integrations.langchain.foreign_calls import cannot_stop, refuses_stop
from modelport.integrations.langchain.foreign_classes import new_class, with_signature
from modelport.integrations.langchain.foreign_inputs import Reading, inner_model, is_async_only, reading_of
from modelport.integrations.langchain.foreign_object import OfLangChain
from modelport.integrations.langchain.surroundings import config_inside
from modelport.models.chat import ChatModel
from modelport.models.llm import LLM
from modelport.runs.scope import SCOPE
from modelport.values.errors import HookError

_lock = threading.Lock()
_made: dict[tuple[Any, ...], type[Any]] = {}
_TURNS = 64
"""How many turns the loop gets when a stream is left early: LangChain's chains do not close the generators inside of
them, so the loop does, one after the other as each lets go of the next (a model in a chain took 20 to 35 turns)."""


class OfChain(OfLangChain):
    """Is a model of ours that a chain answers for."""

    @cached_property
    def reading(self) -> Reading:
        """How the chain's input is made."""
        return reading_of(self.langchain_model)

    @property
    def label(self) -> str:
        """What errors call the chain."""
        return self.langchain_model.get_name()


class LangChainTextChain(OfChain, LLM):
    """Is a chain whose input is a text, or has one variable for it."""

    langchain_model: Any = Field(repr=False)
    """LangChain's runnable."""


class LangChainChatChain(OfChain, ChatModel):
    """Is a chain whose input is messages, or has a variable for them."""

    langchain_model: Any = Field(repr=False)
    """LangChain's runnable."""


def chain_model(chain: LangChainRunnable[Any, Any], fields: Mapping[str, Any]) -> Any:
    """Return the model of a chain.

    Raises:
        InputError: It has variables that nothing can be given to.
    """
    is_chat = reading_of(chain).is_chat
    own = {} if is_chat or inner_model(chain) is not None else {"chat_template": "last"}
    return _class_for(chain, is_chat)(langchain_model=chain, **{**own, **fields})


def _class_for(chain: LangChainRunnable[Any, Any], is_chat: bool) -> type[Any]:
    names = ("_acall", "_astream") if is_async_only(chain) else tuple(_HOOKS)
    if not _gives_pieces(chain):
        names = tuple(name for name in names if "stream" not in name)
    hands_on = inner_model(chain) is not None
    place = (type(chain), is_chat, hands_on, names)
    with _lock:
        made = _made.get(place)
        if made is None:
            hooks = {name: with_signature(_HOOKS[name], _signature(is_chat, hands_on)) for name in names}
            made = _made[place] = new_class(type(chain), LangChainChatChain if is_chat else LangChainTextChain, hooks)
        return made


def _signature(is_chat: bool, hands_on: bool) -> inspect.Signature:
    """Return what a hook takes: a chain its input only; a retry or fallbacks of a model hand keywords and stop on."""
    kind = inspect.Parameter
    taken = [kind(name, kind.POSITIONAL_OR_KEYWORD) for name in ("self", "messages" if is_chat else "prompt")]
    rest = [kind("stop", kind.KEYWORD_ONLY, default=None), kind("kwargs", kind.VAR_KEYWORD)] if hands_on else []
    return inspect.Signature([*taken, *rest])


def _gives_pieces(chain: LangChainRunnable[Any, Any]) -> bool:
    """Tell whether a chain's pieces add up to its answer: those of text and messages do, those of objects need not."""
    last: Any = chain
    while isinstance(last, RunnableSequence):
        last = cast("RunnableSequence[Any, Any]", last).last
    if isinstance(inner_model(last), BaseLanguageModel):
        return True
    try:
        kind: Any = last.OutputType
    except TypeError:
        return True
    return kind is str or kind is Any or (isinstance(kind, type) and issubclass(kind, BaseMessage))


def _answer_of(value: Any, label: str) -> Any:
    """Return what a chain gave as an answer: texts and messages as they are, objects as JSON.

    Raises:
        HookError: It gave nothing.
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, BaseMessage):
        return message_answer(value, label)
    if isinstance(value, PromptValue):
        return value.to_string()
    if isinstance(value, Mapping):
        messages: Any = cast("Mapping[str, Any]", value).get("messages")
        if isinstance(messages, list) and messages and isinstance(messages[-1], BaseMessage):
            return message_answer(messages[-1], label)  # a graph's state
    if value is None:
        raise HookError(f"{label} gave None; it must give a text, a message or an object")
    return value_text(value)


class _Gathered:
    """Reads a chain's pieces: texts and messages are handed on, objects put together for the end."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._pieces = Pieces(label)
        self._object: Any = None

    def read(self, piece: Any) -> Any | None:
        """Return a piece as ours; None when it is part of an object."""
        if isinstance(piece, (str, BaseMessage)):
            return self._pieces.read(piece)
        try:
            self._object = piece if self._object is None else self._object + piece
        except TypeError:
            self._object = piece  # parsers of JSON give the whole object as it is so far
        return None

    def rest(self) -> Any | None:
        """Return the object as a text; None when there is none."""
        return None if self._object is None else _answer_of(self._object, self._label)


def _call(self: OfChain, argument: Any, stop: list[str] | None = None, **kwargs: Any) -> Any:
    given = {**kwargs, "stop": stop} if stop else kwargs
    try:
        value = self.langchain_model.invoke(self.reading.input_of(argument), _config(False), **given)
    except Exception as error:
        if refuses_stop(error, stop):
            raise cannot_stop(error, None) from error
        raise
    return _answer_of(value, self.label)


async def _acall(self: OfChain, argument: Any, stop: list[str] | None = None, **kwargs: Any) -> Any:
    given = {**kwargs, "stop": stop} if stop else kwargs
    try:
        value = await self.langchain_model.ainvoke(self.reading.input_of(argument), _config(True), **given)
    except Exception as error:
        if refuses_stop(error, stop):
            raise cannot_stop(error, None) from error
        raise
    return _answer_of(value, self.label)


def _stream(self: OfChain, argument: Any, stop: list[str] | None = None, **kwargs: Any) -> Generator[Any, None, None]:
    given = {**kwargs, "stop": stop} if stop else kwargs
    gathered, started = _Gathered(self.label), False
    source = self.langchain_model.stream(self.reading.input_of(argument), _config(False), **given)
    try:
        for piece in source:
            started = True
            own = gathered.read(piece)
            if own is not None:
                yield own
        if (rest := gathered.rest()) is not None:
            yield rest
    except Exception as error:
        if not started and refuses_stop(error, stop):
            raise cannot_stop(error, None) from error
        raise
    finally:
        close_quietly(source)


async def _astream(
    self: OfChain, argument: Any, stop: list[str] | None = None, **kwargs: Any
) -> AsyncGenerator[Any, None]:
    given = {**kwargs, "stop": stop} if stop else kwargs
    gathered, started, ended = _Gathered(self.label), False, False
    source = self.langchain_model.astream(self.reading.input_of(argument), _config(True), **given)
    try:
        async for piece in source:
            started = True
            own = gathered.read(piece)
            if own is not None:
                yield own
        ended = True
        if (rest := gathered.rest()) is not None:
            yield rest
    except Exception as error:
        if not started and refuses_stop(error, stop):
            raise cannot_stop(error, None) from error
        raise
    finally:
        await aclose_quietly(source)
        for _ in range(0 if ended else _TURNS):
            await asyncio.sleep(0)


def _config(is_async: bool) -> Any:
    scope, config = SCOPE.get(), config_inside(None, is_async=is_async)
    return {**config, "configurable": scope.configurable} if scope is not None and scope.configurable else config


_HOOKS: dict[str, Any] = {"_call": _call, "_acall": _acall, "_stream": _stream, "_astream": _astream}
