"""What the cache keeps of a call: its answers, and the pieces in which they were streamed, as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache as made_once
from typing import Any

import msgspec

from modelport.values.embeddings import Embedding
from modelport.values.generations import Generation, GenerationChunk
from modelport.values.images import ImageResult
from modelport.values.messages import AIMessageChunk, ChatGeneration, ChatGenerationChunk

ANSWER_OF_KIND: dict[str, tuple[type, type]] = {
    "llm": (Generation, GenerationChunk),
    "chat_model": (ChatGeneration, ChatGenerationChunk),
    "embedding": (Embedding, GenerationChunk),
    "image": (ImageResult, GenerationChunk),
}
"""What a model's answers and pieces are, by its kind."""


class Entry:
    """Is what the cache has of one call: its choices, and the pieces in which the first one was streamed."""

    __slots__ = ("answers", "pieces")

    def __init__(self, answers: list[Any], pieces: list[Any] | None) -> None:
        self.answers = answers
        """All choices of the call, whole."""
        self.pieces = pieces
        """The chunks of the first choice, without the last one that has no text; None when it came whole."""


@made_once
def _decoder(kind: str) -> msgspec.msgpack.Decoder[Any]:
    answer, piece = ANSWER_OF_KIND[kind]
    return msgspec.msgpack.Decoder(tuple[list[answer], list[str | piece] | None])  # type: ignore[valid-type]


_encoder = msgspec.msgpack.Encoder()


def encode_entry(answers: Sequence[Any], pieces: Sequence[Any] | None) -> bytes:
    """Return an entry as bytes; of a piece that is nothing but text, the text.

    Raises:
        TypeError: An answer carries something that is no plain data (in `generation_info`, say).
    """
    return _encoder.encode((answers, None if pieces is None else [_bare_piece(piece) for piece in pieces]))


def _bare_piece(piece: Any) -> Any:
    return piece.text if piece == _piece_of(piece.text, piece.__class__) else piece


def _piece_of(text: str, kind: Any) -> Any:
    if kind is ChatGenerationChunk:
        return ChatGenerationChunk(text, message=AIMessageChunk(content=text))
    return GenerationChunk(text)


def decode_entry(value: bytes, kind: str) -> Entry:
    """Return the entry that bytes are.

    Raises:
        msgspec.MsgspecError: They are none.
    """
    answers, pieces = _decoder(kind).decode(value)
    if pieces is not None:
        piece = ANSWER_OF_KIND[kind][1]
        pieces = [_piece_of(one, piece) if isinstance(one, str) else one for one in pieces]
    return Entry(answers, pieces)
