"""Entries of a `model_list`, and what comes of them."""

from __future__ import annotations

from typing import Any

from modelport.gateway.model_source import Source, sources_of
from modelport.gateway.settings import GatewaySettings

SECRET = "sk-very-secret-value"
HANDLERS = {"custom_provider_map": [{"provider": "h", "custom_handler": "hf.h"}]}


def entry(name: str, model: str, **params: Any) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": {"model": model, **params}}


def only(settings: GatewaySettings, name: str) -> Source:
    [source] = sources_of(settings)[name]
    return source
