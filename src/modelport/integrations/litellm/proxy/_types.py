"""LiteLLM's `litellm.proxy._types`: who calls, as its proxy hooks are told."""

from __future__ import annotations

from typing import Any

from modelport.integrations.litellm.names import also_offered
from modelport.wire.objects import WireObject

__all__ = ["UserAPIKeyAuth"]


class UserAPIKeyAuth(WireObject, kw_only=True):
    """Says who calls; it takes and keeps all other fields that LiteLLM's has, too."""

    api_key: str | None = None
    """The key, or its hash."""
    user_id: str | None = None
    """The user."""
    team_id: str | None = None
    """The user's team."""
    key_alias: str | None = None
    """The key's name."""
    metadata: dict[str, Any] | None = None
    """What the key carries."""


def __getattr__(name: str) -> Any:
    return also_offered(__name__, name)
