"""Providers that call nothing: `mock_response` in a config, and providers that are not here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from modelport.models.embedding import EmbeddingModel
from modelport.models.image import ImageModel
from modelport.registry.provider import Kind
from modelport.sdk.mocks import mocked_embedding, mocked_images, mocked_model
from modelport.values.errors import InputError
from modelport.values.images import Image
from modelport.values.status_errors import ModelportError


class AbsentProvider:
    """Is in the place of a provider that is not here: every call ends with the same error, without network."""

    is_handler = False

    def __init__(self, error: ModelportError) -> None:
        self.error = error
        """What callers get."""

    def model_for(self, kind: Kind, name: str, *, api_key: str | None, api_base: str | None) -> Any:
        """Raise the error."""
        raise type(self.error)(str(self.error), param=self.error.param, code=self.error.code)


class MockedEmbeddings(EmbeddingModel):
    """Answers every text with the vector that it was made with."""

    response: Any = Field(repr=False)
    """LiteLLM's `mock_response`."""

    async def _aembed(self, texts: list[str]) -> Any:
        return mocked_embedding("mock", self.response, len(texts)).embeddings


class MockedImages(ImageModel):
    """Answers every prompt with the image that it was made with."""

    response: Any = Field(repr=False)
    """LiteLLM's `mock_response`."""

    async def _agenerate_images(self, prompt: str) -> list[Image]:
        return mocked_images(self.response).images

    async def _aedit_images(self, images: list[Image], prompt: str) -> list[Image]:
        return mocked_images(self.response).images


class MockedProvider:
    """Answers what a config's `mock_response` says, in LiteLLM's forms."""

    is_handler = False

    def __init__(self, use: str, given: Mapping[str, Any]) -> None:
        """Make one.

        Args:
            use: What is mocked.
            given: `mock_response`, `mock_tool_calls`, `mock_delay`, `mock_timeout`.

        Raises:
            InputError: The mock response has none of its forms.
        """
        response = given["mock_response"]
        self._models: dict[Kind, Any] = {
            "embedding": MockedEmbeddings(response=response),
            "image": MockedImages(response=response),
        }
        if not isinstance(response, list):  # a vector
            target = mocked_model(use, given)
            assert target is not None, "there is a mock_response"
            self._models["chat"] = target.model_for("chat")

    def model_for(self, kind: Kind, name: str, *, api_key: str | None, api_base: str | None) -> Any:
        """Return the mock of that kind.

        Raises:
            InputError: There is none.
        """
        model = self._models.get(kind)
        if model is None:
            raise InputError(f"this model's mock_response is none for a call of the kind {kind!r}", param="model")
        return model
