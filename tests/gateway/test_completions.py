"""`POST /completions`: prompts continued, whole and piece by piece."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pydantic import SecretStr

from modelport import LLM, ChatModel, CustomLLM, CustomLLMError, EmbeddingModel, Generation, create_app
from modelport.gateway.app import Gateway
from modelport.gateway.config import settings_from

GOT: dict[str, Any] = {}


class Echo(LLM):
    async def _astream(self, prompt):
        for piece in ("<", prompt, "> end"):
            yield piece


class EchoChat(ChatModel):
    def _call(self, messages):
        return f"<{messages[-1].text}> end"


class Handler(CustomLLM):
    def completion(self, messages, optional_params):
        GOT.update(optional_params=optional_params)
        return f"<{messages[-1]['content']}> end"


class Decoding(Echo):
    def _decode_tokens(self, ids):
        return "".join(map(chr, ids))


class DecodingHandler(Handler):
    def _decode_tokens(self, ids):
        return "".join(map(chr, ids))


class Options(LLM):
    async def _acall(self, prompt, suffix=None, temperature=1.0, logprobs=None, top_logprobs=None):
        GOT.update(suffix=suffix, temperature=temperature, logprobs=logprobs, top_logprobs=top_logprobs)
        return "ok"


class Dying(LLM):
    async def _astream(self, prompt):
        yield "a"
        raise CustomLLMError(503, "gone")


every_kind = pytest.mark.parametrize("kind", [Echo, EchoChat, Handler], ids=lambda kind: kind.__name__)
every_way = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


async def continued(reply: Any, conforms: Any) -> tuple[list[str], list[str | None], Any]:
    """Return the texts and finish reasons by choice, and the usage."""
    await reply.done()
    assert reply.status == 200, reply.body
    if reply.headers["content-type"] == "application/json":
        conforms(reply.json, "CreateCompletionResponse")
        events = [reply.json]
    else:
        *events, last = reply.events
        assert last == "[DONE]"
        assert len({(event["id"], event["created"], event["model"]) for event in events}) == 1
    texts: dict[int, str] = {}
    reasons: dict[int, str | None] = {}
    for event in events:
        assert (event["object"], event["model"]) == ("text_completion", "m")
        for choice in event["choices"]:
            texts[choice["index"]] = texts.get(choice["index"], "") + choice["text"]
            reasons[choice["index"]] = choice["finish_reason"] or reasons.get(choice["index"])
    order = sorted(texts)
    assert order == list(range(len(order)))
    return [texts[index] for index in order], [reasons[index] for index in order], events[-1].get("usage")


@every_kind
@every_way
async def test_prompts_are_continued_and_numbered_through(post: Any, conforms: Any, kind: Any, stream: bool) -> None:
    options = {"stream_options": {"include_usage": True}} if stream else {}
    reply = post(kind(), "completions", prompt=["a", "b"], n=2, stream=stream, **options)
    texts, reasons, usage = await continued(reply, conforms)
    assert texts == ["<a> end", "<a> end", "<b> end", "<b> end"]
    assert reasons == ["stop"] * 4
    assert usage["completion_tokens"] == 8
    assert usage["total_tokens"] == usage["prompt_tokens"] + 8


@every_kind
@every_way
async def test_stop_max_tokens_and_echo_hold(post: Any, conforms: Any, kind: Any, stream: bool) -> None:
    model = kind()
    stopped = post(model, "completions", prompt="a", stop=" end", echo=True, stream=stream)
    assert (await continued(stopped, conforms))[:2] == (["a<a>"], ["stop"])
    limited = post(model, "completions", prompt="a", max_tokens=1, stream=stream)
    assert (await continued(limited, conforms))[:2] == (["<a> "], ["length"])


@pytest.mark.parametrize("prompt", [[104, 105], [[104, 105]]])
@pytest.mark.parametrize("kind", [Decoding, DecodingHandler], ids=lambda kind: kind.__name__)
async def test_token_ids_are_decoded_by_the_model(post: Any, conforms: Any, kind: Any, prompt: Any) -> None:
    texts, *_ = await continued(post(kind(), "completions", prompt=prompt, echo=True), conforms)
    assert texts == ["hi<hi> end"]


async def test_token_ids_are_the_clients_400_when_the_model_cannot_decode_them(post: Any) -> None:
    reply = await post(Echo(), "completions", prompt=[1, 2]).done()
    assert (reply.status, reply.error["param"]) == (400, "prompt")
    assert "_decode_tokens" in reply.error["message"]


async def test_a_decoder_that_gives_no_text_is_the_models_fault(post: Any) -> None:
    class Wrong(Echo):
        def _decode_tokens(self, ids):
            return ids

    reply = await post(Wrong(), "completions", prompt=[1, 2]).done()
    assert (reply.status, reply.error["type"]) == (500, "server_error")


async def test_fields_reach_the_hook_that_names_them(post: Any) -> None:
    reply = await post(Options(), "completions", prompt="x", suffix="end", temperature=0.5, logprobs=2, top_k=1).done()
    assert reply.status == 200
    assert GOT["suffix"] == "end"
    assert (GOT["temperature"], GOT["logprobs"], GOT["top_logprobs"]) == (0.5, True, 2)


async def test_a_handler_finds_the_clients_own_fields(post: Any) -> None:
    fields = {"max_tokens": 9, "logprobs": 2, "suffix": "s", "user": "u", "seed": None}
    await post(Handler(), "completions", prompt="x", echo=False, best_of=1, **fields).done()
    assert GOT["optional_params"] == {"max_tokens": 9, "logprobs": 2, "suffix": "s", "user": "u"}


async def test_log_probabilities_have_the_older_form(post: Any, conforms: Any) -> None:
    class Likely(LLM):
        async def _acall(self, prompt, logprobs=None, top_logprobs=None):
            entry = {"token": "a", "logprob": -0.5, "bytes": None}
            return Generation("a", logprobs={"content": [{**entry, "top_logprobs": [entry]}]})

    reply = await post(Likely(), "completions", prompt="x", logprobs=1).done()
    conforms(reply.json, "CreateCompletionResponse")
    expected = {"tokens": ["a"], "token_logprobs": [-0.5], "top_logprobs": [{"a": -0.5}], "text_offset": [0]}
    assert reply.json["choices"][0]["logprobs"] == expected


@every_way
async def test_an_error_before_the_first_piece_has_its_status(post: Any, stream: bool) -> None:
    class Broken(LLM):
        async def _astream(self, prompt):
            raise CustomLLMError(429, "slow down")
            yield ""

    reply = await post(Broken(), "completions", prompt=["a", "b"], stream=stream).done()
    assert (reply.status, reply.error["type"]) == (429, "rate_limit_error")
    assert "retry-after" in reply.headers


async def test_an_error_in_the_middle_ends_the_stream_with_an_error_object(post: Any, conforms: Any) -> None:
    reply = await post(Dying(), "completions", prompt=["a", "b"], stream=True).done()
    *pieces, last = reply.events
    assert [piece["choices"][0]["text"] for piece in pieces] == ["a"]
    assert "gone" in last["error"]["message"]
    conforms(last, "ErrorResponse")


@every_way
async def test_a_client_that_leaves_stops_the_model(post: Any, stream: bool) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    class Endless(LLM):
        async def _astream(self, prompt):
            try:
                yield "a"
                began.set()
                await asyncio.Event().wait()
            finally:
                ended.set()

    reply = post(Endless(), "completions", prompt=["a", "b"], stream=stream)
    await began.wait()
    reply.disconnect()
    await reply.done()
    assert ended.is_set()


@every_way
async def test_the_deployments_timeout_holds(ask: Any, stream: bool) -> None:
    class Stuck(LLM):
        async def _acall(self, prompt):
            await asyncio.Event().wait()

    settings = settings_from({"models": {}, "server": {"timeout_seconds": 0.02}})
    app = Gateway(settings, models={"m": Stuck()})
    body = json.dumps({"model": "m", "prompt": ["a", "b"], "stream": stream}).encode()
    reply = await ask(app, "POST", "/completions", body).done()
    assert (reply.status, reply.error["type"]) == (504, "timeout_error")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt"),
        ({"prompt": "a", "n": 0}, "n"),
        ({"prompt": "a", "n": 1.5}, "n"),
        ({"prompt": "a", "best_of": 3}, "best_of"),
        ({"prompt": "a", "logprobs": 6}, "logprobs"),
        ({"prompt": "a", "echo": "yes"}, "echo"),
        ({"prompt": "a", "max_tokens": 10.5}, "max_tokens"),
        ({"prompt": "a", "stream": 1}, "stream"),
        ({"prompt": "a", "temperature": 3}, "temperature"),
        ({"prompt": "a", "model": 3}, "model"),
    ],
)
async def test_a_wrong_field_is_a_400_that_names_it(post: Any, fields: dict[str, Any], param: str) -> None:
    reply = await post(Echo(), "completions", **fields).done()
    assert (reply.status, reply.error["param"]) == (400, param)


async def test_nulls_are_the_same_as_absent_fields(post: Any) -> None:
    names = ("n", "best_of", "stop", "max_tokens", "echo", "logprobs", "suffix", "user", "stream", "stream_options")
    reply = await post(Echo(), "completions", prompt="a", **dict.fromkeys(names)).done()
    assert reply.json["choices"][0]["text"] == "<a> end"


async def test_a_model_that_answers_no_prompts_is_the_clients_400(post: Any) -> None:
    class Vectors(EmbeddingModel):
        def _embed(self, texts):
            return [[1.0]]

    class OnlyVectors(CustomLLM):
        def embedding(self, input):
            return [[1.0]]

    for model in (Vectors(), OnlyVectors()):
        for path, asked in (
            ("completions", {"prompt": "x"}),
            ("chat/completions", {"messages": [{"role": "user", "content": "x"}]}),
        ):
            reply = await post(model, path, **asked).done()
            assert (reply.status, reply.error["param"]) == (400, "model")


async def test_secrets_and_paths_stay_here(post: Any) -> None:
    class Telling(LLM):
        key: SecretStr = SecretStr("sk-very-secret")

        async def _acall(self, prompt):
            raise ValueError(f"{self.key.get_secret_value()} in /home/me/model.py")

    reply = await post(Telling(), "completions", prompt="x").done()
    assert reply.status == 500
    assert "sk-very-secret" not in reply.error["message"]
    assert "/home/me" not in reply.error["message"]
    assert "Traceback" not in reply.body.decode()


async def test_what_was_used_is_recorded(ask: Any) -> None:
    app = create_app({"m": Echo()})
    records: list[Any] = []
    app.recorded = records.append  # type: ignore[method-assign]
    for stream in (False, True):
        body = json.dumps({"model": "m", "prompt": ["a b", "c"], "stream": stream}).encode()
        await ask(app, "POST", "/v1/completions", body).done()
    whole, streamed = records
    assert whole.completion_tokens > 0
    assert (whole.prompt_tokens, whole.completion_tokens) == (streamed.prompt_tokens, streamed.completion_tokens)
    assert whole.first_token_at
    assert streamed.first_token_at
