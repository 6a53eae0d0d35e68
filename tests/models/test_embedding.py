"""`EmbeddingModel`: one hook gives every way to call, with the engine's guarantees."""

from __future__ import annotations

import asyncio
import decimal
import inspect
import math
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest
from pydantic import PrivateAttr, SecretStr

from modelport import LLM, EmbeddingModel, LRUCache, ModelTimeoutError
from modelport.testing import RecordingHandler
from modelport.values.embeddings import Embedding
from modelport.values.errors import HookError, InputError, KeywordError
from modelport.values.usage import Usage

SOON = 10.0
WAYS = ("embed_documents", "aembed_documents", "embed", "aembed")


def vector_of(text: str) -> list[float]:
    return [float(len(text)), float(sum(map(ord, text))), 1.0]


class Counting(EmbeddingModel):
    """Keeps what its hooks were given, and which of them ran."""

    _parts: list[list[str]] = PrivateAttr(default_factory=list)
    _ran: list[str] = PrivateAttr(default_factory=list)

    def _answer(self, hook: str, texts: list[str]) -> list[list[float]]:
        self._parts.append(texts)
        self._ran.append(hook)
        return [vector_of(text) for text in texts]


class SyncOnly(Counting):
    def _embed(self, texts):
        return self._answer("_embed", texts)


class AsyncOnly(Counting):
    async def _aembed(self, texts):
        await asyncio.sleep(0)
        return self._answer("_aembed", texts)


class Both(SyncOnly, AsyncOnly):
    pass


class Returning(EmbeddingModel):
    """Returns what it is made with."""

    value: Any
    api_key: SecretStr = SecretStr("sk-very-secret")

    def _embed(self, texts):
        return self.value


class Array:
    """Is an array of numpy's or torch's kind."""

    def __init__(self, values: Any) -> None:
        self.values = values
        self.thread: threading.Thread | None = None

    def tolist(self) -> Any:
        self.thread = threading.current_thread()
        return self.values


async def ask(model: EmbeddingModel, way: str, texts: Any, **kwargs: Any) -> list[list[float]]:
    """Embed texts in one of the ways; sync ways run in a thread of their own."""
    method = getattr(model, way)
    result = await method(texts, **kwargs) if way[0] == "a" else await asyncio.to_thread(method, texts, **kwargs)
    return result.embeddings if way.endswith("embed") else result


class TestWaysToCall:
    @pytest.mark.parametrize("cls", [SyncOnly, AsyncOnly, Both])
    @pytest.mark.parametrize("way", WAYS)
    async def test_any_hook_answers_every_way_in_order(self, cls: type[Counting], way: str) -> None:
        texts = [f"text {'x' * i}" for i in range(20)]
        assert await ask(cls(), way, texts) == [vector_of(text) for text in texts]

    @pytest.mark.parametrize("cls", [SyncOnly, AsyncOnly, Both])
    async def test_any_hook_answers_a_query(self, cls: type[Counting]) -> None:
        model = cls()
        assert await asyncio.to_thread(model.embed_query, "one") == vector_of("one")
        assert await model.aembed_query("one") == vector_of("one")
        assert model._parts == [["one"], ["one"]]

    async def test_a_caller_gets_the_hook_of_its_own_kind(self) -> None:
        model = Both()
        await asyncio.to_thread(model.embed_query, "x")
        await asyncio.to_thread(model.embed_documents, ["x"])
        await model.aembed_query("x")
        await model.aembed_documents(["x"])
        assert model._ran == ["_embed", "_embed", "_aembed", "_aembed"]

    def test_texts_may_be_any_iterable(self) -> None:
        assert SyncOnly().embed_documents(text for text in ("a", "bb")) == [vector_of("a"), vector_of("bb")]

    @pytest.mark.parametrize("way", WAYS)
    async def test_no_texts_call_no_hook(self, way: str) -> None:
        class Unloaded(SyncOnly):
            def _load(self) -> None:
                raise AssertionError("nothing to load for")

        model = Unloaded()
        assert await ask(model, way, []) == []
        assert model._parts == []

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("texts", ["secret text", b"secret text", None, 7])
    async def test_something_that_is_no_list_is_refused(self, way: str, texts: Any) -> None:
        with pytest.raises(InputError, match=r"a list of texts, not one .*embed_query") as raised:
            await ask(SyncOnly(), way, texts)
        assert "secret text" not in str(raised.value)

    @pytest.mark.parametrize("text", [None, 7, b"x", ["x"]])
    def test_something_that_is_no_text_is_refused(self, text: Any) -> None:
        model = SyncOnly()
        with pytest.raises(InputError, match="must be a str"):
            model.embed_query(text)
        with pytest.raises(InputError, match="must be a str"):
            model.embed_documents(["fine", text])
        assert model._parts == []

    def test_two_event_loops_in_a_row_work(self) -> None:
        model = AsyncOnly(max_concurrency=1, max_batch_size=2)
        for _ in range(2):
            assert asyncio.run(model.aembed_documents(["a", "b", "c"])) == [vector_of(text) for text in "abc"]

    def test_a_model_can_be_pickled(self) -> None:
        model = SyncOnly(dimensions=3, max_batch_size=2)
        model.embed_query("x")
        copy = pickle.loads(pickle.dumps(model))
        assert copy.dimensions == 3
        assert copy.embed_documents(["a", "b", "c"]) == [vector_of(text) for text in "abc"]

    def test_it_is_loaded_once_before_its_first_call(self) -> None:
        class Loaded(SyncOnly):
            def _load(self) -> None:
                self._ran.append("_load")

        model = Loaded()
        model.embed_query("x")
        asyncio.run(model.aembed_documents(["x"]))
        assert model._ran == ["_load", "_embed", "_embed"]

    def test_single_loop_keeps_async_hooks_on_one_loop(self) -> None:
        class Pinned(EmbeddingModel):
            single_loop: ClassVar[bool] = True
            _loops: set[Any] = PrivateAttr(default_factory=set)

            async def _aembed(self, texts):
                self._loops.add(asyncio.get_running_loop())
                return [[1.0] for _ in texts]

        model = Pinned()
        model.embed_query("x")
        asyncio.run(model.aembed_documents(["x"]))
        asyncio.run(model.aembed_query("x"))
        assert len(model._loops) == 1


