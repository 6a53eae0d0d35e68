"""The providers that come with modelport, made when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from modelport.registry.provider import FactoryProvider, Kind
from modelport.values.errors import InputError


@cache
def _openai() -> FactoryProvider:
    def make(kind: Kind, name: str, *, api_key: str | None, api_base: str | None) -> Any:
        given: dict[str, Any] = {"model": name, "api_key": api_key, "base_url": api_base}
        fields = {field: value for field, value in given.items() if value is not None}
        if kind == "embedding":
            from modelport.providers.openai_embeddings import OpenAICompatibleEmbeddings

            return OpenAICompatibleEmbeddings(**fields)
        if kind == "image":
            from modelport.providers.openai_images import OpenAICompatibleImages

            return OpenAICompatibleImages(**fields)
        from modelport.providers.openai_compatible import OpenAICompatible

        return OpenAICompatible(**fields)

    return FactoryProvider(make)


@cache
def _mock() -> FactoryProvider:
    def make(kind: Kind, name: str, *, api_key: str | None, api_base: str | None) -> Any:
        from modelport.providers.mock import MockModel
        from modelport.providers.mock_values import MockEmbeddings, MockImages

        return {"chat": MockModel, "embedding": MockEmbeddings, "image": MockImages, "rerank": MockModel}[kind]()

    return FactoryProvider(make)


@cache
def _http() -> FactoryProvider:
    def make(kind: Kind, name: str, *, api_key: str | None, api_base: str | None) -> Any:
        raise InputError(
            "an 'http' model is described by its request and its response: make an HTTPModel and register it, or "
            "describe it in config.yaml"
        )

    return FactoryProvider(make)


BUILTIN: dict[str, Callable[[], FactoryProvider]] = {
    "openai": _openai,
    "openai_compatible": _openai,
    "http": _http,
    "mock": _mock,
}
"""The providers by name."""
