"""Values both ways: what runnables and callbacks hand on, in LangChain's objects and in ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from langchain_core.messages import AIMessageChunk as LangChainChunk
from langchain_core.messages import BaseMessage
from langchain_core.messages.base import TextAccessor
from langchain_core.outputs import ChatGeneration as LangChainChatGeneration
from langchain_core.outputs import ChatGenerationChunk as LangChainChatChunk
from langchain_core.outputs import Generation as LangChainGeneration
from langchain_core.outputs import GenerationChunk as LangChainTextChunk
from langchain_core.outputs import LLMResult as LangChainResult
from langchain_core.prompt_values import ChatPromptValue as LangChainChatPrompt
from langchain_core.prompt_values import PromptValue as LangChainPrompt
from langchain_core.prompt_values import StringPromptValue as LangChainStringPrompt

from modelport.integrations.langchain.messages import (
    message_from_langchain,
    message_to_langchain,
    messages_from_langchain,
    messages_to_langchain,
)
from modelport.values.generations import Generation, GenerationChunk, LLMResult
from modelport.values.messages import ChatGeneration, ChatGenerationChunk, Message
from modelport.values.prompt_values import ChatPromptValue, StringPromptValue, messages_from

_DEEPEST = 8
"""How far dicts and lists are looked into."""


def to_langchain_value(value: Any, depth: int = _DEEPEST) -> Any:
    """Return a value in which our messages, prompts and results are LangChain's; the rest stays as it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, Message):
        return message_to_langchain(value)
    if isinstance(value, ChatPromptValue):
        return LangChainChatPrompt(messages=messages_to_langchain(messages_from(value)))
    if isinstance(value, StringPromptValue):
        return LangChainStringPrompt(text=value.text)
    if isinstance(value, (Generation, GenerationChunk)):
        return generation_to_langchain(value)
    if isinstance(value, LLMResult):
        return result_to_langchain(value)
    return _inside(value, to_langchain_value, depth)


def from_langchain_value(value: Any, depth: int = _DEEPEST) -> Any:
    """Return a value in which LangChain's messages and prompts are ours; the rest stays as it is."""
    if isinstance(value, str):
        return str(value) if isinstance(value, TextAccessor) else value  # a message's `text` is more than a str
    if isinstance(value, BaseMessage):
        return message_from_langchain(value)
    if isinstance(value, LangChainStringPrompt):
        return StringPromptValue(value.text)
    if isinstance(value, LangChainPrompt):
        return ChatPromptValue(list(messages_from_langchain(value.to_messages())))
    return _inside(value, from_langchain_value, depth)


def _inside(value: Any, translate: Any, depth: int) -> Any:
    """Return a plain dict, list or tuple with what is in it translated."""
    if not depth:
        return value
    if value.__class__ is dict:
        return {key: translate(one, depth - 1) for key, one in cast("Mapping[Any, Any]", value).items()}
    if value.__class__ in (list, tuple):
        items = [translate(one, depth - 1) for one in cast("list[Any]", value)]
        return items if value.__class__ is list else tuple(items)
    return value


def generation_to_langchain(one: Generation | GenerationChunk) -> LangChainGeneration:
    """Return an answer, or a piece of one, as LangChain's."""
    info = {
        name: value
        for name, value in (("finish_reason", one.finish_reason), ("logprobs", one.logprobs))
        if value is not None
    }
    if isinstance(one, ChatGeneration):
        return LangChainChatGeneration(message=message_to_langchain(one.message), generation_info=info or None)
    if isinstance(one, ChatGenerationChunk):
        message = cast("LangChainChunk", message_to_langchain(one.message))
        return LangChainChatChunk(message=message, generation_info=info or None)
    if one.usage is not None:
        info["token_usage"] = one.usage.to_token_usage()
    cls = LangChainTextChunk if isinstance(one, GenerationChunk) else LangChainGeneration
    return cls(text=one.text, generation_info=info or None)


def result_to_langchain(result: LLMResult) -> LangChainResult:
    """Return what `generate` gives and `on_llm_end` gets as LangChain's."""
    found = [[generation_to_langchain(one) for one in choices] for choices in result.generations]
    return LangChainResult(generations=found, llm_output=result.llm_output)  # pyright: ignore[reportArgumentType]
