"""Guarantee 4, order: events come in order, once each, and belong to the right run."""

from __future__ import annotations

from typing import Any

from modelport.testing.checks import CheckFailure, NotApplicable, check_each_way, expect, expect_equal
from modelport.testing.conditions import has_no_stream, has_stream
from modelport.testing.gates import patiently
from modelport.testing.probe import HookCall, ProbeError
from modelport.testing.recorder import OwnRunsRecorder
from modelport.testing.subject import Subject
from modelport.testing.ways import BATCHES, STREAMS, WAYS, batch_by, read_pieces, text_of

SOURCE = "modelport guarantee 4 (order); custom LLM guide, checklist: is the callback called before the yield?"
_SCRIPT = ("one ", "two ", "", "three ", "four")
_AUTHORS = "the author's own token"


async def _stream_recorded(way: str, model: Any, prompt: Any, record: OwnRunsRecorder) -> None:
    """Stream an answer, and add each piece to the record when the consumer gets it."""

    def note(piece: Any) -> None:
        if text_of(piece):
            record.add("piece", text_of(piece))

    async with patiently(f"`{way}`"):
        await read_pieces(way, model, prompt, {"callbacks": [record]}, note)


@check_each_way("order:{way}:token-first", source=SOURCE, ways=STREAMS, applies=[has_stream])
async def token_first(subject: Subject, way: str) -> None:
    """In `{way}` the token event of each non-empty chunk fires once, just before the consumer gets the chunk."""
    probe, record = subject.probe(), OwnRunsRecorder()
    probe.script = _SCRIPT
    await _stream_recorded(way, probe.face, subject.prompts[0], record)
    seen = [
        (event.name.removeprefix("on_llm_new_"), event.payload)
        for event in record.named("on_llm_new_token", "piece")
        if event.payload
    ]
    wanted = [(name, text) for text in _SCRIPT if text for name in ("token", "piece")]
    expect_equal(seen, wanted, "the sequence of token events and pieces")


@check_each_way("order:{way}:own-tokens", source=SOURCE, ways=STREAMS, applies=[has_stream])
async def own_tokens(subject: Subject, way: str) -> None:
    """In `{way}` of the author's own answer each piece has its token event, and before the consumer gets it."""
    probe, record = subject.probe(), OwnRunsRecorder()
    await _stream_recorded(way, probe.face, subject.prompts[0], record)
    told = ""
    given = ""
    for event in record.named("on_llm_new_token", "piece"):
        if event.name == "piece":
            given += event.payload
            expect(
                told.startswith(given), f"{event.payload!r:.80} was given before its token event: {told!r:.80} was told"
            )
        else:
            told += event.payload
    expect_equal(told, given, "the joined token events")


@check_each_way("order:{way}:joined-tokens", source=SOURCE)
async def joined_tokens(subject: Subject, way: str) -> None:
    """A streaming hook fires its token events also when `{way}` gives its answer; joined they are the answer."""
    if not subject.hook_for(way).is_stream:
        raise NotApplicable(f"`{way}` is answered by `{subject.hook_for(way).name}`")
    probe, record = subject.probe(), OwnRunsRecorder()
    async with patiently(f"`{way}`"):
        text = await WAYS[way].text(probe.face, subject.prompts[0], {"callbacks": [record]})
    expect_equal("".join(record.tokens), text, "the joined token events")


@check_each_way("order:{way}:one-answer-silent", source=SOURCE, ways=STREAMS, applies=[has_no_stream])
async def one_answer_silent(subject: Subject, way: str) -> None:
    """A `{way}` that is made of one whole answer fires no token event of the framework's."""
    probe, record = subject.probe(), OwnRunsRecorder()
    probe.script = _SCRIPT
    await _stream_recorded(way, probe.face, subject.prompts[0], record)
    expect_equal(record.tokens, [], "the token events")


