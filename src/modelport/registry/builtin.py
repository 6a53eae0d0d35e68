"""The providers that come with modelport, made when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from modelport.registry.http_recipes import http_fields, is_recipe
from modelport.registry.provider import FactoryProvider, Kind
from modelport.values.errors import InputError


@cache
def _openai() -> FactoryProvider:
    def make(kind: Kind, name: str, *, api_key: str | None, api_base: str | None, **fields: Any) -> Any:
        from modelport.providers.openai_compatible import OpenAICompatible
        from modelport.providers.openai_embeddings import OpenAICompatibleEmbeddings
        from modelport.providers.openai_images import OpenAICompatibleImages

        if name in ("openai", "openai_compatible") and "model" not in fields:
            raise InputError(f"{name!r} needs a model's name: write '{name}/NAME'", param="model")
        given = {"model": name, "api_key": api_key, "base_url": api_base}
        fields = {**{field: value for field, value in given.items() if value is not None}, **fields}
        classes = {"embedding": OpenAICompatibleEmbeddings, "image": OpenAICompatibleImages}
        return _made(classes.get(kind, OpenAICompatible), [OpenAICompatible, *classes.values()], fields)

    return FactoryProvider(make)


@cache
def _mock() -> FactoryProvider:
    def make(kind: Kind, name: str, *, api_key: str | None, api_base: str | None, **fields: Any) -> Any:
        from modelport.providers.mock import MockModel
        from modelport.providers.mock_values import MockEmbeddings, MockImages

        classes = {"embedding": MockEmbeddings, "image": MockImages}
        return _made(classes.get(kind, MockModel), [MockModel, *classes.values()], fields)

    return FactoryProvider(make)


def _made(cls: type[Any], family: list[type[Any]], fields: Mapping[str, Any]) -> Any:
    """Return a model with those of the fields that are not for its siblings only; what nobody knows it refuses."""
    for_others = {name for one in family for name in one.model_fields} - set(cls.model_fields)
    return cls(**{name: value for name, value in fields.items() if name not in for_others})


@cache
def _http() -> FactoryProvider:
    def make(kind: Kind, name: str, *, api_key: str | None, api_base: str | None, **fields: Any) -> Any:
        if kind in ("embedding", "image"):
            raise InputError("an 'http' model answers; it makes no embeddings and no images", param="model")
        from modelport.providers.http import http_model

        if not fields and api_base is None and not is_recipe(name):
            raise InputError(
                "an 'http' model is described by its request and its response: make an HTTPModel and register it, or "
                "describe it in config.yaml"
            )
        given = {"api_key": api_key, "base_url": api_base}
        fields.update((field, value) for field, value in given.items() if value is not None)
        return http_model(**http_fields(name, fields))

    return FactoryProvider(make)


BUILTIN: dict[str, Callable[[], FactoryProvider]] = {
    "openai": _openai,
    "openai_compatible": _openai,
    "http": _http,
    "mock": _mock,
}
"""The providers by name."""
