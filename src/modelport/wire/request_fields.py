"""The types and bounds of fields that several of OpenAI's requests have."""

from __future__ import annotations

from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta

from modelport.values.errors import InputError

MAX_CHOICES = 128
"""OpenAI's bound of `n`."""
MAX_INPUTS = 2048
"""OpenAI's bound of the texts in one request."""

Text = Annotated[str, Meta(min_length=1)]
Tokens = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Choices = Annotated[int, Meta(ge=1, le=MAX_CHOICES)]
Stop = str | Annotated[list[Text], Meta(max_length=4)] | None
Temperature = Annotated[float, Meta(ge=0, le=2)]
Probability = Annotated[float, Meta(ge=0, le=1)]
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]

Input = list[str] | list[list[int]]
"""One entry per input: texts, or token ids."""


class StreamOptions(msgspec.Struct):
    """Says what a stream carries besides the answer."""

    include_usage: bool | None = None
    """Whether it ends with a chunk that carries the usage."""


def given_fields(body: dict[str, Any]) -> dict[str, Any]:
    """Return a request's fields that are not null: clients send null for everything that they do not set."""
    if None not in body.values():
        return body
    return {name: value for name, value in body.items() if value is not None}


def stop_list(stop: str | list[str] | None) -> list[str] | None:
    """Return the stop strings as a list; None: nowhere.

    Raises:
        InputError: One is empty.
    """
    if stop == "":
        raise InputError("'stop': a stop string must not be empty", param="stop")
    return ([stop] if isinstance(stop, str) else stop) or None


def input_list(value: Any, param: str) -> Input:
    """Return one entry per input: of a text, a list of texts, the token ids of one text, or of several.

    Raises:
        InputError: It is something else, is an empty list, or has more than `MAX_INPUTS` entries.
    """
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not value:
        raise InputError(f"{param!r} must be a text, a list of texts, or token ids, and not empty", param=param)
    for kind in (list[str], list[int], list[list[int]]):
        try:
            # Of many token ids, one list at a time: a long step would keep other threads waiting.
            if kind == list[list[int]]:
                entries: Any = [msgspec.convert(one, list[int]) for one in cast("list[Any]", value)]
            else:
                entries = msgspec.convert(value, kind)
        except msgspec.ValidationError:
            continue
        entries = [entries] if kind == list[int] else entries
        if len(entries) > MAX_INPUTS:
            raise InputError(f"{param!r} may have {MAX_INPUTS} entries at most, got {len(entries)}", param=param)
        if [] in entries:
            raise InputError(f"'{param}[{entries.index([])}]' has no token ids", param=f"{param}[{entries.index([])}]")
        return entries
    raise InputError(f"{param!r} must be a text, a list of texts, token ids, or a list of those", param=param)


def input_as_given(entries: Input) -> Any:
    """Return inputs in the shortest form that a request takes: a lone text is no list."""
    return entries[0] if len(entries) == 1 and isinstance(entries[0], str) else entries
