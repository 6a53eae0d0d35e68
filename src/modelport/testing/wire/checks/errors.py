"""What is refused: with which status, and as which object."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from modelport.testing.checks import NotApplicable, expect
from modelport.testing.wire.answers import Answer
from modelport.testing.wire.asking import OMIT, Chat
from modelport.testing.wire.judging import SPEC, error_of, expect_error_object, expect_refused
from modelport.testing.wire.registry import add_check, wire_check
from modelport.testing.wire.server import Server

OBJECT = f"{SPEC.format('Error.required')}; vllm-project/vllm#12886; ray-project/ray#64833"
REQUEST = SPEC.format("CreateChatCompletionRequest")
UNKNOWN = "no-such-model-0"
DEEP = 20_000


class Case(msgspec.Struct, frozen=True):
    """Is one wrong request."""

    name: str
    """The middle of its checks' ids."""
    sentence: str
    """What holds of its status."""
    source: str
    """Where that is said."""
    ask: Callable[[Server], Awaitable[Answer]]
    """Sends it."""
    statuses: Sequence[int] = (400,)
    """How it is refused."""
    with_object: bool = False
    """Whether a check of its own looks at the error object."""


def _chat(**fields: Any) -> Callable[[Server], Awaitable[Answer]]:
    async def ask(server: Server) -> Answer:
        return await Chat(server).ask(**fields)

    return ask


def _raw(body: bytes) -> Callable[[Server], Awaitable[Answer]]:
    async def ask(server: Server) -> Answer:
        await Chat(server).right_body()
        return await server.ask("POST", Chat.path, body)

    return ask


def _route(method: str, path: str) -> Callable[[Server], Awaitable[Answer]]:
    async def ask(server: Server) -> Answer:
        await Chat(server).right_body()
        return await server.ask(method, path, {} if method == "POST" else None)

    return ask


CASES = (
    Case(
        "unknown-model",
        "A model that is not there is a 404.",
        "OpenAI: model_not_found; ray-project/ray#64833",
        _chat(model=UNKNOWN),
        (404,),
        True,
    ),
    Case("no-model", "A request without model is a 400.", f"{REQUEST}.required", _chat(model=OMIT)),
    Case("no-messages", "A request without messages is a 400.", f"{REQUEST}.required", _chat(messages=OMIT)),
    Case("empty-messages", "An empty list of messages is a 400.", f"{REQUEST}.messages.minItems", _chat(messages=[])),
    Case("text-messages", "Messages that are a text are a 400.", f"{REQUEST}.messages", _chat(messages="hello")),
    Case(
        "unknown-role",
        "A message of an unknown role is a 400.",
        SPEC.format("ChatCompletionRequestMessage"),
        _chat(messages=[{"role": "nobody", "content": "hello"}]),
    ),
    Case(
        "no-role",
        "A message without role is a 400.",
        SPEC.format("ChatCompletionRequestMessage"),
        _chat(messages=[{"content": "hello"}]),
    ),
    Case(
        "wrong-type",
        "A temperature that is a text is a 400.",
        f"{REQUEST}.temperature",
        _chat(temperature="hot"),
        with_object=True,
    ),
    Case(
        "temperature-above", "A temperature above 2 is a 400.", f"{REQUEST}.temperature.maximum", _chat(temperature=3)
    ),
    Case("max-tokens-text", "A max_tokens that is a word is a 400.", f"{REQUEST}.max_tokens", _chat(max_tokens="many")),
    Case(
        "stream-text", "A stream that is neither true nor false is a 400.", f"{REQUEST}.stream", _chat(stream="maybe")
    ),
    Case("no-choices", "`n: 0` is a 400.", f"{REQUEST}.n.minimum", _chat(n=0)),
    Case("wrong-stop", "A stop that is a number is a 400.", SPEC.format("StopConfiguration"), _chat(stop=7)),
    Case(
        "bad-json",
        "A body that is no JSON is a 400.",
        "RFC 8259",
        _raw(b'{"model": "x", "messages": ['),
        with_object=True,
    ),
    Case("no-object", "A body that is a JSON list is a 400.", REQUEST, _raw(b"[]")),
    Case("no-body", "A request without body is a 400.", REQUEST, _raw(b"")),
    Case("deep-json", "A body of lists in lists in lists is a 400.", "RFC 8259, 9: bounds of depth", _raw(b"[" * DEEP)),
    Case(
        "unknown-route",
        "A path that is not there is a 404.",
        "RFC 9110, 15.5.5",
        _route("GET", "/no/such/path"),
        (404,),
        True,
    ),
    Case(
        "wrong-method",
        "A method that a path does not have is a 405, or a 404.",
        "RFC 9110, 15.5.6",
        _route("DELETE", "/chat/completions"),
        (405, 404),
        True,
    ),
)
"""The wrong requests, of which each has a check of its status."""


