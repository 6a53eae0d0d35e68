"""`CustomLLM` and duck-typed handlers: what their methods are given, what they may return, where they run."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from types import SimpleNamespace
from typing import Any

import pytest

import modelport
from modelport import AIMessage, AIMessageChunk, CustomLLM, CustomLLMError, HumanMessage
from modelport.registry import providers
from modelport.testing import RecordingHandler
from modelport.values.errors import HookError
from modelport.values.generations import Generation, GenerationChunk
from modelport.wire.completion import ChatCompletion, Choice, CompletionUsage, ResponseMessage
from modelport.wire.completion_chunk import ChatCompletionChunk, Delta, StreamingChoice

SOON = 10.0
HI = [{"role": "user", "content": "hi"}]


@pytest.fixture(autouse=True)
def own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "_registered", dict(providers._registered))


class Seeing(CustomLLM):
    """Keeps what its methods were given."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def completion(self, *args: Any, **kwargs: Any) -> Any:
        assert not args, "everything is a keyword"
        self.seen.append(kwargs)
        return "ok"


def test_a_handler_is_given_what_litellm_gives_it() -> None:
    handler = Seeing()
    modelport.register("h", handler)
    client = object()
    modelport.completion(
        "h/a/b", HI, api_key="key", api_base="http://x", headers={"a": "1"}, extra_headers={"b": "2"}, client=client,
        temperature=0.5, my_own="x", metadata={"who": "me"}, max_completion_tokens=9, stop="END", user="u",
    )  # fmt: skip
    [seen] = handler.seen
    assert seen["model"] == "a/b"
    assert seen["messages"] == HI
    assert (seen["api_key"], seen["api_base"]) == ("key", "http://x")
    assert seen["headers"] == {"a": "1", "b": "2"}
    assert seen["client"] is client
    assert seen["acompletion"] is False
    assert seen["litellm_params"] == {"metadata": {"who": "me"}}
    assert seen["optional_params"] == {
        "temperature": 0.5,
        "my_own": "x",
        "max_completion_tokens": 9,
        "stop": "END",
        "user": "u",
    }
    assert (seen["custom_prompt_dict"], seen["encoding"], seen["logger_fn"]) == ({}, None, None)
    seen["print_verbose"]("text")
    seen["logging_obj"].pre_call(input="x", api_key="y")
    seen["logging_obj"].post_call(original_response="x")


def test_the_given_model_response_is_fresh_for_each_call() -> None:
    handler = Seeing()
    modelport.register("h", handler)
    modelport.completion("h/x", HI)
    modelport.completion("h/x", HI)
    first, second = (one["model_response"] for one in handler.seen)
    assert first is not second
    assert first.id != second.id
    [choice] = first.choices
    assert (choice.index, choice.message.role, choice.message.content, choice.finish_reason) == (
        0, "assistant", None, "stop",
    )  # fmt: skip
    assert (first.usage.prompt_tokens, first.usage.completion_tokens, first.usage.total_tokens) == (0, 0, 0)


def test_what_a_handler_does_with_its_arguments_is_seen_by_no_other_call() -> None:
    class Wild(CustomLLM):
        def completion(self, messages, optional_params, headers):
            messages.append("more")
            optional_params["more"] = True
            headers["more"] = "x"
            return ""

    modelport.register("h", Wild())
    messages, headers = list(HI), {"a": "b"}
    modelport.completion("h/x", messages, headers=headers)
    assert (messages, headers) == (HI, {"a": "b"})


def test_nothing_is_injected_into_optional_params() -> None:
    handler = Seeing()
    modelport.register("h", handler)
    modelport.completion("h/x", timeout=30, num_retries=1, drop_params=True, n=None)
    assert [one["optional_params"] for one in handler.seen] == [{}]
    assert handler.seen[0]["messages"] == []


