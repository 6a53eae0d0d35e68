"""Wrong streams and tool calls."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.wire.http_server import RefusedError, Reply, Request
from tests.conformance.wire.reference import Right
from tests.conformance.wire.wrong import changed, refusing, wrong

Body = dict[str, Any]


def chunks(change: Any) -> dict[str, Any]:
    """Change the chunks: `change(body, chunks, usage)` gives others, or changes these."""

    def changed_chunks(self: Right, kind: str, body: Body, all_chunks: list[Body], usage: Body) -> list[Body]:
        given = change(body, all_chunks, usage)
        return given if isinstance(given, list) else all_chunks

    return {"chunks": changed_chunks}


def each(change: Any) -> dict[str, Any]:
    return chunks(lambda body, all_chunks, usage: [change(dict(chunk)) or chunk for chunk in all_chunks])


def with_(**fields: Any) -> Any:
    return each(lambda chunk: {**chunk, **fields})


def without_reasons(body: Body, all_chunks: list[Body], usage: Body) -> None:
    for chunk in all_chunks:
        for entry in chunk["choices"]:
            if entry["finish_reason"] is None:
                del entry["finish_reason"]


def other_ids(body: Body, all_chunks: list[Body], usage: Body) -> None:
    for number, chunk in enumerate(all_chunks):
        chunk["id"] = f"{chunk['id']}-{number}"


def one_after_the_end(body: Body, all_chunks: list[Body], usage: Body) -> list[Body]:
    places = [place for place, chunk in enumerate(all_chunks) if chunk["choices"]]
    last = all_chunks[places[-1]]
    return [
        *all_chunks[: places[-1] + 1],
        {**last, "choices": [{**last["choices"][0], "finish_reason": None}]},
        *all_chunks[places[-1] + 1 :],
    ]


def exclaiming(self: Right, kind: str, body: Body, index: int, pieces: list[str], reason: str) -> list[Body]:
    plain = not body.get("stop") and body.get("max_tokens") != 2
    return Right.entries(self, kind, body, index, [*pieces, "!"] if plain else pieces, reason)


wrong("wire-stream:*:types", **with_(system_fingerprint=7))
wrong("wire-stream:*:no-nulls", **with_(system_fingerprint=None))
wrong("wire-stream:*:null-keys", **chunks(without_reasons))
wrong("wire-stream:*:one-answer", **chunks(other_ids))
wrong("wire-stream:*:finish-once", **chunks(one_after_the_end))
wrong("wire-stream:*:as-whole", entries=exclaiming)

# --- the role


def no_role(self: Right, entries: list[Body], kind: str, body: Body, index: int, *others: Any) -> list[Body]:
    return [{**entries[0], "delta": {"content": ""}}, *entries[1:]] if kind == "chat" and not body.get("n") else entries


def role_each_time(self: Right, entries: list[Body], kind: str, *others: Any) -> list[Body]:
    return [{**one, "delta": {"role": "assistant", **one["delta"]}} for one in entries] if kind == "chat" else entries


def role_of_first(self: Right, entries: list[Body], kind: str, body: Body, index: int, *others: Any) -> list[Body]:
    return [{**entries[0], "delta": {"content": ""}}, *entries[1:]] if kind == "chat" and index else entries


wrong("wire-stream:chat:role-first", **changed("entries", no_role))
wrong("wire-stream:chat:role-once", **changed("entries", role_each_time))
wrong("wire-choices:chat:role-each", **changed("entries", role_of_first))

# --- usage


def usage_always(body: Body, all_chunks: list[Body], usage: Body) -> None:
    if not body.get("stream_options"):
        all_chunks[-1]["usage"] = usage


def usage_on_the_last_choice(body: Body, all_chunks: list[Body], usage: Body) -> list[Body]:
    if not body.get("stream_options"):
        return all_chunks
    return [*all_chunks[:-2], {**all_chunks[-2], "usage": usage}]


def no_null_usage(body: Body, all_chunks: list[Body], usage: Body) -> None:
    for chunk in all_chunks:
        if chunk.get("usage", 0) is None:
            del chunk["usage"]


wrong("wire-usage:*:unasked", **chunks(usage_always))
wrong("wire-usage:*:asked", **chunks(usage_on_the_last_choice))
wrong("wire-usage:*:null-before", **chunks(no_null_usage))

# --- bytes


def replies(change: Any) -> dict[str, Any]:
    """Change a stream's reply: `change(reply, kind, body)`."""

    def changed_reply(self: Right, kind: str, body: Body, all_chunks: list[Body]) -> Reply:
        reply = Right.stream_reply(self, kind, body, all_chunks)
        change(reply, kind, body)
        return reply

    return {"stream_reply": changed_reply}


