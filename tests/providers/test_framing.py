"""Bodies that come in pieces of any size fall into the same messages."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelport.providers.framing import EventFraming, LineFraming, TextFraming
from modelport.values.shares import shared_out

TEXTS = st.text(st.sampled_from("ab:\n\r üß🌍\u2028\x85"), max_size=40)


def cut(body: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in pairwise(bounds)]


def messages(framing: LineFraming | EventFraming | TextFraming, pieces: list[bytes]) -> list[str]:
    return [one for piece in pieces for one in framing.feed(piece)] + framing.rest()


@given(TEXTS, st.lists(st.integers(0, 200)))
@example("a\r\nb\r", [2])
@example("\r", [])
def test_lines_do_not_depend_on_the_pieces(text, places) -> None:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    expected = lines if lines[-1] else lines[:-1]
    assert messages(LineFraming(), cut(text.encode(), places)) == expected


@given(st.lists(TEXTS, max_size=5), st.lists(st.integers(0, 200)), st.sampled_from(["\n", "\r\n", "\r"]))
def test_events_do_not_depend_on_the_pieces(texts, places, end) -> None:
    sent = [text.replace("\r", "").rstrip("\n") for text in texts]
    body = "".join(
        ": ping" + end + "".join(f"data: {line}{end}" for line in text.split("\n")) + "id: 1" + end + end
        for text in sent
    )
    assert messages(EventFraming(), cut(body.encode(), places)) == sent


@given(TEXTS, st.lists(st.integers(0, 200)))
def test_text_comes_without_halves_of_characters(text, places) -> None:
    pieces = messages(TextFraming(), cut(text.encode(), places))
    assert "".join(pieces) == text
    assert "" not in pieces


@pytest.mark.parametrize(
    ("body", "events"),
    [
        ("data:a\n\n", ["a"]),
        ("data:  a\n\n", [" a"]),
        ("\ufeffdata: a\n\n", ["a"]),
        ("data: a", ["a"]),
        ("event: x\n\n", []),
        ("data\n\n", [""]),
        ("data: \n\n", [""]),
    ],
)
def test_events_are_read_as_the_standard_says(body, events) -> None:
    assert messages(EventFraming(), [body.encode()]) == events


@given(st.integers(0, 10**6), st.lists(st.integers(0, 1000), min_size=1, max_size=9))
def test_shares_add_up_and_follow_their_weights(total, weights) -> None:
    parts = shared_out(total, weights)
    assert sum(parts) == total
    assert min(parts) >= 0
    whole = sum(weights)
    if whole:
        assert all(abs(part - total * weight / whole) <= 1 for part, weight in zip(parts, weights, strict=True))
