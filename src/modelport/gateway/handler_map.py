"""The handlers of one config by their providers' names: loaded once, and found by the handlers' own calls too."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Any, cast

from modelport.gateway.settings import GatewaySettings
from modelport.registry.loader import load_object
from modelport.registry.made import made_provider
from modelport.registry.provider import HandlerProvider, Provider


def handler_provider(name: str, settings: GatewaySettings) -> Provider:
    """Return the provider of a handler that the settings name; it is loaded at the first call.

    Its file may say `import litellm` where LiteLLM is not installed.

    Raises:
        LoadError: It cannot be imported or made, or is no handler and no model.
    """
    provider = settings.loaded.get(name)
    if provider is None:
        path = settings.handlers[name]
        # From now on handler files may import it by LiteLLM's name.
        importlib.import_module("modelport.integrations.litellm")
        provider = settings.loaded[name] = made_provider(load_object(path, settings.folder), {}, path)
        _tell_namespaces(name, provider)
    return provider


def _tell_namespaces(name: str, provider: Provider) -> None:
    """Put a handler into `litellm.custom_provider_map`, in the place of others of its name, as LiteLLM's proxy does.

    With it, `litellm.completion(model="name/…")` inside of handlers finds it: in the real LiteLLM too, where that is
    what they imported.
    """
    handler = provider.handler if isinstance(provider, HandlerProvider) else getattr(provider, "model", provider)
    for place in ("modelport.integrations.litellm", "litellm"):
        namespace: Any = sys.modules.get(place)
        entries: Any = getattr(namespace, "custom_provider_map", None)
        if isinstance(entries, list):
            others = [one for one in cast("list[Any]", entries) if not _is_of(one, name)]
            namespace.custom_provider_map = [*others, {"provider": name, "custom_handler": handler}]


def _is_of(entry: Any, name: str) -> bool:
    return isinstance(entry, Mapping) and cast("Mapping[str, Any]", entry).get("provider") == name
