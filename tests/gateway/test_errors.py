"""What a client reads of an error, and what it must never read."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from pydantic import SecretStr

from modelport import LLM
from modelport.gateway.errors import log_failure, reply_of, reply_of_call
from modelport.models.scrubbing import Scrubber
from modelport.values.errors import (
    AuthenticationError,
    CustomLLMError,
    HookError,
    KeywordError,
    ModelNotFoundError,
    ModelTimeoutError,
)
from modelport.values.status_errors import RateLimitError

PLAIN = Scrubber()


class StatusError(Exception):
    def __init__(self, status_code: Any, text: str = "no", **facts: Any) -> None:
        super().__init__(text)
        self.status_code = status_code
        for name, value in facts.items():
            setattr(self, name, value)


class Upstream:
    headers = {"retry-after": "7"}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("bad luck"), (500, "ValueError: bad luck", "server_error", None, None)),
        (RuntimeError(), (500, "RuntimeError", "server_error", None, None)),
        (CustomLLMError(418, "tea"), (418, "tea", "invalid_request_error", None, None)),
        (StatusError(401), (401, "no", "authentication_error", None, None)),
        (StatusError(429), (429, "no", "rate_limit_error", None, None)),
        (StatusError(404, param="model", code="x"), (404, "no", "invalid_request_error", "model", "x")),
        (StatusError(599), (599, "no", "server_error", None, None)),
        (StatusError(200), (500, "no", "server_error", None, None)),
        (StatusError(600), (500, "no", "server_error", None, None)),
        (StatusError("404"), (500, "no", "server_error", None, None)),
        (StatusError(True), (500, "no", "server_error", None, None)),
        (ModelTimeoutError("late"), (504, "late", "timeout_error", None, "timeout")),
        (HookError("M._call returned 5"), (500, "M._call returned 5", "server_error", None, None)),
        (KeywordError("no", param="x"), (400, "no", "invalid_request_error", "x", "unsupported_parameter")),
    ],
    ids=lambda one: repr(one) if isinstance(one, Exception) else "",
)
def test_an_error_of_a_call_keeps_its_status_and_says_the_rest_in_openais_words(
    error: Exception, expected: tuple[Any, ...]
) -> None:
    reply = reply_of_call(error, PLAIN)
    body = reply.body.error
    assert (reply.status_code, body.message, body.type, body.param, body.code) == expected


def test_sdks_are_told_not_to_run_a_failing_model_again() -> None:
    assert reply_of_call(ValueError("x"), PLAIN).headers == {"x-should-retry": "false"}
    assert reply_of_call(StatusError(400), PLAIN).headers == {"x-should-retry": "false"}


def test_an_overloaded_model_says_when_to_come_back() -> None:
    assert reply_of_call(StatusError(503), PLAIN).headers == {"retry-after": "1"}
    asked = reply_of_call(StatusError(429, response=Upstream()), PLAIN).headers
    assert asked == {"retry-after": "7", "retry-after-ms": "7000"}


@pytest.mark.parametrize(
    ("seconds", "whole", "exact"), [(0.0312, "1", "32"), (12.5, "13", "12500"), (900, "900", "900000")]
)
def test_our_own_refusals_say_to_the_millisecond_when_to_come_back(seconds: float, whole: str, exact: str) -> None:
    headers = reply_of(RateLimitError("too many", retry_after=seconds)).headers
    assert headers == {"retry-after": whole, "retry-after-ms": exact}


def test_our_own_errors_keep_what_they_say() -> None:
    reply = reply_of(ModelNotFoundError("there is no 'a/b/c'"))
    assert (reply.status_code, reply.body.error.message) == (404, "there is no 'a/b/c'")
    assert (reply.body.error.code, reply.body.error.param) == ("model_not_found", "model")
    assert reply_of(AuthenticationError("no")).headers == {"www-authenticate": "Bearer"}


def test_an_unforeseen_error_says_nothing_of_the_inside() -> None:
    reply = reply_of(ZeroDivisionError("secret at /home/me/x.py"))
    assert (reply.status_code, reply.body.error.message) == (500, "the server failed; its log says why")


class BrokenError(Exception):
    def __str__(self) -> str:
        raise ValueError("not readable")


def test_an_error_that_cannot_be_read_is_still_an_answer() -> None:
    assert "BrokenError" in reply_of_call(BrokenError(), PLAIN).body.error.message


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("cannot open '/opt/models/w.bin'", "cannot open '***'"),
        ("cannot open '/opt/my models/w.bin'", "cannot open '***'"),
        ("at /home/me/app/models.py:12", "at ***:12"),
        ("model_path=/srv/w.bin", "model_path=***"),
        ("in ~/models/w.bin and ../up/there", "in *** and ***"),
        (r"in C:\Users\me\w.bin", "in ***"),
        ("see file:///etc/passwd", "see ***"),
        ("Bearer abcdefgh123 was refused", "Bearer *** was refused"),
        ("key sk-proj-abc_DEF-123 is wrong", "key *** is wrong"),
        ("token hf_aBcD3fGhIjKlMnOpQrSt", "token ***"),
        ("AKIAIOSFODNN7EXAMPLE", "***"),
        # The author's own words stay.
        ("POST http://127.0.0.1:8080/predictions/m failed", "POST http://127.0.0.1:8080/predictions/m failed"),
        ("and/or either/or/both 1/2/3", "and/or either/or/both 1/2/3"),
        ("expected '/' or \"'\"", "expected '/' or \"'\""),
        ("hf_hub_download failed in sk-learn", "hf_hub_download failed in sk-learn"),
        ("50 % of 3:4", "50 % of 3:4"),
    ],
)
def test_paths_and_keys_are_masked_and_the_authors_text_stays(text: str, kept: str) -> None:
    assert Scrubber().without_traces(text) == kept


class Keeper(LLM):
    token: SecretStr
    api_key: str = ""
    headers: dict[str, str] = {}

    def _call(self, prompt: str) -> str:
        return prompt


def test_the_secrets_of_a_model_are_masked_whatever_they_look_like() -> None:
    model = Keeper(token=SecretStr("hunter2!"), api_key="plain word", headers={"X-Secret": "another"})
    scrubber = Scrubber(["from-the-config"]).for_model(model)
    text = scrubber.without_traces("hunter2! plain word another from-the-config stays")
    assert text == "*** *** *** *** stays"


def test_the_longer_secret_goes_first_and_tiny_ones_are_no_secrets() -> None:
    assert Scrubber(["abcd", "abcdef", "a"]).without_secrets("abcdef a abcd") == "*** a ***"


def test_settings_named_like_secrets_are_secrets() -> None:
    settings = [{"api_key": "value-1", "nested": [{"hf_token": "value-2"}], "eos_token": "</s>", "n": 5}]
    scrubber = Scrubber().with_secrets_in(settings)
    assert scrubber.without_secrets("value-1 value-2 </s>") == "*** *** </s>"


def reading_a_file(text: str) -> None:
    json.loads(text)


async def waiting_too_long(_: str) -> None:
    try:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
    except TimeoutError:
        raise ModelTimeoutError("too late") from None


@pytest.mark.parametrize(
    ("code", "said"),
    [(reading_a_file, "JSONDecodeError (in reading_a_file, test_errors.py:"), (waiting_too_long, "ModelTimeoutError")],
)
async def test_the_log_names_the_authors_last_line(code: Any, said: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "modelport.gateway")
    try:
        pending = code("{")
        if pending is not None:
            await pending
    except Exception as error:  # noqa: BLE001 - whatever an author's code raises
        log_failure(error, reply_of_call(error, PLAIN), request_id="req_1", model="m")
    [line] = caplog.messages
    assert said in line
    assert "contextlib" not in line
    assert "decoder.py" not in line
