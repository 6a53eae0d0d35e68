"""Embeddings."""

from __future__ import annotations

import base64
import struct

from modelport.testing.checks import NotApplicable, expect, expect_equal
from modelport.testing.wire.answers import Answer, object_of, objects_of
from modelport.testing.wire.asking import OMIT, Embeddings
from modelport.testing.wire.judging import (
    SPEC,
    expect_refused,
    expect_shape,
    expect_taken,
    expect_taken_or_refused,
    refused_politely,
)
from modelport.testing.wire.registry import wire_check
from modelport.testing.wire.server import Server

SOURCE = SPEC.format("CreateEmbeddingResponse")
REQUEST = SPEC.format("CreateEmbeddingRequest")
NEAR = 1e-3
"""How far vectors of the same text may be apart: batches and single texts round differently."""


@wire_check("wire-embedding:whole:answers", source=SOURCE)
async def answers(server: Server) -> None:
    """A list of texts is answered with 200 and a vector for each."""
    await Embeddings(server).right_body()
    answer = await Embeddings(server).first_answer()
    expect(len(_vectors(answer)) == 2, f"two texts have {len(_vectors(answer))} vectors", "give each text its vector")


@wire_check("wire-embedding:whole:shape", source=SOURCE)
async def shape(server: Server) -> None:
    """The answer has the shape of OpenAI's schema."""
    answer = await _two(server)
    for kind in ("wrong", "null", "absent"):
        expect_shape([answer.json], "CreateEmbeddingResponse", kind, but=["usage.prompt_tokens", "usage.total_tokens"])


@wire_check("wire-embedding:whole:usage", source=SOURCE)
async def usage(server: Server) -> None:
    """The answer counts the tokens of its input."""
    value = (await _two(server)).object.get("usage")
    count = (object_of(value) or {}).get("prompt_tokens")
    expect(isinstance(count, int) and count > 0, f"`usage` is {value!r:.120}", "count prompt_tokens and total_tokens")


@wire_check("wire-embedding:whole:order", source=f"{SPEC.format('Embedding.index')}")
async def order(server: Server) -> None:
    """Vectors come in the order of their texts, and `index` says so."""
    answer = await _two(server)
    indexes = [one.get("index") for one in answer.object["data"]]
    expect_equal(indexes, [0, 1], "the indexes", "number the vectors as the texts are")
    first, second = _vectors(answer)
    alone = await Embeddings(server).ask(input="the number two")
    expect_taken(alone, "a text that is no list", "take a text as a list of one")
    [vector] = _vectors(alone)[:1] or [[]]
    swapped = not _near(vector, second) and _near(vector, first)
    expect(not swapped, "the second text's vector is the first", "answer in the order of the texts")


@wire_check("wire-embedding:whole:one-text", source=REQUEST)
async def one_text(server: Server) -> None:
    """A text that is no list has one vector."""
    await _two(server)
    answer = await Embeddings(server).ask(input="one")
    expect_taken(answer, "a text that is no list", "take a text as a list of one")
    count = len(_vectors(answer))
    expect(count == 1, f"one text has {count} vectors", "take a text as a list of one")


@wire_check("wire-embedding:whole:base64", source=f"{REQUEST}.encoding_format; OpenAI's SDKs ask for base64 by default")
async def in_base64(server: Server) -> None:
    """In base64 a vector is the same as little-endian 32-bit floats, as OpenAI's SDKs ask by default."""
    floats = _vectors(await _two(server))
    answer = await Embeddings(server).ask(encoding_format="base64")
    mend = "pack the vector as <f4 and encode it"
    expect_taken(answer, "encoding_format is base64", mend)
    encoded = [one.get("embedding") for one in answer.object.get("data", [])]
    expect(all(isinstance(one, str) for one in encoded), f"the embedding is {encoded[:1]!r:.80}", mend)
    for text, vector in zip(encoded, floats, strict=False):
        data = base64.b64decode(text)
        expect(len(data) == 4 * len(vector), f"{len(data)} bytes for {len(vector)} numbers", mend)
        unpacked = list(struct.unpack(f"<{len(vector)}f", data))
        expect(_near(unpacked, vector), f"{unpacked[:3]} in place of {vector[:3]}", mend)


@wire_check("wire-embedding:whole:dimensions", source=f"{REQUEST}.dimensions")
async def dimensions(server: Server) -> None:
    """`dimensions` gives vectors of that length, or is refused with an error object; it is never ignored."""
    [vector, *_] = _vectors(await _two(server))
    wanted = max(1, len(vector) // 2)
    answer = await Embeddings(server).ask(dimensions=wanted)
    if refused_politely(answer):
        return
    mend = "cut and normalise the vectors, or refuse it with 400"
    expect_taken(answer, f"dimensions is {wanted}", mend)
    lengths = [len(one) for one in _vectors(answer)]
    expect(set(lengths) == {wanted}, f"dimensions is {wanted}, the vectors have {lengths}", mend)


@wire_check(
    "wire-embedding:request:huge-dimensions", source="a number of the client must not decide how much memory is taken"
)
async def huge_dimensions(server: Server) -> None:
    """A million million dimensions are refused; they are no failure, and no hang."""
    await _two(server)
    answer = await Embeddings(server).ask(dimensions=10**12)
    if answer.status == 200:
        raise NotApplicable("`dimensions` is ignored")
    expect(400 <= answer.status < 500, answer.shown, "bound `dimensions`")


@wire_check("wire-embedding:request:token-ids", source=f"{REQUEST}.input; langchain-openai sends token ids by default")
async def token_ids(server: Server) -> None:
    """Lists of token ids have vectors, or are refused with an error object."""
    await _two(server)
    for value, count in (([1, 2, 3], 1), ([[1, 2], [3]], 2)):
        answer = await Embeddings(server).ask(input=value)
        expect_taken_or_refused(answer, f"input is {value}", "take token ids, or refuse them with 400")
        if answer.status == 200:
            found = len(_vectors(answer))
            expect(found == count, f"input is {value}: {found} vectors", "take a list of numbers as one text")


@wire_check("wire-embedding:request:no-input", source=f"{REQUEST}.required")
async def no_input(server: Server) -> None:
    """A request without input is a 400."""
    await _two(server)
    expect_refused(await Embeddings(server).ask(input=OMIT))


@wire_check("wire-embedding:request:empty-list", source=f"{REQUEST}.input.minItems")
async def empty_list(server: Server) -> None:
    """An empty list of inputs is a 400."""
    await _two(server)
    expect_refused(await Embeddings(server).ask(input=[]))


@wire_check("wire-embedding:request:wrong-format", source=f"{REQUEST}.encoding_format")
async def wrong_format(server: Server) -> None:
    """An encoding_format that is neither float nor base64 is a 400."""
    await _two(server)
    expect_refused(await Embeddings(server).ask(encoding_format="hex"))


async def _two(server: Server) -> Answer:
    """The right answer to two texts; raises NotApplicable when there is none."""
    await Embeddings(server).right_body()
    answer = await Embeddings(server).first_answer()
    if len(_vectors(answer)) != 2:
        raise NotApplicable(f"a right request has no two vectors: {answer.shown}")
    return answer


def _vectors(answer: Answer) -> list[list[float]]:
    data = objects_of((object_of(answer.json) or {}).get("data"))
    return [one["embedding"] for one in data if isinstance(one.get("embedding"), list)]


def _near(one: list[float], other: list[float]) -> bool:
    size = max((abs(number) for number in other), default=1.0) or 1.0
    return len(one) == len(other) and all(abs(a - b) <= NEAR * size for a, b in zip(one, other, strict=True))
