"""Batches of chains: a `_batch` hook inside sees all items in one call, and each item keeps a run of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from modelport import (
    LLM,
    BaseCallbackHandler,
    ModelTimeoutError,
    PromptTemplate,
    Runnable,
    RunnableBranch,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
    RunnableSequence,
    StrOutputParser,
)
from modelport.values.errors import InputError

PROMPT = PromptTemplate("{x}")


class Echo(LLM):
    """Answers many prompts at once, and notes which; a prompt with "bad" in it fails."""

    calls: list[Any] = []

    def _batch(self, prompts: list[str], **kwargs: Any) -> Sequence[str | Exception]:
        self.calls.append([f"{prompt}{kwargs or ''}" for prompt in prompts])
        return [ValueError(prompt) if "bad" in prompt else prompt.upper() for prompt in prompts]


def echo() -> Echo:
    return Echo(calls=[])


class Single(LLM):
    def _call(self, prompt: str) -> str:
        return prompt


def checked(text: str) -> str:
    if "wrong" in text.lower():
        raise RuntimeError(text)
    return text


def inputs(*texts: str) -> list[Any]:
    return [{"x": text} for text in texts]


class Heard(BaseCallbackHandler):
    """Notes every run: what it was given, how it ended, and the runs inside it."""

    def __init__(self) -> None:
        self.runs: dict[Any, dict[str, Any]] = {}
        self.lock = threading.Lock()

    def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        with self.lock:
            facts = kwargs["name"], tuple(kwargs["tags"]), kwargs["metadata"], str(inputs)
            self.runs[kwargs["run_id"]] = {"facts": facts, "parent": kwargs["parent_run_id"], "ends": []}

    def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        text = outputs.generations[0][0].text if hasattr(outputs, "generations") else str(outputs)
        self.runs[kwargs["run_id"]]["ends"].append(("cancelled" if kwargs.get("cancelled") else "end", text))

    def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
        self.runs[kwargs["run_id"]]["ends"].append(("error", repr(error)))

    on_llm_start: Any = on_chain_start
    on_llm_end: Any = on_chain_end
    on_llm_error: Any = on_chain_error

    def tree(self, parent: Any = None) -> list[Any]:
        """Return the runs inside a run: those of one item in order, items in an order of their own."""
        inside = [
            (run["facts"], run["ends"], self.tree(run_id))
            for run_id, run in self.runs.items()
            if run["parent"] == parent
        ]
        return sorted(inside, key=repr)


BATCHES = pytest.mark.parametrize("is_async", [False, True], ids=["batch", "abatch"])


async def batch(chain: Any, values: Any, config: Any = None, *, is_async: bool, **kwargs: Any) -> list[Any]:
    if is_async:
        return await chain.abatch(values, config, return_exceptions=True, **kwargs)
    return await asyncio.to_thread(lambda: chain.batch(values, config, return_exceptions=True, **kwargs))


async def item_by_item(chain: Any, values: Any, config: Any, *, is_async: bool) -> list[Any]:
    """Run a batch as any runnable does, whatever its hooks are."""
    if is_async:
        return await Runnable.abatch(chain, values, config, return_exceptions=True)
    return await asyncio.to_thread(lambda: Runnable.batch(chain, values, config, return_exceptions=True))


Make = Callable[[Echo], Any]
CHAINS: dict[str, Make] = {
    "model": lambda model: PROMPT | model,
    "parsed": lambda model: PROMPT | model | StrOutputParser(),
    "checked": lambda model: PROMPT | model | checked | str.lower,
    "checked-before": lambda model: PROMPT | (lambda value: checked(value.text)) | model | str.lower,
    "bound": lambda model: PROMPT | model.bind(heat=1).with_config(tags=["bound"]) | str.lower,
    "two-models": lambda model: PROMPT | model | checked | model,
    "named-inside": lambda model: PROMPT | RunnableSequence(model, checked, name="inner") | str.lower,
    "parallel": lambda model: PROMPT | {"m": model, "s": Single(), "f": lambda value: checked(value.text)} | str,
    "assign": lambda model: RunnablePassthrough.assign(y=PROMPT | model) | (lambda given: given["x"] + given["y"]),
    "branch": lambda model: (
        PROMPT | (lambda value: checked(value.text)) | RunnableBranch((lambda text: "a" in text, model), Single())
    ),
    "retried": lambda model: (PROMPT | model).with_config(run_name="mine") | str.lower,
}


class TestTogether:
    @BATCHES
    @pytest.mark.parametrize("name", [name for name in CHAINS if name not in ("two-models", "branch")])
    @pytest.mark.parametrize(
        "config", [None, {"timeout": 60}, {"callbacks": [Heard()]}], ids=["bare", "timed", "heard"]
    )
    async def test_the_hook_sees_all_items_in_one_call(self, name: str, config: Any, is_async: bool) -> None:
        model = echo()
        answers = await batch(CHAINS[name](model), inputs("a", "b", "c"), config, is_async=is_async)
        assert [len(call) for call in model.calls] == [3]
        assert len(answers) == 3
        assert not [one for one in answers if isinstance(one, Exception)]

    @BATCHES
    async def test_a_branch_gives_a_model_all_items_it_was_chosen_for(self, is_async: bool) -> None:
        model, other = echo(), echo()
        chain = PROMPT | (lambda value: value.text) | RunnableBranch((lambda text: "a" in text, model), other)
        answers = await batch(chain, inputs("a1", "b1", "a2", "wrong", "b2"), is_async=is_async)
        assert answers == ["A1", "B1", "A2", "WRONG", "B2"]
        assert (model.calls, other.calls) == ([["a1", "a2"]], [["b1", "wrong", "b2"]])

    @BATCHES
    async def test_each_model_of_a_chain_gets_the_items_that_are_left(self, is_async: bool) -> None:
        first, second = echo(), echo()
        chain = PROMPT | first | str.lower | checked | second
        values = inputs("a", "bad", "wrong", "b")
        answers = await batch(chain, values, is_async=is_async)
        assert [repr(one) for one in answers] == ["'A'", "ValueError('bad')", "RuntimeError('wrong')", "'B'"]
        assert (first.calls, second.calls) == ([["a", "bad", "wrong", "b"]], [["a", "b"]])

    @BATCHES
    async def test_one_such_model_after_another_get_all_items(self, is_async: bool) -> None:
        first, second = echo(), echo()
        assert await batch(PROMPT | first | second, inputs("a", "b"), is_async=is_async) == ["A", "B"]
        assert (first.calls, second.calls) == ([["a", "b"]], [["A", "B"]])

    @BATCHES
    async def test_a_batch_without_items_left_calls_no_further_hook(self, is_async: bool) -> None:
        second = echo()
        answers = await batch(PROMPT | echo() | second, inputs("bad", "bad"), is_async=is_async)
        assert [repr(one) for one in answers] == ["ValueError('bad')"] * 2
        assert second.calls == []

    @BATCHES
    async def test_keywords_go_to_the_first_step(self, is_async: bool) -> None:
        model = echo()
        assert await batch(model | str.lower, ["a", "b"], is_async=is_async, heat=1) == ["a", "b"]
        assert model.calls == [["a{'heat': 1}", "b{'heat': 1}"]]
        answers = await batch(RunnableLambda(lambda x, heat: x * heat) | model, ["a", "b"], is_async=is_async, heat=2)
        assert answers == ["AA", "BB"]
        model = echo()
        chain = RunnableBranch((len, model), model)
        assert await batch(chain, ["a", "b"], is_async=is_async, heat=3) == ["A", "B"]
        assert model.calls == [["a{'heat': 3}", "b{'heat': 3}"]]

    async def test_the_first_failure_in_order_is_raised_after_all_have_run(self) -> None:
        model = echo()
        chain = PROMPT | model | checked
        with pytest.raises(RuntimeError, match="WRONG"):
            chain.batch(inputs("a", "wrong", "bad"))
        with pytest.raises(ValueError, match="bad"):
            await chain.abatch(inputs("a", "bad", "wrong"))
        assert [len(call) for call in model.calls] == [3, 3]

    @BATCHES
    async def test_one_item_and_none_are_batches_too(self, is_async: bool) -> None:
        chain = PROMPT | echo()
        assert await batch(chain, [], is_async=is_async) == []
        assert await batch(chain, inputs("a"), is_async=is_async) == ["A"]

    @BATCHES
    async def test_a_config_for_each_input_is_that_items_own(self, is_async: bool) -> None:
        model, first, third = echo(), Heard(), Heard()
        configs: list[Any] = [{"callbacks": [first], "tags": ["one"]}, None, {"callbacks": [third], "run_name": "mine"}]
        chain = PROMPT | model
        assert await batch(chain, inputs("a", "b", "c"), configs, is_async=is_async) == ["A", "B", "C"]
        assert len(model.calls) == 1
        [(facts, ends, inside)] = first.tree()
        assert (facts[0], facts[1], ends, len(inside)) == ("RunnableSequence", ("one",), [("end", "A")], 2)
        [(facts, ends, inside)] = third.tree()
        assert (facts[0], facts[1], ends, len(inside)) == ("mine", (), [("end", "C")], 2)

    @BATCHES
    async def test_a_wrong_config_is_that_items_failure(self, is_async: bool) -> None:
        wrong: Any = {"tag": ["x"]}
        failed, answer = await batch(PROMPT | echo(), inputs("a", "b"), [wrong, None], is_async=is_async)
        assert isinstance(failed, InputError)
        assert answer == "B"

    @BATCHES
    async def test_what_fails_for_the_whole_batch_fails_for_each_item(self, is_async: bool) -> None:
        class Strict(LLM):
            def _batch(self, prompts: list[str]) -> list[str]:
                raise RuntimeError("no")

        answers = await batch(PROMPT | Strict(), inputs("a", "b"), is_async=is_async)
        assert [repr(one) for one in answers] == ["RuntimeError('no')"] * 2
        answers = await batch(Strict() | str.lower, ["a", "b"], is_async=is_async, heat=1)
        assert all("does not take the keyword 'heat'" in str(one) for one in answers)

    @BATCHES
    async def test_max_concurrency_bounds_the_steps_between_the_hooks(self, is_async: bool) -> None:
        working: list[Any] = []
        most = 0
        lock = threading.Lock()

        def step(value: Any) -> str:
            nonlocal most
            with lock:
                working.append(value)
                most = max(most, len(working))
            threading.Event().wait(0.002)
            with lock:
                working.remove(value)
            return "x"

        chain = RunnableLambda(step) | echo() | {"a": step, "b": echo()}
        await batch(chain, [str(n) for n in range(8)], {"max_concurrency": 2}, is_async=is_async)
        assert most == 2


class TestRuns:
    @BATCHES
    @pytest.mark.parametrize("name", CHAINS)
    async def test_the_runs_are_those_of_items_that_go_one_by_one(self, name: str, is_async: bool) -> None:
        """Names, tags, metadata, inputs, outputs, errors, and what is inside what; not the order among items.

        Of a failing item alone, a parallel cancels the other steps; in a batch those may serve the other items.
        """
        values = inputs("a", "b", "ab") if name == "parallel" else inputs("a", "bad", "b", "wrong", "ab")
        together, apart = Heard(), Heard()
        chain = CHAINS[name](echo())
        facts: Any = {"tags": ["t"], "metadata": {"m": 1}, "run_name": "root"}
        answers = await batch(chain, values, {**facts, "callbacks": [together]}, is_async=is_async)
        alone = await item_by_item(chain, values, {**facts, "callbacks": [apart]}, is_async=is_async)
        assert list(map(repr, answers)) == list(map(repr, alone))
        assert together.tree() == apart.tree()
        assert len(together.tree()) == len(values)

    @BATCHES
    async def test_what_steps_call_by_themselves_joins_the_items_run(self, is_async: bool) -> None:
        def asks(text: str) -> str:
            return Single().invoke(text)

        class Asking(Runnable[Any, str]):
            def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> str:
                return Single().invoke(input)

        together, apart = Heard(), Heard()
        chain = PROMPT | echo() | asks | Asking()
        await batch(chain, inputs("a", "b"), {"callbacks": [together]}, is_async=is_async)
        await item_by_item(chain, inputs("a", "b"), {"callbacks": [apart]}, is_async=is_async)
        assert together.tree() == apart.tree()
        assert repr(together.tree()).count("Single") == 4

    @BATCHES
    async def test_a_deadline_ends_every_run_marked(self, is_async: bool) -> None:
        class Endless(LLM):
            def _batch(self, prompts: list[str], run_manager: Any) -> list[str]:
                while not run_manager.cancelled:
                    threading.Event().wait(0.001)
                return prompts

        heard = Heard()
        config = {"callbacks": [heard], "timeout": 0.02}
        answers = await batch(PROMPT | Endless(), inputs("a", "b"), config, is_async=is_async)
        assert all(isinstance(one, ModelTimeoutError) for one in answers)
        assert [ends for _, ends, _ in heard.tree()] == [[("cancelled", "None")]] * 2

    def test_an_interrupt_ends_every_run_marked(self) -> None:
        class Interrupted(LLM):
            def _batch(self, prompts: list[str]) -> list[str]:
                raise KeyboardInterrupt

        heard = Heard()
        with pytest.raises(KeyboardInterrupt):
            (PROMPT | Interrupted()).batch(inputs("a", "b"), {"callbacks": [heard]})
        assert [ends for _, ends, _ in heard.tree()] == [[("cancelled", "None")]] * 2

    async def test_a_cancel_ends_every_run_marked(self) -> None:
        begun = asyncio.Event()

        class Endless(LLM):
            async def _abatch(self, prompts: list[str]) -> list[str]:
                begun.set()
                await asyncio.Event().wait()
                return prompts

        heard = Heard()
        chain = PROMPT | Endless() | RunnableParallel(a=len)
        task = asyncio.ensure_future(chain.abatch(inputs("a", "b"), {"callbacks": [heard]}))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [ends for _, ends, _ in heard.tree()] == [[("cancelled", "None")]] * 2

    @BATCHES
    async def test_a_run_id_is_the_first_items(self, is_async: bool) -> None:
        run_id = "00000000-0000-4000-8000-000000000001"
        heard = Heard()
        await batch(PROMPT | echo(), inputs("a", "b"), {"callbacks": [heard], "run_id": run_id}, is_async=is_async)
        first, *_ = heard.runs
        assert str(first) == run_id
        assert heard.runs[first]["facts"][3] == "{'x': 'a'}"


class TestApart:
    @BATCHES
    async def test_without_such_a_hook_no_item_waits_for_another(self, is_async: bool) -> None:
        """The second item's first step waits for the first item's last one."""
        passed, apassed = threading.Event(), asyncio.Event()

        def first(text: str) -> str:
            assert text == "a" or passed.wait(10)
            return text

        async def afirst(text: str) -> str:
            if text != "a":
                async with asyncio.timeout(10):
                    await apassed.wait()
            return text

        def last(text: str) -> str:
            passed.set()
            return text

        async def alast(text: str) -> str:
            apassed.set()
            return text

        chain = RunnableLambda(first, afirst) | Single() | RunnableLambda(last, alast)
        assert not chain.batches_at_once
        assert await batch(chain, ["a", "b"], is_async=is_async) == ["a", "b"]

    @pytest.mark.parametrize("name", CHAINS)
    def test_a_chain_says_whether_it_answers_many_at_once(self, name: str) -> None:
        assert CHAINS[name](echo()).batches_at_once
        assert not (PROMPT | Single() | {"a": len} | RunnablePassthrough.assign(b=Single())).batches_at_once

    async def test_a_bar_counts_the_items(self, capsys: pytest.CaptureFixture[str]) -> None:
        chain = PROMPT | echo() | checked
        answers = chain.batch(inputs("a", "bad", "wrong"), return_exceptions=True, progress=True)
        assert len(answers) == 3
        assert "3/3" in capsys.readouterr().err
        await chain.abatch(inputs("a", "bad", "wrong"), return_exceptions=True, progress=True)
        assert "3/3" in capsys.readouterr().err
