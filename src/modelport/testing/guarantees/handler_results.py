"""What handlers may return and yield, in each of the SDK's functions for chats, and what is kept of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from modelport.testing import gates
from modelport.testing.checks import CheckFailure, NotApplicable, check_each_way, expect, expect_equal
from modelport.testing.gates import Gate, patiently
from modelport.testing.guarantees.handler import MESSAGES
from modelport.testing.handler_faces import CHAT_FACES, STREAM_FACES, Seen, aiterate, ask, held, scripted
from modelport.testing.handler_subject import HandlerSubject, MethodCall
from modelport.testing.probe import ProbeError
from modelport.values.errors import ModelTimeoutError
from modelport.values.usage import Usage
from modelport.wire.completion import ChatCompletion, Choice, CompletionUsage, ResponseMessage
from modelport.wire.completion_chunk import ChatCompletionChunk, Delta, StreamingChoice

SOURCE = "modelport: what a CustomLLM may return and yield; custom handler guide"
FACES = "modelport: completion() enforces stop, max_tokens, n and timeout for every handler"
_TEXT = "one two three"
_PIECES = ["one ", "two ", "three"]
_USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


async def _seen(subject: HandlerSubject, face: str, answer: Callable[[MethodCall], Any], **given: Any) -> Seen:
    """Ask a handler whose chat method answers so."""
    watched = subject.watch()
    watched.answer = answer
    async with patiently(f"`{face}`"):
        return await ask(face, watched.handler, MESSAGES, **given)


def _whole_method(subject: HandlerSubject, face: str) -> None:
    """Demand that a face is answered by `completion` or `acompletion`."""
    method = subject.method_for(CHAT_FACES[face].way)
    if not method.name.endswith("completion"):
        raise NotApplicable(f"`{face}` is answered by `{method.name}`")


def _streaming_method(subject: HandlerSubject, face: str) -> None:
    """Demand that a face is answered by `streaming` or `astreaming`."""
    method = subject.method_for(CHAT_FACES[face].way)
    if not method.name.endswith("streaming"):
        raise NotApplicable(f"`{face}` is answered by `{method.name}`")


def _expect_facts(seen: Seen, finish_reason: str = "length") -> None:
    """Fail unless the answer is what the forms below say."""
    expect_equal(seen.text, _TEXT, "the text")
    expect_equal(seen.finish_reasons, [finish_reason], "the finish reason")
    expect_equal(seen.usage, Usage(7, 5, 12), "usage")


@check_each_way("handler:{way}:result-text", source=SOURCE, ways=CHAT_FACES)
async def result_text(subject: HandlerSubject, way: str) -> None:
    """A method may return plain text: `{way}` gives it, with usage and the finish reason `stop`."""
    _whole_method(subject, way)
    seen = await _seen(subject, way, lambda call: _TEXT)
    expect_equal(seen.text, _TEXT, "the text")
    expect_equal(seen.finish_reasons, ["stop"], "the finish reason")
    expect(seen.usage.prompt_tokens > 0 and seen.usage.completion_tokens > 0, f"usage is {seen.usage}")


@check_each_way("handler:{way}:result-dict", source=SOURCE, ways=CHAT_FACES)
async def result_dict(subject: HandlerSubject, way: str) -> None:
    """A method may return OpenAI's response as a dict: `{way}` gives its text, finish reason and usage."""
    _whole_method(subject, way)
    message = {"role": "assistant", "content": _TEXT}
    response = {"choices": [{"index": 0, "message": message, "finish_reason": "length"}], "usage": _USAGE}
    _expect_facts(await _seen(subject, way, lambda call: response))


@check_each_way("handler:{way}:result-object", source=SOURCE, ways=CHAT_FACES)
async def result_object(subject: HandlerSubject, way: str) -> None:
    """A method may return a `ModelResponse`: `{way}` gives its text, finish reason and usage."""
    _whole_method(subject, way)
    choice = Choice(finish_reason="length", message=ResponseMessage(content=_TEXT))
    response = ChatCompletion(choices=[choice], usage=CompletionUsage(**_USAGE))
    _expect_facts(await _seen(subject, way, lambda call: response))


@check_each_way("handler:{way}:result-filled", source=SOURCE, ways=CHAT_FACES)
async def result_filled(subject: HandlerSubject, way: str) -> None:
    """A method may fill the `model_response` that it is given, and return it: `{way}` gives what it wrote."""
    _whole_method(subject, way)
    subject.needs(subject.method_for(CHAT_FACES[way].way), "model_response")

    def fill(call: MethodCall) -> Any:
        response = call.keywords["model_response"]
        response.choices[0].message.content = _TEXT
        response["choices"][0]["finish_reason"] = "length"
        response.usage = CompletionUsage(**_USAGE)
        return response

    _expect_facts(await _seen(subject, way, fill))


