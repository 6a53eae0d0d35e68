"""Who is asked, and who next: retries, fallbacks, several deployments, the circuit breaker, a full queue."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import PrivateAttr

from modelport import LLM
from modelport.gateway import attempts
from modelport.gateway.app import Gateway
from modelport.gateway.config import settings_from
from modelport.values.errors import CustomLLMError

ASKED: list[str] = []


class Model(LLM):
    """Answers its label, or fails as often as it is told."""

    label: str = ""
    failures: int = 0
    status: int = 503

    async def _acall(self, prompt: str) -> str:
        ASKED.append(self.label)
        if self.failures:
            self.failures -= 1
            raise CustomLLMError(self.status, f"{self.label} fails")
        return self.label

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        yield await self._acall(prompt)


class FailingLate(LLM):
    """Fails after its first piece."""

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        ASKED.append("late")
        yield "a"
        raise CustomLLMError(503, "too late")


class Held(LLM):
    """Answers when it is let go."""

    _began: asyncio.Queue[None] = PrivateAttr(default_factory=asyncio.Queue)
    _go: asyncio.Event = PrivateAttr(default_factory=asyncio.Event)

    async def _acall(self, prompt: str) -> str:
        self._began.put_nowait(None)
        await self._go.wait()
        return "done"


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits between attempts; what would have been waited is kept."""
    ASKED.clear()
    waits: list[float] = []

    async def asleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(attempts, "asleep", asleep)
    return waits


def app_of(models: dict[str, Any], **entries: Any) -> Gateway:
    """Return a gateway of models; `entries` are the config's, by name with `_` for `-`."""
    return Gateway(
        settings_from({"models": {name: {"use": "given:m", **entries.get(name, {})} for name in models}}),
        models=models,
    )


@pytest.fixture
def post(ask: Any) -> Any:
    def post(app: Gateway, model: str = "m", **fields: Any) -> Any:
        body = {"model": model, "messages": [{"role": "user", "content": "x"}], **fields}
        return ask(app, "POST", "/v1/chat/completions", json.dumps(body).encode())

    return post


@pytest.mark.parametrize("stream", [False, True])
class TestRetries:
    async def test_a_failing_model_runs_once_unless_retries_are_asked_for(self, post: Any, stream: bool) -> None:
        reply = await post(app_of({"m": Model(label="m", failures=1)}), stream=stream).done()
        assert (reply.status, ASKED) == (503, ["m"])

    async def test_a_retry_may_succeed(self, post: Any, stream: bool, asked: list[float]) -> None:
        app = app_of({"m": Model(label="m", failures=2)}, m={"retries": 2})
        reply = await post(app, stream=stream).done()
        assert (reply.status, ASKED) == (200, ["m"] * 3)
        assert len(asked) == 2
        assert reply.headers["x-modelport-deployment"] == "m"

    async def test_what_another_attempt_cannot_change_is_not_tried_again(self, post: Any, stream: bool) -> None:
        app = app_of({"m": Model(label="m", failures=2, status=400)}, m={"retries": 2})
        assert (await post(app, stream=stream).done()).status == 400
        assert ASKED == ["m"]

    async def test_the_last_failure_is_the_answer(self, post: Any, stream: bool) -> None:
        app = app_of({"m": Model(label="m", failures=9)}, m={"retries": 1})
        reply = await post(app, stream=stream).done()
        assert (reply.status, reply.error["message"], ASKED) == (503, "m fails", ["m", "m"])

    async def test_a_fallback_answers_under_the_name_that_was_asked_for(self, post: Any, stream: bool) -> None:
        models = {"m": Model(label="m", failures=9), "other": Model(label="other")}
        app = app_of(models, m={"fallbacks": ["other"], "retries": 1})
        reply = await post(app, stream=stream).done()
        assert (reply.status, ASKED) == (200, ["m", "m", "other"])
        assert reply.headers["x-modelport-deployment"] == "other"
        whole = reply.events[0] if stream else reply.json
        assert whole["model"] == "m"

    async def test_a_fallback_is_not_asked_when_the_request_is_wrong(self, post: Any, stream: bool) -> None:
        models = {"m": Model(label="m", failures=9, status=422), "other": Model(label="other")}
        app = app_of(models, m={"fallbacks": ["other"]})
        assert (await post(app, stream=stream).done()).status == 422
        assert ASKED == ["m"]


async def test_after_the_first_byte_nobody_else_is_asked(post: Any) -> None:
    models = {"m": FailingLate(), "other": Model(label="other")}
    app = app_of(models, m={"fallbacks": ["other"], "retries": 3})
    reply = await post(app, stream=True).done()
    assert reply.status == 200
    assert reply.events[-1]["error"]["message"] == "too late"
    assert ASKED == ["late"]


