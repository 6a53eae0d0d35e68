"""`HTTPModel` and `HTTPChatModel`: answers by path, streams, and errors that name the place."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from pydantic import SecretStr

from modelport.providers import HTTPChatModel
from modelport.providers.http_settings import StreamSettings
from modelport.values.status_errors import APIStatusError, BadGatewayError, NotFoundError
from tests.providers.http_models import model_of


class TestAnswers:
    def test_text_reason_usage_and_tool_calls_are_where_the_paths_say(self, server) -> None:
        call = {"function": {"name": "f", "arguments": {"a": 1}}}
        flat = {"name": "g", "arguments": "{}", "id": "2"}
        server.answer = lambda seen: {
            "out": [{"text": "hello"}],
            "end": {"why": "eos"},
            "n": {"in": 3, "out": 4},
            "calls": [call, flat],
        }
        model = HTTPChatModel(
            url=server.url,
            body="{{ prompt }}",
            text_path="out[0].text",
            finish_reason_path="end.why",
            finish_reasons={"eos": "stop"},
            prompt_tokens_path="n.in",
            completion_tokens_path="n.out",
            tool_calls_path="calls",
        )
        message = model.invoke("hi")
        assert message.content == "hello"
        assert message.response_metadata["finish_reason"] == "stop"
        assert message.usage_metadata == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
        assert [(one["name"], one["args"], one["id"]) for one in message.tool_calls] == [
            ("f", {"a": 1}, None),
            ("g", {}, "2"),
        ]

    def test_without_a_path_the_body_is_the_text(self, server) -> None:
        server.answer = lambda seen: "grüße\n"
        assert model_of(server, text_path=None).invoke("hi") == "grüße\n"

    @pytest.mark.parametrize(
        ("path", "complaint"),
        [
            ("nowhere", "text_path 'nowhere' finds nothing in an object with text, items"),
            (
                "items",
                r"the path 'items' finds a list of 1 where a text should be; for its first entry write 'items\[0\]'",
            ),
            ("items[0]", "finds an object where a text should be"),
            ("length(text.x)", r"the path 'length\(text.x\)' fails: length\(\) takes .*, not null"),
            ("sort_by(@, &a)", r"fails: sort_by\(\) takes array, not object"),
            ("contains(text, `1`)", "fails: .*requires string"),
            ('items[?a < `"x"`]', "fails: .*not supported between"),
            ("items[::0]", "fails: slice step cannot be zero"),
        ],
    )
    def test_a_path_that_does_not_fit_is_named_and_no_value_told(self, server, path, complaint) -> None:
        server.answer = lambda seen: {"text": "private", "items": [{"a": 1}]}
        with pytest.raises(BadGatewayError, match=complaint) as caught:
            model_of(server, text_path=path).invoke("hi")
        assert "private" not in str(caught.value)

    def test_an_answer_that_is_no_json_is_one_error(self, server) -> None:
        server.answer = lambda seen: "<html>"
        with pytest.raises(BadGatewayError, match="sent what is no JSON: <html>"):
            model_of(server).invoke("hi")


class TestErrors:
    def test_the_text_is_where_the_path_says(self, server) -> None:
        server.answer = lambda seen: server.failure(
            404, {"fault": {"text": "no such model sk-secret-1"}}, retry_after="2"
        )
        model = model_of(
            server,
            error_path="fault.text",
            api_key=SecretStr("sk-secret-1"),
            headers={"x-key": "{{ api_key }}"},
        )
        with pytest.raises(NotFoundError) as caught:
            model.invoke("hi")
        assert str(caught.value) == f"{server.url} answered 404: no such model ***"
        assert caught.value.retry_after == 2

    def test_an_error_with_a_status_of_success_is_one_too(self, server) -> None:
        server.answer = lambda seen: {"error": {"message": "busy", "code": 503}}
        with pytest.raises(APIStatusError, match="busy") as caught:
            model_of(server, error_path="error").invoke("hi")
        assert caught.value.status_code == 503
        with pytest.raises(APIStatusError, match="busy") as caught:  # where most servers say it
            model_of(server).invoke("hi")
        assert caught.value.status_code == 503

    def test_a_text_with_an_error_beside_it_is_an_answer(self, server) -> None:
        server.answer = lambda seen: {"text": "hello", "error": "a warning, says the server"}
        assert model_of(server).invoke("hi") == "hello"
        assert list(model_of(server, error_path="none", streaming={"format": "ndjson"}).stream("hi")) == ["hello"]


class TestStreams:
    def stream(self, server: Any, openai: Any, *events: str, **streaming: Any) -> Any:
        server.answer = lambda seen: openai.events(*events)
        return model_of(server, streaming=streaming)

    @pytest.mark.parametrize("kind", ["sse", "ndjson", "text"])
    def test_each_format_comes_piece_by_piece(self, server, openai, kind) -> None:
        pieces = [{"text": "Grü"}, {"text": "ße"}, {"n": {"in": 3, "out": 2}, "why": "stop"}]
        lines = [json.dumps(piece, ensure_ascii=False) for piece in pieces]
        events = {
            "sse": [f"data: {line}\n\n" for line in lines],
            "ndjson": [line + "\r\n" for line in lines],
            "text": ["Grü", "ße"],
        }
        server.answer = lambda seen: openai.events(*events[kind])
        paths: dict[str, Any] = {
            "finish_reason_path": "why",
            "prompt_tokens_path": "n.in",
            "completion_tokens_path": "n.out",
        }
        model = HTTPChatModel(
            url=server.url, body="{{ prompt }}", text_path="text", streaming=StreamSettings(format=kind), **paths
        )
        *parts, last = model.stream("hi")
        assert "".join(part.text for part in parts) == "Grüße"
        if kind != "text":
            assert last.usage_metadata == {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}

    def test_a_stream_may_have_its_own_url_body_and_paths(self, server, openai) -> None:
        server.answer = lambda seen: openai.events(openai.event({"token": "a"}), openai.event({"token": "b", "w": "x"}))
        model = model_of(
            server,
            streaming={
                "url": server.url + "/stream",
                "body": {"q": "{{ prompt }}", "on": "{{ stream }}"},
                "text_path": "token",
                "finish_reason_path": "w",
            },
        )
        assert list(model.stream("hi")) == ["a", "b"]
        assert (server.last.path, server.last.json) == ("/stream", {"q": "hi", "on": True})

    def test_without_settings_the_stream_is_one_piece(self, server) -> None:
        server.answer = lambda seen: {"text": "all of it"}
        assert list(model_of(server).stream("hi")) == ["all of it"]

    def test_a_stream_that_says_done_is_complete(self, server, openai) -> None:
        end = {"done": "END"}
        model = self.stream(server, openai, openai.event({"text": "a"}), "data: END\n\n", "data: nonsense\n\n", **end)
        assert list(model.stream("hi")) == ["a"]
        model = self.stream(server, openai, openai.event({"text": "a"}), "data:  [DONE] \n\n")
        assert list(model.stream("hi")) == ["a"]
        model = self.stream(
            server, openai, openai.event({"text": "a"}), openai.event({"text": "b", "last": True}), done_path="last"
        )
        assert list(model.stream("hi")) == ["a", "b"]

    @pytest.mark.parametrize("how", [{"done": "END"}, {"done_path": "last"}])
    def test_one_that_should_and_does_not_is_broken_off(self, server, openai, how) -> None:
        pieces = self.stream(server, openai, openai.event({"text": "a"}), **how).stream("hi")
        assert next(pieces) == "a"
        with pytest.raises(BadGatewayError, match="broke off"):
            next(pieces)

    @pytest.mark.parametrize("path", ["error", None])
    def test_an_error_in_the_middle_is_one_error(self, server, openai, path) -> None:
        server.answer = lambda seen: openai.events(
            openai.event({"text": "a"}), openai.event({"error": "out of memory"})
        )
        pieces = model_of(server, error_path=path, streaming={}).stream("hi")
        assert next(pieces) == "a"
        with pytest.raises(BadGatewayError, match="failed in the middle of its answer: out of memory"):
            next(pieces)

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ('{"error": "the model is loading"}', "failed .*: the model is loading"),
            ('\n["all of it"]', r'sent no server-sent events but .*: \["all of it"\]'),
            ("<html>log in first", "sent no server-sent events but .*: <html>log in first"),
        ],
    )
    def test_what_is_no_stream_is_told_and_shown(self, server, openai, body, said) -> None:
        with pytest.raises(BadGatewayError, match=said):
            list(self.stream(server, openai, body).stream("hi"))

    def test_a_stream_without_an_event_is_an_empty_answer(self, server, openai) -> None:
        assert "".join(self.stream(server, openai, ": ping\n\n").stream("hi")) == ""

    @pytest.mark.parametrize("event", ["data: {\n\n", 'data: {"text": 3}\n\n'])
    def test_nonsense_is_one_error(self, server, openai, event) -> None:
        with pytest.raises(BadGatewayError, match=r"no JSON|a number where a text"):
            list(self.stream(server, openai, event).stream("hi"))

    def test_closing_closes_the_request(self, serve_bytes, raw) -> None:
        gone = threading.Event()

        async def talk(reader, writer):
            await raw.read_request(reader)
            writer.write(raw.STREAM + raw.part('{"text": "a"}\n'))
            await reader.read()
            gone.set()

        server = serve_bytes(talk)
        pieces = model_of(server, streaming={"format": "ndjson"}).stream("hi")
        assert next(pieces) == "a"
        pieces.close()
        assert gone.wait(10)
