"""What every model that calls a server has: where it connects to, with which key, how patiently."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from typing_extensions import override

from modelport.models.base import AuthoredModel

_SECRET_HEADER = re.compile(r"authorization|cookie|key|token|secret|passw|credential", re.IGNORECASE)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Endpoint(AuthoredModel):
    """Is the part that models which call a server over HTTP share."""

    api_key: SecretStr | None = None
    """The server's key."""
    headers: dict[str, str | SecretStr] = Field(default={})
    """More headers of every request; those named like secrets are kept like secrets."""
    timeout_seconds: float | None = Field(default=600, gt=0)
    """How long the server may be silent, before its answer and in the middle of it; None: as long as it likes. A limit
    for the whole call is `config={"timeout": …}`."""
    connect_timeout_seconds: float | None = Field(default=10, gt=0)
    """How long a connection may take to be there."""
    max_connections: int | None = Field(default=None, ge=1)
    """How many connections there are at most on one event loop; more calls wait. None: as many as calls need."""
    max_retries: int = Field(default=0, ge=0)
    """How often a request is sent again when there was no connection, or a status of `retryable_statuses`; never after
    the first piece of an answer."""
    retryable_statuses: frozenset[int] = frozenset({408, 409, 429, 500, 502, 503, 504})
    """After which statuses another attempt may help; the server's `Retry-After` is waited for."""
    verify: bool | str = True
    """Whether the server's certificate is checked; or a file of the authorities that may have signed it."""
    proxy: SecretStr | None = None
    """An HTTP proxy's URL; None: what `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say."""

    @field_validator("headers")
    @classmethod
    def _sendable(cls, value: dict[str, str | SecretStr]) -> dict[str, str | SecretStr]:
        checked: dict[str, str | SecretStr] = {}
        for name, given in value.items():
            text = given if isinstance(given, str) else given.get_secret_value()
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a header")
            if any(character in text for character in "\r\n\0"):
                raise ValueError(f"the header {name!r} has a line break in it")
            checked[name] = SecretStr(text) if _SECRET_HEADER.search(name) else given
        return checked

    @field_validator("proxy")
    @classmethod
    def _http_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and urlsplit(value.get_secret_value()).scheme not in ("http", "https"):
            raise ValueError("must be the URL of an HTTP proxy, as http://host:port")
        return value

    @override
    def model_post_init(self, context: Any, /) -> None:
        """Load the HTTP client now: the first call is not held up, and a missing extra is said at once."""
        import modelport.providers.connections  # noqa: F401  # pyright: ignore[reportUnusedImport]

    async def _unload(self) -> None:
        """Close the connections; the next call makes new ones."""
        from modelport.providers.connections import connections_of

        connections_of(self).close()


def plain_headers(headers: Mapping[str, str | SecretStr]) -> dict[str, str]:
    """Return headers as they are sent."""
    return {name: value if isinstance(value, str) else value.get_secret_value() for name, value in headers.items()}


def checked_url(value: str) -> str:
    """Return an http(s) URL as given.

    Raises:
        ValueError: It is none, or has a user's name and password in it.
    """
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable, parts = False, None
    if not usable or parts is None:
        raise ValueError(f"must be an http or https URL, as http://localhost:8000/v1, not {value!r:.100}")
    if "@" in parts.netloc:
        raise ValueError("must not have a user and a password in it; give them by headers or api_key")
    return value


def place_of(url: str) -> str:
    """Return `scheme://host:port` of a URL, as error messages name the server."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
