"""HTTP itself: connections, heads and bodies as clients and proxies send them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable

from modelport.testing.checks import CheckFailure, NotApplicable, expect
from modelport.testing.wire.answers import Answer
from modelport.testing.wire.asking import Chat
from modelport.testing.wire.connection import Closed, connected, head_of
from modelport.testing.wire.judging import expect_taken
from modelport.testing.wire.registry import wire_check
from modelport.testing.wire.server import Server

PACKETS, BETWEEN_PACKETS_SECONDS = 8, 0.005
JSON = "Content-Type: application/json"
REQUEST_ID = "OpenAI: API reference, Debugging requests; openai/openai-python reads x-request-id"


@wire_check("wire-http:head:models", source="RFC 9110, 9.3.2; load balancers ask HEAD")
async def head(server: Server) -> None:
    """HEAD of /models is answered as GET is, without a body, or refused with 404 or 405."""
    listing = await server.listing()
    if listing.status != 200:
        raise NotApplicable(f"there is no list of models: {listing.shown}")
    async with connected(server) as connection:
        await connection.send(head_of(server, "HEAD", "/models", "Connection: close"))
        answer = await _answer(connection.answer("HEAD /models"))
    expect(answer.status in (200, 404, 405), answer.shown, "answer HEAD where GET is answered")


@wire_check("wire-http:options:chat", source="WHATWG Fetch: CORS preflight; sigoden/aichat, kiro-gateway#6")
async def options(server: Server) -> None:
    """OPTIONS, which browsers ask first, is answered below 500."""
    headers = {"origin": "http://localhost", "access-control-request-method": "POST", "authorization": None}
    answer = await server.ask("OPTIONS", Chat.path, headers=headers)
    expect(answer.status < 500, answer.shown, "answer 204 where browsers may call, else 405")


@wire_check(
    "wire-http:options:headers",
    source="WHATWG Fetch: CORS non-wildcard request-header name (Authorization); OpenAI's SDKs add x-stainless-*",
)
async def options_headers(server: Server) -> None:
    """Where browsers may call, they may send the headers that OpenAI's SDKs send."""
    wanted = ("authorization", "content-type", "x-stainless-lang")
    headers = {
        "origin": "http://localhost",
        "access-control-request-method": "POST",
        "access-control-request-headers": ",".join(wanted),
        "authorization": None,
    }
    answer = await server.ask("OPTIONS", Chat.path, headers=headers)
    if answer.status >= 400 or "access-control-allow-origin" not in answer.headers:
        raise NotApplicable("pages of other origins may not call")
    allowed = [one.strip() for one in answer.headers.get("access-control-allow-headers", "").lower().split(",")]
    missing = [one for one in wanted if one not in allowed and ("*" not in allowed or one == "authorization")]
    expect(not missing, f"not allowed: {', '.join(missing)}", "reflect Access-Control-Request-Headers")


@wire_check("wire-http:request-id:answers", source=REQUEST_ID)
async def request_id(server: Server) -> None:
    """Answers have x-request-id."""
    answer = await Chat(server).whole()
    expect(answer.headers.get("x-request-id"), "no x-request-id on a chat", "send an id with every answer, and log it")


@wire_check("wire-http:request-id:errors", source=REQUEST_ID)
async def request_id_errors(server: Server) -> None:
    """Refusals have x-request-id as answers have."""
    if "x-request-id" not in (await Chat(server).whole()).headers:
        raise NotApplicable("answers have none")
    answer = await server.ask("POST", Chat.path, b"{")
    expect(answer.headers.get("x-request-id"), f"no x-request-id: {answer.shown}", "send it with errors too")


@wire_check("wire-http:request-id:differs", source=REQUEST_ID)
async def request_id_differs(server: Server) -> None:
    """Each answer has an x-request-id of its own."""
    answers = [await Chat(server).whole(), await Chat(server).ask()]
    ids = [one.headers.get("x-request-id") for one in answers]
    if None in ids:
        raise NotApplicable("answers have none")
    expect(ids[0] != ids[1], f"two answers have the id {ids[0]!r}", "make an id per request")


@wire_check("wire-http:connection:kept", source="RFC 9112, 9.3: persistence")
async def kept(server: Server) -> None:
    """A second request over the same connection is answered."""
    body = await _body(server)
    async with connected(server) as connection:
        for number in (1, 2):
            await connection.send(_post(server, body) + body)
            answer = await _answer(connection.answer(f"POST {Chat.path}"), f"request {number} of a connection")
            expect_taken(
                answer, f"request {number} of a connection", "leave connections open, or send Connection: close"
            )
            if "close" in answer.headers.get("connection", ""):
                raise NotApplicable("the server closes its connections")


@wire_check("wire-http:connection:pipelined", source="RFC 9112, 9.3.2: pipelining")
async def pipelined(server: Server) -> None:
    """Requests that are sent without waiting are answered in their order."""
    body = await _body(server)
    other = json.dumps({**json.loads(body), "model": "no-such-model-0", "messages": []}).encode()
    alone = await server.ask("POST", Chat.path, other)
    async with connected(server) as connection:
        await connection.send(_post(server, body) + body + _post(server, other) + other)
        first = await _answer(connection.answer(f"POST {Chat.path}"))
        expect(first.status == 200, f"the first of two is answered {first.shown}", "answer in order")
        if "close" in first.headers.get("connection", ""):
            raise NotApplicable("the server closes its connections")
        second = await _answer(connection.answer(f"POST {Chat.path}"), "the second of two requests")
    expect(second.status == alone.status, f"the second of two is answered {second.shown}", "answer in order")


