"""LiteLLM's `litellm.litellm_core_utils.litellm_logging`: the class of a handler's `logging_obj`."""

from __future__ import annotations

from typing import Any

from modelport.integrations.litellm.names import also_offered
from modelport.models.handler_calls import QuietLogging as Logging

__all__ = ["Logging"]


def __getattr__(name: str) -> Any:
    return also_offered(__name__, name)
