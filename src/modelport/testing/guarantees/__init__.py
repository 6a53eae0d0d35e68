"""The checks, one module for each guarantee; importing this package registers them all."""

from __future__ import annotations

from modelport.testing.guarantees import (
    batch,
    batching,
    cache,
    cancel,
    choices,
    compose,
    deadline,
    derive,
    errors,
    identity,
    order,
    parity,
    secrets,
    stop,
    threads,
    unicode,
    usage,
)

__all__ = [
    "batch",
    "batching",
    "cache",
    "cancel",
    "choices",
    "compose",
    "deadline",
    "derive",
    "errors",
    "identity",
    "order",
    "parity",
    "secrets",
    "stop",
    "threads",
    "unicode",
    "usage",
]
