"""Reading server-sent events out of bytes that are cut anywhere, as the standard has them.

The framing is WHATWG's (html.spec.whatwg.org, "Interpreting an event stream"), with one liberty: an event whose empty
line is missing at the end of the stream counts, because servers forget it.
"""

from __future__ import annotations

import msgspec

from modelport.wire.lines import LONGEST_LINE_BYTES, LineSplitter
from modelport.wire.received import BadResponseError

_BOM = b"\xef\xbb\xbf"


class ServerEvent(msgspec.Struct, frozen=True):
    """Is one event."""

    data: bytes
    r"""Its data lines, joined by `\n`."""
    event: str = "message"
    """Its type; OpenAI's chat streams have no other."""

    @property
    def is_done(self) -> bool:
        """Whether this is OpenAI's `[DONE]`, after which nothing more counts."""
        return self.data.startswith(b"[DONE]")


class EventParser:
    """Makes events of the bytes of one stream; comments, ids and retry times are passed over.

    Args:
        max_event_bytes: The longest line, and the most data of one event, that is taken.
    """

    __slots__ = ("_data", "_event", "_is_first", "_lines", "_max_event_bytes", "_size_bytes")

    def __init__(self, max_event_bytes: int = LONGEST_LINE_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._lines = LineSplitter(max_event_bytes + len(b"data: "))
        self._data: list[bytes] = []
        self._size_bytes = 0
        self._event = ""
        self._is_first = True

    def feed(self, data: bytes) -> list[ServerEvent]:
        """Return the events that are complete now.

        Raises:
            BadResponseError: A line or an event is longer than `max_event_bytes`.
        """
        return self._events(self._lines.feed(data))

    def end(self) -> list[ServerEvent]:
        """Return the last event when the stream ended without ending it."""
        return self._events([*self._lines.end(), b""])

    def _events(self, lines: list[bytes]) -> list[ServerEvent]:
        events: list[ServerEvent] = []
        for line in lines:
            if not line:
                if self._data:
                    events.append(ServerEvent(b"\n".join(self._data), self._event or "message"))
                self._data, self._size_bytes, self._event = [], 0, ""
            else:
                self._field(line)
            self._is_first = False
        return events

    def _field(self, line: bytes) -> None:
        if self._is_first:
            line = line.removeprefix(_BOM)
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._size_bytes += len(value) + 1
            if self._size_bytes > self._max_event_bytes + 1:
                raise BadResponseError(f"an event of the stream has more than {self._max_event_bytes} bytes")
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
