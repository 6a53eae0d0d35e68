"""What the engine sees of a handler that embeds, makes images or ranks: models whose hooks call its methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, cast

from pydantic import Field
from typing_extensions import override

from modelport.engine.call import Call
from modelport.models.chat import ChatModel
from modelport.models.embedding import EmbeddingModel
from modelport.models.handler import not_implemented
from modelport.models.handler_bridge import is_async_value, wait_for_value
from modelport.models.handler_calls import (
    NO_REQUEST,
    HandlerMethod,
    HandlerRequest,
    embedding_arguments,
    image_arguments,
)
from modelport.models.handler_model import OfHandler
from modelport.models.image import ImageModel
from modelport.values.embeddings import Embedding
from modelport.values.errors import HookError
from modelport.values.usage import Usage
from modelport.wire.embedding_response import embeddings_of
from modelport.wire.received import BadResponseError, field_of


class HandlerEmbeddings(OfHandler, EmbeddingModel):
    """Is a handler's embedding model."""

    handler: Any = Field(repr=False)
    """The handler."""

    @override
    def _call_of(self, text: Any, scope: Any, kwargs: Mapping[str, Any]) -> Call:
        if isinstance(text, list):
            # Token ids: LiteLLM's handlers get them as they are.
            return Call(cast("Any", self), text, scope=scope, kwargs=kwargs)
        return super()._call_of(text, scope, kwargs)

    def vectors_of(self, value: Any, texts: Sequence[Any], label: str) -> list[Any]:
        """Return the vectors that a method gave, with their usage."""
        if field_of(value, "data") is None:
            return _counted(value, texts)
        try:
            result = embeddings_of(value)
        except BadResponseError as error:
            raise HookError(f"{label} returned a response that cannot be read: {error}") from error
        if len(result.embeddings) != len(texts):
            raise HookError(
                f"{label} returned {len(result.embeddings)} vectors for {len(texts)} inputs; it must return one each"
            )
        # The tokens are those of all inputs: the first one carries them.
        given = result.usage if result.usage.total_tokens else None
        usages = [given, *([Usage()] * (len(texts) - 1))] if given else [_tokens_of(one) for one in texts]
        return [Embedding(vector, usage) for vector, usage in zip(result.embeddings, usages, strict=True)]


def _settled(handler: Any, value: Any) -> Any:
    """Return what a sync method returned, awaited when it is to be."""
    return wait_for_value(handler, value) if is_async_value(value) else value


def _counted(value: Any, texts: Sequence[Any]) -> Any:
    """Return plain vectors, those of token ids with their usage; what they are worth the engine says."""
    slots: Any = value.tolist() if hasattr(value, "tolist") else value
    if not any(isinstance(one, list) for one in texts) or not isinstance(slots, (list, tuple)):
        return value
    many = cast("Sequence[Any]", slots)
    if len(many) != len(texts):
        return value
    return [
        one if isinstance(one, (Embedding, Exception)) else Embedding(one, _tokens_of(text))
        for one, text in zip(many, texts, strict=True)
    ]


def _tokens_of(value: Any) -> Usage | None:
    """Return the usage of token ids; that of a text is counted by the engine."""
    if not isinstance(value, list):
        return None
    count = len(cast("list[int]", value))
    return Usage(count, 0, count)


def _embed(self: HandlerEmbeddings, texts: list[Any], request: HandlerRequest | None = None, **kwargs: Any) -> Any:
    method = self.__modelport_methods__["embedding"]
    arguments = embedding_arguments(texts, request or NO_REQUEST, self.params_of(request, kwargs))
    return self.vectors_of(_settled(self.handler, method.call(self.handler, arguments)), texts, method.label)


async def _aembed(
    self: HandlerEmbeddings, texts: list[Any], request: HandlerRequest | None = None, **kwargs: Any
) -> Any:
    method = self.__modelport_methods__["aembedding"]
    arguments = embedding_arguments(texts, request or NO_REQUEST, self.params_of(request, kwargs))
    value = method.call(self.handler, arguments)
    return self.vectors_of(await value if is_async_value(value) else value, texts, method.label)


