"""The checks of embedding models fail when what they are about is cut out."""

from __future__ import annotations

from itertools import count

import pytest

from modelport.engine import batcher, batches, tokens, vectors
from modelport.engine.call import Call
from modelport.engine.hooks import Hook, ReadHook
from modelport.models.embedding import EmbeddingModel
from modelport.runs.scope import Scope
from modelport.values.embeddings import Embedding
from modelport.values.usage import Usage

cuts = pytest.mark.cuts


class Steady(EmbeddingModel):
    """Gives one vector for all texts."""

    def _embed(self, texts):
        return [[float(len(text))] for text in texts]


@pytest.fixture
def read_by(patch):
    """Reads what hooks give by a function in place of the framework's."""

    def replace(read):
        def bind(self, model, argument, stop, manager, kwargs):
            value = Hook.bind(self, model, argument, stop, manager, kwargs)
            if not self.is_async:
                return read(value, argument)

            async def awaited():
                return read(await value, argument)

            return awaited()

        patch.method(ReadHook, "bind", bind)

    return replace


@cuts("embedding:*:answers", of="SyncEmbeddings")
@cuts("embedding:*:answers", of="AsyncEmbeddings")
def test_vectors_are_left_as_they_are(patch, caught):
    patch.everywhere(vectors._read_vector, lambda value, label: tuple(value))
    caught()


@cuts("embedding:*:shapes", of="SyncEmbeddings")
@cuts("embedding:*:shapes", of="AsyncEmbeddings")
def test_arrays_are_not_known(patch, caught):
    patch.everywhere(vectors._plain, lambda value: value)
    caught()


@cuts("embedding:*:same-vectors", make=Steady)
def test_the_authors_vectors_depend_on_their_company(patch, caught):
    patch.monkeypatch.setattr(Steady, "_embed", lambda self, texts: [[float(len(texts))] for _ in texts])
    caught()


@cuts("embedding:*:order", of="SyncEmbeddings")
@cuts("embedding:*:order", of="AsyncEmbeddings")
def test_vectors_come_in_another_order(patch, caught):
    embed_many, aembed_many = vectors.embed_many, vectors.aembed_many

    async def reverse(calls, limit=None):
        return (await aembed_many(calls, limit))[::-1]

    patch.everywhere(embed_many, lambda calls, limit=None: embed_many(calls, limit)[::-1])
    patch.everywhere(aembed_many, reverse)
    caught()


@cuts("embedding:*:one-hook-call", of="SyncEmbeddings")
@cuts("embedding:*:one-hook-call", of="AsyncEmbeddings")
def test_each_text_is_a_hook_call(patch, caught):
    patch.everywhere(batches._parts, lambda attempts: [[attempt] for attempt in attempts])
    caught()


@pytest.mark.parametrize("size", [1, 3])
@cuts("embedding:*:batch-size", of="SyncEmbeddings")
@cuts("embedding:*:batch-size", of="AsyncEmbeddings")
def test_batches_have_another_size(size, patch, caught):
    def parts(attempts):
        return [attempts[start : start + size] for start in range(0, len(attempts), size)]

    patch.everywhere(batcher.batcher_for, lambda *facts, **more: None)
    patch.everywhere(batches._parts, parts)
    caught()


@cuts("embedding:*:no-texts", of="SyncEmbeddings")
@cuts("embedding:*:no-texts", of="AsyncEmbeddings")
def test_there_is_always_a_text(patch, caught):
    calls_of = EmbeddingModel._calls_of

    def some_calls(self, texts, scope, kwargs):
        return calls_of(self, texts or [""], scope, kwargs)

    patch.method(EmbeddingModel, "_calls_of", some_calls)
    caught()


@cuts("embedding:*:wrong-input", of="SyncEmbeddings")
@cuts("embedding:*:wrong-input", of="AsyncEmbeddings")
def test_anything_is_printed_to_be_embedded(patch, caught):
    def call_of(self, text, scope, kwargs):
        return Call(self, str(text), scope=scope, kwargs=kwargs)

    patch.method(EmbeddingModel, "_call_of", call_of)
    patch.method(EmbeddingModel, "_calls_of", lambda self, texts, *facts: [call_of(self, texts, *facts)])
    caught()


@cuts("embedding:*:slot-fails", of="SyncEmbeddings")
@cuts("embedding:*:slot-fails", of="AsyncEmbeddings")
def test_failed_texts_have_a_vector(patch, caught):
    def blank(outcomes):
        outcomes[:] = [Embedding([0.0]) if isinstance(one, Exception) else one for one in outcomes]

    patch.everywhere(batches.raise_first, blank)
    caught()


