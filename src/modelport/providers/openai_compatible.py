"""`OpenAICompatible`: the chat models of any server that speaks OpenAI's format.

vLLM, llama.cpp, Ollama, text-generation-inference, LM Studio, OpenAI itself, another modelport: all of them answer
`POST {base_url}/chat/completions`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from modelport.models.chat import ChatModel
from modelport.providers.openai_endpoint import OPENAI_URL, OpenAIEndpoint
from modelport.values.generations import Generation
from modelport.values.messages import AIMessage, Message
from modelport.values.prompt_values import message_to_dict

MAX_STOPS = 4
"""How many stop strings OpenAI's format takes; the engine cuts at all of them."""


class OpenAICompatible(OpenAIEndpoint, ChatModel):
    """Is a chat model on an OpenAI-compatible server.

    Every keyword of a call goes into the request as it is: `temperature`, `tools`, `response_format`, … What servers
    take beyond OpenAI's parameters goes into `extra_body`.
    """

    supports: ClassVar[frozenset[str]] = frozenset({"n", "max_tokens", "tools", "response_format"})

    max_tokens_parameter: Literal["max_tokens", "max_completion_tokens"] | None = None
    """How the server calls the longest answer; None: `max_completion_tokens` for OpenAI itself, whose newer models
    refuse the older name, else `max_tokens`."""

    async def _acall(
        self,
        messages: list[Message],
        stop: Sequence[str] | None = None,
        *,
        max_tokens: int | None = None,
        **kwargs: Any,
    ) -> Generation | list[Generation]:
        from modelport.providers.openai_answers import read_completion

        fields = self._fields(messages, stop, max_tokens, kwargs)
        return await self._choices("/chat/completions", fields, kwargs, read_completion)

    def _astream(
        self,
        messages: list[Message],
        stop: Sequence[str] | None = None,
        *,
        max_tokens: int | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        from modelport.providers.openai_answers import ChatReader

        fields = self._fields(messages, stop, max_tokens, kwargs)
        return self._pieces("/chat/completions", fields, kwargs, ChatReader)

    def _fields(
        self, messages: list[Message], stop: Sequence[str] | None, max_tokens: int | None, call: Mapping[str, Any]
    ) -> dict[str, Any]:
        fields: dict[str, Any] = {"messages": [_entry(message) for message in messages]}
        if stop:
            fields["stop"] = list(stop[:MAX_STOPS])
        if max_tokens is not None and call.get("max_completion_tokens") is None:
            fields[self._max_tokens_name()] = max_tokens
        return fields

    def _max_tokens_name(self) -> str:
        if self.max_tokens_parameter is not None:
            return self.max_tokens_parameter
        is_openai = urlsplit(self.base_url).hostname == urlsplit(OPENAI_URL).hostname
        return "max_completion_tokens" if is_openai else "max_tokens"


def _entry(message: Message) -> dict[str, Any]:
    """Return a message in OpenAI's shape, with what providers attached to it (`reasoning_content`, …)."""
    entry: dict[str, Any] = message_to_dict(message)
    for name, value in message.additional_kwargs.items():
        entry.setdefault(name, value)
    if isinstance(message, AIMessage) and message.tool_calls and not message.content:
        entry["content"] = None
    return entry
