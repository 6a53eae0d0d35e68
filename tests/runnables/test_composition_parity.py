"""Parallels, assigns, picks and branches beside real langchain-core: the same runs, and the same answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import langchain_core.callbacks as their_callbacks
import langchain_core.language_models as their_models
import langchain_core.prompts as their_prompts
import langchain_core.runnables as their_runnables
import pytest
from langchain_core.runnables.passthrough import RunnablePick as TheirPick

import modelport
from modelport.runnables.pick import RunnablePick


def whole(llm: Any) -> Any:
    """Return one library's model that answers in one piece."""

    class Whole(llm):
        @property
        def _llm_type(self) -> str:
            return "whole"

        def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            return prompt[:3]

    return Whole


THEIRS = SimpleNamespace(
    Lambda=their_runnables.RunnableLambda,
    Parallel=their_runnables.RunnableParallel,
    Passthrough=their_runnables.RunnablePassthrough,
    Pick=TheirPick,
    Branch=their_runnables.RunnableBranch,
    Sequence=their_runnables.RunnableSequence,
    Base=their_runnables.Runnable,
    Whole=whole(their_models.LLM),
    prompt=their_prompts.PromptTemplate.from_template,
)
OURS = SimpleNamespace(
    Lambda=modelport.RunnableLambda,
    Parallel=modelport.RunnableParallel,
    Passthrough=modelport.RunnablePassthrough,
    Pick=RunnablePick,
    Branch=modelport.RunnableBranch,
    Sequence=modelport.RunnableSequence,
    Base=modelport.Runnable,
    Whole=whole(modelport.LLM),
    prompt=modelport.PromptTemplate.from_template,
)


def upper(value: Any) -> str:
    return str(value).upper()


async def aupper(value: Any) -> str:
    return str(value).upper()


def size(value: Any) -> int:
    return len(value)


async def asize(value: Any) -> int:
    return len(value)


async def letters(value: Any) -> AsyncIterator[str]:
    for letter in str(value)[:2]:
        yield letter


def is_long(value: Any) -> bool:
    return len(value) > 3


def is_never(value: Any) -> bool:
    return False


def fail(value: Any) -> Any:
    raise RuntimeError("no")


def custom(lib: Any) -> Any:
    """Return one library's runnable of an author's own, whose code calls a model without a config."""

    class Custom(lib.Base):
        def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
            return lib.Whole().invoke(str(input))

    return Custom()


CHAINS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "parallel": (lambda lib: lib.Parallel(a=lib.Lambda(upper), b=lib.Lambda(size)), "word"),
    "parallel-of-dict": (lambda lib: lib.Parallel({"a": upper, "b": {"c": size, "d": upper}}), "word"),
    "parallel-of-one": (lambda lib: lib.Parallel(a=upper), "word"),
    "parallel-in-a-chain": (
        lambda lib: lib.Lambda(upper) | {"a": lib.Whole(), "b": size} | lib.prompt("{a} of {b}") | lib.Whole(),
        "word",
    ),
    "dict-first": (lambda lib: {"a": upper, "b": lib.Passthrough()} | lib.prompt("{a} {b}"), "word"),
    "named": (lambda lib: lib.Parallel(a=upper).with_config(run_name="mine", tags=["t"]) | size, "word"),
    "custom": (lambda lib: lib.Parallel(a=custom(lib), b=upper), "word"),
    "passthrough": (lambda lib: lib.Passthrough() | lib.Lambda(upper), "word"),
    "assign": (lambda lib: lib.Passthrough.assign(n=size, x=lambda given: given["x"] * 2), {"x": "word", "y": 1}),
    "assign-in-a-chain": (
        lambda lib: lib.Parallel(a=upper) | lib.Passthrough.assign(b=lib.prompt("{a}") | lib.Whole()) | lib.Pick("b"),
        "word",
    ),
    "assign-method": (lambda lib: lib.Parallel(a=upper).assign(b=size), "word"),
    "pick": (lambda lib: lib.Parallel(a=upper, b=size).pick("a"), "word"),
    "pick-many": (lambda lib: lib.Parallel(a=upper, b=size).pick(["b", "missing"]), "word"),
    "pick-missing": (lambda lib: lib.Parallel(a=upper).pick("b") | lib.Passthrough(), "word"),
    "branch": (lambda lib: lib.Branch((is_never, upper), (is_long, size), upper), "word"),
    "branch-default": (lambda lib: lib.Branch((is_never, upper), (is_long, upper), lib.Whole()), "abc"),
    "branch-in-a-chain": (
        lambda lib: lib.Lambda(upper) | lib.Branch((is_long, {"a": lib.Whole()}), size) | upper,
        "word",
    ),
    "failing-branch": (lambda lib: lib.Branch((is_long, fail), size), "word"),
    "failing-condition": (lambda lib: lib.Branch((fail, size), size), "word"),
    "failing-step": (lambda lib: lib.Parallel(a=fail), "word"),
    "no-dict": (lambda lib: lib.Passthrough.assign(a=size), "word"),
    "no-dict-to-pick": (lambda lib: lib.Pick("a"), "word"),
}


