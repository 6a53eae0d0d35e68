"""What only /completions has: prompts that are lists."""

from __future__ import annotations

from modelport.testing.checks import expect
from modelport.testing.wire.answers import choices_of
from modelport.testing.wire.asking import OMIT, QUESTION, Completions
from modelport.testing.wire.judging import SPEC, expect_refused, expect_taken, expect_taken_or_refused
from modelport.testing.wire.registry import wire_check
from modelport.testing.wire.server import Server

SOURCE = SPEC.format("CreateCompletionRequest.prompt")


@wire_check("wire-text:prompts:choice-each", source=SOURCE)
async def choice_each(server: Server) -> None:
    """A list of two prompts has a choice for each, with indexes 0 and 1."""
    asked = Completions(server)
    await asked.whole()
    answer = await asked.ask(prompt=[QUESTION, "Repeat: eleven twelve"])
    mend = "answer each prompt of a list with a choice"
    expect_taken(answer, "a list of two prompts", mend)
    indexes = [one.get("index") for one in choices_of(answer.json)]
    expect(sorted(map(str, indexes)) == ["0", "1"], f"the choices' indexes are {indexes}", mend)


@wire_check("wire-text:prompts:list-of-one", source=SOURCE)
async def list_of_one(server: Server) -> None:
    """A list of one prompt is answered as the prompt."""
    asked = Completions(server)
    await asked.whole()
    answer = await asked.ask(prompt=[QUESTION])
    expect_taken(answer, "a list of one prompt", "take a list of texts")
    count = len(choices_of(answer.json))
    expect(count == 1, f"{count} choices for one prompt", "answer each prompt of a list with a choice")


@wire_check("wire-text:prompts:token-ids", source=SOURCE)
async def token_ids(server: Server) -> None:
    """A prompt of token ids is answered, or refused with an error object."""
    asked = Completions(server)
    await asked.whole()
    answer = await asked.ask(prompt=[1, 2, 3])
    expect_taken_or_refused(answer, "a prompt of token ids", "take token ids, or refuse them with 400")


@wire_check("wire-text:prompts:missing", source=SPEC.format("CreateCompletionRequest.required"))
async def missing(server: Server) -> None:
    """A request without prompt is a 400, or answered as OpenAI's own default; it is no failure."""
    asked = Completions(server)
    await asked.whole()
    answer = await asked.ask(prompt=OMIT)
    if answer.status != 200:
        expect_refused(answer)
