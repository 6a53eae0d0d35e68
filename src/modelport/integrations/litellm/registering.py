"""`register_litellm`: a model of ours as a provider of the installed LiteLLM; `to_litellm`: the handler alone.

    register_litellm(MyModel(), "my-llm")
    litellm.completion(model="my-llm/any", messages=[{"role": "user", "content": "Hello"}])

These two import LiteLLM itself, which takes seconds; the names beside them are this package's own.
"""

from __future__ import annotations

import logging
import re
import threading
from typing import Any

from modelport.integrations.litellm.installed import installed_litellm
from modelport.integrations.litellm.model_handler import handler_class
from modelport.values.errors import InputError

logger = logging.getLogger("modelport.litellm")
_lock = threading.Lock()


def register_litellm(model: Any, provider: str | None = None) -> Any:
    """Make a model callable by LiteLLM as `provider/…`: by its functions, its Router, and its proxy in this process.

    All that LiteLLM's functions ask of a custom provider is answered: `completion` and `acompletion`, streaming or
    not, with `n`, `stop`, `max_tokens`, tools and usage; `embedding` and `image_generation`, when the model does
    that. Parameters that the model does not take are dropped with one log line, `tools` and `response_format` are an
    error, as on the gateway. LiteLLM itself refuses `dimensions` and `encoding_format` of embeddings before a handler
    hears of them: set `drop_params` there for OpenAI's own client, which always sends the latter. `n`, `size` and the
    like of images it loses; they arrive in `extra_body={"n": 2, "size": "512x512"}`.

    Args:
        model: A model of any kind, a handler, the class of either, or the `provider/model` name of one here.
        provider: The provider's name in LiteLLM; None: the model's name in small letters, `MyLLM` as `my-llm`. The
            name of an earlier registration is taken over.

    Returns:
        The `litellm.CustomLLM` that stands in `litellm.custom_provider_map`.

    Raises:
        InputError: The name is one of LiteLLM's own providers, or the value is no model.
        LoadError: LiteLLM is too old.
        MissingExtraError: LiteLLM is not installed.
    """
    litellm = installed_litellm()
    handler = to_litellm(model)
    name = _checked(provider if provider is not None else _name_of(model), litellm)
    handler.provider_name = name
    with _lock:
        entries: list[Any] = litellm.custom_provider_map
        known = [entry for entry in entries if entry["provider"] == name]
        for entry in known:
            logger.warning("%r was registered with LiteLLM before; the last registration counts", name)
            entry["custom_handler"] = handler
        if not known:
            entries.append({"provider": name, "custom_handler": handler})
        # Releases before 1.91 know a name only after their first call; the Router wants it before.
        litellm.utils.custom_llm_setup()
    return handler


def to_litellm(model: Any) -> Any:
    """Return a genuine `litellm.CustomLLM` on a model, without registering it.

    A LiteLLM proxy's config names it: `custom_provider_map: [{provider: my-llm, custom_handler: my_module.handler}]`.

    Args:
        model: As for `register_litellm`.

    Raises:
        InputError: It is no model.
        LoadError: LiteLLM is too old.
        MissingExtraError: LiteLLM is not installed.
    """
    return handler_class(installed_litellm())(model)


def _name_of(model: Any) -> str:
    if isinstance(model, str):
        return model.partition("/")[0]
    own: Any = getattr(model, "name", None)
    name = own if isinstance(own, str) and own else model.__name__ if isinstance(model, type) else type(model).__name__
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


def _checked(name: Any, litellm: Any) -> str:
    if not isinstance(name, str) or not name or "/" in name:
        raise InputError(f"a provider's name is a text without a slash, not {name!r:.100}")
    own = {getattr(one, "value", one) for one in getattr(litellm, "LlmProviders", ())}
    if name in own or (name in litellm.provider_list and not _is_custom(name, litellm)):
        raise InputError(f"{name!r} is a provider of LiteLLM's own, which would answer; give another name")
    return name


def _is_custom(name: str, litellm: Any) -> bool:
    return name in litellm._custom_providers or any(  # noqa: SLF001 - LiteLLM has no other list of them
        entry["provider"] == name for entry in litellm.custom_provider_map
    )
