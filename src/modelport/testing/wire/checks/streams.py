"""The stream: its events, and what one answer's chunks have in common."""

from __future__ import annotations

import json
from typing import Any

from modelport.testing.checks import NotApplicable, expect, expect_equal
from modelport.testing.wire.answers import Streamed, object_of
from modelport.testing.wire.asking import Chat, Completions, Generation
from modelport.testing.wire.judging import SPEC, expect_shape
from modelport.testing.wire.registry import add_check, generation_check, wire_check
from modelport.testing.wire.server import DRAIN_SECONDS, Server
from modelport.testing.wire.shapes import TEXT_CHUNK

SPECS = SPEC.format("CreateChatCompletionStreamResponse, CreateCompletionResponse")
SSE = "WHATWG HTML: Server-sent events, 9.2.5"
SCHEMAS = {"chat": "CreateChatCompletionStreamResponse", "text": TEXT_CHUNK}


@generation_check("wire-stream:{endpoint}:answers", source=SPECS)
async def answers(asked: Generation) -> None:
    """A stream of {path} is a 200 with chunks that have choices."""
    await asked.whole()
    answer: Streamed = await asked.server.known(f"{asked.path} stream", asked.stream)
    mend = "answer `stream: true` with events of chunks"
    expect(answer.status == 200, answer.shown, mend)
    expect(answer.chunks, f"{answer.shown}: no event has choices", mend)


@generation_check("wire-stream:{endpoint}:content-type", source=SSE)
async def content_type(asked: Generation) -> None:
    """A stream of {path} is of type text/event-stream."""
    answer = await asked.streamed()
    expect_equal(answer.content_type, "text/event-stream", "the content-type", "send `content-type: text/event-stream`")


@generation_check("wire-stream:{endpoint}:events", source=f"{SSE}; Lightning-AI/LitServe 0.2.19 specs/openai.py")
async def events(asked: Generation) -> None:
    """Every event of a stream of {path} is one line of data, JSON or [DONE], and ends with an empty line."""
    for answer in (await asked.streamed(), await _streamed_lines(asked)):
        text = answer.text.replace("\r\n", "\n")
        *parts, rest = text.split("\n\n")
        mend = "end each event with an empty line, and write its JSON on one line"
        expect(not rest.strip("\n"), f"the last event is not ended by an empty line: {rest!r:.160}", mend)
        for part in parts:
            lines = [line for line in part.split("\n") if line.startswith("data:")]
            expect(len(lines) < 2, f"an event of {len(lines)} lines of data: {part!r:.160}", mend)
            for line in lines:
                expect(_is_json_or_done(line), f"data that is no JSON: {line!r:.160}", mend)


@generation_check("wire-stream:{endpoint}:data-only", source="theopenco/llmgateway PR 2334; openai/openai-python#2722")
async def data_only(asked: Generation) -> None:
    """Events of a stream of {path} have data only: no id, event or retry."""
    lines = (await asked.streamed()).text.replace("\r\n", "\n").split("\n")
    others = [line for line in lines if line and not line.startswith(("data:", ":"))]
    expect(not others, f"another line than data: {others[:1]!r:.160}", "send `data:` lines, and comments, only")


@generation_check("wire-stream:{endpoint}:done-last", source="anomalyco/opencode#43379")
async def done_last(asked: Generation) -> None:
    """A stream of {path} ends with `data: [DONE]`, once."""
    data = (await asked.streamed()).data
    places = [place for place, one in enumerate(data) if one.strip() == "[DONE]"]
    mend = "send `data: [DONE]` once, as the last event"
    expect(len(places) == 1, f"[DONE] comes {len(places)} times", mend)
    expect(places[0] == len(data) - 1, f"{len(data) - 1 - places[0]} events after [DONE]", mend)


@generation_check(
    "wire-stream:{endpoint}:ends", source="openai/openai-python _streaming.py: the body is read to its end"
)
async def ends(asked: Generation) -> None:
    """The body of a stream of {path} ends when [DONE] was sent, and is ended as HTTP wants it."""
    seen = f"the body was still open {DRAIN_SECONDS:g} s after [DONE], or was cut off"
    expect((await asked.streamed()).ended, seen, "end the body with [DONE]: OpenAI's SDK reads on until it ends")


def _shape_check(kind: Any, variant: str, sentence: str) -> None:
    for asked_kind in (Chat, Completions):
        name = asked_kind.name

        async def run(server: Server, asked_kind: type[Generation] = asked_kind, name: str = name) -> None:
            asked = asked_kind(server)
            chunks = (await asked.streamed()).chunks
            expect_shape(chunks, SCHEMAS[name], kind)

        source = SPEC.format(SCHEMAS[name])
        add_check(f"wire-stream:{name}:{variant}", sentence.format(path=asked_kind.path), source, run)


