"""What the SDK raises: one class per status, the cause kept, no secret told; keywords that nobody takes."""

from __future__ import annotations

import copy
import logging
import pickle
import traceback
from typing import Any

import pytest
from pydantic import SecretStr

import modelport
from modelport import LLM, ChatModel, CustomLLM, CustomLLMError
from modelport.registry.providers import resolve
from modelport.sdk.settings import settings
from modelport.values import status_errors
from modelport.values.errors import InputError, KeywordError

WAYS = ("completion", "acompletion", "stream", "astream")
every_way = pytest.mark.parametrize("way", WAYS)
KEY = "key-0123456789abcdef"


class Raising(CustomLLM):
    def __init__(self, error: Exception) -> None:
        self.error = error

    def completion(self, **kwargs: Any) -> Any:
        raise self.error


CLASSES = {
    400: status_errors.BadRequestError,
    401: status_errors.AuthenticationError,
    403: status_errors.PermissionDeniedError,
    404: status_errors.NotFoundError,
    408: status_errors.Timeout,
    409: status_errors.ConflictError,
    413: status_errors.ContentTooLargeError,
    418: status_errors.APIStatusError,
    422: status_errors.UnprocessableEntityError,
    429: status_errors.RateLimitError,
    500: status_errors.InternalServerError,
    502: status_errors.BadGatewayError,
    503: status_errors.UnavailableError,
    529: status_errors.APIStatusError,
}


@pytest.mark.parametrize("status", CLASSES)
@every_way
def test_every_status_has_a_class_and_stays_itself(status: int, way: str, ask: Any) -> None:
    error = CustomLLMError(status, "the author's text")
    modelport.register("m", Raising(error))
    with pytest.raises(CLASSES[status], match="the author's text") as failure:
        ask(way, "m/x")
    assert type(failure.value) is CLASSES[status]
    assert failure.value.status_code == failure.value.status == status
    assert failure.value.__cause__ is error
    assert (failure.value.model, failure.value.llm_provider) == ("x", "m")


@pytest.mark.parametrize("error", [ValueError("bad"), KeyError("bad"), NotImplementedError("bad"), TimeoutError("bad")])
@every_way
def test_any_other_exception_is_a_500_that_says_its_kind(error: Exception, way: str, ask: Any) -> None:
    modelport.register("m", Raising(error))
    with pytest.raises(status_errors.InternalServerError, match=f"{type(error).__name__}.*bad") as failure:
        ask(way, "m/x")
    assert failure.value.__cause__ is error


@every_way
def test_an_error_of_ours_stays_the_same_object(way: str, ask: Any) -> None:
    error = status_errors.RateLimitError("slow", retry_after=7)
    modelport.register("m", Raising(error))
    with pytest.raises(status_errors.RateLimitError) as failure:
        ask(way, "m/x")
    assert failure.value is error
    assert failure.value.__cause__ is None


def test_an_exception_whose_text_cannot_be_read_is_an_error_too() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise ValueError

    modelport.register("m", Raising(MuteError()))
    with pytest.raises(status_errors.InternalServerError, match="cannot be read"):
        modelport.completion("m/x")


