"""`RunnableParallel` and dicts in `|`: the same dict in every way to call, its steps at once."""

from __future__ import annotations

import asyncio
import contextvars
import pickle
import threading
from typing import Any

import pytest

from modelport import (
    PromptTemplate,
    RunnableLambda,
    RunnableParallel,
    StrOutputParser,
)
from modelport.engine.concurrency import BATCH_THREADS
from modelport.runnables.joining import join
from modelport.runnables.tees import TEE_PIECES
from modelport.values.errors import InputError
from tests.runnables.letters import CONFIGS, Together, every_answer, given, letters


class TestAnswers:
    @CONFIGS
    @pytest.mark.parametrize(
        ("chain", "answer"),
        [
            (RunnableParallel(a=str.upper, b=len), {"a": "HI", "b": 2}),
            (RunnableParallel({"a": str.upper}, b=letters()), {"a": "HI", "b": "hi"}),
            (RunnableParallel(a=str.upper), {"a": "HI"}),
            (RunnableParallel(), {}),
            (RunnableParallel(a={"b": {"c": str.upper}, "d": len}), {"a": {"b": {"c": "HI"}, "d": 2}}),
            (letters() | {"a": str.upper, "b": StrOutputParser()}, {"a": "HI", "b": "hi"}),
            ({"x": letters()} | PromptTemplate("{x}!") | letters() | {"y": letters(), "z": len}, None),
        ],
        ids=["two", "dict", "one", "none", "nested", "piped", "first-and-last"],
    )
    async def test_every_way_to_call_gives_the_same_dict(self, chain: Any, answer: Any, config: Any) -> None:
        if answer is None:
            assert chain.invoke("hi")["y"] == "hi!"
            answer = chain.invoke("hi") | {"z": 3}
            chain = chain | (lambda out: {**out, "z": 3})
        assert await every_answer(chain, "hi", config) == [answer] * 10

    async def test_the_keys_keep_their_order(self) -> None:
        chain = RunnableParallel(b=str.upper, a=len)
        assert list(chain.invoke("x")) == ["b", "a"]
        assert list(await chain.ainvoke("x")) == ["b", "a"]

    @CONFIGS
    async def test_what_context_variables_hold_is_seen_in_every_step_and_stays_there(self, config: Any) -> None:
        who: contextvars.ContextVar[str] = contextvars.ContextVar("who")
        who.set("caller")

        def sees(value: Any) -> str:
            seen = who.get()
            who.set("step")
            return seen

        async def asees(value: Any) -> str:
            return sees(value)

        chain = RunnableParallel(a=RunnableLambda(sees, asees), b=RunnableLambda(sees, asees))
        assert await every_answer(chain, 1, config) == [{"a": "caller", "b": "caller"}] * 10
        assert who.get() == "caller"


class TestConcurrency:
    @CONFIGS
    async def test_eight_steps_meet_at_one_barrier(self, config: Any) -> None:
        together = Together(8)
        chain = RunnableParallel({f"step{n}": together.step() for n in range(8)})
        answer = {f"step{n}": 1 for n in range(8)}
        assert chain.invoke(1, config) == answer
        assert await chain.ainvoke(1, config) == answer
        assert join(list(chain.stream(1, config))) == answer
        assert join([piece async for piece in chain.astream(1, config)]) == answer

    def test_more_steps_than_a_batch_has_threads_meet_too(self) -> None:
        count = BATCH_THREADS + 4
        together = Together(count)
        chain = RunnableParallel({f"step{n}": together.step() for n in range(count)})
        assert len(chain.invoke(1)) == count

    @pytest.mark.parametrize("limit", [1, 2])
    async def test_max_concurrency_bounds_the_steps(self, limit: int) -> None:
        lock = threading.Lock()
        working, most = 0, 0

        def enter(change: int) -> None:
            nonlocal working, most
            with lock:
                working += change
                most = max(most, working)

        def step(value: Any) -> Any:
            enter(1)
            threading.Event().wait(0.002)
            enter(-1)
            return value

        async def astep(value: Any) -> Any:
            enter(1)
            for _ in range(5):
                await asyncio.sleep(0)
            enter(-1)
            return value

        chain = RunnableParallel({str(n): RunnableLambda(step, astep) for n in range(6)})
        config: Any = {"max_concurrency": limit}
        parts = [0] * TEE_PIECES * 2 + [1]
        for answer in (
            chain.invoke(1, config),
            await chain.ainvoke(1, config),
            join(list(chain.stream(1, config))),
            join([piece async for piece in chain.astream(1, config)]),
            # More pieces than a tee holds, for steps of which some have not started.
            join(list(chain.transform(iter(parts), config))),
            join([piece async for piece in chain.atransform(given(*parts), config)]),
        ):
            assert answer == {str(n): 1 for n in range(6)}
        assert most == limit


class TestMaking:
    def test_it_is_named_after_its_keys(self) -> None:
        assert RunnableParallel(a=len, b=len).get_name() == "RunnableParallel<a,b>"
        assert RunnableParallel({"a": len}, name="mine").get_name() == "mine"

    def test_a_step_may_be_called_name_or_steps(self) -> None:
        chain = RunnableParallel(name=str.upper, steps=len, self=len)
        assert chain.invoke("ab") == {"name": "AB", "steps": 2, "self": 2}
        assert chain.name is None

    def test_it_prints_its_steps(self) -> None:
        chain = PromptTemplate("{x}") | {"a": str.upper, "b": {"c": len}}
        assert repr(chain) == "PromptTemplate('{x}') | {'a': RunnableLambda(upper), 'b': {'c': RunnableLambda(len)}}"

    @pytest.mark.parametrize("value", ["text", 4, None, [len]])
    def test_a_value_that_can_be_no_step_is_refused(self, value: Any) -> None:
        with pytest.raises(
            InputError, match=r"can be no step of a parallel \(its key 'a'\); give a runnable or a func"
        ):
            RunnableParallel({"a": value})
        with pytest.raises(InputError, match=r"can be no step of a parallel \(its key 'b'\)"):
            _ = letters() | {"a": {"b": value}}

    def test_a_key_that_is_no_text_is_refused(self) -> None:
        with pytest.raises(InputError, match="keys of a parallel are texts, not 4"):
            RunnableParallel({4: len})  # pyright: ignore[reportArgumentType]

    def test_a_class_in_place_of_an_instance_is_refused(self) -> None:
        with pytest.raises(InputError, match=r"StrOutputParser is a class .* write StrOutputParser\("):
            _ = letters() | StrOutputParser
        with pytest.raises(InputError, match=r"StrOutputParser is a class .* \(its key 'b'\); write StrOutputParser\("):
            RunnableParallel(a=len, b=StrOutputParser)

    async def test_it_is_pickled_when_its_steps_are(self) -> None:
        chain = pickle.loads(pickle.dumps(RunnableParallel({"a": len, "b": {"c": str.upper}}, name="mine")))
        assert await every_answer(chain, "ab", None) == [{"a": 2, "b": {"c": "AB"}}] * 10
        assert chain.get_name() == "mine"

    async def test_keywords_go_to_no_step(self) -> None:
        chain = RunnableParallel(a=letters(), b=len)
        assert chain.invoke("ab", heat=1) == await chain.ainvoke("ab", heat=1) == {"a": "ab", "b": 2}
        assert chain.batch(["ab"], heat=1) == [{"a": "ab", "b": 2}]
        bound = RunnableParallel(a=letters().bind(stop=["b"]))
        assert bound.invoke("abc") == {"a": "ab"}
