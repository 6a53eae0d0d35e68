"""What servers get wrong in streams, and clients trip over. See test_error_traps.py and test_request_traps.py, too.

Each test names where the trap was seen. Traps that other tests hold:

    the same id, created, model in all chunks; the usage chunk      test_chat, wire/test_chat_chunks
    no null that OpenAI's schema forbids, each key that it wants    test_chat, wire/test_chat_response
    the status waits for the first chunk or error                   test_chat
    the newer name of max_tokens wins                               test_chat, wire/test_chat_request
    stop is not in the answer; text that is held back comes         test_chat, engine/test_stop_properties
    log probabilities of /completions                               test_completions, wire/test_text_completion
    line separators, "data: [DONE]" and lone surrogates in texts    test_chat, clients/
    embeddings in base64, which SDKs ask for by default             clients/, test_embeddings
    the end of the body comes with [DONE]                           test_chat, clients/
    ids of models with slashes; HEAD; unknown routes                test_routes
    CORS                                                            test_cors
    Retry-After and x-should-retry                                  test_errors, clients/
    a client that leaves stops the model                            test_disconnect, clients/
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from modelport import (
    LLM,
    AIMessageChunk,
    ChatModel,
    Generation,
    GenerationChunk,
    create_app,
)

LOGPROB = {"token": "hi", "logprob": -0.5, "bytes": [104, 105], "top_logprobs": []}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in ("weather", "now")]


class Echo(LLM):
    chat_template: str | None = "last"

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        for char in prompt:
            yield char


class Pieces(LLM):
    """Says its pieces, whatever it is asked."""

    pieces: list[str]

    def _stream(self, prompt: str) -> Iterator[str]:
        yield from self.pieces


class InTurns(LLM):
    """Goes on only when two answers have come as far: they must run, and be sent, side by side."""

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        for piece in ("a", "b", "c"):
            await BARRIERS[piece].wait()
            yield piece


BARRIERS: dict[str, asyncio.Barrier] = {}


class Silent(LLM):
    """Says one piece, and the other when it is let."""

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        yield "one"
        await LET.wait()
        yield " two"


LET = asyncio.Event()


class Tools(ChatModel):
    """Calls each tool: the first with arguments in pieces, the others with none."""

    def _stream(self, messages: Any, tools: Any) -> Iterator[AIMessageChunk]:
        for index, tool in enumerate(tools):
            first = {"name": tool["function"]["name"], "args": "", "id": f"call-{index}", "index": index}
            yield AIMessageChunk(tool_call_chunks=[first])
            for piece in ('{"a"', ": 1}") if not index else ():
                yield AIMessageChunk(tool_call_chunks=[{"name": None, "args": piece, "id": None, "index": index}])


class WithoutArguments(ChatModel):
    def _call(self, messages: Any, tools: Any) -> Generation:
        return Generation(tool_calls=[{"name": "now", "args": {}, "id": "call-0"}])


class Probable(LLM):
    """Knows how probable its one token is."""

    supports = frozenset({"logprobs"})

    def _stream(self, prompt: str, logprobs: bool | None = None) -> Iterator[GenerationChunk]:
        yield GenerationChunk("hi", logprobs={"content": [LOGPROB]} if logprobs else None)


def frames(body: bytes) -> list[str]:
    """Split a stream as the strictest reader does; each frame is one line of data."""
    *parts, last = body.decode("utf-8").split("\n\n")
    assert last == ""
    for part in parts:
        assert part.startswith("data: ")
        assert not set("\r\n") & set(part)
    return [part.removeprefix("data: ") for part in parts]


def by_choice(reply: Any, count: int) -> list[list[Any]]:
    """Return each choice's own entries; no chunk has two, and none of another index."""
    entries: list[list[Any]] = [[] for _ in range(count)]
    for event in reply.events[:-1]:
        if event["choices"]:
            [entry] = event["choices"]
            entries[entry["index"]].append(entry)
    return entries


# theopenco/llmgateway PR 2334 (ids and comments), LitServe (frames without an empty line), opencode#43379 (no [DONE])
@pytest.mark.parametrize(
    "fields", [{}, {"stream_options": {"include_usage": True}}, {"n": 3}, {"max_tokens": 1}, {"stop": "l"}], ids=str
)
async def test_every_event_is_one_line_and_done_is_the_last_of_them(chat: Any, fields: Any) -> None:
    reply = await chat(Echo(), "hello \r\n\n data: x", stream=True, **fields).done()
    *chunks, done = frames(reply.body)
    assert done == "[DONE]"
    assert all(isinstance(json.loads(chunk), dict) for chunk in chunks)
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert "content-length" not in reply.headers


# bifrost#6523, tensorzero#1265 (role), foundry-local#423, ollama#4357, llama-cpp-python#1038 (finish_reason)
@pytest.mark.parametrize("text", ["hello", ""])
@pytest.mark.parametrize("n", [1, 3])
async def test_each_choice_has_its_role_first_and_its_reason_last(chat: Any, text: str, n: int) -> None:
    reply = await chat(Pieces(pieces=[*text, ""]), stream=True, n=n).done()
    for entries in by_choice(reply, n):
        assert entries[0]["delta"] == {"role": "assistant", "content": ""}
        assert all("role" not in entry["delta"] for entry in entries[1:])
        assert [entry["finish_reason"] for entry in entries] == [None] * (len(entries) - 1) + ["stop"]
        assert entries[-1]["delta"] == {}
        assert "".join(entry["delta"].get("content", "") for entry in entries) == text


