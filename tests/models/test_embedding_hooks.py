"""`EmbeddingModel`: what its hooks may return, where they run, and until when."""

from __future__ import annotations

import asyncio
import decimal
import inspect
import math
import threading
from typing import Any

import pytest

from modelport import LLM, EmbeddingModel, ModelTimeoutError
from modelport.testing import RecordingHandler
from modelport.values.embeddings import Embedding
from modelport.values.errors import HookError
from tests.models.embedding_models import SOON, WAYS, Array, Returning, ask, vector_of


class TestThreadsAndDeadlines:
    async def test_a_sync_hook_and_the_reading_of_its_vectors_stay_off_the_loop(self) -> None:
        array = Array([[1.0, 2.0]])
        model = Returning(value=array)
        assert await model.aembed_query("x") == [1.0, 2.0]
        assert array.thread is not threading.current_thread()

    @pytest.mark.parametrize("way", WAYS)
    async def test_a_deadline_ends_the_call_and_tells_the_hook(self, way: str) -> None:
        told = threading.Event()

        class Slow(EmbeddingModel):
            def _embed(self, texts, run_manager=None):
                assert run_manager is not None
                while not run_manager.cancelled:
                    threading.Event().wait(0.001)
                told.set()
                return [[1.0] for _ in texts]

        with pytest.raises(ModelTimeoutError):
            await ask(Slow(), way, ["a", "b"], config={"timeout": 0.02})
        assert await asyncio.to_thread(told.wait, SOON)

    async def test_an_async_hook_is_cancelled_at_the_deadline(self) -> None:
        ended: list[str] = []

        class Slow(EmbeddingModel):
            async def _aembed(self, texts):
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    ended.append("cancelled")
                    raise

        with pytest.raises(ModelTimeoutError):
            await Slow().aembed_query("x", config={"timeout": 0.02})
        with pytest.raises(ModelTimeoutError):
            await asyncio.to_thread(Slow().embed_query, "x", config={"timeout": 0.02})
        assert ended[0] == "cancelled"

    async def test_a_cancelled_caller_cancels_the_hook(self) -> None:
        started, ended = asyncio.Event(), asyncio.Event()

        class Slow(EmbeddingModel):
            async def _aembed(self, texts):
                started.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.set()

        task = asyncio.create_task(Slow().aembed_documents(["a"]))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(ended.wait(), SOON)

    async def test_a_model_called_by_the_hook_inherits_the_deadline(self) -> None:
        class Inner(LLM):
            def _call(self, prompt, run_manager=None):
                assert run_manager is not None
                return str(run_manager.deadline is not None)

        class Outer(EmbeddingModel):
            inner: Any

            def _embed(self, texts):
                return [[float(self.inner.invoke(text) == "True")] for text in texts]

        model = Outer(inner=Inner())
        assert await asyncio.to_thread(model.embed_query, "x", config={"timeout": SOON}) == [1.0]
        assert await model.aembed_query("x", config={"timeout": SOON}) == [1.0]
        assert await model.aembed_query("x") == [0.0]

    @pytest.mark.parametrize("way", WAYS)
    async def test_embeddings_tell_no_runs_but_models_inside_do(self, way: str) -> None:
        class Inner(LLM):
            def _call(self, prompt):
                return prompt

        class Outer(EmbeddingModel):
            inner: Any

            def _embed(self, texts):
                return [[float(len(self.inner.invoke(text)))] for text in texts]

        record, own = RecordingHandler(), RecordingHandler()
        model = Outer(inner=Inner(), callbacks=[own])
        assert await ask(model, way, ["a", "bb"], config={"callbacks": [record]}) == [[1.0], [2.0]]
        assert [event.name for event in record.events] == ["on_llm_start", "on_llm_end"] * 2
        assert own.events == []