@wire_check("wire-http:body:chunked", source="RFC 9112, 7.1: chunked transfer coding")
async def chunked(server: Server) -> None:
    """A body in chunks is read as one with a length."""
    body = await _body(server)
    half = len(body) // 2
    parts = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:], b""))
    async with connected(server) as connection:
        await connection.send(head_of(server, "POST", Chat.path, JSON, "Transfer-Encoding: chunked") + parts)
        answer = await _answer(connection.answer(f"POST {Chat.path}"))
    expect_taken(answer, "a body in two chunks", "read bodies by their transfer coding")


@wire_check("wire-http:body:in-pieces", source="RFC 9112, 6: a body is as long as its head says")
async def in_pieces(server: Server) -> None:
    """A request whose bytes come in several packets is read to its end."""
    body = await _body(server)
    sent = _post(server, body) + body
    async with connected(server) as connection:
        step = len(sent) // PACKETS + 1
        for start in range(0, len(sent), step):
            await connection.send(sent[start : start + step])
            await asyncio.sleep(BETWEEN_PACKETS_SECONDS)
        answer = await _answer(connection.answer(f"POST {Chat.path}"))
    expect_taken(answer, f"a request in {PACKETS} packets", "read until the length is reached")


@wire_check("wire-http:body:cut-short", source="RFC 9112, 8: incomplete messages")
async def cut_short(server: Server) -> None:
    """A body that ends before its Content-Length is not answered as a right request, and harms no other."""
    body = await _body(server)
    async with connected(server) as connection:
        await connection.send(_post(server, body + b" " * 10) + body)
        connection.end()
        try:
            answer = await connection.answer(f"POST {Chat.path}")
        except Closed:
            answer = None
    expect(answer is None or answer.status >= 400, f"{answer and answer.shown}", "wait for the whole body")
    expect_taken(await Chat(server).ask(), "the next request", "end only the connection that was cut")


@wire_check("wire-http:body:two-lengths", source="RFC 9112, 6.3, rule 5: request smuggling")
async def two_lengths(server: Server) -> None:
    """A request with two different Content-Length headers is refused."""
    body = await _body(server) + b" "
    lines = (JSON, f"Content-Length: {len(body)}", f"Content-Length: {len(body) - 1}")
    async with connected(server) as connection:
        await connection.send(head_of(server, "POST", Chat.path, *lines) + body)
        try:
            answer = await connection.answer(f"POST {Chat.path}")
        except Closed:
            return
    expect(answer.status >= 400, f"{answer.shown}", "refuse it with 400 and close: proxies may read it otherwise")


@wire_check("wire-http:body:expected", source="RFC 9110, 10.1.1: Expect: 100-continue, as curl sends it")
async def expected(server: Server) -> None:
    """Who asks whether to send the body is told so, or answered."""
    body = await _body(server)
    lines = (JSON, f"Content-Length: {len(body)}", "Expect: 100-continue")
    async with connected(server) as connection:
        await connection.send(head_of(server, "POST", Chat.path, *lines))
        first = await _answer(connection.answer(f"POST {Chat.path}", interim=True), "Expect: 100-continue")
        expect(first.status == 100, f"in place of 100: {first.shown}", "answer 100, and read the body")
        await connection.send(body)
        answer = await _answer(connection.answer(f"POST {Chat.path}"))
    expect_taken(answer, "a body after 100 Continue", "read the body that was waited for")


@wire_check("wire-http:headers:case", source="RFC 9110, 5.1: field names are case-insensitive")
async def header_case(server: Server) -> None:
    """The names of headers may have any case."""
    body = await _body(server)
    head_bytes = _post(server, body)
    line, _, rest = head_bytes.partition(b"\r\n")
    lines = [one.partition(b":") for one in rest.split(b"\r\n")]
    shouted = b"\r\n".join([line, *(name.upper() + colon + value for name, colon, value in lines)])
    async with connected(server) as connection:
        await connection.send(shouted + body)
        answer = await _answer(connection.answer(f"POST {Chat.path}"))
    expect_taken(answer, "headers in capitals", "compare names of headers without case")


@wire_check("wire-http:query:ignored", source="Azure's clients add ?api-version=…; RFC 9110, 4.2")
async def query(server: Server) -> None:
    """A query that nobody asked for is left aside."""
    body = await Chat(server).body()
    answer = await server.ask("POST", f"{Chat.path}?api-version=2024-10-21", body)
    expect_taken(answer, "a query ?api-version=…", "route by the path, not by path and query")


async def _body(server: Server) -> bytes:
    await Chat(server).whole()
    return json.dumps(await Chat(server).body()).encode()


def _post(server: Server, body: bytes) -> bytes:
    return head_of(server, "POST", Chat.path, JSON, f"Content-Length: {len(body)}")


async def _answer(answer: Awaitable[Answer], what: str = "a request") -> Answer:
    try:
        return await answer
    except Closed as closed:
        raise CheckFailure(f"{what}: {closed}", "answer every request with a status") from None
