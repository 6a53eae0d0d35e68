"""Reads values of a LiteLLM config: wrong ones are errors that name their place, unused ones a line in the log."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, cast

from modelport.gateway.environment import Unset
from modelport.models.scrubbing import Scrubber
from modelport.values.errors import InputError

logger = logging.getLogger("modelport.gateway")


class Values:
    """Reads the values of one config."""

    def __init__(self, name: str, scrubber: Scrubber) -> None:
        self.name = name
        """What messages call the config."""
        self._scrubber = scrubber
        self._said: set[str] = set()

    def warn(self, place: str, text: str) -> None:
        """Write one line about a place in the config; the same line only once."""
        line = self._scrubber.without_secrets(f"{self.name}: {place}: {text}")
        if line not in self._said:
            self._said.add(line)
            logger.warning("%s", line)

    def ignored(self, place: str) -> None:
        """Write one line about something that means nothing here."""
        self.warn(place, "is not used by modelport")

    def set_only(self, value: Any, place: str) -> Any:
        """Return a value; None, and a line in the log, for a variable of the environment that is not set.

        Inside of lists and mappings such a variable is left out.
        """
        if isinstance(value, Unset):
            self.warn(place, f"the environment variable {value.name!r} is not set")
            return None
        if isinstance(value, list):
            items = enumerate(cast("list[Any]", value))
            kept = [(self.set_only(one, f"{place}[{index}]"), one) for index, one in items]
            return [filled for filled, one in kept if not isinstance(one, Unset)]
        if isinstance(value, Mapping):
            entries = cast("Mapping[Any, Any]", value).items()
            filled = {key: self.set_only(one, f"{place}.{key}") for key, one in entries}
            return {key: filled[key] for key, one in entries if not isinstance(one, Unset)}
        return value

    def mapping(self, value: Any, place: str) -> dict[str, Any]:
        """Return a mapping; nothing for None.

        Raises:
            InputError: It is none.
        """
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise self._wrong(value, place, "a mapping")
        return {str(key): one for key, one in cast("Mapping[Any, Any]", value).items()}

    def items(self, section: Mapping[str, Any], key: str, place: str | None = None) -> list[Any]:
        """Return a list under a key; nothing for None.

        Raises:
            InputError: It is none.
        """
        value = section.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._wrong(value, place or key, "a list")
        return cast("list[Any]", value)

    def texts(self, value: Any, place: str) -> list[str]:
        """Return a list of texts; a text alone is a list of one.

        Raises:
            InputError: It is none.
        """
        if value is None:
            return []
        given = cast("list[Any]", value if isinstance(value, list) else [value])
        for index, one in enumerate(given):
            if not isinstance(one, str):
                raise self._wrong(one, f"{place}[{index}]", "a text")
        return given

    def text(self, value: Any, place: str) -> str:
        """Return a text that is not empty.

        Raises:
            InputError: It is none.
        """
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(value, place, "a text")
        return value.strip()

    def number(self, value: Any, place: str) -> float | None:
        """Return a number that is not negative; None for None.

        Raises:
            InputError: It is none.
        """
        value = self.set_only(value, place)
        if value is None:
            return None
        try:
            number = None if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = None
        if number is None or not 0 <= number < float("inf"):
            raise self._wrong(value, place, "a number from 0 on")
        return int(number) if number.is_integer() else number

    def _wrong(self, value: Any, place: str, wanted: str) -> InputError:
        if isinstance(value, Unset):
            return InputError(f"{self.name}: {place}: the environment variable {value.name!r} is not set; set it")
        if value is None:
            return InputError(f"{self.name}: {place!r} is missing; it must be {wanted}")
        text = repr(value)
        shown = "***" if text in self._scrubber or isinstance(value, (Mapping, list)) else f"{text:.80}"
        return InputError(self._scrubber.without_secrets(f"{self.name}: {place!r} must be {wanted}, got {shown}"))