@check_each_way("order:{way}:authors-token", source=SOURCE, ways=["invoke", "ainvoke"])
async def authors_token(subject: Subject, way: str) -> None:
    """In `_call` and `_acall` the author's own `on_llm_new_token` fires a token event, under `{way}`."""
    if subject.hook_for(way).name not in ("_call", "_acall"):
        raise NotApplicable(f"`{way}` is answered by `{subject.hook_for(way).name}`")
    probe, record = subject.probe(), OwnRunsRecorder()
    probe.script = _SCRIPT
    probe.on_enter = lambda call: call.manager.on_llm_new_token(_AUTHORS)
    async with patiently(f"`{way}`"):
        await WAYS[way].text(probe.face, subject.prompts[0], {"callbacks": [record]})
    expect_equal(record.tokens, [_AUTHORS], "the token events")


@check_each_way("order:{way}:authors-token-in-stream", source=SOURCE, ways=STREAMS, applies=[has_stream])
async def authors_token_in_stream(subject: Subject, way: str) -> None:
    """In a streaming hook the author's own `on_llm_new_token` is accepted and fires nothing, under `{way}`."""
    probe, record = subject.probe(), OwnRunsRecorder()
    probe.script = _SCRIPT
    probe.on_piece = lambda call: call.manager.on_llm_new_token(_AUTHORS)
    await _stream_recorded(way, probe.face, subject.prompts[0], record)
    expect_equal(record.tokens, [text for text in _SCRIPT if text], "the token events")


@check_each_way("order:{way}:paired", source=SOURCE)
async def paired(subject: Subject, way: str) -> None:
    """`{way}` fires one start and one end, of one run, with all tokens in between."""
    probe, record = subject.probe(), OwnRunsRecorder()
    async with patiently(f"`{way}`"):
        text = await WAYS[way].text(probe.face, subject.prompts[0], {"callbacks": [record]})
    events = record.of_models
    names = [event.name for event in events]
    expect(
        len(record.starts) == len(record.ends) == 1 and not record.failures,
        f"the events are {names}",
    )
    expect(events[0] in record.starts and events[-1] in record.ends, f"the events are {names}")
    expect_equal({event.run_id for event in events}, {events[0].run_id}, "the run ids of the events")
    answer = record.ends[0].payload.generations[0][0].text
    expect_equal(answer, text, "the text of the end event")


@check_each_way("order:{way}:own-runs", source=SOURCE, ways=BATCHES)
async def own_runs(subject: Subject, way: str) -> None:
    """Each item of `{way}` has its own run: its prompt, its tokens, its answer."""
    probe, record = subject.probe(), OwnRunsRecorder()
    async with patiently(f"`{way}`"):
        results = await batch_by(way, probe.face, subject.prompts, {"callbacks": [record]})
    starts = {event.run_id: event for event in record.starts}
    expect_equal(len(starts), len(subject.prompts), "the number of runs started")
    ends = {event.run_id: event.payload.generations[0][0].text for event in record.ends}
    for prompt, result in zip(subject.prompts, results, strict=True):
        argument = probe.model.argument_of(prompt)
        runs = [run_id for run_id, event in starts.items() if event.payload == [argument]]
        expect_equal(len(runs), 1, f"the number of runs with the input {argument!r:.80}")
        expect_equal(ends.get(runs[0]), text_of(result), "the text of its end event")
        if any(call.hook.is_stream for call in probe.calls):
            expect_equal(record.tokens_of(runs[0]), text_of(result), "the tokens of its run")


@check_each_way("order:{way}:error-paired", source=SOURCE)
async def error_paired(subject: Subject, way: str) -> None:
    """When the hook fails, `{way}` fires one error event and no end, for the run that it started."""

    def fail(call: HookCall) -> None:
        raise ProbeError("the check made this hook fail")

    probe, record = subject.probe(), OwnRunsRecorder()
    probe.on_enter = fail
    try:
        async with patiently(f"`{way}`"):
            await WAYS[way].text(probe.face, subject.prompts[0], {"callbacks": [record]})
    except ProbeError:
        names = [event.name for event in record.events]
        one_each = len(record.starts) == len(record.failures) == 1 and not record.ends
        expect(one_each, f"the events are {names}")
        expect_equal(record.failures[0].run_id, record.starts[0].run_id, "the error event's run")
        return
    raise CheckFailure(f"`{way}` raised nothing")
