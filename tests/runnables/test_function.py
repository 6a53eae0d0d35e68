"""`RunnableLambda`: functions of every kind as steps, in every way to call."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from modelport import LLM, BaseCallbackHandler, ModelTimeoutError, RunnableLambda
from modelport.values.errors import InputError


class Echo(LLM):
    def _call(self, prompt: str) -> str:
        return prompt


class Hears(BaseCallbackHandler):
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def on_chain_start(self, serialized: dict[str, Any], inputs: Any, **kwargs: Any) -> None:
        self.heard.append(("start", kwargs["name"], inputs))

    def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        self.heard.append(("end", outputs, kwargs.get("cancelled", False)))

    def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
        self.heard.append(("error", repr(error)))


def upper(text: str) -> str:
    return text.upper()


async def aupper(text: str) -> str:
    await asyncio.sleep(0)
    return text.upper()


def letters(text: str) -> Iterator[str]:
    for letter in text:
        yield letter.upper()


async def aletters(text: str) -> AsyncIterator[str]:
    for letter in text:
        yield letter.upper()


def echo_of(text: str) -> Any:
    return RunnableLambda(upper)


async def aecho_of(text: str) -> Any:
    return RunnableLambda(aupper)


class Callable:
    def __call__(self, text: str) -> str:
        return text.upper()


FUNCTIONS = [
    upper,
    aupper,
    letters,
    aletters,
    echo_of,
    aecho_of,
    Callable(),
    functools.partial(lambda suffix, text: text.upper() + suffix, ""),
    str.upper,
]


async def every_way(step: Any, value: Any, config: Any = None) -> list[Any]:
    """Return what each way to call gives, streams joined."""
    return [
        step.invoke(value, config),
        await step.ainvoke(value, config),
        "".join(step.stream(value, config)),
        "".join([piece async for piece in step.astream(value, config)]),
        "".join(step.transform(iter([value[:1], value[1:]]), config)),
        "".join([piece async for piece in step.atransform(pieces(value), config)]),
        *step.batch([value], config),
        *await step.abatch([value], config),
    ]


async def pieces(text: str) -> AsyncIterator[str]:
    yield text[:1]
    yield text[1:]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: getattr(f, "__name__", "object"))
@pytest.mark.parametrize("config", [None, {"tags": ["t"]}, {"timeout": 60}, "heard"])
async def test_every_kind_of_function_answers_every_way_to_call(function: Any, config: Any) -> None:
    given = {"callbacks": [Hears()]} if config == "heard" else config
    assert await every_way(RunnableLambda(function), "abc", given) == ["ABC"] * 8


@pytest.mark.parametrize("function", [letters, aletters])
async def test_a_generator_function_streams_piece_by_piece(function: Any) -> None:
    for config in (None, {"timeout": 60}, {"callbacks": [Hears()]}):
        step: Any = RunnableLambda(function)
        assert list(step.stream("abc", config)) == ["A", "B", "C"]
        assert [piece async for piece in step.astream("abc", config)] == ["A", "B", "C"]


async def test_a_stream_without_input_gives_nothing_and_is_no_run() -> None:
    async def nothing() -> AsyncIterator[str]:
        for piece in ():
            yield piece

    for function in (upper, aupper, letters):
        for config in (None, {"callbacks": [handler := Hears()]}):
            step: Any = RunnableLambda(function)
            assert list(step.transform(iter(()), config)) == []
            assert [piece async for piece in step.atransform(nothing(), config)] == []
        assert handler.heard == []


async def test_sync_functions_never_run_on_the_loop_of_an_async_call() -> None:
    threads: list[int] = []

    def here(text: str) -> str:
        threads.append(threading.get_ident())
        return text

    def streaming(text: str) -> Iterator[str]:
        threads.append(threading.get_ident())
        yield text

    for function in (here, streaming):
        step = RunnableLambda(function)
        await step.ainvoke("x")
        async for _ in step.astream("x"):
            pass
    assert len(threads) == 4
    assert threading.get_ident() not in threads


async def test_an_async_function_runs_on_the_callers_loop() -> None:
    loops: list[Any] = []

    async def here(text: str) -> str:
        loops.append(asyncio.get_running_loop())
        return text

    step = RunnableLambda(here)
    await step.ainvoke("x")
    assert step.invoke("x") == "x"
    assert loops[0] is asyncio.get_running_loop()
    assert loops[1] is not loops[0]


async def test_the_async_twin_answers_async_calls() -> None:
    step = RunnableLambda(upper, afunc=aletters)
    assert step.invoke("ab") == "AB"
    assert await step.ainvoke("ab") == "AB"
    assert list(step.stream("ab")) == ["AB"]
    assert [piece async for piece in step.astream("ab")] == ["A", "B"]


async def test_config_and_keywords_reach_the_function() -> None:
    def step(text: str, config: Any, suffix: str = "") -> str:
        return f"{text}{suffix} {config.get('tags')}"

    async def astep(text: str, config: Any, suffix: str = "") -> str:
        return step(text, config, suffix)

    for function in (step, astep):
        runnable: Any = RunnableLambda(function)
        config: Any = {"tags": ["t"]}
        assert runnable.invoke("a", config, suffix="!") == "a! ['t']"
        assert await runnable.ainvoke("a", config, suffix="!") == "a! ['t']"
        assert list(runnable.stream("a", config, suffix="!")) == ["a! ['t']"]


async def test_a_returned_runnable_gets_the_same_input_and_is_a_run_inside() -> None:
    handler = Hears()
    step = RunnableLambda(lambda text: RunnableLambda(upper))
    config: Any = {"callbacks": [handler]}
    assert step.invoke("a", config) == "A"
    expected = [
        ("start", "RunnableLambda", "a"),
        ("start", "upper", "a"),
        ("end", "A", False),
        ("end", "A", False),
    ]
    assert handler.heard == expected
    handler.heard.clear()
    assert await RunnableLambda(aecho_of, name="RunnableLambda").ainvoke("a", config) == "A"
    assert [one[0] for one in handler.heard] == ["start", "start", "end", "end"]


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (upper, "upper"),
        (lambda text: text, "RunnableLambda"),
        (Callable(), "RunnableLambda"),
        (functools.partial(upper), "RunnableLambda"),
    ],
)
def test_a_step_has_its_functions_name(function: Any, name: str) -> None:
    assert RunnableLambda(function).get_name() == name
    assert RunnableLambda(function, name="mine").get_name() == "mine"


def test_a_step_prints_its_name() -> None:
    assert repr(RunnableLambda(upper)) == "RunnableLambda(upper)"
    assert repr(RunnableLambda(lambda text: text)) == "RunnableLambda(...)"


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(InputError, match="RunnableLambda needs a function, not 4"):
        RunnableLambda(4)  # pyright: ignore[reportArgumentType]


def test_a_function_without_a_signature_is_a_step() -> None:
    assert RunnableLambda(int).invoke("4") == 4
    assert RunnableLambda(dict).invoke([("a", 1)]) == {"a": 1}


class TestErrors:
    @pytest.mark.parametrize("asynchronous", [True, False])
    async def test_a_functions_exception_is_raised_unchanged(self, asynchronous: bool) -> None:
        error = KeyError("mine")

        def fail(text: str) -> str:
            raise error

        async def afail(text: str) -> str:
            raise error

        step: Any = RunnableLambda(afail if asynchronous else fail)
        handler = Hears()
        for config in (None, {"callbacks": [handler]}):
            for work in (
                lambda config: step.invoke("x", config),
                lambda config: list(step.stream("x", config)),
            ):
                with pytest.raises(KeyError) as raised:
                    work(config)
                assert raised.value is error
            with pytest.raises(KeyError):
                await step.ainvoke("x", config)
            with pytest.raises(KeyError):
                async for _ in step.astream("x", config):
                    pass
        assert [one[0] for one in handler.heard] == ["start", "error"] * 4

    def test_a_stop_iteration_does_not_end_a_stream_in_silence(self) -> None:
        def fail(text: str) -> str:
            raise StopIteration

        with pytest.raises(RuntimeError):
            list(RunnableLambda(fail).stream("x"))


class TestLeaving:
    @pytest.mark.parametrize("config", [None, {"timeout": 60}, "heard"])
    async def test_closing_a_stream_closes_the_generator(self, config: Any) -> None:
        closed: list[str] = []
        ended = threading.Event()

        def endless(text: str) -> Iterator[str]:
            try:
                while True:
                    yield text
            finally:
                closed.append("sync")
                ended.set()

        async def aendless(text: str) -> AsyncIterator[str]:
            try:
                while True:
                    yield text
            finally:
                closed.append("async")
                ended.set()

        handler = Hears()
        given = {"callbacks": [handler]} if config == "heard" else config
        for function in (endless, aendless):
            step: Any = RunnableLambda(function)
            stream = step.stream("x", given)
            assert next(stream) == "x"
            stream.close()
            assert await asyncio.to_thread(ended.wait, 30)
            ended.clear()
            astream = step.astream("x", given)
            assert await anext(astream) == "x"
            await astream.aclose()
            assert await asyncio.to_thread(ended.wait, 30)
            ended.clear()
        assert closed == ["sync", "sync", "async", "async"]
        ends = [one for one in handler.heard if one[0] == "end"]
        assert ends == ([("end", "x", True)] * 4 if config == "heard" else [])

    async def test_a_stream_that_outstays_the_deadline_is_left(self) -> None:
        gate = threading.Event()

        def stuck(text: str) -> Iterator[str]:
            yield text
            gate.wait(30)

        async def astuck(text: str) -> AsyncIterator[str]:
            yield text
            await asyncio.Event().wait()

        config: Any = {"timeout": 0.05}
        try:
            for function in (stuck, astuck):
                step: Any = RunnableLambda(function)
                with pytest.raises(ModelTimeoutError):
                    list(step.stream("x", config))
                with pytest.raises(ModelTimeoutError):
                    async for _ in step.astream("x", config):
                        pass
        finally:
            gate.set()

    async def test_a_cancelled_call_is_told_as_cut_short(self) -> None:
        handler = Hears()
        running = asyncio.Event()

        async def stuck(text: str) -> str:
            running.set()
            await asyncio.Event().wait()
            return text

        config: Any = {"callbacks": [handler]}
        task = asyncio.create_task(RunnableLambda(stuck).ainvoke("x", config))
        await running.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert handler.heard == [("start", "stuck", "x"), ("end", None, True)]

    def test_an_interrupt_is_told_as_cut_short(self) -> None:
        handler = Hears()

        def interrupted(text: str) -> str:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            RunnableLambda(interrupted).invoke("x", {"callbacks": [handler]})
        assert handler.heard[-1] == ("end", None, True)


async def test_many_sync_functions_run_at_once_for_one_loop() -> None:
    barrier = threading.Barrier(8)
    step = RunnableLambda(lambda value: barrier.wait(30))
    arrived = await step.abatch(list(range(8)))
    assert sorted(arrived) == list(range(8))


class TestAFunctionThatReturnsARunnable:
    """What it returns is called in the way in which the function was."""

    class Spelling(LLM):
        async def _astream(self, prompt: str) -> AsyncIterator[str]:
            SEEN.append(asyncio.current_task())
            for character in prompt:
                yield character

    async def test_its_pieces_are_streamed(self) -> None:
        route = RunnableLambda(lambda value: self.Spelling())
        assert list(route.stream("abc")) == ["a", "b", "c"]
        assert [piece async for piece in route.astream("abc")] == ["a", "b", "c"]

    async def test_it_runs_in_its_callers_task(self) -> None:
        SEEN.clear()
        assert await RunnableLambda(lambda value: self.Spelling()).ainvoke("abc") == "abc"
        assert [asyncio.current_task()] == SEEN

    def test_a_sync_call_gets_its_answer(self) -> None:
        assert RunnableLambda(lambda value: self.Spelling()).invoke("abc") == "abc"


SEEN: list[Any] = []