_shape_check("wrong", "types", "All that is in the chunks of {path} has the type that OpenAI's schema says.")
_shape_check("null", "no-nulls", "The chunks of {path} have no null where OpenAI's schema allows none.")
_shape_check("absent", "null-keys", "The chunks of {path} have the keys that OpenAI requires even where they are null.")


@generation_check("wire-stream:{endpoint}:one-answer", source="open-webui/open-webui#23922")
async def one_answer(asked: Generation) -> None:
    """All chunks of a stream of {path} have the same id, created and model."""
    chunks = (await asked.streamed()).chunks
    for key in ("id", "created", "model"):
        values = list({repr(one.get(key)): None for one in chunks})
        expect(len(values) == 1, f"`{key}` is {', '.join(values[:3])}", f"make `{key}` once per answer")


@wire_check("wire-stream:chat:role-first", source="maximhq/bifrost#6523; tensorzero/tensorzero#1265")
async def role_first(server: Server) -> None:
    """The first delta of a chat's choice has the role `assistant`."""
    entries = (await Chat(server).streamed()).entries()
    first = _delta(entries[0]) if entries else {}
    role = first.get("role")
    expect(role == "assistant", f"the first delta is {first!r:.160}", 'begin with {"role": "assistant", "content": ""}')


@wire_check("wire-stream:chat:role-once", source="maximhq/bifrost#6523; langwatch/langwatch#6196")
async def role_once(server: Server) -> None:
    """Only the first delta of a chat's choice has a role."""
    entries = (await Chat(server).streamed()).entries()
    again = [_delta(one) for one in entries[1:] if _delta(one).get("role") is not None]
    mend = "send the role in the first delta only: clients join what deltas have"
    expect(not again, f"{len(again)} of {len(entries)} deltas repeat it, for example {again[:1]!r:.120}", mend)


@generation_check("wire-stream:{endpoint}:finish-once", source="microsoft/foundry-local#423; ollama/ollama#4357")
async def finish_once(asked: Generation) -> None:
    """A choice of a stream of {path} has one finish_reason, `stop` or `length`, on its last chunk."""
    entries = (await asked.streamed()).entries()
    reasons = [one.get("finish_reason") for one in entries]
    told = [one for one in reasons if one is not None]
    mend = 'send finish_reason null until the last chunk, and "stop" or "length" there'
    expect(len(told) == 1, f"finish_reason is told {len(told)} times: {told[:5]!r}", mend)
    expect(told[0] in ("stop", "length"), f"finish_reason is {told[0]!r}", mend)
    expect(reasons[-1] is not None, f"{len(reasons) - 1 - reasons.index(told[0])} chunks after finish_reason", mend)


@generation_check("wire-stream:{endpoint}:as-whole", source=SPECS)
async def as_whole(asked: Generation) -> None:
    """The joined pieces of a stream of {path} are the whole answer's text."""
    text, joined = await asked.settled_text(), (await asked.streamed()).joined()
    if joined != text:
        await asked.confirm_settled()
    expect_equal(joined, text, "the joined stream", "stream the same text that a whole answer has")


@generation_check(
    "wire-stream:{endpoint}:error-status", source="ray-project/ray#64833; ray serve llm _peek_at_generator"
)
async def error_status(asked: Generation) -> None:
    """A stream of {path} that cannot begin is refused with a status, not with a 200."""
    await asked.streamed()
    answer = await asked.server.stream(asked.path, await asked.body(temperature="hot", stream=True))
    refused = await asked.ask(temperature="hot")
    if refused.status < 400:
        raise NotApplicable(f"a wrong type is not refused: {refused.shown}")
    mend = "send the 200 when the first chunk is there: before that, errors have a status"
    expect(answer.status >= 400, f"stream: {answer.shown}; whole: {refused.status}", mend)


@generation_check("wire-stream:{endpoint}:false", source=SPEC.format("CreateChatCompletionRequest.stream"))
async def stream_false(asked: Generation) -> None:
    """`stream: false` of {path} is answered whole."""
    await asked.whole()
    answer = await asked.ask(stream=False)
    right = answer.status == 200 and answer.content_type != "text/event-stream" and answer.json is not None
    expect(right, answer.shown, "stream only when `stream` is true")


async def _streamed_lines(asked: Generation) -> Streamed:
    answer = await asked.stream(**asked.asking("Repeat: a\r\n\r\nb\n\ndata: [DONE]\n\nc\u2028d\u0085e"))
    if answer.status != 200 or not answer.chunks:
        return await asked.streamed()
    return answer


def _is_json_or_done(line: str) -> bool:
    data = line.removeprefix("data:").strip()
    if data == "[DONE]":
        return True
    try:
        return isinstance(json.loads(data), dict)
    except ValueError:
        return False


def _delta(entry: dict[str, Any]) -> dict[str, Any]:
    return object_of(entry.get("delta")) or {}
