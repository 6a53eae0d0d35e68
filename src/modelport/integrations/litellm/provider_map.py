"""`custom_provider_map`: from a provider's name to the handler that somebody put into the map."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, cast

from modelport.values.errors import InputError


def handler_of(provider: str) -> Any | None:
    """Return the handler of a provider, an instance or a class; of equal names in the map the last one counts.

    The map of an installed LiteLLM, when that is loaded, is looked at after ours.

    Raises:
        InputError: An entry of the map is not as LiteLLM has it.
    """
    for namespace in ("modelport.integrations.litellm", "litellm"):
        entries: Any = getattr(sys.modules.get(namespace), "custom_provider_map", None)
        if entries and (handler := _handler_in(entries, provider)) is not None:
            return _inner(handler)
    return None


def _inner(handler: Any) -> Any:
    """Return what a handler of `register_litellm` was made of, any other one as it is: nobody has to go round."""
    exports: Any = sys.modules.get("modelport.integrations.litellm.model_handler")
    return handler.source if exports is not None and isinstance(handler, exports.ModelHandler) else handler


def providers_in(entries: Any) -> list[str]:
    """Return the names of the providers in a map, in order, each once.

    Raises:
        InputError: An entry of the map is not as LiteLLM has it.
    """
    return list(dict.fromkeys(_read(entry, place)[0] for place, entry in enumerate(_checked(entries))))


def _handler_in(entries: Any, provider: str) -> Any | None:
    found = None
    for entry in entries if entries.__class__ is list else _checked(entries):
        # The whole map is read at every call, for nobody tells when it changes: entries as most are take the short way.
        if entry.__class__ is dict:
            name, handler = entry.get("provider"), entry.get("custom_handler")
            if name.__class__ is str and name and handler is not None and handler.__class__ is not str:
                if name == provider:
                    found = handler
                continue
        name, handler = _read(entry, entries.index(entry))
        if name == provider:
            found = handler
    return found


def _checked(entries: Any) -> Any:
    if not isinstance(entries, (list, tuple)):
        raise InputError(f"litellm.custom_provider_map must be a list, not {_shown(entries)}")
    return cast("Any", entries)


def _read(entry: Any, place: int) -> tuple[str, Any]:
    """Return the provider and the handler of an entry."""
    if isinstance(entry, Mapping):
        known = cast("Mapping[str, Any]", entry)
        name, handler = known.get("provider"), known.get("custom_handler")
        if isinstance(name, str) and name and handler is not None and not isinstance(handler, str):
            return name, handler
    raise InputError(
        f"litellm.custom_provider_map[{place}] must be {{'provider': name, 'custom_handler': handler}}, "
        f"a text and an instance or a class, not {_shown(entry)}"
    )


def _shown(value: Any) -> str:
    """Return what a value is, without the contents of objects, which may be secret."""
    if isinstance(value, Mapping):
        known = cast("Mapping[Any, Any]", value)
        return "{" + ", ".join(f"{key!r}: {_shown(part)}" for key, part in known.items()) + "}"
    return repr(value)[:80] if isinstance(value, (str, int, float, type(None))) else f"a {type(value).__name__}"