async def test_failed_attempts_are_counted_beside_the_answer(post: Any) -> None:
    app = app_of({"m": Model(label="m", failures=1)}, m={"retries": 1})
    await post(app).done()
    text = (await app.metrics.exposition())[0].decode()
    assert (
        'modelport_failed_attempts_total{deployment="m",error_type="server_error",model="m",status="503"} 1.0' in text
    )
    assert 'modelport_request_success_total{deployment="m",model="m"} 1.0' in text


class TestBreaker:
    ENTRY = {"circuit_breaker": {"failures": 2, "cooldown_seconds": 60}}

    async def test_a_model_that_keeps_failing_is_left_alone_and_the_answer_says_for_how_long(self, post: Any) -> None:
        app = app_of({"m": Model(label="m", failures=9)}, m=self.ENTRY)
        statuses = [(await post(app).done()).status for _ in range(2)]
        reply = await post(app).done()
        assert statuses == [503, 503]
        assert (reply.status, reply.error["code"], ASKED) == (503, "model_unavailable", ["m", "m"])
        assert 50 <= int(reply.headers["retry-after"]) <= 60

    async def test_by_default_a_model_without_another_is_never_left_alone(self, post: Any) -> None:
        app = app_of({"m": Model(label="m", failures=20)})
        for _ in range(20):
            assert (await post(app).done()).error["message"] == "m fails"

    @pytest.mark.parametrize("stream", [False, True])
    async def test_a_fallback_answers_at_once_while_the_model_is_left_alone(self, post: Any, stream: bool) -> None:
        models = {"m": Model(label="m", failures=9), "other": Model(label="other")}
        app = app_of(models, m={"fallbacks": ["other"], **self.ENTRY})
        for _ in range(4):
            assert (await post(app, stream=stream).done()).status == 200
        assert ASKED == ["m", "other", "m", "other", "other", "other"]

    async def test_what_the_request_did_wrong_does_not_count(self, post: Any) -> None:
        app = app_of({"m": Model(label="m", failures=9, status=400)}, m=self.ENTRY)
        assert [(await post(app).done()).status for _ in range(4)] == [400] * 4


class TestAdmission:
    async def test_over_the_queue_is_a_429_that_says_when_to_come_back(self, post: Any) -> None:
        model = Held()
        app = app_of({"m": model}, m={"max_concurrency": 1, "max_queue": 1})
        first = post(app)
        await model._began.get()
        second = post(app)
        await asyncio.sleep(0)
        third = await post(app).done()
        assert (third.status, third.error["code"], third.error["type"]) == (429, "queue_full", "rate_limit_error")
        assert int(third.headers["retry-after"]) >= 1
        assert int(third.headers["retry-after-ms"]) >= 1
        model._go.set()
        assert [(await one.done()).status for one in (first, second)] == [200, 200]

    async def test_waiting_too_long_is_a_503(self, post: Any) -> None:
        model = Held()
        app = app_of({"m": model}, m={"max_concurrency": 1, "queue_timeout_seconds": 0.01})
        first = post(app)
        await model._began.get()
        second = await post(app).done()
        assert (second.status, second.error["code"]) == (503, "queue_timeout")
        assert "retry-after" in second.headers
        model._go.set()
        assert (await first.done()).status == 200

    async def test_a_client_that_leaves_the_queue_leaves_its_place_to_the_next(self, post: Any) -> None:
        model = Held()
        app = app_of({"m": model}, m={"max_concurrency": 1})
        first = post(app)
        await model._began.get()
        second, third = post(app), post(app)
        second.disconnect()
        await second.done()
        assert second.messages == []
        model._go.set()
        assert [(await one.done()).status for one in (first, third)] == [200, 200]

    async def test_a_models_own_limit_holds_at_the_gate_too(self, post: Any) -> None:
        model = Held(max_concurrency=2)
        app = app_of({"m": model}, m={"max_queue": 0})
        both = [post(app), post(app)]
        for _ in both:
            await model._began.get()
        assert (await post(app).done()).status == 429
        model._go.set()
        assert [(await one.done()).status for one in both] == [200, 200]


class Stubborn(LLM):
    """Goes on in its thread when its client has left."""

    _began: Any = PrivateAttr(default_factory=threading.Event)
    _go: Any = PrivateAttr(default_factory=threading.Event)

    def _call(self, prompt: str) -> str:
        ASKED.append(prompt)
        self._began.set()
        self._go.wait(10)
        return "done"


async def test_a_bound_of_the_config_holds_for_what_goes_on_when_its_client_has_left(post: Any) -> None:
    entry = {"use": "tests.gateway.test_attempts:Stubborn", "max_concurrency": 1, "queue_timeout_seconds": 5}
    app = Gateway(settings_from({"models": {"m": entry}}))
    model = app.serving.sources["m"][0].model_for("chat")
    first = post(app)
    assert await asyncio.to_thread(model._began.wait, 10)
    first.disconnect()
    await first.done()
    second = post(app)
    await asyncio.wait([second.task], timeout=0.05)
    assert len(ASKED) == 1
    model._go.set()
    assert (await second.done()).status == 200
    assert len(ASKED) == 2
