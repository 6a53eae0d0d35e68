"""Bodies that no good client sends: every field of every endpoint gets every wrong value; JSON is broken at will."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

KEY = "sk-the-one-that-is-right-7f3a"
CONFIG = (Path(__file__).parent / "hostile.yaml").read_text(encoding="utf-8")

MESSAGES = [
    {"role": "system", "content": "be brief", "name": "s"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "hello"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            {"type": "file", "file": {"file_id": "f"}},
        ],
    },
    {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "1", "content": "42"},
    {"role": "user", "content": "and now?"},
]
CHAT = {
    "messages": MESSAGES,
    "stream": False,
    "stream_options": {"include_usage": True},
    "n": 1,
    "stop": ["x", "y"],
    "max_tokens": 5,
    "max_completion_tokens": 5,
    "temperature": 1.0,
    "top_p": 0.5,
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
    "seed": 1,
    "logprobs": False,
    "top_logprobs": 2,
    "logit_bias": {"1": 5},
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "parallel_tool_calls": True,
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
    "reasoning_effort": "low",
    "modalities": ["text"],
    "user": "u",
    "metadata": {"a": "b"},
    "store": False,
    "service_tier": "auto",
    "functions": [{"name": "f"}],
    "prediction": {"type": "content", "content": "x"},
}
COMPLETION = {
    "prompt": ["a", "b"],
    "best_of": 1,
    "echo": True,
    "suffix": "s",
    "logprobs": 1,
    "n": 1,
    "stream": False,
    "stream_options": {"include_usage": True},
    "stop": ["x"],
    "max_tokens": 5,
    "temperature": 1.0,
    "top_p": 0.5,
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
    "seed": 1,
    "logit_bias": {"1": 5},
    "user": "u",
}
IMAGE = {
    "prompt": "a",
    "n": 1,
    "size": "auto",
    "quality": "auto",
    "response_format": "b64_json",
    "style": "vivid",
    "background": "auto",
    "moderation": "auto",
    "output_format": "png",
    "output_compression": 50,
    "partial_images": 0,
    "stream": False,
    "user": "u",
}
EMBEDDING = {"input": ["a", "b"], "dimensions": 2, "encoding_format": "float", "user": "u"}
RERANK = {
    "query": "q",
    "documents": ["a", {"text": "b"}],
    "top_n": 1,
    "return_documents": True,
    "rank_fields": ["text"],
}

REQUESTS = [
    ("/v1/chat/completions", {"model": "echo", **CHAT, "tools": None, "tool_choice": None, "response_format": None}),
    ("/v1/chat/completions", {"model": "chat", **CHAT}),
    ("/v1/chat/completions", {"model": "chat", **CHAT, "stream": True}),
    ("/v1/chat/completions", {"model": "handler", **CHAT}),
    ("/v1/completions", {"model": "echo", **COMPLETION}),
    ("/v1/completions", {"model": "echo", **COMPLETION, "echo": False, "stream": True, "logprobs": None}),
    ("/v1/embeddings", {"model": "vectors", **EMBEDDING}),
    ("/v1/images/generations", {"model": "pictures", **IMAGE}),
    ("/v1/rerank", {"model": "ranking", **RERANK}),
]

WRONG: list[Any] = [
    None, True, 0, -1, 1, 3, 10**400, 1e308, -1e-320, "", "x", "\x00", "\ud800", "😀", "a" * 5000, "..", "/etc/passwd",
    "NaN", "%s%n{0}", [], [None], [[]], [[1.5]], ["x", 1], [-1], [10**30], {}, {"": None}, {"type": "text"},
    {"a": {"b": []}},
]  # fmt: skip
"""What is put in the place of each value."""


@pytest.fixture(scope="module")
def server(start_server: Any) -> Any:
    server = start_server("plain.py", CONFIG)
    yield server
    server.check_is_well()
    assert KEY not in server.log


class Asked:
    """Asks over one connection as long as it stays open."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.connection: Any = None

    def __call__(self, path: str, body: bytes, content_type: str = "application/json") -> Any:
        if self.connection is None:
            self.connection = self.server.connect()
        headers = {"authorization": f"Bearer {KEY}", "content_type": content_type}
        self.connection.ask(path, body, **headers)
        answer = self.connection.answer()
        if answer.headers.get("connection") == "close":
            self.close()
        self.check(answer, body)
        return answer

    @staticmethod
    def check(answer: Any, body: bytes) -> None:
        assert answer.status in (200, 400, 404, 413, 415), (answer, body[:2000])
        if answer.status != 200:
            assert answer.error["type"] == "invalid_request_error", (answer, body[:2000])
            assert len(answer.body) < 2000, answer
        elif b"data: " not in answer.body[:6]:
            json.loads(answer.body)
        else:
            assert answer.body.endswith(b"data: [DONE]\n\n"), (answer, body[:2000])
        assert KEY.encode() not in answer.body

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None


