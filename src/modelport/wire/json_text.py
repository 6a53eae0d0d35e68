"""JSON to and from bytes, for texts as they really come: lone surrogates, odd line separators, hostile nesting."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import msgspec

from modelport.values.errors import InputError

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()
_LINE_BREAKS = (
    (b"\xe2\x80\xa8", rb"\u2028"),
    (b"\xe2\x80\xa9", rb"\u2029"),
    (b"\xc2\x85", rb"\u0085"),
)
"""Separators that JSON allows inside strings, and that many line readers break lines at."""


def encode_json(value: Any) -> bytes:
    r"""Return a value as JSON in UTF-8; a lone surrogate, which UTF-8 cannot carry, is written as `\udXXX`."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), separators=(",", ":")).encode("ascii")


def encode_line(value: Any) -> bytes:
    """Return a value as JSON that no reader takes for several lines: U+2028, U+2029 and U+0085 are escaped."""
    try:
        raw = _encoder.encode(value)
    except UnicodeEncodeError:
        return encode_json(value)  # all in ASCII
    return raw if raw.isascii() else _one_line(raw)


def _one_line(raw: bytes) -> bytes:
    for separator, escaped in _LINE_BREAKS:
        raw = raw.replace(separator, escaped)
    return raw


def decode_object(raw: bytes) -> dict[str, Any]:
    """Return the JSON object of a request's body.

    Raises:
        InputError: The body is no JSON, is nested too deeply, or is no object.
    """
    if not raw.strip():
        raise InputError("the request has no body; send a JSON object")
    try:
        value = _decode(raw)
    except RecursionError:
        raise InputError("the JSON body is nested too deeply") from None
    except ValueError as error:
        raise InputError(f"the body is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise InputError(f"the JSON body must be an object, not {_kind_of(value)}")
    return value  # pyright: ignore[reportUnknownVariableType] - JSON objects have string keys


def _decode(raw: bytes) -> Any:
    try:
        return _decoder.decode(raw)
    except msgspec.DecodeError as error:
        if b"\\u" not in raw:
            raise
        # Lone surrogates are legal JSON and come from real clients; only the standard library reads them.
        try:
            return json.loads(raw, parse_constant=_refuse_constant)
        except json.JSONDecodeError:
            raise error from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _kind_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, (bool, int, float)):
        return "a boolean" if isinstance(value, bool) else "a number"
    return "a string" if isinstance(value, str) else "a list"
