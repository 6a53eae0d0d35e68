"""Guarantee 2, parity: the same request gets the same text, however it is made."""

from __future__ import annotations

from typing import Any

from modelport.testing.checks import check, check_each_way, expect_equal
from modelport.testing.conditions import called_directly, deterministic, is_chat
from modelport.testing.gates import patiently
from modelport.testing.subject import Subject
from modelport.testing.ways import BATCHES, GENERATES, WAYS, batch_by, generate_by, text_of
from modelport.values.prompt_values import StringPromptValue

SOURCE = "modelport guarantee 2 (parity)"
MEND = "make every hook answer alike, or say `deterministic = False`"


@check_each_way(
    "parity:{way}:same-text", source=SOURCE, ways=[way for way in WAYS if way != "invoke"], applies=[deterministic]
)
async def same_text(subject: Subject, way: str) -> None:
    """`{way}` gives the text that `invoke` gives."""
    model, face = subject.reference(), subject.face_of(subject.fresh())
    for prompt in subject.prompts:
        async with patiently(f"`{way}`"):
            expected = await WAYS["invoke"].text(model, prompt)
            expect_equal(await WAYS[way].text(face, prompt), expected, f"the text of `{way}`", MEND)


@check_each_way("parity:{way}:in-company", source=SOURCE, ways=BATCHES, applies=[deterministic])
async def in_company(subject: Subject, way: str) -> None:
    """One request gets the same answer alone and among others in `{way}`."""
    one, many = (subject.face_of(subject.fresh()) for _ in range(2))
    async with patiently(f"`{way}`"):
        together = await batch_by(way, many, subject.prompts)
        alone = [await WAYS["invoke"].text(one, prompt) for prompt in subject.prompts]
    expect_equal([text_of(one) for one in together], alone, f"what `{way}` gives", MEND)


@check_each_way("parity:{way}:same-text", source=SOURCE, ways=GENERATES, applies=[called_directly, deterministic])
async def generations(subject: Subject, way: str) -> None:
    """`{way}` gives the texts that `invoke` gives, one list of choices for each prompt."""
    one, many = subject.fresh(), subject.fresh()
    async with patiently(f"`{way}`"):
        result = await generate_by(way, many, subject.prompts)
        alone = [[await WAYS["invoke"].text(one, prompt)] for prompt in subject.prompts]
    found = [[text_of(choice) for choice in choices] for choices in result.generations]
    expect_equal(found, alone, f"what `{way}` gives", MEND)


@check("parity:invoke:prompt-value", source=SOURCE)
async def prompt_value(subject: Subject) -> None:
    """A prompt value reaches the hook as the text that it holds would."""
    arguments = [await _argument(subject, value) for value in ("hello", StringPromptValue("hello"))]
    expect_equal(arguments[1], arguments[0], "what the hook was given")


async def _argument(subject: Subject, value: Any) -> Any:
    """Return what the hook is given for a value."""
    probe = subject.probe()
    async with patiently("`invoke`"):
        await WAYS["invoke"].text(probe.face, value)
    return probe.calls[0].argument


@check("parity:invoke:message-forms", source=SOURCE, applies=[is_chat])
async def message_forms(subject: Subject) -> None:
    """A text, a (role, text) pair and an OpenAI dict reach the hook as the same message."""
    forms: list[Any] = ["hello", [("human", "hello")], [{"role": "user", "content": "hello"}]]
    arguments = [await _argument(subject, value) for value in forms]
    expect_equal(arguments, [arguments[0]] * 3, "what the hook was given")