@pytest.fixture(scope="module")
def asked(server: Any) -> Iterator[Asked]:
    asked = Asked(server)
    yield asked
    asked.close()


def places(value: Any) -> Iterator[list[Any]]:
    """Yield the way to every value inside of a value."""
    steps: Any = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for step in steps:
        yield [step]
        for further in places(value[step]):
            yield [step, *further]


def with_wrong(body: Any, place: list[Any], value: Any) -> Any:
    body = copy.deepcopy(body)
    inside = body
    for step in place[:-1]:
        inside = inside[step]
    inside[place[-1]] = value
    return body


@pytest.mark.parametrize(("path", "body"), REQUESTS, ids=lambda one: one["model"] if isinstance(one, dict) else one)
def test_every_wrong_value_in_every_place_is_answered(asked: Asked, path: str, body: dict[str, Any]) -> None:
    assert asked(path, json.dumps(body).encode()).status == 200
    for place in places(body):
        for value in WRONG:
            asked(path, json.dumps(with_wrong(body, place, value)).encode())
    assert asked(path, json.dumps(body).encode()).status == 200


PATHS = sorted({path for path, _ in REQUESTS} | {"/v1/images/edits"})
RAW = [
    b"", b" ", b"null", b"[]", b"5", b'"x"', b"{", b"}", b"{}}", b"{}{}", b"{}x", b"\xef\xbb\xbf{}",
    b"\xff\xfe{\x00}\x00", b'{"model": NaN}', b'{"model": Infinity}', b'{"temperature": -Infinity, "model": "echo"}',
    b'{"model": 1e999999}', b'{"model": ' + b"1" * 100_000 + b"}", b'{"model": -' + b"9" * 5000 + b".5e-99999}",
    b"[" * 200_000, b'{"a":' * 100_000, b'{"model":"echo","messages":' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"model":"echo","x":' + b'{"a":' * 900 + b"1" + b"}" * 900 + b',"messages":[{"role":"user","content":"a"}]}',
    b'{"model":"echo","messages":[{"role":"user","content":"a"}],"metadata":' + b"[" * 900 + b"]" * 900 + b"}",
    b'{"model":"echo","model":"nope","messages":[],"messages":[{"role":"user","content":"a"}]}',
    b'{"model":"\xff","messages":[]}', b'{"model":"\xc0\x80"}', b'{"model":"\xed\xa0\x80"}', b'{"model":"\\ud800"}',
    b'{"model":"\\u00"}', b'{"model":"\x00"}', b'{"mo\\u0064el":"echo"}', b"{'model':'echo'}", b'{"model":"echo",}',
    b'/* */{"model":"echo"}', b'{"model":"echo"}' + b" " * 100_000, b"model=echo", b"<xml/>", b"\x00" * 1000,
    b'{"' + b"k" * 100_000 + b'":1}', b"{" + b",".join(b'"k%d":1' % n for n in range(20_000)) + b"}",
    b'{"model":"' + b"x" * 100_000 + b'","messages":[{"role":"user","content":"a"}]}',
    b'{"model":"echo","messages":[' + b",".join([b'{"role":"user","content":"a"}'] * 5000) + b"]}",
    b'{"model":"echo","messages":[{"role":"user","content":"a"}],"stop":[' + b",".join([b'"x"'] * 5000) + b"]}",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "", "multipart/form-data; boundary=x"])
