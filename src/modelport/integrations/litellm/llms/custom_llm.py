"""LiteLLM's `litellm.llms.custom_llm`: the class of handlers, and the error that they raise."""

from __future__ import annotations

from typing import Any

from modelport.integrations.litellm.names import also_offered
from modelport.models.handler import CustomLLM
from modelport.values.errors import CustomLLMError

__all__ = ["CustomLLM", "CustomLLMError"]


def __getattr__(name: str) -> Any:
    return also_offered(__name__, name)
