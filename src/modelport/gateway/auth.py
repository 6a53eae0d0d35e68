"""Who may call: keys, kept as hashes and compared in constant time; without keys, loopback only."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Iterable

from modelport.values.errors import AuthenticationError


class Keyring:
    """Knows the keys that may call."""

    __slots__ = ("_hashes",)

    def __init__(self, keys: Iterable[str]) -> None:
        self._hashes = [_hash(key) for key in keys]

    def check(self, authorization: str | None, x_api_key: str | None, local_address: str | None) -> None:
        """Let a request through.

        Args:
            authorization: The header `Authorization`; a Bearer key counts.
            x_api_key: The header `x-api-key`, which Anthropic's SDK sends.
            local_address: Which of this machine's addresses the client connected to; None for in-process calls.

        Raises:
            AuthenticationError: The key is missing or unknown, or no key is configured and the call does not come
                over loopback.
        """
        if not self._hashes:
            if is_loopback(local_address):
                return
            raise AuthenticationError(
                "no key is configured, so only calls over loopback are answered; set server.keys in the config"
            )
        key = _bearer(authorization) or x_api_key
        if not key:
            raise AuthenticationError(
                "no API key given; send it as 'Authorization: Bearer KEY' (SDKs: api_key=…) or as 'x-api-key: KEY'"
            )
        given = _hash(key)
        # All are compared, so that the time does not tell which one was near.
        known = [hmac.compare_digest(given, stored) for stored in self._hashes]
        if not any(known):
            raise AuthenticationError("the API key is not known here; check the key and the address")


def new_key() -> str:
    """Return a new random key."""
    return f"sk-{secrets.token_urlsafe(24)}"


def is_loopback(address: str | None) -> bool:
    """Tell whether only this machine reaches an address.

    A server reports its sockets' numeric addresses; None and other names come from in-process transports only.
    """
    if address is None:
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return True


def is_loopback_host(host: str) -> bool:
    """Tell whether a host to listen on is loopback; a name other than `localhost` is not trusted to be."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bearer(authorization: str | None) -> str | None:
    if authorization is None:
        return None
    scheme, _, key = authorization.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
