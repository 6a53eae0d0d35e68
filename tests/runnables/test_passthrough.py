"""`RunnablePassthrough`, and what its `assign` and `pick` make."""

from __future__ import annotations

import asyncio
import pickle
import threading
from typing import Any

import pytest

from modelport import (
    BaseCallbackHandler,
    PromptTemplate,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
    StrOutputParser,
)
from modelport.runnables.assign import RunnableAssign
from modelport.runnables.pick import RunnablePick
from modelport.runnables.sequence import RunnableSequence
from modelport.values.errors import InputError
from tests.runnables.letters import CONFIGS_AND_ONE, TIMED, WAIT_SECONDS, Letters, every_answer, given


class Heard(BaseCallbackHandler):
    """Notes which runs start inside which."""

    def __init__(self) -> None:
        self.names: dict[Any, str] = {}
        self.runs: list[tuple[str, str | None]] = []

    def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        self.names[kwargs["run_id"]] = kwargs["name"]
        self.runs.append((kwargs["name"], self.names.get(kwargs["parent_run_id"])))

    on_llm_start: Any = on_chain_start


class TestPassthrough:
    @CONFIGS_AND_ONE
    async def test_it_gives_its_input_as_it_is(self, config: Any) -> None:
        value = {"x": object()}
        assert all(one is value for one in await every_answer(RunnablePassthrough(), value, config))
        assert list(RunnablePassthrough().transform(iter("abc"), config)) == list("abc")
        assert [piece async for piece in RunnablePassthrough().atransform(given(*"abc"), config)] == list("abc")

    @CONFIGS_AND_ONE
    async def test_it_calls_its_function_with_the_whole_input(self, config: Any) -> None:
        seen: list[Any] = []
        chain = Letters() | RunnablePassthrough(seen.append) | StrOutputParser()
        assert await every_answer(chain, "abc", config) == ["abc"] * 10
        assert seen == ["abc"] * 10

    async def test_a_stream_is_out_before_its_function_is_called(self) -> None:
        seen: list[Any] = []
        stream = RunnablePassthrough(seen.append).transform(iter("abc"))
        assert [next(stream), next(stream), next(stream)] == list("abc")
        assert seen == []
        assert list(stream) == []
        assert seen == ["abc"]
        stream = RunnablePassthrough(seen.append).transform(iter("abc"))
        next(stream)
        stream.close()
        assert seen == ["abc"]

    async def test_a_stream_without_pieces_calls_no_function(self) -> None:
        seen: list[Any] = []
        chain = RunnablePassthrough(seen.append)
        assert list(chain.transform(iter([]))) == [piece async for piece in chain.atransform(given())] == seen == []

    async def test_async_calls_use_the_async_function_and_a_sync_one_never_runs_on_the_loop(self) -> None:
        seen: list[Any] = []
        here = threading.get_ident()

        async def note(value: Any) -> None:
            seen.append(("async", threading.get_ident() == here))

        both = RunnablePassthrough(lambda _: seen.append("sync"), note)
        only_async, only_sync = (
            RunnablePassthrough(note),
            RunnablePassthrough(lambda _: seen.append(threading.get_ident())),
        )
        assert await both.ainvoke(1) == 1
        assert both.invoke(1) == 1
        assert await only_async.ainvoke(1) == 1
        assert only_async.invoke(1) == 1
        assert seen == [("async", True), "sync", ("async", True), ("async", False)]
        assert await only_sync.ainvoke(1) == 1
        assert seen[-1] != here

    async def test_its_function_is_given_the_config_and_keywords_and_its_calls_join_the_tree(self) -> None:
        heard, seen = Heard(), []

        def note(value: Any, config: Any, heat: int = 0) -> str:
            seen.append((config.get("tags"), heat))
            return Letters().invoke("a")

        chain = RunnablePassthrough(note)
        chain.invoke(1, {"tags": ["t"], "callbacks": [heard]}, heat=1)
        await chain.ainvoke(1, {"tags": ["t"]}, heat=2)
        assert list(chain.stream(1, {"tags": ["t"]}, heat=3)) == [1]
        assert seen == [(["t"], 1), (["t"], 2), (["t"], 3)]
        assert heard.runs == [("Letters", None), ("RunnablePassthrough", None)]
        heard.runs.clear()
        (RunnableLambda(lambda x: x, name="first") | chain).invoke(1, {"callbacks": [heard]})
        assert ("Letters", "RunnableSequence") in heard.runs

    @CONFIGS_AND_ONE
    async def test_a_failing_function_is_raised_unchanged(self, config: Any) -> None:
        error = RuntimeError("no")

        def fail(value: Any) -> None:
            raise error

        chain = RunnablePassthrough(fail)
        for call in (lambda: chain.invoke(1, config), lambda: list(chain.stream(1, config))):
            with pytest.raises(RuntimeError) as raised:
                call()
            assert raised.value is error
        with pytest.raises(RuntimeError):
            await chain.ainvoke(1, config)

    def test_a_function_that_is_none_is_refused(self) -> None:
        with pytest.raises(InputError, match="needs a function, not 4"):
            RunnablePassthrough(4)  # pyright: ignore[reportArgumentType]

    def test_it_prints_its_function(self) -> None:
        assert repr(RunnablePassthrough()) == "RunnablePassthrough()"
        assert repr(RunnablePassthrough(print)) == "RunnablePassthrough(print)"
        assert RunnablePassthrough(name="mine").get_name() == "mine"

    def test_assign_and_pick_of_an_instance_keep_its_function(self) -> None:
        seen: list[Any] = []
        chain = RunnablePassthrough(seen.append)
        assert chain.assign(n=len).invoke({"x": 1}) == {"x": 1, "n": 1}
        assert chain.pick("x").invoke({"x": 1}) == 1
        assert seen == [{"x": 1}] * 2
        assert isinstance(RunnablePassthrough().assign(n=len), RunnableAssign)
        assert isinstance(RunnablePassthrough().pick("n"), RunnablePick)


