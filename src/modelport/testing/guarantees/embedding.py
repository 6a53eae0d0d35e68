"""Embedding models: one vector per text, in order, of as many hook calls as `max_batch_size` says, with usage."""

from __future__ import annotations

import math
from typing import Any

from modelport.engine.memory_cache import LRUCache
from modelport.engine.tokens import counter_of
from modelport.testing.checks import CheckFailure, expect, expect_equal
from modelport.testing.conditions import deterministic, has_count
from modelport.testing.gates import in_thread, patiently
from modelport.testing.guarantees.values import asked
from modelport.testing.probe import HookCall, ProbeError
from modelport.testing.subject import Subject
from modelport.testing.value_ways import EMBEDS, LISTS, RESULTS, ValueWay, check_values, is_vector, vector_of
from modelport.values.embeddings import Embedding
from modelport.values.errors import InputError
from modelport.values.usage import Usage

SOURCE = "modelport: EmbeddingModel, one vector per text"
USAGE = "modelport guarantee 8 (usage), for embedding models"
CACHE = "modelport guarantee 10 (cache), for embedding models"
_TEXTS = ["one", "two", "three", "two", "five"]
_SIZE = 2
_CLOSE = 1e-3
"""How far a model's numbers may lie apart when it embeds a text alone and in company."""


@check_values("answers", source=SOURCE, ways=EMBEDS)
async def answers(subject: Subject, way: ValueWay) -> None:
    """`{way}` answers, whichever hook the class has, and a vector is a list of finite floats."""
    probe = subject.probe()
    async with patiently(f"`{way.name}`"):
        vectors = await way.results(probe.model, subject.prompts[0])
    expect(probe.calls, f"`{way.name}` called none of the hooks")
    expect(len(vectors) == 1 and is_vector(vectors[0]), f"`{way.name}` gave {vectors!r:.200} for one text")


@check_values("same-vectors", source=SOURCE, ways=EMBEDS, applies=[deterministic])
async def same_vectors(subject: Subject, way: ValueWay) -> None:
    """`{way}` gives the vectors that `embed` gives of all texts together, but for rounding."""
    model = subject.fresh()
    async with patiently(f"`{way.name}`"):
        together = await _together(model, subject.prompts)
        for text, vector in zip(subject.prompts, together, strict=True):
            [alone] = await way.results(model, text)
            close = len(alone) == len(vector) and all(
                math.isclose(one, other, rel_tol=_CLOSE, abs_tol=_CLOSE)
                for one, other in zip(alone, vector, strict=True)
            )
            expect(close, f"`{way.name}` gave {alone!r:.200} for {text!r}, `embed` {vector!r:.200}")


async def _together(model: Any, texts: list[str]) -> list[list[float]]:
    return (await in_thread(lambda: model.embed(texts))).embeddings


@check_values("order", source=SOURCE, ways=LISTS)
async def order(subject: Subject, way: ValueWay) -> None:
    """`{way}` gives one vector per text, in order, also when several hook calls make them and texts are equal."""
    probe = way.probe(subject)
    for size in (None, _SIZE):
        probe.model.max_batch_size = size
        async with patiently(f"`{way.name}`"):
            vectors = await way.results(probe.model, _TEXTS)
        expect_equal(vectors, [vector_of(text) for text in _TEXTS], f"what `{way.name}` gave, max_batch_size={size},")


@check_values("one-hook-call", source=SOURCE, ways=LISTS)
async def one_hook_call(subject: Subject, way: ValueWay) -> None:
    """Without `max_batch_size` all texts of one `{way}` go into one hook call."""
    probe = way.probe(subject)
    probe.model.max_batch_size = None
    async with patiently(f"`{way.name}`"):
        await way.results(probe.model, _TEXTS)
    expect_equal([list(call.argument) for call in probe.calls], [_TEXTS], "what the hook calls were given")


@check_values("batch-size", source=SOURCE, ways=LISTS)
async def batch_size(subject: Subject, way: ValueWay) -> None:
    """No hook call of `{way}` gets more than `max_batch_size` texts, and none gets fewer without need."""
    probe = way.probe(subject)
    probe.model.max_batch_size = _SIZE
    async with patiently(f"`{way.name}`"):
        await way.results(probe.model, _TEXTS)
    sizes = sorted(len(call.argument) for call in probe.calls)
    expect_equal(sizes, [1, 2, 2], f"the sizes of the hook calls for {len(_TEXTS)} texts, max_batch_size={_SIZE},")


@check_values("no-texts", source=SOURCE, ways=LISTS)
async def no_texts(subject: Subject, way: ValueWay) -> None:
    """`{way}` of no texts gives no vectors and calls no hook."""
    probe = way.probe(subject)
    async with patiently(f"`{way.name}`"):
        vectors = await way.results(probe.model, [])
    expect_equal(vectors, [], "the vectors")
    expect(not probe.calls, "a hook was called without texts")


