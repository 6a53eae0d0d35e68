"""Limits of length."""

from __future__ import annotations

from modelport.testing.checks import NotApplicable, expect
from modelport.testing.wire.answers import Answer, Streamed, choices_of, object_of, text_of
from modelport.testing.wire.asking import OMIT, Chat, Generation
from modelport.testing.wire.judging import SPEC, expect_taken
from modelport.testing.wire.registry import generation_check, wire_check
from modelport.testing.wire.server import Server

LIMIT = SPEC.format("CreateChatCompletionRequest.max_tokens")
LIMIT_MEND = "end the answer at max_tokens, with finish_reason `length`"


@generation_check("wire-limit:{endpoint}:max-tokens", source=f"{LIMIT}; ollama/ollama#7125")
async def max_tokens(asked: Generation) -> None:
    """max_tokens cuts a whole answer of {path}."""
    text = await _long_text(asked)
    _expect_shorter(await asked.ask(max_tokens=2), text)


@generation_check("wire-limit:{endpoint}:reason", source=LIMIT)
async def limit_reason(asked: Generation) -> None:
    """A whole answer of {path} that max_tokens cut has finish_reason `length`."""
    text = await _long_text(asked)
    answer = await asked.ask(max_tokens=2)
    if len(text_of(answer.json) or text) >= len(text):
        raise NotApplicable(f"max_tokens cuts nothing: {answer.shown}")
    reasons = [one.get("finish_reason") for one in choices_of(answer.json)]
    expect(reasons[:1] == ["length"], f"finish_reason is {reasons!r}", "say `length` when max_tokens ended the answer")


@generation_check("wire-limit:{endpoint}:stream", source=LIMIT)
async def limit_stream(asked: Generation) -> None:
    """max_tokens cuts a stream of {path}, whose last chunk says `length`."""
    text = await _long_text(asked)
    await asked.streamed()
    answer = await asked.stream(max_tokens=2)
    _expect_shorter(answer, text)
    expect(answer.reasons() == ["length"], f"finish_reason is {answer.reasons()!r}", LIMIT_MEND)


@wire_check(
    "wire-limit:chat:max-completion-tokens",
    source="openai/openai-openapi: max_completion_tokens; huggingface/text-generation-inference#2844",
)
async def max_completion_tokens(server: Server) -> None:
    """max_completion_tokens cuts a chat as max_tokens does."""
    text = await _long_text(Chat(server))
    _expect_shorter(await Chat(server).ask(max_tokens=OMIT, max_completion_tokens=2), text)


@generation_check("wire-limit:{endpoint}:counted", source=SPEC.format("CompletionUsage"))
async def limit_counted(asked: Generation) -> None:
    """The usage of an answer of {path} that max_tokens cut counts no more tokens than were allowed."""
    text = await _long_text(asked)
    answer = await asked.ask(max_tokens=2)
    if len(text_of(answer.json) or text) >= len(text):
        raise NotApplicable(f"max_tokens cuts nothing: {answer.shown}")
    count = (object_of(answer.object.get("usage")) or {}).get("completion_tokens")
    if not isinstance(count, int):
        raise NotApplicable("tokens are not counted")
    expect(count <= 2, f"max_tokens is 2, completion_tokens is {count}", "count the tokens that are in the answer")


async def _long_text(asked: Generation) -> str:
    await asked.whole()
    text = await asked.text()
    if len(text.split()) < 6:
        raise NotApplicable(f"the usual question's answer is too short to cut: {text!r:.80}")
    return text


def _expect_shorter(answer: Answer, text: str) -> None:
    expect_taken(answer, "a limit of 2 tokens", LIMIT_MEND)
    said = answer.joined() if isinstance(answer, Streamed) else text_of(answer.json) or ""
    shorter = len(said) < len(text)
    expect(shorter, f"a limit of 2 tokens gives all {len(text.split())} words of {said!r:.100}", LIMIT_MEND)
