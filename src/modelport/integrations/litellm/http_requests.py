"""What the sync and the async HTTP client share: making httpx's clients and requests of LiteLLM's arguments.

httpx is imported when the first client is made.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from modelport.values.errors import MissingExtraError

TIMEOUT_SECONDS = 600.0
"""How long an answer may take unless it is said otherwise; models take their time."""
CONNECT_TIMEOUT_SECONDS = 5.0
"""How long a connection may take."""


def httpx_module() -> Any:
    """Return httpx.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return importlib.import_module("httpx")
    except ImportError as error:
        raise MissingExtraError("litellm.HTTPHandler", "gateway") from error


def client_keywords(
    timeout: Any, concurrent_limit: int | None, ssl_verify: Any, event_hooks: Any = None
) -> dict[str, Any]:
    """Return the keywords of an httpx client."""
    httpx = httpx_module()
    default = httpx.Timeout(TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS)
    keywords: dict[str, Any] = {"follow_redirects": True, "timeout": default if timeout is None else timeout}
    if concurrent_limit is not None:
        most = {"max_connections": concurrent_limit, "max_keepalive_connections": concurrent_limit}
        keywords["limits"] = httpx.Limits(**most)
    if ssl_verify is not None:
        keywords["verify"] = ssl_verify
    if event_hooks is not None:
        keywords["event_hooks"] = event_hooks
    return keywords


class RequestParts:
    """Is a request in parts: what makes it, and what sends it."""

    __slots__ = ("making", "sending")

    def __init__(self, given: Mapping[str, Any]) -> None:
        """Take LiteLLM's keywords of a request, of which any may be None or missing."""
        data, content = given.get("data"), given.get("content")
        if isinstance(data, (str, bytes)):
            # httpx calls a raw body its content.
            data, content = None, data
        whole = {name: given.get(name) for name in ("headers", "params", "timeout", "json", "files")}
        whole |= {"data": data, "content": content}
        self.making = {name: value for name, value in whole.items() if value is not None}
        """The keywords of httpx's `build_request`."""
        self.sending: dict[str, Any] = {"stream": bool(given.get("stream"))}
        """The keywords of httpx's `send`."""
        if given.get("follow_redirects") is not None:
            self.sending["follow_redirects"] = given["follow_redirects"]
