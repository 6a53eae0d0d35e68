"""The wire checks, one module for each part of the API; importing this package registers them all."""

from __future__ import annotations

from modelport.testing.wire.checks import (
    auth,
    choices,
    embeddings,
    errors,
    http,
    images,
    limits,
    load,
    models,
    requests,
    stop,
    streams,
    text,
    tools,
    unicode,
    usage,
    whole,
)

__all__ = [
    "auth",
    "choices",
    "embeddings",
    "errors",
    "http",
    "images",
    "limits",
    "load",
    "models",
    "requests",
    "stop",
    "streams",
    "text",
    "tools",
    "unicode",
    "usage",
    "whole",
]
