"""The official client of OpenAI for Python: embeddings and images."""

from __future__ import annotations

import base64
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def vectors(answer: Any) -> list[Any]:
    return [(one.index, list(one.embedding)) for one in answer.data]


def test_embeddings_come_as_the_client_asks_by_default_which_is_base64(client: OpenAI) -> None:
    answer = client.embeddings.create(model="embedder", input=["one", "three"])
    assert vectors(answer) == [(0, [3.0, 0.5, -1.25]), (1, [5.0, 0.5, -1.25])]
    assert (answer.model, answer.object) == ("embedder", "list")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens > 0


def test_a_raw_answer_is_base64_of_32_bit_numbers(client: OpenAI) -> None:
    answer: Any = client.embeddings.create(model="embedder", input="one", encoding_format="base64")
    assert base64.b64decode(answer.data[0].embedding) == b"\x00\x00\x40\x40\x00\x00\x00\x3f\x00\x00\xa0\xbf"


async def test_embeddings_as_numbers_and_with_dimensions(async_client: AsyncOpenAI) -> None:
    answer = await async_client.embeddings.create(model="embedder", input="ü😀", encoding_format="float", dimensions=4)
    assert vectors(answer) == [(0, [2.0, 0.5, -1.25, 2.0])]


@pytest.mark.parametrize("model", ["echo", "painter"])
def test_a_model_without_vectors_is_a_bad_request(client: OpenAI, model: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model=model, input="one")
    assert caught.value.param == "model"


def test_images_come_as_base64(client: OpenAI) -> None:
    answer = client.images.generate(model="painter", prompt="an otter", n=2)
    assert answer.data is not None
    assert [base64.b64decode(one.b64_json or "") for one in answer.data] == [
        SIGNATURE + b"an otter 0",
        SIGNATURE + b"an otter 1",
    ]
    assert answer.created > 0


async def test_the_async_client_gets_images_too(async_client: AsyncOpenAI) -> None:
    answer = await async_client.images.generate(model="painter", prompt="ü", response_format="b64_json")
    assert answer.data is not None
    assert base64.b64decode(answer.data[0].b64_json or "") == SIGNATURE + "ü 0".encode()


def test_an_image_is_sent_as_a_file_and_comes_back_edited(client: OpenAI) -> None:
    file = ("otter.png", SIGNATURE + b"an otter", "image/png")
    answer = client.images.edit(model="painter", image=file, prompt="with a hat ü")
    assert answer.data is not None
    assert base64.b64decode(answer.data[0].b64_json or "") == SIGNATURE + "an otter, with a hat ü".encode()


async def test_the_async_client_sends_files_too(async_client: AsyncOpenAI) -> None:
    answer = await async_client.images.edit(model="painter", image=SIGNATURE + b"an otter", prompt="with a hat")
    assert answer.data is not None
    assert base64.b64decode(answer.data[0].b64_json or "") == SIGNATURE + b"an otter, with a hat"


def test_a_model_without_images_is_a_bad_request(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(model="echo", prompt="an otter")
    assert caught.value.param == "model"
