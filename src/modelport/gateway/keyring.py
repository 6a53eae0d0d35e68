"""Who may call: keys, kept as hashes and compared in constant time; without keys, loopback only."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import math
import secrets
import time
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from typing import TYPE_CHECKING

from modelport.gateway.key_limits import KeyLimits
from modelport.gateway.loopback import is_loopback
from modelport.gateway.patterns import has_pieces
from modelport.values.errors import AuthenticationError
from modelport.values.status_errors import PermissionDeniedError

if TYPE_CHECKING:
    from modelport.gateway.server_settings import KeySettings

_HOW_TO_SEND = "send it as 'Authorization: Bearer KEY' (SDKs: api_key=…) or as 'x-api-key: KEY'"
_DAY_SECONDS = 86_400


class Key:
    """Is what one key may do; the key itself is not kept."""

    __slots__ = ("_names", "_patterns", "expires_at", "id", "limits")

    def __init__(
        self, entry: KeySettings | None, digest: bytes = b"", workers: int = 1, *, before: Key | None = None
    ) -> None:
        self.id = None if entry is None else entry.name or digest.hex()[:8]
        """What logs call it: its name, or the start of its hash; None for calls without a key."""
        self.expires_at = math.inf if entry is None else _seconds_of(entry.expires)
        """From when on it is not valid any more, in seconds since 1970."""
        self.limits: KeyLimits | None = None if entry is None else _limits_of(entry, workers, before)
        """What counts its requests and tokens; None without limits."""
        models = () if entry is None else entry.models
        self._names = frozenset(name for name in models if "*" not in name)
        self._patterns = [name.split("*") for name in models if "*" in name]

    def allows(self, model: str) -> bool:
        """Tell whether it may ask for a model of this name."""
        if not self._names and not self._patterns:
            return True
        return model in self._names or any(has_pieces(model, pieces) for pieces in self._patterns)

    def must_allow(self, model: str) -> None:
        """Refuse a model that it may not ask for.

        Raises:
            PermissionDeniedError: 403: the key is for other models.
        """
        if not self.allows(model):
            raise PermissionDeniedError(
                f"this key may not call the model {model!r:.200}", param="model", code="model_not_allowed"
            )


ANYBODY = Key(None)
"""Who calls over loopback when no key is configured."""


class Keyring:
    """Knows the keys that may call.

    Args:
        keys: What the config says of each; of two entries with the same key the first counts. Spaces around a key do
            not belong to it.
        workers: How many processes share each key's limits.
        before: The keyring of the config before a reload: keys with the same limits go on with what they have used.
        clock: Tells the time of day, in seconds since 1970, to see whether a key is expired.
    """

    __slots__ = ("_clock", "by_hash")

    def __init__(
        self,
        keys: Iterable[KeySettings],
        *,
        workers: int = 1,
        before: Keyring | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self.by_hash: dict[bytes, tuple[bytes, Key]] = {}
        """The keys, and their hashes once more, by their hashes."""
        for entry in keys:
            digests = _digests(entry.key.get_secret_value())
            known = before.by_hash.get(digests[0]) if before is not None else None
            key = Key(entry, digests[0], workers, before=known[1] if known else None)
            for digest in digests:
                self.by_hash.setdefault(digest, (digest, key))

    def needs_key(self, path: str, local_address: str | None) -> bool:
        """Tell whether a request for a path must pass `check`.

        `/health` and what is below it never must; `/metrics` must not over loopback; everything else must, though
        without any key configured `check` lets those pass who call over loopback.

        Args:
            path: The path, without `/v1`.
            local_address: Which of this machine's addresses the client connected to; None for in-process calls.
        """
        if path == "/metrics":
            return not is_loopback(local_address)
        return not path.startswith("/health/") and path != "/health"

    def check(self, authorization: bytes | None, x_api_key: bytes | None, local_address: str | None) -> Key:
        """Return whose request it is.

        Args:
            authorization: The header `Authorization`; a Bearer key counts, and before the other header.
            x_api_key: The header `x-api-key`, which Anthropic's SDK sends.
            local_address: Which of this machine's addresses the client connected to; None for in-process calls.

        Raises:
            AuthenticationError: 401: the key is missing, unknown or expired, or no key is configured and the call
                does not come over loopback.
        """
        keys = self.by_hash
        if not keys:
            if is_loopback(local_address):
                return ANYBODY
            raise AuthenticationError(
                "no key is configured, so only calls over loopback are answered; set server.keys in the config"
            )
        given = _bearer(authorization) or (x_api_key and x_api_key.strip())
        if not given:
            raise _missing(authorization)
        digest = hashlib.sha256(given).digest()
        # The look-up compares hashes, and not in constant time. That is safe: a caller cannot aim at a hash, so how
        # far a wrong key's hash agrees with a stored one tells nothing about the key behind it. What is found is
        # compared once more, whole and in constant time.
        known = keys.get(digest)
        if known is None or not hmac.compare_digest(digest, known[0]):
            raise AuthenticationError("the API key is not known here; check the key and the address")
        key = known[1]
        if key.expires_at <= self._clock():
            when = datetime.fromtimestamp(key.expires_at, UTC)
            raise AuthenticationError(f"the API key expired on {when:%Y-%m-%d at %H:%M} UTC; ask for a new one")
        return key


def new_key() -> str:
    """Return a new random key."""
    return f"sk-{secrets.token_urlsafe(24)}"


def _bearer(authorization: bytes | None) -> bytes | None:
    """Return the key of a Bearer header; None, or nothing, when there is none."""
    if authorization is None:
        return None
    if authorization.startswith(b"Bearer "):
        return authorization[7:].strip()
    scheme, _, key = authorization.strip().replace(b"\t", b" ").partition(b" ")
    return key.strip() if scheme.lower() == b"bearer" else None


def _missing(authorization: bytes | None) -> AuthenticationError:
    if authorization is not None and authorization.strip() and _bearer(authorization) is None:
        # What is there may be the key itself, so it is not quoted.
        return AuthenticationError(f"the header 'Authorization' does not begin with 'Bearer '; {_HOW_TO_SEND}")
    return AuthenticationError(f"no API key given; {_HOW_TO_SEND}")


def _digests(key: str) -> list[bytes]:
    """Return the hashes of the bytes that a key may arrive as: clients send what is not ASCII as UTF-8 or Latin-1."""
    spellings = [key.encode("utf-8", "surrogatepass")]
    if not key.isascii():
        with contextlib.suppress(UnicodeEncodeError):
            spellings.append(key.encode("latin-1"))
    return [hashlib.sha256(spelling.strip()).digest() for spelling in spellings]


def _seconds_of(expires: datetime | date | None) -> float:
    """Return when a key expires, in seconds since 1970; a time without zone is UTC, a date is its last day there."""
    if expires is None:
        return math.inf
    if not isinstance(expires, datetime):
        return datetime.combine(expires, time_of_day.min, UTC).timestamp() + _DAY_SECONDS
    return (expires if expires.tzinfo is not None else expires.replace(tzinfo=UTC)).timestamp()


def _limits_of(entry: KeySettings, workers: int, before: Key | None) -> KeyLimits | None:
    """Return what counts the use of a key: what counted it before, as long as the limits are the same."""
    limits = KeyLimits(
        requests_per_minute=entry.requests_per_minute,
        tokens_per_minute=entry.tokens_per_minute,
        max_parallel_requests=entry.max_parallel_requests,
        workers=workers,
    )
    if not any(limits.amounts):
        return None
    counted = before.limits if before is not None else None
    return counted if counted is not None and counted.amounts == limits.amounts else limits
