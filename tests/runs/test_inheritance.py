"""What a call made inside another one inherits: who listens, the parent, tags, metadata, values."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from modelport import LLM, BaseCallbackHandler, CallbackManagerForLLMRun, RunnableLambda


class Starts(BaseCallbackHandler):
    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}

    def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], **kwargs: Any) -> None:
        self.runs[kwargs["name"]] = kwargs

    def on_chain_start(self, serialized: dict[str, Any], inputs: Any, **kwargs: Any) -> None:
        self.runs[kwargs["name"]] = kwargs

    def parent_of(self, name: str) -> str | None:
        parent = self.runs[name]["parent_run_id"]
        return next((n for n, run in self.runs.items() if run["run_id"] == parent), None)


class Inner(LLM):
    def _call(self, prompt: str) -> str:
        return prompt[::-1]


class Outer(LLM):
    """Calls another model inside its hook, by the ambient scope alone."""

    def _call(self, prompt: str) -> str:
        return Inner().invoke(prompt)

    async def _acall(self, prompt: str) -> str:
        return await Inner().ainvoke(prompt)


class StreamingOuter(LLM):
    def _stream(self, prompt: str) -> Iterator[str]:
        yield from Inner().stream(prompt)

    async def _astream(self, prompt: str) -> Any:
        async for piece in Inner().astream(prompt):
            yield piece


async def called(model: Any, way: str, config: Any) -> str:
    if way == "invoke":
        return model.invoke("ab", config)
    if way == "ainvoke":
        return await model.ainvoke("ab", config)
    if way == "stream":
        return "".join(model.stream("ab", config))
    if way == "astream":
        return "".join([piece async for piece in model.astream("ab", config)])
    return (model.batch(["ab"], config) if way == "batch" else await model.abatch(["ab"], config))[0]


WAYS = ("invoke", "ainvoke", "stream", "astream", "batch", "abatch")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("outer", [Outer, StreamingOuter])
async def test_a_model_called_in_a_hook_joins_the_run_tree(outer: type[LLM], way: str) -> None:
    handler = Starts()
    config: Any = {"callbacks": [handler], "tags": ["t"], "metadata": {"m": 1}, "run_name": "root"}
    assert await called(outer(tags=["own"]), way, config) == "ba"
    assert handler.parent_of("Inner") == "root"
    assert handler.runs["Inner"]["tags"] == ["t"]
    assert handler.runs["Inner"]["metadata"] == {"m": 1}
    assert handler.runs["root"]["tags"] == ["t", "own"]
    assert handler.parent_of("root") is None


@pytest.mark.parametrize("way", WAYS)
async def test_a_chain_called_in_a_function_joins_the_run_tree(way: str) -> None:
    handler = Starts()

    def step(value: str) -> str:
        return Outer().invoke(value)

    config: Any = {"callbacks": [handler], "tags": ["t"], "run_name": "root"}
    assert await called(RunnableLambda(step) | str.upper, way, config) == "BA"
    assert handler.parent_of("Inner") == "Outer"
    assert handler.parent_of("Outer") == "step"
    assert handler.parent_of("step") == "root"
    assert handler.runs["step"]["tags"] == ["seq:step:1", "t"]
    assert handler.runs["Outer"]["tags"] == ["t"]


def test_a_function_gets_its_config_and_may_hand_it_on_from_another_thread() -> None:
    handler = Starts()
    seen: list[Any] = []

    def step(value: str, config: Any) -> str:
        answers: list[str] = []
        other = threading.Thread(target=lambda: answers.append(Inner().invoke(value, config)))
        other.start()
        other.join()
        seen.append(config)
        return answers[0]

    config: Any = {
        "callbacks": [handler],
        "tags": ["t"],
        "metadata": {"m": 1},
        "configurable": {"user": "eve"},
        "max_concurrency": 3,
    }
    assert RunnableLambda(step).invoke("ab", config) == "ba"
    assert handler.parent_of("Inner") == "step"
    del seen[0]["callbacks"]
    assert seen == [
        {
            "tags": ["t"],
            "metadata": {"m": 1},
            "configurable": {"user": "eve"},
            "max_concurrency": 3,
        }
    ]


def test_a_function_that_takes_config_gets_one_when_nobody_gave_any() -> None:
    assert RunnableLambda(lambda value, config: (value, config)).invoke("x") == ("x", {})


def test_tags_and_metadata_of_an_inner_call_add_to_the_inherited_ones() -> None:
    handler = Starts()

    def step(value: str) -> str:
        return Inner(metadata={"field": 1}).invoke(
            value, {"tags": ["inner", "t"], "metadata": {"k": 2}, "run_name": "named"}
        )

    config: Any = {"callbacks": [handler], "tags": ["t"], "metadata": {"k": 1, "m": 1}}
    RunnableLambda(step).invoke("ab", config)
    assert handler.runs["named"]["tags"] == ["inner", "t"]
    assert handler.runs["named"]["metadata"] == {"k": 2, "m": 1, "field": 1}


def test_configurable_values_overlay_on_the_way_in() -> None:
    seen: list[Any] = []
    inner = RunnableLambda(lambda value, config: seen.append(config["configurable"]))
    outer = RunnableLambda(lambda value: inner.invoke(value, {"configurable": {"b": 2}}))
    outer.invoke("x", {"configurable": {"a": 1, "b": 1}})
    assert seen == [{"a": 1, "b": 2}]


def test_run_name_and_run_id_are_the_outermost_runs_alone() -> None:
    handler = Starts()
    Outer().invoke("ab", {"callbacks": [handler], "run_name": "mine"})
    assert set(handler.runs) == {"mine", "Inner"}


def test_a_models_own_callbacks_hear_of_its_runs_and_not_of_those_inside() -> None:
    own, given = Starts(), Starts()
    Outer(callbacks=[own]).invoke("ab", {"callbacks": [given, own]})
    assert set(given.runs) == {"Outer", "Inner"}
    alone = Starts()
    Outer(callbacks=[alone]).invoke("ab")
    assert set(alone.runs) == {"Outer"}


def test_a_handler_given_twice_hears_once() -> None:
    handler = Starts()
    heard: list[str] = []
    handler.on_llm_start = lambda *args, **kwargs: heard.append(kwargs["name"])
    Inner(callbacks=[handler]).invoke("ab", {"callbacks": [handler, handler]})
    assert heard == ["Inner"]


def test_each_item_of_a_batch_has_its_own_run_and_the_batch_only_one_id() -> None:
    runs: list[dict[str, Any]] = []
    handler = Starts()
    handler.on_llm_start = lambda *args, **kwargs: runs.append(kwargs)
    Inner().batch(["a", "b"], {"callbacks": [handler], "tags": ["t"], "run_name": "n"})
    assert len({run["run_id"] for run in runs}) == 2
    assert [(run["name"], run["tags"], run["parent_run_id"]) for run in runs] == [
        ("n", ["t"], None),
        ("n", ["t"], None),
    ]


def test_the_first_item_of_a_batch_has_the_run_id_of_the_config() -> None:
    runs: dict[str, Any] = {}
    handler = Starts()
    handler.on_llm_start = lambda serialized, prompts, **kwargs: runs.update({prompts[0]: kwargs["run_id"]})
    run_id = "12345678-1234-5678-1234-567812345678"
    Inner().batch(["a", "b"], {"callbacks": [handler], "run_id": run_id})
    assert str(runs["a"]) == run_id != str(runs["b"])


class Asking(LLM):
    """Hands the run tree on by hand, as LangChain's authors do."""

    def _call(self, prompt: str, run_manager: CallbackManagerForLLMRun) -> str:
        child = run_manager.get_child("sub")
        answers: list[str] = []
        work = lambda: answers.append(Inner().invoke(prompt, {"callbacks": child}))  # noqa: E731
        other = threading.Thread(target=work)
        other.start()
        other.join()
        return answers[0]


def test_get_child_carries_the_run_tree_to_another_thread() -> None:
    handler = Starts()
    assert Asking().invoke("ab", {"callbacks": [handler], "tags": ["t"]}) == "ba"
    assert handler.parent_of("Inner") == "Asking"
    assert handler.runs["Inner"]["tags"] == ["sub", "t"]


def test_get_child_is_none_when_there_is_nothing_to_inherit() -> None:
    assert Asking().invoke("ab") == "ba"
