"""OpenAI's embeddings: vectors as numbers or as base64 of little-endian float32, made of values and read back."""

from __future__ import annotations

import base64
import binascii
import sys
from array import array
from collections.abc import Sequence
from typing import Any, cast

import msgspec

from modelport.values.embeddings import EmbeddingResult
from modelport.values.usage import Usage
from modelport.wire.checks import shown
from modelport.wire.embedding_request import EncodingFormat
from modelport.wire.objects import WireObject, always, plain
from modelport.wire.received import BadResponseError, by_index, decode_response, field_of, list_of, usage_in


class EmbeddingObject(WireObject, kw_only=True):
    """Is the vector of one input."""

    object: str = always("embedding")
    """OpenAI's name of this type."""
    index: int = always(0)
    """Which input, from 0."""
    embedding: list[float] | str = msgspec.field(default_factory=list[float])
    """The numbers, or their base64."""


class EmbeddingUsage(WireObject, kw_only=True):
    """Counts the tokens of all inputs."""

    prompt_tokens: int = always(0)
    """Tokens of the inputs."""
    total_tokens: int = always(0)
    """The same."""


class EmbeddingResponse(WireObject, kw_only=True):
    """Is the answer to an embedding request."""

    object: str = always("list")
    """OpenAI's name of this type."""
    data: list[EmbeddingObject] = msgspec.field(default_factory=list[EmbeddingObject])
    """One vector per input, in order."""
    model: str | None = always(None)
    """The name that the client asked for."""
    usage: EmbeddingUsage = msgspec.field(default_factory=EmbeddingUsage)
    """The tokens that it took."""


_new_response = plain(EmbeddingResponse)
_new_object = plain(EmbeddingObject)
_new_usage = plain(EmbeddingUsage)


def embedding_response(result: EmbeddingResult, *, model: str, encoding_format: EncodingFormat) -> EmbeddingResponse:
    """Return the answer that carries some vectors.

    Args:
        result: The vectors and their usage.
        model: The name that the client asked for.
        encoding_format: How the vectors are written.
    """
    is_base64 = encoding_format == "base64"
    usage = _new_usage(prompt_tokens=result.usage.prompt_tokens, total_tokens=result.usage.total_tokens)
    data = [
        _new_object(index=index, embedding=encode_vector(vector) if is_base64 else vector)
        for index, vector in enumerate(result.embeddings)
    ]
    return _new_response(data=data, model=model, usage=usage)


def decode_embedding_response(raw: bytes | str) -> EmbeddingResponse:
    """Return the embeddings in a body; keys that OpenAI does not have are kept.

    Raises:
        BadResponseError: The body is no JSON object, or has no `data`.
    """
    body = decode_response(raw)
    list_of(body, "data")
    return EmbeddingResponse.model_validate(body)


def embeddings_of(response: Any) -> EmbeddingResult:
    """Return the vectors of an answer, in order of their index, base64 decoded.

    Args:
        response: An `EmbeddingResponse`, a dict, or LiteLLM's own object; `data[i].embedding` is read.

    Raises:
        BadResponseError: There is no list `data`, or an entry has no vector.
    """
    entries = by_index(list_of(response, "data"))
    vectors = [_vector_of(field_of(entry, "embedding"), position) for position, entry in enumerate(entries)]
    usage = usage_in(response) or Usage()
    return EmbeddingResult(vectors, usage, str(field_of(response, "model", "")))


def encode_vector(vector: Sequence[float]) -> str:
    """Return the base64 of a vector's little-endian float32 bytes; what is too large for them becomes infinite."""
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode("ascii")


def decode_vector(text: str) -> list[float]:
    """Return the numbers of a vector in base64.

    Raises:
        BadResponseError: It is no base64, or not of whole float32 numbers.
    """
    numbers = array("f")
    try:
        numbers.frombytes(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        raise BadResponseError(f"an embedding must be base64 of float32 numbers, got {shown(text)}") from None
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


def _vector_of(value: Any, position: int) -> list[float]:
    if isinstance(value, str):
        return decode_vector(value)
    try:
        vector = [float(number) for number in cast("list[Any]", value)]
    except (TypeError, ValueError, OverflowError):
        vector = []
    if not vector:
        raise BadResponseError(f"data[{position}].embedding must be a list of numbers, got {shown(value)}")
    return vector
