"""LiteLLM's `litellm.litellm_core_utils`."""

from __future__ import annotations

from typing import Any

from modelport.integrations.litellm.names import also_offered


def __getattr__(name: str) -> Any:
    return also_offered(__name__, name)
