"""Stop strings over any chunking give what cutting the whole text gives."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelport.engine.stop import StopFilter, find_stop, normalise_stop
from modelport.values.errors import InputError

REAL = ["\n\n", "END", "<|im_end|>"]
texts_with_stops = st.lists(
    st.sampled_from([*REAL, "\n", "E", "EN", "<", "<|im", "|>", "end", "a", "ü", " "]), max_size=12
).map("".join)
small = st.text(alphabet="ab", min_size=1, max_size=4)


def reference(text: str, stop: Sequence[str], *, include: bool) -> str:
    """Cut the whole text, letter by letter."""
    for start in range(len(text)):
        for end in range(start + 1, len(text) + 1):
            if text[start:end] in stop:
                return text[: end if include else start]
    return text


def filtered(pieces: Sequence[str], stop: Sequence[str], *, include: bool) -> list[str]:
    """Push pieces until the match, as a consumer of the engine does."""
    stream, released = StopFilter(stop, include=include), []
    for piece in pieces:
        released.append(stream.push(piece))
        if stream.matched:
            return released
    return [*released, stream.finish()]


@st.composite
def chunked(draw, texts):
    text = draw(texts)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@given(chunked(texts_with_stops), st.booleans())
@example(["<|im_", "end|", ">x"], True)
@example(["\n", "\n"], False)
@example(["EN", "EN", "D!"], True)
def test_any_chunking_of_real_stop_strings(pieces, include):
    expected = reference("".join(pieces), REAL, include=include)
    assert "".join(filtered(pieces, REAL, include=include)) == expected


@given(texts_with_stops, st.booleans())
def test_one_character_per_chunk(text, include):
    assert "".join(filtered(text, REAL, include=include)) == reference(text, REAL, include=include)


@given(chunked(st.text(alphabet="ab", max_size=24)), st.lists(small, min_size=1, max_size=4), st.booleans())
@example(["a", "b", "a", "b"], ["abb", "ba"], True)
@example(["aab"], ["ab", "aab"], False)
@example(["a", "a"], ["aa", "a"], True)
def test_overlapping_stop_strings(pieces, stop, include):
    expected = reference("".join(pieces), stop, include=include)
    assert "".join(filtered(pieces, stop, include=include)) == expected


@given(chunked(st.text(alphabet="abc", max_size=24)), st.lists(small, min_size=1, max_size=3))
def test_only_a_possible_beginning_is_held_back(pieces, stop):
    stream, given, released = StopFilter(stop, include=True), "", ""
    for piece in pieces:
        given += piece
        released += stream.push(piece)
        if stream.matched:
            return
        held = given[len(released) :]
        # What is held could still become a stop string, at its start, that is not there yet.
        assert not held or any(one.startswith(held[:1]) for one in stop)
        assert len(held) < max(map(len, stop)) or find_stop(held, stop) is not None


@given(st.text(max_size=30), st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=3))
def test_a_whole_text_is_cut_where_find_stop_says(text, stop):
    found = find_stop(text, stop)
    assert reference(text, stop, include=True) == (text if found is None else text[: found[1]])
    assert reference(text, stop, include=False) == (text if found is None else text[: found[0]])


@pytest.mark.parametrize(
    ("given_stop", "meant"), [(None, None), ("END", ["END"]), ([], None), (("a", "b"), ["a", "b"]), (["a"], ["a"])]
)
def test_stop_is_normalised(given_stop, meant):
    assert normalise_stop(given_stop) == meant


@pytest.mark.parametrize("wrong", ["", [""], ["a", ""], 5, [None], b"x", {"a"}])
def test_a_wrong_stop_is_refused(wrong):
    with pytest.raises(InputError, match="stop"):
        normalise_stop(wrong)
