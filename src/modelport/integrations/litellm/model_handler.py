"""A model of ours behind the methods that LiteLLM calls on a custom handler.

The methods call the SDK, so all that it enforces holds; what they give and raise are the installed LiteLLM's types.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import AsyncGenerator, Generator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from modelport.integrations.litellm.foreign_errors import foreign_error
from modelport.integrations.litellm.foreign_values import (
    ChunkLine,
    fill_completion,
    fill_embeddings,
    fill_images,
)
from modelport.registry.sources import add_source
from modelport.values.errors import BadRequestError, KeywordError

if TYPE_CHECKING:
    from modelport.registry.provider import Provider

_INTERNAL = frozenset({
    "stream", "stream_options", "max_retries", "extra_body", "litellm_call_id", "litellm_logging_obj", "model",
    "custom_llm_provider", "acompletion", "aembedding", "aimg_generation", "async_call", "messages", "prompt", "input",
    "image", "client", "litellm_metadata", "metadata", "secret_fields", "drop_params", "num_retries", "fallbacks",
    "mock_response", "config", "timeout", "api_key", "api_base", "base_url", "headers", "extra_headers",
    "user_api_key_dict", "proxy_server_request",
})  # fmt: skip
"""What LiteLLM puts among a caller's parameters, or gives apart."""
_ALWAYS_TOLD = ("tools", "response_format")
"""Parameters that a model cannot leave unheeded: without them the answer is another one."""
_numbers = itertools.count(1)
_handlers: weakref.WeakValueDictionary[str, ModelHandler] = weakref.WeakValueDictionary()


