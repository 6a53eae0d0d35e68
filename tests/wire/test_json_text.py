"""JSON that survives the texts people and models really write."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.wire.json_text import encode_json, encode_line

any_text = st.text(st.characters(codec=None, exclude_categories=()))


@given(any_text)
def test_every_text_is_carried_whole(text: str) -> None:
    assert json.loads(encode_json({"text": text})) == {"text": text}
    assert json.loads(encode_line(text)) == text


@given(any_text)
def test_a_line_is_one_line_for_every_reader(text: str) -> None:
    raw = encode_line(text)
    assert len(raw.splitlines()) == 1
    assert len(raw.decode().splitlines()) == 1


@pytest.mark.parametrize("text", ["\u2028", "\u2029", "\x85", "\n\ndata: [DONE]\n\n", "\x1c", "\x0b"])
def test_separators_are_escaped(text: str) -> None:
    assert len(encode_line(f"a{text}b").decode().splitlines()) == 1


def test_ordinary_text_is_not_escaped() -> None:
    assert encode_line("héllo 😀") == '"héllo 😀"'.encode()
