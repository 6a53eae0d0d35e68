"""Reading the JSON in a text while the text comes: where it starts and ends, and what it is so far."""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import from_json

_START = re.compile(r'\{(?=\s*["}])|\[(?=\s*(?:["\[\]{\d-]|true|false|null))')
_MAYBE_START = re.compile(r"[{\[]\s*[a-z]{0,4}\Z")
_STRUCTURE = re.compile(r'["{}\[\]]')
_IN_STRING = re.compile(r'["\\\x00-\x1f]')
_HALF_A_NUMBER = re.compile(r"\d(?:\.|[eE][+-]?)\Z")
_FENCED = re.compile(r"\A\s*```\w*\s(.*?)(?:```\s*)?\Z", re.DOTALL)


class JsonReader:
    """Finds the first object or list in a text that comes in pieces, and reads it as far as it has come.

    It starts at the first brace or bracket that goes on as JSON does; what stands before it and after its end (prose,
    a fence) is passed over. Line breaks and other control characters in its strings, which models write and JSON
    forbids, are read as what they are.
    """

    def __init__(self) -> None:
        self.text = ""
        """All that has come."""
        self._search_from = 0
        self._json: str | None = None
        self._depth = 0
        self._in_string = False
        self._is_escaped = False
        self.is_complete = False
        """Whether the object or list has ended."""

    def feed(self, piece: str) -> bool:
        """Take a piece; tell whether there is something new to read."""
        if not piece or self.is_complete:
            return False
        self.text += piece
        if self._json is None:
            start = _START.search(self.text, self._search_from)
            if start is None:
                maybe = _MAYBE_START.search(self.text, self._search_from)
                self._search_from = maybe.start() if maybe is not None else len(self.text)
                return False
            self._json, piece = "", self.text[start.start() :]
        self._json += self._scanned(piece)
        return True

    def _scanned(self, piece: str) -> str:
        """Return a piece up to the end of the JSON, with the control characters in its strings escaped."""
        parts: list[str] = []
        at = 0
        while at < len(piece) and not self.is_complete:
            if self._is_escaped:
                self._is_escaped = False
                parts.append(piece[at])
                at += 1
                continue
            found = (_IN_STRING if self._in_string else _STRUCTURE).search(piece, at)
            if found is None:
                parts.append(piece[at:])
                break
            parts += (piece[at : found.start()], self._passed(found.group()))
            at = found.end()
        return "".join(parts)

    def _passed(self, mark: str) -> str:
        """Go past a character that matters; return it as JSON has it."""
        if mark == '"':
            self._in_string = not self._in_string
        elif not self._in_string:
            self._depth += 1 if mark in "{[" else -1
            self.is_complete = self._depth == 0
        elif mark == "\\":
            self._is_escaped = True
        else:
            return f"\\u{ord(mark):04x}"
        return mark

    def value(self) -> Any:
        """Return the object or list as far as it has come, an unfinished string in it as far as that goes.

        Raises:
            ValueError: It is no JSON.
        """
        text = self._json or ""
        if self.is_complete:
            return from_json(text)
        # Of `2.` not even the 2 would be read, which was there a piece before.
        if not self._in_string and (half := _HALF_A_NUMBER.search(text, max(0, len(text) - 3))):
            text = text[: half.start() + 1]
        return from_json(text, allow_partial="trailing-strings")

    def rest(self) -> Any:
        """Return the value of a whole text without an object or list: a text, a number, true, false or null.

        Raises:
            ValueError: It is none, or an object or list has not ended.
        """
        if self._json is not None:
            raise ValueError("it ends too early")
        fenced = _FENCED.match(self.text)
        return from_json((fenced.group(1) if fenced is not None else self.text).strip())
