"""What the SDK benchmark measures: one echo, answered through modelport, litellm, any-llm and by nothing at all.

litellm and modelport run the same handler, written once over the names of either. any-llm takes no provider from
outside its package by name, so its echo is a provider class as its own are, used as the instance that
`AnyLLM.create` returns: a look-up and a construction per call that `any_llm.completion` makes are not counted.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

FLOOR, OURS, LITELLM, ANY_LLM = "floor", "modelport", "litellm", "any-llm"
MODEL, HANDLER, LOOP_HANDLER = "a model", "a handler", "a handler, caller's loop"
"""The ways to write the echo."""
VECTOR = [index / 384 for index in range(384)]
"""The vector of every text."""
URL = "https://example.com/image.png"
"""The address of every image."""


@dataclass(frozen=True)
class Way:
    """One way to write the echo, and how a side is called for it."""

    completion: Callable[..., Any]
    """Takes messages; with `stream=True` it returns the stream."""
    acompletion: Callable[..., Awaitable[Any]]
    """The same, awaited."""
    image: Callable[[str], Any] | None = None
    """Takes a prompt."""
    aimage: Callable[[str], Awaitable[Any]] | None = None
    """The same, awaited."""
    embedding: Callable[[list[str]], Any] | None = None
    """Takes texts."""
    aembedding: Callable[[list[str]], Awaitable[Any]] | None = None
    """The same, awaited."""
    mock: Callable[..., Any] | None = None
    """Takes messages and `mock_response`."""


Ways = dict[str, Way]
"""A side's ways, by their names."""


# --- the handler: the same code for litellm and modelport ----------------------------------------


