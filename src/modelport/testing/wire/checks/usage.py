"""The counts of tokens."""

from __future__ import annotations

from typing import Any

from modelport.testing.checks import NotApplicable, expect
from modelport.testing.wire.answers import Answer, object_of
from modelport.testing.wire.asking import QUESTION, Generation
from modelport.testing.wire.judging import SPEC
from modelport.testing.wire.registry import generation_check

SOURCE = SPEC.format("CompletionUsage")
COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
OPTIONS = SPEC.format("ChatCompletionStreamOptions.include_usage")


@generation_check("wire-usage:{endpoint}:present", source=SOURCE)
async def present(asked: Generation) -> None:
    """A whole answer of {path} counts its tokens."""
    usage = (await asked.whole()).object.get("usage")
    expect(_is_usage(usage), f"`usage` is {usage!r:.160}", "count prompt_tokens, completion_tokens and total_tokens")


@generation_check("wire-usage:{endpoint}:adds-up", source=SOURCE)
async def adds_up(asked: Generation) -> None:
    """total_tokens of {path} is the sum of prompt_tokens and completion_tokens."""
    usage = _counted(await asked.whole())
    prompt, completion, total = (usage[name] for name in COUNTS)
    expect(prompt + completion == total, f"{prompt} + {completion} is given as {total}", "add the two counts")


@generation_check(
    "wire-usage:{endpoint}:counted", source="BerriAI/litellm 1.109.1: 0/0/0 for answers of custom handlers"
)
async def counted(asked: Generation) -> None:
    """An answer of {path} that has a text has counts above 0."""
    await asked.text()
    usage = _counted(await asked.whole())
    expect(all(usage[name] > 0 for name in COUNTS), f"an answer with a text counts {usage!r:.160}", "count the tokens")


@generation_check("wire-usage:{endpoint}:grows", source=SOURCE)
async def grows(asked: Generation) -> None:
    """A longer question to {path} counts more prompt tokens."""
    short = _counted(await asked.whole())["prompt_tokens"]
    if not short:
        raise NotApplicable("prompt tokens are not counted")
    answer = await asked.ask(**asked.asking(f"{QUESTION}. And then: {QUESTION}"))
    long = _counted(answer)["prompt_tokens"]
    expect(long > short, f"{short} prompt tokens, and {long} of a question twice as long", "count the request's own")


@generation_check("wire-usage:{endpoint}:unasked", source=f"{OPTIONS}; Arthur-Ficial/apfel#100")
async def unasked(asked: Generation) -> None:
    """A stream of {path} has neither usage nor a chunk without choices unless usage was asked for."""
    chunks = (await asked.streamed()).chunks
    mend = "send usage only when stream_options.include_usage is true: clients read choices[0] of every chunk"
    told = [one["usage"] for one in chunks if one.get("usage") is not None]
    expect(not told, f"usage nobody asked for: {told[:1]!r:.160}", mend)
    expect(all(one["choices"] for one in chunks), "a chunk with `choices: []`", mend)


@generation_check("wire-usage:{endpoint}:asked", source=OPTIONS)
async def asked_for(asked: Generation) -> None:
    """With include_usage the last chunk of a stream of {path} has `choices: []` and the usage, and only that one."""
    chunks = (await asked.streamed_with_usage()).chunks
    told = [place for place, one in enumerate(chunks) if one.get("usage") is not None]
    mend = "send one more chunk with `choices: []` and usage before [DONE]"
    last = chunks[-1]
    expect(told, "no chunk has usage", mend)
    expect(len(told) == 1, f"{len(told)} of {len(chunks)} chunks have usage", mend)
    expect(_is_usage(last.get("usage")), f"the last chunk's usage is {last.get('usage')!r:.160}", mend)
    expect(last["choices"] == [], f"the chunk with usage has choices: {last['choices']!r:.160}", mend)


@generation_check("wire-usage:{endpoint}:null-before", source=OPTIONS)
async def null_before(asked: Generation) -> None:
    """With include_usage all other chunks of a stream of {path} have `usage: null`."""
    chunks = (await asked.streamed_with_usage()).chunks
    others = [one for one in chunks if one["choices"]]
    without = sum("usage" not in one for one in others)
    expect(not without, f"{without} of {len(others)} chunks have no key `usage`", "write `usage: null` there")


@generation_check("wire-usage:{endpoint}:stream-as-whole", source=SOURCE)
async def stream_as_whole(asked: Generation) -> None:
    """A stream of {path} counts what the whole answer counts."""
    await asked.settled_text()
    whole = _counted(await asked.whole())
    told = [one["usage"] for one in (await asked.streamed_with_usage()).chunks if _is_usage(one.get("usage"))]
    if not told:
        raise NotApplicable("the stream counts nothing")
    if any(told[-1][name] != whole[name] for name in COUNTS):
        await asked.confirm_settled()
    counts = [[usage[name] for name in COUNTS] for usage in (whole, told[-1])]
    seen = f"{', '.join(COUNTS)} are {counts[0]} in the whole answer, {counts[1]} in the stream"
    expect(counts[0] == counts[1], seen, "count both in the same way")


def _is_usage(value: Any) -> bool:
    counts = object_of(value) or {}
    return all(isinstance(counts.get(name), int) for name in COUNTS)


def _counted(answer: Answer) -> dict[str, int]:
    usage = object_of(answer.object.get("usage"))
    if usage is None or not _is_usage(usage):
        raise NotApplicable(f"tokens are not counted: {answer.shown}")
    return usage
