"""Events and lines out of bytes that are cut anywhere."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.wire.lines import LineSplitter
from modelport.wire.received import BadResponseError
from modelport.wire.sse import DONE, event
from modelport.wire.sse_parser import EventParser, ServerEvent

fragments = st.sampled_from(
    [
        *(b"data", b":", b" ", b"\n", b"\r", b"\r\n", b"\n\n", b"event: x", b"id: 1", b"retry: 5", b": ping"),
        *(b"[DONE]", "\ufeff".encode(), "ü\u2028\x85".encode(), b'data: {"a": 1}', b"\x00", b"\xff", b"data: x\n\n"),
    ]
)
streams = st.lists(fragments, max_size=20).map(b"".join)


def parts_of(raw: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(raw) + 1) for cut in cuts), len(raw)]
    return [raw[start:end] for start, end in pairwise(places)]


def events_of(*parts: bytes) -> list[ServerEvent]:
    parser = EventParser()
    return [*(one for part in parts for one in parser.feed(part)), *parser.end()]


def lines_of(*parts: bytes) -> list[bytes]:
    lines = LineSplitter()
    return [*(line for part in parts for line in lines.feed(part)), *lines.end()]


def reference(raw: bytes) -> list[ServerEvent]:
    """The standard's algorithm, over the whole stream at once."""
    found: list[ServerEvent] = []
    data: list[bytes] = []
    kind = ""
    for line in [*raw.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"), b""]:
        name, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if not line:
            found += [ServerEvent(b"\n".join(data), kind or "message")] if data else []
            data, kind = [], ""
        elif name == b"data":
            data.append(value)
        elif name == b"event":
            kind = value.decode("utf-8", "replace")
    return found


@given(streams, st.lists(st.integers(0, 10**4)))
def test_any_cuts_of_any_stream_give_the_standards_events(raw: bytes, cuts: list[int]) -> None:
    assert events_of(*parts_of(raw, cuts)) == events_of(raw) == reference(raw)
    assert events_of(*(bytes([byte]) for byte in raw)) == reference(raw)


@given(streams, st.lists(st.integers(0, 10**4)))
def test_any_cuts_of_any_bytes_give_the_same_lines(raw: bytes, cuts: list[int]) -> None:
    assert lines_of(*parts_of(raw, cuts)) == raw.splitlines()


@given(st.lists(st.text(st.characters(codec=None, exclude_categories=()))), st.lists(st.integers(0, 10**4)))
def test_what_we_write_is_read_as_it_was(texts: list[str], cuts: list[int]) -> None:
    raw = b"".join([*map(event, texts), DONE])
    *events, done = events_of(*parts_of(raw, cuts))
    assert [b"data: " + one.data + b"\n\n" for one in events] == [event(text) for text in texts]
    assert done.is_done
    assert not any(one.is_done for one in events)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"data: a\n\ndata:b\n\ndata:  c\n\n", [b"a", b"b", b" c"]),
        (b"data: a\r\n\r\ndata: b\r\r", [b"a", b"b"]),
        (b"data: a\ndata: b\ndata\n\n", [b"a\nb\n"]),
        (b"data\n\n", [b""]),
        (b": ping\n\n: ping\ndata: a\nid: 1\nretry: 3\nwhatever: x\n\n\n\n", [b"a"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"\n\xef\xbb\xbfdata: a\n\n", []),
        (b"data: a", [b"a"]),
        (b"data: a\n", [b"a"]),
        (b"event: x\n\ndata: a\n\n", [b"a"]),
        (b"", []),
    ],
)
def test_the_standards_cases(raw: bytes, expected: list[bytes]) -> None:
    assert [one.data for one in events_of(raw)] == expected


def test_an_event_has_its_type() -> None:
    assert events_of(b"event: error\ndata: x\n\ndata: y\n\n") == [ServerEvent(b"x", "error"), ServerEvent(b"y")]


def test_an_event_is_given_as_soon_as_it_is_complete() -> None:
    parser = EventParser()
    assert parser.feed(b"data: a\r") == []
    assert parser.feed(b"\n\r") == [ServerEvent(b"a")]
    assert parser.feed(b"\ndata: b\n") == []
    assert parser.feed(b"\n") == [ServerEvent(b"b")]
    assert parser.end() == []


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_line_without_an_end_does_not_fill_the_memory(size: int) -> None:
    lines = LineSplitter(max_line_bytes=1000)
    for _ in range(1000 // size):
        assert lines.feed(b"x" * size) == []
    with pytest.raises(BadResponseError, match="1000 bytes"):
        lines.feed(b"x" * size)


def test_a_line_of_the_longest_size_is_taken_and_one_byte_more_is_not() -> None:
    assert LineSplitter(3).feed(b"abc\nabc\n") == [b"abc", b"abc"]
    with pytest.raises(BadResponseError):
        LineSplitter(3).feed(b"a\nabcd\n")


def test_an_event_of_many_lines_does_not_fill_the_memory() -> None:
    parser = EventParser(max_event_bytes=1000)
    for _ in range(100):
        assert parser.feed(b"data: 123456789\n") == []
    with pytest.raises(BadResponseError, match="1000 bytes"):
        parser.feed(b"data: 123456789\n")
    assert EventParser(10).feed(b"data: 1234\ndata: 12345\n\n")[0].data == b"1234\n12345"


def test_a_long_line_in_many_pieces_is_put_together_once() -> None:
    """Adding each piece to what came before would copy gigabytes here, and run into the test's time limit."""
    lines = LineSplitter()
    pieces: list[Any] = [lines.feed(b"x" * 100) for _ in range(100_000)]
    assert pieces == [[]] * 100_000
    assert [len(line) for line in lines.feed(b"\n")] == [10_000_000]
