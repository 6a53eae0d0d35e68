"""Every test's registered names are its own, and every way to ask gives one `Answer`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import modelport


@pytest.fixture(autouse=True)
def always_own_names(own_names: None) -> None:
    """Take back what any test here registers."""


@dataclass
class Answer:
    """Is what any of the ways gave: by choice, its text and its finish reason; and the usage of all."""

    texts: list[str]
    reasons: list[str | None]
    usage: Any
    response: Any


@pytest.fixture
def ask() -> Callable[..., Answer]:
    """Return what asks in one of the ways: completion, acompletion, stream, astream."""
    return _ask


def _ask(way: str, model: str, messages: Any = "hello", **given: Any) -> Answer:
    """Ask in one of the ways."""
    if way == "completion":
        return _whole(modelport.completion(model, messages, **given))
    if way == "acompletion":
        return _whole(asyncio.run(modelport.acompletion(model, messages, **given)))
    given = {"stream_options": {"include_usage": True}, **given}
    if way == "stream":
        return _joined(list(modelport.completion(model, messages, stream=True, **given)))

    async def chunks() -> list[Any]:
        return [chunk async for chunk in await modelport.acompletion(model, messages, stream=True, **given)]

    return _joined(asyncio.run(chunks()))


def _whole(response: Any) -> Answer:
    assert [choice.index for choice in response.choices] == list(range(len(response.choices)))
    texts = [choice.message.content for choice in response.choices]
    return Answer(texts, [choice.finish_reason for choice in response.choices], response.usage, response)


def _joined(chunks: list[Any]) -> Answer:
    texts: dict[int, str] = {}
    reasons: dict[int, str | None] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
            if choice.finish_reason is not None:
                assert choice.index not in reasons, "a choice ends once"
                reasons[choice.index] = choice.finish_reason
    assert len({chunk.id for chunk in chunks}) == 1
    order = sorted(texts)
    return Answer([texts[index] for index in order], [reasons.get(index) for index in order], chunks[-1].usage, chunks)
