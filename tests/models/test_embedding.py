"""`EmbeddingModel`: one hook gives every way to call, with keywords, dimensions and usage."""

from __future__ import annotations

import asyncio
import inspect
import pickle
from typing import Any, ClassVar

import pytest
from pydantic import PrivateAttr

from modelport import EmbeddingModel
from modelport.values.embeddings import Embedding
from modelport.values.errors import HookError, InputError, KeywordError
from modelport.values.usage import Usage
from tests.models.embedding_models import WAYS, AsyncOnly, Both, Counting, Returning, SyncOnly, ask, vector_of


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
