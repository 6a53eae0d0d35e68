"""LiteLLM's `litellm.caching.caching`: the cache that its proxy hooks are given."""

from __future__ import annotations

from typing import Any

from modelport.integrations.litellm.caching.dual_cache import DualCache
from modelport.integrations.litellm.names import also_offered

__all__ = ["DualCache"]


def __getattr__(name: str) -> Any:
    return also_offered(__name__, name)