class TestAssign:
    @CONFIGS_AND_ONE
    async def test_it_adds_computed_keys_to_the_input(self, config: Any) -> None:
        chain = RunnablePassthrough.assign(n=len, x=lambda given: given["x"] * 2, z={"deep": len})
        value = {"x": "a", "y": 1}
        assert await every_answer(chain, value, config) == [{"x": "aa", "y": 1, "n": 2, "z": {"deep": 2}}] * 10
        assert value == {"x": "a", "y": 1}

    @CONFIGS_AND_ONE
    async def test_nothing_to_add_gives_the_input(self, config: Any) -> None:
        chain: Any = RunnablePassthrough.assign()
        assert await every_answer(chain, {"x": 1}, config) == [{"x": 1}] * 10

    @CONFIGS_AND_ONE
    async def test_the_inputs_keys_stream_as_they_come_and_the_computed_ones_in_pieces(self, config: Any) -> None:
        chain = RunnablePassthrough.assign(b=PromptTemplate("{a}") | Letters(), c=lambda given: given["a"])
        source = [{"a": "x"}, {"c": "old"}, {"a": "y", "d": 1}]
        pieces = list(chain.transform(iter(source), config))
        apieces = [piece async for piece in chain.atransform(given(*source), config)]
        for found in (pieces, apieces):
            assert [piece for piece in found if "a" in piece] == [{"a": "x"}, {"a": "y", "d": 1}]
            assert [piece for piece in found if "b" in piece] == [{"b": "x"}, {"b": "y"}]
            assert [piece for piece in found if "c" in piece] == [{"c": "xy"}]

    @CONFIGS_AND_ONE
    async def test_the_inputs_keys_come_before_a_slow_step_is_done(self, config: Any) -> None:
        seen, aseen = threading.Event(), asyncio.Event()

        def slow(value: Any) -> str:
            assert seen.wait(WAIT_SECONDS)
            return "slow"

        async def aslow(value: Any) -> str:
            async with asyncio.timeout(WAIT_SECONDS):
                await aseen.wait()
            return "slow"

        chain = RunnablePassthrough.assign(b=RunnableLambda(slow, aslow))
        stream = chain.stream({"a": 1}, config)
        assert next(stream) == {"a": 1}
        seen.set()
        assert list(stream) == [{"b": "slow"}]
        pieces = chain.astream({"a": 1}, config)
        assert await anext(pieces) == {"a": 1}
        aseen.set()
        assert [piece async for piece in pieces] == [{"b": "slow"}]

    @CONFIGS_AND_ONE
    async def test_closing_a_stream_closes_the_model_at_once(self, config: Any) -> None:
        model = Letters(closed=[])
        chain = RunnablePassthrough.assign(b=PromptTemplate("{a}") | model)
        stream = chain.stream({"a": "x" * 1000}, config)
        while "b" not in next(stream):
            pass
        stream.close()
        while config is TIMED and not model.closed:
            threading.Event().wait(0.001)
        assert model.closed == ["sync"]
        pieces = chain.astream({"a": "x" * 1000}, config)
        while "b" not in await anext(pieces):
            pass
        await pieces.aclose()
        assert model.closed == ["sync", "async"]

    @CONFIGS_AND_ONE
    async def test_an_input_that_is_no_dict_is_refused_by_its_type(self, config: Any) -> None:
        chain: Any = RunnablePassthrough.assign(n=len, m=len)
        message = r"assign\(n, m\) needs a dict as its input, not str 'text'"
        for call in (
            lambda: chain.invoke("text", config),
            lambda: list(chain.stream("text", config)),
            lambda: chain.batch(["text"], config),
        ):
            with pytest.raises(InputError, match=message):
                call()
        with pytest.raises(InputError, match=message):
            await chain.ainvoke("text", config)
        with pytest.raises(InputError, match=message):
            async for _ in chain.astream("text", config):
                pass

    async def test_the_method_of_a_runnable_adds_keys_to_what_it_gives(self) -> None:
        chain = RunnableParallel(a=str.upper).assign(n=lambda given: len(given["a"])).pick(["n"])
        assert await every_answer(chain, "ab", None) == [{"n": 2}] * 10

    def test_it_prints_and_names_its_keys(self) -> None:
        chain = RunnablePassthrough.assign(a=len, b=str.upper)
        assert repr(chain) == "RunnableAssign({'a': RunnableLambda(len), 'b': RunnableLambda(upper)})"
        assert chain.get_name() == "RunnableAssign<a,b>"

    def test_a_value_that_can_be_no_step_is_refused(self) -> None:
        with pytest.raises(InputError, match=r"4 \(int\) can be no step"):
            RunnablePassthrough.assign(a=4)

    async def test_it_is_pickled_when_its_steps_are(self) -> None:
        chain = RunnablePassthrough() | RunnablePassthrough.assign(a=len) | RunnablePassthrough.pick("a")
        assert await every_answer(pickle.loads(pickle.dumps(chain)), {"x": 1}, None) == [1] * 10


