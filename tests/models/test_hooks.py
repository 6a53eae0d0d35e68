"""What hooks do wrong, or unusually: the caller hears of it, and of nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from modelport import LLM, BaseCallbackHandler, ChatModel, GenerationChunk, Usage
from modelport.values.errors import HookError
from modelport.values.messages import (
    AIMessage,
    AIMessageChunk,
    ChatGeneration,
    ChatGenerationChunk,
)


class Raising(LLM):
    """Raises what a test wants, from every kind of single hook."""

    error: Any

    def _call(self, prompt: str) -> str:
        raise self.error

    def _stream(self, prompt: str) -> Iterator[str]:
        yield "a"
        raise self.error


class AsyncRaising(LLM):
    error: Any

    async def _acall(self, prompt: str) -> str:
        raise self.error

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        yield "a"
        raise self.error


class Hears(BaseCallbackHandler):
    def __init__(self) -> None:
        self.errors: list[Any] = []

    def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
        self.errors.append((error, kwargs["response"].generations[0][0].text))


async def failures_of(model: Any, config: Any) -> list[BaseException]:
    """Return what each way to call raises."""
    errors: list[BaseException] = []
    for work in (model.invoke, lambda *args: list(model.stream(*args))):
        with pytest.raises(Exception) as raised:
            work("p", config)
        errors.append(raised.value)
    with pytest.raises(Exception) as raised:
        await model.ainvoke("p", config)
    errors.append(raised.value)
    pieces = model.astream("p", config)
    with pytest.raises(Exception) as raised:
        async for _ in pieces:
            pass
    return [*errors, raised.value]


class TestExceptions:
    @pytest.mark.parametrize("cls", [Raising, AsyncRaising])
    @pytest.mark.parametrize(
        "error", [RuntimeError("down"), TimeoutError("theirs"), NotImplementedError(), KeyError(1)]
    )
    async def test_a_hooks_exception_is_raised_unchanged(self, cls: Any, error: Exception) -> None:
        handler = Hears()
        for config in (None, {"timeout": 60}, {"callbacks": [handler]}):
            assert await failures_of(cls(error=error), config) == [error] * 4
        assert [one for one, _ in handler.errors] == [error] * 4
        assert [text for _, text in handler.errors] == ["", "a", "", "a"]

    async def test_stop_iteration_does_not_pass_for_an_end(self) -> None:
        model = Raising(error=StopIteration("x"))
        with pytest.raises(StopIteration):
            model.invoke("p")
        with pytest.raises(RuntimeError, match="a hook raised StopIteration"):
            await model.ainvoke("p")
        with pytest.raises(RuntimeError):
            list(model.stream("p"))
        with pytest.raises(RuntimeError):
            [piece async for piece in model.astream("p")]

    def test_a_hook_that_cancels_itself_cancels_its_sync_caller(self) -> None:
        with pytest.raises(asyncio.CancelledError):
            AsyncRaising(error=asyncio.CancelledError()).invoke("p")

    @pytest.mark.parametrize("config", [None, {"callbacks": [Hears()]}, {"timeout": 60}])
    async def test_a_failing_clean_up_is_logged_without_its_text(
        self, config: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Unclean(LLM):
            def _stream(self, prompt: str) -> Iterator[str]:
                try:
                    yield from "ab"
                finally:
                    raise RuntimeError("key-1234")

        class AsyncUnclean(LLM):
            async def _astream(self, prompt: str) -> AsyncIterator[str]:
                try:
                    yield "a"
                    yield "b"
                finally:
                    raise RuntimeError("key-1234")

        with caplog.at_level(logging.WARNING, logger="modelport"):
            pieces: Any = AsyncUnclean().astream("p", config)
            assert await anext(pieces) == "a"
            await pieces.aclose()
            assert "closing async_generator failed: RuntimeError" in caplog.text
            if config is None or "timeout" not in config:  # else another thread closes it
                stream: Any = Unclean().stream("p", config)
                assert next(stream) == "a"
                stream.close()
                assert "closing generator failed: RuntimeError" in caplog.text
        assert "key-1234" not in caplog.text


class Batching(LLM):
    results: Any

    def _batch(self, prompts: list[str]) -> Any:
        return self.results


class AsyncBatching(LLM):
    results: Any

    async def _abatch(self, prompts: list[str]) -> Any:
        return self.results


@pytest.mark.parametrize("cls", [Batching, AsyncBatching])
class TestBatchHooks:
    async def test_one_prompt_gets_its_slot(self, cls: Any) -> None:
        assert cls(results=["a"]).invoke("p") == "a"
        assert await cls(results=("a",)).ainvoke("p") == "a"
        with pytest.raises(KeyError):
            cls(results=[KeyError("mine")]).invoke("p")

    @pytest.mark.parametrize(
        ("results", "said"),
        [
            ("ab", r"batch returned str; it must return a list with one result per prompt"),
            (None, r"batch returned NoneType; it must return a list"),
            (["a"], r"batch returned 1 results for 2 prompts; it must return one per prompt"),
        ],
    )
    async def test_a_wrong_result_is_every_slots_error(self, cls: Any, results: Any, said: str) -> None:
        model = cls(results=results)
        with pytest.raises(HookError, match=said):
            model.batch(["p", "q"])
        with pytest.raises(HookError, match=said):
            await model.abatch(["p", "q"])
        failures = model.batch(["p", "q"], return_exceptions=True)
        assert [type(one) for one in failures] == [HookError] * 2

    async def test_a_wrong_slot_fails_alone(self, cls: Any) -> None:
        model = cls(results=["a", 4, KeyError("mine")])
        for slots in (
            model.batch(["p", "q", "r"], return_exceptions=True),
            await model.abatch(["p", "q", "r"], return_exceptions=True),
        ):
            assert [type(one) for one in slots] == [str, HookError, KeyError]


class Counting(LLM):
    """Counts tokens as a test wants."""

    count: Any
    answer: Any = "a b c"

    def _call(self, prompt: str) -> Any:
        return self.answer

    def _count_tokens(self, text: str) -> int:
        return self.count(text)


class TestCounting:
    @pytest.mark.parametrize("count", [-1, 1.5, "3", None, True])
    def test_a_wrong_count_is_an_error(self, count: Any) -> None:
        handler = Hears()
        model = Counting(count=lambda text: count, callbacks=[handler])
        said = rf"Counting\._count_tokens returned {count!r}; it must return an int >= 0"
        with pytest.raises(HookError, match=said):
            model.generate(["p"])
        assert [text for _, text in handler.errors] == ["a b c"]

    def test_the_longest_prefix_is_kept_where_a_longer_text_has_fewer_tokens(self) -> None:
        def merging(text: str) -> int:
            return 1 if text.endswith("!") else len(text)

        model = Counting(count=merging, answer="abcd!xyz")
        assert model.invoke("p", max_tokens=4) == "abcd!"

    @pytest.mark.parametrize(
        ("given", "usage"),
        [
            (Usage(5, 0, 5), Usage(5, 3, 8)),
            (Usage(0, 6, 6), Usage(1, 6, 7)),
            (Usage(0, 0, 9), Usage(0, 0, 9)),
            (Usage(0, 0, 0), Usage(1, 3, 4)),
            (Usage(5, 6, 20), Usage(5, 6, 20)),
        ],
    )
    def test_a_missing_half_is_counted(self, given: Usage, usage: Usage) -> None:
        answer = GenerationChunk("a b c", usage=given)
        model = Counting(count=lambda text: len(text.split()), answer=answer)
        assert model.generate(["p"]).usage == usage


class Giving(ChatModel):
    value: Any

    def _call(self, messages: list[Any]) -> Any:
        return self.value


class Text(str):
    """Is a text of an author's own kind."""

    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [
        Text("hi"),
        ChatGeneration(message=AIMessage("hi")),
        ChatGenerationChunk("hi", message=AIMessageChunk("hi")),
        ChatGenerationChunk("hi", message=AIMessageChunk("hi"), generation_info={"finish_reason": "length"}),
    ],
)
def test_a_chat_hook_may_give(value: Any) -> None:
    answer = Giving(value=value).invoke("q")
    assert answer.content == "hi"
    reason = "length" if getattr(value, "generation_info", None) else "stop"
    assert answer.response_metadata["finish_reason"] == reason


async def test_an_async_stream_hook_that_awaits_nothing_says_what_is_missing() -> None:
    class Coroutine(LLM):
        async def _astream(self, prompt: str) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
            return prompt

    said = r"Coroutine\._astream returned .*; it must be an `async def` that yields"
    with pytest.raises(HookError, match=said):
        await anext(Coroutine().astream("p"))
    with pytest.raises(HookError, match=said):
        Coroutine().invoke("p")
