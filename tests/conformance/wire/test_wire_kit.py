"""The run of the wire checks: its arguments, its bounds, and servers that are not there."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import jsonschema
import pytest

from modelport.testing import CheckResult
from modelport.testing.wire import all_wire_checks, arun_wire_checks, kit, run_wire_checks, server
from modelport.testing.wire.shapes import TEXT_CHUNK, differences
from tests.conformance.wire.http_server import HttpServer, RefusedError, Reply, Request, serving
from tests.conformance.wire.reference import KEY, Right
from tests.conformance.wire.reference_values import MODEL
from tests.openai_schemas import validator_of


class Silent(HttpServer):
    """Takes requests, and never answers."""

    async def before_answer(self, request: Request, reader: asyncio.StreamReader) -> None:
        await asyncio.Event().wait()


class HangingStreams(Right):
    """Answers, but its streams have no end."""

    ends_streams = False

    def stream_reply(self, kind: str, body: dict[str, Any], chunks: list[dict[str, Any]]) -> Reply:
        reply = super().stream_reply(kind, body, chunks)
        assert reply.frames
        reply.frames.pop()
        return reply


class TwoModels(Right):
    """Lists a model first that answers nothing."""

    def models(self, request: Request) -> Reply:
        return self.json({"object": "list", "data": [{**self.entry(), "id": "other"}, self.entry()]})

    def retrieve(self, name: str) -> Reply:
        return self.json({**self.entry(), "id": "other"}) if name == "other" else super().retrieve(name)


class Reasoning(Right):
    """Takes neither temperature nor max_tokens, as some models do."""

    def check_options(self, body: dict[str, Any]) -> None:
        if body.get("temperature") is not None or body.get("max_tokens") is not None:
            raise RefusedError("refused", "use max_completion_tokens", param="max_tokens")
        super().check_options(body)


class OnlyChats(Right):
    """Chats, and has no other endpoint."""

    def route(self, request: Request) -> Reply:
        if request.path in {"/completions", "/embeddings", "/images/generations"}:
            request.target = "/v1/nothing"
        return super().route(request)


class Nonsense(HttpServer):
    """Answers everything with the same JSON, whatever it is."""

    value = b"null"

    def answer(self, request: Request) -> Reply:
        return Reply(200, self.value, {"content-type": "application/json"})


def outcomes(results: list[CheckResult]) -> dict[str, str]:
    return {result.id: result.outcome for result in results}


def test_ids_are_unique_and_every_check_has_a_sentence_and_a_source() -> None:
    checks = all_wire_checks()
    assert len({one.id for one in checks}) == len(checks) >= 200
    assert all(one.sentence.endswith((".", ")")) and one.source for one in checks)


async def test_each_result_is_told_as_its_check_ends() -> None:
    told: list[CheckResult] = []
    async with serving(Right()) as url:
        results = await arun_wire_checks(url, key=KEY, ids=["wire-chat:whole:id"], on_result=told.append)
    assert told == results
    assert outcomes(results) == {"wire-chat:whole:id": "pass"}


async def test_without_a_model_the_first_listed_one_that_answers_is_asked() -> None:
    async with serving(TwoModels()) as url:
        results = await arun_wire_checks(f"{url}/", key=KEY, timeout_seconds=10)
    assert {one for one, outcome in outcomes(results).items() if outcome == "fail"} == set()


async def test_a_model_that_takes_no_temperature_is_asked_without() -> None:
    async with serving(Reasoning()) as url:
        results = await arun_wire_checks(url, key=KEY, model=MODEL, timeout_seconds=10)
    failed = {result.id for result in results if result.outcome == "fail"}
    about_options = ("wire-limit", "wire-request:chat:temperature", "wire-errors:wrong-type", "wire-errors:temp")
    assert {one for one in failed if not one.startswith(about_options)} == set()


async def test_endpoints_that_are_not_there_are_not_applicable() -> None:
    async with serving(OnlyChats()) as url:
        results = await arun_wire_checks(url, key=KEY, model=MODEL, timeout_seconds=10)
    missing = {"wire-text", "wire-embedding", "wire-image"}
    for result in results:
        group, way, _ = result.id.split(":")
        expected = "not applicable" if group in missing or way == "text" or "throttled" in result.id else "pass"
        assert result.outcome == expected, result
        assert result.outcome == "pass" or result.seen


async def test_without_a_key_nothing_about_keys_is_checked() -> None:
    class Open(Right):
        def authorize(self, request: Request) -> None:
            pass

    for key in (None, KEY):
        async with serving(Open()) as url:
            results = await arun_wire_checks(url, key=key, model=MODEL, timeout_seconds=10)
        found = {result.outcome for result in results if result.id.startswith("wire-auth")}
        assert found == {"not applicable"}
        assert all(result.outcome != "fail" for result in results)


async def test_a_server_that_never_answers_has_findings_and_ends() -> None:
    async with serving(Silent()) as url:
        results = await arun_wire_checks(url, model=MODEL, timeout_seconds=0.2)
    assert len(results) == len(all_wire_checks())
    failed = {result.id: result.seen for result in results if result.outcome == "fail"}
    assert failed.keys() >= {"wire-models:list:answers", "wire-chat:whole:answers"}
    assert all("no whole answer within 0.2 s" in seen for seen in failed.values()), failed


async def test_a_run_has_an_end_however_many_answers_are_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit, "RUN_TIMEOUTS", 0.0)
    async with serving(Silent()) as url:
        results = await arun_wire_checks(url, model=MODEL, timeout_seconds=5)
    assert {result.outcome for result in results} == {"not applicable"}


async def test_streams_without_end_are_findings_of_the_stream_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit, "RUN_TIMEOUTS", 100.0)
    async with serving(HangingStreams()) as url:
        results = await arun_wire_checks(url, key=KEY, model=MODEL, timeout_seconds=2)
    failed = {result.id for result in results if result.outcome == "fail"}
    assert {"wire-stream:chat:answers", "wire-stream:text:answers"} <= failed
    assert all("stream" in one for one in failed), failed


class Doorkeeper(HttpServer):
    """Answers everything in the same way, before any endpoint is looked for."""

    status, headers = 401, {}

    def answer(self, request: Request) -> Reply:
        return Reply(self.status, b"no", self.headers)


@pytest.mark.parametrize(
    ("status", "headers", "mend"),
    [
        (401, {}, "give it (`--key`), or the right one"),
        (403, {}, "give it (`--key`), or the right one"),
        (301, {"location": "https://there/v1"}, "check the address that it points to: https://there/v1"),
        (404, {}, "is the address not right up to /v1?"),
    ],
)
async def test_who_is_turned_away_at_the_door_is_told_how_to_get_in(
    status: int, headers: dict[str, str], mend: str
) -> None:
    door = Doorkeeper()
    door.status, door.headers = status, headers
    ids = ["wire-models:list:answers", "wire-chat:whole:answers"]
    async with serving(door) as url:
        results = await arun_wire_checks(url, ids=ids, timeout_seconds=10)
    assert [result.mend.endswith(mend) for result in results] == [True, True], results


async def test_an_address_that_speaks_no_tls_is_told_from_a_server_that_just_closes() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    plain = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with plain:
        port = plain.sockets[0].getsockname()[1]
        url = f"https://127.0.0.1:{port}/v1"
        [result] = await arun_wire_checks(url, ids=["wire-models:list:answers"], timeout_seconds=10)
    assert result.mend == "check the address: its host, its port, and whether it is http or https"


async def test_a_named_model_that_no_endpoint_answers_is_a_finding_though_others_answer() -> None:
    ids = ["wire-chat:whole:answers", "wire-chat:whole:id"]
    async with serving(Right()) as url:
        results = await arun_wire_checks(url, key=KEY, model="typo", ids=ids, timeout_seconds=10)
    assert outcomes(results) == {"wire-chat:whole:answers": "fail", "wire-chat:whole:id": "pass"}
    assert "POST /chat/completions → 404" in results[0].seen
    assert results[0].mend == f"name a model that it has (`--model`): {MODEL}"


def test_a_server_that_is_not_there_is_a_finding() -> None:
    results = run_wire_checks("http://127.0.0.1:9/v1", model="m", timeout_seconds=2)
    seen = {result.id: result.seen for result in results if result.outcome == "fail"}
    assert seen.keys() >= {"wire-models:list:answers", "wire-chat:whole:answers"}
    assert "ConnectError" in seen["wire-chat:whole:answers"]


@pytest.mark.parametrize(
    "value", [b"null", b"[]", b"7", b"{", b"\xff", b"", b'{"choices": 7, "data": 7}', b'{"choices": [7], "data": [7]}']
)
async def test_no_answer_whatever_it_is_ends_the_run(value: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Nonsense, "value", value)
    async with serving(Nonsense()) as url:
        results = await arun_wire_checks(url, key=KEY, model=MODEL, timeout_seconds=5)
    assert outcomes(results)["wire-chat:whole:answers"] == "fail"
    assert not [result for result in results if "the answer cannot be read" in result.seen]


async def test_a_refusal_for_load_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Busy(Right):
        def answer(self, request: Request) -> Reply:
            self.asked += 1
            if self.asked % 3 == 0:
                headers = {"content-type": "application/json", "x-request-id": "r", "retry-after": "1"}
                return Reply(429, b'{"error": {"message": "m", "type": "t", "param": null, "code": null}}', headers)
            return super().answer(request)

    monkeypatch.setattr(server, "LONGEST_RETRY_SECONDS", 0.01)
    async with serving(Busy()) as url:
        results = await arun_wire_checks(url, key=KEY, model=MODEL, timeout_seconds=10)
    assert outcomes(results)["wire-errors:throttled:retry-after"] == "pass"
    over_sockets = {result.id for result in results if result.id.startswith("wire-http")}
    assert {result.id for result in results if result.outcome == "fail"} <= over_sockets


# --- what is sent


class Listening(Right):
    """Remembers the JSON of every chat."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[Any] = []

    def chat(self, body: dict[str, Any]) -> Reply:
        self.got.append(body)
        return super().chat(body)


