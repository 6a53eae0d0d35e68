"""`except litellm.RateLimitError` catches what the SDK raises: one class per status, with `status_code`."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from modelport.integrations import litellm
from modelport.integrations.litellm import exceptions

CLASSES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    408: "Timeout",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
    500: "InternalServerError",
    502: "BadGatewayError",
    503: "ServiceUnavailableError",
    529: "APIError",
}

HELLO = [{"role": "user", "content": "Hello"}]


class Failing(litellm.CustomLLM):
    def __init__(self, error: Exception) -> None:
        self.error = error

    def completion(self, *args: Any, **kwargs: Any) -> Any:
        raise self.error


def failed(error: Exception) -> Exception:
    litellm.custom_provider_map = [{"provider": "failing", "custom_handler": Failing(error)}]
    with pytest.raises(litellm.OpenAIError) as caught:
        litellm.completion(model="failing/x", messages=HELLO)
    return caught.value


@pytest.mark.parametrize(("status", "name"), CLASSES.items())
def test_a_handlers_status_is_raised_as_the_class_of_that_status(status: int, name: str) -> None:
    error: Any = failed(litellm.CustomLLMError(status_code=status, message="too bad"))
    assert isinstance(error, getattr(litellm, name))
    assert isinstance(error, getattr(exceptions, name))
    assert (error.status_code, error.status) == (status, status)
    assert "too bad" in str(error)
    assert isinstance(error.__cause__, litellm.CustomLLMError)


@pytest.mark.parametrize("status", [409, 413, 418])
def test_a_status_that_litellm_makes_400_of_stays_itself(status: int) -> None:
    error: Any = failed(litellm.CustomLLMError(status, "x"))
    assert error.status_code == status
    assert not isinstance(error, litellm.BadRequestError)


@pytest.mark.parametrize(("status", "name"), CLASSES.items())
def test_a_handler_raises_litellms_classes_as_litellm_has_them(status: int, name: str) -> None:
    kind: Any = getattr(litellm, name)
    given = {"status_code": 529} if name == "APIError" else {}
    raised = kind(message="too bad", llm_provider="my", model="x", response=None, litellm_debug_info="…", **given)
    assert failed(raised) is raised
    assert (raised.status_code, raised.llm_provider, raised.model) == (status, "my", "x")


def test_litellms_positional_forms_are_understood() -> None:
    limited = litellm.RateLimitError("slow down", "my", "x")
    wrong = litellm.BadRequestError("wrong", "x", "my")
    other = litellm.APIError(418, "teapot", "my", "x")  # pyright: ignore[reportArgumentType] - LiteLLM's order
    assert [(one.llm_provider, one.model, str(one)) for one in (limited, wrong, other)] == [
        ("my", "x", "slow down"),
        ("my", "x", "wrong"),
        ("my", "x", "teapot"),
    ]
    assert other.status_code == 418


def test_any_other_exception_of_a_handler_is_an_internal_error() -> None:
    error: Any = failed(KeyError("missing"))
    assert isinstance(error, litellm.InternalServerError)
    assert isinstance(error, litellm.APIError)
    assert error.status_code == 500


def test_an_unknown_provider_is_litellms_error_for_it() -> None:
    with pytest.raises(litellm.LiteLLMUnknownProvider, match="'nobody'"):
        litellm.completion(model="nobody/x", messages=HELLO)


@pytest.mark.parametrize(
    ("mock", "name"),
    [
        ("litellm.RateLimitError", "RateLimitError"),
        ("litellm.ContextWindowExceededError", "ContextWindowExceededError"),
        ("litellm.InternalServerError", "InternalServerError"),
        ("Exception: content_filter_policy", "ContentPolicyViolationError"),
    ],
)
def test_mocked_errors_are_caught_by_litellms_names(mock: str, name: str) -> None:
    with pytest.raises(getattr(litellm, name)):
        litellm.completion(model="gpt-3.5-turbo", messages=HELLO, mock_response=mock)


def test_a_timeout_is_litellms_and_pythons() -> None:
    with pytest.raises(litellm.Timeout):
        litellm.completion(model="gpt-3.5-turbo", messages=HELLO, mock_response="x", mock_timeout=True)
    assert issubclass(litellm.Timeout, TimeoutError)


def test_every_exception_type_is_one_of_modelports() -> None:
    for kind in exceptions.LITELLM_EXCEPTION_TYPES:
        assert issubclass(kind, litellm.OpenAIError)
    assert {kind.__name__ for kind in exceptions.LITELLM_EXCEPTION_TYPES} >= {"RateLimitError", "Timeout"}


def test_a_budget_error_says_what_was_spent() -> None:
    error = litellm.BudgetExceededError(current_cost=3.5, max_budget=2)
    assert (error.current_cost, error.max_budget, str(error)) == (3.5, 2, "the budget of 2 is exceeded: 3.5 is spent")


def test_exceptions_are_reached_through_the_package() -> None:
    assert litellm.exceptions.RateLimitError is litellm.RateLimitError  # pyright: ignore[reportAttributeAccessIssue]
    assert importlib.import_module("modelport.integrations.litellm.exceptions") is exceptions
