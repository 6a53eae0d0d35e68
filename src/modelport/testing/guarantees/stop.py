"""Guarantee 3, stop: stop strings are enforced, whatever the hook makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelport.testing.checks import CheckFailure, NotApplicable, check, check_each_way, expect, expect_equal
from modelport.testing.conditions import has_stream
from modelport.testing.gates import patiently
from modelport.testing.probe import HookCall, Probe, RawProbe
from modelport.testing.subject import Subject
from modelport.testing.ways import STREAMS, WAYS
from modelport.values.errors import InputError

SOURCE = "modelport guarantee 3 (stop); custom LLM guide, checklist: does the model respect stop?"
SCRIPT = "one<|im_x|>two<|im_end|>three END four"


def cut(text: str, stop: Sequence[str], *, include: bool) -> str:
    """Return a text up to the stop string that starts first, of those that start together the shortest."""
    for start in range(len(text)):
        found = [string for string in stop if text.startswith(string, start)]
        if found:
            return text[: start + len(min(found, key=len)) if include else start]
    return text


def scripted(subject: Subject, text: str = SCRIPT, size: int = 1) -> Probe:
    """Return a probe that answers a text, in pieces of `size` characters where its hook streams."""
    probe = subject.probe()
    probe.script = [text[start : start + size] for start in range(0, len(text), size)]
    return probe


async def stopped(probe: Probe, way: str, prompt: Any, stop: Any, **kwargs: Any) -> str:
    """Return what a way to call gives with stop strings.

    Raises:
        NotApplicable: The author's hook refuses stop strings by an exception of its own.
    """
    try:
        async with patiently(f"`{way}` with stop={stop!r}"):
            return await WAYS[way].text(probe.face, prompt, stop=stop, **kwargs)
    except Exception as error:
        if any(call.error is error for call in probe.calls):
            if isinstance(probe, RawProbe):
                raise CheckFailure(f"the hook refuses stop strings: {type(error).__name__}: {error}") from None
            raise NotApplicable(f"the hook refuses stop strings: {error}") from None
        raise


@check_each_way("stop:{way}:cut", source=SOURCE)
async def own_answer(subject: Subject, way: str) -> None:
    """`{way}` ends the author's own answer at a stop string, which it includes."""
    sample = await subject.sample(at_least=3)
    middle = len(sample.text) // 2
    stop = [sample.text[middle : middle + 2]]
    probe = subject.probe()
    text = await stopped(probe, way, sample.prompt, stop)
    expected = cut(probe.given_for(sample.prompt), stop, include=True)
    expect_equal(text, expected, f"the answer with stop={stop}")


@check_each_way("stop:{way}:excluded", source=SOURCE)
async def excluded(subject: Subject, way: str) -> None:
    """With `include_stop=False`, `{way}` ends the answer before the stop string."""
    text = await stopped(scripted(subject), way, subject.prompts[0], ["<|im_end|>"], include_stop=False)
    expect_equal(text, "one<|im_x|>two", "the answer")


@check_each_way("stop:{way}:across-chunks", source=SOURCE, ways=STREAMS, applies=[has_stream])
async def across_chunks(subject: Subject, way: str) -> None:
    """A stop string ends `{way}` also when it comes in pieces, of whatever size."""
    for size in (1, 2, 3, 5, 7, 11, len(SCRIPT)):
        probe = scripted(subject, size=size)
        text = await stopped(probe, way, subject.prompts[0], ["<|im_end|>", "\n\n"])
        expect_equal(text, "one<|im_x|>two<|im_end|>", f"the answer in pieces of {size}")


@check_each_way("stop:{way}:false-start", source=SOURCE, ways=STREAMS, applies=[has_stream])
async def false_start(subject: Subject, way: str) -> None:
    """Text that begins like a stop string and turns out to be none is not lost in `{way}`."""
    for stop in (["<|im_start|>", "foul"], ["four!"], ["ff", "x|>t<"]):
        text = await stopped(scripted(subject), way, subject.prompts[0], stop)
        expect_equal(text, SCRIPT, f"the answer with stop={stop}")