def joined_lines(reply: Reply, kind: str, body: Body) -> None:
    assert reply.frames
    reply.frames[0] = reply.frames[0][:-1]


def broken_emoji(reply: Reply, kind: str, body: Body) -> None:
    assert reply.frames
    reply.frames = [frame.replace(b"\\ud83d\\ude00", b"\\ufffd") for frame in reply.frames]


wrong(
    "wire-stream:*:content-type",
    **replies(lambda reply, kind, body: reply.headers.update({"content-type": "text/plain"})),
)
wrong("wire-stream:*:events", **replies(joined_lines))
wrong("wire-stream:*:data-only", frame=lambda self, chunk: b"event: message\n" + Right.frame(self, chunk))
wrong("wire-stream:*:done-last", **replies(lambda reply, kind, body: reply.frames.pop()))
wrong("wire-stream:*:ends", ends_streams=False)
wrong("wire-unicode:*:stream", **replies(broken_emoji))


def never_streamed(self: Right, body: Body) -> bool:
    return False


def streamed_when_named(self: Right, body: Body) -> bool:
    return body.get("stream", None) is not None


def error_within(self: Right, request: Request, refused: RefusedError) -> Reply:
    if refused.case == "wrong-type" and b'"stream": true' in request.body:
        return Reply(
            200, headers={"content-type": "text/event-stream"}, frames=[b'data: {"error": {"message": "no"}}\n\n']
        )
    return Right.refusal(self, request, refused)


wrong("wire-stream:*:answers", is_streamed=never_streamed)
wrong("wire-stream:*:false", is_streamed=streamed_when_named)
wrong("wire-stream:*:error-status", refusal=error_within)
refusing("wire-request:stream:null-options", lambda body: body.get("stream") and body.get("stream_options", 0) is None)

# --- tools


def pieces(change: Any) -> dict[str, Any]:
    def changed_pieces(self: Right, call: Body) -> list[Body]:
        return [change(dict(piece)) for piece in Right.call_pieces(self, call)]

    return {"call_pieces": changed_pieces}


def without_index(piece: Body) -> Body:
    del piece["index"]
    return piece


def named(piece: Body) -> Body:
    return {**piece, "function": {**piece["function"], "name": "weather"}}


def as_object(self: Right) -> Any:
    return {"place": "Paris"}


def whole_only(reason: str, *, stream: bool) -> Any:
    return lambda self, body: reason if bool(body.get("stream")) == stream else "tool_calls"


def arguments_as_object(self: Right, body: Body) -> Reply:
    reply = Right.tool_calls(self, body)
    if not body.get("stream"):
        value = json.loads(reply.body)
        call = value["choices"][0]["message"]["tool_calls"][0]
        call["function"]["arguments"] = json.loads(call["function"]["arguments"])
        reply.body = json.dumps(value).encode()
    return reply


wrong("wire-tools:whole:calls", tool_calls=arguments_as_object)
wrong("wire-tools:whole:reason", tool_reason=whole_only("stop", stream=False))
wrong("wire-tools:whole:ids-differ", call_id=lambda self: "call_0")
wrong("wire-tools:stream:calls", **pieces(without_index))
wrong("wire-tools:stream:named-once", **pieces(named))
wrong("wire-tools:stream:reason", tool_reason=whole_only("stop", stream=True))
refusing("wire-tools:request:choice-object", lambda body: isinstance(body.get("tool_choice"), dict), 422)
refusing(
    "wire-tools:request:history",
    lambda body: any(one.get("tool_calls") for one in body.get("messages") or () if isinstance(one, dict)),
    500,
)
