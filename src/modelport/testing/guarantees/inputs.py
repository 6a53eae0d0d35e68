"""Input: empty and huge prompts and all sorts of characters reach the hook as they are, and so does what it answers."""

from __future__ import annotations

from typing import Any

from modelport.testing.checks import NotApplicable, check_each_way, expect, expect_equal
from modelport.testing.gates import patiently
from modelport.testing.probe import Probe
from modelport.testing.subject import Subject
from modelport.testing.ways import SINGLES, WAYS
from modelport.values.errors import HookError

SOURCE = "modelport contract, input: prompts reach the hook as they were given"
HUGE_CHARACTERS = 1_000_000
"""How long a huge prompt is, and a huge answer."""
_ODD = (
    "\x00\x1b[31m\u200b\u2028\ufeff",
    "\r\n\t  ",
    "👩‍👩‍👧‍👦 e\u0301 \u202etxet",
    "{unknown} {{}} %s \\n <|im_start|>",
)


async def _expect_given(subject: Subject, way: str, value: str) -> None:
    """Fail unless a text reaches the hook whole and the hook's answer comes back."""
    probe = subject.probe()
    probe.script = ["an answer"]
    async with patiently(f"`{way}`"):
        text = await WAYS[way].text(probe.face, value)
    expect_equal(text, "an answer", "the answer")
    expect_equal(_arguments(probe)[0], probe.model.argument_of(value), "what the hook was given")


def _arguments(probe: Probe) -> list[Any]:
    return [one for call in probe.calls for one in (call.argument if call.hook.is_batch else [call.argument])]


@check_each_way("input:{way}:empty", source=SOURCE)
async def empty(subject: Subject, way: str) -> None:
    """An empty prompt reaches the hook by `{way}` like any other: nothing in between finds it wrong."""
    await _expect_given(subject, way, "")


@check_each_way("input:{way}:empty-answered", source=SOURCE)
async def empty_answered(subject: Subject, way: str) -> None:
    """The author's own hook answers an empty prompt by `{way}`, or raises an exception of its own that says why not."""
    probe = subject.probe()
    try:
        async with patiently(f"`{way}` with an empty prompt"):
            await WAYS[way].results(probe.face, "")
    except HookError as error:
        if not any(call.given for call in probe.calls):
            raise NotApplicable(f"the hook gives nothing for an empty prompt, and is told so: {error}") from None
        raise
    except Exception as error:
        if not any(call.error is error for call in probe.calls):
            raise
        expect(str(error), f"the hook raised {error!r} without a word", "say in the exception what a prompt must have")
        raise NotApplicable(f"the hook refuses an empty prompt: {error}") from None


@check_each_way("input:{way}:huge", source=SOURCE)
async def huge(subject: Subject, way: str) -> None:
    """A prompt of a million characters reaches the hook whole by `{way}`."""
    await _expect_given(subject, way, "0123456789" * (HUGE_CHARACTERS // 10))


@check_each_way("input:{way}:odd-characters", source=SOURCE, ways=SINGLES)
async def odd_characters(subject: Subject, way: str) -> None:
    """Control characters, blanks, joined emoji and template signs in a prompt reach the hook untouched by `{way}`."""
    for value in _ODD:
        await _expect_given(subject, way, value)


@check_each_way("input:{way}:huge-answer", source=SOURCE)
async def huge_answer(subject: Subject, way: str) -> None:
    """An answer of a million characters in one piece comes whole by `{way}`."""
    probe, answer = subject.probe(), "0123456789" * (HUGE_CHARACTERS // 10)
    probe.script = [answer]
    async with patiently(f"`{way}`"):
        text = await WAYS[way].text(probe.face, subject.prompts[0])
    expect(text == answer, f"the answer has {len(text)} characters, not {len(answer)}, or others")


@check_each_way("input:{way}:not-changed", source=SOURCE)
async def not_changed(subject: Subject, way: str) -> None:
    """`{way}` leaves what its caller gave as it was: messages, stop strings and config."""
    probe = subject.probe()
    messages: list[Any] = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}]
    stop, config = ["no such text anywhere"], {"tags": ["one"], "metadata": {"key": "value"}}
    before = repr((messages, stop, config))
    try:
        async with patiently(f"`{way}`"):
            await WAYS[way].results(probe.face, messages, config, stop=stop)
    except Exception as error:
        if not any(call.error is error for call in probe.calls):
            raise
    expect_equal(repr((messages, stop, config)), before, "what the caller gave, afterwards,")
