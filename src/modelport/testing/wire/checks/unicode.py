"""Characters beyond ASCII, and what is no character."""

from __future__ import annotations

import json

from modelport.testing.checks import NotApplicable, expect, expect_equal
from modelport.testing.wire.answers import text_of
from modelport.testing.wire.asking import Chat, Generation
from modelport.testing.wire.judging import expect_taken, expect_taken_or_refused
from modelport.testing.wire.registry import generation_check, wire_check
from modelport.testing.wire.server import Server

EMOJI = "Repeat: 😀 héllo 你好 👩‍👩‍👧 ñ 😀😀"
SEPARATORS = "Repeat: a\u2028b\u2029c\u0085d\te\u0000f"
REPLACEMENT = "\ufffd"
MEND = "keep bytes until a character is whole, and encode JSON as UTF-8"
HALVES = "vllm-mlx PR 109; exo-explore/exo PR 1691; deepjavalibrary/djl PR 3085"


@generation_check("wire-unicode:{endpoint}:whole", source=HALVES)
async def whole(asked: Generation) -> None:
    """A whole answer of {path} to a question with emoji is UTF-8 and has no broken characters."""
    await asked.whole()
    answer = await asked.ask(**asked.asking(EMOJI))
    expect_taken(answer, "a question with emoji", MEND)
    expect(_is_utf8(answer.body), f"the body is no UTF-8: {answer.shown}", MEND)
    said = text_of(answer.json) or ""
    expect(REPLACEMENT not in said, f"the text has U+FFFD: {said!r:.120}", MEND)


@generation_check("wire-unicode:{endpoint}:stream", source=HALVES)
async def stream(asked: Generation) -> None:
    """Every event of a stream of {path} is UTF-8 for itself, and no piece has broken characters."""
    await asked.streamed()
    answer = await asked.stream(**asked.asking(EMOJI))
    expect_taken(answer, "a question with emoji", MEND)
    broken = [part for part in answer.body.split(b"\n\n") if not _is_utf8(part)]
    expect(not broken, f"an event is no UTF-8: {broken[:1]!r:.120}", MEND)
    wrong = [piece for piece in answer.pieces() if REPLACEMENT in piece]
    expect(not wrong, f"a piece has U+FFFD: {wrong[:1]!r:.120}", MEND)


@wire_check("wire-unicode:request:escapes", source="RFC 8259, 7: strings")
async def escapes(server: Server) -> None:
    r"""A question in \u escapes is answered as the same question in UTF-8."""
    chat = Chat(server)
    await chat.settled_text()
    body = await chat.body(**chat.asking(EMOJI))
    plain = await server.ask("POST", chat.path, body)
    escaped = await server.ask("POST", chat.path, json.dumps(body).encode())
    expect_taken(escaped, r"a question in \u escapes", "decode JSON's surrogate pairs")
    if text_of(plain.json) != text_of(escaped.json):
        again = await server.ask("POST", chat.path, body)
        if text_of(again.json) != text_of(plain.json):
            raise NotApplicable("at temperature 0 the same question has different answers")
    expect_equal(text_of(escaped.json), text_of(plain.json), "the answer", "decode JSON's surrogate pairs")


@wire_check(
    "wire-unicode:request:separators", source="RFC 8259, 7: strings; line separators split naive readers' lines"
)
async def separators(server: Server) -> None:
    """A question with NUL, U+2028 and other separators is answered, or refused with an error object."""
    chat = Chat(server)
    await chat.whole()
    answer = await chat.ask(**chat.asking(SEPARATORS))
    expect_taken_or_refused(answer, "a question with NUL and U+2028", "take all characters of JSON")


@wire_check(
    "wire-unicode:request:lone-surrogate", source="RFC 8259, 8.2: behaviour is unpredictable; it must not be a 500"
)
async def lone_surrogate(server: Server) -> None:
    """Half a surrogate pair in a question is answered, or refused with an error object; it is no failure."""
    chat = Chat(server)
    await chat.whole()
    body = json.dumps(await chat.body(**chat.asking("half \ud83d here"))).encode()
    answer = await server.ask("POST", chat.path, body)
    expect_taken_or_refused(answer, r"a question with \ud83d", "refuse it with 400, or replace it")


@wire_check("wire-unicode:request:no-utf8", source="RFC 8259, 8.1: JSON is UTF-8")
async def no_utf8(server: Server) -> None:
    """Bytes that are no UTF-8 are refused with an error object, or replaced; they are no failure."""
    chat = Chat(server)
    await chat.whole()
    body = json.dumps(await chat.body()).encode().replace(b"one", b"\xff\xfe")
    answer = await server.ask("POST", chat.path, body)
    expect_taken_or_refused(answer, "a body with the bytes ff fe", "refuse it with 400")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