@check_each_way("stop:{way}:first-wins", source=SOURCE)
async def first_wins(subject: Subject, way: str) -> None:
    """In `{way}` the stop string that starts first wins, and of those that start together the shortest."""
    for stop in (
        ["END", "three"],
        ["<|im_end|>three", "<|im_e"],
        ["e<|im_x|>two<", "two<|im_end|>"],
        ["hree", "three"],
    ):
        text = await stopped(scripted(subject), way, subject.prompts[0], stop)
        expect_equal(text, cut(SCRIPT, stop, include=True), f"the answer with stop={stop}")


@check("stop:invoke:literal", source=SOURCE)
async def literal(subject: Subject) -> None:
    """A stop string is taken literally, never as a regular expression."""
    for stop in (["t.o"], [".*"], ["(?i)end"]):
        text = await stopped(scripted(subject), "invoke", subject.prompts[0], stop)
        expect_equal(text, SCRIPT, f"the answer with stop={stop}")


@check_each_way("stop:{way}:one-string", source=SOURCE)
async def one_string(subject: Subject, way: str) -> None:
    """In `{way}` one string is a list of one, and an empty list is none."""
    text = await stopped(scripted(subject), way, subject.prompts[0], "two")
    expect_equal(text, "one<|im_x|>two", "the answer with stop='two'")
    text = await stopped(scripted(subject), way, subject.prompts[0], [])
    expect_equal(text, SCRIPT, "the answer with stop=[]")


@check_each_way("stop:{way}:empty-refused", source=SOURCE)
async def empty_refused(subject: Subject, way: str) -> None:
    """`{way}` refuses an empty stop string, which would end every answer before it begins."""
    try:
        text = await stopped(scripted(subject), way, subject.prompts[0], [""])
    except InputError:
        return
    raise CheckFailure(f"stop=[''] was accepted; the answer is {text!r}")


@check_each_way("stop:{way}:model-closed", source=SOURCE, applies=[has_stream])
async def model_closed(subject: Subject, way: str) -> None:
    """A streaming hook is closed as soon as a stop string ends `{way}`, and does not go on."""
    if not subject.hook_for(way).is_stream:
        raise NotApplicable(f"`{way}` is answered by `{subject.hook_for(way).name}`")
    probe = subject.probe()
    probe.script = ["a", "b", "END", *["more"] * 10_000]
    text = await stopped(probe, way, subject.prompts[0], ["END"])
    expect_equal(text, "abEND", "the answer")
    await probe.until(lambda: probe.calls[0].ended, "closing the hook after its stop string")
    pulled = len(probe.calls[0].given)
    expect(pulled < 1_000, f"the hook went on for {pulled - 3} more chunks after its stop string")


@check_each_way("stop:{way}:nothing-held", source=SOURCE, ways=STREAMS, applies=[has_stream])
async def nothing_held(subject: Subject, way: str) -> None:
    """`{way}` holds back only a suffix that may still become a stop string; other text is passed on at once."""
    probe = subject.probe()
    probe.script = ["ab", "cE", "Nd", "EN"]
    async with patiently(f"`{way}`"):
        pieces = await WAYS[way].results(probe.face, subject.prompts[0], stop=["END"])
    texts = [text for piece in pieces if (text := piece if isinstance(piece, str) else piece.text)]
    expect_equal(texts, ["ab", "c", "ENd", "EN"], "the pieces of ab|cE|Nd|EN with stop=['END']")


@check_each_way("stop:{way}:not-implemented", source=SOURCE)
async def not_implemented(subject: Subject, way: str) -> None:
    """A hook that cannot stop may raise `NotImplementedError`: `{way}` calls it again without stop and cuts itself."""

    def refuse(call: HookCall) -> None:
        if call.stop:
            raise NotImplementedError("this model cannot stop")

    probe = scripted(subject)
    probe.on_enter = refuse
    async with patiently(f"`{way}`"):
        text = await WAYS[way].text(probe.face, subject.prompts[0], stop=["two"])
    expect_equal(text, "one<|im_x|>two", "the answer")
    expect_equal([call.stop for call in probe.calls], [["two"], None], "the stop of the hook calls")
