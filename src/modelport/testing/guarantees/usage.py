"""Guarantee 8, usage: token figures and a finish reason are always there, and `max_tokens` holds."""

from __future__ import annotations

from typing import Any

from modelport.engine.tokens import counter_of
from modelport.testing.checks import NotApplicable, check_each_way, expect, expect_equal
from modelport.testing.conditions import (
    called_directly,
    framework_cuts_tokens,
    has_count,
    has_no_count,
    has_stream,
    is_chat,
)
from modelport.testing.gates import patiently
from modelport.testing.probe import HookCall, Probe
from modelport.testing.recorder import OwnRunsRecorder
from modelport.testing.subject import Subject
from modelport.testing.ways import GENERATES, STREAMS, WAYS, generate_by, text_of
from modelport.values.usage import Usage

SOURCE = "modelport guarantee 8 (usage)"
_WAYS = (*GENERATES, *WAYS)
_SCRIPT = ("Grüße, ", "世界 ", "🌍, ", "and more ", "words")
_TEXT = "".join(_SCRIPT)


def quarter_bytes(text: str) -> int:
    """Return ⌈UTF-8 bytes / 4⌉."""
    return -(-len(text.encode()) // 4)


def _scripted(subject: Subject) -> Probe:
    probe = subject.probe()
    probe.script = _SCRIPT
    return probe


async def _generation(subject: Subject, probe: Probe, way: str, prompt: Any, **kwargs: Any) -> Any:
    """Return what `generate` gives; of another way to call, what its end event carries."""
    record = OwnRunsRecorder()
    async with patiently(f"`{way}`"):
        if way not in GENERATES:
            await WAYS[way].text(probe.face, prompt, {"callbacks": [record]}, **kwargs)
        elif (reason := called_directly(subject)) is not None:
            raise NotApplicable(reason)
        else:
            return (await generate_by(way, probe.model, [prompt], **kwargs)).generations[0][0]
    expect_equal(len(record.ends), 1, "the number of end events")
    return record.ends[0].payload.generations[0][0]


@check_each_way("usage:{way}:always-there", source=SOURCE, ways=_WAYS)
async def always_there(subject: Subject, way: str) -> None:
    """`{way}` gives token figures and a finish reason for every answer of the author's."""
    probe = subject.probe()
    answer = await _generation(subject, probe, way, subject.prompts[1])
    usage = answer.usage
    expect(usage is not None, "the answer has no usage")
    expect(usage.prompt_tokens > 0, f"the usage is {usage}")
    expect(usage.completion_tokens > 0 or not answer.text, f"the usage beside a text is {usage}")
    expect(answer.finish_reason, "the answer has no finish reason")


@check_each_way("usage:{way}:end-event", source=SOURCE)
async def end_event(subject: Subject, way: str) -> None:
    """The end event of `{way}` carries the usage and the finish reason."""
    probe, record = _scripted(subject), OwnRunsRecorder()
    async with patiently(f"`{way}`"):
        await WAYS[way].text(probe.face, subject.prompts[0], {"callbacks": [record]})
    response = record.ends[0].payload
    answer = response.generations[0][0]
    usage: Usage = answer.usage or Usage()
    expect(usage.total_tokens > 0, f"the usage is {usage}")
    expect_equal(answer.finish_reason, "stop", "the finish reason")
    output: dict[str, Any] = response.llm_output or {}
    expect_equal(output.get("token_usage"), usage.to_token_usage(), "llm_output's token_usage")


@check_each_way("usage:{way}:on-the-message", source=SOURCE, applies=[is_chat])
async def on_the_message(subject: Subject, way: str) -> None:
    """The message that `{way}` gives, joined when it comes in pieces, carries usage and finish reason."""
    probe = _scripted(subject)
    async with patiently(f"`{way}`"):
        pieces = await WAYS[way].results(probe.face, subject.prompts[0])
    message: Any = pieces[0]
    for piece in pieces[1:]:
        message = message + piece
    expect_equal(message.text, _TEXT, "the joined text")
    figures: dict[str, int] = message.usage_metadata or {}
    expect(figures.get("total_tokens"), f"usage_metadata is {figures}")
    expect_equal(message.response_metadata.get("finish_reason"), "stop", "the finish reason")


@check_each_way("usage:{way}:estimated", source=SOURCE, ways=_WAYS, applies=[has_no_count])
async def estimated(subject: Subject, way: str) -> None:
    """Without figures or a tokenizer, `{way}` estimates ⌈UTF-8 bytes / 4⌉ and says so, never the chunks."""
    answer = await _generation(subject, _scripted(subject), way, "prompt")
    expect_equal(answer.usage.completion_tokens, quarter_bytes(_TEXT), "the completion tokens")
    expect(answer.usage.estimated, "the estimate is not marked as one")


@check_each_way("usage:{way}:counted", source=SOURCE, ways=_WAYS, applies=[has_count])
async def counted(subject: Subject, way: str) -> None:
    """With a `_count_tokens`, `{way}` counts by it."""
    probe = _scripted(subject)
    answer = await _generation(subject, probe, way, subject.prompts[0])
    count = counter_of(probe.model)
    assert count is not None
    expect_equal(answer.usage.completion_tokens, count(_TEXT), "the completion tokens")
    expect(not answer.usage.estimated, "the count is marked as an estimate")


def _report(call: HookCall, prompt_tokens: int, completion_tokens: int) -> None:
    for manager in call.managers:
        manager.report_usage(prompt_tokens, completion_tokens)


@check_each_way("usage:{way}:authors-figures", source=SOURCE, ways=_WAYS)
async def authors_figures(subject: Subject, way: str) -> None:
    """Figures that the author reports win in `{way}`."""
    probe = _scripted(subject)
    probe.on_enter = lambda call: _report(call, 1234, 5678)
    usage = (await _generation(subject, probe, way, subject.prompts[0])).usage
    found = (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, usage.estimated)
    expect_equal(found, (1234, 5678, 6912, False), "the usage")


@check_each_way("usage:{way}:zero-is-not-given", source=SOURCE, ways=_WAYS)
async def zero_is_not_given(subject: Subject, way: str) -> None:
    """Figures of 0/0/0 beside a non-empty answer count as not given in `{way}`."""
    probe = _scripted(subject)
    probe.on_enter = lambda call: _report(call, 0, 0)
    usage = (await _generation(subject, probe, way, subject.prompts[1])).usage
    expect(usage.prompt_tokens and usage.completion_tokens, f"the usage is {usage}")


def _longest_within(text: str, max_tokens: int, count: Any) -> str:
    fitting = [end for end in range(len(text) + 1) if count(text[:end]) <= max_tokens]
    return text[: max(fitting)]


@check_each_way("usage:{way}:max-tokens", source=SOURCE, applies=[framework_cuts_tokens])
async def max_tokens(subject: Subject, way: str) -> None:
    """`max_tokens` keeps the longest beginning within it, in `{way}`."""
    probe = _scripted(subject)
    count = counter_of(probe.model) or quarter_bytes
    async with patiently(f"`{way}`"):
        text = await WAYS[way].text(probe.face, subject.prompts[0], max_tokens=3)
    expect_equal(text, _longest_within(_TEXT, 3, count), "the answer with max_tokens=3")


@check_each_way("usage:{way}:max-tokens-own", source=SOURCE, applies=[framework_cuts_tokens])
async def max_tokens_own(subject: Subject, way: str) -> None:
    """`max_tokens` ends the author's own answer in `{way}`: no more tokens than that, and a beginning of it."""
    sample = await subject.sample(at_least=3)
    probe = subject.probe()
    count = counter_of(probe.model) or quarter_bytes
    if count(sample.text) < 2:
        raise NotApplicable("no sample prompt is answered with two tokens or more; give `prompts` that are")
    async with patiently(f"`{way}`"):
        text = await WAYS[way].text(probe.face, sample.prompt, max_tokens=1)
    expect(count(text) <= 1, f"the answer {text!r:.200} has {count(text)} tokens with max_tokens=1")
    expect(probe.given_for(sample.prompt).startswith(text), f"{text!r:.200} is no beginning of what the hook gave")


@check_each_way("usage:{way}:length", source=SOURCE, ways=_WAYS, applies=[framework_cuts_tokens])
async def length(subject: Subject, way: str) -> None:
    """An answer that `max_tokens` cuts ends for the reason "length" in `{way}`, one that fits for "stop"."""
    count = counter_of(subject.make()) or quarter_bytes
    whole = count(_TEXT)
    cut = await _generation(subject, _scripted(subject), way, subject.prompts[0], max_tokens=max(1, whole - 1))
    fitting = await _generation(subject, _scripted(subject), way, subject.prompts[0], max_tokens=whole)
    expect_equal((cut.finish_reason, fitting.finish_reason), ("length", "stop"), "the finish reasons")


@check_each_way("usage:{way}:model-closed", source=SOURCE, ways=STREAMS, applies=[has_stream, framework_cuts_tokens])
async def model_closed(subject: Subject, way: str) -> None:
    """A streaming hook is closed as soon as `max_tokens` ends `{way}`."""
    probe = subject.probe()
    probe.script = ["word "] * 10_000
    async with patiently(f"`{way}`"):
        pieces = await WAYS[way].results(probe.face, subject.prompts[0], max_tokens=3)
    if not any(text_of(piece) for piece in pieces):
        raise NotApplicable("the class counts a single word as more than 3 tokens")
    await probe.until(lambda: probe.calls[0].ended, "closing the hook after max_tokens")
    made = len(probe.calls[0].given)
    expect(made < 1_000, f"the hook made {made} chunks for an answer of 3 tokens")
