"""`POST /chat/completions`, message by message: what is sent, and when."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from modelport import LLM, ChatModel, Generation, GenerationChunk, Usage, create_app
from modelport.gateway.app import Gateway
from modelport.gateway.blocks import EVENTS_PER_BLOCK
from modelport.gateway.config import settings_from
from modelport.values.errors import CustomLLMError

GOT: dict[str, Any] = {}


class Echo(LLM):
    chat_template: str | None = "last"

    def _stream(self, prompt: str) -> Iterator[str]:
        yield from prompt or [""]


class AsyncEcho(LLM):
    chat_template: str | None = "last"

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        for char in prompt or [""]:
            yield char


class Whole(LLM):
    chat_template: str | None = "last"

    async def _acall(self, prompt: str) -> str:
        return prompt


class Options(LLM):
    """Notes what its hook was given."""

    async def _acall(self, prompt: str, temperature: float = 1.0, user: str | None = None) -> str:
        GOT.update(prompt=prompt, temperature=temperature, user=user)
        return "ok"


class AnyOption(LLM):
    """Notes every keyword its hook was given."""

    async def _acall(self, prompt: str, **kwargs: Any) -> str:
        GOT.update(kwargs)
        return "ok"


class Tools(ChatModel):
    """Calls the first tool that it is given."""

    def _call(self, messages: Any, tools: Any = None, response_format: Any = None) -> Any:
        GOT.update(messages=messages, response_format=response_format)
        if not tools:
            return "no tools"
        return Generation(tool_calls=[{"name": tools[0]["function"]["name"], "args": {"a": 1}, "id": "c1"}])


@pytest.fixture(autouse=True)
def nothing_got() -> None:
    GOT.clear()


@pytest.mark.parametrize("model", [Echo(), AsyncEcho(), Whole()], ids=lambda one: type(one).__name__)
class TestAnyModel:
    async def test_a_whole_answer_conforms_to_openais_schema(self, model: Any, chat: Any, conforms: Any) -> None:
        reply = await chat(model, "hello").done()
        conforms(reply.json, "CreateChatCompletionResponse")
        assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
        assert reply.json["choices"][0]["message"] == {"role": "assistant", "content": "hello", "refusal": None}
        assert reply.json["model"] == "m"
        assert reply.json["id"].startswith("chatcmpl-")
        assert reply.json["usage"]["total_tokens"] > 0

    async def test_every_chunk_of_a_stream_conforms_to_openais_schema(
        self, model: Any, chat: Any, conforms: Any
    ) -> None:
        reply = await chat(model, "hello", stream=True, stream_options={"include_usage": True}).done()
        assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        *chunks, done = reply.events
        assert done == "[DONE]"
        for chunk in chunks:
            conforms(chunk, "CreateChatCompletionStreamResponse")
        assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
        assert reply.text == "hello"
        assert chunks[-1]["choices"] == []
        assert chunks[-1]["usage"] == (await chat(model, "hello").done()).json["usage"]

    async def test_the_stop_string_is_not_in_the_answer(self, model: Any, chat: Any) -> None:
        whole = await chat(model, "one, two, three", stop=[" three", " two"]).done()
        streamed = await chat(model, "one, two, three", stop=" two", stream=True).done()
        assert whole.json["choices"][0]["message"]["content"] == streamed.text == "one,"
        assert whole.json["choices"][0]["finish_reason"] == "stop"

    async def test_max_tokens_cuts_the_answer(self, model: Any, chat: Any) -> None:
        reply = await chat(model, "x" * 100, max_tokens=90, max_completion_tokens=2).done()
        assert reply.json["choices"][0]["message"]["content"] == "x" * 8
        assert reply.json["choices"][0]["finish_reason"] == "length"
        assert reply.json["usage"]["completion_tokens"] == 2

    async def test_several_choices_are_several_answers(self, model: Any, chat: Any, conforms: Any) -> None:
        whole = await chat(model, "hey", n=3).done()
        conforms(whole.json, "CreateChatCompletionResponse")
        assert [(one["index"], one["message"]["content"]) for one in whole.json["choices"]] == [
            (0, "hey"),
            (1, "hey"),
            (2, "hey"),
        ]
        streamed = await chat(model, "hey", n=3, stream=True).done()
        texts = {0: "", 1: "", 2: ""}
        for event in streamed.events[:-1]:
            [choice] = event["choices"]
            texts[choice["index"]] += choice["delta"].get("content", "")
        assert texts == {0: "hey", 1: "hey", 2: "hey"}

    @pytest.mark.parametrize("text", ["", "ü😀\u2028\x85\n\ndata: [DONE]\n\n", "a \ud800 b"])
    async def test_every_text_arrives(self, model: Any, chat: Any, text: str) -> None:
        whole, streamed = await chat(model, text).done(), await chat(model, text, stream=True).done()
        assert whole.json["choices"][0]["message"]["content"] == streamed.text == text
        assert streamed.events.count("[DONE]") == 1


class Step(LLM):
    """Streams what it is told to, when it is told to."""

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        queue: asyncio.Queue[Any] = GOT["queue"]
        while (piece := await queue.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece


class TestWhenThingsAreSent:
    @pytest.fixture
    def queue(self) -> asyncio.Queue[Any]:
        GOT["queue"] = asyncio.Queue()
        return GOT["queue"]

    async def test_a_piece_is_sent_before_the_next_one_is_there(self, chat: Any, queue: asyncio.Queue[Any]) -> None:
        reply = chat(Step(), stream=True)
        for piece in ("one", "two"):
            queue.put_nowait(piece)
            if piece == "one":
                assert (await reply.next_message())["type"] == "http.response.start"
            assert f'"content":"{piece}"'.encode() in (await reply.next_message())["body"]
        queue.put_nowait(None)
        await reply.done()
        assert len(reply.writes) == 3

    async def test_the_end_of_the_body_comes_with_the_last_event(self, chat: Any, queue: asyncio.Queue[Any]) -> None:
        queue.put_nowait("one")
        queue.put_nowait(None)
        reply = await chat(Step(), stream=True).done()
        assert reply.messages[-1]["body"].endswith(b"data: [DONE]\n\n")
        assert not reply.messages[-1].get("more_body")

    async def test_the_status_waits_for_the_first_piece(self, chat: Any, queue: asyncio.Queue[Any]) -> None:
        reply = chat(Step(), stream=True)
        queue.put_nowait(CustomLLMError(418, "no tea"))
        await reply.done()
        assert (reply.status, reply.error["message"]) == (418, "no tea")
        assert reply.headers["content-type"] == "application/json"

    async def test_a_later_error_is_the_last_event_and_no_done_follows(
        self, chat: Any, queue: asyncio.Queue[Any], conforms: Any
    ) -> None:
        queue.put_nowait("one")
        queue.put_nowait(ValueError("bad luck"))
        reply = await chat(Step(), stream=True).done()
        assert reply.status == 200
        *chunks, error = reply.events
        assert "".join(one["choices"][0]["delta"].get("content", "") for one in chunks) == "one"
        assert all(one["choices"][0]["finish_reason"] is None for one in chunks)
        conforms(error, "ErrorResponse")
        assert error["error"]["message"] == "ValueError: bad luck"

    @pytest.mark.parametrize("model", [Echo(), AsyncEcho()], ids=lambda one: type(one).__name__)
    async def test_ready_pieces_share_writes_of_a_bounded_size(self, chat: Any, model: Any) -> None:
        reply = await chat(model, "x" * 400, stream=True).done()
        sizes = [write.count(b"data: ") for write in reply.writes]
        assert sum(sizes) == 403
        assert max(sizes) <= EVENTS_PER_BLOCK
        assert len(sizes) < 403 / 3

    async def test_a_slow_reader_holds_the_model_back(self, chat: Any) -> None:
        made = 0

        class Endless(LLM):
            async def _astream(self, prompt: str) -> AsyncIterator[str]:
                nonlocal made
                while made < 5_000:
                    made += 1
                    yield "x"

        reply = chat(Endless(), stream=True)
        reply.may_send.clear()
        await reply.next_message()
        for _ in range(1_000):
            await asyncio.sleep(0)
        assert made <= 3 * EVENTS_PER_BLOCK
        reply.may_send.set()
        assert len((await reply.done()).text) == 5_000


class TestOptions:
    async def test_a_hook_gets_what_it_names(self, chat: Any) -> None:
        await chat(Options(), "hi", temperature=0.5, user="u", seed=1).done()
        assert GOT == {"prompt": "Human: hi", "temperature": 0.5, "user": "u"}

    async def test_what_it_does_not_take_is_dropped_with_one_line(
        self, chat: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        model = Options()
        for _ in range(3):
            assert (await chat(model, seed=1, top_k=4, store=True).done()).status == 200
        [record] = caplog.records
        assert record.getMessage() == "Options._acall does not take seed, top_k: dropped from this and later requests"

    async def test_a_hook_with_any_keyword_gets_all_but_bookkeeping(self, chat: Any) -> None:
        await chat(AnyOption(), temperature=0.5, top_k=4, user="u", store=True, logit_bias=None).done()
        assert GOT == {"temperature": 0.5, "top_k": 4}

    @pytest.mark.parametrize("name", ["self", "prompt", "prompts", "run_manager", "include_stop"])
    async def test_a_client_cannot_fill_the_hooks_own_parameters(self, chat: Any, name: str) -> None:
        assert (await chat(AnyOption(), **{name: "x"}).done()).status == 200
        assert name not in GOT

    @pytest.mark.parametrize(
        "fields",
        [{"tools": [{"type": "function", "function": {"name": "f"}}]}, {"response_format": {"type": "json_object"}}],
    )
    @pytest.mark.parametrize("model", [Options(), AnyOption()], ids=lambda one: type(one).__name__)
    @pytest.mark.parametrize("stream", [False, True])
    async def test_what_changes_the_answer_is_not_dropped_silently(
        self, chat: Any, model: Any, fields: dict[str, Any], stream: bool
    ) -> None:
        reply = await chat(model, stream=stream, **fields).done()
        assert (reply.status, reply.error["param"]) == (400, *fields)
        assert GOT == {}

    async def test_tools_reach_a_hook_that_names_them(self, chat: Any, conforms: Any) -> None:
        tools = [{"type": "function", "function": {"name": "add", "parameters": {}}}]
        whole = await chat(Tools(), tools=tools, response_format={"type": "json_object"}).done()
        conforms(whole.json, "CreateChatCompletionResponse")
        choice = whole.json["choices"][0]
        call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
        assert choice["message"]["tool_calls"] == [call]
        assert (choice["message"]["content"], choice["finish_reason"]) == (None, "tool_calls")
        assert GOT["response_format"] == {"type": "json_object"}

        streamed = await chat(Tools(), tools=tools, stream=True).done()
        for chunk in streamed.events[:-1]:
            conforms(chunk, "CreateChatCompletionStreamResponse")
        _, delta, end = (chunk["choices"][0] for chunk in streamed.events[:-1])
        assert delta["delta"]["tool_calls"] == [{"index": 0, **call}]
        assert end["finish_reason"] == "tool_calls"

    async def test_messages_of_every_role_reach_a_chat_model(self, ask: Any) -> None:
        call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
        messages = [
            {"role": "developer", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "1"},
        ]
        body = json.dumps({"model": "m", "messages": messages}).encode()
        assert (await ask(create_app({"m": Tools()}), "POST", "/chat/completions", body).done()).status == 200
        got = GOT["messages"]
        assert [one.type for one in got] == ["system", "human", "ai", "tool"]
        assert got[1].text == "hi"
        assert got[2].tool_calls == [{"name": "add", "args": {"a": 1}, "id": "c1", "type": "tool_call"}]
        assert got[3].tool_call_id == "c1"

    async def test_usage_and_reason_are_the_authors(self, chat: Any) -> None:
        class Counted(LLM):
            async def _astream(self, prompt: str) -> AsyncIterator[GenerationChunk]:
                yield GenerationChunk("x", "length", Usage(7, 9, 16))

        reply = await chat(Counted()).done()
        assert reply.json["usage"] == {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}
        assert reply.json["choices"][0]["finish_reason"] == "length"


class Failing(LLM):
    """Fails as it is told to, before its first piece."""

    password: SecretStr = SecretStr("hunter2!")

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        raise GOT["error"]
        yield ""

    async def _acall(self, prompt: str) -> str:
        raise GOT["error"]


@pytest.mark.parametrize("stream", [False, True])
class TestFailures:
    async def test_an_unknown_model_is_a_404(self, chat: Any, stream: bool) -> None:
        reply = await chat(create_app({"other": Echo()}), stream=stream).done()
        assert (reply.status, reply.error["code"], reply.error["param"]) == (404, "model_not_found", "model")

    @pytest.mark.parametrize(
        ("error", "status", "message"),
        [
            (ValueError("bad luck"), 500, "ValueError: bad luck"),
            (CustomLLMError(409, "busy elsewhere"), 409, "busy elsewhere"),
            (SystemExit(3), 500, "SystemExit: 3"),
            (asyncio.CancelledError(), 500, "the model's code raised CancelledError, though nobody cancelled the call"),
            (OSError("no '/opt/w.bin' for hunter2!"), 500, "OSError: no '***' for ***"),
        ],
        ids=lambda one: type(one).__name__,
    )
    async def test_an_error_of_the_model_is_one_error_object_and_one_log_line(
        self, chat: Any, stream: bool, error: BaseException, status: int, message: str, caplog: Any
    ) -> None:
        caplog.set_level(logging.INFO, "modelport.gateway")
        GOT["error"] = error
        reply = await chat(Failing(), stream=stream).done()
        assert (reply.status, reply.error["message"]) == (status, message)
        assert reply.headers["x-should-retry"] == "false"
        [record] = [one for one in caplog.records if one.name == "modelport.gateway"]
        assert reply.headers["x-request-id"] in record.getMessage()
        assert (record.levelno == logging.ERROR) == (status >= 500)
        assert "hunter2!" not in caplog.text
        assert "Traceback" not in caplog.text
        assert type(error).__name__ in record.getMessage()
        assert f"{type(error).__name__}:" not in caplog.text
        assert "bad luck" not in caplog.text

    async def test_the_log_says_where_the_authors_code_failed(self, chat: Any, stream: bool, caplog: Any) -> None:
        GOT["error"] = ValueError("bad luck")
        await chat(Failing(), stream=stream).done()
        hook = "_astream" if stream else "_acall"
        assert f"(in {hook}, test_chat.py:" in caplog.text

    async def test_a_hook_that_gives_nonsense_is_a_500_that_names_it(self, chat: Any, stream: bool) -> None:
        class Nonsense(LLM):
            def _call(self, prompt: str) -> Any:
                return 5

        reply = await chat(Nonsense(), stream=stream).done()
        assert reply.status == 500
        assert "Nonsense._call returned 5 (int)" in reply.error["message"]

    async def test_one_failing_choice_fails_the_request(self, chat: Any, stream: bool) -> None:
        GOT["error"] = CustomLLMError(409, "busy")
        assert (await chat(Failing(), stream=stream, n=3).done()).status == 409

    async def test_a_call_over_its_time_is_a_504(self, ask: Any, stream: bool) -> None:
        settings = settings_from({"server": {"timeout_seconds": 0.01}})
        app = Gateway(settings, models={"m": Stuck()})
        body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": stream}
        reply = await ask(app, "POST", "/v1/chat/completions", json.dumps(body).encode()).done()
        assert (reply.status, reply.error["code"], reply.error["type"]) == (504, "timeout", "timeout_error")

    async def test_a_wrong_field_is_a_400_that_names_it(self, chat: Any, stream: bool) -> None:
        reply = await chat(Echo(), stream=stream, n=0).done()
        assert (reply.status, reply.error["param"]) == (400, "n")

    async def test_an_image_for_a_text_model_is_the_clients_mistake(self, ask: Any, stream: bool) -> None:
        parts = [{"type": "image_url", "image_url": {"url": "data:,"}}]
        body = {"model": "m", "messages": [{"role": "user", "content": parts}], "stream": stream}
        app = create_app({"m": Whole(chat_template=None)})
        reply = await ask(app, "POST", "/v1/chat/completions", json.dumps(body).encode()).done()
        assert (reply.status, reply.error["param"]) == (400, "messages")


class Stuck(LLM):
    async def _acall(self, prompt: str) -> str:
        await asyncio.Event().wait()
        raise AssertionError
