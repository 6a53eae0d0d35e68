"""`batch(progress=True)`: a bar on stderr that counts what has ended, for every kind of runnable."""

from __future__ import annotations

import asyncio
import builtins
import sys
from typing import Any

import pytest

from modelport import LLM, ChatModel, ChatPromptTemplate, RunnableLambda, StrOutputParser
from modelport.models import progress as model_progress
from modelport.runnables import progress
from modelport.values.errors import MissingExtraError


class Echo(LLM):
    def _call(self, prompt: str) -> str:
        if prompt == "bad":
            raise RuntimeError("bad")
        return prompt


class Together(LLM):
    sizes: Any

    def _batch(self, prompts: list[str]) -> list[str]:
        self.sizes.append(len(prompts))
        return [prompt.upper() for prompt in prompts]


class AsyncTogether(LLM):
    async def _abatch(self, prompts: list[str]) -> list[str]:
        return [prompt.upper() for prompt in prompts]


class Chat(ChatModel):
    def _call(self, messages: Any) -> str:
        return messages[-1].content


def shout(text: str) -> str:
    if text == "bad":
        raise RuntimeError("bad")
    return text.upper()


PROMPT = ChatPromptTemplate.from_messages([("human", "{q}")])
RUNNABLES: dict[str, tuple[Any, list[Any]]] = {
    "lambda": (RunnableLambda(shout), ["a", "b", "c"]),
    "llm": (Echo(), ["a", "b", "c"]),
    "chat": (Chat(), ["a", "b", "c"]),
    "batching": (Together(sizes=[], max_batch_size=2), ["a", "b", "c"]),
    "async-batching": (AsyncTogether(), ["a", "b", "c"]),
    "binding": (Echo().bind(stop=["!"]), ["a", "b", "c"]),
    "sequence": (PROMPT | Echo() | StrOutputParser(), [{"q": "a"}, {"q": "b"}, {"q": "c"}]),
    "batching-sequence": (PROMPT | Together(sizes=[]) | StrOutputParser(), [{"q": "a"}, {"q": "b"}, {"q": "c"}]),
    "parallel": (RunnableLambda(shout) | {"x": Echo(), "y": Echo()}, ["a", "b", "c"]),
    "typed": (Echo().with_types(input_type=str), ["a", "b", "c"]),
}


@pytest.mark.parametrize("name", RUNNABLES)
def test_every_runnable_counts_to_the_end_on_stderr_alone(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    runnable, inputs = RUNNABLES[name]
    plain = runnable.batch(inputs)
    assert capsys.readouterr() == ("", "")
    assert runnable.batch(inputs, progress=True) == plain
    out, err = capsys.readouterr()
    assert out == ""
    assert "3/3" in err


@pytest.mark.parametrize("name", RUNNABLES)
async def test_async_batches_count_too(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    runnable, inputs = RUNNABLES[name]
    plain = await runnable.abatch(inputs)
    assert await runnable.abatch(inputs, progress=True) == plain
    out, err = capsys.readouterr()
    assert out == ""
    assert "3/3" in err


@pytest.mark.parametrize("runnable", [RunnableLambda(shout), Echo()])
def test_failures_are_counted(runnable: Any, capsys: pytest.CaptureFixture[str]) -> None:
    results = runnable.batch(["a", "bad", "c"], return_exceptions=True, progress=True)
    assert isinstance(results[1], RuntimeError)
    assert "3/3" in capsys.readouterr().err
    with pytest.raises(RuntimeError, match="bad"):
        runnable.batch(["a", "bad", "c"], progress=True)
    assert "3/3" in capsys.readouterr().err


def test_an_input_that_is_refused_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    results = Echo().batch(["a", 5], return_exceptions=True, progress=True)  # pyright: ignore[reportArgumentType]
    assert results[0] == "a"
    assert isinstance(results[1], ValueError)
    assert "2/2" in capsys.readouterr().err


def test_no_items_make_an_empty_bar(capsys: pytest.CaptureFixture[str]) -> None:
    assert Echo().batch([], progress=True) == []
    assert "0/0" in capsys.readouterr().err


def test_the_bar_has_the_runnables_name(capsys: pytest.CaptureFixture[str]) -> None:
    Echo(name="[red]speaker[/red]").batch(["a"], progress=True)
    assert "[red]speaker[/red]" in capsys.readouterr().err


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many items were counted, each time some were."""
    steps: list[int] = []
    was = progress.progress_bar

    class Counting:
        def __init__(self, name: str, total: int) -> None:
            self._bar = was(name, total)

        def __enter__(self) -> Any:
            advance = self._bar.__enter__()

            def both(more: int) -> None:
                steps.append(more)
                advance(more)

            return both

        def __exit__(self, *error: object) -> Any:
            return self._bar.__exit__(*error)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(progress, "progress_bar", Counting)
    monkeypatch.setattr(model_progress, "progress_bar", Counting)
    return steps


def test_items_of_one_hook_call_are_counted_when_it_ends(counted: list[int]) -> None:
    sizes: list[int] = []
    Together(sizes=sizes, max_batch_size=4).batch(list("abcdefghij"), progress=True)
    assert sizes == [4, 4, 2]
    assert [more for more in counted if more] == [4, 4, 2]


async def test_items_of_one_async_hook_call_are_counted_when_it_ends(counted: list[int]) -> None:
    await AsyncTogether(max_batch_size=4).abatch(list("abcdef"), progress=True)
    assert [more for more in counted if more] == [4, 2]


def test_single_items_are_counted_one_by_one(counted: list[int]) -> None:
    Echo().batch(["a", "b"], progress=True)
    RunnableLambda(shout).batch(["a", "b"], progress=True)
    assert [more for more in counted if more] == [1] * 4


async def test_a_cancelled_batch_takes_its_bar_away(capsys: pytest.CaptureFixture[str]) -> None:
    begun = asyncio.Event()

    async def stuck(text: str) -> str:
        begun.set()
        await asyncio.Event().wait()
        return text

    task = asyncio.create_task(RunnableLambda(stuck).abatch(["a"], progress=True))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert capsys.readouterr().out == ""


def test_standard_output_stays_what_it_is_meanwhile(capsys: pytest.CaptureFixture[str]) -> None:
    streams = (sys.stdout, sys.stderr)
    seen: list[Any] = []

    def look(text: str) -> str:
        seen.append((sys.stdout, sys.stderr))
        print(text)
        return text

    RunnableLambda(look).batch(["printed"], progress=True)
    assert seen == [streams]
    assert capsys.readouterr().out == "printed\n"


def test_without_rich_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    importing = builtins.__import__

    def without_rich(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "rich":
            raise ImportError(name)
        return importing(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_rich)
    for runnable in (RunnableLambda(shout), Echo()):
        with pytest.raises(MissingExtraError, match=r"a progress bar needs the extra 'cli'"):
            runnable.batch(["a"], progress=True)
        assert runnable.batch(["a"]) is not None


def test_no_hook_gets_the_keyword() -> None:
    class Strict(LLM):
        seen: Any

        def _call(self, prompt: str, **kwargs: Any) -> str:
            self.seen.append(kwargs)
            return prompt

    seen: list[Any] = []
    (PROMPT | Strict(seen=seen).bind(tone="x")).batch([{"q": "a"}], progress=True)
    Strict(seen=seen).batch(["a"], progress=True)
    assert seen == [{"tone": "x"}, {}]
