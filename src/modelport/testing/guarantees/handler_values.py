"""Handlers that embed or make images: what their methods are given, and what they may return."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modelport.testing.checks import CheckFailure, NotApplicable, check_each_way, expect, expect_equal
from modelport.testing.gates import patiently
from modelport.testing.handler_faces import MODEL, call_function
from modelport.testing.handler_subject import HandlerSubject, MethodCall
from modelport.testing.value_ways import INPUT_IMAGE, image_of
from modelport.values.errors import HookError
from modelport.wire.embedding_response import EmbeddingObject, EmbeddingResponse, EmbeddingUsage
from modelport.wire.image_response import ImageObject, ImageResponse

SOURCE = "modelport: CustomLLM; custom handler guide"
_EMBEDS = ("embedding", "aembedding")
_IMAGES = ("image_generation", "aimage_generation", "image_edit", "aimage_edit")
_VECTORS = [[1.0, 2.0], [3.0, 4.0]]
_INPUTS: list[tuple[Any, list[Any]]] = [
    ("hello", ["hello"]),
    (["a", "b"], ["a", "b"]),
    ([1, 2], [[1, 2]]),
    ([[1], [2, 3]], [[1], [2, 3]]),
]
"""What a caller gives as `input`, and what a handler gets: one item for each vector that is wanted."""


def _first(subject: HandlerSubject, function: str) -> str:
    """Return the method that answers a function: the one of its own kind, else its twin.

    Raises:
        NotApplicable: The handler has neither.
    """
    twin = function[1:] if function.startswith("a") else f"a{function}"
    return subject.one_of(function, twin).name


async def _call(
    subject: HandlerSubject, function: str, answer: Callable[[MethodCall], Any], **given: Any
) -> tuple[Any, list[MethodCall]]:
    """Call a function whose method answers so; return what it gave, and the calls of the method."""
    watched = subject.watch()
    watched.answer = answer
    if function.endswith("embedding"):
        given = {"input": "hello", **given}
    else:
        given = {"prompt": "a cat", **({"image": INPUT_IMAGE} if function.endswith("edit") else {}), **given}
    async with patiently(f"`{function}`"):
        return await call_function(function, watched.handler, **given), watched.calls


def _one_vector_each(call: MethodCall) -> list[list[float]]:
    return [[float(position), 1.0] for position, _ in enumerate(call.keywords["input"])]


def _one_image(call: MethodCall) -> Any:
    return image_of("x").data


@check_each_way("handler:{way}:inputs", source=SOURCE, ways=_EMBEDS)
async def inputs(subject: HandlerSubject, way: str) -> None:
    """A method gets one list item for each input of `{way}`, texts and token ids alike, and gives a vector for each."""
    subject.needs(subject.methods[_first(subject, way)], "input")
    for given, wanted in _INPUTS:
        response, calls = await _call(subject, way, _one_vector_each, input=given)
        expect_equal([call.keywords["input"] for call in calls], [wanted], f"the `input` for {given!r}")
        vectors = [one.embedding for one in response.data]
        expect_equal(vectors, _one_vector_each(calls[0]), f"the vectors for {given!r}")
        expect_equal([one.index for one in response.data], list(range(len(wanted))), "the indexes")


@check_each_way("handler:{way}:own-params", source=SOURCE, ways=(*_EMBEDS, *_IMAGES))
async def own_params(subject: HandlerSubject, way: str) -> None:
    """The `optional_params` of `{way}` are the caller's own; how vectors are encoded is not the method's business."""
    method = subject.methods[_first(subject, way)]
    subject.needs(method, "optional_params")
    embeds = way.endswith("embedding")
    answer = _one_vector_each if embeds else _one_image
    form = {"encoding_format": "base64"} if embeds else {}
    for own in ({}, {"user": "me", "my_custom_param": [1]}):
        _, calls = await _call(subject, way, answer, timeout=3600, api_key="sk-mine", **form, **own)
        keywords = calls[0].keywords
        expect_equal(keywords["optional_params"], own, f"`optional_params` of a call with {own}")
        due = {"model": MODEL, "api_key": "sk-mine", "timeout": 3600}
        given = {name: keywords[name] for name in due if method.takes(name)}
        expect_equal(given, {name: due[name] for name in given}, f"what `{method.name}` was given")
        others = [name for name in keywords if not method.takes(name)]
        expect(not others, f"`{method.name}` was given {others}, which it does not name")


def _bare_vectors(call: MethodCall) -> list[list[float]]:
    return _VECTORS


def _filled_embeddings(call: MethodCall) -> Any:
    response = call.keywords.get("model_response")
    response = EmbeddingResponse() if response is None else response
    response.data = [EmbeddingObject(index=index, embedding=vector) for index, vector in enumerate(_VECTORS)]
    response.usage = EmbeddingUsage(prompt_tokens=7, total_tokens=7)
    return response


def _embeddings_dict(call: MethodCall) -> Any:
    # Out of order, as a server may answer: the index counts.
    data = [{"object": "embedding", "index": index, "embedding": _VECTORS[index]} for index in (1, 0)]
    return {"object": "list", "data": data, "usage": {"prompt_tokens": 7, "total_tokens": 7}}


@check_each_way("handler:{way}:results", source=SOURCE, ways=_EMBEDS)
async def embedding_results(subject: HandlerSubject, way: str) -> None:
    """A method may return vectors, OpenAI's dict, or the `model_response`, filled: `{way}` gives vectors and usage."""
    _first(subject, way)
    forms: list[tuple[Callable[[MethodCall], Any], bool]] = [
        (_bare_vectors, False),
        (_embeddings_dict, True),
        (_filled_embeddings, True),
    ]
    for answer, tells_usage in forms:
        response, _ = await _call(subject, way, answer, input=["a", "b"])
        expect_equal([one.embedding for one in response.data], _VECTORS, "the vectors")
        tokens = response.usage.prompt_tokens
        expect(tokens == 7 if tells_usage else tokens > 0, f"usage is {response.usage}")


