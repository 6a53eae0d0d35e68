"""The request log: one line of JSON for each request, which never holds up the server."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelport.gateway.record import RequestRecord
from modelport.gateway.request_log import RequestLog


def record(request_id: str = "req_1", **fields: Any) -> RequestRecord:
    made = RequestRecord(request_id, "/chat/completions")
    made.started, made.ended, made.status = 100.0, 101.5, 200
    for name, field in fields.items():
        setattr(made, name, field)
    return made


def lines_of(raw: bytes) -> list[dict[str, Any]]:
    assert raw == b"" or raw.endswith(b"\n")
    return [json.loads(line) for line in raw.decode().splitlines()]


class StandingPipe(io.RawIOBase):
    """Takes nothing until it is opened."""

    def __init__(self) -> None:
        self.may_flow = threading.Event()
        self.is_asked = threading.Event()
        self.taken = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.is_asked.set()
        self.may_flow.wait()
        self.taken += data
        return len(data)


def test_a_line_says_who_asked_what_and_how_long_it_took() -> None:
    file = io.BytesIO()
    log = RequestLog(file)
    before, clock = datetime.now(UTC), time.perf_counter()
    log.write(
        record(
            key_id="team-a",
            model="my-model",
            deployment="my-model/1",
            stream=True,
            prompt_tokens=7,
            completion_tokens=11,
            first_token_at=100.25,
            queue_seconds=0.125,
        )
    )
    assert log.close()
    [line] = lines_of(file.getvalue())
    said = line.pop("time")
    assert said.endswith("Z")
    ended = before + timedelta(seconds=101.5 - clock)
    assert abs(datetime.fromisoformat(said) - ended) < timedelta(seconds=1)
    assert line == {
        "request_id": "req_1",
        "key_id": "team-a",
        "endpoint": "/chat/completions",
        "model": "my-model",
        "deployment": "my-model/1",
        "stream": True,
        "status": 200,
        "error_type": None,
        "prompt_tokens": 7,
        "completion_tokens": 11,
        "first_token_ms": 250.0,
        "queue_ms": 125.0,
        "total_ms": 1500.0,
    }


def test_a_request_that_came_to_no_model_has_a_line_too() -> None:
    file = io.BytesIO()
    log = RequestLog(file)
    log.write(record(status=401, error_type="authentication_error"))
    log.close()
    [line] = lines_of(file.getvalue())
    assert (line["status"], line["error_type"]) == (401, "authentication_error")
    assert line["key_id"] is line["model"] is line["deployment"] is line["first_token_ms"] is None


def test_what_a_client_sends_cannot_make_lines_of_its_own() -> None:
    file = io.BytesIO()
    log = RequestLog(file)
    log.write(record('x"}\n{"status": 1}\u2028\x85\x1b[31m\ud800'))
    log.close()
    raw = file.getvalue()
    [line] = lines_of(raw)
    assert line["status"] == 200
    assert raw.count(b"\n") == 1
    assert b"\x1b" not in raw


def test_lines_keep_their_order_and_are_written_together() -> None:
    writes: list[bytes] = []

    class Counted(io.BytesIO):
        def write(self, data: Any, /) -> int:
            writes.append(bytes(data))
            return len(data)

    log = RequestLog(Counted())
    for number in range(2500):
        log.write(record(str(number)))
    assert log.close()
    assert [line["request_id"] for line in lines_of(b"".join(writes))] == [str(number) for number in range(2500)]
    assert len(writes) < 100


def test_a_pipe_that_stands_still_holds_nobody_up_and_the_lost_lines_are_said() -> None:
    pipe = StandingPipe()
    log = RequestLog(pipe, max_lines=10)
    log.write(record("first"))
    assert pipe.is_asked.wait(10)
    for number in range(25):
        log.write(record(str(number)))
    assert not log.flush(timeout=0)
    assert log.dropped_lines == 15
    pipe.may_flow.set()
    assert log.flush(10)
    log.write(record("last"))
    assert log.close(10)
    lines = lines_of(bytes(pipe.taken))
    notes = [line for line in lines if "event" in line]
    assert [line["request_id"] for line in lines if "event" not in line] == ["first", *map(str, range(10)), "last"]
    assert [(note["event"], note["lines"]) for note in notes] == [("request_log_lines_dropped", 15)]


def test_a_pipe_that_does_not_block_gets_every_byte() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    received = bytearray()

    def read_all() -> None:
        while part := os.read(reader, 4096):
            received.extend(part)

    with open(writer, "wb", buffering=0) as file:
        log = RequestLog(file)
        for number in range(2000):
            log.write(record(str(number)))
        thread = threading.Thread(target=read_all)
        thread.start()
        assert log.close(20)
    thread.join()
    os.close(reader)
    assert [line["request_id"] for line in lines_of(bytes(received))] == [str(number) for number in range(2000)]


def test_a_reader_that_has_gone_stops_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0) as file:
        log = RequestLog(file)
        log.write(record())
        log.write(record())
        assert log.close(10)
    assert log.dropped_lines == 2


def test_closing_leaves_no_thread_and_a_later_line_is_written_all_the_same() -> None:
    others = threading.enumerate()

    def threads() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread not in others]

    file = io.BytesIO()
    log = RequestLog(file)
    assert log.flush()
    assert not threads()
    for number in range(3):
        log.write(record(str(number)))
        assert len(threads()) == 1
        assert log.close()
        assert not threads()
    assert len(lines_of(file.getvalue())) == 3


@pytest.mark.parametrize("ending", ["log.close()", "log.flush()", "log.flush(); log.write(r)"])
def test_a_process_that_ends_has_its_lines_on_standard_error(ending: str) -> None:
    code = f"""
from modelport.gateway.record import RequestRecord
from modelport.gateway.request_log import RequestLog
log, r = RequestLog(), RequestRecord("req_1", "/models")
for _ in range(500):
    log.write(r)
{ending}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0
    assert len(lines_of(done.stderr)) in (500, 501)


@pytest.mark.parametrize("stream", [io.StringIO(), None], ids=["a notebook's", "none"])
def test_a_standard_error_that_takes_texts_or_is_not_there_is_no_obstacle(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO | None
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    log = RequestLog()
    log.write(record("req_é"))
    assert log.close()
    if stream is not None:
        assert [line["request_id"] for line in lines_of(stream.getvalue().encode())] == ["req_é"]