@pytest.mark.parametrize(
    "messages",
    [
        "hello",
        [HumanMessage("hello")],
        (HumanMessage("hello"),),
        [("human", "hello")],
        [SimpleNamespace(type="human", content="hello")],
        modelport.ChatPromptValue([HumanMessage("hello")]),
    ],
    ids=["text", "list", "tuple", "pair", "foreign", "value"],
)
def test_messages_reach_a_handler_as_dicts_whatever_they_were(messages: Any) -> None:
    handler = Seeing()
    modelport.register("h", handler)
    modelport.completion("h/x", messages)
    assert handler.seen[0]["messages"] == [{"role": "user", "content": "hello"}]


def test_dicts_stay_as_the_caller_wrote_them() -> None:
    handler = Seeing()
    modelport.register("h", handler)
    special = {"role": "user", "content": "a", "cache_control": {"type": "ephemeral"}}
    modelport.completion("h/x", [special, AIMessage("b")])
    assert handler.seen[0]["messages"] == [special, {"role": "assistant", "content": "b"}]


def test_a_method_gets_only_the_keywords_that_it_names() -> None:
    class Small(CustomLLM):
        def completion(self, model, messages):
            return f"{model} {len(messages)}"

        async def aimage_generation(self, prompt):
            return {"created": 1, "data": [{"url": "https://example.com/a.png"}]}

        def embedding(self, input):
            return [[1.0]] * len(input)

    modelport.register("h", Small())
    assert modelport.completion("h/x", HI, api_key="k").choices[0].message.content == "x 1"
    assert modelport.image_generation("p", "h/x").data[0].url == "https://example.com/a.png"
    assert len(modelport.embedding("h/x", "hello").data) == 1


def usage(prompt: int, completion: int) -> CompletionUsage:
    return CompletionUsage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def _completion(text: str) -> ChatCompletion:
    return ChatCompletion(choices=[Choice(message=ResponseMessage(content=text))], usage=usage(3, 4))


@pytest.mark.parametrize(
    "value",
    [
        "text",
        b"text",
        _completion("text"),
        _completion("text").model_dump(),
        SimpleNamespace(choices=[SimpleNamespace(message=SimpleNamespace(content="text"))], usage=None),
        Generation("text"),
        AIMessage("text"),
        {"text": "text", "is_finished": True, "finish_reason": "stop", "usage": None},
    ],
    ids=["str", "bytes", "object", "dict", "foreign", "generation", "message", "chunk"],
)
@pytest.mark.parametrize("method", ["completion", "acompletion"])
def test_whole_answers_of_every_shape_are_read(value: Any, method: str) -> None:
    def answer(self: Any, **kwargs: Any) -> Any:
        return value

    async def aanswer(self: Any, **kwargs: Any) -> Any:
        return value

    chosen = answer if method == "completion" else aanswer
    modelport.register("h", type("Handler", (CustomLLM,), {method: chosen})())
    assert modelport.completion("h/x", HI).choices[0].message.content == "text"


def _chunk(text: str, reason: str | None = None) -> ChatCompletionChunk:
    return ChatCompletionChunk(choices=[StreamingChoice(delta=Delta(content=text), finish_reason=reason)])


def _generic(text: str, reason: str = "", **more: Any) -> dict[str, Any]:
    return {"text": text, "is_finished": bool(reason), "finish_reason": reason, "usage": None, **more}


CHUNKS = {
    "generic": [_generic("te"), _generic("xt", "stop")],
    "without keys": [{"text": "te"}, {"text": "xt"}],
    "objects": [_chunk("te"), _chunk("xt", "stop")],
    "dicts": [_chunk("te").model_dump(), _chunk("xt", "stop").model_dump()],
    "texts": ["te", "xt"],
    "bytes": [b"te", b"xt"],
    "ours": [GenerationChunk("te"), GenerationChunk("xt", "stop")],
    "messages": [AIMessageChunk("te"), AIMessageChunk("xt")],
    "mixed": ["te", _generic(""), _chunk("xt")],
}


async def _agenerator(chunks: list[Any]) -> Any:
    for chunk in chunks:
        yield chunk


class AsyncIterating:
    """Is an async iterator that is no generator."""

    def __init__(self, chunks: list[Any]) -> None:
        self._chunks = iter(chunks)

    def __aiter__(self) -> AsyncIterating:
        return self

    async def __anext__(self) -> Any:
        try:
            return next(self._chunks)
        except StopIteration:
            raise StopAsyncIteration from None


