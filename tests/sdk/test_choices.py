"""`n` choices of handlers: of one call that supports `n`, or of n calls at once."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

import pytest

import modelport
from modelport import CustomLLM
from modelport.values.errors import HookError

WAYS = ("completion", "acompletion", "stream", "astream")
every_way = pytest.mark.parametrize("way", WAYS)


class Several(CustomLLM):
    """Gives n choices in one call, their chunks interleaved."""

    supports: ClassVar[frozenset[str]] = frozenset({"n"})

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def _texts(self, params: Any) -> list[str]:
        self.asked.append(params.get("n"))
        return [f"{place} one two" for place in range(params.get("n", 1))]

    def completion(self, optional_params):
        texts = self._texts(optional_params)
        return {
            "choices": [{"index": place, "message": {"content": text}} for place, text in enumerate(texts)],
            "usage": {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12},
        }

    def streaming(self, optional_params):
        texts = self._texts(optional_params)
        for start in range(0, 9, 2):
            for place, text in reversed(list(enumerate(texts))):
                yield {"choices": [{"index": place, "delta": {"content": text[start : start + 2]}}]}
        yield {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}}


class SeveralAsync(Several):
    async def acompletion(self, optional_params):
        return Several.completion(self, optional_params)

    async def astreaming(self, optional_params):
        for chunk in Several.streaming(self, optional_params):
            yield chunk


class Generic(Several):
    def streaming(self, optional_params):
        for place, text in enumerate(self._texts(optional_params)):
            yield {"text": text, "index": place, "is_finished": False}
            yield {"text": "", "index": place, "is_finished": True, "finish_reason": "length"}


@pytest.mark.parametrize("kind", [Several, SeveralAsync, Generic])
@every_way
def test_a_handler_that_supports_n_is_called_once_with_it(kind: Any, way: str, ask: Any) -> None:
    handler = kind()
    modelport.register("h", handler)
    answer = ask(way, "h/x", n=3)
    assert answer.texts == ["0 one two", "1 one two", "2 one two"]
    assert handler.asked == [3]
    if kind is not Generic:
        assert answer.reasons == ["stop"] * 3
        assert answer.usage.prompt_tokens == 3


@every_way
def test_each_choice_is_cut_alone(way: str, ask: Any) -> None:
    modelport.register("h", Several())
    answer = ask(way, "h/x", n=3, stop=["1 one", " two"])
    assert answer.texts == ["0 one", "", "2 one"]
    assert answer.reasons == ["stop"] * 3
    answer = ask(way, "h/x", n=2, max_tokens=1)
    assert (answer.texts, answer.reasons) == (["0 on", "1 on"], ["length"] * 2)


@pytest.mark.parametrize("way", ["stream", "astream"])
def test_a_stream_whose_choices_are_all_cut_is_closed(way: str, ask: Any) -> None:
    closed = threading.Event()

    class Endless(Several):
        def streaming(self, optional_params):
            try:
                while True:
                    for place in range(optional_params["n"]):
                        yield {"text": "x", "index": place}
            finally:
                closed.set()

    modelport.register("h", Endless())
    answer = ask(way, "h/x", n=2, max_tokens=2)
    assert answer.texts == ["x" * 8] * 2
    assert closed.wait(10)


@pytest.mark.parametrize("way", ["stream", "astream"])
def test_a_choice_that_never_comes_is_the_handlers_error(way: str, ask: Any) -> None:
    class Missing(Several):
        def streaming(self, optional_params):
            yield "all in choice 0"

    modelport.register("h", Missing())
    with pytest.raises(HookError, match=r"Missing\.streaming streamed no choice 1 of 2"):
        ask(way, "h/x", n=2)
    assert ask(way, "h/x").texts == ["all in choice 0"]


@every_way
def test_a_handler_that_does_not_support_n_is_called_n_times_without_it(way: str, ask: Any) -> None:
    class One(CustomLLM):
        asked: ClassVar[list[Any]] = []

        def completion(self, optional_params):
            self.asked.append(optional_params)
            return "one"

        def streaming(self, optional_params):
            self.asked.append(optional_params)
            yield "one"

    One.asked.clear()
    modelport.register("h", One())
    assert ask(way, "h/x", n=3).texts == ["one"] * 3
    assert One.asked == [{}] * 3


@pytest.mark.parametrize("way", ["completion", "acompletion"])
def test_an_answer_that_has_n_choices_already_is_taken_as_the_n(way: str, ask: Any) -> None:
    class Generous(CustomLLM):
        def completion(self, **kwargs):
            return {"choices": [{"index": place, "message": {"content": str(place)}} for place in range(3)]}

    modelport.register("h", Generous())
    assert ask(way, "h/x", n=3).texts == ["0", "1", "2"]
    assert ask(way, "h/x").texts == ["0"]


def test_the_pythons_faces_give_the_first_choice() -> None:
    handler = Several()
    assert handler.invoke("hi", n=2).content == "0 one two"
    assert "".join(chunk.text for chunk in handler.stream("hi", n=2)) == "0 one two"