def test_broken_json_is_the_clients_mistake(asked: Asked, path: str, content_type: str) -> None:
    for body in RAW:
        answer = asked(path, body, content_type)
        if body.startswith((b"{}", b"[", b" ", b"n", b"\xff")):
            assert answer.status != 200, body[:100]


PART = b'--x\r\ncontent-disposition: form-data; name="%s"%s\r\n%s\r\n%s\r\n'
FORMS = [
    b"--x--\r\n", b"--x\r\n", b"--x\r\n\r\n", b"--y\r\n\r\n--y--", b"--x\r\n" * 5000,
    PART % (b"image", b'; filename="a"', b"", b"x" * 2_000_000) * 2,
    PART % (b"image", b'; filename="../../etc/passwd"', b"content-type: image/png\r\n", b"\x89PNG") + b"--x--\r\n",
    PART % (b"image", b'; filename="a\x00b"', b"", b"") + PART % (b"prompt", b"", b"", b"\xff\xfe") + b"--x--\r\n",
    PART % (b"prompt", b"", b"content-transfer-encoding: base64\r\n", b"!!!") + b"--x--\r\n",
    PART % (b"n", b"", b"", b"9" * 5000) + PART % (b"model", b"", b"", b"pictures") + b"--x--\r\n",
    PART % (b"model", b"", b"a: " + b"b" * 100_000 + b"\r\n", b"pictures") + b"--x--\r\n",
    PART % (b"model", b"", b"a: b\r\n" * 5000, b"pictures") + b"--x--\r\n",
    b"".join(PART % (b"image[]", b'; filename="a"', b"", b"x") for _ in range(2000)) + b"--x--\r\n",
    b"".join(PART % (b"k%d" % n, b"", b"", b"x") for n in range(5000)) + b"--x--\r\n",
    PART % (b"model", b"", b"", b"pictures") + PART % (b"image", b"", b"", b"no file") + b"--x--\r\n",
    PART % (b"model", b"", b"", b"pictures") * 2 + PART % (b"prompt", b"", b"", b"p") * 2 + b"--x--\r\n",
    b"--x\r\ncontent-disposition: form-data\r\n\r\nx\r\n--x--\r\n",
    b"--x\r\ncontent-disposition: " + b";" * 50_000 + b"\r\n\r\nx\r\n--x--\r\n",
    b'--x\r\ncontent-disposition: form-data; name*=utf-8\'\'%ff; name="model"\r\n\r\nx\r\n--x--\r\n',
]  # fmt: skip
TYPES = [
    "multipart/form-data; boundary=x", "multipart/form-data", "multipart/form-data; boundary=",
    'multipart/form-data; boundary="', "multipart/form-data; boundary=" + "x" * 5000, "multipart/mixed; boundary=x",
    "multipart/form-data; boundary=x; boundary=y", "multipart/form-data;" + ";" * 5000,
    "application/x-www-form-urlencoded",
]  # fmt: skip


@pytest.mark.parametrize("content_type", TYPES, ids=range(len(TYPES)))
def test_broken_forms_are_the_clients_mistake(asked: Asked, content_type: str) -> None:
    asked("/v1/images/edits", b"")
    files = asked.server.open_files()
    for body in FORMS:
        asked("/v1/images/edits", body, content_type)
    assert asked.server.open_files() <= files + 1, "what was uploaded is still open"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["echo", "chat"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
requests = st.sampled_from(REQUESTS)


@settings(max_examples=150)
@given(requests, st.data())
def test_random_values_are_answered(asked: Asked, request_: tuple[str, dict[str, Any]], data: st.DataObject) -> None:
    path, body = request_
    place = data.draw(st.sampled_from(list(places(body))))
    asked(path, json.dumps(with_wrong(body, place, data.draw(json_values))).encode("utf-8", "surrogatepass"))


@settings(max_examples=150)
@given(requests, st.data())
def test_bytes_that_flipped_are_answered(
    asked: Asked, request_: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    path, body = request_
    raw = bytearray(json.dumps(body).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    asked(path, bytes(raw))
