"""LiteLLM's `litellm.types.llms.custom_llm`: an entry of `custom_provider_map`."""

from __future__ import annotations

from typing import Any, TypedDict

from modelport.integrations.litellm.names import also_offered

__all__ = ["CustomLLMItem"]


class CustomLLMItem(TypedDict):
    """Is an entry of `custom_provider_map`."""

    provider: str
    """The provider's name: the first part of `provider/model`."""
    custom_handler: Any
    """The handler: a `CustomLLM`, or anything with some of its methods."""


def __getattr__(name: str) -> Any:
    return also_offered(__name__, name)
