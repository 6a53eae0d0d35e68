"""The models that modelport ships: OpenAI-compatible servers, any JSON API by template, and mocks.

Each is a model like any author's: a class with hooks, to which the engine gives all guarantees.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelport.providers.http import HTTPChatModel as HTTPChatModel
    from modelport.providers.http import HTTPModel as HTTPModel
    from modelport.providers.http import http_model as http_model
    from modelport.providers.mock import MockLLM as MockLLM
    from modelport.providers.mock import MockModel as MockModel
    from modelport.providers.mock_values import MockEmbeddings as MockEmbeddings
    from modelport.providers.mock_values import MockImages as MockImages
    from modelport.providers.openai_compatible import OpenAICompatible as OpenAICompatible
    from modelport.providers.openai_completions import OpenAICompatibleCompletions as OpenAICompatibleCompletions
    from modelport.providers.openai_embeddings import OpenAICompatibleEmbeddings as OpenAICompatibleEmbeddings
    from modelport.providers.openai_images import OpenAICompatibleImages as OpenAICompatibleImages

_MODULE_OF_NAME = {
    "OpenAICompatible": "openai_compatible",
    "OpenAICompatibleCompletions": "openai_completions",
    "OpenAICompatibleEmbeddings": "openai_embeddings",
    "OpenAICompatibleImages": "openai_images",
    "HTTPModel": "http",
    "HTTPChatModel": "http",
    "http_model": "http",
    "MockModel": "mock",
    "MockLLM": "mock",
    "MockEmbeddings": "mock_values",
    "MockImages": "mock_values",
}

__all__ = sorted(_MODULE_OF_NAME)  # noqa: PLE0605  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF_NAME.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF_NAME})
