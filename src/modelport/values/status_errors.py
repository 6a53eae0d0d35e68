"""One error class for each HTTP status that a model, a handler or an upstream answers with.

They are what the SDK raises; their names are those that the `openai` and `litellm` clients use, and all of them are
`ModelportError`s. A status without a class of its own is an `APIStatusError` that keeps it.
"""

from __future__ import annotations

from typing import Any, ClassVar


class ModelportError(Exception):
    """Is the root of every error that modelport itself raises."""

    status_code: int = 500
    """The HTTP status that a gateway answers with."""
    type: str = "server_error"
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


class APIStatusError(ModelportError):
    """Is what a call ended with, as a status and a text.

    Handlers raise it in the ways that LiteLLM's classes are raised, with or without keywords.
    """

    positional: ClassVar[tuple[str, ...]] = ("llm_provider", "model")
    """What values after the message are, in LiteLLM's order."""

    def __init__(
        self,
        message: str,
        *facts: Any,
        status_code: int | None = None,
        param: str | None = None,
        code: str | None = None,
        type: str | None = None,
        model: str | None = None,
        llm_provider: str | None = None,
        retry_after: float | None = None,
        response: Any = None,
        body: Any = None,
        **_: Any,
    ) -> None:
        """Make an error.

        Args:
            message: What happened.
            *facts: What `positional` says.
            status_code: The status, when it is not the class's.
            param: The request's field that is wrong.
            code: OpenAI's `error.code`.
            type: OpenAI's `error.type`, when it is not the class's.
            model: The model's name.
            llm_provider: The provider's name.
            retry_after: How many seconds to wait before another attempt.
            response: The upstream's answer.
            body: Its body.
            **_: What LiteLLM's errors take beside; ignored.
        """
        given: Any = message
        if isinstance(given, int) and facts:
            # LiteLLM's APIError begins with the status.
            status_code, message, facts = given, facts[0], facts[1:]
        super().__init__(message, param=param, code=code)
        if status_code is not None:
            self.status_code = status_code
        if type is not None:
            self.type = type
        self.message = message
        """What happened."""
        self.model = model
        """The model's name, when it is known."""
        self.llm_provider = llm_provider
        """The provider's name, when it is known."""
        self.retry_after = retry_after
        """How many seconds to wait before another attempt, when the model said so."""
        self.response = response
        """The upstream's answer, when there was one."""
        self.body = body
        """Its body."""
        for name, value in zip(self.positional, facts, strict=False):
            setattr(self, name, value)

    @property
    def status(self) -> int:
        """The status, by its other name."""
        return self.status_code


_MODEL_FIRST = ("model", "llm_provider")


class BadRequestError(APIStatusError):
    """400: the request is wrong."""

    positional = _MODEL_FIRST
    status_code = 400
    type = "invalid_request_error"


class AuthenticationError(APIStatusError):
    """401: there is no key, or one that is not known."""

    status_code = 401
    type = "authentication_error"
    code = "invalid_api_key"


class PermissionDeniedError(APIStatusError):
    """403: the credentials do not allow it."""

    status_code = 403
    type = "permission_error"


class NotFoundError(APIStatusError):
    """404: there is no such model or resource."""

    positional = _MODEL_FIRST
    status_code = 404
    type = "invalid_request_error"


class Timeout(APIStatusError, TimeoutError):  # noqa: N818 - litellm's name
    """408 and 504: it took too long."""

    positional = _MODEL_FIRST
    status_code = 408
    type = "timeout_error"


class ConflictError(APIStatusError):
    """409: it conflicts with something that is there."""

    status_code = 409
    type = "invalid_request_error"


class ContentTooLargeError(APIStatusError):
    """413: the request is too large."""

    status_code = 413
    type = "invalid_request_error"


class UnprocessableEntityError(APIStatusError):
    """422: the request is well formed and makes no sense."""

    positional = _MODEL_FIRST
    status_code = 422
    type = "invalid_request_error"


class RateLimitError(APIStatusError):
    """429: too many requests; `retry_after` may say when to come back."""

    status_code = 429
    type = "rate_limit_error"


class InternalServerError(APIStatusError):
    """500: the model failed."""

    status_code = 500


class BadGatewayError(APIStatusError):
    """502: what the model asks upstream cannot be reached, or answers nonsense."""

    status_code = 502


class UnavailableError(APIStatusError):
    """503: the model cannot answer now."""

    status_code = 503


class ContextWindowExceededError(BadRequestError):
    """400: the prompt is longer than the model takes."""

    code = "context_length_exceeded"


class ContentPolicyViolationError(BadRequestError):
    """400: the model's content policy forbids it."""

    code = "content_policy_violation"


_CLASS_OF_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: Timeout,
    409: ConflictError,
    413: ContentTooLargeError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    500: InternalServerError,
    502: BadGatewayError,
    503: UnavailableError,
    504: Timeout,
}


def status_of(error: BaseException) -> int:
    """Return the status that an exception carries (`status_code`, 400 to 599); 500 when it carries none."""
    status: Any = getattr(error, "status_code", None)
    if isinstance(status, bool) or not isinstance(status, int) or not 400 <= status <= 599:
        return 500
    return status


def error_of_status(status_code: int, message: str, **facts: Any) -> APIStatusError:
    """Return the error of a status; one without a class of its own keeps the status."""
    cls = _CLASS_OF_STATUS.get(status_code, APIStatusError)
    return cls(message, status_code=status_code, **facts)
