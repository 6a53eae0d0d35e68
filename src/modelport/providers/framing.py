"""Where one message of a streamed body ends and the next begins: server-sent events, lines of JSON, plain text."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from typing import Protocol

from modelport.wire.lines import LineSplitter
from modelport.wire.sse_parser import EventParser

_BOM = b"\xef\xbb\xbf"


class Framing(Protocol):
    """Cuts a body that comes in pieces of any size into messages."""

    def feed(self, piece: bytes) -> list[str]:
        """Take the next piece; return the messages that are complete now.

        Raises:
            BadResponseError: A message is longer than any may be.
        """
        ...

    def rest(self) -> list[str]:
        """Take the end of the body; return what it completes."""
        ...


class EventFraming:
    """Gives the data of each server-sent event."""

    def __init__(self) -> None:
        self._parser = EventParser()

    def feed(self, piece: bytes) -> list[str]:
        """Take the next piece; return the data of the events that are complete now."""
        return _texts(event.data for event in self._parser.feed(piece))

    def rest(self) -> list[str]:
        """Take the end of the body; an event without its empty line still counts: it ends with its connection."""
        return _texts(event.data for event in self._parser.end())


class LineFraming:
    """Gives each line, also empty ones; lines end with LF, CRLF or CR."""

    def __init__(self) -> None:
        self._lines = LineSplitter()
        self._is_first = True

    def feed(self, piece: bytes) -> list[str]:
        """Take the next piece; return the lines that are complete now."""
        return self._without_mark(self._lines.feed(piece))

    def rest(self) -> list[str]:
        """Take the end of the body; return its last line, when that has no end of its own."""
        return self._without_mark(self._lines.end())

    def _without_mark(self, lines: list[bytes]) -> list[str]:
        if self._is_first and lines:
            self._is_first = False
            lines[0] = lines[0].removeprefix(_BOM)
        return _texts(lines)


class TextFraming:
    """Gives the text itself, as it comes."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, piece: bytes) -> list[str]:
        """Take the next piece; return the text in it, as far as its characters are whole."""
        text = self._decoder.decode(piece)
        return [text] if text else []

    def rest(self) -> list[str]:
        """Take the end of the body; a character that never became whole is a replacement character."""
        text = self._decoder.decode(b"", final=True)
        return [text] if text else []


def _texts(messages: Iterable[bytes]) -> list[str]:
    return [message.decode("utf-8", "replace") for message in messages]
