"""`RunnableBranch`: the first step whose condition holds, in every way to call."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import pytest

from modelport import PromptTemplate, RunnableBranch, RunnableLambda, StrOutputParser
from modelport.values.errors import InputError
from tests.runnables.letters import CONFIGS_AND_ONE, TIMED, Letters, every_answer


def is_long(text: str) -> bool:
    return len(text) > 2


async def is_empty(text: str) -> bool:
    return not text


class TestChoosing:
    @CONFIGS_AND_ONE
    @pytest.mark.parametrize(("value", "answer"), [("abc", "ABC"), ("", {"n": 0}), ("ab", "ab")])
    async def test_the_first_condition_that_holds_chooses(self, value: str, answer: Any, config: Any) -> None:
        chain = RunnableBranch((is_long, str.upper), [is_empty, {"n": len}], (is_long, len), Letters())
        assert await every_answer(chain, value, config) == [answer] * 10

    @CONFIGS_AND_ONE
    async def test_conditions_after_the_first_that_holds_are_not_asked(self, config: Any) -> None:
        asked: list[str] = []

        def asks(name: str, answer: Any) -> Any:
            def ask(value: Any) -> Any:
                asked.append(name)
                return answer

            return ask

        chain = RunnableBranch((asks("a", 0), len), (asks("b", "yes"), len), (asks("c", True), len), len)
        assert chain.invoke("x", config) == await chain.ainvoke("x", config) == 1
        assert list(chain.stream("x", config)) == [1]
        assert asked == ["a", "b"] * 3

    @CONFIGS_AND_ONE
    async def test_keywords_go_to_the_chosen_step_and_to_no_condition(self, config: Any) -> None:
        chain = RunnableBranch((is_long, Letters()), Letters())
        assert await every_answer(chain, "abc", config, heat=1) == ["abc{'heat': 1}"] * 10
        assert await every_answer(chain, "a", config, heat=1) == ["a{'heat': 1}"] * 10

    async def test_a_batch_chooses_for_each_item(self) -> None:
        chain = RunnableBranch((is_long, str.upper), len)
        assert chain.batch(["abc", "a", ""]) == await chain.abatch(["abc", "a", ""]) == ["ABC", 1, 0]

    async def test_branches_nest(self) -> None:
        chain = RunnableBranch((is_long, RunnableBranch((lambda text: "x" in text, str.upper), str.lower)), len)
        assert await every_answer(chain, "axb", None) == ["AXB"] * 10
        assert await every_answer(chain, "Abc", None) == ["abc"] * 10


class TestStreams:
    @CONFIGS_AND_ONE
    async def test_the_chosen_step_streams(self, config: Any) -> None:
        chain = PromptTemplate("{x}") | (lambda value: value.text) | RunnableBranch((is_long, Letters()), len)
        assert list(chain.stream({"x": "abc"}, config)) == list("abc")
        assert [piece async for piece in chain.astream({"x": "abc"}, config)] == list("abc")

    @CONFIGS_AND_ONE
    @pytest.mark.parametrize("tail", [None, StrOutputParser()], ids=["model", "parsed"])
    async def test_closing_the_stream_closes_the_model_at_once(self, config: Any, tail: Any) -> None:
        model = Letters(closed=[])
        chain: Any = RunnableBranch((is_long, model), len)
        chain = chain if tail is None else chain | tail
        stream = chain.stream("abcdef", config)
        assert next(stream) == "a"
        stream.close()
        while config is TIMED and not model.closed:
            threading.Event().wait(0.001)
        assert model.closed == ["sync"]
        pieces = chain.astream("abcdef", config)
        assert await anext(pieces) == "a"
        await pieces.aclose()
        assert model.closed == ["sync", "async"]


class TestFailures:
    @CONFIGS_AND_ONE
    @pytest.mark.parametrize("where", ["condition", "step", "default"])
    async def test_a_failure_is_raised_unchanged(self, where: str, config: Any) -> None:
        error = RuntimeError("no")

        def fail(value: Any) -> Any:
            raise error

        chain = {
            "condition": RunnableBranch((fail, len), len),
            "step": RunnableBranch((is_long, fail), len),
            "default": RunnableBranch((is_empty, len), fail),
        }[where]
        for call in (lambda: chain.invoke("abc", config), lambda: list(chain.stream("abc", config))):
            with pytest.raises(RuntimeError) as raised:
                call()
            assert raised.value is error
        with pytest.raises(RuntimeError) as raised:
            await chain.ainvoke("abc", config)
        assert raised.value is error
        assert chain.batch(["abc"], config, return_exceptions=True) == [error]


class TestMaking:
    def test_it_needs_a_pair_and_a_default(self) -> None:
        with pytest.raises(InputError, match=r"at least one \(condition, step\) pair and a default, not 1"):
            RunnableBranch(len)
        with pytest.raises(InputError, match="not 0"):
            RunnableBranch()
        with pytest.raises(InputError, match="last argument of a branch is its default"):
            RunnableBranch((is_long, len), (is_long, len))

    @pytest.mark.parametrize("pair", [len, (len,), (len, len, len), "ab"])
    def test_what_is_no_pair_is_refused(self, pair: Any) -> None:
        with pytest.raises(InputError, match=r"a branch is a \(condition, step\) pair, not"):
            RunnableBranch(pair, len)

    @pytest.mark.parametrize(
        ("branches", "place"),
        [(((4, len), len), "condition"), (((len, "text"), len), "step"), (((len, len), None), "default")],
    )
    def test_what_can_be_no_step_is_refused(self, branches: Any, place: str) -> None:
        with pytest.raises(InputError, match=f"can be no {place} of a branch"):
            RunnableBranch(*branches)

    def test_it_prints_its_branches(self) -> None:
        chain = RunnableBranch((is_long, {"n": len}), str.upper)
        assert repr(chain) == (
            "RunnableBranch((RunnableLambda(is_long), {'n': RunnableLambda(len)}), RunnableLambda(upper))"
        )
        assert chain.get_name() == "RunnableBranch"
        assert RunnableBranch((len, len), len, name="mine").get_name() == "mine"

    async def test_it_is_pickled_when_its_parts_are(self) -> None:
        chain = pickle.loads(pickle.dumps(RunnableBranch((len, str.upper), RunnableLambda(len))))
        assert await every_answer(chain, "ab", None) == ["AB"] * 10