# ── secrets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Leaking(CustomLLM):
    """Tells everything it knows in its errors."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self.api_key = "own-9876543210"
        self.secret = SecretStr("wrapped-13579")

    def completion(self, api_key, headers):
        raise self._kind(
            f"refused {api_key} {headers} {self.api_key} {self.secret.get_secret_value()} at /srv/secret/file.py"
        )


@pytest.mark.parametrize("kind", [ValueError, status_errors.BadRequestError, lambda text: CustomLLMError(401, text)])
@every_way
def test_no_error_tells_a_key_of_the_caller_or_the_handler(kind: Any, way: str, ask: Any) -> None:
    modelport.register("m", Leaking(kind))
    headers = {"Authorization": "Bearer token-24680", "x-api-key": "header-11223344", "x-trace": "kept-trace"}
    with pytest.raises(modelport.ModelportError) as failure:
        ask(way, "m/x", api_key=KEY, extra_headers=headers)
    told = f"{failure.value} {failure.value!r} {vars(failure.value)}"
    for secret in (KEY, "own-9876543210", "wrapped-13579", "token-24680", "header-11223344"):
        assert secret not in told
    assert "kept-trace" in told
    alone = failure.value.with_traceback(None)
    alone.__cause__ = None
    alone.__suppress_context__ = True
    assert KEY not in "".join(traceback.format_exception(alone))


def test_no_repr_tells_the_callers_key() -> None:
    class Keeping(CustomLLM):
        def completion(self, model):
            return model

    modelport.register("m", Keeping())
    assert KEY not in repr(resolve("m/x", api_key=KEY))
    stream = modelport.completion("m/x", api_key=KEY, stream=True)
    assert KEY not in repr(stream) + repr(stream._request.call.kwargs)  # type: ignore[attr-defined]
    stream.close()


def test_errors_are_copied_and_pickled_whole() -> None:
    modelport.register("m", Raising(CustomLLMError(429, "slow")))
    with pytest.raises(status_errors.RateLimitError) as failure:
        modelport.completion("m/x")
    for other in (copy.copy(failure.value), pickle.loads(pickle.dumps(failure.value))):
        assert (type(other), str(other), other.status_code, other.model) == (
            status_errors.RateLimitError, "slow", 429, "x",
        )  # fmt: skip


# ── keywords ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Heated(ChatModel):
    def _call(self, messages, heat=None):
        return f"heat {heat}"


class Anything(LLM):
    def _call(self, prompt, metadata=None, **kwargs):
        return f"{metadata} {sorted(kwargs.items())}"


@every_way
def test_a_keyword_that_no_hook_takes_is_a_400_that_names_it_and_the_near_one(way: str, ask: Any) -> None:
    modelport.register("m", Heated())
    with pytest.raises(modelport.ModelportError, match=r"'heats'.*did you mean 'heat'") as failure:
        ask(way, "m/x", heats=1)
    assert isinstance(failure.value, TypeError)
    assert (failure.value.status_code, failure.value.param, failure.value.code) == (
        400,
        "heats",
        "unsupported_parameter",
    )


@every_way
def test_drop_params_drops_what_no_hook_takes_with_one_line(way: str, ask: Any, caplog: Any) -> None:
    modelport.register("m", Heated())
    with caplog.at_level(logging.WARNING, "modelport.sdk"):
        for _ in range(3):
            assert ask(way, "m/x", heat=1, cold=2, tools=[], drop_params=True).texts == ["heat 1"]
    [line] = caplog.messages
    assert "Heated does not take cold, tools" in line


def test_drop_params_may_be_set_for_all_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    modelport.register("m", Heated())
    monkeypatch.setattr(settings, "drop_params", True)
    assert modelport.completion("m/x", "hi", cold=2).choices[0].message.content == "heat None"


def test_all_other_keywords_reach_the_hook_under_their_own_names() -> None:
    modelport.register("m", Anything())
    response = modelport.completion(
        "m/x", "hi", temperature=1, user="u", extra_headers={"a": "b"}, headers={"c": "d"}, metadata={"k": 1},
        client=object(), api_key="k", base_url="u", timeout=30,
    )  # fmt: skip
    assert response.choices[0].message.content == (
        "{'k': 1} [('extra_headers', {'c': 'd', 'a': 'b'}), ('temperature', 1), ('user', 'u')]"
    )


def test_headers_for_a_model_that_takes_none_are_an_error() -> None:
    modelport.register("m", Heated())
    with pytest.raises(modelport.ModelportError, match="extra_headers"):
        modelport.completion("m/x", "hi", extra_headers={"a": "b"})
    assert modelport.completion("m/x", "hi", metadata={"k": 1}).choices[0].message.content == "heat None"


class AnyKeyword(LLM):
    def _call(self, prompt: str, run_manager: Any, **kwargs: Any) -> str:
        return repr(kwargs)


@pytest.mark.parametrize("name", ["self", "prompt", "run_manager"])
def test_a_parameter_that_the_hook_is_called_with_anyway_is_the_callers_mistake(name: str) -> None:
    modelport.register("m", AnyKeyword())
    given: dict[str, Any] = {name: 1}
    with pytest.raises(KeywordError, match=rf"AnyKeyword\._call does not take the keyword {name!r}; .* framework"):
        modelport.completion("m/x", "hi", **given)
    assert modelport.completion("m/x", "hi", drop_params=True, **given).choices[0].message.content == "{}"


@pytest.mark.parametrize("name", ["headers", "extra_headers"])
def test_headers_that_are_no_dict_are_the_callers_mistake(name: str) -> None:
    modelport.register("m", AnyKeyword())
    given: dict[str, Any] = {name: [("a", "b")]}
    with pytest.raises(InputError, match=f"{name} must be a dict, not list"):
        modelport.completion("m/x", "hi", **given)


def test_answers_are_read_both_ways_and_dumped() -> None:
    modelport.register("m", Heated())
    response = modelport.completion("m/some-name", "hi")
    assert response.choices[0].message.content == response["choices"][0]["message"]["content"] == "heat None"
    assert response.model == "some-name"
    assert response.model_dump()["choices"][0]["finish_reason"] == "stop"
    assert '"heat None"' in response.model_dump_json()
