"""The whole answer of /chat/completions and of /completions."""

from __future__ import annotations

import time
from typing import Any

from modelport.testing.checks import expect, expect_equal
from modelport.testing.wire.answers import choices_of, text_of
from modelport.testing.wire.asking import Chat, Completions, Generation, expect_named_model
from modelport.testing.wire.judging import SPEC, expect_shape, mend_at_the_door
from modelport.testing.wire.registry import add_check, generation_check, wire_check
from modelport.testing.wire.server import Server

SOURCES = {
    "chat": SPEC.format("CreateChatCompletionResponse"),
    "text": SPEC.format("CreateCompletionResponse"),
}
SCHEMAS = {"chat": "CreateChatCompletionResponse", "text": "CreateCompletionResponse"}
SPECS = SPEC.format("CreateChatCompletionResponse, CreateCompletionResponse")
A_DAY_SECONDS = 86_400


@wire_check("wire-chat:whole:answers", source=SPEC.format("createChatCompletion"))
async def chat_answers(server: Server) -> None:
    """A right chat request is answered with 200 and a choice that has a message with a text."""
    await expect_named_model(server)
    answer = await Chat(server).first_answer()
    mend = "serve POST /v1/chat/completions with model and messages"
    expect(answer.status == 200, answer.shown, mend_at_the_door(answer, mend))
    expect(choices_of(answer.object), f"{answer.shown}: no choices", mend)
    expect(text_of(answer.json) is not None, f"{answer.shown}: no text at choices[0].message.content", mend)


@wire_check("wire-text:whole:answers", source=SPEC.format("createCompletion"))
async def text_answers(server: Server) -> None:
    """A right request to /completions is answered with 200 and a choice that has a text."""
    await Completions(server).right_body()
    answer = await Completions(server).first_answer()
    found = text_of(answer.json) is not None
    expect(found, f"{answer.shown}: no text at choices[0].text", "answer with a choice that has `text`")


@generation_check("wire-{endpoint}:whole:content-type", source=SPECS)
async def content_type(asked: Generation) -> None:
    """A whole answer of {path} is of type application/json."""
    answer = await asked.whole()
    expect_equal(answer.content_type, "application/json", "the content-type", "send `content-type: application/json`")


def _shape_check(kind: Any, variant: str, sentence: str) -> None:
    for asked_kind in (Chat, Completions):
        name = asked_kind.name

        async def run(server: Server, asked_kind: type[Generation] = asked_kind, name: str = name) -> None:
            value = (await asked_kind(server).whole()).json
            expect_shape([value], SCHEMAS[name], kind, but=[".finish_reason"])

        add_check(f"wire-{name}:whole:{variant}", sentence.format(path=asked_kind.path), SOURCES[name], run)


_shape_check("wrong", "types", "All that is in a whole answer of {path} has the type that OpenAI's schema says.")
_shape_check("null", "no-nulls", "A whole answer of {path} has no null where OpenAI's schema allows none.")
_shape_check(
    "absent", "null-keys", "A whole answer of {path} has the keys that OpenAI requires even where they are null."
)


@generation_check("wire-{endpoint}:whole:id", source=SPECS)
async def own_id(asked: Generation) -> None:
    """Every answer of {path} has an id of its own."""
    first = (await asked.whole()).object.get("id")
    second = (await asked.ask()).object.get("id")
    expect(first and first != second, f"two answers have the ids {first!r} and {second!r}", "make an id per answer")


@generation_check("wire-{endpoint}:whole:created", source=SPECS)
async def created(asked: Generation) -> None:
    """`created` of an answer of {path} is the time, in seconds."""
    value = (await asked.whole()).object.get("created")
    off = value - time.time() if isinstance(value, int | float) else None
    expect(off is not None and abs(off) < A_DAY_SECONDS, f"`created` is {value!r}", "give Unix seconds")


@generation_check("wire-{endpoint}:whole:model", source=SPECS)
async def model_named(asked: Generation) -> None:
    """An answer of {path} names the model that gave it."""
    value = (await asked.whole()).object.get("model")
    expect(isinstance(value, str) and value, f"`model` is {value!r}", "name the model")


@generation_check("wire-{endpoint}:whole:one-choice", source=SPECS)
async def one_choice(asked: Generation) -> None:
    """Who asks {path} for one answer gets one choice, of index 0."""
    choices = choices_of((await asked.whole()).json)
    indexes = [one.get("index") for one in choices]
    expect_equal(indexes, [0], "the choices' indexes", "answer with one choice of index 0")


@generation_check("wire-{endpoint}:whole:finish-reason", source="microsoft/foundry-local#423; ollama/ollama#4357")
async def finish_reason(asked: Generation) -> None:
    """A whole answer of {path} to a plain question ends with `stop` or `length`."""
    reasons = [one.get("finish_reason") for one in choices_of((await asked.whole()).json)]
    right = all(reason in ("stop", "length") for reason in reasons)
    expect(right, f"finish_reason is {reasons!r}", 'say "stop", or "length" when max_tokens cut the answer')