class TestManyTexts:
    @pytest.mark.parametrize("cls", [SyncOnly, AsyncOnly])
    @pytest.mark.parametrize("way", WAYS)
    async def test_one_hook_call_gets_at_most_max_batch_size_texts(self, cls: type[Counting], way: str) -> None:
        model = cls(max_batch_size=3)
        texts = [f"{i}" * (i + 1) for i in range(8)]
        assert await ask(model, way, texts) == [vector_of(text) for text in texts]
        assert sorted(map(len, model._parts)) == [2, 3, 3]

    @pytest.mark.parametrize("way", WAYS)
    async def test_without_max_batch_size_one_hook_call_gets_all(self, way: str) -> None:
        model = SyncOnly()
        await ask(model, way, ["a", "b", "c"])
        assert model._parts == [["a", "b", "c"]]

    @pytest.mark.parametrize("way", WAYS)
    async def test_parts_run_at_once_as_far_as_max_concurrency_lets(self, way: str) -> None:
        class Meeting(EmbeddingModel):
            max_concurrency: int | None = 2
            max_batch_size: int | None = 2
            _both: threading.Barrier = PrivateAttr(default_factory=lambda: threading.Barrier(2))
            _running: int = PrivateAttr(0)
            _peak: int = PrivateAttr(0)

            def _embed(self, texts):
                self._running += 1
                self._peak = max(self._peak, self._running)
                self._both.wait(SOON)
                self._running -= 1
                self._both.wait(SOON)
                return [vector_of(text) for text in texts]

        model = Meeting()
        texts = [str(i) for i in range(8)]
        assert await ask(model, way, texts) == [vector_of(text) for text in texts]
        assert model._peak == 2

    @pytest.mark.parametrize("cls", [SyncOnly, AsyncOnly])
    @pytest.mark.parametrize("fields", [{}, {"max_batch_size": 16}, {"max_concurrency": 3}])
    def test_64_threads_get_64_right_answers(self, cls: type[Counting], fields: dict[str, Any]) -> None:
        model = cls(**fields)
        with ThreadPoolExecutor(64) as pool:
            vectors = list(pool.map(lambda i: model.embed_query("x" * i), range(64)))
        assert vectors == [vector_of("x" * i) for i in range(64)]

    def test_max_concurrency_limits_hook_calls_over_all_ways(self) -> None:
        class One(EmbeddingModel):
            max_concurrency: int | None = 1
            _inside: threading.Lock = PrivateAttr(default_factory=threading.Lock)

            def _embed(self, texts):
                assert self._inside.acquire(blocking=False), "two hook calls at once"
                try:
                    return [vector_of(text) for text in texts]
                finally:
                    self._inside.release()

        model = One()

        def many(i: int) -> None:
            if i % 2:
                asyncio.run(model.aembed_documents(["a", "b"]))
            else:
                model.embed_documents(["a", "b"])

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(many, range(32)))

    @pytest.mark.parametrize("way", WAYS)
    async def test_the_first_failure_is_raised_after_all_parts_have_run(self, way: str) -> None:
        class Failing(SyncOnly):
            max_batch_size: int | None = 1

            def _embed(self, texts):
                if texts[0] in ("2", "4"):
                    raise LookupError(f"no {texts[0]}")
                return super()._embed(texts)

        model = Failing()
        with pytest.raises(LookupError, match="no 2"):
            await ask(model, way, ["1", "2", "3", "4", "5"])
        assert sorted(model._parts) == [["1"], ["3"], ["5"]]


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


