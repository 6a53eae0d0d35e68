"""What `POST /completions` takes, OpenAI's older way to ask: prompts that are texts, not messages."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from modelport.values.errors import InputError
from modelport.wire.checks import checked
from modelport.wire.json_text import decode_object, encode_json
from modelport.wire.request_fields import (
    Choices,
    Input,
    Penalty,
    Probability,
    Seed,
    Stop,
    StreamOptions,
    Temperature,
    Text,
    Tokens,
    given_fields,
    input_as_given,
    input_list,
    stop_list,
)


class TextBody(msgspec.Struct):
    """Says what type and bounds the known fields have; the schema is OpenAI's `CreateCompletionRequest`."""

    model: Text
    prompt: Any
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Choices = 1
    best_of: Annotated[int, Meta(ge=0, le=20)] | None = None
    stop: Stop = None
    max_tokens: Tokens | None = None
    echo: bool = False
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None
    suffix: str | None = None
    temperature: Temperature | None = None
    top_p: Probability | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    seed: Seed | None = None
    logit_bias: dict[str, int | float] | None = None
    user: str | None = None


_OURS = frozenset(
    {"model", "prompt", "stream", "stream_options", "n", "best_of", "stop", "max_tokens", "echo", "logprobs"}
)


class TextRequest(msgspec.Struct, frozen=True):
    """Is a checked text completion request."""

    model: str
    """The name that the client asks for, and that the answer carries."""
    prompts: Input
    """At least one text, or the token ids of at least one."""
    stream: bool = False
    """Whether the answer comes piece by piece."""
    include_usage: bool = False
    """Whether a stream ends with a chunk that carries the usage."""
    n: int = 1
    """How many choices are wanted for each prompt."""
    stop: list[str] | None = None
    """Where to stop; None: nowhere."""
    max_tokens: int | None = None
    """The longest answer, in tokens; None: the model's own bound, not the 16 that OpenAI's models have."""
    echo: bool = False
    """Whether each choice begins with its prompt."""
    logprobs: int | None = None
    """How many alternatives of each token are wanted; None: no log probabilities."""
    options: dict[str, Any] = {}
    """All other fields that are not null, for the hook; `logprobs` is there as chat requests have it."""
    given: dict[str, Any] = {}
    """All fields that are not null, as they came: for a handler."""


def decode_text_request(raw: bytes) -> TextRequest:
    """Return the request in a body; null counts as absent, unknown fields are kept in `options`.

    Raises:
        InputError: The body is no JSON object, or a field is missing, of the wrong type, out of bounds, or asks for
            the best of more answers than it wants.
    """
    body = given_fields(decode_object(raw))
    known = checked(body, TextBody)
    if known.best_of is not None and known.best_of != known.n:
        raise InputError(
            f"'best_of': answers are not ranked here; leave it out or let it be n ({known.n}), got {known.best_of}",
            param="best_of",
        )
    options = {name: value for name, value in body.items() if name not in _OURS}
    if known.logprobs is not None:
        options.update({"logprobs": True, "top_logprobs": known.logprobs})
    return TextRequest(
        model=known.model,
        prompts=input_list(known.prompt, "prompt"),
        stream=known.stream,
        include_usage=known.stream_options is not None and known.stream_options.include_usage is True,
        n=known.n,
        stop=stop_list(known.stop),
        max_tokens=known.max_tokens,
        echo=known.echo,
        logprobs=known.logprobs,
        options=options,
        given=body,
    )


def encode_text_request(request: TextRequest) -> bytes:
    """Return the body that asks another server for the same; what has OpenAI's default is left out.

    `max_tokens` stays out when nobody set it, which for OpenAI's own models means 16.
    """
    asked = {name: value for name, value in request.options.items() if name not in ("logprobs", "top_logprobs")}
    body: dict[str, Any] = {**asked, "model": request.model, "prompt": input_as_given(request.prompts)}
    given = {
        "stream": request.stream or None,
        "stream_options": {"include_usage": True} if request.include_usage else None,
        "n": request.n if request.n != 1 else None,
        "stop": request.stop,
        "max_tokens": request.max_tokens,
        "echo": request.echo or None,
        "logprobs": request.logprobs,
    }
    return encode_json({**body, **given_fields(given)})
