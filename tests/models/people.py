"""Models that tell of a person, as text, as a chat or by a tool call, and the schemas of one."""

from __future__ import annotations

import asyncio
import json
import typing
from typing import Annotated, Any, NotRequired, TypeVar

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from modelport import (
    LLM,
    AIMessage,
    BaseCallbackHandler,
    ChatModel,
    Generation,
)

GOOD = '{"name": "Ann", "age": 30}'
BAD = '{"name": "Ann", "age": "thirty"}'
Item = TypeVar("Item")


class Person(BaseModel):
    """Somebody."""

    name: str = Field(description="what they are called")
    age: int


class PersonDict(TypedDict):
    """Somebody."""

    name: Annotated[str, ..., "what they are called"]
    age: int


class OldPersonDict(typing.TypedDict):
    name: Annotated[str, ..., "what they are called"]
    age: int
    pets: NotRequired[list[str]]


PERSON_SCHEMA = {
    "title": "Person",
    "description": "Somebody.",
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
SCHEMAS = {"pydantic": Person, "typed_dict": PersonDict, "old_typed_dict": OldPersonDict, "json_schema": PERSON_SCHEMA}


class Telling(LLM):
    """Answers by `response_format`, with what it was made of, one after the other."""

    answers: list[Any]
    calls: list[dict[str, Any]] = []

    def _call(self, prompt, stop=None, run_manager=None, response_format=None, **kwargs):
        self.calls.append({"prompt": prompt, "response_format": response_format, **kwargs})
        return self.answers[min(len(self.calls), len(self.answers)) - 1]


class Chatting(ChatModel):
    """Answers by `response_format`."""

    answers: list[Any]
    calls: list[dict[str, Any]] = []

    def _call(self, messages, stop=None, run_manager=None, response_format=None, **kwargs):
        self.calls.append({"messages": messages, "response_format": response_format, **kwargs})
        return self.answers[min(len(self.calls), len(self.answers)) - 1]


def called(text, name="Person"):
    """Return the message of a tool call with these arguments, broken ones as their text."""
    try:
        args = json.loads(text)
    except ValueError:
        args = text
    return AIMessage("", tool_calls=[{"name": name, "args": args, "id": "c1", "type": "tool_call"}])


class Calling(ChatModel):
    """Answers by a tool call."""

    answers: list[Any]
    calls: list[dict[str, Any]] = []

    def _call(self, messages, stop=None, run_manager=None, tools=(), tool_choice=None):
        self.calls.append({"messages": messages, "tools": tools, "tool_choice": tool_choice})
        answer = self.answers[min(len(self.calls), len(self.answers)) - 1]
        return called(answer, tools[0]["function"]["name"]) if isinstance(answer, str) else answer


class TextCalling(LLM):
    """Is a text model that answers by a tool call."""

    answers: list[Any]
    calls: list[dict[str, Any]] = []

    def _call(self, prompt, tools=()):
        self.calls.append({"prompt": prompt, "tools": tools})
        answer = self.answers[min(len(self.calls), len(self.answers)) - 1]
        return Generation("", tool_calls=called(answer, tools[0]["function"]["name"]).tool_calls)


MODELS = {"text": Telling, "chat": Chatting, "tools": Calling, "text_tools": TextCalling}


async def by_astream(structured, value):
    return [piece async for piece in structured.astream(value)][-1]


WAYS = {
    "invoke": lambda structured, value: structured.invoke(value),
    "ainvoke": lambda structured, value: asyncio.run(structured.ainvoke(value)),
    "batch": lambda structured, value: structured.batch([value])[0],
    "abatch": lambda structured, value: asyncio.run(structured.abatch([value]))[0],
    "stream": lambda structured, value: list(structured.stream(value))[-1],
    "astream": lambda structured, value: asyncio.run(by_astream(structured, value)),
    "transform": lambda structured, value: list(structured.transform(iter([value])))[-1],
}
all_models = pytest.mark.parametrize("model", MODELS)
all_schemas = pytest.mark.parametrize("schema", SCHEMAS)
all_ways = pytest.mark.parametrize("way", WAYS)


def plain(value):
    return value.model_dump() if isinstance(value, BaseModel) else value


class Streaming(LLM):
    """Streams its answers letter by letter."""

    answers: list[str]
    calls: list[str] = []

    def _stream(self, prompt, response_format=None):
        self.calls.append(prompt)
        yield from self.answers[min(len(self.calls), len(self.answers)) - 1]


class Runs(BaseCallbackHandler):
    """Keeps which runs start, with their parents' names."""

    def __init__(self):
        self.told, self.names = [], {}

    def _start(self, serialized, run_id, parent_run_id, name, tags):
        self.names[run_id] = name
        parent = self.names.get(parent_run_id)
        self.told.append(f"start {name}" + (f" in {parent} {tags}" if parent else ""))

    def on_chain_start(self, serialized, inputs, *, run_id, parent_run_id=None, tags=None, **kwargs):
        self._start(serialized, run_id, parent_run_id, kwargs["name"], tags)

    def on_llm_start(self, serialized, prompts, *, run_id, parent_run_id=None, tags=None, **kwargs):
        self._start(serialized, run_id, parent_run_id, kwargs.get("name") or serialized["name"], tags)

    def on_chain_end(self, outputs, *, run_id, **kwargs):
        self.told.append(f"end {self.names[run_id]} {outputs}")

    def on_chain_error(self, error, *, run_id, **kwargs):
        self.told.append(f"error {self.names[run_id]} {type(error).__name__}")
