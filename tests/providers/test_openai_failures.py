"""What a caller of `OpenAICompatible` sees when the server fails: one clear error, with a status, without secrets."""

from __future__ import annotations

import threading
from typing import Any

import aiohttp
import pytest

from modelport import ModelTimeoutError, completion
from modelport.providers import OpenAICompatible, OpenAICompatibleEmbeddings, OpenAICompatibleImages
from modelport.providers.failures import connection_failure
from modelport.runnables import backoff
from modelport.values import status_errors
from modelport.values.status_errors import APIStatusError, BadGatewayError, Timeout

OPENAI_ERROR = {"error": {"message": "no such thing", "type": "invalid_request_error", "param": "x", "code": "odd"}}


def failure_of(model: OpenAICompatible, way: str) -> Any:
    with pytest.raises(APIStatusError) as caught:
        model.invoke("hi") if way == "invoke" else list(model.stream("hi"))
    return caught.value


both = pytest.mark.parametrize("way", ["invoke", "stream"])


class TestStatuses:
    @both
    @pytest.mark.parametrize(
        ("status", "name"),
        [
            (400, "BadRequestError"),
            (401, "AuthenticationError"),
            (403, "PermissionDeniedError"),
            (404, "NotFoundError"),
            (409, "ConflictError"),
            (413, "ContentTooLargeError"),
            (418, "APIStatusError"),
            (422, "UnprocessableEntityError"),
            (429, "RateLimitError"),
            (500, "InternalServerError"),
            (503, "UnavailableError"),
        ],
    )
    def test_a_status_is_its_own_error_with_what_the_server_says(self, server, model, way, status, name) -> None:
        server.answer = lambda seen: server.failure(status, OPENAI_ERROR, x_request_id="req-7")
        error = failure_of(model, way)
        assert type(error) is getattr(status_errors, name)
        assert error.status_code == status
        assert str(error) == f"{server.url} answered {status}: no such thing (request id req-7)"
        assert (error.type, error.param, error.code) == ("invalid_request_error", "x", "odd")
        assert len(server.seen) == 1

    @pytest.mark.parametrize(
        ("body", "text"),
        [
            ({"error": "plain"}, "plain"),
            ({"message": "upper"}, "upper"),
            ({"detail": "fastapi"}, "fastapi"),
            ({"detail": [{"loc": ["body"], "msg": "wrong"}]}, '[{"loc":["body"],"msg":"wrong"}]'),
            ("<html>\n  <b>Bad Gateway</b></html>", "<html> <b>Bad Gateway</b></html>"),
            ("", "nothing else"),
            ("x" * 1000, "x" * 300 + "…"),
        ],
    )
    def test_bodies_of_other_shapes_are_understood(self, server, model, body, text) -> None:
        server.answer = lambda seen: server.failure(500, body)
        assert str(failure_of(model, "invoke")) == f"{server.url} answered 500: {text}"

    def test_a_key_that_the_server_repeats_is_masked(self, server, model) -> None:
        server.answer = lambda seen: server.failure(401, {"error": {"message": "bad key sk-secret-1"}})
        error = failure_of(model, "invoke")
        assert "bad key ***" in str(error)
        assert "sk-secret-1" not in repr(error) + str(error.__cause__) + str(error.__context__)

    @pytest.mark.parametrize(
        ("facts", "name"),
        [
            ({"code": "context_length_exceeded"}, "ContextWindowExceededError"),
            ({"type": "exceed_context_size_error"}, "ContextWindowExceededError"),
            ({"message": "This model's maximum context length is 8"}, "ContextWindowExceededError"),
            ({"code": "content_filter"}, "ContentPolicyViolationError"),
        ],
    )
    def test_a_400_that_says_why_is_more_than_a_bad_request(self, server, model, facts, name) -> None:
        server.answer = lambda seen: server.failure(400, {"error": {"message": "no", **facts}})
        assert type(failure_of(model, "invoke")).__name__ == name

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({"retry_after": "7"}, 7),
            ({"retry_after_ms": "1500", "retry_after": "9"}, 1.5),
            ({"retry_after": "soon"}, None),
            ({}, None),
        ],
    )
    def test_retry_after_is_on_the_error(self, server, model, headers, seconds) -> None:
        server.answer = lambda seen: server.failure(429, OPENAI_ERROR, **headers)
        error = failure_of(model, "invoke")
        assert error.retry_after == seconds
        assert backoff.retry_after_seconds(error) == seconds

    def test_a_redirect_is_not_followed(self, server, model) -> None:
        server.answer = lambda seen: server.failure(307, "", location="http://elsewhere/v1")
        error = failure_of(model, "invoke")
        assert isinstance(error, BadGatewayError)
        assert "redirect to 'http://elsewhere/v1'" in str(error)


