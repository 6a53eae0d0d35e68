"""Models of every kind with any set of hooks, all of which echo, and handlers with every method."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import SecretStr

from modelport import LLM, ChatModel, EmbeddingModel, GenerationChunk, ImageModel
from modelport.models.handler import CustomLLM


def _call(self, prompt, stop=None, run_manager=None):
    return prompt


async def _acall(self, prompt, stop=None, run_manager=None):
    return prompt


def _stream(self, prompt, stop=None, run_manager=None):
    for character in prompt:
        yield GenerationChunk(text=character)


async def _astream(self, prompt, stop=None, run_manager=None):
    for character in prompt:
        yield character


def _batch(self, prompts, stop=None, run_manager=None):
    return list(prompts)


async def _abatch(self, prompts, stop=None, run_manager=None):
    return list(prompts)


def _chat_call(self, messages, stop=None, run_manager=None):
    return messages[-1].text


async def _chat_acall(self, messages, stop=None, run_manager=None):
    return messages[-1].text


def _chat_stream(self, messages, stop=None, run_manager=None):
    yield from messages[-1].text


async def _chat_astream(self, messages, stop=None, run_manager=None):
    for character in messages[-1].text:
        yield character


def _chat_batch(self, messages, stop=None, run_manager=None):
    return [one[-1].text for one in messages]


async def _chat_abatch(self, messages, stop=None, run_manager=None):
    return [one[-1].text for one in messages]


TEXT_HOOKS = {hook.__name__: hook for hook in (_call, _acall, _stream, _astream, _batch, _abatch)}
CHAT_HOOKS = {
    hook.__name__.replace("_chat", ""): hook
    for hook in (_chat_call, _chat_acall, _chat_stream, _chat_astream, _chat_batch, _chat_abatch)
}


def make_class(hooks: Iterable[str], *, chat: bool = False) -> type[Any]:
    base, table = (ChatModel, CHAT_HOOKS) if chat else (LLM, TEXT_HOOKS)
    namespace: dict[str, Any] = {name: table[name] for name in hooks}
    namespace |= {"__module__": __name__, "__doc__": "Answers with the prompt."}
    return types.new_class("Echo", (base,), {}, lambda body: body.update(namespace))


# --- models that give no text, and handlers -------------------------------------------------------


def _vectors(texts, dimensions=None):
    return [[float(ord(letter)) for letter in (text + "abc")[: dimensions or 3]] for text in texts]


class SyncEmbeddings(EmbeddingModel):
    """Takes no keyword."""

    def _embed(self, texts):
        return _vectors(texts)


class AsyncEmbeddings(EmbeddingModel):
    """Takes `dimensions` and every other keyword, and counts tokens."""

    def _count_tokens(self, text):
        return 2 + len(text.split())

    async def _aembed(self, texts, dimensions=None, **kwargs):
        return _vectors(texts, dimensions)


class AllEmbeddings(EmbeddingModel):
    """Has both hooks and a secret."""

    api_key: SecretStr = SecretStr("sk-secret")
    """The secret."""

    def _embed(self, texts, dimensions=None, user=None):
        return _vectors(texts, dimensions)

    async def _aembed(self, texts, dimensions=None, user=None):
        return _vectors(texts, dimensions)


class PinnedEmbeddings(EmbeddingModel):
    """Has a client that is bound to one loop."""

    single_loop = True

    async def _aembed(self, texts):
        return _vectors(texts)


class SyncImages(ImageModel):
    """Takes no keyword but `n`, and no mask."""

    def _generate_images(self, prompt, n=1):
        return [f"{prompt} {position}".encode() for position in range(n)]

    def _edit_images(self, images, prompt):
        return [image.data + prompt.encode() for image in images]


class AsyncImages(ImageModel):
    """Takes every keyword, gives one image at a time, and counts tokens."""

    def _count_tokens(self, text):
        return 2 + len(text.split())

    async def _agenerate_images(self, prompt, **kwargs):
        return prompt.encode()

    async def _aedit_images(self, images, prompt, mask=None, **kwargs):
        return images[0]


class SecretImages(ImageModel):
    """Only edits, and has a secret."""

    api_key: SecretStr = SecretStr("sk-secret")
    """The secret."""

    def _edit_images(self, images, prompt, mask=None, n=1, size=None):
        return images

    async def _aedit_images(self, images, prompt, mask=None, n=1, size=None):
        return images


class PinnedImages(ImageModel):
    """Has a client that is bound to one loop, only makes images, and has a secret."""

    api_key: SecretStr = SecretStr("sk-secret")
    """The secret."""

    single_loop = True

    async def _agenerate_images(self, prompt, n=1, size=None):
        return [prompt.encode()] * n


class PinnedEdits(ImageModel):
    """Has a client that is bound to one loop, and only edits."""

    single_loop = True

    async def _aedit_images(self, images, prompt):
        return images


class Completing(CustomLLM):
    """Has the guide's `completion`, and takes all that LiteLLM gives."""

    def completion(self, *args, **kwargs):
        response = kwargs["model_response"]
        response.choices[0].message.content = kwargs["messages"][-1]["content"]
        return response


class AsyncCompleting(CustomLLM):
    """Names what it takes."""

    async def acompletion(self, model, messages, model_response, optional_params, timeout=None):
        return {"choices": [{"message": {"role": "assistant", "content": messages[-1]["content"]}}]}


class Streaming(CustomLLM):
    """Streams as the guide does, and takes no response to fill."""

    def streaming(self, model, messages, optional_params, headers=None, **kwargs):
        for letter in messages[-1]["content"]:
            yield {
                "text": letter,
                "tool_use": None,
                "is_finished": False,
                "finish_reason": "",
                "usage": None,
                "index": 0,
            }


class AsyncStreaming(CustomLLM):
    """Streams text, and takes no response to fill."""

    async def astreaming(self, messages, optional_params, api_key=None, api_base=None):
        for letter in messages[-1]["content"]:
            yield letter


class Embedding(CustomLLM):
    """Answers no chat."""

    def embedding(self, model, input, optional_params=None, timeout=None):
        return [[float(len(one)), 1.0] for one in input]


class Drawing:
    """Is no CustomLLM but has such methods: images by async ones, vectors too."""

    async def aembedding(self, input, **kwargs):
        return {"data": [{"index": index, "embedding": [float(len(one))]} for index, one in enumerate(input)]}

    async def aimage_generation(self, prompt, optional_params, model_response):
        return prompt.encode()

    def image_edit(self, image, prompt, mask=None, **kwargs):
        return image[0]


class Sketching(CustomLLM):
    """Makes images, and edits none."""

    def image_generation(self, prompt, **kwargs):
        return prompt.encode()


class Nothing(CustomLLM):
    """Has no method at all."""


VALUE_MODELS: dict[str, Callable[[], Any]] = {
    one.__name__: one
    for one in (
        *(SyncEmbeddings, AsyncEmbeddings, AllEmbeddings, PinnedEmbeddings),
        *(SyncImages, AsyncImages, SecretImages, PinnedImages, PinnedEdits),
    )
}
HANDLERS: dict[str, Callable[[], Any]] = {
    one.__name__: one
    for one in (
        *(Completing, AsyncCompleting, Streaming, AsyncStreaming),
        *(Embedding, Drawing, Sketching, Nothing),
    )
}
