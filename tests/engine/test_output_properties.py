"""Bytes, stop strings and max_tokens over any chunking give what they give for the whole answer."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelport import GenerationChunk
from modelport.engine.output import Output
from modelport.engine.stop import StopFilter
from modelport.engine.tokens import TokenBudget, estimate_tokens, longest_prefix

words = st.text(alphabet="ab ü🌍", max_size=30)


def count_words(text: str) -> int:
    return len(text.split())


COUNTS = pytest.mark.parametrize("count", [estimate_tokens, len, count_words])


@st.composite
def chunks_of(draw, things):
    whole = draw(things)
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    return [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


def consume(output: Output, pieces) -> str:
    """Push pieces until nothing more is released, as the engine does."""
    for piece in pieces:
        output.push(piece)
        if output.cut:
            break
    output.finish()
    return output.text


def plain(**parts) -> Output:
    return Output("Model._stream", chat=False, stop=parts.get("stop"), budget=parts.get("budget"))


def longest_within(text: str, max_tokens: int, count) -> str:
    return max((text[:end] for end in range(len(text) + 1) if count(text[:end]) <= max_tokens), key=len)


@COUNTS
@given(text=words, max_tokens=st.integers(1, 12))
def test_the_longest_prefix_is_found(count, text, max_tokens):
    assert longest_prefix(text, max_tokens, count) == longest_within(text, max_tokens, count)


@COUNTS
@given(pieces=chunks_of(words), max_tokens=st.integers(1, 12))
def test_a_budget_over_any_chunking_keeps_the_longest_prefix(count, pieces, max_tokens):
    budget, kept = TokenBudget(max_tokens, count), ""
    for piece in pieces:
        kept += budget.push(piece)
        if budget.exceeded:
            break
    text = "".join(pieces)
    assert kept == longest_within(text, max_tokens, count)
    assert budget.exceeded == (kept != text)


@given(pieces=chunks_of(st.text(alphabet="abcdefgh", min_size=50, max_size=400)))
def test_a_long_answer_is_counted_seldom(pieces):
    counted: list[int] = []

    def count(text: str) -> int:
        counted.append(len(text))
        return len(text) // 4

    budget = TokenBudget(1_000, count)
    for piece in pieces:
        budget.push(piece)
    assert counted == []  # 400 bytes cannot be 1,000 tokens


@given(chunks_of(st.text(max_size=30).map(lambda text: text.encode("utf-8", "ignore"))))
@example(["🌍".encode()[:1], "🌍".encode()[1:3], "🌍".encode()[3:]])
def test_bytes_over_any_chunking_are_the_whole_text(pieces):
    assert consume(plain(), pieces) == b"".join(pieces).decode()


@given(chunks_of(st.binary(max_size=30)))
def test_bytes_that_are_no_text_are_replaced_once(pieces):
    assert consume(plain(), pieces) == b"".join(pieces).decode("utf-8", "replace")


@given(chunks_of(words.map(str.encode)), st.lists(st.text(alphabet="ab ü", min_size=1, max_size=3), min_size=1))
def test_stop_strings_are_found_in_bytes(pieces, stop):
    text = b"".join(pieces).decode()
    whole = consume(plain(stop=StopFilter(stop, include=False)), [text])
    assert consume(plain(stop=StopFilter(stop, include=False)), pieces) == whole


@given(chunks_of(words), st.integers(1, 6), st.booleans())
def test_stop_and_max_tokens_together_over_any_chunking(pieces, max_tokens, include):
    def fresh() -> Output:
        stop = StopFilter(["ab", "ü"], include=include)
        return plain(stop=stop, budget=TokenBudget(max_tokens, estimate_tokens))

    assert consume(fresh(), pieces) == consume(fresh(), ["".join(pieces)])


@given(chunks_of(words))
def test_released_chunks_add_up_to_the_answer(pieces):
    output = plain(stop=StopFilter(["aba"], include=True))
    released = GenerationChunk("")
    for piece in pieces:
        chunk = output.push(piece)
        released += chunk or GenerationChunk("")
        assert chunk is None or chunk.text
        if output.cut:
            break
    released += output.finish() or GenerationChunk("")
    assert released.text == output.text
