"""Requests that ask for another protocol and have a body, as Java's HttpClient sends them first on each connection.

There is nothing to upgrade to, and a server may go on as if nothing had been asked (RFC 9110, 7.8). But the parser
takes what follows such a head for the other protocol's. So another parser goes on there, once it has been told where
the body ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httptools

_FRAMING = (b"content-length", b"transfer-encoding")
"""What says where a body ends."""


def has_body(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Tell whether a body follows a head with these headers, whose names are lower case."""
    return any(name in _FRAMING for name, _ in headers)


def parser_after_head(protocol: Any, headers: Sequence[tuple[bytes, bytes]]) -> Any:
    """Return a parser that goes on after a head, and with the requests that follow.

    Args:
        protocol: Whose callbacks it calls; of the body first.
        headers: Those of the head; names are lower case.
    """
    parser = httptools.HttpRequestParser(_AfterHead(protocol))
    framing = [b"%b: %b\r\n" % header for header in headers if header[0] in _FRAMING]
    parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % b"".join(framing))
    return parser


class _AfterHead:
    """Passes a protocol's callbacks on, but for those of the first head."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._is_known = True
        self.on_body = protocol.on_body
        self.on_chunk_header = protocol.on_chunk_header
        self.on_message_complete = protocol.on_message_complete

    def on_message_begin(self) -> None:
        if not self._is_known:
            self._protocol.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._is_known:
            self._protocol.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_known:
            self._protocol.on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._is_known:
            self._is_known = False
        else:
            self._protocol.on_headers_complete()
