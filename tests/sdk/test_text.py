"""`text_completion`: one or several prompts, continued."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import modelport
from modelport import LLM, ChatModel, CustomLLM, ModelTimeoutError


class Echo(LLM):
    def _stream(self, prompt, heat=None):
        yield from ("<", prompt, "> end")


class EchoChat(ChatModel):
    async def _acall(self, messages):
        return f"<{messages[-1].text}> end"


class Handler(CustomLLM):
    def completion(self, messages):
        return f"<{messages[-1]['content']}> end"


class AsyncHandler(CustomLLM):
    async def astreaming(self, messages):
        for piece in ("<", messages[-1]["content"], "> end"):
            yield {"text": piece}


WAYS = ("whole", "awhole", "stream", "astream")


def continued(way: str, *args: Any, **given: Any) -> tuple[list[str], list[str | None], Any]:
    """Return the texts and the finish reasons by choice, and the usage."""
    if way == "whole":
        responses: list[Any] = [modelport.text_completion(*args, **given)]
    elif way == "awhole":
        responses = [asyncio.run(modelport.atext_completion(*args, **given))]
    elif way == "stream":
        given["stream_options"] = {"include_usage": True}
        responses = list(modelport.text_completion(*args, stream=True, **given))
    else:

        async def chunks() -> list[Any]:
            options = {"include_usage": True}
            stream = await modelport.atext_completion(*args, stream=True, stream_options=options, **given)
            return [chunk async for chunk in stream]

        responses = asyncio.run(chunks())
    texts: dict[int, str] = {}
    reasons: dict[int, str | None] = {}
    for response in responses:
        assert response.object == "text_completion"
        for choice in response.choices:
            texts[choice.index] = texts.get(choice.index, "") + choice.text
            reasons[choice.index] = choice.finish_reason or reasons.get(choice.index)
    order = sorted(texts)
    return [texts[index] for index in order], [reasons[index] for index in order], responses[-1].usage


every_kind = pytest.mark.parametrize("kind", [Echo, EchoChat, Handler, AsyncHandler], ids=lambda kind: kind.__name__)
every_way = pytest.mark.parametrize("way", WAYS)


@every_kind
@every_way
def test_prompts_are_continued_and_numbered_through(kind: Any, way: str) -> None:
    modelport.register("m", kind())
    texts, reasons, usage = continued(way, ["a", "b"], "m/x", n=2)
    assert texts == ["<a> end", "<a> end", "<b> end", "<b> end"]
    assert reasons == ["stop"] * 4
    assert usage.completion_tokens == 8


@every_kind
@every_way
def test_stop_and_max_tokens_hold(kind: Any, way: str) -> None:
    modelport.register("m", kind())
    assert continued(way, "a", "m/x", stop=[" end"])[:2] == (["<a>"], ["stop"])
    assert continued(way, "a", model="m/x", max_tokens=1)[:2] == (["<a> "], ["length"])


@every_way
def test_echo_puts_the_prompt_before_each_choice(way: str) -> None:
    modelport.register("m", Echo())
    assert continued(way, ["p", "q"], "m/x", echo=True)[0] == ["p<p> end", "q<q> end"]


@every_way
def test_what_a_model_raises_has_a_status(way: str) -> None:
    class Broken(LLM):
        def _call(self, prompt):
            raise modelport.CustomLLMError(429, "slow down")

    modelport.register("m", Broken())
    with pytest.raises(modelport.ModelportError, match="slow down") as failure:
        continued(way, "a", "m/x")
    assert failure.value.status_code == 429
    assert isinstance(failure.value.__cause__, modelport.CustomLLMError)


@every_way
def test_a_keyword_that_the_model_does_not_take_is_named(way: str) -> None:
    modelport.register("m", Echo())
    with pytest.raises(modelport.ModelportError, match="'cold'") as failure:
        continued(way, "a", "m/x", cold=1)
    assert (failure.value.status_code, failure.value.param) == (400, "cold")
    assert continued(way, "a", "m/x", cold=1, heat=2, drop_params=True)[0] == ["<a> end"]


def test_the_choices_of_one_prompt_stream_at_once() -> None:
    """Each choice waits for the other's first piece: one after the other would never end."""
    meeting = asyncio.Barrier(2)

    class Meeting(LLM):
        async def _astream(self, prompt):
            yield "a"
            await meeting.wait()
            yield "b"

    modelport.register("m", Meeting())
    assert continued("astream", "p", "m/x", n=2, timeout=10)[0] == ["ab", "ab"]


def test_a_timeout_holds_for_all_prompts_together() -> None:
    class Stuck(LLM):
        async def _acall(self, prompt):
            await asyncio.Event().wait()

    modelport.register("m", Stuck())
    with pytest.raises(ModelTimeoutError):
        modelport.text_completion(["a", "b"], "m/x", timeout=0.05)


@every_way
@pytest.mark.parametrize("prompt", [[104, 105], ([104, 105],)])
def test_token_ids_are_decoded_by_a_model_that_is_loaded(way: str, prompt: Any) -> None:
    class Decoding(Echo):
        def _load(self):
            self._letters = "".join(map(chr, range(128)))

        def _decode_tokens(self, ids):
            return "".join(self._letters[one] for one in ids)

    modelport.register("m", Decoding())
    assert continued(way, prompt, "m/x", echo=True)[0] == ["hi<hi> end"]


@pytest.mark.parametrize("prompt", ["", [], None, [1, 2], 3])
def test_a_prompt_that_is_none_is_the_callers_400(prompt: Any) -> None:
    modelport.register("m", Echo())
    if prompt == "":
        assert modelport.text_completion(prompt, "m/x").choices[0].text == "<> end"
        return
    with pytest.raises(modelport.ModelportError) as failure:
        modelport.text_completion(prompt, "m/x")
    assert (failure.value.status_code, failure.value.param) == (400, "prompt")
