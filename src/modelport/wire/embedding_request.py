"""What `POST /embeddings` takes: texts or token ids, and how the vectors shall come."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from modelport.wire.checks import checked
from modelport.wire.json_text import decode_object, encode_json
from modelport.wire.request_fields import Input, Text, given_fields, input_as_given, input_list

MAX_DIMENSIONS = 65_536
"""The longest vector that may be asked for: a number without a bound could exhaust the memory."""

EncodingFormat = Literal["float", "base64"]
"""How a vector is written: as numbers, or as the base64 of its little-endian float32 bytes."""


class EmbeddingBody(msgspec.Struct):
    """Says what type and bounds the known fields have; the schema is OpenAI's `CreateEmbeddingRequest`."""

    model: Text
    input: Any
    encoding_format: EncodingFormat = "float"
    dimensions: Annotated[int, Meta(ge=1, le=MAX_DIMENSIONS)] | None = None
    user: str | None = None


_OURS = frozenset({"model", "input", "encoding_format", "dimensions"})


class EmbeddingRequest(msgspec.Struct, frozen=True):
    """Is a checked embedding request."""

    model: str
    """The name that the client asks for, and that the answer carries."""
    inputs: Input
    """At least one text, or the token ids of at least one; one vector each is wanted."""
    encoding_format: EncodingFormat = "float"
    """How the vectors shall be written."""
    dimensions: int | None = None
    """How many numbers each vector shall have; None: the model's own."""
    options: dict[str, Any] = {}
    """All other fields that are not null: for the hook."""
    given: dict[str, Any] = {}
    """All fields that are not null, as they came: for a handler."""

    @property
    def stream(self) -> bool:
        """Whether the answer comes piece by piece: never."""
        return False


def decode_embedding_request(raw: bytes) -> EmbeddingRequest:
    """Return the request in a body; null counts as absent, unknown fields are kept in `options`.

    Raises:
        InputError: The body is no JSON object, or a field is missing, of the wrong type or out of bounds.
    """
    body = given_fields(decode_object(raw))
    known = checked(body, EmbeddingBody)
    return EmbeddingRequest(
        model=known.model,
        inputs=input_list(known.input, "input"),
        encoding_format=known.encoding_format,
        dimensions=known.dimensions,
        options={name: value for name, value in body.items() if name not in _OURS},
        given=body,
    )


def encode_embedding_request(request: EmbeddingRequest) -> bytes:
    """Return the body that asks another server for the same; the format is always said, as servers' defaults differ."""
    body = {
        **request.options,
        "model": request.model,
        "input": input_as_given(request.inputs),
        "encoding_format": request.encoding_format,
    }
    if request.dimensions is not None:
        body["dimensions"] = request.dimensions
    return encode_json(body)
