"""Many requests at once, and clients that leave."""

from __future__ import annotations

import asyncio
from typing import Any

from modelport.testing.checks import expect
from modelport.testing.wire.answers import Answer, Streamed, text_of
from modelport.testing.wire.asking import Generation
from modelport.testing.wire.judging import expect_taken
from modelport.testing.wire.registry import generation_check

AT_ONCE = 8
WORDS = ("amber", "basil", "cedar", "daisy", "ember", "fjord", "grape", "hazel")
SOURCE = "OpenAI-compatible clients send requests side by side"
LEFT = "BerriAI/litellm#17364; Lightning-AI/LitServe 0.2.19: no handling of clients that leave"
OWN_MEND = "keep nothing of one request where another can see it"


@generation_check("wire-load:{endpoint}:at-once", source=SOURCE)
async def at_once(asked: Generation) -> None:
    """Eight requests at once to {path} are all answered, each with a text of its own."""
    await asked.whole()
    answers = await _all(*(asked.ask(**asked.asking(_question(word))) for word in WORDS))
    for answer in answers:
        expect_taken(answer, "one of eight requests at once", "queue what cannot run at once")
    _expect_own([text_of(answer.json) or "" for answer in answers])


@generation_check("wire-load:{endpoint}:streams-at-once", source=SOURCE)
async def streams_at_once(asked: Generation) -> None:
    """Eight streams at once of {path} all come to their end, each with an id and a text of its own."""
    await asked.streamed()
    answers: list[Streamed] = await _all(*(asked.stream(**asked.asking(_question(word))) for word in WORDS))
    seen: set[str] = set()
    for answer in answers:
        expect_taken(answer, "one of eight streams at once", "queue what cannot run at once")
        ids = {str(one.get("id")) for one in answer.chunks}
        expect(not ids & seen, f"two of eight streams have the id {sorted(ids & seen)[:1]}", OWN_MEND)
        seen |= ids
        expect(answer.reasons(), f"one of eight streams has no end: {answer.text[-120:]!r}", "end every stream")
    _expect_own([answer.joined() for answer in answers])


@generation_check("wire-load:{endpoint}:leaving-a-stream", source=LEFT)
async def leaving_a_stream(asked: Generation) -> None:
    """After clients left in the middle of streams of {path}, the next request is answered."""
    await asked.streamed()
    body = await asked.body(stream=True)
    await _all(*(asked.server.leave(asked.path, body, after_data=True) for _ in range(AT_ONCE // 2)))
    expect_taken(await asked.ask(), "the request after four that left", "end the work of clients that left")


@generation_check("wire-load:{endpoint}:leaving-an-answer", source=LEFT)
async def leaving_an_answer(asked: Generation) -> None:
    """After clients left before the answer of {path}, the next request is answered."""
    await asked.whole()
    body = await asked.body()
    await _all(*(asked.server.leave(asked.path, body, after_data=False) for _ in range(AT_ONCE // 2)))
    expect_taken(await asked.ask(), "the request after four that left", "end the work of clients that left")


def _question(word: str) -> str:
    return f"Repeat this word three times: {word} {word} {word}"


def _expect_own(texts: list[str]) -> None:
    for word, text in zip(WORDS, texts, strict=True):
        others = [one for one in WORDS if one != word and one in text.lower()]
        # A model that lists words of its own may say one of these; a word that is asked for alone is another's answer.
        expect(not others or word in text.lower(), f"who asked for {word!r} is answered {text!r:.100}", OWN_MEND)


async def _all(*asked: Any) -> list[Any]:
    """Await all, and only then raise the first failure."""
    answers: list[Answer | BaseException] = await asyncio.gather(*asked, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers
