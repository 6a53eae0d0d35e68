"""The recipes, against fakes that answer as the servers do (formats of their documentation)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from modelport import AIMessage, HumanMessage, ToolMessage
from modelport.providers import HTTPChatModel, HTTPModel
from modelport.providers.recipes import ollama, text_generation_inference, torch_serve
from modelport.values.status_errors import APIStatusError, NotFoundError, UnprocessableEntityError


class TestTextGenerationInference:
    @pytest.fixture
    def model(self, server) -> HTTPModel:
        return HTTPModel(**text_generation_inference(server.url + "/"))

    def test_a_whole_answer(self, server, model) -> None:
        server.answer = lambda seen: {
            "generated_text": " a framework",
            "details": {
                "finish_reason": "eos_token",
                "generated_tokens": 2,
                "seed": None,
                "prefill": [],
                "tokens": [{"id": 1, "text": " a", "logprob": -0.1, "special": False}],
            },
        }
        [[answer]] = model.generate(["What is it?"], max_tokens=20, stop=["\n"], temperature=0.7).generations
        assert server.last.path == "/generate"
        assert server.last.json == {
            "inputs": "What is it?",
            "parameters": {"max_new_tokens": 20, "stop": ["\n"], "temperature": 0.7, "details": True},
        }
        assert (answer.text, answer.finish_reason, answer.usage.completion_tokens) == (" a framework", "stop", 2)

    def test_a_stream(self, server, openai, model) -> None:
        def event(token: str, *, special: bool = False, **more: Any) -> str:
            known = {"index": 1, "token": {"id": 1, "text": token, "logprob": -0.1, "special": special}}
            facts = {**known, "generated_text": None, "details": None, **more}
            return f"data:{json.dumps(facts)}\n\n"

        details = {"finish_reason": "length", "generated_tokens": 3, "seed": None, "input_length": 5}
        server.answer = lambda seen: openai.events(
            event(" a"), event(" frame"), event("</s>", special=True, generated_text=" a frame", details=details)
        )
        chat = HTTPChatModel(**text_generation_inference(server.url))
        *pieces, last = chat.stream("What?")
        assert server.last.path == "/generate_stream"
        assert [piece.content for piece in pieces] == [" a", " frame"]
        assert last.response_metadata["finish_reason"] == "length"
        assert last.usage_metadata == {"input_tokens": 5, "output_tokens": 3, "total_tokens": 8}

    def test_errors_before_and_in_a_stream(self, server, openai, model) -> None:
        refusal = {"error": "Input validation error: too long", "error_type": "validation"}
        server.answer = lambda seen: server.failure(422, refusal)
        with pytest.raises(UnprocessableEntityError, match="answered 422: Input validation error: too long"):
            model.invoke("hi")
        failed = {"error": "Request failed during generation: CUDA", "error_type": "generation"}
        server.answer = lambda seen: openai.events(f"data:{json.dumps(failed)}\n\n")
        with pytest.raises(APIStatusError, match="Request failed during generation"):
            list(model.stream("hi"))


class TestOllama:
    @pytest.fixture
    def model(self, server) -> HTTPChatModel:
        return HTTPChatModel(**ollama("llama3.2", server.url))

    END = {"done": True, "done_reason": "stop", "prompt_eval_count": 26, "eval_count": 3, "total_duration": 4}

    def line(self, content: str = "", **more: Any) -> dict[str, Any]:
        message = {"role": "assistant", "content": content}
        return {"model": "llama3.2", "created_at": "2023-08-04T19:22:45Z", "message": message, "done": False, **more}

    async def lines(self, *lines: dict[str, Any]) -> AsyncIterator[str]:
        for line in lines:
            yield json.dumps(line) + "\n"

    def test_a_whole_answer(self, server, model) -> None:
        server.answer = lambda seen: self.line("Hello there", **self.END)
        message = model.invoke([("system", "be kind"), ("human", "hi")], max_tokens=8, temperature=0.1, seed=3)
        assert server.last.path == "/api/chat"
        assert server.last.json == {
            "model": "llama3.2",
            "messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}],
            "stream": False,
            "options": {"num_predict": 8, "temperature": 0.1, "seed": 3},
        }
        assert message.content == "Hello there"
        assert message.usage_metadata == {"input_tokens": 26, "output_tokens": 3, "total_tokens": 29}
        assert message.response_metadata["finish_reason"] == "stop"

    def test_a_stream_of_lines(self, server, model) -> None:
        server.answer = lambda seen: self.lines(self.line("Hel"), self.line("lo"), self.line("", **self.END))
        *pieces, last = model.stream("hi")
        assert server.last.json["stream"] is True
        assert [piece.content for piece in pieces] == ["Hel", "lo"]
        assert last.usage_metadata == {"input_tokens": 26, "output_tokens": 3, "total_tokens": 29}

    def test_a_stream_without_its_last_line_is_broken_off(self, server, model) -> None:
        server.answer = lambda seen: self.lines(self.line("Hel"))
        with pytest.raises(APIStatusError, match="broke off"):
            list(model.stream("hi"))

    def test_tools_go_there_and_back(self, server, model) -> None:
        call = {"function": {"name": "weather", "arguments": {"city": "Rome"}}}
        said = self.line("", **self.END)
        said["message"]["tool_calls"] = [call]
        server.answer = lambda seen: self.lines(said) if seen.json["stream"] else said
        tool = {"type": "function", "function": {"name": "weather", "parameters": {}}}
        asking = model.bind_tools([tool])
        for message in (asking.invoke("hi"), next(asking.stream("hi"))):
            assert [(one["name"], one["args"]) for one in message.tool_calls] == [("weather", {"city": "Rome"})]
        assert server.last.json["tools"] == [tool]
        history = [
            HumanMessage("hi"),
            AIMessage("", tool_calls=[{"name": "weather", "args": {"city": "Rome"}, "id": "1", "type": "tool_call"}]),
            ToolMessage("warm", tool_call_id="1"),
        ]
        asking.invoke(history)
        assert server.last.json["messages"][1]["tool_calls"] == [call]

    @pytest.mark.parametrize(
        ("response_format", "sent"),
        [
            ({"type": "json_object"}, "json"),
            ({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}, {"type": "object"}),
            ({"type": "text"}, None),
            (None, None),
        ],
    )
    def test_response_formats_are_called_differently(self, server, model, response_format, sent) -> None:
        server.answer = lambda seen: self.line("{}", **self.END)
        model.invoke("hi", response_format=response_format)
        assert server.last.json.get("format") == sent

    def test_errors(self, server, model) -> None:
        server.answer = lambda seen: server.failure(404, {"error": 'model "llama3.2" not found, try pulling it first'})
        with pytest.raises(NotFoundError, match="try pulling it first"):
            model.invoke("hi")
        server.answer = lambda seen: self.lines(self.line("Hel"), {"error": "an error was encountered"})
        with pytest.raises(APIStatusError, match="an error was encountered"):
            list(model.stream("hi"))


class TestTorchServe:
    def test_it_refuses_as_torch_serve_does(self, server) -> None:
        body = {"code": 404, "type": "ModelNotFoundException", "message": "Model not found: text"}
        server.answer = lambda seen: server.failure(404, body)
        with pytest.raises(NotFoundError, match="answered 404: Model not found: text"):
            HTTPModel(**torch_serve("text", server.url)).invoke("hi")
        assert server.last.path == "/predictions/text"