class Heard(their_callbacks.BaseCallbackHandler):
    """Notes every run: its name, its tags, how it ended, and the runs inside it."""

    def __init__(self) -> None:
        self.runs: dict[Any, dict[str, Any]] = {}

    def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        self.runs[kwargs["run_id"]] = {
            # Their models tell their name by their class alone.
            "name": kwargs["name"] or serialized["name"],
            "tags": kwargs["tags"],
            "parent": kwargs["parent_run_id"],
            "ends": [],
        }

    def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        self.runs[kwargs["run_id"]]["ends"].append("end")

    def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
        self.runs[kwargs["run_id"]]["ends"].append("error")

    on_llm_start: Any = on_chain_start
    on_llm_end: Any = on_chain_end
    on_llm_error: Any = on_chain_error

    def tree(self, parent: Any = None) -> list[Any]:
        """Return the runs inside a run, in an order that threads do not change."""
        inside = [
            (run["name"], tuple(run["tags"]), tuple(run["ends"]), self.tree(run_id))
            for run_id, run in self.runs.items()
            if run["parent"] == parent
        ]
        return sorted(inside, key=repr)


def plain(value: Any) -> Any:
    """Return what both libraries' values have in common."""
    if isinstance(value, BaseException):
        return isinstance(value, ValueError) or repr(value)
    return value.to_string() if hasattr(value, "to_string") else value


async def achain(chain: Any, value: Any, config: Any) -> Any:
    return [piece async for piece in chain.astream(value, config)]


WAYS: dict[str, Callable[..., Any]] = {
    "invoke": lambda chain, value, config: chain.invoke(value, config),
    "ainvoke": lambda chain, value, config: chain.ainvoke(value, config),
    "stream": lambda chain, value, config: list(chain.stream(value, config)),
    "astream": achain,
    "batch": lambda chain, value, config: chain.batch([value, value], config, return_exceptions=True),
    "abatch": lambda chain, value, config: chain.abatch([value, value], config, return_exceptions=True),
}


async def outcome_of(lib: Any, name: str, way: str) -> tuple[Any, list[Any]]:
    make, value = CHAINS[name]
    heard = Heard()
    try:
        result = WAYS[way](make(lib), value, {"callbacks": [heard], "tags": ["all"]})
        if way.startswith("a"):
            result = await result
    except Exception as error:  # noqa: BLE001 - compared
        result = error
    if isinstance(result, list):
        result = [plain(one) for one in result]
        if "stream" in way:
            result.sort(key=repr)
    return plain(result), heard.tree()


STREAMED_OTHERWISE = {
    "custom",  # their stream tags no run of an author's own runnable
    "pick-missing",  # a stream without pieces has no run here
    "no-dict",  # their stream leaves the runs inside without an end
}


@pytest.mark.parametrize(
    ("name", "way"),
    [(name, way) for name in CHAINS for way in WAYS if not (name in STREAMED_OTHERWISE and "stream" in way)],
)
async def test_the_answers_and_the_runs_are_langchains(name: str, way: str) -> None:
    ours, tree = await outcome_of(OURS, name, way)
    their_answer, their_tree = await outcome_of(THEIRS, name, way)
    assert ours == their_answer
    assert tree == their_tree
    assert tree


EVENTFUL: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "parallel": (lambda lib: lib.Parallel(a=lib.Lambda(aupper), b=lib.Lambda(asize)), "word"),
    "parallel-of-streams": (lambda lib: lib.Parallel(a=lib.Lambda(letters), b=lib.Lambda(aupper)), "word"),
    "assign": (lambda lib: lib.Passthrough.assign(n=lib.Lambda(asize)), {"x": "word"}),
    "passthrough": (lambda lib: lib.Passthrough(), "word"),
    "pick": (lambda lib: lib.Pick("x"), {"x": "word"}),
    "branch": (lambda lib: lib.Branch((lib.Lambda(asize), lib.Lambda(letters)), lib.Lambda(aupper)), "word"),
    "branch-in-a-chain": (
        lambda lib: lib.Lambda(aupper) | lib.Branch((lib.Lambda(asize), lib.Lambda(letters)), lib.Lambda(aupper)),
        "word",
    ),
    "chain": (lambda lib: lib.Parallel(a=lib.Lambda(aupper)) | lib.Lambda(asize) | {"n": lib.Lambda(aupper)}, "word"),
}


async def events_of(lib: Any, name: str) -> list[dict[str, Any]]:
    make, value = EVENTFUL[name]
    ids: dict[str, str] = {}
    events: list[dict[str, Any]] = []
    async for event in make(lib).astream_events(value, version="v2"):
        ids.setdefault(event["run_id"], f"run {len(ids)}")
        events.append(
            {
                **{key: event[key] for key in ("event", "name", "tags", "data")},
                "run": ids[event["run_id"]],
                "parents": [ids[parent] for parent in event["parent_ids"]],
            }
        )
    return events


@pytest.mark.parametrize("name", EVENTFUL)
async def test_starts_and_ends_come_in_langchains_order(name: str) -> None:
    """Which of two concurrent steps ends first is left to chance there."""
    ours, theirs = await events_of(OURS, name), await events_of(THEIRS, name)
    assert [one for one in ours if "start" in one["event"]] == [one for one in theirs if "start" in one["event"]]
    ended: set[str] = set()
    for end in (one for one in ours if "end" in one["event"]):
        assert end in theirs
        assert ended.isdisjoint(end["parents"])
        ended.add(end["run"])
    assert ended == {one["run"] for one in theirs}


@pytest.mark.parametrize("name", EVENTFUL)
async def test_every_run_streams_what_it_streams_in_langchain(name: str) -> None:
    """Theirs tell no pieces of a branch inside a chain; and pieces of several steps come as they come."""
    ours, theirs = await events_of(OURS, name), await events_of(THEIRS, name)
    told = [
        one for one in ours if one["name"] != "RunnableBranch" or not one["parents"] or "stream" not in one["event"]
    ]
    assert len(told) == len(theirs)
    assert all(one in theirs for one in told)
