"""Much of it: bodies of 100 MB, senders that never end, thousands of keys; the server's memory and log stay small."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

KEY = "sk-the-one-that-is-right-7f3a"
CONFIG = (Path(__file__).parent / "hostile.yaml").read_text(encoding="utf-8")
LARGE_BYTES = 100 * 1024 * 1024
PIECE = b"x" * (1024 * 1024)
HEAD = f"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {KEY}\r\n".encode()
BODY = json.dumps({"model": "echo", "messages": [{"role": "user", "content": "hello"}]}).encode()
GROWTH_MB = 24.0
"""How much more memory a server may have in use after a while than when it had just begun."""


@pytest.fixture(scope="module")
def server(start_server: Any) -> Any:
    server = start_server("plain.py", CONFIG)
    assert server.ask("/v1/chat/completions", BODY, authorization=f"Bearer {KEY}").text == "hello"
    yield server
    assert server.ask("/v1/chat/completions", BODY, authorization=f"Bearer {KEY}").text == "hello"
    server.check_is_well()
    assert KEY not in server.log


def refusal_of(connection: Any) -> tuple[int, bool]:
    """Read the answer to a request that is still being sent, and tell whether the connection has ended."""
    read = connection.rest()
    head, _, body = read.partition(b"\r\n\r\n")
    assert list(json.loads(body)) == ["error"]
    return int(head.split()[1]), b"connection: close" in head.lower()


def send_all(connection: Any, pieces: Any) -> None:
    """Send pieces until the server does not want more."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
        for piece in pieces:
            connection.send(piece)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/images/edits", "/v1/models", "/nowhere"])
def test_a_body_that_says_it_is_huge_is_not_read(server: Any, path: str) -> None:
    before = server.resident_mb()
    for key in (KEY, "sk-wrong"):
        head = HEAD.replace(b"/v1/chat/completions", path.encode()).replace(KEY.encode(), key.encode())
        method = head if path.endswith(("completions", "edits")) else head.replace(b"POST", b"GET")
        connection = server.connect()
        connection.send(method + b"content-length: %d\r\n\r\n" % LARGE_BYTES)
        answer = connection.answer()
        assert answer.status in (413, 401, 404, 200)
        connection.socket.settimeout(1)
        send_all(connection, [PIECE] * 100)  # what it takes is thrown away
        connection.close()
        assert server.resident_mb() < before + GROWTH_MB


def test_chunks_that_do_not_end_are_cut_off(server: Any) -> None:
    before = server.resident_mb()
    for key, status in ((KEY, 413), ("sk-wrong", 401)):
        connection = server.connect()
        connection.send(HEAD.replace(KEY.encode(), key.encode()) + b"transfer-encoding: chunked\r\n\r\n")
        chunk = b"%x\r\n%s\r\n" % (len(PIECE), PIECE)
        send_all(connection, [chunk] * 100)
        connection.close()
        server.logged(f'"status":{status}')
    # A whole body of the largest size has been held, and let go.
    assert server.resident_mb() < before + 32 + GROWTH_MB


@pytest.mark.parametrize("what", ["head", "length", "chunks", "line"])
def test_slow_senders_are_refused_and_keep_nobody_waiting(server: Any, what: str) -> None:
    start = {
        "head": HEAD,
        "length": HEAD + b"content-length: 1000\r\n\r\n{",
        "chunks": HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n",
        "line": b"POST /v1/chat",
    }[what]
    slow = [server.connect() for _ in range(200)]
    for connection in slow:
        connection.send(start)
    assert server.ask("/v1/chat/completions", BODY, authorization=f"Bearer {KEY}").text == "hello"
    assert server.ask("/health/live", method="GET").status == 200
    for connection in slow:
        assert refusal_of(connection) == (408, True)
        connection.close()


def answers_in(connection: Any, count: int) -> list[tuple[int, bytes]]:
    """Read so many answers, which have a content-length."""
    answers: list[tuple[int, bytes]] = []
    read = b""
    while len(answers) < count:
        head, end, rest = read.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]) if end else 0
        if end and len(rest) >= length:
            answers.append((int(head.split()[1]), rest[:length]))
            read = rest[length:]
            continue
        data = connection.socket.recv(65536)
        assert data, read
        read += data
    return answers


def test_ten_thousand_keys_are_tried_in_vain(server: Any) -> None:
    names = (b"x-api-key: sk-guess-", b"authorization: Bearer sk-guess-")

    def tried(first: int, last: int) -> None:
        connection = server.connect()
        for start in range(first, last, 8):
            batch = b"".join(
                b"GET /v1/models HTTP/1.1\r\nhost: a\r\n%s%06d\r\n\r\n" % (names[number % 2], number)
                for number in range(start, start + 8)
            )
            connection.send(batch)
            for status, body in answers_in(connection, 8):
                assert status == 401
                assert b"guess" not in body
        connection.close()

    tried(0, 1000)
    logged, before = len(server.log), server.resident_mb()
    metrics = len(server.ask("/metrics", method="GET", authorization=f"Bearer {KEY}").body)
    tried(1000, 10_000)
    assert server.resident_mb() < before + 5
    assert len(server.log) - logged < 9000 * 400, "more than a line for each try"
    assert abs(len(server.ask("/metrics", method="GET", authorization=f"Bearer {KEY}").body) - metrics) < 1000
    assert "guess" not in server.log
