"""The floor of the SDK benchmark: functions that build OpenAI's results as structs, and nothing else."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from os import urandom
from typing import Any

from msgspec import Struct

from sdk_subjects import URL, VECTOR, Way


class _Message(Struct):
    role: str
    content: str


class _Choice(Struct):
    index: int
    message: _Message
    finish_reason: str = "stop"


class _Usage(Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class _Completion(Struct):
    id: str
    created: int
    model: str
    choices: list[_Choice]
    usage: _Usage
    object: str = "chat.completion"


class _Delta(Struct):
    content: str | None = None


class _ChunkChoice(Struct):
    index: int
    delta: _Delta
    finish_reason: str | None = None


class _Chunk(Struct):
    id: str
    created: int
    model: str
    choices: list[_ChunkChoice]
    object: str = "chat.completion.chunk"


class _Image(Struct):
    url: str


class _Images(Struct):
    created: int
    data: list[_Image]


class _Embedding(Struct):
    embedding: list[float]
    index: int
    object: str = "embedding"


class _Embeddings(Struct):
    data: list[_Embedding]
    model: str
    usage: _Usage
    object: str = "list"


def _facts() -> tuple[str, int]:
    return f"chatcmpl-{urandom(16).hex()}", int(time.time())


def _completion(messages: list[dict[str, Any]], *, stream: bool = False) -> Any:
    if stream:
        return _stream(messages)
    answer_id, created = _facts()
    choice = _Choice(0, _Message("assistant", messages[-1]["content"]))
    return _Completion(answer_id, created, "benchmark", [choice], _Usage())


def _stream(messages: list[dict[str, Any]]) -> Iterator[_Chunk]:
    answer_id, created = _facts()
    for token in messages[-1]["content"]:
        yield _Chunk(answer_id, created, "benchmark", [_ChunkChoice(0, _Delta(token))])
    yield _Chunk(answer_id, created, "benchmark", [_ChunkChoice(0, _Delta(), "stop")])


async def _acompletion(messages: list[dict[str, Any]], *, stream: bool = False) -> Any:
    return _astream(messages) if stream else _completion(messages)


async def _astream(messages: list[dict[str, Any]]) -> AsyncIterator[_Chunk]:
    for chunk in _stream(messages):
        yield chunk


def _image(prompt: str) -> _Images:
    return _Images(int(time.time()), [_Image(URL)])


async def _aimage(prompt: str) -> _Images:
    return _image(prompt)


def _embedding(texts: list[str]) -> _Embeddings:
    return _Embeddings([_Embedding(VECTOR, index) for index in range(len(texts))], "benchmark", _Usage())


async def _aembedding(texts: list[str]) -> _Embeddings:
    return _embedding(texts)


WAY = Way(_completion, _acompletion, _image, _aimage, _embedding, _aembedding)
"""The floor's one way."""
