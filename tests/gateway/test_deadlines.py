"""`timeout_seconds`: one deadline for the whole of a request, wherever it is by then."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from pydantic import PrivateAttr

from modelport import LLM
from modelport.gateway.app import Gateway
from modelport.gateway.config import settings_from
from modelport.values.errors import CustomLLMError


class Held(LLM):
    """Answers when it is let go, and says when it began."""

    _began: asyncio.Event = PrivateAttr(default_factory=asyncio.Event)
    _go: asyncio.Event = PrivateAttr(default_factory=asyncio.Event)

    async def _acall(self, prompt: str) -> str:
        self._began.set()
        await self._go.wait()
        return "done"


class Failing(LLM):
    """Fails at once, and counts how often."""

    calls: int = 0

    async def _acall(self, prompt: str) -> str:
        self.calls += 1
        raise CustomLLMError(503, "not now")


def body(model: str = "m", **fields: Any) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "x"}], **fields}).encode()


async def test_the_wait_for_a_place_counts(ask: Any) -> None:
    model = Held(max_concurrency=1)
    app = Gateway(settings_from({"server": {"timeout_seconds": 0.05}}), models={"m": model})
    first = ask(app, "POST", "/v1/chat/completions", body())
    await model._began.wait()
    second = await ask(app, "POST", "/v1/chat/completions", body()).done()
    assert (second.status, second.error["code"]) == (504, "timeout")
    assert (await first.done()).status == 504


async def test_no_attempt_begins_that_the_deadline_would_not_wait_for(ask: Any) -> None:
    model = Failing()
    settings = settings_from(
        {"models": {"m": {"use": "given:m", "retries": 5, "timeout_seconds": 0.5, "fallbacks": []}}}
    )
    app = Gateway(settings, models={"m": model})
    reply = await ask(app, "POST", "/v1/chat/completions", body()).done()
    # The wait before another attempt would be a second at least.
    assert (reply.status, model.calls) == (503, 1)


async def test_without_a_timeout_nothing_is_bounded(ask: Any) -> None:
    model = Held()
    reply = ask(Gateway(settings_from({}), models={"m": model}), "POST", "/v1/chat/completions", body())
    await model._began.wait()
    model._go.set()
    assert (await reply.done()).status == 200