def _handler_class(litellm: Any, types: Any) -> type[Any]:
    """The echo as LiteLLM's guide writes handlers; `litellm` is the package or our drop-in for it."""

    class Echo(litellm.CustomLLM):
        def completion(self, *args: Any, **kwargs: Any) -> Any:
            response = kwargs["model_response"]
            response.choices[0].message.content = kwargs["messages"][-1]["content"]
            return response

        async def acompletion(self, *args: Any, **kwargs: Any) -> Any:
            return self.completion(*args, **kwargs)

        def streaming(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
            for token in kwargs["messages"][-1]["content"]:
                yield _generic_chunk(token)
            yield _generic_chunk("", "stop")

        async def astreaming(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            for token in kwargs["messages"][-1]["content"]:
                yield _generic_chunk(token)
            yield _generic_chunk("", "stop")

        def image_generation(self, *args: Any, **kwargs: Any) -> Any:
            return types.ImageResponse(created=int(time.time()), data=[types.ImageObject(url=URL)])

        async def aimage_generation(self, *args: Any, **kwargs: Any) -> Any:
            return self.image_generation(*args, **kwargs)

        def embedding(self, *args: Any, **kwargs: Any) -> Any:
            data = [
                types.Embedding(embedding=VECTOR, index=index, object="embedding")
                for index in range(len(kwargs["input"]))
            ]
            return types.EmbeddingResponse(model=kwargs["model"], data=data)

        async def aembedding(self, *args: Any, **kwargs: Any) -> Any:
            return self.embedding(*args, **kwargs)

    return Echo


def _generic_chunk(text: str, finish_reason: str = "") -> dict[str, Any]:
    """A chunk with all keys that the guide writes, its usage among them."""
    return {
        "finish_reason": finish_reason,
        "index": 0,
        "is_finished": bool(finish_reason),
        "text": text,
        "tool_use": None,
        "usage": {"completion_tokens": 0, "prompt_tokens": 0, "total_tokens": 0},
    }


def _way(sdk: Any, model: str) -> Way:
    """How LiteLLM's functions, and ours, are called; positional arguments differ, so keywords it is."""
    return Way(
        completion=lambda messages, **more: sdk.completion(model=model, messages=messages, **more),
        acompletion=lambda messages, **more: sdk.acompletion(model=model, messages=messages, **more),
        image=lambda prompt: sdk.image_generation(model=model, prompt=prompt),
        aimage=lambda prompt: sdk.aimage_generation(model=model, prompt=prompt),
        embedding=lambda texts: sdk.embedding(model=model, input=texts),
        aembedding=lambda texts: sdk.aembedding(model=model, input=texts),
        mock=lambda messages, answer: sdk.completion(model=model, messages=messages, mock_response=answer),
    )


def litellm_ways() -> Ways:
    """The handler in LiteLLM's `custom_provider_map`, whose prices come from its own files, not from the network."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm
    import litellm.types.utils as types

    litellm.custom_provider_map = [{"provider": "echo", "custom_handler": _handler_class(litellm, types)()}]
    return {HANDLER: _way(litellm, "echo/benchmark")}


def modelport_ways() -> Ways:
    """Models of every kind, the same handler in the drop-in's map, and one whose methods run on the caller's loop."""
    import modelport
    from modelport.integrations import litellm
    from modelport.integrations.litellm.types import utils as types

    class Echo(modelport.ChatModel):
        def _call(self, messages: list[Any], stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            return messages[-1].content

        def _stream(
            self, messages: list[Any], stop: Any = None, run_manager: Any = None, **kwargs: Any
        ) -> Iterator[str]:
            yield from messages[-1].content

        async def _acall(self, messages: list[Any], stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            return messages[-1].content

        async def _astream(
            self, messages: list[Any], stop: Any = None, run_manager: Any = None, **kwargs: Any
        ) -> AsyncIterator[str]:
            for token in messages[-1].content:
                yield token

    class Images(modelport.ImageModel):
        def _generate_images(self, prompt: str, n: int = 1, **kwargs: Any) -> list[str]:
            return [URL] * n

        async def _agenerate_images(self, prompt: str, n: int = 1, **kwargs: Any) -> list[str]:
            return [URL] * n

    class Embeddings(modelport.EmbeddingModel):
        def _embed(self, texts: list[str], **kwargs: Any) -> list[list[float]]:
            return [VECTOR for _ in texts]

        async def _aembed(self, texts: list[str], **kwargs: Any) -> list[list[float]]:
            return [VECTOR for _ in texts]

    handler = _handler_class(litellm, types)
    on_callers_loop = type("OnCallersLoop", (handler,), {"caller_loop": True})
    litellm.custom_provider_map = [
        {"provider": "echo", "custom_handler": handler()},
        {"provider": "echo-on-callers-loop", "custom_handler": on_callers_loop()},
    ]
    for name, model in (("native", Echo()), ("images", Images()), ("embeddings", Embeddings())):
        modelport.register(name, model)
    chat, image, vectors = (_way(modelport, f"{name}/benchmark") for name in ("native", "images", "embeddings"))
    model = Way(
        chat.completion, chat.acompletion, image.image, image.aimage, vectors.embedding, vectors.aembedding, chat.mock
    )
    return {
        MODEL: model,
        HANDLER: _way(modelport, "echo/benchmark"),
        LOOP_HANDLER: _way(modelport, "echo-on-callers-loop/benchmark"),
    }


def any_llm_ways() -> Ways:
    """The echo as a provider class."""
    from sdk_any_llm import Echo

    provider: Any = Echo()
    return {
        MODEL: Way(
            completion=lambda messages, **more: provider.completion("benchmark", messages, **more),
            acompletion=lambda messages, **more: provider.acompletion("benchmark", messages, **more),
            # `any_llm.image_generation` and `any_llm.embedding` call these.
            image=lambda prompt: provider._image_generation("benchmark", prompt),
            aimage=lambda prompt: provider.aimage_generation("benchmark", prompt),
            embedding=lambda texts: provider._embedding("benchmark", texts),
            aembedding=lambda texts: provider.aembedding("benchmark", texts),
        )
    }


def floor_ways() -> Ways:
    """The results alone."""
    from sdk_floor import WAY

    return {MODEL: WAY}


SIDES: dict[str, tuple[str, Callable[[], Ways]]] = {
    OURS: ("modelport", modelport_ways),
    LITELLM: ("litellm", litellm_ways),
    ANY_LLM: ("any-llm-sdk", any_llm_ways),
    FLOOR: ("msgspec", floor_ways),
}
"""The distribution of each side, and what makes its ways."""


def release_of(side: str) -> str:
    """The installed version of a side's distribution; raises PackageNotFoundError when there is none."""
    return version(SIDES[side][0])
