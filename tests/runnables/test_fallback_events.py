"""`with_fallbacks`: who hears of it."""

from __future__ import annotations

from typing import Any

import langchain_core.callbacks as their_callbacks
import langchain_core.runnables as their_runnables
import pytest

from modelport import (
    BaseCallbackHandler,
    RunnableLambda,
)
from tests.runnables.failing import DownError
from tests.runnables.run_trees import by_call, recorder
from tests.runnables.ways import WAYS


def shown(value: Any) -> Any:
    """Return the text: langchain-core hands it on as {"input": text} for a batch, and for an input that streams."""
    text = value["input"] if isinstance(value, dict) and set(value) == {"input"} else value
    return text or "a"


async def tree_of(runnables: Any, base: Any, way: str, bad: list[str]) -> list[Any]:
    """Return what a handler of one library hears of functions of that library, each with its own bad inputs."""

    def step(name: str, refused: str) -> Any:
        def work(value: str) -> str:
            if value in refused:
                raise DownError(name)
            return name + value

        return runnables(work, name=name)

    one, *others = (step(str(number), refused) for number, refused in enumerate(bad))
    handler = recorder(base, shown)
    chain = one.with_fallbacks(others)
    config: Any = {"callbacks": [handler], "tags": ["t"], "max_concurrency": 1}

    try:
        if way == "batch":
            chain.batch(["a", "b"], config)
        elif way == "abatch":
            await chain.abatch(["a", "b"], config)
        else:
            await WAYS[way](chain, "a", config)
    except DownError:
        handler.calls.append(("raised", -1, None))
    return handler.calls


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream", "batch", "abatch"])
@pytest.mark.parametrize("bad", [["", ""], ["a", ""], ["ab", "b", ""], ["a", "a", "a"]], ids="-".join)
async def test_the_run_tree_is_langchains(bad: list[str], way: str) -> None:
    ours = await tree_of(RunnableLambda, BaseCallbackHandler, way, bad)
    theirs = await tree_of(their_runnables.RunnableLambda, their_callbacks.BaseCallbackHandler, way, bad)
    if "batch" in way:  # no order is promised between items; one that all refuse has the last failure there, alone
        ours, theirs = by_call(ours), by_call(theirs)
        if len(set(bad)) == 1 and bad[0]:
            error = theirs[0][-1]
            assert error == ("error", True, None, None, f"DownError('{len(bad) - 1}')")
            theirs[0][-1] = (*error[:-1], "DownError('0')")
    if "invoke" in way:  # there the attempts of an invoke, and of nothing else, are no children of the call
        assert {call[2] for call in ours if call[0] == "start"} == {None, 0}
        ours, theirs = ([(*call[:2], *call[3:]) for call in calls] for calls in (ours, theirs))
    assert ours == theirs
    assert len(ours) > 1
