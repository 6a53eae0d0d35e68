"""What real clients send that servers refuse or break on, on every endpoint. See test_wire_traps.py, too.

Sources are in the comments; "client_traps" are notes of what the clients themselves were seen to do. Traps that other
tests hold:

    each field's type and bounds                            wire/test_chat_request, test_text_request, ...
    bodies that are no JSON object                          wire/, clients/
    a wrong key, a missing key                              test_routes, clients/
    bodies and headers that are too large or too slow       test_routes, test_protocol
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from modelport import LLM, ChatModel, EmbeddingModel, ImageModel, create_app


class Echo(LLM):
    chat_template: str | None = "last"

    def _call(self, prompt: str) -> str:
        return prompt


class Roles(ChatModel):
    """Says who said what."""

    def _call(self, messages: Any, tools: Any = None, tool_choice: Any = None) -> str:
        said = "; ".join(f"{message.type}: {message.content}" for message in messages)
        return f"{said} {json.dumps(tool_choice)}" if tool_choice is not None else said


class Vectors(EmbeddingModel):
    def _embed(self, texts: list[str], dimensions: int = 3) -> list[list[float]]:
        return [[float(len(text)), 0.5, -1.25, 2.0][:dimensions] for text in texts]


class Images(ImageModel):
    def _generate_images(self, prompt: str, n: int = 1) -> list[bytes]:
        return [b"\x89PNG\r\n\x1a\n" + prompt.encode()] * n


BODIES: dict[str, dict[str, Any]] = {
    "chat/completions": {"model": "text", "messages": [{"role": "user", "content": "hi"}]},
    "completions": {"model": "text", "prompt": "hi"},
    "embeddings": {"model": "vectors", "input": "hi"},
    "images/generations": {"model": "images", "prompt": "hi"},
}
NULLS: dict[str, list[str]] = {
    "chat/completions": [
        "stream stream_options n stop max_tokens max_completion_tokens temperature top_p frequency_penalty",
        "presence_penalty seed logprobs top_logprobs logit_bias tools tool_choice parallel_tool_calls",
        "response_format reasoning_effort modalities user metadata store functions function_call service_tier",
    ],
    "completions": [
        "stream stream_options n stop max_tokens temperature top_p frequency_penalty presence_penalty seed logprobs",
        "logit_bias echo best_of suffix user",
    ],
    "embeddings": ["encoding_format dimensions user"],
    "images/generations": ["n size quality style response_format background output_format user stream"],
}
ODD_JSON = (b"[" * 100_000, b'{"a":' * 50_000, b"1e999", b"NaN", b"-Infinity", b"9" * 100_000)
HUGE = (10**12, 10**30, -(10**30), 1e300, "9" * 5000)


@pytest.fixture
def post(ask: Any) -> Any:
    """Post a body to an endpoint that has a model for it: `await post("embeddings", input="hi")`."""
    app = create_app({"text": Echo(), "vectors": Vectors(), "images": Images(), "roles": Roles()})

    async def post(path: str, raw: bytes | None = None, base: str = "/v1/", **fields: Any) -> Any:
        body = json.dumps({**BODIES[path], **fields}).encode() if raw is None else raw
        return await ask(app, "POST", f"{base}{path}", body).done()

    return post


def answer_of(reply: Any) -> Any:
    """Return an answer without what differs from one call to the next."""
    assert reply.status == 200, reply.body
    return {name: value for name, value in reply.json.items() if name not in {"id", "created"}}


# seeds/002 calls /chat/completions, SDKs /v1/...; kserve/website PR 471
@pytest.mark.parametrize("path", BODIES)
async def test_each_path_is_there_with_and_without_v1(post: Any, path: str) -> None:
    assert answer_of(await post(path)) == answer_of(await post(path, base="/"))


# client_traps: explicit nulls for every option come from real clients
@pytest.mark.parametrize("path", BODIES)
async def test_a_null_for_every_option_is_the_same_as_nothing(post: Any, path: str) -> None:
    nulls = dict.fromkeys(" ".join(NULLS[path]).split())
    assert answer_of(await post(path, **nulls)) == answer_of(await post(path))


# client_traps; peers.md: vLLM's extras, LangChain's and proxies' own keys
@pytest.mark.parametrize("path", BODIES)
async def test_unknown_keys_are_accepted(post: Any, path: str) -> None:
    extras = {"top_k": 5, "min_p": 0.1, "guided_json": {}, "ignore_eos": True, "x": {"y": [None]}, "litellm_id": "1"}
    assert answer_of(await post(path, **extras)) == answer_of(await post(path))


# client_traps: `dimensions: 10**12` hung a server for minutes
@pytest.mark.parametrize("value", HUGE, ids=lambda value: str(value)[:12])
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("chat/completions", "n"),
        ("chat/completions", "max_tokens"),
        ("chat/completions", "top_logprobs"),
        ("chat/completions", "temperature"),
        ("chat/completions", "seed"),
        ("completions", "n"),
        ("completions", "best_of"),
        ("completions", "logprobs"),
        ("embeddings", "dimensions"),
        ("images/generations", "n"),
    ],
)
async def test_a_number_without_bounds_is_a_400_that_names_it(post: Any, path: str, name: str, value: Any) -> None:
    if (name, value) in {("max_tokens", 10**12), ("seed", 10**12)}:
        assert (await post(path, **{name: value})).status == 200
        return
    reply = await post(path, **{name: value})
    assert (reply.status, reply.error["param"]) == (400, name)
    assert len(reply.error["message"]) < 300


# client_traps: floats like `n: 1.0` gave 500s
@pytest.mark.parametrize(("path", "name"), [(path, "n") for path in BODIES if path != "embeddings"])
async def test_a_float_for_a_count_is_a_400(post: Any, path: str, name: str) -> None:
    for value in (1.0, 1.5, True, "1"):
        reply = await post(path, **{name: value})
        assert (reply.status, reply.error["param"]) == (400, name)


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "value",
    [b"[" * 100_000, b'{"a":' * 50_000, b"1e999", b"NaN", b"-Infinity", b"9" * 100_000],
    ids=lambda one: one[:5],
)
async def test_json_that_breaks_parsers_is_a_400_or_nothing_to_speak_of(post: Any, path: str, value: bytes) -> None:
    inside = json.dumps(BODIES[path]).encode().removesuffix(b"}") + b', "extra": ' + value + b"}"
    for raw in (value, inside):
        reply = await post(path, raw)
        assert reply.status in {200, 400}
        assert reply.status == 200 or reply.error["type"] == "invalid_request_error"


# pydantic-ai with Ray (ray#52934); LitServe's enum of roles
async def test_every_role_and_parts_of_text_reach_the_model(post: Any) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "developer", "content": "brief"},
        {"role": "system", "content": [{"type": "text", "text": "kind"}], "name": None},
        {
            "role": "user",
            "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            "cache": {"ttl": 5},
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [call],
            "refusal": None,
            "audio": None,
            "function_call": None,
        },
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "42"}]},
        {"role": "assistant", "content": "", "tool_calls": None, "reasoning_content": "hm"},
        {"role": "user", "content": "c"},
    ]
    reply = await post("chat/completions", model="roles", messages=messages)
    said = answer_of(reply)["choices"][0]["message"]["content"]
    kinds = [part.split(":")[0] for part in said.split("; ")]
    assert kinds == ["system", "system", "human", "ai", "tool", "ai", "human"]
    for text in ("brief", "kind", "a", "b", "42", "c"):
        assert text in said


async def test_a_text_model_reads_parts_of_text_as_one(post: Any) -> None:
    parts = [{"type": "text", "text": "a😀"}, {"type": "text", "text": "b"}]
    reply = await post("chat/completions", messages=[{"role": "user", "content": parts}])
    assert reply.json["choices"][0]["message"]["content"].replace("\n", "") == "a😀b"


# LitServe's enum: `tool_choice` is a word or an object
@pytest.mark.parametrize(
    "choice", ["auto", "none", "required", {"type": "function", "function": {"name": "f"}}], ids=str
)
async def test_a_tool_choice_reaches_the_model_as_it_is(post: Any, choice: Any) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": None, "strict": None}}]
    reply = await post("chat/completions", model="roles", tools=tools, tool_choice=choice)
    assert answer_of(reply)["choices"][0]["message"]["content"].endswith(json.dumps(choice))


# client_traps: a lone surrogate is legal JSON, and made servers without ASCII escapes answer 500
@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("chat/completions", b'"messages":[{"role":"user","content":"\\ud800x"}]'),
        ("completions", b'"prompt":"\\ud800x"'),
        ("embeddings", b'"input":["\\ud800x"]'),
        ("images/generations", b'"prompt":"\\ud800x"'),
    ],
)
async def test_a_lone_surrogate_never_is_the_servers_failure(post: Any, path: str, field: bytes) -> None:
    model = BODIES[path]["model"].encode()
    reply = await post(path, b'{"model":"' + model + b'",' + field + b"}")
    if path == "images/generations":
        # This model's own code cannot encode it.
        assert (reply.status, reply.error["type"]) == (500, "server_error")
    else:
        assert reply.status == 200
    for name in (b"model", b"user"):
        reply = await post(path, b'{"' + name + b'":"\\udc00",' + field + b"}")
        assert reply.status in {400, 404}
        assert reply.error["message"]


# openai-python and openai-node ask for base64 by default; ignoring it is garbage in Node
async def test_vectors_in_base64_are_32_bit_numbers_in_little_endian(post: Any, conforms: Any) -> None:
    plain = await post("embeddings", input=["one", "three"], encoding_format="float")
    conforms(plain.json, "CreateEmbeddingResponse")
    assert [one["embedding"] for one in plain.json["data"]] == [[3.0, 0.5, -1.25], [5.0, 0.5, -1.25]]
    packed = await post("embeddings", input="one", encoding_format="base64", dimensions=1)
    assert base64.b64decode(packed.json["data"][0]["embedding"]) == b"\x00\x00\x40\x40"


# client_traps: LangChain's default sends token ids; a model that cannot read them says so
@pytest.mark.parametrize("given", [[1, 2], [[1, 2], [3]]], ids=str)
async def test_token_ids_for_a_model_that_reads_texts_are_a_400(post: Any, given: Any) -> None:
    reply = await post("embeddings", input=given)
    assert (reply.status, reply.error["param"]) == (400, "input")


@pytest.mark.parametrize("path", BODIES)
async def test_an_unknown_model_is_the_same_404_on_every_path(post: Any, path: str) -> None:
    reply = await post(path, model="nobody/knows:1")
    error = reply.error
    assert (reply.status, error["code"], error["param"], error["type"]) == (
        404, "model_not_found", "model", "invalid_request_error"
    )  # fmt: skip
    assert reply.headers["x-request-id"]
