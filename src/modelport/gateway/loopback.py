"""Addresses that only this machine reaches."""

from __future__ import annotations

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=64)
def is_loopback(address: str | None) -> bool:
    """Tell whether only this machine reaches an address.

    A server reports its sockets' numeric addresses; None and other names come from in-process transports only.
    """
    if address is None:
        return True
    try:
        return _is_loopback(address)
    except ValueError:
        return True


def is_loopback_host(host: str) -> bool:
    """Tell whether a host to listen on is loopback; a name other than `localhost` is not trusted to be."""
    if host == "localhost":
        return True
    try:
        return _is_loopback(host)
    except ValueError:
        return False


def _is_loopback(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    # A socket for both IPv4 and IPv6 reports 127.0.0.1 as ::ffff:127.0.0.1.
    mapped = parsed.ipv4_mapped if parsed.version == 6 else None
    return (mapped or parsed).is_loopback
