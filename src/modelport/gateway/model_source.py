"""What answers under a name of the gateway: from `use` and `params` to a provider and the model's name there.

`use` comes from the operator only.
"""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

from modelport.gateway.environment import Unset
from modelport.gateway.handler_map import handler_provider
from modelport.gateway.mocked import AbsentProvider, MockedProvider
from modelport.gateway.settings import DeploymentSettings, GatewaySettings
from modelport.gateway.source import Source
from modelport.registry.loader import FORM, described, load_object
from modelport.registry.made import made_provider, takes
from modelport.registry.provider import FactoryProvider, is_handler
from modelport.registry.providers import find_provider, no_provider
from modelport.values.errors import InputError, LoadError, ModelNotFoundError, ModelportError
from modelport.values.status_errors import InternalServerError

__all__ = ["Source", "make_source", "sources_of", "sources_of_mapping"]

logger = logging.getLogger("modelport.gateway")

_IMPORT_PATH = re.compile(r".*\.py:[\w.]+|[^/\\]+:[\w.]+|[\w.]+\.\w+")
"""`file.py:attr`, `module:attr` or `module.attr`."""
_PER_CALL = ("api_key", "api_base", "base_url", "defaults")
"""Params that are not for a class but for each call, unless the class has such a field."""


def make_source(use: str, params: Mapping[str, Any], settings: GatewaySettings) -> Source:
    """Return what answers for a `use` and its `params`.

    Raises:
        LoadError: It cannot be imported or made, or is no model; the cause is the original error.
    """
    name, slash, model = use.partition("/")
    known = None if _IMPORT_PATH.fullmatch(use) and not slash else _provider_named(name, settings)
    if known is None or ".py:" in use:
        if settings.is_litellm or (slash and not _IMPORT_PATH.fullmatch(use)):
            return _unknown(use, name, settings)
        if not _IMPORT_PATH.fullmatch(use):
            raise LoadError(f"{use!r} is no import path and no provider; {FORM}, or 'provider/model'")
        return _of_import_path(use, params, settings)
    unset = next((value.name for value in params.values() if isinstance(value, Unset)), None)
    if unset is not None:
        text = f"{use!r} cannot be called: its address is the environment variable {unset!r}, which is not set"
        return Source(AbsentProvider(InternalServerError(text)), model or name, label=use)
    if "mock_response" in params:
        return Source(_mocked(use, params), model or name, label=use)
    if isinstance(known, FactoryProvider):
        return _of_factory(known, use, model or name, params)
    return _source(known, use, model or name, use, params)


def sources_of(settings: GatewaySettings, before: Mapping[str, list[Source]] | None = None) -> dict[str, list[Source]]:
    """Return the sources of all models by their names; one for each deployment.

    Handlers are loaded first, so that models and handlers can call them.

    Args:
        settings: The config.
        before: The sources of the config before a reload: those that would be made of the same things stay the same,
            with their loaded models and open connections.

    Raises:
        LoadError: One cannot be imported or made; the message says which, without secrets.
    """
    for provider in settings.handlers:
        place = "litellm_settings.custom_provider_map" if settings.is_litellm else "handlers"
        _at(f"{place}: {provider}", settings, lambda name=provider: handler_provider(name, settings))
    old = [source for several in (before or {}).values() for source in several]
    found: dict[str, list[Source]] = {}
    for name, model in settings.models.items():
        found[name] = []
        for index, part in enumerate(model.parts()):
            place = f"models.{name}" + (f".deployments[{index}]" if model.deployments else "")
            source = _at(place, settings, lambda one=part: _kept_or_made(one, settings, old))
            found[name].append(source)
    return found


def _kept_or_made(part: DeploymentSettings, settings: GatewaySettings, old: list[Source]) -> Source:
    origin = _origin(part.use, settings)
    params = part.params
    if part.max_concurrency is not None and isinstance(origin, type):
        # What a client leaves may go on in its thread: the model, which knows of it, keeps the bound too.
        params = {"max_concurrency": part.max_concurrency, **params}
    for source in old:
        if origin is not None and source.origin is origin and source.made_of == (part.use, params):
            return source
    source = make_source(part.use, params, settings)
    source.made_of, source.origin = (part.use, params), origin
    return source


def _origin(use: str, settings: GatewaySettings) -> Any:
    """Return what a `use` leads to: the very same object as long as nothing behind it has changed."""
    name, slash, _ = use.partition("/")
    known = None if _IMPORT_PATH.fullmatch(use) and not slash else _provider_named(name, settings)
    if known is not None and ".py:" not in use:
        return known
    return load_object(use, settings.folder) if _IMPORT_PATH.fullmatch(use) and not settings.is_litellm else None


