"""LiteLLM's `litellm.exceptions`: the very classes that the SDK raises, so `except litellm.RateLimitError` works.

Some are broader than LiteLLM's: `APIError` is the base of all that have a status.
"""

from __future__ import annotations

from typing import Any

from modelport.integrations.litellm.names import also_offered
from modelport.values.errors import KeywordError, ModelNotFoundError, ModelportError
from modelport.values.status_errors import (
    APIStatusError,
    AuthenticationError,
    BadGatewayError,
    BadRequestError,
    ConflictError,
    ContentPolicyViolationError,
    ContentTooLargeError,
    ContextWindowExceededError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    Timeout,
    UnavailableError,
    UnprocessableEntityError,
)
from modelport.wire.received import BadResponseError

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIResponseValidationError",
    "AuthenticationError",
    "BadGatewayError",
    "BadRequestError",
    "BudgetExceededError",
    "ConflictError",
    "ContentPolicyViolationError",
    "ContentTooLargeError",
    "ContextWindowExceededError",
    "ImageFetchError",
    "InternalServerError",
    "InvalidRequestError",
    "JSONSchemaValidationError",
    "LITELLM_EXCEPTION_TYPES",
    "LiteLLMUnknownProvider",
    "MidStreamFallbackError",
    "MockException",
    "NotFoundError",
    "OpenAIError",
    "PermissionDeniedError",
    "RateLimitError",
    "RejectedRequestError",
    "ServiceUnavailableError",
    "Timeout",
    "UnprocessableEntityError",
    "UnsupportedParamsError",
]

OpenAIError = ModelportError
"""Everything that modelport raises."""
APIError = APIStatusError
"""Everything that has a status."""
MockException = APIStatusError
"""The same: what a mock raises has a status."""
APIConnectionError = BadGatewayError
"""What a model asks upstream cannot be reached."""
APIResponseValidationError = BadResponseError
"""An upstream's answer is not what it should be."""
ServiceUnavailableError = UnavailableError
"""503."""
InvalidRequestError = BadRequestError
"""400, by its older name."""
UnsupportedParamsError = KeywordError
"""A parameter is one that the model does not take."""
LiteLLMUnknownProvider = ModelNotFoundError
"""No provider has the name."""


class JSONSchemaValidationError(APIStatusError):
    """Says that an answer does not fit the schema that was asked for; raised by handlers."""


class ImageFetchError(BadRequestError):
    """Says that an image cannot be fetched; raised by handlers."""


class MidStreamFallbackError(UnavailableError):
    """Says that a stream broke off; raised by handlers."""


class RejectedRequestError(BadRequestError):
    """Says that a hook refuses a request; raised by handlers."""


class BudgetExceededError(RateLimitError):
    """Says that a budget is spent; raised by handlers."""

    def __init__(self, current_cost: float, max_budget: float, message: str | None = None) -> None:
        super().__init__(message or f"the budget of {max_budget} is exceeded: {current_cost} is spent")
        self.current_cost = current_cost
        """What was spent."""
        self.max_budget = max_budget
        """What may be spent."""


LITELLM_EXCEPTION_TYPES: list[type[ModelportError]] = [
    AuthenticationError,
    NotFoundError,
    BadRequestError,
    UnprocessableEntityError,
    UnsupportedParamsError,
    Timeout,
    PermissionDeniedError,
    RateLimitError,
    ContextWindowExceededError,
    RejectedRequestError,
    ContentPolicyViolationError,
    InternalServerError,
    ServiceUnavailableError,
    BadGatewayError,
    APIError,
    APIResponseValidationError,
    JSONSchemaValidationError,
    OpenAIError,
    BudgetExceededError,
]
"""All of them."""


def __getattr__(name: str) -> Any:
    return also_offered(__name__, name)