@cuts("embedding:*:one-deadline", of="SyncEmbeddings")
@cuts("embedding:*:one-deadline", of="AsyncEmbeddings")
@cuts("image:*:one-deadline", of="SyncImages")
@cuts("image:*:one-deadline", of="AsyncImages")
def test_each_hook_call_has_its_own_deadline(patch, caught):
    inside, numbers = Scope.inside, count()

    def later(self, run, tag=None):
        scope = inside(self, run, tag)
        scope.deadline = self.deadline + next(numbers)  # pyright: ignore[reportOptionalOperand]
        return scope

    patch.method(Scope, "inside", later)
    caught()


# --- usage ----------------------------------------------------------------------------------------


@cuts("embedding:*:usage", of="SyncEmbeddings")
@cuts("embedding:*:usage", of="AsyncEmbeddings")
@cuts("image:*:usage", of="SyncImages")
@cuts("image:*:usage", of="AsyncImages")
def test_usage_is_zero(patch, caught):
    patch.everywhere(tokens.usage_of, lambda *given: Usage())
    caught()


@cuts("embedding:*:usage-counted", of="AsyncEmbeddings")
@cuts("image:*:usage-counted", of="AsyncImages")
def test_every_text_is_one_token(patch, caught):
    patch.everywhere(tokens.usage_of, lambda *given: Usage(1, 0, 1))
    caught()


@cuts("embedding:*:authors-usage", of="SyncEmbeddings")
@cuts("embedding:*:authors-usage", of="AsyncEmbeddings")
@cuts("image:*:authors-usage", of="SyncImages")
@cuts("image:*:authors-usage", of="AsyncImages")
def test_the_authors_figures_are_not_read(patch, caught):
    usage_of = tokens.usage_of
    patch.everywhere(usage_of, lambda given, *rest: usage_of(None, *rest))
    caught()


# --- what hooks give ------------------------------------------------------------------------------


@cuts("embedding:*:too-few", "embedding:*:no-vectors", of="SyncEmbeddings")
@cuts("embedding:*:too-few", "embedding:*:no-vectors", of="AsyncEmbeddings")
def test_missing_vectors_are_made_up(read_by, caught):
    read_by(lambda value, texts: [Embedding([1.0, 2.0])] * len(texts))
    caught()


@cuts("embedding:*:flat-list", of="SyncEmbeddings")
@cuts("embedding:*:flat-list", of="AsyncEmbeddings")
def test_a_flat_list_is_one_vector(read_by, caught):
    read_by(lambda value, texts: [Embedding(list(value))])
    caught()


@cuts("embedding:*:not-finite", of="SyncEmbeddings")
@cuts("embedding:*:not-finite", of="AsyncEmbeddings")
def test_any_numbers_are_taken(patch, caught):
    patch.everywhere(vectors._read_vector, lambda value, label: list(value))
    caught()


@cuts("embedding:*:one-length", of="SyncEmbeddings")
@cuts("embedding:*:one-length", of="AsyncEmbeddings")
def test_vectors_may_have_any_length(patch, caught):
    patch.everywhere(vectors.check_lengths, lambda embeddings, label: len(embeddings[0].vector))
    caught()


# --- dimensions -----------------------------------------------------------------------------------


@cuts("embedding:*:dimensions-given", "embedding:*:dimensions-wrong", of="AsyncEmbeddings")
@cuts("embedding:*:dimensions-given", "embedding:*:dimensions-wrong", of="AllEmbeddings")
@cuts("embedding:*:dimensions-wrong", of="SyncEmbeddings")
def test_dimensions_are_not_looked_at(patch, caught):
    patch.method(EmbeddingModel, "_keywords", lambda self, hook, dimensions, kwargs: kwargs)
    caught()


@cuts("embedding:*:dimensions-refused", "embedding:*:dimensions-field", of="SyncEmbeddings")
@cuts("embedding:*:dimensions-kept", "embedding:*:dimensions-field", of="AsyncEmbeddings")
@cuts("embedding:*:dimensions-kept", "embedding:*:dimensions-field", of="AllEmbeddings")
def test_lengths_are_not_compared(patch, caught):
    patch.method(EmbeddingModel, "_check", lambda self, embeddings, hook, dimensions: None)
    caught()
