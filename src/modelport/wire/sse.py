"""Server-sent events as OpenAI writes them: `data: <one line of JSON>`, an empty line, nothing else."""

from __future__ import annotations

from typing import Any

from modelport.wire.json_text import encode_line

DONE = b"data: [DONE]\n\n"
"""The last event of a stream that ended well."""


def event(value: Any) -> bytes:
    """Return one event that carries a value as JSON."""
    return b"data: " + encode_line(value) + b"\n\n"
