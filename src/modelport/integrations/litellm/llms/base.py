"""LiteLLM's `litellm.llms.base`: what handler classes may have as their base."""

from __future__ import annotations

from typing import Any

from modelport.integrations.litellm.names import also_offered

__all__ = ["BaseLLM"]


class BaseLLM:
    """Is an empty base: a class of it with a handler's methods is a handler."""

    _client_session: Any = None
    _aclient_session: Any = None

    def validate_environment(self, *args: Any, **kwargs: Any) -> Any:
        """Return nothing: there is nothing to set up."""


def __getattr__(name: str) -> Any:
    return also_offered(__name__, name)
