"""LiteLLM's `litellm.proxy.proxy_server`: what hooks import of it."""

from __future__ import annotations

from typing import Any

from modelport.integrations.litellm.caching.dual_cache import DualCache
from modelport.integrations.litellm.names import also_offered
from modelport.integrations.litellm.proxy._types import UserAPIKeyAuth

__all__ = ["DualCache", "UserAPIKeyAuth"]


def __getattr__(name: str) -> Any:
    return also_offered(__name__, name)
