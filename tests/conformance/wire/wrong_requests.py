"""Servers that refuse what is right, take what is wrong, or say it in a wrong way."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.conformance.wire.http_server import CutError, RefusedError, Reply, Request
from tests.conformance.wire.reference import Right
from tests.conformance.wire.wrong import (
    as_bytes,
    changed,
    detail,
    for_request,
    in_error,
    refusing,
    with_error,
    with_status,
    wrong,
)

Body = dict[str, Any]


def messages_of(body: Body) -> list[Body]:
    messages = body.get("messages")
    return [one for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []


def said_in(body: Body) -> str:
    return json.dumps([body.get("messages"), body.get("prompt")], ensure_ascii=False)


def roles_of(body: Body) -> list[Any]:
    return [one.get("role") for one in messages_of(body)]


refusing("wire-request:chat:nulls", lambda body: body.get("seed", 0) is None)
refusing("wire-request:chat:options", lambda body: "user" in body)
refusing(
    "wire-request:chat:text-parts", lambda body: any(isinstance(one.get("content"), list) for one in messages_of(body))
)
refusing("wire-request:chat:system-role", lambda body: "system" in roles_of(body))
refusing("wire-request:chat:developer-role", lambda body: "developer" in roles_of(body))
refusing("wire-request:chat:history", lambda body: roles_of(body) == ["user", "assistant", "user"])
refusing("wire-request:chat:names", lambda body: any("name" in one for one in messages_of(body)))
refusing("wire-request:chat:temperature-bounds", lambda body: body.get("temperature") == 2)
refusing("wire-request:chat:text-format", lambda body: "response_format" in body)
refusing("wire-request:chat:unknown-field", lambda body: "x_no_such_field" in body, 500)
refusing("wire-request:chat:functions", lambda body: "functions" in body, 500)
refusing("wire-request:chat:logprobs", lambda body: body.get("logprobs"), 500)
refusing("wire-request:chat:integral-floats", lambda body: isinstance(body.get("n"), float), 500)
refusing("wire-request:chat:huge-number", lambda body: (body.get("seed") or 0) > 1e18, 500)
refusing("wire-request:chat:long-question", lambda body: len(said_in(body)) > 100_000, 500)


def fails(is_so: Any) -> dict[str, Any]:
    return for_request(
        is_so, lambda: Reply(500, b"Internal Server Error", {"content-type": "text/plain", "x-request-id": "r"})
    )


def typed(*types: str) -> Any:
    return lambda request: request.headers.get("content-type") in types


wrong("wire-request:body:padding", **fails(lambda request: b" " * 1000 in request.body))
wrong("wire-request:body:charset", **fails(typed("Application/JSON; charset=UTF-8")))
wrong("wire-request:body:other-type", **fails(typed("application/x-www-form-urlencoded")))

# --- characters


def emoji_lost(self: Right, value: Body, kind: str, body: Body, same: Body) -> Body:
    return json.loads(json.dumps(value).replace("\\ud83d\\ude00", "\\ufffd"))


def escapes_lost(self: Right, request: Request) -> Body:
    lost = request.body.replace(b"\\ud83d\\ude00", b"??")
    return Right.read_body(self, Request(request.method, request.target, request.headers, [], lost))


wrong("wire-unicode:*:whole", **changed("whole", emoji_lost))
wrong("wire-unicode:request:escapes", read_body=escapes_lost)
refusing("wire-unicode:request:separators", lambda body: "\u2028" in said_in(body) and "\\u0000" in said_in(body), 500)
with_status("wire-unicode:request:lone-surrogate", "lone-surrogate", 500)
with_status("wire-unicode:request:no-utf8", "no-utf8", 500)

# --- refusals

STATUSES = {
    "unknown-model": 400,
    "no-model": 422,
    "no-messages": 422,
    "empty-messages": 500,
    "text-messages": 422,
    "unknown-role": 422,
    "no-role": 500,
    "wrong-type": 422,
    "temperature-above": 422,
    "max-tokens-text": 500,
    "stream-text": 422,
    "no-choices": 500,
    "wrong-stop": 422,
    "bad-json": 422,
    "no-object": 500,
    "no-body": 422,
    "deep-json": 500,
    "unknown-route": 400,
    "wrong-method": 400,
}
for case, status in STATUSES.items():
    with_status(f"wire-errors:{case}:status", case, status)
for case in ("unknown-model", "wrong-type", "bad-json", "unknown-route", "wrong-method"):
    with_error(f"wire-errors:{case}:object", case, detail)
with_error("wire-errors:unknown-model:code", "unknown-model", in_error(code=None))
with_error("wire-errors:wrong-type:param", "wrong-type", in_error(param=None))
with_error("wire-errors:wrong-type:kind", "wrong-type", in_error(type="BadRequestError"))
with_error("wire-errors:no-messages:param", "no-messages", in_error(param=None))


def refuse_third(self: Right, request: Request) -> Reply:
    self.asked += 1
    if self.asked == 7:
        return Reply(429, b'{"error": {}}', {"content-type": "application/json", "x-request-id": "r"})
    return Right.answer(self, request)


wrong("wire-errors:throttled:retry-after", answer=refuse_third)

# --- keys

with_status("wire-auth:missing:status", "no-key", 403)
with_error("wire-auth:missing:object", "no-key", detail)
with_status("wire-auth:wrong:status", "wrong-key", 403)
with_error("wire-auth:wrong:object", "wrong-key", detail)


def key_told(self: Right, reply: Reply, request: Request, refused: RefusedError) -> Reply:
    key = request.headers.get("authorization", "").encode()
    return (
        as_bytes(reply, lambda body: body.replace(b"the key is wrong", key)) if refused.case == "wrong-key" else reply
    )


def body_first(self: Right, request: Request) -> None:
    if request.body == b'{"messages": 7}':
        raise RefusedError("no-model", "which model?", param="model")
    Right.authorize(self, request)


def exact_scheme(self: Right, request: Request) -> None:
    if request.headers.get("authorization", "").startswith("bearer"):
        raise RefusedError("wrong-key", "Bearer is what was expected", status=401)
    Right.authorize(self, request)


wrong("wire-auth:wrong:secret", **changed("refusal", key_told))
wrong("wire-auth:wrong:first", authorize=body_first)
wrong("wire-auth:right:scheme-case", authorize=exact_scheme)

# --- HTTP


def finished(change: Any) -> dict[str, Any]:
    def changed_reply(self: Right, request: Request, reply: Reply) -> Reply:
        change(request, Right.finished(self, request, reply))
        return reply

    return {"finished": changed_reply}


def without_id(request: Request, reply: Reply) -> None:
    del reply.headers["x-request-id"]


def without_id_of_errors(request: Request, reply: Reply) -> None:
    if reply.status >= 400:
        del reply.headers["x-request-id"]


wrong("wire-http:head:models", **fails(lambda request: request.method == "HEAD"))
wrong(
    "wire-http:options:chat",
    **fails(lambda request: request.method == "OPTIONS" and "access-control-request-headers" not in request.headers),
)
wrong("wire-http:options:headers", allowed_headers=lambda self, wanted: "content-type")
wrong("wire-http:request-id:answers", **finished(without_id))
wrong("wire-http:request-id:errors", **finished(without_id_of_errors))
wrong("wire-http:request-id:differs", **finished(lambda request, reply: reply.headers.update({"x-request-id": "1"})))
wrong(
    "wire-http:connection:kept",
    "wire-http:connection:pipelined",
    why="who closes after the first answer answers no second one, whenever it was sent",
    closes_silently=True,
)
wrong("wire-http:connection:pipelined", repeats_pipelined=True)
wrong("wire-http:body:chunked", reads_chunks=False)
wrong(
    "wire-http:body:in-pieces",
    **for_request(lambda request: request.reads > 3 and len(request.body) < 2000, lambda: Reply(400)),
)
wrong("wire-http:body:cut-short", takes_cut_bodies=True)
wrong("wire-http:body:two-lengths", takes_two_lengths=True)
wrong("wire-http:body:expected", expectation=b"HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\n\r\n")
wrong("wire-http:headers:case", **fails(lambda request: "CONTENT-LENGTH" in request.names))
wrong("wire-http:query:ignored", **fails(lambda request: "?" in request.target))

# --- load


def anothers_answer(stream: bool) -> dict[str, Any]:
    def said(self: Right, kind: str, body: Body, prompt: str) -> str:
        last, self.last = self.last or prompt, prompt
        theirs = bool(body.get("stream")) == stream and "Repeat this word" in prompt and "Repeat this word" in last
        return last if theirs else Right.said(self, kind, body, prompt)

    return {"said": said}


def fail_once_left(self: Right, request: Request) -> Reply:
    if self.has_left:
        self.has_left = False
        return Reply(500, b"Internal Server Error", {"x-request-id": "r"})
    return Right.answer(self, request)


async def wait_for_leaving(self: Right, request: Request, reader: asyncio.StreamReader) -> None:
    """Answer late, and see who does not wait for it."""
    if b'"stream": true' not in request.body:
        await asyncio.sleep(0.15)
        if reader.at_eof():
            self.has_left = True
            raise CutError


async def wait_for_streams(self: Right, request: Request, reader: asyncio.StreamReader) -> None:
    while b'"stream": true' not in request.body and self.streams:  # noqa: ASYNC110 - a stream's end is told to nobody
        await asyncio.sleep(0.001)


wrong("wire-load:*:at-once", **anothers_answer(stream=False))
wrong("wire-load:*:streams-at-once", **anothers_answer(stream=True))
wrong("wire-load:*:leaving-a-stream", watches_leaving=True, before_answer=wait_for_streams, answer=fail_once_left)
# Every answer takes its time, so only the group is asked.
wrong("wire-load:*:leaving-an-answer", within="wire-load:*", before_answer=wait_for_leaving, answer=fail_once_left)
