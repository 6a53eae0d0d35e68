"""The one tree of errors that modelport raises.

    ModelportError                       500 server_error
    ├── APIStatusError                   one class for each status (status_errors.py); among them:
    │   ├── BadRequestError              400 invalid_request_error
    │   │   ├── InputError (ValueError)      the caller's value is wrong
    │   │   └── KeywordError (TypeError)     a keyword that the hook does not take
    │   ├── AuthenticationError          401 authentication_error
    │   ├── NotFoundError                404
    │   │   └── ModelNotFoundError (LookupError)   model_not_found
    │   └── Timeout (TimeoutError)       408
    │       └── ModelTimeoutError        504 the call's deadline passed
    ├── HookError (TypeError)            500 a hook returned or yielded something wrong
    ├── OutputParserError (ValueError)   500 a model's answer is not what a parser reads
    ├── LoadError (ImportError)          500 an import path or file cannot be loaded
    ├── MissingExtraError (ImportError)  500 an optional dependency is not installed
    └── CustomLLMError                   the status its author gives it (LiteLLM's guide)

The Python faces raise a hook's own exception unchanged; the SDK and the HTTP faces answer with one of these and
keep the hook's exception as `__cause__`.
"""

from __future__ import annotations

from modelport.values.status_errors import (
    AuthenticationError,
    BadRequestError,
    ModelportError,
    NotFoundError,
    Timeout,
)

__all__ = [
    "AuthenticationError",
    "CustomLLMError",
    "HookError",
    "InputError",
    "KeywordError",
    "LoadError",
    "MissingExtraError",
    "ModelNotFoundError",
    "ModelTimeoutError",
    "ModelportError",
    "OutputParserError",
]


class ModelTimeoutError(Timeout):
    """Says that a call's deadline passed before its last chunk (guarantee 7)."""

    status_code = 504
    code = "timeout"


class HookError(ModelportError, TypeError):
    """Says that a hook returned or yielded something that is no text, generation or message."""


class InputError(BadRequestError, ValueError):
    """Says that a value the caller gave is wrong: an input, a stop string, a config key."""


class OutputParserError(ModelportError, ValueError):
    """Says that a model's answer is not what an output parser reads."""

    def __init__(self, message: str, *, llm_output: str | None = None) -> None:
        super().__init__(message)
        self.llm_output = llm_output
        """The whole answer."""


class KeywordError(BadRequestError, TypeError):
    """Says that a call's keyword is one that the model's hook neither names nor takes by `**kwargs`."""

    code = "unsupported_parameter"


class ModelNotFoundError(NotFoundError, LookupError):
    """Says that no model has the requested name."""

    code = "model_not_found"
    param = "model"


class LoadError(ModelportError, ImportError):
    """Says that a model's import path, file or `_load` hook failed; the cause is the original error."""


class MissingExtraError(ModelportError, ImportError):
    """Says that an optional dependency is missing and names the extra that brings it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the extra {extra!r}: pip install 'modelport[{extra}]'")
        self._made_of = feature, extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return type(self), self._made_of


class CustomLLMError(Exception):
    """Is the error that handler authors raise with a status of their own (LiteLLM's custom handler guide)."""

    def __init__(self, status_code: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status_code
        """The HTTP status that the caller gets; 400 to 599."""
        self.message = message
        """What the caller reads."""

    def __reduce__(self) -> tuple[type[CustomLLMError], tuple[int, str]]:
        return type(self), (self.status_code, self.message)
