"""JSON in texts: msgspec's fast codec, and the standard library's for texts with half characters."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import msgspec


def parse_json(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: It is none.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        return json.loads(text, parse_constant=_refuse)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def json_text(value: Any) -> str:
    """Return a value as JSON text.

    Raises:
        TypeError: It holds something that JSON has no form for.
    """
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
