"""The tree of errors: one root, one status and OpenAI type each."""

from __future__ import annotations

import pickle

import pytest

import modelport
from modelport import CustomLLMError, ModelportError, ModelTimeoutError
from modelport.values import errors


@pytest.mark.parametrize(
    ("error", "builtin", "status", "type_"),
    [
        (errors.ModelTimeoutError, TimeoutError, 504, "timeout_error"),
        (errors.HookError, TypeError, 500, "server_error"),
        (errors.InputError, ValueError, 400, "invalid_request_error"),
        (errors.KeywordError, TypeError, 400, "invalid_request_error"),
        (errors.AuthenticationError, Exception, 401, "authentication_error"),
        (errors.ModelNotFoundError, LookupError, 404, "invalid_request_error"),
        (errors.LoadError, ImportError, 500, "server_error"),
    ],
)
def test_each_error_has_a_builtin_base_and_a_status(
    error: type[ModelportError], builtin: type[Exception], status: int, type_: str
) -> None:
    raised = error("what happened", param="p", code="c")
    assert isinstance(raised, ModelportError)
    assert isinstance(raised, builtin)
    assert (str(raised), raised.status_code, raised.type) == ("what happened", status, type_)
    assert (raised.param, raised.code) == ("p", "c")


def test_param_and_code_have_the_classs_defaults() -> None:
    assert (errors.InputError("x").param, errors.InputError("x").code) == (None, None)
    assert errors.ModelNotFoundError("x").param == "model"
    assert ModelTimeoutError("x").code == "timeout"


def test_a_missing_extra_names_itself() -> None:
    error = errors.MissingExtraError("the gateway", "gateway")
    assert str(error) == "the gateway needs the extra 'gateway': pip install 'modelport[gateway]'"


def test_a_handlers_error_carries_its_status() -> None:
    error = CustomLLMError(429, "slow down")
    assert (error.status_code, error.message, str(error)) == (429, "slow down", "slow down")
    assert not isinstance(error, ModelportError)


def test_the_package_names_what_it_has_and_nothing_else() -> None:
    assert set(modelport.__all__) <= set(dir(modelport))
    for name in modelport.__all__:
        assert getattr(modelport, name) is not None
    with pytest.raises(AttributeError, match="module 'modelport' has no attribute 'LMM'"):
        modelport.LMM  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("error", [CustomLLMError(429, "busy"), errors.MissingExtraError("a thing", "templates")])
def test_errors_with_arguments_of_their_own_are_pickled_too(error: Exception) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy)) == (type(error), str(error))
    assert getattr(copy, "status_code", None) == getattr(error, "status_code", None)
