"""Bytes that are hardly HTTP: heads, lengths, chunks, paths, methods and other protocols, over real sockets."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

KEY = b"sk-the-one-that-is-right-7f3a"
BODY = json.dumps({"model": "echo", "messages": [{"role": "user", "content": "hello"}]}).encode()
AUTH = b"authorization: Bearer " + KEY + b"\r\n"
POST = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n" + AUTH
GOOD = POST + b"content-length: %d\r\n\r\n%s" % (len(BODY), BODY)
INNER = b"GET /smuggled HTTP/1.1\r\nconnection: close\r\nhost: a\r\n\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"
WHOLE_CHUNK = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
STATUS = re.compile(rb"^HTTP/1\.[01] (\d{3}) ", re.MULTILINE)


@pytest.fixture(scope="module")
def server(start_server: Any) -> Any:
    from pathlib import Path

    server = start_server("plain.py", (Path(__file__).parent / "hostile.yaml").read_text(encoding="utf-8"))
    yield server
    server.check_is_well()
    assert KEY.decode() not in server.log


def said_to(server: Any, *data: bytes) -> tuple[list[int], bytes]:
    """Send bytes, and return the statuses of the answers, and all that came."""
    connection = server.connect()
    try:
        for piece in data:
            connection.send(piece)
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has heard enough
    read = connection.rest()
    connection.close()
    statuses = [int(status) for status in STATUS.findall(read)]
    for status, body in zip(statuses, re.split(rb"(?m)^HTTP/1\.[01] ", read)[1:], strict=True):
        if status == 100:
            continue
        assert status in (200, 204, 400, 401, 404, 405, 408, 413, 415, 417, 431, 501, 503), read[:500]
        if status >= 400 and b"HEAD" not in data[0]:
            error = json.loads(body.partition(b"\r\n\r\n")[2])["error"]
            assert sorted(error) == ["code", "message", "param", "type"]
    for secret in (KEY, b"Traceback", b"site-packages", b"/usr/lib", b"root:", b"smuggled-was-answered"):
        assert secret not in read
    assert b"/smuggled" not in read
    return statuses, read


def is_well(server: Any) -> bool:
    return said_to(server, GOOD.replace(b"host", b"connection: close\r\nhost"))[0] == [200]


LENGTHS = [
    b"+%d", b"-%d", b"0x%x", b"%d, %d", b"%d %d", b"%d\x00", b"%d;", b"%d.0", b"1e1", b"", b"99999999999999999999%d",
    b"a", b"\xd9\xa5", b'"%d"', b"%d\r\ncontent-length: 0", b"0\r\ncontent-length: %d", b"%d\r\nContent-Length : %d",
    b"%d\r\ntransfer-encoding: chunked", b"\x0b%d", b"%d\r\n\x20continued",
]  # fmt: skip


@pytest.mark.parametrize("length", LENGTHS)
def test_a_strange_length_smuggles_nothing(server: Any, length: bytes) -> None:
    filled = length.replace(b"%d", b"%d" % len(BODY)).replace(b"%x", b"%x" % len(BODY))
    statuses, _ = said_to(server, POST + b"content-length: " + filled + b"\r\n\r\n" + BODY + INNER)
    assert len(statuses) <= 1
    assert statuses[:1] != [200]


ENCODINGS = [
    b"transfer-encoding: xchunked", b"transfer-encoding: chunked, identity", b"transfer-encoding: identity",
    b"transfer-encoding: chunked\r\ntransfer-encoding: x", b"transfer-encoding:\x0bchunked",
    b"transfer-encoding : chunked", b"transfer-encoding: chunked\x00", b"transfer-encoding:\r\n chunked",
    b"transfer-encoding: chunked\r\ncontent-length: 3", b"content-length: 3\r\ntransfer-encoding: chunked",
    b"transfer_encoding: chunked", b"x: y\ntransfer-encoding: chunked", b"x: y\rtransfer-encoding: chunked",
    b" transfer-encoding: chunked", b"transfer-encoding: chunked, chunked", b'transfer-encoding: "chunked"',
]  # fmt: skip


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_strange_encoding_smuggles_nothing(server: Any, encoding: bytes) -> None:
    statuses, read = said_to(server, POST + encoding + b"\r\n\r\n" + WHOLE_CHUNK + INNER)
    assert 200 not in statuses or b"connection: close" in read or encoding.endswith((b"\r\n chunked", b"\nx"))
    assert is_well(server)


CHUNKS = [
    b"ffffffffffffffffff\r\n", b"-1\r\n", b"0x5\r\nhello\r\n", b"+5\r\nhello\r\n", b"5_0\r\n", b"G\r\n", b"\r\n",
    b" 5\r\nhello\r\n", b"5;" + b"x" * 200_000 + b"\r\nhello\r\n", b"5\r\nhelloX0\r\n\r\n", b"5\nhello\n0\n\n",
    b"5\rhello\r0\r\r", b"5\r\nhel", b"7fffffffffffffff\r\n", b"0\r\nbad trailer\r\n\r\n",
    b"5;a=\x00\r\nhello\r\n0\r\n\r\n", b"0\r\nx: " + b"y" * 200_000 + b"\r\n\r\n",
    b"0\r\n" + b"a: b\r\n" * 50_000 + b"\r\n",
]  # fmt: skip


@pytest.mark.parametrize("chunks", CHUNKS, ids=range(len(CHUNKS)))
def test_strange_chunks_are_refused(server: Any, chunks: bytes) -> None:
    statuses, _ = said_to(server, CHUNKED + chunks + INNER)
    assert all(status >= 400 for status in statuses)
    assert is_well(server)


@pytest.mark.parametrize("end", [b"0\r\na: b\r\n\r\n", b"00000000000\r\n\r\n", b"0;x=y\r\n\r\n"])
def test_legal_chunks_are_read(server: Any, end: bytes) -> None:
    chunk = b"000000%x;name=value\r\n%s\r\n" % (len(BODY), BODY)
    assert said_to(server, CHUNKED.replace(b"host", b"connection: close\r\nhost") + chunk + end)[0] == [200]


@pytest.mark.parametrize("line", [b"a: " + b"y" * 1_000_000, b"a: b\r\n" * 100_000])
def test_what_comes_after_a_chunked_body_is_bounded(server: Any, line: bytes) -> None:
    before = server.resident_mb()
    for _ in range(3):
        said_to(server, CHUNKED + b"0\r\n", *[line] * 20)
    assert server.resident_mb() < before + 20
    assert is_well(server)


OTHERS = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(50),
    b"SSH-2.0-x\r\n", b"\x00" * 5000, b"\xff" * 5000, b"\r\n" * 5000, b"GET /\r\n\r\n", b"GET / HTTP/0.9\r\n\r\n",
    b"GET / HTTP/1.2\r\n\r\n", b"GET / HTTP/3\r\n\r\n", b"GET / http/1.1\r\n\r\n",
    b"GET  /  HTTP/1.1\r\nconnection: close\r\n\r\n", b"GET\t/\tHTTP/1.1\r\n\r\n", b" GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: a\r\n b\r\n\r\n", b"GET / HTTP/1.1\r\n: x\r\n\r\n", b"GET / HTTP/1.1\r\nhost\r\n\r\n",
    b"GET / HTTP/1.1\r\na\x00b: c\r\n\r\n", b"GET / HTTP/1.1\r\na: \x00\r\n\r\n", b"GET / HTTP/1.1\na: b\n\n",
    b"GET / HTTP/1.1\ra: b\r\r", b"USER anonymous\r\nPASS x\r\n", b"*1\r\n$4\r\nPING\r\n",
    b"\x05\x01\x00",
    b"CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nupgrade: h2c\r\nconnection: upgrade\r\nhttp2-settings: AAMAAABk\r\n\r\n",
    b"GET / HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-key: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nconnection: close\r\nexpect: magic\r\n\r\n",
    POST + b"expect: 100-continue\r\ncontent-length: 5\r\n\r\n", b"G" * 100_000,
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000 + b"\r\n",
    b"GET / HTTP/1.1\r\na: " + b"b" * 100_000 + b"\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"a" * 100_000 + b": b\r\n\r\n",
]  # fmt: skip


@pytest.mark.parametrize("data", OTHERS, ids=range(len(OTHERS)))
def test_what_is_no_request_is_refused_or_cut(server: Any, data: bytes) -> None:
    statuses, _ = said_to(server, data)
    assert 200 not in statuses
    assert is_well(server)


METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get", "X" * 50, "PURGE"]
PATHS = [
    "/", "//", "///v1//models", "/v1", "/v1/", "/v1/models", "/v1/models/", "/v1/models/../../etc/passwd",
    "/v1/models/..%2f..%2fetc/passwd", "/v1/models/%2e%2e/%2e%2e/etc/passwd", "/../../../etc/passwd", "/v1/../metrics",
    "/v1/models/\x00", "/v1/models/%00", "/v1/models/%ff%fe", "/v1/models/%", "/v1/models/%zz",
    "/v1/models/models:Echo", "/v1/models/file:///etc/passwd", "/v1/models/\\..\\..", "/v1/models/*",
    "/v1/models/any/*", "/v1/models/any/..", "/v1/models/echo/../chat", "/v1/models/{id}", "/v1/models/" + "a" * 8000,
    "/v1/models/%0d%0ax:%20y", "/v1/chat/completions/", "/v1//chat/completions", "/V1/CHAT/COMPLETIONS",
    "/v1/chat/completions?x=" + "y" * 8000, "/v1/v1/chat/completions", "/v1/chat%2fcompletions", "/health/live/..",
    "/docs/../models.py", "/models.py", "/config.yaml", "/static/../config.yaml", "/.env",
    "http://evil.example/v1/models", "http://evil.example@a/", "*", "a", "?", "#", "/v1/models#x", "/;/v1/models",
    "/v1/models;x=y", "/%", "/\u00e9", "/metrics/", "/openapi.json/", "/favicon.ico", "/v1/images/../models",
    "/health/ready%00",
]  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_any_path_with_any_method_is_answered(server: Any, method: str) -> None:
    for path in PATHS:
        line = f"{method} {path} HTTP/1.1\r\nconnection: close\r\nhost: a\r\n".encode("latin-1")
        statuses, read = said_to(server, line + AUTH + b"content-length: 0\r\n\r\n")
        assert len(statuses) <= 1, path
        assert b"from modelport" not in read, path
        assert b"body_timeout_seconds" not in read, path
        assert not re.search(rb"(?mi)^x: y", read.partition(b"\r\n\r\n")[0]), path
        if method not in ("OPTIONS", "HEAD") and statuses == [200]:
            assert method == "GET", path
    assert is_well(server)


NAMES = [
    "models:Echo", "models.py:Echo", "./models.py:Echo", "/etc/passwd", "../models.py:Echo", "os:system", "os.system",
    "builtins:exec", "openai/gpt-4o", "http/torchserve", "http", "mock/x", "modelport:LLM", "*", "any/", "%2a", "ec*",
    "", " ", "echo ", "ECHO", "echo\x00", "\x00", "\ud800", "a" * 100_000, "${HOME}", "os.environ/HOME",
    "{0.__class__}", "%s%s%n", "file:///etc/passwd", "http://127.0.0.1:1/", "models", "__import__('os')",
    "echo\r\nx: y", "../../any/x", "pictures", "vectors",
]  # fmt: skip


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_a_name_that_looks_like_code_is_no_model(server: Any, path: str) -> None:
    for name in NAMES:
        body = json.dumps({"model": name, "prompt": "x", "messages": [{"role": "user", "content": "x"}]}).encode()
        answer = server.ask(path, body, authorization=f"Bearer {KEY.decode()}")
        assert answer.status in (400, 404), (name, answer)
        assert answer.error["param"] == "model"
        assert len(answer.body) < 1000


def test_what_stands_for_a_wildcard_stays_a_name(server: Any) -> None:
    for name in ("../../x", "%2e%2e", "/etc/passwd", "models:Echo", "*", "a b", "é", "a" * 500):
        body = json.dumps({"model": f"any/{name}", "messages": [{"role": "user", "content": "x"}]}).encode()
        answer = server.ask("/v1/chat/completions", body, authorization=f"Bearer {KEY.decode()}")
        assert answer.text == "hello"
        assert answer.json["model"] == f"any/{name}"


HEADERS = [
    b"authorization: ", b"authorization: Bearer", b"authorization: Bearer \xff\xfe", b"authorization: Basic \x80",
    b"x-api-key: \xff", b"authorization: Bearer " + b"x" * 30_000, b"authorization: Bearer " + KEY + b"x",
    b"authorization: Bearer " + KEY[:-1], b"x-request-id: \xff\x01", b"x-request-id: " + b"y" * 5000,
    b"x-request-id: a\tb", b"content-type: \xff", b"accept: \xff", b"origin: \xff", b"cookie: " + b"z" * 20_000,
    b"content-encoding: gzip", b"host: \xff", b"host: a\r\nhost: b", b"forwarded: for=127.0.0.1",
    b"x-forwarded-for: 127.0.0.1", b"x-http-method-override: DELETE", b"range: bytes=0-", b"if-none-match: *",
    b"te: trailers", b"accept-encoding: gzip, br", b"connection: x-api-key", b"keep-alive: timeout=99999999999",
]  # fmt: skip


@pytest.mark.parametrize("header", HEADERS, ids=range(len(HEADERS)))
def test_a_strange_header_is_no_500(server: Any, header: bytes) -> None:
    start = b"POST /v1/chat/completions HTTP/1.1\r\nconnection: close\r\n"
    length = b"content-length: %d\r\n" % len(BODY)
    statuses, _ = said_to(server, start + length + header + b"\r\n\r\n" + BODY)
    assert statuses in ([401], [400])
    statuses, read = said_to(server, start + header + b"\r\n" + length + AUTH + b"\r\n" + BODY)
    assert statuses in ([200], [400], [401], [415])
    assert b"yyyyyyyy" not in read
    assert is_well(server)


header_names = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"), min_size=1, max_size=20
)
heads = st.lists(st.tuples(header_names, st.binary(max_size=30)), max_size=8)


@settings(max_examples=100)
@given(heads, st.binary(max_size=20), st.binary(max_size=40))
def test_random_heads_and_bytes_are_answered_or_cut(
    server: Any, head: list[tuple[str, bytes]], start: bytes, body: bytes
) -> None:
    lines = b"".join(b"%s: %s\r\n" % (name.encode(), value) for name, value in head)
    said_to(server, b"POST /v1/chat/completions HTTP/1.1\r\nconnection: close\r\n" + lines + AUTH + b"\r\n" + body)
    said_to(server, start + b" / HTTP/1.1\r\nconnection: close\r\n" + lines + b"\r\n" + body)
    assert is_well(server)