@pytest.mark.parametrize("kind", ["request", "errors", "stop", "limit", "choices", "tools", "unicode", "usage"])
async def test_what_must_be_taken_is_right_by_openais_schema_and_what_must_be_refused_is_not(kind: str) -> None:
    validator = validator_of("CreateChatCompletionRequest")
    allowed_vendors = {"wire-request:chat:unknown-field", "wire-request:chat:huge-number"}
    for check_id in (one.id for one in all_wire_checks() if one.id.startswith(f"wire-{kind}:")):
        if check_id in allowed_vendors:
            continue
        listening = Listening()
        async with serving(listening) as url:
            await arun_wire_checks(url, key=KEY, model=MODEL, ids=[check_id], timeout_seconds=10)
        asked_last = listening.got[-1:]
        refused = (
            kind == "errors" and listening.got[1:] and check_id.split(":")[1] not in {"unknown-model", "throttled"}
        )
        assert all(validator.is_valid(body) != bool(refused) for body in asked_last), (check_id, asked_last)


# --- the schemas

CHAT: dict[str, Any] = {
    "id": "a",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "logprobs": None,
            "message": {
                "role": "assistant",
                "content": None,
                "refusal": None,
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}


def mutations(value: Any) -> list[Any]:
    """The value with each part of it replaced, and each key left out."""
    found: list[Any] = [None, 7, 1.5, True, "x", [], {}]
    if isinstance(value, dict):
        for key, item in value.items():
            found.append({name: one for name, one in value.items() if name != key})
            found += [{**value, key: other} for other in mutations(item)]
    if isinstance(value, list):
        for place, item in enumerate(value):
            found += [[*value[:place], other, *value[place + 1 :]] for other in mutations(item)]
    return found


def test_the_reader_of_schemas_agrees_with_jsonschema() -> None:
    validator = validator_of("CreateChatCompletionResponse")
    assert differences(CHAT, "CreateChatCompletionResponse") == []
    tried = mutations(CHAT)
    assert len(tried) > 150
    for value in tried:
        try:
            validator.validate(value)
            is_right = True
        except jsonschema.ValidationError:
            is_right = False
        assert (differences(value, "CreateChatCompletionResponse") == []) == is_right, value


def test_each_difference_says_where_it_is_and_of_which_kind() -> None:
    [choice] = CHAT["choices"]
    message = {"role": "assistant", "content": 7, "tool_calls": None}
    value = {**CHAT, "choices": [{**choice, "message": message}]}
    found = {(one.path, one.kind) for one in differences(value, "CreateChatCompletionResponse")}
    place = "choices[0].message"
    assert found == {(f"{place}.content", "wrong"), (f"{place}.tool_calls", "null"), (f"{place}.refusal", "absent")}


def test_a_chunk_of_a_text_may_have_no_reason_yet() -> None:
    chunk = {"id": "a", "object": "text_completion", "created": 1, "model": "m"}
    entry = {"index": 0, "text": "a", "logprobs": None, "finish_reason": None}
    assert differences({**chunk, "choices": [entry]}, TEXT_CHUNK) == []
    del entry["finish_reason"]
    assert [one.kind for one in differences({**chunk, "choices": [entry]}, TEXT_CHUNK)] == ["absent"]
