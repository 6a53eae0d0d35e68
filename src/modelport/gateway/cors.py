"""Which web pages may call: the headers that let a browser hand an answer to a page of another origin (Fetch, CORS)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from modelport.values.errors import InputError

ANY_ORIGIN = "*"
EXPOSED_HEADERS = (
    "x-request-id",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
)
"""The headers of an answer that a page's script may read: those that SDKs obey and show."""
METHODS = ("GET", "POST")
"""What is answered anywhere; browsers take HEAD and OPTIONS for granted."""
LONGEST_HEADER_LIST = 4096
"""A longer list of asked-for headers is not allowed."""

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[^\s/?#@:\[\]*]+)(:[0-9]+)?")
_HEADER_LIST = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z, \t]*")
_PREFLIGHT_VARY = b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"

RawHeaders = list[tuple[bytes, bytes]]


class Cors:
    """Says which origins' pages may call.

    Keys come in a header that a page sets itself, so any origin may be let in without letting in what a browser would
    add by itself: cookies and the like are for listed origins only.
    """

    def __init__(self, origins: Iterable[str], max_age_seconds: int = 600) -> None:
        """Let pages of some origins call.

        Args:
            origins: `https://example.com`, `http://localhost:3000` or `null`, each as a browser writes it; or "*" for
                any.
            max_age_seconds: How long a browser may remember that it may call.

        Raises:
            InputError: One is no origin.
        """
        given = [_origin(one) for one in origins]
        self._any = ANY_ORIGIN in given
        exposed = (b"access-control-expose-headers", ", ".join(EXPOSED_HEADERS).encode())
        self._max_age = str(max_age_seconds).encode()
        self._for_any: RawHeaders = [(b"access-control-allow-origin", b"*"), exposed]
        self._for_others: RawHeaders = [(b"vary", b"Origin")]
        self._for_listed: dict[bytes, RawHeaders] = {
            one.encode("latin-1"): [
                (b"access-control-allow-origin", one.encode("latin-1")),
                (b"access-control-allow-credentials", b"true"),
                exposed,
                (b"vary", b"Origin"),
            ]
            for one in given
            if one != ANY_ORIGIN
        }

    def headers_for(self, origin: bytes | None) -> RawHeaders:
        """Return the headers that every answer carries, errors too, also to requests without an origin; for reading.

        Args:
            origin: The request's `Origin`; None without one.
        """
        if self._any:
            return self._for_any
        return self._for_listed.get(origin, self._for_others) if origin is not None else self._for_others

    def preflight(self, headers: Mapping[bytes, bytes], methods: Iterable[str] = METHODS) -> RawHeaders | None:
        """Return the headers of the answer to a browser that asks before it calls; None when `OPTIONS` is no such.

        The answer is a 204 whether the origin may call or not, and needs no key: a browser sends none.

        Args:
            headers: Those of the `OPTIONS` request; names are lower case.
            methods: What is answered at this path.
        """
        origin = headers.get(b"origin")
        if origin is None or b"access-control-request-method" not in headers:
            return None
        answer: RawHeaders = [(b"vary", _PREFLIGHT_VARY)]
        if not self._any and origin not in self._for_listed:
            return answer
        answer += [
            (name, value) for name, value in self.headers_for(origin) if name.startswith(b"access-control-allow-")
        ]
        answer.append((b"access-control-allow-methods", ", ".join(methods).encode()))
        # SDKs add headers of their own, eight and more: what is asked for is what is allowed.
        wanted = headers.get(b"access-control-request-headers", b"")
        if wanted and len(wanted) <= LONGEST_HEADER_LIST and _HEADER_LIST.fullmatch(wanted):
            answer.append((b"access-control-allow-headers", wanted))
        if not self._any and headers.get(b"access-control-request-private-network") == b"true":
            answer.append((b"access-control-allow-private-network", b"true"))
        answer.append((b"access-control-max-age", self._max_age))
        return answer


def _origin(text: str) -> str:
    """Return an origin in the form that browsers send."""
    origin = text.strip().removesuffix("/").lower()
    if origin not in (ANY_ORIGIN, "null") and not (origin.isascii() and _ORIGIN.fullmatch(origin)):
        raise InputError(
            f"{text!r} is no origin; write scheme, host and port as a browser does (https://example.com), "
            "or '*' for any"
        )
    for scheme, port in (("http://", ":80"), ("https://", ":443")):
        if origin.startswith(scheme):
            origin = origin.removesuffix(port)
    return origin