class HandlerImages(OfHandler, ImageModel):
    """Is a handler's image model."""

    handler: Any = Field(repr=False)
    """The handler."""

    @override
    def _no_hook(self, what: str, example: str) -> NoReturn:
        raise not_implemented()

    def arguments_of(
        self, name: str, prompt: str, n: int, request: HandlerRequest | None, kwargs: Any
    ) -> tuple[HandlerMethod, dict[str, Any]]:
        """Return a method and the keywords that it is called with."""
        method = self.__modelport_methods__[name]
        params = self.params_of(request, kwargs)
        if "n" in params or n != 1:
            params["n"] = n
        return method, image_arguments(prompt, request or NO_REQUEST, params)


def _generate_images(
    self: HandlerImages, prompt: str, n: int = 1, request: HandlerRequest | None = None, **kwargs: Any
) -> Any:
    method, arguments = self.arguments_of("image_generation", prompt, n, request, kwargs)
    return _settled(self.handler, method.call(self.handler, arguments))


async def _agenerate_images(
    self: HandlerImages, prompt: str, n: int = 1, request: HandlerRequest | None = None, **kwargs: Any
) -> Any:
    method, arguments = self.arguments_of("aimage_generation", prompt, n, request, kwargs)
    value = method.call(self.handler, arguments)
    return await value if is_async_value(value) else value


def _edit_images(
    self: HandlerImages,
    images: list[Any],
    prompt: str,
    mask: Any = None,
    n: int = 1,
    request: HandlerRequest | None = None,
    **kwargs: Any,
) -> Any:
    method, arguments = self.arguments_of("image_edit", prompt, n, request, kwargs)
    return _settled(self.handler, method.call(self.handler, {**arguments, **_edited(images, mask)}))


async def _aedit_images(
    self: HandlerImages,
    images: list[Any],
    prompt: str,
    mask: Any = None,
    n: int = 1,
    request: HandlerRequest | None = None,
    **kwargs: Any,
) -> Any:
    method, arguments = self.arguments_of("aimage_edit", prompt, n, request, kwargs)
    value = method.call(self.handler, {**arguments, **_edited(images, mask)})
    return await value if is_async_value(value) else value


def _edited(images: Sequence[Any], mask: Any) -> dict[str, Any]:
    """Return the images of an edit as bytes: `image` is always a list."""
    image = [one.data for one in images]
    return {"image": image} if mask is None else {"image": image, "mask": mask.data}


class HandlerRanking(OfHandler, ChatModel):
    """Is a handler that ranks: LiteLLM has no method for it, so it is a `_rerank` or `_arerank`, as any model's."""

    handler: Any = Field(repr=False)
    """The handler."""


def _rerank(self: HandlerRanking, query: str, **kwargs: Any) -> Any:
    method = self.__modelport_methods__["_rerank"]
    return method.call(self.handler, {"query": query, **kwargs})


async def _arerank(self: HandlerRanking, query: str, **kwargs: Any) -> Any:
    method = self.__modelport_methods__["_arerank"]
    return await method.call(self.handler, {"query": query, **kwargs})


EMBEDDING_METHODS: dict[str, Any] = {"embedding": _embed, "aembedding": _aembed}
"""The hooks of embeddings by the handler's methods that they call."""
IMAGE_METHODS: dict[str, Any] = {
    "image_generation": _generate_images,
    "aimage_generation": _agenerate_images,
    "image_edit": _edit_images,
    "aimage_edit": _aedit_images,
}
"""The hooks of images by the handler's methods that they call."""
RANKING_METHODS: dict[str, Any] = {"_rerank": _rerank, "_arerank": _arerank}
"""The hooks of rankings by the handler's methods that they call."""
