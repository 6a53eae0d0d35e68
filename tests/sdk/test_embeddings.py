"""`embedding`: one vector for each input, of models and of handlers."""

from __future__ import annotations

import asyncio
import base64
import struct
from typing import Any

import pytest

import modelport
from modelport import CustomLLM, EmbeddingModel


def vector(text: Any) -> list[float]:
    return [float(len(text)), 0.5]


class Texts(EmbeddingModel):
    def _embed(self, texts):
        return [vector(text) for text in texts]


class Sized(EmbeddingModel):
    async def _aembed(self, texts, dimensions=2):
        return [[1.0] * dimensions for _ in texts]


class Handler(CustomLLM):
    def embedding(self, input, model_response):
        assert isinstance(input, list)
        return {"data": [{"index": place, "embedding": vector(one)} for place, one in enumerate(input)]}


class AsyncHandler(CustomLLM):
    async def aembedding(self, input, model_response):
        model_response.data = [{"embedding": vector(one)} for one in input]
        return model_response


class Bare(CustomLLM):
    def embedding(self, input):
        return [vector(one) for one in input]


KINDS = (Texts, Handler, AsyncHandler, Bare)
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def embed(way: str, *args: Any, **given: Any) -> Any:
    if way == "embedding":
        return modelport.embedding(*args, **given)
    return asyncio.run(modelport.aembedding(*args, **given))


every_way = pytest.mark.parametrize("way", ["embedding", "aembedding"])


@every_kind
@every_way
def test_one_text_gives_one_vector(kind: Any, way: str) -> None:
    modelport.register("m", kind())
    response = embed(way, "m/x", input="hello")
    assert [one.embedding for one in response.data] == [[5.0, 0.5]]
    assert (response.object, response.model, response["data"][0]["index"]) == ("list", "x", 0)
    assert response.usage.prompt_tokens == response.usage.total_tokens == 2


@every_kind
@every_way
def test_several_texts_give_vectors_in_order(kind: Any, way: str) -> None:
    modelport.register("m", kind())
    for many in (["a", "bb", "ccc"], ("a", "bb", "ccc")):
        response = embed(way, "m/x", many)
        assert [one.embedding[0] for one in response.data] == [1.0, 2.0, 3.0]
        assert [one.index for one in response.data] == [0, 1, 2]


@every_kind
@every_way
def test_base64_is_little_endian_float32(kind: Any, way: str) -> None:
    modelport.register("m", kind())
    [one] = embed(way, "m/x", "hello", encoding_format="base64").data
    assert struct.unpack("<2f", base64.b64decode(one.embedding)) == (5.0, 0.5)


@pytest.mark.parametrize("kind", [Handler, AsyncHandler, Bare])
@pytest.mark.parametrize(("ids", "vectors"), [([1, 2, 3], [[3.0, 0.5]]), ([[1], [2, 3]], [[1.0, 0.5], [2.0, 0.5]])])
def test_token_ids_reach_a_handler_as_one_item_per_input(kind: Any, ids: Any, vectors: Any) -> None:
    modelport.register("m", kind())
    response = modelport.embedding("m/x", ids)
    assert [one.embedding for one in response.data] == vectors
    assert response.usage.prompt_tokens == 3


def test_token_ids_are_refused_by_a_model_that_takes_texts_and_decoded_by_one_that_can() -> None:
    class Decoding(Texts):
        def _decode_tokens(self, ids):
            return "".join(map(chr, ids))

    modelport.register("m", Texts())
    modelport.register("d", Decoding())
    with pytest.raises(modelport.ModelportError, match="not token ids") as failure:
        modelport.embedding("m/x", [1, 2])
    assert (failure.value.status_code, failure.value.param) == (400, "input")
    assert modelport.embedding("d/x", [97, 98, 99]).data[0].embedding == [3.0, 0.5]


@every_way
def test_dimensions_reach_a_hook_that_takes_them(way: str) -> None:
    modelport.register("m", Sized())
    assert len(embed(way, "m/x", "a", dimensions=5).data[0].embedding) == 5
    assert len(embed(way, "m/x", "a").data[0].embedding) == 2


@every_way
def test_dimensions_reach_a_handler_and_are_checked(way: str) -> None:
    class Doing(CustomLLM):
        def embedding(self, input, optional_params):
            assert set(optional_params) == {"dimensions", "user"}, "encoding_format is not the handler's"
            return [[0.0] * optional_params["dimensions"] for _ in input]

    modelport.register("m", Doing())
    assert len(embed(way, "m/x", "a", dimensions=3, user="u", encoding_format="float").data[0].embedding) == 3


@pytest.mark.parametrize("kind", [Texts, Handler, AsyncHandler, Bare])
@every_way
def test_dimensions_that_a_model_does_not_do_are_a_clear_400(kind: Any, way: str) -> None:
    modelport.register("m", kind())
    with pytest.raises(modelport.ModelportError, match="vectors of 2 numbers, not of 7") as failure:
        embed(way, "m/x", "a", dimensions=7)
    assert (failure.value.status_code, failure.value.param) == (400, "dimensions")
    assert len(embed(way, "m/x", "a", dimensions=2).data) == 1


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"input": []}, "input"),
        ({"input": 3}, "input"),
        ({"input": ["a", 1]}, "input"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [Texts, Handler])
def test_a_wrong_value_is_the_callers_400(kind: Any, given: dict[str, Any], param: str) -> None:
    modelport.register("m", kind())
    with pytest.raises(modelport.ModelportError) as failure:
        modelport.embedding("m/x", **given)
    assert (failure.value.status_code, failure.value.param) == (400, param)


def test_a_handler_that_gives_too_few_vectors_is_told() -> None:
    class Short(CustomLLM):
        def embedding(self, input):
            return {"data": [{"embedding": [1.0]}]}

    modelport.register("m", Short())
    with pytest.raises(modelport.ModelportError, match=r"Short\.embedding returned 1 vectors for 2 inputs"):
        modelport.embedding("m/x", ["a", "b"])


def test_a_model_that_chats_makes_no_embeddings() -> None:
    class Chat(modelport.LLM):
        def _call(self, prompt):
            return prompt

    modelport.register("m", Chat())
    with pytest.raises(modelport.ModelportError, match="Chat is no model that makes embeddings") as failure:
        modelport.embedding("m/x", "a")
    assert failure.value.status_code == 400
