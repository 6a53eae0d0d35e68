"""`POST /images/generations`: images of a prompt."""

from __future__ import annotations

import base64
import os
from typing import Any

import pytest

from modelport import LLM, CustomLLM, CustomLLMError, ImageModel
from modelport.values.images import Image

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
GOT: dict[str, Any] = {}


class One(ImageModel):
    """Makes one image at a time."""

    def _generate_images(self, prompt):
        return PNG


class Sized(ImageModel):
    async def _agenerate_images(self, prompt, n=1, size=None, quality=None, **kwargs):
        GOT.update(prompt=prompt, n=n, size=size, quality=quality, kwargs=kwargs)
        return [Image(PNG, revised_prompt=f'{prompt} \u2028"{index}"') for index in range(n)]


class Elsewhere(ImageModel):
    def _generate_images(self, prompt, response_format=None):
        GOT.update(response_format=response_format)
        return "https://example.com/a.png"


class Handler(CustomLLM):
    def image_generation(self, model, prompt, optional_params):
        GOT.update(model=model, prompt=prompt, optional_params=optional_params)
        return {"created": 5, "data": [{"b64_json": base64.b64encode(PNG).decode()}] * optional_params.get("n", 1)}


class AsyncHandler(CustomLLM):
    async def aimage_generation(self, prompt):
        return PNG


every_kind = pytest.mark.parametrize("kind", [One, Sized, Handler, AsyncHandler], ids=lambda kind: kind.__name__)


@every_kind
async def test_as_many_images_come_as_are_wanted(post: Any, conforms: Any, kind: Any) -> None:
    reply = await post(kind(), "images/generations", prompt="a cat", n=3).done()
    assert reply.status == 200, reply.body
    conforms(reply.json, "ImagesResponse")
    assert [base64.b64decode(one["b64_json"]) for one in reply.json["data"]] == [PNG] * 3


@every_kind
async def test_urls_of_what_is_here_are_data_urls(post: Any, conforms: Any, kind: Any) -> None:
    reply = await post(kind(), "images/generations", prompt="a cat", response_format="url").done()
    conforms(reply.json, "ImagesResponse")
    expected = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert [one["url"] for one in reply.json["data"]] == [expected]
    assert "b64_json" not in reply.json["data"][0]


async def test_openais_own_client_reads_the_images(official: Any) -> None:
    answer = await official({"m": Sized()}).images.generate(model="m", prompt="a cat", n=2, size="256x256")
    assert [base64.b64decode(one.b64_json) for one in answer.data] == [PNG, PNG]
    assert answer.data[1].revised_prompt == 'a cat \u2028"1"'


async def test_an_image_that_is_elsewhere_keeps_its_address(post: Any) -> None:
    reply = await post(Elsewhere(), "images/generations", prompt="x", response_format="b64_json").done()
    assert [one["url"] for one in reply.json["data"]] == ["https://example.com/a.png"]
    assert GOT["response_format"] == "b64_json"


async def test_fields_reach_a_hook_that_takes_them_but_none_of_its_own(post: Any) -> None:
    fields = {"n": 2, "size": "512x512", "quality": "hd", "style": "vivid", "config": {}, "mask": "x", "user": "u"}
    await post(Sized(), "images/generations", prompt="x", **fields).done()
    assert (GOT["n"], GOT["size"], GOT["quality"], GOT["kwargs"]) == (2, "512x512", "hd", {"style": "vivid"})


async def test_a_handler_finds_the_clients_own_fields(post: Any) -> None:
    fields = {"n": 2, "size": "512x512", "response_format": "url", "user": None}
    await post(Handler(), "images/generations", prompt="x", **fields).done()
    assert (GOT["model"], GOT["prompt"]) == ("m", "x")
    assert GOT["optional_params"] == {"n": 2, "size": "512x512", "response_format": "url"}


@pytest.mark.parametrize("response_format", ["url", "b64_json"])
async def test_a_long_answer_comes_in_blocks_and_is_whole(post: Any, conforms: Any, response_format: str) -> None:
    long = PNG + os.urandom(2_000_000)

    class Long(ImageModel):
        async def _agenerate_images(self, prompt, n=1):
            return [Image(long, revised_prompt='x"b64_json":""'), Image(PNG), Image(url="https://example.com/a.png")]

    fields = {"n": 3, "response_format": response_format}
    reply = await post(Long(), "images/generations", prompt="x", **fields).done()
    assert len(reply.writes) > 3
    assert int(reply.headers["content-length"]) == len(reply.body)
    conforms(reply.json, "ImagesResponse")
    first, second, third = reply.json["data"]
    assert base64.b64decode(first[response_format].partition("base64,")[2] or first[response_format]) == long
    assert first["revised_prompt"] == 'x"b64_json":""'
    assert base64.b64decode(second[response_format].partition("base64,")[2] or second[response_format]) == PNG
    assert third == {"url": "https://example.com/a.png"}


@pytest.mark.parametrize(
    "value", [None, [], b"", "no image", 7, [PNG, None], {"data": []}, {"data": [{}]}, {"b64_json": "?"}], ids=repr
)
@pytest.mark.parametrize("base", [ImageModel, CustomLLM])
async def test_nonsense_is_a_500_without_a_traceback(post: Any, base: Any, value: Any) -> None:
    if base is ImageModel:

        class Nonsense(ImageModel):  # pyright: ignore[reportRedeclaration]
            def _generate_images(self, prompt):
                return value
    else:

        class Nonsense(CustomLLM):
            def image_generation(self, prompt):
                return value

    reply = await post(Nonsense(), "images/generations", prompt="x").done()
    assert (reply.status, reply.error["type"]) == (500, "server_error")
    assert "Traceback" not in reply.error["message"]


async def test_a_models_own_status_is_kept(post: Any) -> None:
    class Refusing(ImageModel):
        async def _agenerate_images(self, prompt):
            raise CustomLLMError(400, "not this")

    reply = await post(Refusing(), "images/generations", prompt="x").done()
    assert (reply.status, reply.error["message"]) == (400, "not this")
    assert reply.headers["x-should-retry"] == "false"


async def test_a_model_that_makes_no_images_is_the_clients_400(post: Any) -> None:
    class Text(LLM):
        def _call(self, prompt):
            return prompt

    class Chatting(CustomLLM):
        def completion(self, messages):
            return "x"

    class Editing(CustomLLM):
        def image_edit(self, image):
            return image

    class OnlyEdits(ImageModel):
        def _edit_images(self, images, prompt):
            return images

    for model in (Text(), Chatting(), Editing(), OnlyEdits()):
        reply = await post(model, "images/generations", prompt="x").done()
        assert (reply.status, reply.error["param"]) == (400, "model"), type(model)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": ["x"]}, "prompt"),
        ({"prompt": "x", "n": 11}, "n"),
        ({"prompt": "x", "n": 0}, "n"),
        ({"prompt": "x", "size": "big"}, "size"),
        ({"prompt": "x", "response_format": "png"}, "response_format"),
        ({"prompt": "x", "partial_images": 4}, "partial_images"),
        ({"prompt": "x", "output_compression": 101}, "output_compression"),
        ({"prompt": "x", "stream": True}, "stream"),
    ],
)
async def test_a_wrong_field_is_a_400_that_names_it(post: Any, fields: dict[str, Any], param: str) -> None:
    reply = await post(One(), "images/generations", **fields).done()
    assert (reply.status, reply.error["param"]) == (400, param)
