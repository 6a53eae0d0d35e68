"""`image_generation` and `image_edit`, of models and of handlers."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

import modelport
from modelport import CustomLLM, ImageModel
from modelport.wire.image_response import ImageObject, ImageResponse

PNG = b"\x89PNG\r\n\x1a\n0000"
URL = "https://example.com/image.png"


class Painting(ImageModel):
    def _generate_images(self, prompt, n=1, size=None):
        return [PNG + prompt.encode()] * n

    async def _aedit_images(self, images, prompt, mask=None, n=1):
        return [images[0].data + prompt.encode() + (mask.data if mask else b"")]


class Handler(CustomLLM):
    """Answers one image a time, without `api_key` and `api_base` parameters (the guide's)."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def aimage_generation(self, model, prompt, model_response, optional_params, logging_obj, timeout=None):
        self.seen.append(optional_params)
        return ImageResponse(created=7, data=[ImageObject(url=URL)])

    def image_edit(self, image, prompt, mask=None, **kwargs):
        self.seen.append((image, mask, kwargs["optional_params"]))
        model_response = kwargs["model_response"]
        model_response.data = [ImageObject(url=URL)]
        return model_response


every_way = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


def generate(is_async: bool, *args: Any, **given: Any) -> Any:
    if is_async:
        return asyncio.run(modelport.aimage_generation(*args, **given))
    return modelport.image_generation(*args, **given)


def edit(is_async: bool, *args: Any, **given: Any) -> Any:
    return asyncio.run(modelport.aimage_edit(*args, **given)) if is_async else modelport.image_edit(*args, **given)


@every_way
def test_images_come_in_the_wanted_form(is_async: bool) -> None:
    modelport.register("m", Painting())
    [image] = generate(is_async, "otter", "m/x").data
    assert image.b64_json
    assert image.url is None
    [image] = generate(is_async, "otter", model="m/x", response_format="url", size="1x1").data
    assert image.url.startswith("data:image/png;base64,")
    assert len(generate(is_async, "otter", "m/x", n=3).data) == 3


@every_way
def test_a_handler_without_key_parameters_makes_images(is_async: bool) -> None:
    handler = Handler()
    modelport.register("h", handler)
    response = generate(is_async, "otter", "h/x", api_key="k", size="1x1", quality="hd", response_format="url")
    assert (response.created, response.data[0].url) == (7, URL)
    assert handler.seen == [{"size": "1x1", "quality": "hd", "response_format": "url"}]


@every_way
def test_a_handler_that_gives_fewer_is_called_again_for_the_missing_ones(is_async: bool) -> None:
    handler = Handler()
    modelport.register("h", handler)
    assert len(generate(is_async, "otter", "h/x", n=3).data) == 3
    assert [params["n"] for params in handler.seen] == [3, 2, 1]


@every_way
def test_images_are_edited(is_async: bool) -> None:
    handler = Handler()
    modelport.register("h", handler)
    modelport.register("m", Painting())
    assert edit(is_async, PNG, "hat", "h/x", mask=PNG, user="u").data[0].url == URL
    assert handler.seen == [([PNG], PNG, {"user": "u"})]
    assert edit(is_async, [PNG], "hat", "m/x").data[0].b64_json


def test_wrong_values_are_the_callers_400() -> None:
    modelport.register("m", Painting())
    for given in ({"n": 0}, {"response_format": "gif"}):
        with pytest.raises(modelport.ModelportError) as failure:
            modelport.image_generation("p", "m/x", **given)  # type: ignore[arg-type]
        assert (failure.value.status_code, failure.value.param) == (400, next(iter(given)))
    with pytest.raises(modelport.ModelportError) as failure:
        modelport.image_edit("https://example.com/a.png", "p", "m/x")
    assert failure.value.status_code == 400


def test_a_handler_that_only_makes_images_says_that_it_edits_none() -> None:
    class Making(CustomLLM):
        def image_generation(self, prompt):
            return URL

    modelport.register("h", Making())
    with pytest.raises(modelport.ModelportError, match="Not implemented yet!") as failure:
        modelport.image_edit(PNG, "p", "h/x")
    assert failure.value.status_code == 500


def test_a_handler_that_gives_no_image_is_told() -> None:
    class Empty(CustomLLM):
        def image_generation(self, **kwargs):
            return []

    modelport.register("h", Empty())
    with pytest.raises(modelport.ModelportError, match=r"Empty\.image_generation gave no image"):
        modelport.image_generation("p", "h/x")


class Sizing(ImageModel):
    """Makes images of a size, and edits images of any."""

    def _generate_images(self, prompt, size="any"):
        return [PNG + str(size).encode()]

    def _edit_images(self, images, prompt):
        return [images[0]]


@every_way
def test_drop_params_keeps_what_the_hook_that_is_called_takes(is_async: bool) -> None:
    modelport.register("sizing", Sizing())
    found = generate(is_async, "sea", "sizing/x", size="big", heat=1, drop_params=True, response_format="b64_json")
    assert base64.b64decode(found.data[0].b64_json) == PNG + b"big"
