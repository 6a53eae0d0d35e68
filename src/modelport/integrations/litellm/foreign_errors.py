"""Errors of ours as the installed LiteLLM's: the class of their status, which LiteLLM hands on as they are."""

from __future__ import annotations

from typing import Any

from modelport.values.errors import ModelportError
from modelport.values.status_errors import ContentPolicyViolationError, ContextWindowExceededError, error_of_status

_CLASS_OF_STATUS = {
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
    504: "Timeout",
}
_MORE_EXACTLY: dict[type[ModelportError], str] = {
    ContextWindowExceededError: "ContextWindowExceededError",
    ContentPolicyViolationError: "ContentPolicyViolationError",
}


def foreign_error(litellm: Any, error: Exception, *, model: str, provider: str) -> Exception:
    """Return an error of LiteLLM's with the status of an error, which the caller makes its cause.

    Args:
        litellm: The installed package.
        error: One of ours, or what a handler raised of LiteLLM's own, which stays itself.
        model: The model's name.
        provider: The provider's name in LiteLLM.
    """
    if isinstance(error, tuple(litellm.LITELLM_EXCEPTION_TYPES)):
        return error
    own = error if isinstance(error, ModelportError) else error_of_status(500, f"{type(error).__name__}: {error}")
    status = own.status_code
    facts: dict[str, Any] = {"message": str(own), "model": model, "llm_provider": provider}
    name = next((name for kind, name in _MORE_EXACTLY.items() if isinstance(own, kind)), _CLASS_OF_STATUS.get(status))
    if name is None:
        return litellm.exceptions.APIError(status_code=status, **facts)
    if name == "Timeout":
        return litellm.exceptions.Timeout(**facts, exception_status_code=status)
    return getattr(litellm.exceptions, name)(**facts, response=_response(own))


def _response(error: ModelportError) -> Any:
    """Return what LiteLLM reads the time to wait from: an answer with that header."""
    import httpx

    wait: Any = getattr(error, "retry_after", None)
    headers = {"retry-after": f"{wait:g}"} if isinstance(wait, (int, float)) else {}
    request = httpx.Request("POST", "http://modelport/v1")
    return httpx.Response(error.status_code, headers=headers, request=request)