# openai_trtllm#48, llama-cpp-python#1906, lmdeploy#4073
async def test_choices_come_side_by_side(chat: Any) -> None:
    BARRIERS.update((piece, asyncio.Barrier(2)) for piece in "abc")
    reply = await chat(InTurns(), stream=True, n=2).done()
    said = [
        (entry["index"], entry["delta"]["content"])
        for event in reply.events[:-1]
        for entry in event["choices"]
        if entry["delta"].get("content")
    ]
    assert sorted(said[:2]) == [(0, "a"), (1, "a")]
    assert sorted(said[2:4]) == [(0, "b"), (1, "b")]
    assert sorted(said[4:]) == [(0, "c"), (1, "c")]


# apfel#100, gradio#11729: who did not ask indexes choices[0] of every chunk
async def test_without_asking_there_is_no_usage_and_no_chunk_without_choices(chat: Any) -> None:
    for options in ({}, {"stream_options": None}, {"stream_options": {"include_usage": False}}):
        reply = await chat(Echo(), stream=True, **options).done()
        assert all(event["choices"] and "usage" not in event for event in reply.events[:-1])


# codex#7517, AstrBot PR 6692, openai-python#3246, agno PR 8880, mlx-openai-server PR 216
async def test_tool_calls_in_a_stream_have_growing_indexes_and_name_themselves_once(chat: Any) -> None:
    reply = await chat(Tools(), stream=True, tools=TOOLS, tool_choice="auto").done()
    [entries] = by_choice(reply, 1)
    pieces = [piece for entry in entries for piece in entry["delta"].get("tool_calls", ())]
    assert [piece["index"] for piece in pieces] == sorted(piece["index"] for piece in pieces)
    for index, name in enumerate(("weather", "now")):
        first, *others = [piece for piece in pieces if piece["index"] == index]
        assert (first["id"], first["type"], first["function"]["name"]) == (f"call-{index}", "function", name)
        assert all({"index", "function"} == set(other) and {"arguments"} == set(other["function"]) for other in others)
        arguments = "".join(piece["function"]["arguments"] for piece in (first, *others))
        assert json.loads(arguments) == ({"a": 1} if index == 0 else {})
    assert entries[-1]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_call_without_arguments_has_an_empty_object(chat: Any, stream: bool) -> None:
    reply = await chat(WithoutArguments(), stream=stream, tools=TOOLS).done()
    if stream:
        [call] = [one for entry in by_choice(reply, 1)[0] for one in entry["delta"].get("tool_calls", ())]
    else:
        message = reply.json["choices"][0]["message"]
        [call] = message["tool_calls"]
        assert message["content"] is None
    assert call["function"] == {"name": "now", "arguments": "{}"}


# tensorzero#1265: null is for tool calls and refusals only
async def test_an_answer_without_text_is_an_empty_text(chat: Any, conforms: Any) -> None:
    reply = await chat(Pieces(pieces=[""])).done()
    conforms(reply.json, "CreateChatCompletionResponse")
    [choice] = reply.json["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("", "stop")


# vllm#3179, vllm#4795, llama-cpp-python#1787: `logprobs` without `top_logprobs` is legal
async def test_log_probabilities_have_openais_form_whole_and_in_pieces(chat: Any, conforms: Any) -> None:
    whole = await chat(Probable(), logprobs=True).done()
    conforms(whole.json, "CreateChatCompletionResponse")
    assert whole.json["choices"][0]["logprobs"] == {"content": [LOGPROB], "refusal": None}
    streamed = await chat(Probable(), logprobs=True, stream=True).done()
    told = [entry["logprobs"] for entry in by_choice(streamed, 1)[0] if entry.get("logprobs")]
    assert told == [{"content": [LOGPROB], "refusal": None}]
    unasked = await chat(Probable()).done()
    assert unasked.json["choices"][0]["logprobs"] is None


# SwiftLM#126, mlx-knife#68, tgi#1254, FastChat PR 3883: characters, across pieces, and what was held back is said
@pytest.mark.parametrize(
    ("pieces", "stop", "said"),
    [
        (["one t", "w", "o three"], " two", "one"),
        (["one t", "w"], " two", "one tw"),
        (["a😀", "b😀c"], ["😀c", "😀b"], "a"),
        (["aab", "aabaac"], "aabaac", "aab"),
        (["abc"], ["c", "bc"], "a"),
    ],
)
async def test_a_stop_string_may_be_cut_into_pieces(chat: Any, pieces: list[str], stop: Any, said: str) -> None:
    model = Pieces(pieces=pieces)
    assert (await chat(model, stop=stop, stream=True).done()).text == said
    assert (await chat(model, stop=stop).done()).json["choices"][0]["message"]["content"] == said


# vllm-mlx PR 109, exo PR 1691, djl PR 3085: half characters must not become U+FFFD
async def test_half_a_character_waits_for_the_other_or_stays_what_it_is(chat: Any) -> None:
    reply = await chat(Pieces(pieces=["a\ud83d", "\ude00b"]), stream=True).done()
    assert "\ufffd" not in reply.body.decode("utf-8")
    assert reply.text.encode("utf-16", "surrogatepass").decode("utf-16") == "a😀b"


# llmgateway PR 2334, coder#28185 (openai-go dies of empty events), opencode#50871, llama.cpp PR 24013
async def test_comments_of_a_silent_stream_are_lines_that_make_no_event(ask: Any) -> None:
    LET.clear()
    app = create_app({"m": Silent()})
    app.serving.comment_seconds = 0.01
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}).encode()
    reply = ask(app, "POST", "/v1/chat/completions", body)
    comments = 0
    while comments < 2:
        comments += (await reply.next_message()).get("body", b"").count(b": keep-alive\n")
    LET.set()
    await reply.done()
    assert b": keep-alive\n\n" not in reply.body
    without = reply.body.replace(b": keep-alive\n", b"")
    texts = [json.loads(frame)["choices"][0]["delta"].get("content", "") for frame in frames(without)[:-1]]
    assert "".join(texts) == "one two"
