"""An OpenAI-compatible server for models of your own: an ASGI app, its configuration, and how to run it."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from modelport.values.errors import MissingExtraError

if TYPE_CHECKING:
    from modelport.gateway.app import create_app as create_app

if any(importlib.util.find_spec(package) is None for package in ("starlette", "uvicorn", "yaml")):
    raise MissingExtraError("the gateway", "gateway")


def __getattr__(name: str) -> Any:
    if name != "create_app":
        raise AttributeError(f"module 'modelport.gateway' has no attribute {name!r}")
    from modelport.gateway.app import create_app

    return create_app
