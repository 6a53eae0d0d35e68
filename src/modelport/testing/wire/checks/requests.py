"""Right requests that servers refuse, or take for wrong ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from modelport.testing.checks import expect
from modelport.testing.wire.asking import QUESTION, Chat
from modelport.testing.wire.judging import SPEC, expect_taken, expect_taken_or_refused
from modelport.testing.wire.registry import add_check, wire_check
from modelport.testing.wire.server import Server

REQUEST = SPEC.format("CreateChatCompletionRequest")
MESSAGES = SPEC.format("ChatCompletionRequestMessage")
USER = {"role": "user", "content": QUESTION}
PADDING_BYTES = 1_000_000
MANY_WORDS = 60_000

NULLABLE = (
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "n",
    "presence_penalty",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
)

_TAKEN: Sequence[tuple[str, str, str, dict[str, Any], str]] = (
    (
        "options",
        "The usual options (top_p, penalties, seed, user) are taken.",
        REQUEST,
        {"top_p": 1, "presence_penalty": 0, "frequency_penalty": 0, "seed": 1, "user": "somebody"},
        "take the options of OpenAI's schema, also those that change nothing",
    ),
    (
        "text-parts",
        "A message's content may be a list of text parts.",
        f"{MESSAGES}; ray-project/ray#52934",
        {"messages": [{"role": "user", "content": [{"type": "text", "text": QUESTION}]}]},
        "join the texts of the parts",
    ),
    (
        "system-role",
        "A system message may come first.",
        MESSAGES,
        {"messages": [{"role": "system", "content": "Be brief."}, USER]},
        "take the role `system`",
    ),
    (
        "developer-role",
        "A message may have the role `developer`.",
        f"{MESSAGES}; ray-project/ray#52934",
        {"messages": [{"role": "developer", "content": "Be brief."}, USER]},
        "take `developer` as `system`",
    ),
    (
        "history",
        "Messages may be a conversation of several turns.",
        MESSAGES,
        {"messages": [USER, {"role": "assistant", "content": "one two"}, USER]},
        "take the roles user and assistant in turn",
    ),
    (
        "names",
        "A message may have the name of who says it.",
        MESSAGES,
        {"messages": [{**USER, "name": "somebody"}]},
        "take `name`, or leave it aside",
    ),
    (
        "temperature-bounds",
        "The temperatures 0 and 2 are in bounds.",
        f"{REQUEST}.temperature",
        {"temperature": 2},
        "take temperatures from 0 to 2",
    ),
    (
        "text-format",
        'A response_format of {"type": "text"} is taken.',
        SPEC.format("ResponseFormatText"),
        {"response_format": {"type": "text"}},
        "take it: it is the default",
    ),
)

_TAKEN_OR_REFUSED: Sequence[tuple[str, str, str, dict[str, Any]]] = (
    (
        "unknown-field",
        "A field that nobody knows is left aside, or refused with an error object; it is no failure.",
        "ray-project/ray#52934; client libraries send vendors' fields",
        {"x_no_such_field": {"a": 1}},
    ),
    (
        "functions",
        "The older `functions` are taken, or refused with an error object; they are no failure.",
        f"{REQUEST}.functions (deprecated)",
        {
            "functions": [{"name": "now", "parameters": {"type": "object", "properties": {}}}],
            "function_call": "auto",
        },
    ),
    (
        "logprobs",
        "`logprobs: true` without top_logprobs is taken, or refused with an error object.",
        "vllm-project/vllm#3179, #4795",
        {"logprobs": True},
    ),
    (
        "integral-floats",
        "A whole number that is written as a float is taken, or refused with an error object; it is no failure.",
        "JSON Schema: 1.0 is an integer",
        {"n": 1.0},
    ),
    (
        "huge-number",
        "A number of many digits is taken, or refused with an error object; it is no failure.",
        "JSON has no bound for numbers",
        {"seed": 10**30},
    ),
    (
        "long-question",
        "A very long question is answered, or refused with an error object; it is no failure.",
        "OpenAI: context_length_exceeded is a 400",
        {"messages": [{"role": "user", "content": "word " * MANY_WORDS}]},
    ),
)


def _register_taken() -> None:
    for variant, sentence, source, fields, mend in _TAKEN:

        async def run(server: Server, fields: dict[str, Any] = fields, mend: str = mend, what: str = variant) -> None:
            chat = Chat(server)
            await chat.whole()
            expect_taken(await chat.ask(**fields), what, mend)

        add_check(f"wire-request:chat:{variant}", sentence, source, run)
    for variant, sentence, source, fields in _TAKEN_OR_REFUSED:

        async def run_either(server: Server, fields: dict[str, Any] = fields, what: str = variant) -> None:
            chat = Chat(server)
            await chat.whole()
            mend = "take it, leave it aside, or refuse it with 400 and an error object"
            expect_taken_or_refused(await chat.ask(**fields), what, mend)

        add_check(f"wire-request:chat:{variant}", sentence, source, run_either)


_register_taken()


@wire_check("wire-request:chat:nulls", source=f"{REQUEST} (nullable options)")
async def nulls(server: Server) -> None:
    """Options that OpenAI's schema lets be null may be null: that means they are not given."""
    chat = Chat(server)
    await chat.whole()
    answer = await chat.ask(**dict.fromkeys(NULLABLE))
    if answer.status == 200:
        return
    refused = [name for name in NULLABLE if (await chat.ask(**{name: None})).status != 200]
    expect_taken(answer, f"null as {', '.join(refused) or 'all of them'}", "read null as if the option were absent")


@wire_check("wire-request:stream:null-options", source=SPEC.format("ChatCompletionStreamOptions (nullable)"))
async def null_stream_options(server: Server) -> None:
    """A stream may have `stream_options: null`."""
    chat = Chat(server)
    await chat.streamed()
    answer = await chat.stream(stream_options=None)
    expect_taken(answer, "stream_options is null", "read null as if the option were absent")
    expect(answer.chunks, f"no chunks: {answer.shown}", "read null as if the option were absent")


@wire_check("wire-request:body:padding", source="RFC 8259, 2: insignificant white space")
async def padding(server: Server) -> None:
    """A body with a megabyte of white space is read as one without, or refused with an error object."""
    chat = Chat(server)
    await chat.whole()
    body = json.dumps(await chat.body()).encode()
    answer = await server.ask("POST", chat.path, b"{" + b" " * PADDING_BYTES + body[1:])
    expect_taken_or_refused(answer, "a megabyte of white space", "read bodies of a megabyte, or refuse them with 413")


@wire_check("wire-request:body:charset", source="RFC 9110, 8.3.1: parameters of a media type")
async def charset(server: Server) -> None:
    """The content-type may have a charset, and any case."""
    chat = Chat(server)
    await chat.whole()
    headers = {"content-type": "Application/JSON; charset=UTF-8"}
    answer = await server.ask("POST", chat.path, await chat.body(), headers=headers)
    expect_taken(answer, f"content-type {headers['content-type']!r}", "compare media types without case and parameters")


@wire_check("wire-request:body:other-type", source="curl -d sends application/x-www-form-urlencoded unless told")
async def other_type(server: Server) -> None:
    """JSON under another content-type is taken, or refused with an error object; it is no failure."""
    chat = Chat(server)
    await chat.whole()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await server.ask("POST", chat.path, await chat.body(), headers=headers)
    expect_taken_or_refused(answer, "content-type of a form", "read the JSON, or refuse it with 400 or 415")
