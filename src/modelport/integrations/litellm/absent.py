"""What LiteLLM has and this stand-in has not: names that can be imported, and say what to use when they are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from modelport.values.errors import ModelportError

INSTEAD: dict[str, str] = {
    "Router": "give fallbacks=[…] and num_retries= to completion(); a gateway's config routes between models",
    "BudgetManager": "there are no prices here; `usage` of an answer has its tokens",
    "Cache": "give cache= to register(), or to the model",
    "enable_cache": "give cache= to register(), or to the model",
    "batch_completion": "call batch() of the model, or completion() for each",
    "batch_completion_models": "call completion() for each model, or give fallbacks=[…]",
    "abatch_completion_models": "call acompletion() for each model, or give fallbacks=[…]",
    "completion_cost": "there are no prices here; `usage` of an answer has its tokens",
    "cost_per_token": "there are no prices here; `usage` of an answer has its tokens",
    "completion_with_retries": "give num_retries= to completion()",
    "acompletion_with_retries": "give num_retries= to acompletion()",
    "encode": "token_counter() counts tokens; a model's own tokenizer is its own",
    "decode": "a model's own tokenizer is its own",
    "get_max_tokens": "there is no list of models here; the model's author knows",
    "get_model_info": "there is no list of models here; the model's author knows",
    "register_model": "there are no prices here; write into litellm.model_cost if other code reads them there",
    "supports_function_calling": "a model's class says so in its `supports`",
    "supports_response_schema": "a model's class says so in its `supports`",
    "supports_vision": "the model's author knows",
    "moderation": "there are no moderation models here",
    "amoderation": "there are no moderation models here",
    "transcription": "there are no audio models here",
    "atranscription": "there are no audio models here",
    "speech": "there are no audio models here",
    "aspeech": "there are no audio models here",
    "responses": "call completion()",
    "aresponses": "call acompletion()",
}
"""What to use instead of a name."""


class NotOfferedError(ModelportError, NotImplementedError):
    """Says that something of LiteLLM is not offered here, and what to use instead."""

    status_code = 501
    code = "not_offered"


def not_offered(name: str) -> NotOfferedError:
    """Return the error for the use of a name."""
    return NotOfferedError(f"litellm.{name} is not offered by modelport's stand-in for LiteLLM; {INSTEAD[name]}")


def function_in_place_of(name: str) -> Callable[..., Any]:
    """Return a function that raises `NotOfferedError` when it is called."""

    def absent(*_: Any, **__: Any) -> NoReturn:
        raise not_offered(name)

    absent.__name__ = absent.__qualname__ = name
    absent.__doc__ = f"Is not offered: {INSTEAD[name]}."
    return absent


class _Absent:
    """Is a class that cannot be instantiated."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise not_offered(type(self).__name__)


class Router(_Absent):
    """Is not offered: routing between models is the gateway's."""


class BudgetManager(_Absent):
    """Is not offered: there are no prices here."""


class Cache(_Absent):
    """Is not offered: a cache is a model's."""
