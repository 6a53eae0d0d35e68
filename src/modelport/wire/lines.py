"""Lines in a stream of bytes that is cut anywhere: the ground of server-sent events and of JSON lines."""

from __future__ import annotations

from modelport.wire.received import BadResponseError

LONGEST_LINE_BYTES = 16 * 2**20
"""The longest line that is put together by default: a stream without line ends must not fill the memory."""


class LineSplitter:
    r"""Splits bytes at `\n`, `\r\n` and `\r`, wherever they are cut; JSON lines are read with nothing else.

    Args:
        max_line_bytes: The longest line that is taken.
    """

    __slots__ = ("_after_return", "_max_line_bytes", "_parts", "_size_bytes")

    def __init__(self, max_line_bytes: int = LONGEST_LINE_BYTES) -> None:
        self._max_line_bytes = max_line_bytes
        self._parts: list[bytes] = []
        """The beginning of a line whose end has not come."""
        self._size_bytes = 0
        self._after_return = False
        r"""Whether the last byte was a `\r`: a `\n` that follows belongs to it."""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that are complete now, without their ends.

        Raises:
            BadResponseError: A line is longer than `max_line_bytes`.
        """
        if self._after_return and data:
            self._after_return = False
            data = data.removeprefix(b"\n")
        if not data:
            return []
        self._after_return = data.endswith(b"\r")
        lines = data.splitlines()
        rest = b"" if data.endswith((b"\n", b"\r")) else lines.pop()
        if lines and self._parts:
            lines[0] = b"".join([*self._parts, lines[0]])
            self._parts, self._size_bytes = [], 0
        if rest:
            self._parts.append(rest)
            self._size_bytes += len(rest)
        self._check(max([self._size_bytes, *map(len, lines)]))
        return lines

    def end(self) -> list[bytes]:
        """Return the last line when the stream ended without ending it, and be new again."""
        rest = b"".join(self._parts)
        self._parts, self._size_bytes, self._after_return = [], 0, False
        return [rest] if rest else []

    def _check(self, size_bytes: int) -> None:
        if size_bytes > self._max_line_bytes:
            raise BadResponseError(f"a line of the stream has more than {self._max_line_bytes} bytes")
