"""A chat model for LangChain's standard tests: it says something, calls the tools it is given, and fills in schemas."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

from pydantic import Field, SecretStr

from modelport import AIMessage, AIMessageChunk, ChatModel
from modelport.values.messages import Message

JOKE = {"setup": "Why do cats purr?", "punchline": "Nobody told them how to hum."}


class ChatStandard(ChatModel):
    """Answers as a good model would, without being one."""

    model: str = "standard-1"
    """The name of the model."""
    temperature: float | None = None
    """How much the answers vary: not at all."""
    max_retries: int = 0
    """How often a failed call is made again."""
    api_key: SecretStr = Field(default_factory=lambda: SecretStr(os.environ.get("API_KEY", "")))
    """The key of the API that is not there."""

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model, "temperature": self.temperature}

    def _call(
        self,
        messages: list[Message],
        stop: list[str] | None = None,
        run_manager: Any = None,
        *,
        tools: list[dict[str, Any]] | None = None,
        tool_choice: Any = None,
        response_format: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        text = messages[-1].text
        if response_format is not None:
            return AIMessage(json.dumps(JOKE))
        if tools and messages[-1].type != "tool":
            function = _chosen(tools, tool_choice, text)
            call = {"name": function["name"], "args": _arguments(function, text), "id": "call-1", "type": "tool_call"}
            return AIMessage(tool_calls=[call])
        return AIMessage(f"You said: {text or 'nothing'}")

    def _stream(
        self, messages: list[Message], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[AIMessageChunk]:
        answer = self._call(messages, stop, run_manager, **kwargs)
        for piece in re.findall(r"\S+\s*", answer.text):
            yield AIMessageChunk(piece)
        for index, call in enumerate(answer.tool_calls):
            start = {"name": call["name"], "args": "", "id": call["id"], "index": index}
            yield AIMessageChunk(tool_call_chunks=[start])
            for piece in re.findall(r".{1,5}", json.dumps(call["args"], ensure_ascii=False)):
                yield AIMessageChunk(tool_call_chunks=[{"name": None, "args": piece, "id": None, "index": index}])


def _chosen(tools: list[dict[str, Any]], choice: Any, text: str) -> dict[str, Any]:
    functions = [tool["function"] for tool in tools]
    wanted = choice["function"]["name"] if isinstance(choice, dict) else None
    return next(
        (one for one in functions if one["name"] == wanted or (wanted is None and one["name"] in text)), functions[0]
    )


def _arguments(function: dict[str, Any], text: str) -> dict[str, Any]:
    schema = function.get("parameters") or {}
    return {name: _value(name, part, text) for name, part in schema.get("properties", {}).items()}


def _value(name: str, schema: dict[str, Any], text: str) -> Any:
    if name in JOKE:
        return JOKE[name]
    if schema.get("type") == "integer":
        found = re.search(r"\d+", text)
        return int(found.group()) if found else 1
    quoted = re.search(r"'([^']+)'", text)
    return quoted.group(1) if quoted else text