def _sync_shapes(chunks: list[Any]) -> dict[str, Any]:
    async def coroutine() -> Any:
        return iter(chunks)

    async def of_async() -> Any:
        return _agenerator(chunks)

    return {
        "iterator": lambda: iter(chunks),
        "list": lambda: chunks,
        "generator": lambda: (chunk for chunk in chunks),
        "async generator": lambda: _agenerator(chunks),
        "async iterator": lambda: AsyncIterating(chunks),
        "coroutine of an iterator": coroutine,
        "coroutine of an async generator": of_async,
    }


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
@pytest.mark.parametrize("shape", _sync_shapes([]))
@pytest.mark.parametrize("method", ["streaming", "astreaming"])
async def test_streams_of_every_shape_are_read(method: str, shape: str, chunks: list[Any]) -> None:
    handler = type("Handler", (CustomLLM,), {method: lambda self, **_: _sync_shapes(chunks)[shape]()})()
    modelport.register("h", handler)
    for stream in (
        modelport.completion("h/x", HI, stream=True),
        await asyncio.to_thread(lambda: modelport.completion("h/x", HI, stream=True)),
    ):
        got = await asyncio.to_thread(list, stream)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in got) == "text"
        assert [chunk.choices[0].finish_reason for chunk in got if chunk.choices[0].finish_reason] == ["stop"]
    texts = [
        chunk.choices[0].delta.content or "" async for chunk in await modelport.acompletion("h/x", HI, stream=True)
    ]
    assert "".join(texts) == "text"