def sources_of_mapping(models: Mapping[str, Any]) -> dict[str, Source]:
    """Return the sources of models and handlers by their names.

    Args:
        models: Models of any kind, handlers, or the class of either, which is made without arguments.

    Raises:
        InputError: A name is no text, or a value is none of these.
        LoadError: A class cannot be made.
    """
    found: dict[str, Source] = {}
    for name, value in models.items():
        if not isinstance(name, str) or not name:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InputError(f"a model's name is a text, not {name!r:.100}")
        if isinstance(value, Source):
            found[name] = value
            continue
        try:
            label = value.__name__ if isinstance(value, type) else type(value).__name__
            found[name] = Source(made_provider(value, {}, label), name_to_fill(name), label=label)
        except LoadError as error:
            if error.__cause__ is None:
                raise InputError(f"models.{name}: {error}") from None
            raise LoadError(f"models.{name}: {error}") from error.__cause__
    return found


def name_to_fill(name: str) -> str:
    """Return the model's name under which a handler with this name sees the one that was asked for."""
    # After a slash the router fills in the rest only.
    return "*" if "*" in name and not name.endswith("/*") else name


def _at(place: str, settings: GatewaySettings, make: Callable[[], Any]) -> Any:
    """Return what is made; errors name the place in the config and show no secret."""
    try:
        return make()
    except LoadError as error:
        text = settings.scrubber().without_secrets(str(error))
        failure, cause = LoadError(f"{place}: {text}"), error.__cause__
    # Raised outside of the handler: the first error's text may hold secrets.
    raise failure from cause


def _provider_named(name: str, settings: GatewaySettings) -> Any | None:
    if name in settings.handlers:
        return handler_provider(name, settings)
    return find_provider(name)


def _of_import_path(use: str, params: Mapping[str, Any], settings: GatewaySettings) -> Source:
    # From now on files that are loaded may say `import litellm` where LiteLLM is not installed.
    importlib.import_module("modelport.integrations.litellm")
    attr = re.split(r"[:.]", use)[-1]
    return _source(load_object(use, settings.folder), use, attr, attr, params)


def _unknown(use: str, name: str, settings: GatewaySettings) -> Source:
    """Return what answers 404, in a LiteLLM config: its entries for providers that are not here are no mistakes."""
    error = no_provider(use, name, settings.handlers)
    if not settings.is_litellm:
        raise LoadError(str(error))
    logger.warning("%s; requests for it are answered with 404", error)
    shown = ModelNotFoundError(f"{use!r} cannot be called: there is no provider {name!r} here")
    return Source(AbsentProvider(shown), use, label=use)


def _source(found: Any, use: str, model: str, label: str, params: Mapping[str, Any]) -> Source:
    """Return the source of a model or handler, or of the class of either."""
    given = {name: value for name, value in params.items() if name in _PER_CALL and not takes(found, name)}
    if isinstance(found, type) and not is_handler(found):
        given = {}  # what a model's fields do not know is a mistake
    provider = made_provider(found, {name: params[name] for name in params if name not in given}, use)
    return Source(
        provider,
        model,
        label=label,
        api_key=given.get("api_key"),
        api_base=given.get("api_base") or given.get("base_url"),
        defaults=_checked_defaults(use, given.get("defaults")),
    )


def _of_factory(known: FactoryProvider, use: str, model: str, params: Mapping[str, Any]) -> Source:
    """Return the source of a provider that makes its models; what is wrong with the params is said now."""
    fields = {name: value for name, value in params.items() if value is not None}
    provider = known.with_fields(fields)
    if use.startswith("http/") and "*" in model:
        raise LoadError(
            f"{use!r} cannot be filled in by clients: the name after 'http/' says how a server is spoken to"
        )
    try:
        if "*" in model:
            provider.new_model("chat", model.replace("*", "check"))
        else:
            provider.model_for("chat", model, api_key=None, api_base=None)
    except InputError as error:
        raise LoadError(f"{use!r} cannot be made: {error}") from error
    except Exception as error:
        raise LoadError(f"{use!r} cannot be made: {described(error)}") from error
    return Source(provider, model, label=use)


def _mocked(use: str, params: Mapping[str, Any]) -> MockedProvider:
    try:
        return MockedProvider(use, {name: value for name, value in params.items() if name.startswith("mock_")})
    except ModelportError as error:
        raise LoadError(f"{use!r} cannot be mocked: {error}") from error


def _checked_defaults(use: str, value: Any) -> dict[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise LoadError(f"{use!r}: params.defaults must be a mapping of parameters, not a {type(value).__name__}")
    return dict(value or {})  # pyright: ignore[reportUnknownArgumentType]
