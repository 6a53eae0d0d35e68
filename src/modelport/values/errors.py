"""The one tree of errors that modelport raises.

    ModelportError                       500 server_error
    ├── ModelTimeoutError (TimeoutError) 504 timeout_error
    ├── HookError (TypeError)            500 a hook returned or yielded something wrong
    ├── InputError (ValueError)          400 invalid_request_error: the caller's value is wrong
    ├── KeywordError (TypeError)         400 a keyword that the hook does not take
    ├── AuthenticationError              401 authentication_error
    ├── ModelNotFoundError (LookupError) 404 model_not_found
    ├── LoadError (ImportError)          500 an import path or file cannot be loaded
    ├── MissingExtraError (ImportError)  500 an optional dependency is not installed
    └── CustomLLMError                   the status its author gives it (LiteLLM's guide)

The Python faces raise a hook's own exception unchanged; the SDK and the HTTP faces answer with one of these and
keep the hook's exception as `__cause__`.
"""

from __future__ import annotations

from typing import ClassVar


class ModelportError(Exception):
    """Is the root of every error that modelport itself raises."""

    status_code: ClassVar[int] = 500
    """The HTTP status that a gateway answers with."""
    type: ClassVar[str] = "server_error"
    """OpenAI's `error.type`."""
    code: str | None = None
    """OpenAI's `error.code`, when there is one."""
    param: str | None = None
    """The request's field that is wrong (OpenAI's `error.param`), when there is one."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        if param is not None:
            self.param = param
        if code is not None:
            self.code = code


class ModelTimeoutError(ModelportError, TimeoutError):
    """Says that a call's deadline passed before its last chunk (guarantee 7)."""

    status_code = 504
    type = "timeout_error"
    code = "timeout"


class HookError(ModelportError, TypeError):
    """Says that a hook returned or yielded something that is no text, generation or message."""


class InputError(ModelportError, ValueError):
    """Says that a value the caller gave is wrong: an input, a stop string, a config key."""

    status_code = 400
    type = "invalid_request_error"


class KeywordError(ModelportError, TypeError):
    """Says that a call's keyword is one that the model's hook neither names nor takes by `**kwargs`."""

    status_code = 400
    type = "invalid_request_error"
    code = "unsupported_parameter"


class AuthenticationError(ModelportError):
    """Says that a request carries no key, or one that is not known."""

    status_code = 401
    type = "authentication_error"
    code = "invalid_api_key"


class ModelNotFoundError(ModelportError, LookupError):
    """Says that no model has the requested name."""

    status_code = 404
    type = "invalid_request_error"
    code = "model_not_found"
    param = "model"


class LoadError(ModelportError, ImportError):
    """Says that a model's import path, file or `_load` hook failed; the cause is the original error."""


class MissingExtraError(ModelportError, ImportError):
    """Says that an optional dependency is missing and names the extra that brings it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the extra {extra!r}: pip install 'modelport[{extra}]'")


class CustomLLMError(Exception):
    """Is the error that handler authors raise with a status of their own (LiteLLM's custom handler guide)."""

    def __init__(self, status_code: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status_code
        """The HTTP status that the caller gets; 400 to 599."""
        self.message = message
        """What the caller reads."""