class Resizing(EmbeddingModel):
    """Gives as many numbers as it is asked for."""

    def _embed(self, texts, dimensions=4):
        return [[1.0] * dimensions for _ in texts]


class Forwarding(EmbeddingModel):
    _given: dict[str, Any] = PrivateAttr(default_factory=dict)

    async def _aembed(self, texts, **kwargs):
        self._given = kwargs
        return [[1.0, 2.0] for _ in texts]


class TestDimensions:
    @pytest.mark.parametrize(("field", "asked", "length"), [(None, None, 4), (3, None, 3), (None, 2, 2), (3, 2, 2)])
    @pytest.mark.parametrize("way", WAYS)
    async def test_a_hook_that_takes_them_is_given_them(self, way: str, field: Any, asked: Any, length: int) -> None:
        vectors = await ask(Resizing(dimensions=field), way, ["a", "b"], dimensions=asked)
        assert [len(vector) for vector in vectors] == [length, length]

    async def test_a_query_may_ask_for_them_too(self) -> None:
        assert Resizing().embed_query("x", dimensions=2) == [1.0, 1.0]
        assert await Resizing().aembed_query("x", dimensions=2) == [1.0, 1.0]

    def test_a_hook_that_takes_them_and_does_not_keep_them_is_an_error(self) -> None:
        class Wrong(EmbeddingModel):
            def _embed(self, texts, dimensions=None):
                return [[1.0, 2.0] for _ in texts]

        with pytest.raises(HookError, match=r"Wrong._embed gave vectors of 2 numbers where dimensions=3 was asked"):
            Wrong().embed_documents(["a"], dimensions=3)

    @pytest.mark.parametrize("way", WAYS)
    async def test_a_class_that_does_not_take_them_says_what_it_gives(self, way: str) -> None:
        model = SyncOnly()
        assert await ask(model, way, ["a"], dimensions=3) == [vector_of("a")]
        with pytest.raises(InputError, match=r"SyncOnly gives vectors of 3 numbers, not of 2") as raised:
            await ask(model, way, ["a"], dimensions=2)
        assert raised.value.param == "dimensions"

    def test_what_the_field_says_is_known_without_a_hook_call(self) -> None:
        model = SyncOnly(dimensions=3)
        with pytest.raises(InputError, match="gives vectors of 3 numbers, not of 2"):
            model.embed_query("x", dimensions=2)
        assert model._parts == []

    def test_the_field_is_checked_against_what_the_hook_gives(self) -> None:
        with pytest.raises(HookError, match=r"SyncOnly._embed gave vectors of 3 numbers where dimensions=5"):
            SyncOnly(dimensions=5).embed_query("x")

    async def test_kwargs_carry_them_but_do_not_promise_them(self) -> None:
        model = Forwarding()
        assert await model.aembed_query("x", dimensions=2, user="me") == [1.0, 2.0]
        assert model._given == {"dimensions": 2, "user": "me"}
        with pytest.raises(InputError, match="gives vectors of 2 numbers, not of 3"):
            await model.aembed_query("x", dimensions=3)
        await model.aembed_query("x")
        assert model._given == {}

    @pytest.mark.parametrize("wrong", [0, -1, True, 1.5, "3"])
    def test_a_wrong_number_is_refused(self, wrong: Any) -> None:
        with pytest.raises(InputError, match="dimensions must be an int of at least 1"):
            Resizing().embed_query("x", dimensions=wrong)
        with pytest.raises(ValueError, match="field 'dimensions'"):
            Resizing(dimensions=0)