class TestRetries:
    @pytest.fixture
    def waits(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        waited: list[float] = []

        async def asleep(seconds: float) -> None:
            waited.append(seconds)

        monkeypatch.setattr(backoff, "asleep", asleep)
        monkeypatch.setattr(backoff, "jitter", lambda: 0.5)
        return waited

    def test_a_retryable_status_is_tried_again_after_what_the_server_asks(self, server, openai, model, waits) -> None:
        answers = [
            server.failure(429, OPENAI_ERROR, retry_after="3"),
            server.failure(503, OPENAI_ERROR),
            openai.completion("done"),
        ]
        server.answer = lambda seen: answers[len(server.seen) - 1]
        assert model.with_params(max_retries=2).invoke("hi").content == "done"
        assert waits == [3, 2.5]

    def test_the_last_failure_is_raised(self, server, model, waits) -> None:
        server.answer = lambda seen: server.failure(500, {"error": f"number {len(server.seen)}"})
        assert "number 3" in str(failure_of(model.with_params(max_retries=2), "stream"))
        assert len(server.seen) == 3

    def test_other_statuses_are_not_tried_again(self, server, model, waits) -> None:
        server.answer = lambda seen: server.failure(400, OPENAI_ERROR)
        failure_of(model.with_params(max_retries=2), "invoke")
        assert len(server.seen) == 1

    def test_a_stream_that_breaks_is_not_tried_again(self, server, openai, model, waits) -> None:
        server.answer = lambda seen: openai.events(openai.chunk({"content": "x"}))
        failure_of(model.with_params(max_retries=2), "stream")
        assert len(server.seen) == 1


class TestConnections:
    @both
    def test_nobody_there(self, way) -> None:
        error = failure_of(OpenAICompatible(model="m", base_url="http://127.0.0.1:1/v1"), way)
        assert isinstance(error, BadGatewayError)
        assert str(error).startswith("http://127.0.0.1:1 cannot be reached: ")

    @both
    def test_a_name_that_does_not_exist(self, way) -> None:
        error = failure_of(OpenAICompatible(model="m", base_url="http://nobody.invalid/v1"), way)
        assert isinstance(error, BadGatewayError)
        assert "nobody.invalid cannot be reached" in str(error)

    @both
    @pytest.mark.parametrize(
        ("answer", "complaint"),
        [
            (b"", "closed the connection before it answered"),
            (b"what?\r\n\r\n", "answered with what is no HTTP"),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{", "broke off in the middle of its answer"),
            (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{", "broke off in the middle of its answer"),
            (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}", "answered with what is no HTTP"),
        ],
    )
    def test_what_is_no_whole_answer(self, serve_bytes, raw, way, answer, complaint) -> None:
        async def talk(reader, writer):
            await raw.read_request(reader)
            writer.write(answer)
            await writer.drain()

        server = serve_bytes(talk)
        error = failure_of(OpenAICompatible(model="m", base_url=server.url), way)
        assert isinstance(error, BadGatewayError)
        assert complaint in str(error)
        assert server.connections == 1

    def test_a_page_in_place_of_a_stream(self, serve_bytes, raw) -> None:
        async def talk(reader, writer):
            await raw.read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<html></html>")
            await writer.drain()

        error = failure_of(OpenAICompatible(model="m", base_url=serve_bytes(talk).url), "stream")
        assert isinstance(error, BadGatewayError)
        assert "sent no server-sent events but text/html (is the address right" in str(error)

    @both
    def test_a_refusal_that_breaks_off_keeps_its_status(self, serve_bytes, raw, way) -> None:
        async def talk(reader, writer):
            await raw.read_request(reader)
            writer.write(b"HTTP/1.1 422 No\r\ncontent-length: 90\r\n\r\nbecause")
            await writer.drain()

        error = failure_of(OpenAICompatible(model="m", base_url=serve_bytes(talk).url), way)
        assert error.status_code == 422
        assert str(error).endswith("answered 422: because")

    @both
    def test_a_silent_server(self, serve_bytes, raw, way) -> None:
        gone = threading.Event()

        async def talk(reader, writer):
            await raw.read_request(reader)
            await reader.read()
            gone.set()

        error = failure_of(OpenAICompatible(model="m", base_url=serve_bytes(talk).url, timeout_seconds=0.05), way)
        assert isinstance(error, Timeout)
        assert error.status_code == 504
        assert "did not answer in time" in str(error)
        assert gone.wait(10), "the connection was left open"

    def test_a_server_that_falls_silent(self, serve_bytes, raw, openai) -> None:
        async def talk(reader, writer):
            await raw.read_request(reader)
            writer.write(raw.STREAM + raw.part(openai.chunk({"content": "x"})))
            await reader.read()

        model = OpenAICompatible(model="m", base_url=serve_bytes(talk).url, timeout_seconds=0.05)
        pieces = model.stream("hi")
        assert next(pieces).content == "x"
        with pytest.raises(Timeout, match="stopped in the middle"):
            next(pieces)

    def test_a_connection_that_is_not_there_in_time_names_its_setting(self) -> None:
        failure = connection_failure(aiohttp.ConnectionTimeoutError(), "http://far", str, started=False)
        assert isinstance(failure, Timeout)
        assert failure.status_code == 504
        assert "connect_timeout_seconds" in str(failure)

    def test_a_certificate_that_nobody_knows(self, serve_bytes, tls) -> None:
        async def talk(reader, writer):
            await reader.read()

        url = serve_bytes(talk, tls.context).url.replace("http:", "https:")
        error = failure_of(OpenAICompatible(model="m", base_url=url), "invoke")
        assert isinstance(error, BadGatewayError)
        assert "TLS with" in str(error)
        assert "verify=" in str(error)

    def test_the_calls_deadline_wins_and_closes_the_request(self, serve_bytes, raw) -> None:
        gone = threading.Event()

        async def talk(reader, writer):
            await raw.read_request(reader)
            await reader.read()
            gone.set()

        model = OpenAICompatible(model="m", base_url=serve_bytes(talk).url)
        with pytest.raises(ModelTimeoutError):
            model.invoke("hi", {"timeout": 0.05})
        assert gone.wait(10), "the connection was left open"


class TestStreamsThatBreak:
    def broken(self, serve_bytes, raw, openai, *ends: bytes) -> Any:
        async def talk(reader, writer):
            await raw.read_request(reader)
            writer.write(raw.STREAM + raw.part(openai.chunk({"content": "x"})))
            for end in ends:
                writer.write(end)
            await writer.drain()

        pieces = OpenAICompatible(model="m", base_url=serve_bytes(talk).url).stream("hi")
        assert next(pieces).content == "x"
        with pytest.raises(APIStatusError) as caught:
            list(pieces)
        return caught.value

    def test_the_connection_is_lost(self, serve_bytes, raw, openai) -> None:
        error = self.broken(serve_bytes, raw, openai)
        assert isinstance(error, BadGatewayError)
        assert "broke off in the middle of its answer" in str(error)

    def test_the_body_ends_before_the_answer(self, serve_bytes, raw, openai) -> None:
        error = self.broken(serve_bytes, raw, openai, raw.END)
        assert isinstance(error, BadGatewayError)
        assert "broke off in the middle of its answer" in str(error)

    @pytest.mark.parametrize(
        ("answer", "status", "said"),
        [
            ({"error": {"message": "no room", "code": 503}}, 503, "no room"),
            ({"choices": [{"message": {"content": "whole"}}]}, 502, "sent no server-sent events but .*whole"),
            ("<html>log in first", 502, "sent no server-sent events but .*: <html>log in first"),
        ],
    )
    def test_the_server_answers_otherwise(self, server, model, answer, status, said) -> None:
        server.answer = lambda seen: answer
        with pytest.raises(APIStatusError, match=said) as caught:
            list(model.stream("hi"))
        assert caught.value.status_code == status

    @pytest.mark.parametrize("text", ["data: {nonsense\n\n", "data: 5\n\n", 'data: {"choices": [3]}\n\n'])
    def test_an_event_is_nonsense(self, serve_bytes, raw, openai, text) -> None:
        error = self.broken(serve_bytes, raw, openai, raw.part(text), raw.END)
        assert isinstance(error, BadGatewayError)
        assert "sent an event that is no chunk" in str(error)

    @pytest.mark.parametrize(
        ("given", "status", "text"),
        [
            ({"message": "too fast", "type": "rate_limit_error"}, 429, "too fast"),
            ({"message": "no room", "code": 503}, 503, "no room"),
            ({"message": "oh", "type": "server_error", "code": None}, 502, "oh"),
            ("just text", 502, "just text"),
        ],
    )
    def test_the_server_says_that_it_failed(self, serve_bytes, raw, openai, given, status, text) -> None:
        error = self.broken(serve_bytes, raw, openai, raw.part(openai.event({"error": given})), raw.END)
        assert error.status_code == status
        assert str(error).endswith(f"failed in the middle of its answer: {text}")


class TestAnswersThatAreNone:
    @pytest.mark.parametrize(
        "body",
        ["", "hello", "[]", "{}", '{"choices": []}', '{"choices": 3}', '{"choices": [{"message": {"content": 5}}]}'],
    )
    def test_each_is_one_clear_error(self, server, model, body) -> None:
        server.answer = lambda seen: body
        error = failure_of(model, "invoke")
        assert isinstance(error, BadGatewayError)
        assert str(error).startswith(server.url)

    def test_an_error_with_a_status_of_success(self, server, model) -> None:
        server.answer = lambda seen: {"error": {"message": "overloaded", "code": 503}}
        error = failure_of(model, "invoke")
        assert error.status_code == 503
        assert "overloaded" in str(error)


class TestNoKey:
    @both
    def test_openai_itself_is_not_asked_without_a_key(self, way: str) -> None:
        failure = failure_of(OpenAICompatible(model="gpt-4o"), way)
        assert (type(failure).__name__, failure.status_code) == ("AuthenticationError", 401)
        assert "there is no key for api.openai.com, so 'gpt-4o' is not asked: set OPENAI_API_KEY" in str(failure)

    async def test_embeddings_and_images_are_not_asked_for_either(self) -> None:
        with pytest.raises(status_errors.AuthenticationError, match="OPENAI_API_KEY"):
            await OpenAICompatibleEmbeddings(model="m").aembed_query("x")
        with pytest.raises(status_errors.AuthenticationError, match="OPENAI_API_KEY"):
            await OpenAICompatibleImages(model="m").aedit_images([b"x"], "x")
        with pytest.raises(status_errors.AuthenticationError, match="OPENAI_API_KEY"):
            completion("openai/gpt-4o", [{"role": "user", "content": "x"}])

    def test_another_server_may_need_none(self, server: Any, openai: Any) -> None:
        server.answer = lambda seen: openai.completion("yes")
        assert OpenAICompatible(model="m", base_url=server.url + "/v1").invoke("hi").text == "yes"