@check_each_way("handler:{way}:result-without-usage", source=SOURCE, ways=CHAT_FACES)
async def result_without_usage(subject: HandlerSubject, way: str) -> None:
    """Of a response that says 0 tokens, `{way}` tells estimated ones: a fresh `model_response` has 0 of each."""
    _whole_method(subject, way)
    subject.needs(subject.method_for(CHAT_FACES[way].way), "model_response")

    def fill(call: MethodCall) -> Any:
        call.keywords["model_response"].choices[0].message.content = _TEXT
        return call.keywords["model_response"]

    seen = await _seen(subject, way, fill)
    expect(seen.usage.prompt_tokens > 0 and seen.usage.completion_tokens > 0, f"usage is {seen.usage}")


def _streamed(call: MethodCall, pieces: list[Any]) -> Any:
    return aiterate(pieces) if call.name == "astreaming" else iter(pieces)


@check_each_way("handler:{way}:chunks-text", source=SOURCE, ways=CHAT_FACES)
async def chunks_text(subject: HandlerSubject, way: str) -> None:
    """A streaming method may yield plain text: `{way}` gives it piece by piece, with the finish reason `stop`."""
    _streaming_method(subject, way)
    seen = await _seen(subject, way, lambda call: _streamed(call, _PIECES))
    expect_equal([seen.text, *seen.finish_reasons], [_TEXT, "stop"], "text and finish reason")


def _generic(text: str, usage: Any = None, finish_reason: str = "", *, last: bool = False) -> dict[str, Any]:
    return {
        "text": text,
        "tool_use": None,
        "is_finished": last,
        "finish_reason": finish_reason,
        "usage": usage,
        "index": 0,
    }


@check_each_way("handler:{way}:chunks-generic", source=SOURCE, ways=CHAT_FACES)
async def chunks_generic(subject: HandlerSubject, way: str) -> None:
    """A streaming method may yield `GenericStreamingChunk`s: `{way}` gives their text, finish reason and usage."""
    _streaming_method(subject, way)
    pieces = [*map(_generic, _PIECES), _generic("", _USAGE, "length", last=True)]
    _expect_facts(await _seen(subject, way, lambda call: _streamed(call, pieces)))


@check_each_way("handler:{way}:chunks-object", source=SOURCE, ways=CHAT_FACES)
async def chunks_object(subject: HandlerSubject, way: str) -> None:
    """A streaming method may yield `ModelResponseStream`s, or such dicts: `{way}` gives what is in them."""
    _streaming_method(subject, way)
    pieces = [ChatCompletionChunk(choices=[StreamingChoice(delta=Delta(content=text))]) for text in _PIECES]
    pieces.append(ChatCompletionChunk(choices=[StreamingChoice(finish_reason="length", delta=Delta())]))
    pieces.append(ChatCompletionChunk(choices=[], usage=CompletionUsage(**_USAGE)))
    _expect_facts(await _seen(subject, way, lambda call: _streamed(call, pieces)))
    plain = [piece.model_dump() for piece in pieces]
    _expect_facts(await _seen(subject, way, lambda call: _streamed(call, plain)))


@check_each_way("handler:{way}:chunk-single", source=SOURCE, ways=CHAT_FACES)
async def chunk_single(subject: HandlerSubject, way: str) -> None:
    """A streaming method may return one chunk in place of an iterator, as the guide's does: `{way}` gives it."""
    _streaming_method(subject, way)
    _expect_facts(await _seen(subject, way, lambda call: _generic(_TEXT, _USAGE, "length", last=True)))


@check_each_way("handler:{way}:chunks-awaited", source=SOURCE, ways=CHAT_FACES)
async def chunks_awaited(subject: HandlerSubject, way: str) -> None:
    """An `astreaming` that is a coroutine may return an iterator, sync or async: `{way}` gives its chunks."""
    _streaming_method(subject, way)
    if subject.method_for(CHAT_FACES[way].way).name != "astreaming":
        raise NotApplicable(f"`{way}` is answered by `streaming`")

    async def later(value: Any) -> Any:
        return value

    for make in (aiterate, iter):
        seen = await _seen(subject, way, lambda call, make=make: later(make(_PIECES)))
        expect_equal(seen.text, _TEXT, "the text")


