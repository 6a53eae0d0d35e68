"""From whatever a model raises to the one tree of errors: a status, a text without secrets, and the cause."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from modelport.models.scrubbing import Scrubber
from modelport.models.secrets import secrets_in
from modelport.values.errors import ModelportError
from modelport.values.status_errors import error_of_status, status_of

_SECRET_HEADER = re.compile("auth|key|token|secret|cookie", re.IGNORECASE)


def sdk_error(
    error: Exception, model: Any, *, name: str, provider: str, given: Mapping[str, Any] | None = None
) -> ModelportError:
    """Return what the SDK raises for what a model's code raised; one of ours stays itself, unless it tells a secret.

    Args:
        error: What was raised; the caller makes it the cause.
        model: The model, whose secrets are taken out of the text.
        name: The model's name.
        provider: The provider's name.
        given: The caller's keywords, whose secrets are taken out too.
    """
    scrubber = Scrubber(_callers_secrets(given or {})).for_model(model)
    handler = getattr(model, "handler", None)
    if hasattr(handler, "__dict__"):
        own = vars(handler)
        scrubber = scrubber.with_secrets_in([own, *({"secret": one} for one in secrets_in(own))])
    text = _text_of(error)
    if isinstance(error, ModelportError):
        return _without(error, scrubber) if text in scrubber else error
    wait = getattr(error, "retry_after", None)
    return error_of_status(
        status_of(error),
        scrubber.without_traces(text),
        model=name,
        llm_provider=provider,
        retry_after=wait if isinstance(wait, (int, float)) else None,
    )


def _callers_secrets(given: Mapping[str, Any]) -> Iterator[str]:
    """Yield the secrets among a caller's keywords: its key, and what its headers carry."""
    key = given.get("api_key")
    if isinstance(key, str):
        yield key
    yield from secrets_in(key)
    for headers in (given.get("headers"), given.get("extra_headers")):
        for name, value in cast("Mapping[Any, Any]", headers).items() if isinstance(headers, Mapping) else ():
            if isinstance(value, str) and _SECRET_HEADER.search(str(name)):
                yield value
                yield value.rpartition(" ")[2]


def _without(error: ModelportError, scrubber: Scrubber) -> ModelportError:
    """Return an error of ours without the secrets in its text."""
    text = scrubber.without_secrets(_text_of(error))
    try:
        clean = copy.copy(error)
    except Exception:  # noqa: BLE001 - a class that cannot be made of its message
        return error_of_status(error.status_code, text, code=error.code, param=error.param)
    clean.args = (text,)
    if hasattr(clean, "message"):
        clean.message = text  # pyright: ignore[reportAttributeAccessIssue] - of those that have one
    return clean


def _text_of(error: Exception) -> str:
    try:
        text = str(error)
    except Exception as broken:  # noqa: BLE001 - an author's __str__ may fail
        text = f"(its text cannot be read: {type(broken).__name__})"
    if text and hasattr(error, "status_code"):
        return text
    return f"{type(error).__name__}: {text}".removesuffix(": ")
