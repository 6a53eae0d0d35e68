"""Mocks: what they answer, how fast, how they fail, and that a seed decides it all."""

from __future__ import annotations

import pickle
import struct
import zlib
from typing import Any

import pytest

from modelport import AIMessage
from modelport.providers import MockEmbeddings, MockImages, MockLLM, MockModel, mock_calls
from modelport.values.errors import InputError
from modelport.values.status_errors import APIStatusError, RateLimitError

TEXT = "  The quick  brown fox\njumps. "


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that mocks would have waited."""
    waited: list[float] = []

    async def asleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(mock_calls, "asleep", asleep)
    return waited


class TestAnswers:
    def test_it_echoes_the_last_message_unless_told_otherwise(self) -> None:
        assert MockModel().invoke([("system", "be kind"), ("human", TEXT)]).content == TEXT
        assert MockLLM().invoke(TEXT) == TEXT
        assert MockLLM(answer="always").invoke(TEXT) == "always"

    def test_a_script_is_followed_and_repeated(self) -> None:
        model = MockLLM(answers=["one", "two"])
        assert [model.invoke("x") for _ in range(3)] == ["one", "two", "one"]

    def test_a_script_that_is_not_repeated_ends(self) -> None:
        model = MockLLM(answers=["one"], repeat=False)
        assert model.invoke("x") == "one"
        with pytest.raises(InputError, match="has 1 answers, and this is call 2"):
            model.invoke("x")

    def test_a_script_may_have_messages_and_errors(self) -> None:
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
        said = {"role": "assistant", "content": "", "tool_calls": [call]}
        model = MockModel(answers=[said, AIMessage("done"), KeyError("oh")])
        asked = model.bind_tools([{"type": "function", "function": {"name": "f", "parameters": {}}}])
        assert asked.invoke("x").tool_calls == [{"name": "f", "args": {"a": 1}, "id": "c", "type": "tool_call"}]
        assert "".join(piece.text for piece in model.stream("x")) == "done"
        with pytest.raises(KeyError):
            model.invoke("x")

    @pytest.mark.parametrize(
        ("fields", "complaint"),
        [({"answers": []}, "is empty"), ({"answers": [3]}, r"\[0\] is a int"), ({"jitter": 2}, "'jitter'")],
    )
    def test_wrong_settings_are_named(self, fields, complaint) -> None:
        with pytest.raises(ValueError, match=complaint):
            MockModel(**fields)

    def test_usage_counts_its_tokens_and_max_tokens_holds(self) -> None:
        [[answer]] = MockLLM().generate([TEXT], max_tokens=3).generations
        assert answer.text == "  The quick  brown"
        assert (answer.finish_reason, answer.usage.completion_tokens, answer.usage.estimated) == ("length", 3, False)

    def test_a_finish_reason_can_be_given(self) -> None:
        model = MockModel(finish_reason="content_filter")
        assert model.invoke("x").response_metadata["finish_reason"] == "content_filter"
        *_, last = model.stream("x")
        assert last.response_metadata["finish_reason"] == "content_filter"


class TestPace:
    def test_the_first_token_and_the_others_take_their_time(self, waits) -> None:
        model = MockLLM(time_to_first_token_seconds=2, inter_token_seconds=0.5, tokens_per_chunk=2)
        assert list(model.stream("a b c d e")) == ["a b", " c d", " e"]
        assert waits == [2, 0.5, 0.5, 0.5, 0.5]
        waits.clear()
        assert model.invoke("a b c") == "a b c"
        assert waits == [2, 0.5, 0.5]

    def test_jitter_stays_in_its_bounds_and_follows_the_seed(self, waits) -> None:
        def run(seed: int) -> list[float]:
            waits.clear()
            model = MockLLM(time_to_first_token_seconds=1, inter_token_seconds=1, jitter=0.25, seed=seed)
            list(model.stream("a b c d"))
            return list(waits)

        first = run(1)
        assert first == run(1)
        assert first != run(2)
        assert len(set(first)) == 4
        assert all(0.75 <= seconds <= 1.25 for seconds in first)

    def test_the_default_waits_for_nothing(self, waits) -> None:
        MockLLM().invoke("a b c")
        assert waits == []


class TestFailures:
    def outcomes(self, model: Any, calls: int = 40) -> list[int]:
        found = []
        for _ in range(calls):
            try:
                model.invoke("x")
                found.append(200)
            except APIStatusError as error:
                found.append(error.status_code)
        return found

    def test_given_calls_fail_with_given_statuses(self) -> None:
        assert self.outcomes(MockLLM(failures={2: 429, 3: 500}), 4) == [200, 429, 500, 200]
        with pytest.raises(RateLimitError, match="call 1 with status 429"):
            MockModel(failures={1: 429}).invoke("x")

    def test_a_rate_of_calls_fails_by_the_seed(self) -> None:
        first = self.outcomes(MockLLM(failure_rate=0.3, seed=1))
        assert first == self.outcomes(MockLLM(failure_rate=0.3, seed=1))
        assert first != self.outcomes(MockLLM(failure_rate=0.3, seed=2))
        assert set(first) == {200, 503}
        assert self.outcomes(MockLLM(failure_rate=1, failure_status=500), 3) == [500] * 3

    def test_a_stream_can_fail_in_the_middle(self) -> None:
        pieces = MockLLM(failures={1: 502}, fail_after_tokens=2).stream("a b c")
        assert [next(pieces), next(pieces)] == ["a", " b"]
        with pytest.raises(APIStatusError):
            next(pieces)

    def test_a_pickle_goes_on_counting(self) -> None:
        model = MockLLM(answers=["one", "two"])
        model.invoke("x")
        assert pickle.loads(pickle.dumps(model)).invoke("x") == "two"


class TestEmbeddings:
    def test_equal_texts_have_equal_vectors_of_length_one(self) -> None:
        model = MockEmbeddings()
        one, other, again = model.embed_documents(["a", "b", "a"])
        assert one == again
        assert one != other
        assert sum(number * number for number in one) == pytest.approx(1)
        assert MockEmbeddings(seed=1).embed_query("a") != one

    def test_dimensions_are_kept(self) -> None:
        assert len(MockEmbeddings().embed_query("a")) == 8
        assert len(MockEmbeddings().embed_query("a", dimensions=3)) == 3
        assert len(MockEmbeddings(dimensions=5).embed_query("a")) == 5
        with pytest.raises(InputError, match="at most"):
            MockEmbeddings().embed_query("a", dimensions=10**9)


class TestImages:
    def read(self, data: bytes | None) -> tuple[int, int, bytes]:
        """Return width, height and the first pixel, checking every block's sum."""
        assert data is not None
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        blocks, place = {}, 8
        while place < len(data):
            (length,) = struct.unpack(">I", data[place : place + 4])
            kind, content = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
            (given,) = struct.unpack(">I", data[place + 8 + length : place + 12 + length])
            assert given == zlib.crc32(kind + content)
            blocks[kind] = content
            place += 12 + length
        width, height, depth, colours = struct.unpack(">IIBB", blocks[b"IHDR"][:10])
        pixels = zlib.decompress(blocks[b"IDAT"])
        assert (depth, colours, len(pixels)) == (8, 2, height * (1 + 3 * width))
        return width, height, pixels[1:4]

    def test_images_are_valid_and_made_of_the_prompt(self) -> None:
        model = MockImages()
        [one, other] = model.generate_images("a cat", n=2, size="3x2").images
        assert self.read(one.data)[:2] == (3, 2)
        assert self.read(one.data)[2] != self.read(other.data)[2]
        assert model.generate_images("a cat", size="3x2").images[0].data == one.data
        assert model.generate_images("a cat", size="auto").images == model.generate_images("a cat").images
        assert one.mime_type == "image/png"
        assert self.read(model.generate_images("x").images[0].data)[:2] == (16, 16)

    def test_edits_depend_on_the_images(self) -> None:
        model = MockImages()
        first, second = model.generate_images("x", n=2).images
        edited = [model.edit_images(image, "hat").images[0].data for image in (first, second, first)]
        assert edited[0] == edited[2] != edited[1]

    @pytest.mark.parametrize("size", ["big", "0x5", "5x", "99999x9", "²x2", "-1x4"])
    def test_a_wrong_size_is_refused(self, size) -> None:
        with pytest.raises(InputError, match="size must"):
            MockImages().generate_images("x", size=size)
