"""The shipped models keep the contract: every check of the kit, over each of them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Generator
from typing import Any

import pytest
from pydantic import SecretStr

from modelport.providers import (
    HTTPChatModel,
    HTTPModel,
    MockEmbeddings,
    MockImages,
    MockLLM,
    MockModel,
    OpenAICompatible,
    OpenAICompatibleCompletions,
    OpenAICompatibleEmbeddings,
    OpenAICompatibleImages,
)
from modelport.testing import EchoEmbeddingModel, EchoHandler, EchoImageModel, all_checks, arun_checks, gates
from modelport.values.status_errors import RateLimitError

KEY = SecretStr("sk-of-the-checks")
TOKEN = re.compile(r"\s*\S+|\s+\Z")


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "GLANCE_SECONDS", 0.01)
    monkeypatch.setattr(gates, "SOON_SECONDS", 0.003)


def echo(openai: Any) -> Callable[[Any], Any]:
    """Return what answers OpenAI's requests, and simple ones of other APIs, with what they ask."""

    def answer(seen: Any) -> Any:
        asked = seen.json
        text = asked["prompt"] if "prompt" in asked else asked["messages"][-1]["content"]
        words = TOKEN.findall(text)
        count, n = len(words), asked.get("n", 1)
        usage = {"prompt_tokens": count, "completion_tokens": count * n, "total_tokens": count * (n + 1)}
        if not seen.path.startswith("/v1/"):
            facts = {"in": count, "out": count, "done": True}
            lines = [openai.event({"text": word}) for word in words]
            return openai.events(*lines, openai.event(facts)) if asked["stream"] else {"text": text, **facts}
        if "messages" in asked:
            if asked.get("stream"):
                return openai.stream(*words, usage=(count, count))
            return openai.completion(*[text] * n, usage=(count, count * n))
        if asked.get("stream"):
            events = [openai.event({"choices": [{"index": 0, "text": word}]}) for word in words]
            end = openai.event({"choices": [{"index": 0, "text": "", "finish_reason": "stop"}], "usage": usage})
            return openai.events(*events, end, openai.DONE)
        choices = [{"index": index, "text": text, "finish_reason": "stop"} for index in range(n)]
        return {"choices": choices, "usage": usage}

    return answer


def http_fields(server: Any) -> dict[str, Any]:
    return {
        "url": server.url + "/run",
        "body": {"prompt": "{{ prompt }}", "stream": "{{ stream }}"},
        "headers": {"authorization": "Bearer {{ api_key }}"},
        "api_key": KEY,
        "text_path": "text",
        "prompt_tokens_path": "in",
        "completion_tokens_path": "out",
        "streaming": {"format": "sse", "done_path": "done"},
    }


MODELS: dict[str, Callable[[Any], Any]] = {
    "MockModel": lambda server: MockModel(),
    "MockLLM": lambda server: MockLLM(),
    "OpenAICompatible": lambda server: OpenAICompatible(model="m", base_url=server.url + "/v1", api_key=KEY),
    "OpenAICompatibleCompletions": lambda server: OpenAICompatibleCompletions(
        model="m", base_url=server.url + "/v1", api_key=KEY
    ),
    "HTTPModel": lambda server: HTTPModel(**http_fields(server)),
    "HTTPChatModel": lambda server: HTTPChatModel(**http_fields(server)),
}


@pytest.mark.parametrize("name", MODELS)
async def test_a_shipped_model_passes_every_check_that_applies(server, openai, name) -> None:
    server.answer = echo(openai)
    results = await arun_checks(lambda: MODELS[name](server))
    assert [(one.id, one.seen) for one in results if one.outcome == "fail"] == []
    assert sum(one.outcome == "pass" for one in results) > 300


@pytest.mark.parametrize("model", [MockEmbeddings, MockImages])
async def test_a_mock_of_what_gives_no_text_passes_every_check_that_applies(model) -> None:
    results = await arun_checks(model)
    assert [(one.id, one.seen) for one in results if one.outcome == "fail"] == []
    assert sum(one.outcome == "pass" for one in results) > 90


SERVED: dict[str, tuple[Callable[[], Any], Callable[..., Any], int]] = {
    "text": (MockLLM, OpenAICompatibleCompletions, 60),
    "chat": (MockModel, OpenAICompatible, 300),
    "handler": (EchoHandler, OpenAICompatible, 60),
    "embeddings": (EchoEmbeddingModel, OpenAICompatibleEmbeddings, 100),
    "images": (EchoImageModel, OpenAICompatibleImages, 80),
}


ON_THE_WIRE = ("parity", "stop", "usage", "unicode", "input", "checklist")
"""What is looked at of models of which another face has shown the rest."""


@pytest.mark.parametrize("kind", SERVED)
async def test_a_provider_passes_every_check_over_a_gateway_of_ours(kind) -> None:
    make, provider, at_least = SERVED[kind]
    areas = {one.area for one in all_checks()} if kind not in ("text", "handler") else ON_THE_WIRE
    ids = [one.id for one in all_checks() if one.area in areas]
    with served({"inner": make()}) as url:
        model = provider(model="inner", base_url=url)
        results = await arun_checks(lambda: model, ids=ids)
        await model.aunload()
    assert [(one.id, one.seen) for one in results if one.outcome == "fail"] == []
    assert sum(one.outcome == "pass" for one in results) > at_least


@contextlib.contextmanager
def served(models: dict[str, Any]) -> Generator[str]:
    """The URL of a gateway that serves some models, in a thread."""
    import threading

    import uvicorn

    from modelport import create_app

    gateway = uvicorn.Server(uvicorn.Config(create_app(models), port=0, log_level="critical"))
    thread = threading.Thread(target=gateway.run, daemon=True)
    thread.start()
    while not gateway.started:
        thread.join(0.005)
    try:
        yield f"http://127.0.0.1:{gateway.servers[0].sockets[0].getsockname()[1]}/v1"
    finally:
        gateway.should_exit = True
        thread.join()


def test_the_gateway_serves_one_provider_to_another(own_server, openai) -> None:
    own_server.answer = echo(openai)
    inner = OpenAICompatible(model="m", base_url=own_server.url + "/v1")
    with served({"inner": inner}) as url:
        outer = OpenAICompatible(model="inner", base_url=url)
        assert outer.invoke("one two three").content == "one two three"
        *pieces, last = outer.stream("one two three")
        assert [piece.content for piece in pieces] == ["one", " two", " three"]
        assert last.usage_metadata == {"input_tokens": 3, "output_tokens": 3, "total_tokens": 6}
        own_server.answer = lambda seen: own_server.failure(429, {"error": {"message": "slow down"}}, retry_after="7")
        with pytest.raises(RateLimitError, match="slow down"):
            outer.invoke("x")
        outer.unload()
    assert own_server.none_open(), "the gateway's end closes its models' connections"