class TestKeywordsAndUsage:
    def test_a_keyword_that_the_hook_does_not_take_is_refused(self) -> None:
        with pytest.raises(KeywordError, match=r"Resizing._embed does not take the keyword 'dimension'; did you mean"):
            Resizing().embed_documents(["a"], dimension=3)
        with pytest.raises(KeywordError, match=r"SyncOnly._embed does not take the keyword 'user'"):
            SyncOnly().embed_query("a", user="me")

    def test_a_wrong_config_is_refused(self) -> None:
        config: Any = {"timeut": 1}
        with pytest.raises(InputError, match="did you mean 'timeout'"):
            SyncOnly().embed_query("a", config=config)

    @pytest.mark.parametrize("way", ["embed", "aembed"])
    async def test_usage_is_estimated_without_a_tokenizer(self, way: str) -> None:
        method = getattr(SyncOnly(name="mine"), way)
        result = method(["12345678", "1234"])
        result = await result if inspect.isawaitable(result) else result
        assert result.usage == Usage(3, 0, 3, estimated=True)
        assert result.model_name == "mine"

    def test_usage_is_counted_by_the_models_tokenizer(self) -> None:
        class Words(SyncOnly):
            def _count_tokens(self, text):
                return len(text.split())

        assert Words().embed(["one two", "three"]).usage == Usage(3, 0, 3)

    def test_usage_may_come_with_a_vector_or_be_reported_of_an_item(self) -> None:
        assert Returning(value=[Embedding([1.0], Usage(7, 0, 7))] * 2).embed(["a", "b"]).usage == Usage(14, 0, 14)

        class Reporting(EmbeddingModel):
            def _embed(self, texts, run_manager=None):
                assert run_manager is not None
                for item in run_manager.items:
                    item.report_usage(5)
                return [[1.0] for _ in texts]

        assert Reporting().embed(["a", "b"]).usage == Usage(10, 0, 10)

    def test_no_texts_use_no_tokens(self) -> None:
        assert SyncOnly().embed([]).usage == Usage()

    def test_results_print_shortly(self) -> None:
        assert "<2 vectors>" in repr(SyncOnly().embed(["a", "b"]))
        assert repr(Embedding([1.0] * 1000)) == "Embedding(<1000 numbers>, usage=None)"


class TestTheClass:
    def test_a_class_without_a_hook_cannot_be_made(self) -> None:
        class Empty(EmbeddingModel):
            pass

        with pytest.raises(TypeError, match=r"define one of _embed, _aembed, for example `def _embed\(self, texts,"):
            Empty()

    def test_a_hook_with_another_first_parameter_is_refused(self) -> None:
        with pytest.raises(TypeError, match=r"first parameter after self is not 'texts'; write `async def _aembed"):

            class Wrong(EmbeddingModel):
                async def _aembed(self, prompt):
                    return [[1.0]]

    def test_a_field_that_hides_a_method_is_refused(self) -> None:
        with pytest.raises(TypeError, match=r"hides the method EmbeddingModel.embed"):

            class Wrong(EmbeddingModel):
                embed: int = 3  # pyright: ignore[reportAssignmentType]

    @pytest.mark.parametrize("face", ["embed_documents", "aembed_query"])
    def test_langchains_methods_in_place_of_a_hook_are_refused(self, face: str) -> None:
        with pytest.raises(TypeError, match=rf"Wrong.{face} is what callers use.*write the hook `def _embed\(self"):
            type("Wrong", (EmbeddingModel,), {face: lambda self, texts: [], "__module__": __name__})

    def test_secrets_are_not_printed(self) -> None:
        model = Returning(value=1, dimensions=3)
        assert "'dimensions': 3" in str(model)
        assert "sk-very-secret" not in repr(model) + str(model)

    def test_a_class_may_say_its_dimensions_itself(self) -> None:
        class Fixed(SyncOnly):
            dimensions: int | None = 3

        assert Fixed().embed_query("x") == vector_of("x")
        with pytest.raises(InputError):
            Fixed().embed_query("x", dimensions=4)


class Cached(EmbeddingModel):
    """Gives as many numbers as its field says, and never names `dimensions` in its hook."""

    log: ClassVar[list[list[str]]] = []
    cache: Any = True

    def _embed(self, texts):
        self.log.append(texts)
        return [[float(len(text))] * (self.dimensions or 2) for text in texts]


class TestCache:
    @pytest.fixture(autouse=True)
    def _fresh(self) -> None:
        Cached.log.clear()

    @pytest.mark.parametrize("way", WAYS)
    async def test_only_new_texts_reach_the_hook(self, way: str) -> None:
        model = Cached(cache=LRUCache())
        assert await ask(model, way, ["a", "bb"]) == [[1.0, 1.0], [2.0, 2.0]]
        assert await ask(model, way, ["bb", "ccc", "a", "ccc"]) == [[2.0, 2.0], [3.0, 3.0], [1.0, 1.0], [3.0, 3.0]]
        assert await model.aembed_query("ccc") == [3.0, 3.0]
        assert Cached.log == [["a", "bb"], ["ccc"]]

    def test_a_hit_is_nobody_elses_list(self) -> None:
        model = Cached(cache=LRUCache())
        model.embed_query("a").append(7.0)
        model.embed_query("a").append(7.0)
        assert model.embed_query("a") == [1.0, 1.0]

    def test_models_of_other_dimensions_share_nothing(self) -> None:
        cache = LRUCache()
        two, three = Cached(cache=cache), Cached(cache=cache, dimensions=3)
        assert [len(model.embed_query("a")) for model in (two, three, two, three)] == [2, 3, 2, 3]
        assert len(Cached.log) == 2

    def test_a_hit_has_its_usage(self) -> None:
        model = Cached(cache=LRUCache())
        assert model.embed(["12345678"]).usage == model.embed(["12345678"]).usage == Usage(2, 0, 2, estimated=True)