class TestPick:
    @CONFIGS_AND_ONE
    @pytest.mark.parametrize(
        ("keys", "picked"),
        [("a", 1), ("missing", None), (["a", "c"], {"a": 1, "c": 3}), (("c", "missing"), {"c": 3}), (["no"], None)],
    )
    async def test_it_gives_a_value_or_a_dict_of_what_is_there(self, keys: Any, picked: Any, config: Any) -> None:
        chain = RunnablePassthrough.pick(keys)
        assert await every_answer(chain, {"a": 1, "b": 2, "c": 3}, config) == [picked] * 10

    @CONFIGS_AND_ONE
    async def test_pieces_without_the_keys_give_nothing(self, config: Any) -> None:
        source = [{"a": "x"}, {"b": "y"}, {"a": None}, {"a": "z", "b": "w"}]
        for keys, picked in (("a", ["x", "z"]), (["b"], [{"b": "y"}, {"b": "w"}])):
            chain = RunnablePick(keys)
            assert list(chain.transform(iter(source), config)) == picked
            assert [piece async for piece in chain.atransform(given(*source), config)] == picked

    @CONFIGS_AND_ONE
    async def test_an_input_that_is_no_dict_is_refused_by_its_type(self, config: Any) -> None:
        chain: Any = RunnablePick("a")
        with pytest.raises(InputError, match=r"pick\('a'\) needs a dict as its input, not list \[1\]"):
            chain.invoke([1], config)
        with pytest.raises(InputError, match="not list"):
            await chain.ainvoke([1], config)
        with pytest.raises(InputError, match="not list"):
            list(chain.stream([1], config))

    @pytest.mark.parametrize("keys", [4, None, ["a", 4]])
    def test_keys_that_are_no_texts_are_refused(self, keys: Any) -> None:
        with pytest.raises(InputError, match="pick takes a key or a list of keys"):
            RunnablePick(keys)

    def test_it_prints_and_names_its_keys(self) -> None:
        assert repr(RunnablePick("a")) == "RunnablePick('a')"
        assert RunnablePick("a").get_name() == "RunnablePick<a>"
        assert RunnablePick(["a", "b"]).get_name() == "RunnablePick<a,b>"
        assert isinstance(RunnableParallel(a=len).pick("a"), RunnableSequence)
