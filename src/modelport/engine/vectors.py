"""Embeddings: reading the vectors that hooks return, and embedding texts by the engine's batches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from modelport.engine.answers import arun, run
from modelport.engine.batches import arun_many, raise_first, run_many
from modelport.engine.hook_sets import HookForm, HookSet
from modelport.engine.reading import hint_for, shown
from modelport.values.embeddings import Embedding
from modelport.values.errors import HookError

if TYPE_CHECKING:
    from modelport.engine.call import Call

Vector = list[float]
"""One text's numbers."""


def read_vectors(value: Any, texts: Sequence[str], label: str) -> list[Embedding | Exception]:
    """Return what an embedding hook gave, one slot per text; a wrong vector fails its own slot.

    Args:
        value: A list of vectors or exceptions, or a table with `tolist()` (numpy, torch).
        texts: What the hook was given.
        label: `Class._hook`, for the error.

    Raises:
        HookError: It is no list, or has not one vector per text.
    """
    slots = _plain(value)
    if not isinstance(slots, (list, tuple)):
        expected = "a list with one vector per text"
        raise HookError(f"{label} returned {shown(value)}; it must return {expected}{hint_for(value)}")
    vectors = cast("Sequence[Any]", slots)
    if vectors and all(isinstance(one, (int, float)) for one in vectors):
        raise HookError(
            f"{label} returned a flat list of {len(vectors)} numbers for {len(texts)} texts; it must return a list of "
            f"vectors, one per text, also for a single text"
        )
    if len(vectors) != len(texts):
        raise HookError(
            f"{label} returned {len(vectors)} vectors for {len(texts)} texts; it must return one per text, in order"
        )
    return [_slot(one, label) for one in vectors]


def _plain(value: Any) -> Any:
    """Return numpy's, torch's and other arrays as lists, all else as it is."""
    return value.tolist() if hasattr(value, "tolist") else value


def _slot(value: Any, label: str) -> Embedding | Exception:
    if isinstance(value, Exception):
        return value
    try:
        if isinstance(value, Embedding):
            return Embedding(_read_vector(value.vector, label), value.usage)
        return Embedding(_read_vector(value, label))
    except HookError as error:
        return error


def _read_vector(value: Any, label: str) -> Vector:
    numbers = _plain(value)
    if not isinstance(numbers, (list, tuple)):
        raise HookError(f"{label} gave {shown(value)} as a vector; a vector is a list of numbers{hint_for(value)}")
    given = cast("Sequence[Any]", numbers)
    if not given:
        raise HookError(f"{label} gave an empty vector; a vector has at least one number")
    vector = list(given) if set(map(type, given)) == {float} else [_number(one, label) for one in given]
    if not all(map(math.isfinite, vector)):
        wrong = next(one for one in vector if not math.isfinite(one))
        raise HookError(f"{label} gave a vector with {wrong!r} in it; numbers must be finite")
    return vector


def _number(value: Any, label: str) -> float:
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise HookError(f"{label} gave a vector with {shown(value)} in it; it must hold numbers only")
    try:
        return float(value)
    except Exception as error:
        raise HookError(f"{label} gave a vector with {shown(value)} in it, which is no number") from error


EMBEDDING_HOOKS = HookSet(
    forms=(
        HookForm("_embed", ("texts",), "**kwargs", is_batch=True),
        HookForm("_aembed", ("texts",), "**kwargs", is_async=True, is_batch=True),
    ),
    answer=("_embed", "_aembed"),
    async_answer=("_aembed", "_embed"),
    many=("_embed", "_aembed"),
    async_many=("_aembed", "_embed"),
    features=frozenset({"dimensions"}),
    read=read_vectors,
)
"""The hooks of an `EmbeddingModel`."""


def embed_one(call: Call) -> Embedding:
    """Embed one text. Raises as `run` does."""
    return cast("Embedding", cast("Any", run(call)))


async def aembed_one(call: Call) -> Embedding:
    """Embed one text on the running loop, as `embed_one` does."""
    return cast("Embedding", cast("Any", await arun(call)))


def embed_many(calls: Sequence[Call], max_concurrency: int | None = None) -> list[Embedding]:
    """Embed many texts, in order.

    Raises:
        Exception: The first failure, in order, after all hook calls have ended.
    """
    outcomes: list[Any] = list(run_many(calls, max_concurrency))
    raise_first(outcomes)
    return outcomes


async def aembed_many(calls: Sequence[Call], max_concurrency: int | None = None) -> list[Embedding]:
    """Embed many texts on the running loop, as `embed_many` does."""
    outcomes: list[Any] = list(await arun_many(calls, max_concurrency))
    raise_first(outcomes)
    return outcomes


def check_lengths(embeddings: Sequence[Embedding], label: str) -> int:
    """Return the length that all vectors of one call have.

    Raises:
        HookError: They have different lengths.
    """
    lengths = {len(one.vector) for one in embeddings}
    if len(lengths) > 1:
        raise HookError(
            f"{label} gave vectors of {' and '.join(map(str, sorted(lengths)))} numbers in one call; all vectors of a "
            f"model have one length"
        )
    return lengths.pop()
