"""`POST /embeddings`: vectors as numbers and as base64, by models and by handlers."""

from __future__ import annotations

import base64
import math
import struct
import threading
from typing import Any

import pytest

from modelport import LLM, CustomLLM, CustomLLMError, EmbeddingModel

GOT: dict[str, Any] = {}


class Lengths(EmbeddingModel):
    def _embed(self, texts):
        return [[float(len(text)), 0.5] for text in texts]


class AsyncLengths(EmbeddingModel):
    async def _aembed(self, texts):
        return [[float(len(text)), 0.5] for text in texts]


class Handler(CustomLLM):
    def embedding(self, input, optional_params, model):
        GOT.update(input=input, optional_params=optional_params, model=model)
        return {"data": [{"embedding": [float(len(one)), 0.5], "index": index} for index, one in enumerate(input)]}


class AsyncHandler(CustomLLM):
    async def aembedding(self, input):
        return [[float(len(one)), 0.5] for one in input]


class Sized(EmbeddingModel):
    async def _aembed(self, texts, dimensions=3, user=None, **kwargs):
        GOT.update(dimensions=dimensions, user=user, kwargs=kwargs)
        return [[1.0] * dimensions for _ in texts]


class Decoding(Lengths):
    def _decode_tokens(self, ids):
        return "x" * sum(ids)


every_kind = pytest.mark.parametrize(
    "kind", [Lengths, AsyncLengths, Handler, AsyncHandler], ids=lambda kind: kind.__name__
)


@every_kind
@pytest.mark.parametrize(("value", "lengths"), [("abc", [3]), (["a", "bb"], [1, 2]), ("", [0])])
async def test_each_input_has_its_vector(post: Any, conforms: Any, kind: Any, value: Any, lengths: list[int]) -> None:
    reply = await post(kind(), "embeddings", input=value).done()
    assert reply.status == 200, reply.body
    conforms(reply.json, "CreateEmbeddingResponse")
    assert [one["embedding"] for one in reply.json["data"]] == [[length, 0.5] for length in lengths]
    assert [one["index"] for one in reply.json["data"]] == list(range(len(lengths)))
    assert reply.json["model"] == "m"
    assert reply.json["usage"]["prompt_tokens"] == reply.json["usage"]["total_tokens"]


@every_kind
async def test_base64_is_little_endian_float32(post: Any, kind: Any) -> None:
    reply = await post(kind(), "embeddings", input=["a", "bb"], encoding_format="base64").done()
    vectors = [struct.unpack("<2f", base64.b64decode(one["embedding"])) for one in reply.json["data"]]
    assert vectors == [(1.0, 0.5), (2.0, 0.5)]


@every_kind
async def test_openais_own_client_reads_the_vectors(official: Any, kind: Any) -> None:
    client = official({"m": kind()})
    answer = await client.embeddings.create(model="m", input=["a", "bb"])
    assert [one.embedding for one in answer.data] == [[1.0, 0.5], [2.0, 0.5]]


async def test_token_ids_are_decoded_for_a_model(post: Any) -> None:
    reply = await post(Decoding(), "embeddings", input=[[1, 2], [4]]).done()
    assert [one["embedding"][0] for one in reply.json["data"]] == [3, 4]
    reply = await post(Decoding(), "embeddings", input=[1, 2]).done()
    assert [one["embedding"][0] for one in reply.json["data"]] == [3]


async def test_a_handler_gets_token_ids_and_fields_as_they_are(post: Any) -> None:
    fields = {"encoding_format": "base64", "dimensions": 2, "user": "u", "input_type": "query"}
    reply = await post(Handler(), "embeddings", input=[[1, 2], [4]], **fields).done()
    assert reply.status == 200
    assert GOT["input"] == [[1, 2], [4]]
    assert GOT["model"] == "m"
    assert GOT["optional_params"] == {"dimensions": 2, "user": "u", "input_type": "query"}


async def test_token_ids_are_the_clients_400_when_the_model_cannot_decode_them(post: Any) -> None:
    reply = await post(Lengths(), "embeddings", input=[1, 2]).done()
    assert (reply.status, reply.error["param"]) == (400, "input")


async def test_dimensions_reach_a_hook_that_takes_them(post: Any) -> None:
    reply = await post(Sized(), "embeddings", input="x", dimensions=7, user="u", extra=1, config={"x": 1}).done()
    assert len(reply.json["data"][0]["embedding"]) == 7
    assert GOT == {**GOT, "dimensions": 7, "user": "u", "kwargs": {"extra": 1}}


@pytest.mark.parametrize("kind", [Lengths, AsyncLengths, AsyncHandler], ids=lambda kind: kind.__name__)
async def test_dimensions_that_the_model_does_not_give_are_the_clients_400(post: Any, kind: Any) -> None:
    reply = await post(kind(), "embeddings", input="x", dimensions=7).done()
    assert (reply.status, reply.error["param"]) == (400, "dimensions")
    assert (await post(kind(), "embeddings", input="x", dimensions=2).done()).status == 200


