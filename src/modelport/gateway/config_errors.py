"""What is wrong in a config, in the operator's words: the place, the value and the near key; never a secret."""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping, Sequence
from typing import Any, Union, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError

from modelport.gateway.settings import GatewaySettings
from modelport.models.scrubbing import SECRET_NAME, Scrubber

MOST_LINES = 10
"""How many mistakes one message names."""
_MOVED = {"server.max_body_bytes": "server.limits.max_body_bytes"}
"""Keys that stood elsewhere in earlier versions."""
_NO_VALUE = ("whole", "empty_key", "unsendable_key", "two_keys")
"""Complaints that have said all."""

Steps = Sequence[Any]
"""Where something is: keys and indexes."""


def config_mistakes(error: ValidationError, raw: Any, scrubber: Scrubber) -> str:
    """Return what pydantic complains of, one text.

    Args:
        error: Its error.
        raw: The config, its variables filled in.
        scrubber: Knows what came from the environment.
    """
    details = error.errors(include_url=False, include_input=False)
    lines = [_line(cast("Mapping[str, Any]", detail), raw, scrubber) for detail in details[:MOST_LINES]]
    if len(details) > MOST_LINES:
        lines.append(f"and {len(details) - MOST_LINES} more")
    return scrubber.without_secrets("; ".join(lines))


def _line(detail: Mapping[str, Any], raw: Any, scrubber: Scrubber) -> str:
    """Return one complaint with its YAML path, the value and the near key."""
    steps: tuple[Any, ...] = detail["loc"]
    kind: str = detail["type"]
    message: str = detail["msg"]
    if kind == "whole":
        return message
    if kind == "missing_use":
        return f"'{_place(steps)}.use' is missing; write 'use', or several under 'deployments'"
    if steps[-1:] == ("key",) and isinstance(_value_at(raw, steps[:-1]), str):
        steps = steps[:-1]  # a key as a text
    place = _place(steps)
    if kind == "extra_forbidden":
        return _unknown_key(steps, place)
    if kind == "missing":
        return f"{place!r} is missing"
    if steps[-1:] == ("[key]",):
        return f"the name {place!r} must be a text; write it in quotes"
    said = f"{place!r}: {message[:1].lower()}{message[1:]}"
    return said if kind in _NO_VALUE else f"{said}, got {_shown(steps, raw, scrubber)}"


def _unknown_key(steps: Steps, place: str) -> str:
    if place in _MOVED:
        return f"{place!r} is now called {_MOVED[place]!r}; write it there"
    known = list(_section(steps[:-1]).model_fields)
    near = difflib.get_close_matches(str(steps[-1]), known, n=1)
    if "keys" in steps and not near:
        place = _place((*steps[:-1], "***"))  # somebody's key, in the wrong place
    hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
    return f"{place!r} is no known key; {hint}"


def _section(steps: Steps) -> type[BaseModel]:
    """Return the class of the settings at a place."""
    current: Any = GatewaySettings
    for step in steps:
        if isinstance(current, type) and issubclass(current, BaseModel):
            current = _without_none(current.model_fields[step].annotation)
        else:
            current = _without_none(get_args(current)[-1])
    return current


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, types.UnionType):
        return next(one for one in get_args(annotation) if one is not type(None))
    return annotation


def _place(steps: Steps) -> str:
    place = ""
    for index, step in enumerate(steps):
        is_key = tuple(steps[index + 1 : index + 2]) == ("[key]",)
        if isinstance(step, int) and not is_key:
            place += f"[{step}]"
        elif step != "[key]":
            place += f".{step}" if place else str(step)
    return place


def _value_at(raw: Any, steps: Steps) -> Any:
    value = raw
    for step in steps:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            break
    return value


def _shown(steps: Steps, raw: Any, scrubber: Scrubber) -> str:
    if any(isinstance(step, str) and (step == "keys" or SECRET_NAME.search(step)) for step in steps):
        return "***"
    text = repr(_value_at(raw, steps))
    return "***" if text in scrubber else f"{text:.80}"