@check_each_way("handler:{way}:too-few", source=SOURCE, ways=_EMBEDS)
async def too_few(subject: HandlerSubject, way: str) -> None:
    """A response with fewer vectors than inputs fails `{way}`, by an error that names the class and the method."""
    name = _first(subject, way)
    for answer in (_bare_vectors, _embeddings_dict):
        try:
            response, _ = await _call(subject, way, answer, input=["a", "b", "c"])
        except HookError as error:
            label = f"{subject.cls.__name__}.{name}"
            expect(label in str(error), f"the message does not name {label}: {str(error)!r}")
        else:
            raise CheckFailure(f"`{way}` gave {len(response.data)} vectors for 3 inputs")


def _filled_images(call: MethodCall) -> Any:
    response = call.keywords.get("model_response")
    response = ImageResponse() if response is None else response
    response.data = [ImageObject(b64_json=image_of("x").b64_json)]
    return response


@check_each_way("handler:{way}:results", source=SOURCE, ways=_IMAGES)
async def image_results(subject: HandlerSubject, way: str) -> None:
    """A method may return bytes, OpenAI's dict or the `model_response`, filled: `{way}` gives OpenAI's images."""
    _first(subject, way)
    image = image_of("x")
    url = "https://example.com/image.png"
    forms: list[tuple[Callable[[MethodCall], Any], str | None, str | None]] = [
        (lambda call: image.data, image.b64_json, None),
        (lambda call: {"created": 7, "data": [{"b64_json": image.b64_json}]}, image.b64_json, None),
        (_filled_images, image.b64_json, None),
        (lambda call: ImageResponse(created=7, data=[ImageObject(url=url)]), None, url),
    ]
    for answer, b64_json, address in forms:
        response, _ = await _call(subject, way, answer)
        given = [(one.b64_json, one.url) for one in response.data]
        expect_equal(given, [(b64_json, address)], "the images")
        expect(response.created > 0, f"the images were created at {response.created!r}")


@check_each_way("handler:{way}:as-many", source=SOURCE, ways=_IMAGES)
async def as_many(subject: HandlerSubject, way: str) -> None:
    """`{way}` with n=2 gives two images of a method that gives one at a time; a method is told `n` when it is given."""
    method = subject.methods[_first(subject, way)]
    response, calls = await _call(subject, way, _one_image, n=2)
    expect_equal([len(response.data), len(calls)], [2, 2], "the number of images, and of method calls")
    if method.takes("optional_params"):
        first = calls[0].keywords["optional_params"]
        expect_equal(first.get("n"), 2, "`n` among the `optional_params` of the first method call")


@check_each_way("handler:{way}:inputs", source=SOURCE, ways=("image_edit", "aimage_edit"))
async def edit_inputs(subject: HandlerSubject, way: str) -> None:
    """A method gets the `image` of `{way}` as a list of bytes, and its `mask` as bytes."""
    method = subject.methods[_first(subject, way)]
    subject.needs(method, "image")
    if not method.takes("mask"):
        raise NotApplicable(f"`{method.name}` takes no `mask`")
    for image, count in ((INPUT_IMAGE, 1), ([INPUT_IMAGE, INPUT_IMAGE], 2)):
        _, calls = await _call(subject, way, _one_image, image=image, mask=INPUT_IMAGE)
        expect_equal(calls[0].keywords["image"], [INPUT_IMAGE] * count, "the `image`")
        expect_equal(calls[0].keywords["mask"], INPUT_IMAGE, "the `mask`")