async def test_2048_inputs_are_one_request_and_2049_are_too_many(post: Any) -> None:
    reply = await post(AsyncLengths(), "embeddings", input=["ab"] * 2048).done()
    assert reply.status == 200
    assert [one["index"] for one in reply.json["data"]] == list(range(2048))
    assert all(one["embedding"] == [2.0, 0.5] for one in reply.json["data"])
    reply = await post(AsyncLengths(), "embeddings", input=["ab"] * 2049).done()
    assert (reply.status, reply.error["param"]) == (400, "input")


@pytest.mark.parametrize("encoding_format", ["float", "base64"])
async def test_a_long_answer_comes_in_blocks_and_is_whole(post: Any, conforms: Any, encoding_format: str) -> None:
    class Long(EmbeddingModel):
        async def _aembed(self, texts):
            return [[float(index)] * 4096 for index, _ in enumerate(texts)]

    reply = await post(Long(), "embeddings", input=["x"] * 100, encoding_format=encoding_format).done()
    assert len(reply.writes) > 1
    assert int(reply.headers["content-length"]) == len(reply.body)
    if encoding_format == "float":
        conforms(reply.json, "CreateEmbeddingResponse")
        assert [one["embedding"] for one in reply.json["data"]] == [[index] * 4096 for index in range(100)]
    else:
        found = [base64.b64decode(one["embedding"]) for one in reply.json["data"]]
        assert found == [struct.pack("<f", index) * 4096 for index in range(100)]


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        b"bytes",
        [],
        [1.0, 2.0],
        [[1.0]] * 3,
        [[]] * 2,
        [["a"]] * 2,
        [[math.nan]] * 2,
        [[math.inf]] * 2,
        [[1.0], [1.0, 2.0]],
        [None, [1.0]],
        {"data": []},
        {"data": [{"embedding": "?"}] * 2},
        7,
    ],
    ids=repr,
)
@pytest.mark.parametrize("base", [EmbeddingModel, CustomLLM])
async def test_nonsense_is_a_500_without_a_traceback(post: Any, base: Any, value: Any) -> None:
    if base is EmbeddingModel:

        class Nonsense(EmbeddingModel):  # pyright: ignore[reportRedeclaration]
            def _embed(self, texts):
                return value
    else:

        class Nonsense(CustomLLM):
            def embedding(self, input):
                return value

    reply = await post(Nonsense(), "embeddings", input=["a", "b"]).done()
    assert (reply.status, reply.error["type"]) == (500, "server_error")
    assert "Traceback" not in reply.error["message"]


async def test_a_models_own_status_is_kept(post: Any) -> None:
    class Busy(EmbeddingModel):
        async def _aembed(self, texts):
            raise CustomLLMError(429, "slow down")

    reply = await post(Busy(), "embeddings", input="x").done()
    assert (reply.status, reply.error["type"]) == (429, "rate_limit_error")
    assert "retry-after" in reply.headers


async def test_a_model_without_vectors_is_the_clients_400(post: Any) -> None:
    class Text(LLM):
        def _call(self, prompt):
            return prompt

    class Chatting(CustomLLM):
        def completion(self, messages):
            return "x"

    for model in (Text(), Chatting()):
        reply = await post(model, "embeddings", input="x").done()
        assert (reply.status, reply.error["param"]) == (400, "model")
        assert "embeddings" in reply.error["message"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "input"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": {}}, "input"),
        ({"input": ["a", None]}, "input"),
        ({"input": [1.5]}, "input"),
        ({"input": [[1], []]}, "input[1]"),
        ({"input": "x", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "x", "dimensions": 0}, "dimensions"),
        ({"input": "x", "dimensions": 10**12}, "dimensions"),
        ({"input": "x", "dimensions": 65_537}, "dimensions"),
        ({"input": "x", "dimensions": "3"}, "dimensions"),
        ({"input": "x", "user": 3}, "user"),
    ],
)
async def test_a_wrong_field_is_a_400_that_names_it(post: Any, fields: dict[str, Any], param: str) -> None:
    reply = await post(Lengths(), "embeddings", **fields).done()
    assert (reply.status, reply.error["param"]) == (400, param)


async def test_nulls_are_the_same_as_absent_fields(post: Any) -> None:
    fields = {"encoding_format": None, "dimensions": None, "user": None}
    reply = await post(Lengths(), "embeddings", input="abc", **fields).done()
    assert reply.json["data"][0]["embedding"] == [3, 0.5]


@pytest.mark.parametrize(("count", "stays"), [(3, True), (2048, False)])
async def test_many_vectors_of_an_async_hook_are_read_in_a_thread(post: Any, count: int, stays: bool) -> None:
    threads: set[int] = set()

    class Table:
        def __init__(self, rows: int) -> None:
            self.rows = rows

        def tolist(self) -> list[list[float]]:
            threads.add(threading.get_ident())
            return [[1.0]] * self.rows

    class Vectors(EmbeddingModel):
        async def _aembed(self, texts):
            return Table(len(texts))

    reply = await post(Vectors(), "embeddings", input=["x"] * count).done()
    assert len(reply.json["data"]) == count
    assert (threads == {threading.get_ident()}) is stays