class TestWhatHooksMayReturn:
    @pytest.mark.parametrize(
        "value",
        [
            [[1.0, 2.0], [3.0, 4.0]],
            ([1, 2], (3, 4)),
            Array([[1.0, 2.0], [3.0, 4.0]]),
            [Array([1, 2]), Array([3.0, 4.0])],
            [[decimal.Decimal(1), 2.0], [3.0, True + 3.0]],
            [Embedding([1.0, 2.0]), Embedding((3, 4))],  # pyright: ignore[reportArgumentType]
        ],
    )
    def test_vectors_become_lists_of_floats(self, value: Any) -> None:
        vectors = Returning(value=value).embed_documents(["a", "b"])
        assert vectors == [[1.0, 2.0], [3.0, 4.0]]
        assert {type(vector) for vector in vectors} == {list}
        assert {type(number) for vector in vectors for number in vector} == {float}

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            (None, "returned None; it must return a list with one vector per text; is a `return` missing?"),
            ("secret", "returned a value of type str; it must return a list"),
            ({"secret": [1.0]}, "returned a value of type dict"),
            ((vector for vector in [[1.0]]), "returned a value of type generator"),
            ([[1.0]], "returned 1 vectors for 2 texts"),
            ([[1.0]] * 3, "returned 3 vectors for 2 texts"),
            ([], "returned 0 vectors for 2 texts"),
            ([1.0, 2.0], "returned a flat list of 2 numbers for 2 texts"),
            (Array([1.0, 2.0, 3.0]), "returned a flat list of 3 numbers for 2 texts"),
            ([[1.0], None], "gave None as a vector"),
            (["secret", [1.0]], "gave a value of type str as a vector"),
            ([[1.0], []], "gave an empty vector"),
            ([[1.0], [math.nan]], "with nan in it; numbers must be finite"),
            ([[1.0], [-math.inf]], "with -inf in it"),
            ([[1.0], [10**400]], "which is no number"),
            ([["secret"], [1.0]], "with a value of type str in it"),
            ([[1.0], [None]], "with None in it"),
            ([[True], [1.0]], "with True (bool) in it"),
            ([[[1.0]], [[1.0]]], "with a value of type list in it"),
            ([[1.0], [1.0, 2.0]], "gave vectors of 1 and 2 numbers in one call"),
        ],
    )
    @pytest.mark.parametrize("way", WAYS)
    async def test_a_wrong_value_names_the_hook_and_keeps_the_value(self, way: str, value: Any, said: str) -> None:
        if inspect.isgenerator(value):
            value = iter(())
            said = "returned a value of type"
        with pytest.raises(HookError) as raised:
            await ask(Returning(value=value), way, ["a", "b"])
        assert str(raised.value).startswith("Returning._embed ")
        assert said in str(raised.value)
        assert "secret" not in str(raised.value)

    def test_a_sync_hook_that_is_async_is_refused(self) -> None:
        class Wrong(EmbeddingModel):
            async def _embed(self, texts):
                return [[1.0]]

        with pytest.raises(HookError, match="is an `await` missing, or should the hook be the async one"):
            Wrong().embed_query("x")

    async def test_an_async_hook_that_is_sync_is_refused(self) -> None:
        class Wrong(EmbeddingModel):
            def _aembed(self, texts):
                return [[1.0]]

        with pytest.raises(HookError, match=r"Wrong._aembed returned a value of type list; it must be an `async def`"):
            await Wrong().aembed_query("x")

    async def test_an_exception_in_a_slot_fails_its_text_alone(self) -> None:
        gone = LookupError("gone")

        class Some(EmbeddingModel):
            max_batch_size: int | None = 4

            def _embed(self, texts):
                return [gone if text == "bad" else vector_of(text) for text in texts]

        model = Some()
        with pytest.raises(LookupError) as raised:
            model.embed_documents(["fine", "bad", "fine"])
        assert raised.value is gone
        fine, bad = await asyncio.gather(model.aembed_query("fine"), model.aembed_query("bad"), return_exceptions=True)
        assert fine == vector_of("fine")
        assert bad is gone