def _register() -> None:
    for case in CASES:

        async def status(server: Server, case: Case = case) -> None:
            expect_refused(await case.ask(server), case.statuses)

        add_check(f"wire-errors:{case.name}:status", case.sentence, case.source, status)
        if case.with_object:

            async def its_object(server: Server, case: Case = case) -> None:
                expect_error_object(await case.ask(server))

            sentence = f"It is refused with the four keys under `error`, as JSON. ({case.sentence})"
            add_check(f"wire-errors:{case.name}:object", sentence, OBJECT, its_object)


_register()


@wire_check("wire-errors:unknown-model:code", source="OpenAI: model_not_found; ray-project/ray#64833")
async def unknown_model_code(server: Server) -> None:
    """The error of a model that is not there has the code `model_not_found`, and its message names the model."""
    error = _refusal(await Chat(server).ask(model=UNKNOWN))
    right = error.get("code") == "model_not_found" and UNKNOWN in str(error.get("message"))
    seen = f"`code` is {error.get('code')!r}, `message` {str(error.get('message'))!r:.100}"
    expect(right, seen, "say `model_not_found`, and which model it is")


@wire_check("wire-errors:wrong-type:param", source=SPEC.format("Error.param"))
async def wrong_type_param(server: Server) -> None:
    """The error of a wrong value names its field in `param`."""
    error = _refusal(await Chat(server).ask(temperature="hot"))
    expect(error.get("param") == "temperature", f"`param` is {error.get('param')!r}", "name the field in `param`")


@wire_check("wire-errors:no-messages:param", source=SPEC.format("Error.param"))
async def no_messages_param(server: Server) -> None:
    """The error of a missing field names it in `param`."""
    error = _refusal(await Chat(server).ask(messages=OMIT))
    expect(error.get("param") == "messages", f"`param` is {error.get('param')!r}", "name the field in `param`")


@wire_check("wire-errors:wrong-type:kind", source="OpenAI: invalid_request_error")
async def wrong_type_kind(server: Server) -> None:
    """The error of a wrong value has the type `invalid_request_error`."""
    error = _refusal(await Chat(server).ask(temperature="hot"))
    kind = error.get("type")
    expect(
        kind == "invalid_request_error", f"`type` is {kind!r}", "say `invalid_request_error` for what the client did"
    )


@wire_check("wire-errors:throttled:retry-after", source="openai/openai-python _base_client.py: retry-after")
async def retry_after(server: Server) -> None:
    """A refusal with 429 says when to come again: Retry-After, or retry-after-ms."""
    if not server.refused:
        raise NotApplicable("nothing was refused with 429")
    without = [one for one in server.refused if not {"retry-after", "retry-after-ms"} & one.headers.keys()]
    expect(not without, f"no Retry-After: {without[0].shown if without else ''}", "send Retry-After with 429")


def _refusal(answer: Answer) -> dict[str, Any]:
    error = error_of(answer)
    if answer.status < 400 or error is None:
        raise NotApplicable(f"it is not refused with an error object: {answer.shown}")
    return error