# ── what the functions keep ─────────────────────────────────────────────────────────────────────────────────────────


@check_each_way("handler:{way}:stop-excluded", source=FACES, ways=CHAT_FACES)
async def stop_excluded(subject: HandlerSubject, way: str) -> None:
    """`{way}` ends before a stop string, which its caller does not see, also when pieces cut it in two."""
    subject.method_for(CHAT_FACES[way].way)
    seen = await _seen(subject, way, lambda call: scripted(call, ["one ", "E", "ND", " two"]), stop="END")
    expect_equal([seen.text, *seen.finish_reasons], ["one ", "stop"], "text and finish reason")


@check_each_way("handler:{way}:max-tokens", source=FACES, ways=CHAT_FACES)
async def max_tokens(subject: HandlerSubject, way: str) -> None:
    """`{way}` with `max_tokens` gives no more of a long answer, and the finish reason `length`."""
    subject.method_for(CHAT_FACES[way].way)
    if "max_tokens" in subject.supports:
        raise NotApplicable("the class says that it does `max_tokens` itself")
    seen = await _seen(subject, way, lambda call: scripted(call, ["word "] * 100), max_tokens=5)
    expect(0 < len(seen.text) < 100, f"the text has {len(seen.text)} characters")
    expect_equal(seen.finish_reasons, ["length"], "the finish reason")


@check_each_way("handler:{way}:choices", source=FACES, ways=CHAT_FACES)
async def choices(subject: HandlerSubject, way: str) -> None:
    """`{way}` with n=3 gives three choices, each an answer of its own."""
    subject.method_for(CHAT_FACES[way].way)
    if "n" in subject.supports:
        raise NotApplicable("the class says that it does `n` itself")
    watched = subject.watch()
    watched.answer = lambda call: scripted(call, [f"answer {watched.calls.index(call)}"])
    async with patiently(f"`{way}`"):
        seen = await ask(way, watched.handler, MESSAGES, n=3)
    expect_equal(sorted(seen.texts), ["answer 0", "answer 1", "answer 2"], "the choices")


@check_each_way("handler:{way}:deadline", source=FACES, ways=CHAT_FACES)
async def deadline(subject: HandlerSubject, way: str) -> None:
    """`{way}` with a `timeout` raises `ModelTimeoutError` while the method still runs."""
    subject.method_for(CHAT_FACES[way].way)
    with Gate() as gate:
        try:
            await _seen(subject, way, lambda call: held(call, gate), timeout=gates.SOON_SECONDS)
        except ModelTimeoutError:
            return
    raise CheckFailure(f"`{way}` raised nothing")


@check_each_way("handler:{way}:status", source=FACES, ways=CHAT_FACES)
async def status(subject: HandlerSubject, way: str) -> None:
    """An exception with a `status_code` keeps its status and text in `{way}`, and is the cause of what is raised."""
    subject.method_for(CHAT_FACES[way].way)
    failure = ProbeError("too many of them")
    failure.status_code = 429  # pyright: ignore[reportAttributeAccessIssue]

    def fail(call: MethodCall) -> Any:
        raise failure

    try:
        await _seen(subject, way, fail)
    except (CheckFailure, asyncio.CancelledError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it must be the one that is promised
        told = getattr(error, "status_code", None)
        fits = told == 429 and "too many of them" in str(error) and error.__cause__ is failure
        expect(fits, f"{error!r}, of status {told} and with the cause {error.__cause__!r}, was raised")
        return
    raise CheckFailure(f"`{way}` raised nothing")


@check_each_way("handler:{way}:one-stream", source=FACES, ways=STREAM_FACES)
async def one_stream(subject: HandlerSubject, way: str) -> None:
    """The chunks of `{way}` have one id, tell the role once, and one finish reason, in the last chunk with a choice."""
    subject.method_for(CHAT_FACES[way].way)
    seen = await _seen(subject, way, lambda call: scripted(call, _PIECES))
    expect_equal(len({chunk.id for chunk in seen.chunks}), 1, "the number of ids")
    deltas = [choice for chunk in seen.chunks for choice in chunk.choices]
    roles = [choice.delta.get("role") for choice in deltas]
    expect_equal([role for role in roles if role], ["assistant"], "the roles that are told")
    reasons = [choice.finish_reason for choice in deltas]
    expect_equal([reasons[-1], [one for one in reasons if one]], ["stop", ["stop"]], "the finish reasons")
