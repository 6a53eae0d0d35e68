"""`to_langchain` of text models: a genuine LLM, in which the guarantees hold."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.language_models import LLM as LangChainLLM  # noqa: N811 - LangChain's own spelling
from langchain_core.messages import HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

import modelport
from modelport import Generation, GenerationChunk, ModelTimeoutError
from modelport.integrations.langchain import to_langchain
from modelport.values.errors import InputError, KeywordError
from tests.integrations.langchain.twins import Direct, Ported


class Words(modelport.LLM):
    """Says its prompt word by word."""

    def _stream(self, prompt: str, **kwargs: Any) -> Iterator[str]:
        for i, word in enumerate(prompt.split(" ")):
            yield word if i == 0 else f" {word}"


class Endless(modelport.LLM):
    """Talks until it is closed."""

    closed: asyncio.Event

    async def _astream(self, prompt: str, **kwargs: Any) -> AsyncIterator[str]:
        try:
            while True:
                yield "x"
                await asyncio.sleep(0)
        finally:
            self.closed.set()


class Strict(modelport.LLM):
    """Fails for prompts with a 0 in them."""

    def _call(self, prompt: str) -> str:
        if "0" in prompt:
            raise LookupError(prompt)
        return prompt.upper()


class Together(modelport.LLM):
    """Answers many prompts with one call."""

    asked: list[list[str]]

    def _batch(self, prompts: list[str], **kwargs: Any) -> list[Any]:
        self.asked.append(list(prompts))
        return [LookupError(prompt) if "0" in prompt else prompt.upper() for prompt in prompts]


class Noted(BaseCallbackHandler):
    def __init__(self) -> None:
        self.told: list[str] = []
        self.results: list[Any] = []
        self.runs: dict[Any, list[str]] = {}

    def on_llm_start(self, serialized: Any, prompts: list[str], *, run_id: Any, **kwargs: Any) -> None:
        self.told.append(f"start {prompts[0]}")
        self.runs[run_id] = [prompts[0]]

    def on_llm_new_token(self, token: str, *, run_id: Any, **kwargs: Any) -> None:
        self.told.append(f"token {token}")
        self.runs[run_id].append(token)

    def on_llm_end(self, response: Any, *, run_id: Any, **kwargs: Any) -> None:
        self.told.append("end")
        self.results.append(response)
        self.runs[run_id].append("end")

    def on_llm_error(self, error: BaseException, *, run_id: Any, **kwargs: Any) -> None:
        self.told.append(f"error {type(error).__name__}")
        self.runs[run_id].append("error")


def test_a_text_model_is_a_genuine_llm_with_the_models_name() -> None:
    llm = to_langchain(Ported.CustomLLM(n=5))
    assert isinstance(llm, LangChainLLM)
    assert (type(llm).__name__, type(llm).__module__) == ("CustomLLM", Ported.CustomLLM.__module__)
    assert type(llm) is type(to_langchain(Ported.CustomLLM(n=7)))
    assert str(llm) == str(Direct.CustomLLM(n=5))
    assert repr(llm) == "CustomLLM(n=5)"
    assert llm._llm_type == "custom"


def test_in_an_existing_program_one_line_changes() -> None:
    def program(llm: Any) -> list[Any]:
        chain = (
            ChatPromptTemplate.from_messages([("system", "be brief"), ("human", "{input}")]) | llm | StrOutputParser()
        )
        return [chain.invoke({"input": "hi"}), chain.batch([{"input": "a"}, {"input": "b"}]), llm.invoke("foo bar")]

    assert program(to_langchain(Ported.CustomLLM(n=20))) == program(Direct.CustomLLM(n=20))


def test_stop_strings_end_the_answer_and_are_part_of_it() -> None:
    llm = to_langchain(Words())
    assert llm.invoke("one two three", stop=["two"]) == "one two"
    assert list(llm.stream("one two three", stop=["o t"])) == ["one", " tw", "o t"]
    assert llm.bind(stop=["two"], include_stop=False).invoke("one two three") == "one "
    made: Any = type(llm)
    assert made(stop=["e"]).invoke("one two three") == "one"


def test_max_tokens_cuts_and_says_so() -> None:
    result = to_langchain(Words()).generate(["aaaa bbbb cccc"], max_tokens=1)
    assert result.generations[0][0].text == "aaaa"
    assert result.generations[0][0].generation_info == {"finish_reason": "length"}


def test_n_gives_several_choices() -> None:
    result = to_langchain(Ported.CustomLLM(n=2)).generate(["abc", "def"], n=2)
    assert [[one.text for one in choices] for choices in result.generations] == [["ab", "ab"], ["de", "de"]]


def test_results_carry_usage_and_the_models_name() -> None:
    class Counting(modelport.LLM):
        model_name: str = "counter-1"

        def _call(self, prompt: str, **kwargs: Any) -> Generation:
            return Generation("out", usage=modelport.Usage(7, 3, 10), finish_reason="content_filter")

    result = to_langchain(Counting()).generate(["p"])
    assert result.llm_output == {
        "token_usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
        "model_name": "counter-1",
    }
    assert result.generations[0][0].generation_info == {"finish_reason": "content_filter"}


def test_what_a_stream_did_not_say_comes_with_its_end() -> None:
    class Reporting(modelport.LLM):
        def _stream(self, prompt: str, run_manager: Any = None, **kwargs: Any) -> Iterator[GenerationChunk]:
            yield GenerationChunk("a")
            run_manager.report_usage(4, 1)
            run_manager.finish("length")

    heard = Noted()
    assert list(to_langchain(Reporting()).stream("p", {"callbacks": [heard]})) == ["a", ""]
    usage = {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5}
    assert heard.results[0].generations[0][0].generation_info == {"finish_reason": "length", "token_usage": usage}


def test_an_empty_answer_is_a_stream_of_one_empty_piece() -> None:
    class Silent(modelport.LLM):
        def _stream(self, prompt: str, **kwargs: Any) -> Iterator[str]:
            yield ""

    assert list(to_langchain(Silent()).stream("p")) == [""]


def test_tokens_are_told_once_and_before_their_piece() -> None:
    heard = Noted()
    llm = to_langchain(Ported.CustomLLM(n=3))
    for piece in llm.stream("abc", {"callbacks": [heard]}):
        heard.told.append(f"piece {piece}")
    pairs = [f"{what} {char}" for char in "abc" for what in ("token", "piece")]
    assert heard.told == ["start abc", *pairs, "end"]


async def test_async_streams_tell_async_handlers_once() -> None:
    class Heard(AsyncCallbackHandler):
        tokens = ""

        async def on_llm_new_token(self, token: str, **kwargs: Any) -> None:
            self.tokens += token

    heard = Heard()
    async for _ in to_langchain(Ported.CustomLLM(n=3)).astream("abc", {"callbacks": [heard]}):
        pass
    assert heard.tokens == "abc"


@pytest.mark.parametrize("is_async", [False, True])
def test_a_model_that_only_streams_tells_its_tokens_also_when_it_is_invoked(is_async: bool) -> None:
    heard, llm = Noted(), to_langchain(Words())
    config: Any = {"callbacks": [heard]}
    answer = asyncio.run(llm.ainvoke("a b", config)) if is_async else llm.invoke("a b", config)
    assert answer == "a b"
    assert heard.told == ["start a b", "token a", "token  b", "end"]


def test_a_failure_is_the_hooks_own_and_told_as_an_error() -> None:
    heard = Noted()
    with pytest.raises(LookupError, match="p0"):
        to_langchain(Strict()).invoke("p0", {"callbacks": [heard]})
    assert heard.told == ["start p0", "error LookupError"]


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("joint", [False, True])
def test_a_batch_keeps_its_order_and_a_failure_in_its_slot(is_async: bool, joint: bool) -> None:
    heard = Noted()
    model = Together(asked=[]) if joint else Strict()
    llm = to_langchain(model)
    prompts: list[Any] = [f"p{i}" for i in range(4)]
    if is_async:
        outcomes = asyncio.run(llm.abatch(prompts, {"callbacks": [heard]}, return_exceptions=True))
    else:
        outcomes = llm.batch(prompts, {"callbacks": [heard]}, return_exceptions=True)
    assert isinstance(outcomes[0], LookupError)
    assert outcomes[1:] == ["P1", "P2", "P3"]
    assert sorted(heard.runs.values()) == [["p0", "error"], ["p1", "end"], ["p2", "end"], ["p3", "end"]]
    if isinstance(model, Together):
        assert [sorted(group) for group in model.asked] == [prompts]
    with pytest.raises(LookupError):
        llm.batch(prompts)


def test_max_concurrency_bounds_what_a_batch_hook_gets_at_once() -> None:
    model = Together(asked=[])
    assert to_langchain(model).batch(["a", "b", "c"], {"max_concurrency": 2}) == ["A", "B", "C"]
    assert [sorted(group) for group in model.asked] == [["a", "b"], ["c"]]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_batch_asks_only_for_what_langchains_cache_has_not(is_async: bool) -> None:
    asked: list[list[str]] = []

    class Uppercase(modelport.LLM):
        def _batch(self, prompts: list[str], **kwargs: Any) -> list[Any]:
            asked.append(sorted(prompts))
            return [LookupError(prompt) if "0" in prompt else prompt.upper() for prompt in prompts]

    llm = to_langchain(Uppercase())
    llm.cache = InMemoryCache()
    llm.invoke("b")
    inputs: list[Any] = ["a", "b", "c0"]
    if is_async:
        outcomes = asyncio.run(llm.abatch(inputs, return_exceptions=True))
    else:
        outcomes = llm.batch(inputs, return_exceptions=True)
    assert outcomes[:2] == ["A", "B"]
    assert isinstance(outcomes[2], LookupError)
    assert asked == [["b"], ["a", "c0"]]


def test_an_empty_batch_asks_nobody() -> None:
    model = Together(asked=[])
    assert to_langchain(model).batch([]) == []
    assert model.asked == []


async def test_cancelling_a_batch_before_all_have_come_asks_the_model_nothing() -> None:
    class Late(AsyncCallbackHandler):
        """Holds up the start of one call."""

        raise_error = True

        async def on_llm_start(self, serialized: Any, prompts: list[str], **kwargs: Any) -> None:
            if prompts == ["late"]:
                held.set()
                await asyncio.Event().wait()

    held, model = asyncio.Event(), Together(asked=[])
    batch = asyncio.create_task(to_langchain(model).abatch(["a", "b", "late"], {"callbacks": [Late()]}))
    await held.wait()
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert model.asked == []


def test_calls_of_a_batch_run_at_once() -> None:
    together = threading.Barrier(8)

    class Meeting(modelport.LLM):
        def _call(self, prompt: str) -> str:
            together.wait(20)
            return prompt

    prompts: list[Any] = [str(i) for i in range(8)]
    assert to_langchain(Meeting()).batch(prompts) == prompts
    assert asyncio.run(to_langchain(Meeting()).abatch(prompts)) == prompts


async def test_closing_the_stream_closes_the_models_hook() -> None:
    closed = asyncio.Event()
    stream = to_langchain(Endless(closed=closed)).astream("p")
    assert await anext(stream) == "x"
    await stream.aclose()  # type: ignore[attr-defined]
    assert closed.is_set()


async def test_a_timeout_ends_the_call() -> None:
    closed = asyncio.Event()
    llm = to_langchain(Endless(closed=closed))
    with pytest.raises(ModelTimeoutError):
        await llm.ainvoke("p", timeout=0.05)
    assert closed.is_set()
    made: Any = type(llm)
    with pytest.raises(ModelTimeoutError):
        await made(closed=closed, timeout=0.05).ainvoke("p")


def test_messages_reach_the_model_through_its_own_template() -> None:
    class Shown(modelport.LLM):
        def _call(self, prompt: str) -> str:
            return prompt

    chat: Any = [("system", "s"), ("human", "h")]
    assert to_langchain(Shown()).invoke(chat) == "System: s\nHuman: h"
    assert to_langchain(Shown(chat_template="last")).invoke(chat) == "h"
    assert "<|im_start|>user\nh" in to_langchain(Shown(chat_template="chatml")).invoke(chat)
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    with pytest.raises(InputError, match="text model"):
        to_langchain(Shown()).invoke([HumanMessage([image])])


def test_a_keyword_that_the_hook_does_not_take_is_refused() -> None:
    with pytest.raises(KeywordError, match="temperature"):
        to_langchain(Strict()).invoke("p", temperature=1)


def test_what_is_no_text_or_chat_model_is_refused() -> None:
    with pytest.raises(InputError, match="not the class Strict"):
        to_langchain(Strict)
    with pytest.raises(InputError, match="a value of type int"):
        to_langchain(3)


async def test_an_empty_list_of_callbacks_is_no_callbacks() -> None:
    assert await to_langchain(Strict()).agenerate(["a"], callbacks=[])
