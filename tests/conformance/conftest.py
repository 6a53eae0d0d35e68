"""Models with any set of hooks, all of which echo; a kit that does not wait long; and the means to cut guarantees out.

A test marked `cuts("stop:*:cut", hooks="_call")` runs once for each check that the pattern names. It takes a piece of
the framework away by `patch`, then calls `caught()`, which asserts that the check fails; the mark says on which model:
`hooks` of an echo, a class (`make`), or the name of one of this file's (`of`).
"""

from __future__ import annotations

import asyncio
import sys
import types
from collections.abc import Callable, Iterable
from fnmatch import fnmatch
from typing import Any

import pytest
from pydantic import SecretStr

from modelport import LLM, ChatModel, EmbeddingModel, GenerationChunk, ImageModel
from modelport.models.handler import CustomLLM
from modelport.testing import all_checks, gates
from modelport.testing.kit import find_check, run_check
from modelport.testing.subjects import Subjects


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


@pytest.fixture
def subject_class() -> Callable[[str], Callable[[], Any]]:
    """A class of an embedding or image model, or of a handler, by its name."""
    return {**VALUE_MODELS, **HANDLERS}.__getitem__


@pytest.fixture
def echo_class() -> Callable[..., type[Any]]:
    """A class of a text or chat model with the given hooks."""
    return make_class


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "GLANCE_SECONDS", 0.01)
    monkeypatch.setattr(gates, "SOON_SECONDS", 0.003)


class Patch:
    """Takes pieces of the framework away, wherever they are imported."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.kept: list[Any] = []

    def everywhere(self, piece: Any, replacement: Any) -> None:
        """Replace a function or class in every module of the framework that has it."""
        found = 0
        for name, module in list(sys.modules.items()):
            if name.startswith("modelport.") and not name.startswith("modelport.testing"):
                for key, value in list(vars(module).items()):
                    if value is piece:
                        self.monkeypatch.setattr(module, key, replacement)
                        found += 1
        assert found, f"nothing to cut: {piece}"

    def method(self, cls: type, name: str, replacement: Any) -> None:
        """Replace what a class has itself."""
        assert name in vars(cls), f"nothing to cut: {cls}.{name}"
        self.monkeypatch.setattr(cls, name, replacement)

    def number(self, name: str, value: float) -> None:
        """Replace a constant of the engine."""
        modules = [one for key, one in sys.modules.items() if key.startswith("modelport.") and hasattr(one, name)]
        assert modules, f"nothing to cut: {name}"
        for module in modules:
            if not module.__name__.startswith("modelport.testing"):
                self.monkeypatch.setattr(module, name, value)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cuts(*checks, hooks, chat, make, of): the checks that must fail after this cut")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "caught" not in metafunc.fixturenames:
        return
    cases = []
    for mark in metafunc.definition.iter_markers("cuts"):
        ids = [one.id for pattern in mark.args for one in all_checks() if fnmatch(one.id, pattern)]
        assert ids, f"no check is named {mark.args}"
        make = mark.kwargs.get("make")
        model = mark.kwargs.get("of") or (mark.kwargs.get("hooks", "_stream") if make is None else make.__name__)
        name = f"{model.replace(' ', '+')}{'-chat' if mark.kwargs.get('chat') else ''}"
        cases += [pytest.param((one, mark.kwargs), id=f"{one}-{name}") for one in dict.fromkeys(ids)]
    metafunc.parametrize("cut", cases)


@pytest.fixture
def patch(monkeypatch: pytest.MonkeyPatch) -> Patch:
    """Means to take pieces of the framework away until the test ends."""
    return Patch(monkeypatch)


@pytest.fixture
def caught(cut: tuple[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Asserts that the check fails; before the cut it passed."""
    check_id, options = cut
    make = options.get("make") or {**VALUE_MODELS, **HANDLERS}.get(options.get("of", ""))
    if make is None:
        make = make_class(options.get("hooks", "_stream").split(), chat=options.get("chat", False))
    one, subject = find_check(check_id), Subjects(make)
    whole = asyncio.run(run_check(one, subject))
    assert (whole.outcome, whole.seen) == ("pass", "")
    # A look must be long enough to see what is wrong, a wait for what never comes may be short.
    monkeypatch.setattr(gates, "GLANCE_SECONDS", 0.1)
    monkeypatch.setattr(gates, "PATIENCE_SECONDS", 0.15)

    def assert_caught() -> None:
        result = asyncio.run(run_check(one, subject))
        assert result.outcome == "fail", f"{check_id} did not notice: {result.outcome} {result.seen}"

    return assert_caught
