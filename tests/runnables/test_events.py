"""`astream_events` on its own: errors, leaving early, threads, backpressure, context variables."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from modelport import (
    LLM,
    CallbackManagerForLLMRun,
    ChatModel,
    ChatPromptTemplate,
    GenerationChunk,
    ModelTimeoutError,
    RunnableLambda,
    StrOutputParser,
)
from modelport.values.errors import InputError


class Letters(LLM):
    def _stream(self, prompt: str) -> Iterator[str]:
        yield from prompt


class Breaking(LLM):
    """Fails after its first piece."""

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        yield prompt[0]
        raise RuntimeError("model down")


class Endless(LLM):
    """Streams for ever, and notes when it is closed."""

    closed: Any

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        try:
            while True:
                yield "x"
                await asyncio.sleep(0)
        finally:
            await asyncio.sleep(0)
            self.closed.append("async")


class SyncEndless(LLM):
    closed: Any
    given: Any = None

    def _stream(self, prompt: str, run_manager: CallbackManagerForLLMRun) -> Iterator[str]:
        try:
            while True:
                yield "x"
        finally:
            self.closed.append("sync")


PROMPT = ChatPromptTemplate.from_messages([("human", "{q}")])


async def names_of(chain: Any, value: Any, **kwargs: Any) -> list[str]:
    return [event["event"] async for event in chain.astream_events(value, **kwargs)]


async def failed(chain: Any, value: Any, *args: Any, **kwargs: Any) -> tuple[list[dict[str, Any]], BaseException]:
    """Return the events of a call that fails, and how it fails."""
    events: list[dict[str, Any]] = []
    try:
        async for event in chain.astream_events(value, *args, **kwargs):
            events.append(event)  # noqa: PERF401 - what came before the error counts
    except Exception as error:  # noqa: BLE001 - the test looks at it
        return events, error
    raise AssertionError("the call did not fail")


class TestErrors:
    @pytest.mark.parametrize("version", ["v1", "v2"])
    async def test_a_failure_is_told_from_the_inside_out_and_then_raised(self, version: Any) -> None:
        chain = PROMPT | Breaking() | StrOutputParser()
        events, error = await failed(chain, {"q": "x"}, version=version)
        last = events[-3:]
        assert [(event["event"], event["name"]) for event in last] == [
            ("on_llm_error", "Breaking"),
            ("on_parser_error", "StrOutputParser"),
            ("on_chain_error", "RunnableSequence"),
        ]
        assert all(event["data"]["error"] is error for event in last)
        assert last[0]["data"]["input"] == {"prompts": ["Human: x"]}
        assert "input" not in last[2]["data"]

    async def test_a_failing_function_prompt_and_model_are_told(self) -> None:
        def fail(value: Any) -> Any:
            raise RuntimeError("no")

        for chain, value, said, names in (
            (RunnableLambda(fail), "x", "no", ["on_chain_start", "on_chain_error"]),
            (PROMPT, {}, "misses the variable 'q'", ["on_prompt_start", "on_prompt_error"]),
            (Breaking(), "x", "model down", ["on_llm_start", "on_llm_stream", "on_llm_error"]),
        ):
            events, error = await failed(chain, value)
            assert [event["event"] for event in events] == names
            assert said in str(error)

    async def test_a_failure_that_nobody_waits_for_is_not_reported_by_the_loop(self) -> None:
        reported: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: reported.append(what))
        events = (PROMPT | Breaking()).astream_events({"q": "x"})
        async with aclosing(events):  # pyright: ignore[reportArgumentType]
            async for event in events:
                for _ in range(20):
                    await asyncio.sleep(0)  # the call fails behind the consumer's back
                assert event["event"] == "on_chain_start"
                break
        gc.collect()
        await asyncio.sleep(0)
        assert reported == []

    def test_another_version_is_refused(self) -> None:
        with pytest.raises(InputError, match="knows the versions 'v1' and 'v2', not 'v3'"):
            Letters().astream_events("x", version="v3")  # pyright: ignore[reportArgumentType]

    async def test_a_wrong_config_is_refused(self) -> None:
        with pytest.raises(InputError, match="'tag' is no key of config"):
            await names_of(Letters(), "x", config={"tag": []})

    async def test_a_wrong_keyword_is_raised(self) -> None:
        with pytest.raises(TypeError, match=r"Letters\._stream does not take the keyword 'heat'"):
            await names_of(Letters(), "x", heat=1)


class TestLeaving:
    @pytest.mark.parametrize("version", ["v1", "v2"])
    async def test_break_cancels_the_call_and_waits_for_it(self, version: Any) -> None:
        model = Endless(closed=[])
        events = (PROMPT | model).astream_events({"q": "x"}, version=version)
        async with aclosing(events):  # pyright: ignore[reportArgumentType]
            async for event in events:
                if event["event"] == "on_llm_stream":
                    break
        assert model.closed == ["async"]
        assert len(asyncio.all_tasks()) == 1

    async def test_cancelling_the_consumer_cancels_the_call_and_waits_for_it(self) -> None:
        model = Endless(closed=[])
        streaming = asyncio.Event()

        async def consume() -> None:
            async for event in (PROMPT | model).astream_events({"q": "x"}):
                if event["event"] == "on_llm_stream":
                    streaming.set()

        task = asyncio.create_task(consume())
        await streaming.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert model.closed == ["async"]

    async def test_a_timeout_ends_the_call_with_an_end_that_says_so(self) -> None:
        chain = PROMPT | Endless(closed=[])
        events, error = await failed(chain, {"q": "x"}, {"timeout": 0.25})
        assert isinstance(error, ModelTimeoutError)
        ends = [event for event in events if event["event"].endswith("_end")]
        assert [(one["event"], one["data"].get("cancelled")) for one in ends] == [
            ("on_prompt_end", None),
            ("on_llm_end", True),
            ("on_chain_end", True),
        ]
        text = ends[1]["data"]["output"]["generations"][0][0]["text"]
        assert text
        assert set(text) == {"x"}
        assert not [event for event in events if event["event"].endswith("_error")]

    async def test_a_stream_that_was_never_begun_starts_nothing(self) -> None:
        model = Endless(closed=[])
        events = model.astream_events("x")
        await events.aclose()  # pyright: ignore[reportAttributeAccessIssue]
        assert model.closed == []


class TestThreads:
    async def test_events_of_a_sync_function_come_while_it_runs(self) -> None:
        def step(value: str) -> str:
            return "".join(Letters().stream(value)).upper()

        seen = [
            event["data"]["chunk"].text
            async for event in RunnableLambda(step).astream_events("abc")
            if event["event"] == "on_llm_stream"
        ]
        assert seen == ["a", "b", "c"]

    async def test_a_producer_in_a_thread_waits_for_its_consumer(self) -> None:
        """One buffer of 64 events stands between them, and one of 64 chunks below."""
        told = 0
        ahead: list[int] = []

        def step(value: str) -> str:
            nonlocal told
            for _ in Letters().stream(value):
                told += 1
            return value

        taken = 0
        async for event in RunnableLambda(step).astream_events("x" * 1000):
            if event["event"] == "on_llm_stream":
                taken += 1
                ahead.append(told - taken)
        assert taken == told == 1000
        assert max(ahead) <= 130

    async def test_a_producer_on_the_loop_waits_for_its_consumer(self) -> None:
        produced = 0

        class Counting(LLM):
            async def _astream(self, prompt: str) -> AsyncIterator[str]:
                nonlocal produced
                for letter in prompt:
                    produced += 1
                    yield letter

        taken, ahead = 0, 0
        chain = RunnableLambda(lambda value: value) | Counting()
        async for event in chain.astream_events("x" * 1000):
            taken += event["event"] == "on_llm_stream"
            ahead = max(ahead, produced - taken)
            await asyncio.sleep(0)
        assert taken == produced == 1000
        assert ahead <= 65

    async def test_a_thread_that_waits_for_room_goes_on_when_the_consumer_leaves(self) -> None:
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def step(value: str) -> str:
            try:
                return Letters().invoke(value)
            finally:
                loop.call_soon_threadsafe(done.set)

        events = RunnableLambda(step).astream_events("x" * 1000)
        async with aclosing(events):  # pyright: ignore[reportArgumentType]
            async for event in events:
                if event["event"] == "on_llm_stream":
                    break
        await done.wait()

    async def test_two_streams_at_once_do_not_mix(self) -> None:
        async def texts(prompt: str) -> list[str]:
            chain = RunnableLambda(str.upper) | Letters()
            return [
                event["data"]["chunk"].text
                async for event in chain.astream_events(prompt)
                if event["event"] == "on_llm_stream"
            ]

        assert await asyncio.gather(texts("ab"), texts("cd")) == [["A", "B"], ["C", "D"]]

    async def test_events_inside_events_go_to_both(self) -> None:
        inner: list[str] = []

        async def step(value: str) -> str:
            async for event in Letters().astream_events(value):
                inner.append(event["event"])  # noqa: PERF401
            return value

        outer = await names_of(RunnableLambda(step), "a")
        assert inner == ["on_llm_start", "on_llm_stream", "on_llm_end"]
        assert outer == ["on_chain_start", *inner, "on_chain_stream", "on_chain_end"]


class TestTokensOfCallHooks:
    async def test_a_call_hooks_own_tokens_are_told(self) -> None:
        class Telling(LLM):
            def _call(self, prompt: str, run_manager: CallbackManagerForLLMRun) -> str:
                run_manager.on_llm_new_token("a")
                run_manager.on_llm_new_token("b", chunk=GenerationChunk("b"))
                return "ab"

        chain = RunnableLambda(str.upper) | Telling()
        chunks = [
            event["data"]["chunk"] async for event in chain.astream_events("x") if event["event"] == "on_llm_stream"
        ]
        assert chunks == [GenerationChunk("a"), GenerationChunk("b")]

    async def test_a_chat_call_hooks_own_tokens_are_messages(self) -> None:
        class TellingChat(ChatModel):
            def _call(self, messages: Any, run_manager: CallbackManagerForLLMRun) -> str:
                run_manager.on_llm_new_token("a")
                run_manager.on_llm_new_token("b", chunk=GenerationChunk("b"))
                return "ab"

        chain = RunnableLambda(str.upper) | TellingChat()
        chunks = [
            event["data"]["chunk"]
            async for event in chain.astream_events("x")
            if event["event"] == "on_chat_model_stream"
        ]
        assert [(type(chunk).__name__, chunk.content) for chunk in chunks] == [
            ("AIMessageChunk", "a"),
            ("AIMessageChunk", "b"),
        ]


async def test_a_model_called_inside_the_root_model_does_not_end_the_roots_pieces() -> None:
    class Inner(LLM):
        async def _acall(self, prompt: str) -> str:
            return prompt

    class Outer(LLM):
        async def _astream(self, prompt: str) -> AsyncIterator[str]:
            yield "a"
            yield await Inner().ainvoke("b")
            yield "c"

    events = [event async for event in Outer().astream_events("x")]
    pieces = [event["data"]["chunk"] for event in events if event["event"] == "on_llm_stream"]
    assert pieces == ["a", "b", "c"]
    assert [event["name"] for event in events if event["event"] == "on_llm_end"] == ["Inner", "Outer"]
