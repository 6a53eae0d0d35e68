"""Fills a config's values in from the environment: `${NAME}`, `${NAME:-default}`, and LiteLLM's `os.environ/NAME`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from modelport.values.errors import InputError

_VARIABLE = re.compile(r"\$(?P<escape>\$?)\{(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\}")
_LITELLM = "os.environ/"
SHORTEST_SECRET_VALUE = 8
"""A value from the environment this long is taken for a secret; shorter ones are ports and names."""


class Unset(NamedTuple):
    """Stands in a LiteLLM config for `os.environ/NAME` where the variable is not set: LiteLLM starts without."""

    name: str
    """The variable."""


class Environment:
    """Fills in variables: `$${NAME}` stays as `${NAME}`; a value that is `os.environ/NAME` is that variable's."""

    def __init__(self, name: str, *, is_litellm: bool = False) -> None:
        """Make one.

        Args:
            name: What errors call the config.
            is_litellm: Whether it is LiteLLM's, to which `${` means nothing: what is not set there stays as it is.
        """
        self._name = name
        self._is_litellm = is_litellm
        self.values: set[str] = set()
        """What was filled in, as far as it may be a secret."""

    def fill(self, value: Any, place: str) -> Any:
        """Return a value with all variables inside it filled in.

        Raises:
            InputError: A variable is not set; the message names it and its place.
        """
        if isinstance(value, str):
            if value.startswith(_LITELLM):
                return self._whole(value.removeprefix(_LITELLM), place)
            return _VARIABLE.sub(lambda found: self._value(found, place), value) if "${" in value else value
        if isinstance(value, Mapping):
            entries = cast("Mapping[Any, Any]", value).items()
            return {key: self.fill(one, f"{place}.{key}" if place else str(key)) for key, one in entries}
        if isinstance(value, list):
            items = enumerate(cast("list[Any]", value))
            return [self.fill(one, f"{place}[{index}]") for index, one in items]
        return value

    def _whole(self, name: str, place: str) -> str | Unset:
        value = os.environ.get(name) or None if name.isprintable() else None
        if value is not None:
            return self._noted(value)
        if self._is_litellm:
            return Unset(name)
        raise InputError(f"{self._name}: {place}: the environment variable {name!r} is not set; set it")

    def _value(self, found: re.Match[str], place: str) -> str:
        if found["escape"]:
            return found[0] if self._is_litellm else found[0][1:]
        name = found["name"]
        value: str | None = os.environ.get(name) or found["default"]
        if value is not None:
            return self._noted(value)
        if self._is_litellm:
            return found[0]
        raise InputError(
            f"{self._name}: {place}: the environment variable {name!r} is not set; set it, or write "
            f"${{{name}:-default}}"
        )

    def _noted(self, value: str) -> str:
        if len(value) >= SHORTEST_SECRET_VALUE:
            self.values.add(value)
        return value