class ModelHandler:
    """Is what the classes of handlers share, whichever LiteLLM they are made for."""

    litellm: Any
    """The installed package."""

    def __init__(self, model: Any) -> None:
        """Make one.

        Raises:
            InputError: It is no model.
        """
        super().__init__()
        from modelport.registry.provider import provider_of
        from modelport.registry.providers import resolve

        self.source: Provider = resolve(model).source if isinstance(model, str) else provider_of(model)
        """Who gives the models that answer."""
        self.provider_name = "custom"
        """What errors call the provider."""
        self._named = model.partition("/")[2] if isinstance(model, str) else ""
        # The SDK finds models by name: this name is nobody else's.
        self._name = f"litellm-handler-{next(_numbers)}"
        _handlers[self._name] = self

    # --- answers ---------------------------------------------------------------------------------

    def completion(self, model: str, messages: list[Any], model_response: Any = None, **passed: Any) -> Any:
        """Return an answer as LiteLLM's `ModelResponse`."""
        from modelport.sdk.chat import answer, request_of

        try:
            given = self._given("chat", model, passed)
            found = answer(request_of(self._path(model), messages, given))
        except Exception as error:
            raise self._failure(error, model) from error
        return fill_completion(self.litellm, model_response, found, model)

    async def acompletion(self, model: str, messages: list[Any], model_response: Any = None, **passed: Any) -> Any:
        """Return an answer, on the running loop."""
        from modelport.sdk.chat import aanswer, request_of

        try:
            given = self._given("chat", model, passed)
            found = await aanswer(request_of(self._path(model), messages, given))
        except Exception as error:
            raise self._failure(error, model) from error
        return fill_completion(self.litellm, model_response, found, model)

    def streaming(self, model: str, messages: list[Any], **passed: Any) -> Generator[Any, None, None]:
        """Yield the chunks of an answer."""
        from modelport.sdk.chat import completion

        try:
            line = ChunkLine(self.litellm, model)
            given = self._streamed(model, passed, line)
            with completion(self._path(model), messages, stream=True, **given) as chunks:
                for chunk in chunks:
                    yield from line.chunks(chunk)
            yield from line.last_chunks()
        except Exception as error:
            raise self._failure(error, model) from error

    async def astreaming(self, model: str, messages: list[Any], **passed: Any) -> AsyncGenerator[Any, None]:
        """Yield the chunks of an answer, on the running loop."""
        from modelport.sdk.chat import acompletion

        try:
            line = ChunkLine(self.litellm, model)
            given = self._streamed(model, passed, line)
            async with await acompletion(self._path(model), messages, stream=True, **given) as chunks:
                async for chunk in chunks:
                    for one in line.chunks(chunk):
                        yield one
            for one in line.last_chunks():
                yield one
        except Exception as error:
            raise self._failure(error, model) from error

    # --- vectors and images ----------------------------------------------------------------------

    def embedding(self, model: str, input: Any, model_response: Any = None, **passed: Any) -> Any:
        """Return vectors as LiteLLM's `EmbeddingResponse`."""
        from modelport.sdk.embeddings import embedding

        try:
            answer = embedding(self._path(model), input, **self._given("embedding", model, passed))
        except Exception as error:
            raise self._failure(error, model) from error
        return fill_embeddings(self.litellm, model_response, answer, model)

    async def aembedding(self, model: str, input: Any, model_response: Any = None, **passed: Any) -> Any:
        """Return vectors, on the running loop."""
        from modelport.sdk.embeddings import aembedding

        try:
            answer = await aembedding(self._path(model), input, **self._given("embedding", model, passed))
        except Exception as error:
            raise self._failure(error, model) from error
        return fill_embeddings(self.litellm, model_response, answer, model)

    def image_generation(self, model: str, prompt: str, model_response: Any = None, **passed: Any) -> Any:
        """Return images as LiteLLM's `ImageResponse`."""
        from modelport.sdk.images import image_generation

        try:
            answer = image_generation(prompt, self._path(model), **self._given("image", model, passed))
        except Exception as error:
            raise self._failure(error, model) from error
        return fill_images(self.litellm, model_response, answer)

    async def aimage_generation(self, model: str, prompt: str, model_response: Any = None, **passed: Any) -> Any:
        """Return images, on the running loop."""
        from modelport.sdk.images import aimage_generation

        try:
            answer = await aimage_generation(prompt, self._path(model), **self._given("image", model, passed))
        except Exception as error:
            raise self._failure(error, model) from error
        return fill_images(self.litellm, model_response, answer)

    def image_edit(self, model: str, image: Any, prompt: str | None, model_response: Any = None, **passed: Any) -> Any:
        """Return edited images as LiteLLM's `ImageResponse`."""
        from modelport.sdk.images import image_edit

        try:
            answer = image_edit(image, prompt or "", self._path(model), **self._given("image", model, passed))
        except Exception as error:
            raise self._failure(error, model) from error
        return fill_images(self.litellm, model_response, answer)

    async def aimage_edit(
        self, model: str, image: Any, prompt: str | None, model_response: Any = None, **passed: Any
    ) -> Any:
        """Return edited images, on the running loop."""
        from modelport.sdk.images import aimage_edit

        try:
            answer = await aimage_edit(image, prompt or "", self._path(model), **self._given("image", model, passed))
        except Exception as error:
            raise self._failure(error, model) from error
        return fill_images(self.litellm, model_response, answer)

    # --- what a call is given --------------------------------------------------------------------

    def _path(self, model: str) -> str:
        return f"{self._name}/{self._named or model}"

    def _given(self, kind: Any, model: str, passed: Mapping[str, Any]) -> dict[str, Any]:
        """Return the SDK's keywords for what LiteLLM passes to a method.

        Raises:
            KeywordError: The model does not support a parameter that changes what is asked.
        """
        params: dict[str, Any] = passed.get("optional_params") or {}
        params = {**params, **(params.get("extra_body") or {})}
        internal = {*_INTERNAL, *getattr(self.litellm.types.utils, "all_litellm_params", ())}
        given = {name: value for name, value in params.items() if name not in internal and value is not None}
        about: dict[str, Any] = passed.get("litellm_params") or {}
        if not (self.litellm.drop_params or about.get("drop_params")):
            self._check(kind, model, given)
        more = {name: passed.get(name) for name in ("timeout", "api_key", "api_base", "client")}
        more["headers"] = passed.get("headers") or None
        more["metadata"] = about.get("metadata") or None
        return {**given, **{name: value for name, value in more.items() if value is not None}, "drop_params": True}

    def _streamed(self, model: str, passed: Mapping[str, Any], line: ChunkLine) -> dict[str, Any]:
        given = self._given("chat", model, passed)
        if given.get("n", 1) != 1 and not line.has_choices:
            raise BadRequestError("this release of LiteLLM mixes the choices of a stream; ask for n=1, or update it")
        return {**given, "stream_options": {"include_usage": True}}

    def _check(self, kind: Any, model: str, given: Mapping[str, Any]) -> None:
        if self.source.is_handler or not any(name in given for name in _ALWAYS_TOLD):
            return
        own: Any = self.source.model_for(kind, self._named or model, api_key=None, api_base=None)
        supported = {feature for hook in own.__modelport_hooks__.present.values() for feature in hook.supports}
        for name in _ALWAYS_TOLD:
            if name in given and name not in supported:
                raise KeywordError(f"the model does not support {name!r}; leave it out", param=name)

    def _failure(self, error: Exception, model: str) -> Exception:
        return foreign_error(self.litellm, error, model=model, provider=self.provider_name)


@cache
def handler_class(litellm: Any) -> type[Any]:
    """Return the class of handlers for an installed LiteLLM: a subclass of its `CustomLLM`."""
    return type(
        "ModelportLLM",
        (ModelHandler, litellm.CustomLLM),
        {"litellm": litellm, "__doc__": "Is a model of modelport's as a handler of LiteLLM.", "__module__": __name__},
    )


def _source_of(name: str) -> Any | None:
    handler = _handlers.get(name)
    return handler.source if handler is not None else None


add_source(_source_of)
