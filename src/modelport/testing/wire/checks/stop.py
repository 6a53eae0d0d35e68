"""Stop strings."""

from __future__ import annotations

from modelport.testing.checks import NotApplicable, expect
from modelport.testing.wire.answers import Answer, Streamed, choices_of, text_of
from modelport.testing.wire.asking import Generation
from modelport.testing.wire.judging import SPEC, expect_taken
from modelport.testing.wire.registry import generation_check

STOP = SPEC.format("StopConfiguration")
STOP_MEND = "cut the text before the first stop string, on characters, whatever pieces the model gives"
ACROSS = f"{STOP}; huggingface/text-generation-inference#1254; lm-sys/FastChat PR 3883"
NEVER = "\u2603never\u2603"


@generation_check("wire-stop:{endpoint}:string", source=STOP)
async def stop_string(asked: Generation) -> None:
    """A whole answer of {path} ends before the stop string, which is not in it."""
    text, stop = await _text_and_stop(asked)
    await _expect_cut(asked, await asked.ask(stop=stop), text, [stop])


@generation_check("wire-stop:{endpoint}:list", source=STOP)
async def stop_list(asked: Generation) -> None:
    """A whole answer of {path} ends before the first of several stop strings."""
    text, stop = await _text_and_stop(asked)
    stops = [NEVER, text[-2:], stop]
    await _expect_cut(asked, await asked.ask(stop=stops), text, stops)


@generation_check("wire-stop:{endpoint}:reason", source=STOP)
async def stop_reason(asked: Generation) -> None:
    """A whole answer of {path} that a stop string ended has finish_reason `stop`."""
    text, stop = await _text_and_stop(asked)
    answer = await asked.ask(stop=stop)
    if text_of(answer.json) in (None, text):
        raise NotApplicable(f"the stop string ends nothing: {answer.shown}")
    [choice] = choices_of(answer.json)[:1]
    reason = choice.get("finish_reason")
    expect(reason == "stop", f"finish_reason is {reason!r}", "say `stop` when a stop string ended the answer")


@generation_check("wire-stop:{endpoint}:stream", source=STOP)
async def stop_stream(asked: Generation) -> None:
    """A stream of {path} ends before the stop string, which is not in it."""
    text, stop = await _text_and_stop(asked)
    await asked.streamed()
    await _expect_cut(asked, await asked.stream(stop=stop), text, [stop])


@generation_check("wire-stop:{endpoint}:across-chunks", source=ACROSS)
async def across_chunks(asked: Generation) -> None:
    """A stop string that two chunks of {path} share ends the stream before its first part."""
    text = await asked.settled_text()
    pieces = (await asked.streamed()).pieces()
    if "".join(pieces) != text or len(pieces) < 4:
        raise NotApplicable("the stream has no pieces to cut between")
    middle = len(pieces) // 2
    stop = pieces[middle - 1][-2:] + pieces[middle][:2]
    if text.find(stop) < 1:
        raise NotApplicable("the stream has no pieces to cut between")
    await _expect_cut(asked, await asked.stream(stop=stop), text, [stop])


@generation_check("wire-stop:{endpoint}:held-back", source=STOP)
async def held_back(asked: Generation) -> None:
    """A stream of {path} says all of its text when it ends with the beginning of a stop string."""
    text = await asked.settled_text()
    await asked.streamed()
    answer = await asked.stream(stop=[text[-3:] + NEVER, NEVER])
    if answer.status == 200 and answer.joined().strip() != text.strip():
        await asked.confirm_settled()
    expect_taken(answer, "a stop string that does not occur", "take a list of up to 4 stop strings")
    same = answer.joined().strip() == text.strip()
    expect(same, f"the text is {answer.joined()!r:.120}, not {text!r:.120}", "say at the end what was held back")


async def _text_and_stop(asked: Generation) -> tuple[str, str]:
    """The usual answer, and a string in its middle that it does not begin with."""
    text = await asked.settled_text(words=3)
    middle = len(text) // 2
    for size in (4, 6, 8):
        stop = text[middle : middle + size]
        if stop.strip() == stop and text.find(stop) > 0:
            return text, stop
    stop = text.split()[len(text.split()) // 2]
    if text.find(stop) < 1:
        raise NotApplicable("the answer has no string to stop at")
    return text, stop


async def _expect_cut(asked: Generation, answer: Answer, text: str, stops: list[str]) -> None:
    expect_taken(answer, f"stop is {stops!r}", "take a stop string, or a list of up to 4")
    said = answer.joined() if isinstance(answer, Streamed) else text_of(answer.json) or ""
    found = [stop for stop in stops if stop in said]
    expect(not found, f"stop is {stops!r}, the text is {said!r:.120}", STOP_MEND)
    expected = text[: min(text.find(stop) for stop in stops if stop in text)]
    # White space at the end is some servers' to trim.
    if said.strip() != expected.strip():
        await asked.confirm_settled()
    same = said.strip() == expected.strip()
    expect(same, f"stop is {stops!r}, the text is {said!r:.120}, not {expected!r:.120}", STOP_MEND)
