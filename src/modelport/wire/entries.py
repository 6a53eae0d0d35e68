"""JSON of answers with long entries, in blocks: each step is short, and nothing is copied that need not be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from modelport.wire.json_text import encode_json
from modelport.wire.objects import WireObject

BLOCK_BYTES = 256 * 1024
"""How long a block is at least, but for the last one."""


def entry_blocks(answer: WireObject, pieces: Iterable[bytes] | None = None) -> list[bytes]:
    """Return an answer's JSON, as `encode_json` writes it, in blocks.

    Args:
        answer: Has a list `data`.
        pieces: The JSON of `data`'s entries and the commas between them, in pieces; None: `data` is written here, an
            entry at a time.
    """
    entries = cast("list[Any]", answer["data"])
    answer["data"] = []
    try:
        shell = encode_json(answer)
    finally:
        answer["data"] = entries
    # Quotes inside of strings are escaped, so this is the key itself.
    before, key, after = shell.partition(b'"data":[]')
    assert key, "an answer's `data` is always written"
    blocks: list[bytes] = []
    parts, size_bytes = [before, b'"data":['], 0
    for piece in _pieces_of(entries) if pieces is None else pieces:
        parts.append(piece)
        size_bytes += len(piece)
        if size_bytes >= BLOCK_BYTES:
            blocks.append(b"".join(parts))
            parts, size_bytes = [], 0
    blocks.append(b"".join([*parts, b"]", after]))
    return blocks


def _pieces_of(entries: Iterable[Any]) -> Iterable[bytes]:
    for position, entry in enumerate(entries):
        if position:
            yield b","
        yield encode_json(entry)
