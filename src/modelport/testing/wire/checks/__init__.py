"""The wire checks, one module for each part of the API; importing this package registers them all."""

from __future__ import annotations

from modelport.testing.wire.checks import (
    auth,
    embeddings,
    errors,
    http,
    images,
    limits,
    load,
    models,
    requests,
    streams,
    text,
    tools,
    unicode,
    usage,
    whole,
)

__all__ = [
    "auth",
    "embeddings",
    "errors",
    "http",
    "images",
    "limits",
    "load",
    "models",
    "requests",
    "streams",
    "text",
    "tools",
    "unicode",
    "usage",
    "whole",
]