@check_values("wrong-input", source=SOURCE, ways=EMBEDS)
async def wrong_input(subject: Subject, way: ValueWay) -> None:
    """`{way}` refuses what holds no text with an `InputError`, before any hook is called."""
    wrong: list[Any] = [7, None, b"bytes"] if way.name.endswith("query") else [7, None, b"bytes", ["one", 7]]
    for value in wrong:
        probe = way.probe(subject)
        try:
            async with patiently(f"`{way.name}`"):
                vectors = await way.results(probe.model, value)
        except InputError:
            expect(not probe.calls, f"a hook was called for {value!r}")
        else:
            raise CheckFailure(f"`{way.name}` gave {vectors!r:.200} for {value!r}")


@check_values("slot-fails", source=SOURCE, ways=LISTS)
async def slot_fails(subject: Subject, way: ValueWay) -> None:
    """An exception in a slot of a hook's result is what `{way}` raises, once all texts went through a hook."""
    probe, failure = way.probe(subject), ProbeError("the check made this text fail")
    probe.model.max_batch_size = _SIZE
    probe.answer = lambda call: [failure if text == "one" else vector_of(text) for text in call.argument]
    try:
        async with patiently(f"`{way.name}`"):
            await way.results(probe.model, _TEXTS)
    except ProbeError as error:
        expect(error is failure, f"{error!r} was raised in place of what the slot holds")
        expect_equal(asked(probe), len(_TEXTS), "the number of texts that the hooks were given")
        return
    raise CheckFailure(f"`{way.name}` raised nothing")


@check_values("one-deadline", source=SOURCE, ways=LISTS)
async def one_deadline(subject: Subject, way: ValueWay) -> None:
    """The `timeout` of one `{way}` holds for all its hook calls together."""
    probe = way.probe(subject)
    probe.model.max_batch_size = 1
    async with patiently(f"`{way.name}`"):
        await way.results(probe.model, _TEXTS, {"timeout": 3600.0})
    deadlines = {manager.deadline for call in probe.calls for manager in call.managers}
    expect(len(deadlines) == 1 and None not in deadlines, f"the hook calls have the deadlines {deadlines}")


@check_values("usage", source=USAGE, ways=RESULTS)
async def usage(subject: Subject, way: ValueWay) -> None:
    """`{way}` always tells usage: prompt tokens, none of completion, and their total."""
    probe = way.probe(subject)
    async with patiently(f"`{way.name}`"):
        result = await way.answer(probe.model, subject.prompts)
    told: Usage = result.usage
    fits = told.prompt_tokens >= len(subject.prompts) and told.completion_tokens == 0
    expect(fits and told.total_tokens == told.prompt_tokens, f"usage is {told} for {len(subject.prompts)} texts")


@check_values("usage-counted", source=USAGE, ways=RESULTS, applies=[has_count])
async def usage_counted(subject: Subject, way: ValueWay) -> None:
    """Where the class has `_count_tokens`, the usage of `{way}` is its count of all texts."""
    probe = way.probe(subject)
    count = counter_of(probe.model)
    async with patiently(f"`{way.name}`"):
        result = await way.answer(probe.model, subject.prompts)
    assert count is not None, "the check applies to classes that count"
    expect_equal(result.usage.prompt_tokens, sum(map(count, subject.prompts)), "the number of prompt tokens")


@check_values("authors-usage", source=USAGE, ways=RESULTS)
async def authors_usage(subject: Subject, way: ValueWay) -> None:
    """Usage that a hook gives with its vectors is what `{way}` tells, added up."""
    probe = way.probe(subject)

    def with_usage(call: HookCall) -> list[Embedding]:
        return [Embedding(vector_of(text), Usage(11, 0, 11)) for text in call.argument]

    probe.answer = with_usage
    async with patiently(f"`{way.name}`"):
        result = await way.answer(probe.model, subject.prompts)
    tokens = 11 * len(subject.prompts)
    expect_equal(result.usage, Usage(tokens, 0, tokens), "usage")


@check_values("cache-known-texts", source=CACHE, ways=LISTS)
async def known_texts(subject: Subject, way: ValueWay) -> None:
    """With a cache, `{way}` gives the hook only the texts that are not in it, and all vectors in order."""
    probe = way.probe(subject)
    probe.model.cache, probe.model.max_batch_size = LRUCache(), None
    async with patiently(f"`{way.name}`"):
        await way.results(probe.model, ["two"])
        vectors = await way.results(probe.model, ["one", "two", "three"])
    expect_equal(vectors, [vector_of(text) for text in ("one", "two", "three")], "the vectors")
    given = [list(call.argument) for call in probe.calls]
    expect_equal(given, [["two"], ["one", "three"]], "what the hook calls were given")