@pytest.mark.parametrize(
    "one",
    [_generic("text", "stop"), _chunk("text"), "text", _completion("text")],
    ids=["dict", "object", "str", "whole"],
)
@pytest.mark.parametrize("method", ["streaming", "astreaming"])
def test_a_single_chunk_in_place_of_an_iterator_is_the_whole_stream(method: str, one: Any) -> None:
    handler = type("Handler", (CustomLLM,), {method: lambda self, **_: one})()
    modelport.register("h", handler)
    chunks = list(modelport.completion("h/x", HI, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "text"
    assert modelport.completion("h/x", HI).choices[0].message.content == "text"


def test_a_method_with_the_sync_name_may_be_async() -> None:
    class Misnamed(CustomLLM):
        async def completion(self, **kwargs):
            await asyncio.sleep(0)
            return "whole"

        async def streaming(self, **kwargs):
            yield "pie"
            yield "ces"

        async def embedding(self, input):
            return [[1.0, 2.0]] * len(input)

        async def image_generation(self, prompt):
            return "https://example.com/x.png"

    modelport.register("h", Misnamed())
    assert modelport.completion("h/x", HI).choices[0].message.content == "whole"
    assert asyncio.run(modelport.acompletion("h/x", HI)).choices[0].message.content == "whole"
    texts = [chunk.choices[0].delta.content for chunk in modelport.completion("h/x", HI, stream=True)]
    assert "".join(text or "" for text in texts) == "pieces"
    assert modelport.embedding("h/x", "a").data[0].embedding == [1.0, 2.0]
    assert modelport.image_generation("a", "h/x").data[0].url == "https://example.com/x.png"


def test_a_sync_method_may_return_a_coroutine() -> None:
    async def later(value: Any) -> Any:
        await asyncio.sleep(0)
        return value

    class Handler(CustomLLM):
        def completion(self, **kwargs):
            return later("whole")

        def embedding(self, input):
            return later([[1.0]])

    modelport.register("h", Handler())
    assert modelport.completion("h/x", HI).choices[0].message.content == "whole"
    assert asyncio.run(modelport.acompletion("h/x", HI)).choices[0].message.content == "whole"
    assert modelport.embedding("h/x", "a").data[0].embedding == [1.0]


@pytest.mark.parametrize("value", [None, 3, {"no": "choices"}, {"choices": []}, object()], ids=repr)
def test_what_is_no_answer_is_an_error_that_names_the_method(value: Any) -> None:
    class Handler(CustomLLM):
        def completion(self, **kwargs):
            return value

    modelport.register("h", Handler())
    with pytest.raises(HookError, match=r"Handler\.completion"):
        modelport.completion("h/x", HI)


@pytest.mark.parametrize("value", [3, {"no": "text"}, {"text": 3}, None], ids=repr)
def test_what_is_no_chunk_is_an_error_that_names_the_method(value: Any) -> None:
    class Handler(CustomLLM):
        def streaming(self, **kwargs):
            yield value

    modelport.register("h", Handler())
    with pytest.raises(HookError, match=r"Handler\.streaming"):
        list(modelport.completion("h/x", HI, stream=True))


def test_a_handler_without_a_method_says_that_it_is_not_implemented_yet() -> None:
    modelport.register("h", CustomLLM())
    calls: list[Any] = [
        lambda: modelport.completion("h/x", HI),
        lambda: modelport.text_completion("p", "h/x"),
        lambda: modelport.embedding("h/x", "a"),
        lambda: modelport.image_generation("p", "h/x"),
        lambda: modelport.rerank("h/x", "q", ["d"]),
    ]
    for call in calls:
        with pytest.raises(modelport.ModelportError, match="Not implemented yet!") as failure:
            call()
        assert failure.value.status_code == 500
        assert isinstance(failure.value.__cause__, CustomLLMError)
    with pytest.raises(CustomLLMError, match="Not implemented yet!"):
        CustomLLM().invoke("hi")


def test_a_proxy_handler_whose_methods_are_made_on_demand_works() -> None:
    class Proxy:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

    class Inner:
        def completion(self, messages):
            return "inner"

    modelport.register("h", Proxy(Inner()))
    assert modelport.completion("h/x", HI).choices[0].message.content == "inner"


def test_a_handler_with_slots_works() -> None:
    class Slotted:
        __slots__ = ("text",)

        def __init__(self) -> None:
            self.text = "slots"

        async def acompletion(self):
            return self.text

    modelport.register("h", Slotted())
    assert modelport.completion("h/x", HI).choices[0].message.content == "slots"


class Odd(CustomLLM):
    """Has attributes with the framework's names."""

    def __init__(self) -> None:  # no super().__init__()
        self.name = 3
        self.cache = True
        self.max_concurrency = "none"
        self.callbacks = "x"
        self.tags = {"a": 1}
        vars(self)["supports"] = "everything"

    def completion(self):
        return "fine"


def test_attributes_of_a_handler_are_never_the_frameworks() -> None:
    modelport.register("h", Odd())
    assert modelport.completion("h/x", HI).choices[0].message.content == "fine"
    assert Odd().invoke("hi").content == "fine"


# ── the Python faces ────────────────────────────────────────────────────────────────────────────────────────────────


class Words(CustomLLM):
    def streaming(self, messages, optional_params):
        yield from ("a ", "b ", str(optional_params))


async def test_a_handler_is_invoked_streamed_batched_and_composed_like_any_model() -> None:
    handler = Words()
    assert handler.invoke("hi", heat=1).content == "a b {'heat': 1}"
    assert (await handler.ainvoke([("human", "hi")])).content == "a b {}"
    assert [chunk.content for chunk in handler.stream("hi")][:2] == ["a ", "b "]
    assert [chunk.content async for chunk in handler.astream("hi")][:2] == ["a ", "b "]
    assert [one.content for one in handler.batch(["x", "y"])] == ["a b {}"] * 2
    assert [one.content for one in await handler.abatch(["x", "y"])] == ["a b {}"] * 2
    chain = modelport.PromptTemplate.from_template("{q}") | handler | modelport.StrOutputParser()
    assert chain.invoke({"q": "hi"}) == "a b {}"
    assert handler.invoke("hi", stop=["b"]).text.startswith("a b")
    events = [event["event"] async for event in handler.astream_events("hi", version="v2")]
    assert events[0] == "on_chat_model_start"
    assert events[-1] == "on_chat_model_end"


def test_events_carry_a_handlers_parameters_and_no_key() -> None:
    handler, recorder = Seeing(), RecordingHandler()
    modelport.register("h", handler)
    modelport.completion("h/x", HI, api_key="key-0123456789", temperature=0.1, config={"callbacks": [recorder]})
    assert "key-0123456789" not in repr(recorder.events)
    [params] = [event for event in recorder.events if "start" in repr(event)][:1]
    assert "temperature" in repr(params)


# ── where async methods run ─────────────────────────────────────────────────────────────────────────────────────────


class Placed(CustomLLM):
    """Keeps which thread and loop each of its methods ran on."""

    def __init__(self) -> None:
        self.loops: list[Any] = []

    def _here(self) -> None:
        self.loops.append((threading.current_thread(), asyncio.get_running_loop()))

    async def acompletion(self, **kwargs):
        self._here()
        return "x"

    async def astreaming(self, **kwargs):
        self._here()
        yield "x"

    async def aembedding(self, input):
        self._here()
        return [[1.0]] * len(input)

    async def aimage_generation(self, prompt):
        self._here()
        return "https://example.com/x.png"


async def test_all_async_methods_of_a_handler_run_on_one_loop_of_its_own() -> None:
    handler = Placed()
    modelport.register("h", handler)
    await modelport.acompletion("h/x", HI)
    async for _ in await modelport.acompletion("h/x", HI, stream=True):
        pass
    await modelport.aembedding("h/x", "a")
    await modelport.aimage_generation("p", "h/x")
    await handler.ainvoke("hi")
    await asyncio.to_thread(modelport.completion, "h/x", HI)
    await asyncio.to_thread(modelport.embedding, "h/x", "a")
    assert len(handler.loops) == 7
    assert len(set(handler.loops)) == 1
    assert handler.loops[0][1] is not asyncio.get_running_loop()
    other = Placed()
    await other.ainvoke("hi")
    assert other.loops[0] not in handler.loops


async def test_a_handler_that_asks_for_its_callers_loop_runs_there() -> None:
    class Here(Placed):
        caller_loop = True

    handler = Here()
    modelport.register("h", handler)
    await modelport.acompletion("h/x", HI)
    await modelport.aembedding("h/x", "a")
    assert {loop for _, loop in handler.loops} == {asyncio.get_running_loop()}


async def test_a_handler_that_blocks_in_acompletion_delays_no_other_model() -> None:
    """The blocked method is let go by what the other model's answer brings about."""
    began, go = threading.Event(), threading.Event()

    class Blocking(CustomLLM):
        async def acompletion(self, **kwargs):
            began.set()
            assert go.wait(SOON), "the other model was not answered while this one blocked"
            return "late"

    class Quick(CustomLLM):
        async def acompletion(self, **kwargs):
            return "soon"

    modelport.register("blocking", Blocking())
    modelport.register("quick", Quick())
    task = asyncio.create_task(modelport.acompletion("blocking/x", HI))
    assert await asyncio.to_thread(began.wait, SOON)
    assert (await modelport.acompletion("quick/x", HI)).choices[0].message.content == "soon"
    assert not task.done()
    go.set()
    assert (await task).choices[0].message.content == "late"


async def test_a_handler_may_call_itself_from_its_own_loop() -> None:
    class Nested(CustomLLM):
        async def acompletion(self, messages, **kwargs):
            if messages:
                inner = modelport.completion("h/x", [])  # sync, on this handler's loop
                return f"outer {inner.choices[0].message.content}"
            return "inner"

    modelport.register("h", Nested())
    assert (await modelport.acompletion("h/x", HI)).choices[0].message.content == "outer inner"


def test_two_event_loops_in_a_row_use_the_same_handler() -> None:
    handler = Placed()
    modelport.register("h", handler)
    for _ in range(2):
        asyncio.run(modelport.acompletion("h/x", HI))
    assert len(set(handler.loops)) == 1


# ── framework fields, copies ────────────────────────────────────────────────────────────────────────────────────────


async def test_max_concurrency_holds_for_all_methods_of_a_handler_together() -> None:
    meeting = threading.Barrier(2, timeout=0.1)

    class Careful(CustomLLM):
        def _alone(self) -> None:
            with pytest.raises(threading.BrokenBarrierError):
                meeting.wait()

        def completion(self, **kwargs):
            self._alone()
            return "x"

        def embedding(self, input):
            self._alone()
            return [[1.0]] * len(input)

    modelport.register("h", Careful(), max_concurrency=1)
    await asyncio.gather(modelport.acompletion("h/x", HI), modelport.aembedding("h/x", "a"))


async def test_a_limited_handler_may_call_itself_inside() -> None:
    class Careful(CustomLLM):
        def completion(self, **kwargs):
            return str(modelport.embedding("h/x", "a").data[0].embedding)

        def embedding(self, input):
            return [[1.0]] * len(input)

    modelport.register("h", Careful(), max_concurrency=1)
    assert (await modelport.acompletion("h/x", HI)).choices[0].message.content == "[1.0]"


def test_the_cache_of_a_handler_tells_requests_apart() -> None:
    handler = Seeing()
    modelport.register("h", handler, cache=True)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("h/x", {}), ("h/x", {}), ("h/y", {}), ("h/x", {"heat": 1}), ("h/x", {"api_key": "k"}),
    ]  # fmt: skip
    for model, given in calls:
        modelport.completion(model, HI, **given)
    assert len(handler.seen) == 4
    modelport.register("other", Seeing(), cache=True)
    modelport.completion("other/x", HI)
    assert len(handler.seen) == 4


def test_max_batch_size_holds_for_a_handlers_embeddings() -> None:
    sizes: list[int] = []

    class Handler(CustomLLM):
        def embedding(self, input):
            sizes.append(len(input))
            return [[float(len(text))] for text in input]

    modelport.register("h", Handler(), max_batch_size=2)
    response = modelport.embedding("h/x", ["a", "bb", "ccc", "dddd", "eeeee"])
    assert [one.embedding for one in response.data] == [[1.0], [2.0], [3.0], [4.0], [5.0]]
    assert sum(sizes) == 5
    assert max(sizes) == 2


class Kept(CustomLLM):
    def __init__(self, text: str) -> None:
        self.text = text

    def completion(self):
        return self.text


def test_a_handler_is_copied_and_pickled_with_its_own_attributes_only() -> None:
    handler = Kept("first")
    assert handler.invoke("hi").content == "first"
    for other in (copy.copy(handler), copy.deepcopy(handler), pickle.loads(pickle.dumps(handler))):
        other.text = "other"
        assert other.invoke("hi").content == "other"
        assert vars(other).keys() == {"text", "_modelport_models"}
    assert handler.invoke("hi").content == "first"


def test_a_handler_that_raises_not_implemented_for_stop_is_called_again_without() -> None:
    seen: list[Any] = []

    class Handler(CustomLLM):
        def completion(self, optional_params):
            seen.append(optional_params)
            if "stop" in optional_params:
                raise NotImplementedError
            return "one two three"

    modelport.register("h", Handler())
    assert modelport.completion("h/x", HI, stop=[" two"]).choices[0].message.content == "one"
    assert seen == [{"stop": [" two"]}, {}]


def test_tool_calls_of_a_handler_are_passed_through() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}

    class Handler(CustomLLM):
        def completion(self, optional_params):
            assert optional_params["tools"]
            return {"choices": [{"message": {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}]}

        def streaming(self, **kwargs):
            yield {"text": "", "tool_use": {**call, "index": 0}, "is_finished": True, "finish_reason": "tool_calls"}

    modelport.register("h", Handler())
    tools = [{"type": "function", "function": {"name": "f"}}]
    choice: Any = modelport.completion("h/x", HI, tools=tools).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls[0].function.arguments == '{"a":1}'
    deltas: list[Any] = [chunk.choices[0].delta for chunk in modelport.completion("h/x", HI, tools=tools, stream=True)]
    assert [one.tool_calls[0].function.name for one in deltas if one.tool_calls] == ["f"]
