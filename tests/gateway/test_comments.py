"""Comments that keep the connection of a silent stream: after its first event, and only when they are asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from pydantic import PrivateAttr

from modelport import LLM
from modelport.gateway.app import Gateway
from modelport.gateway.comments import COMMENT
from modelport.gateway.config import settings_from


class Silent(LLM):
    """Is silent before its first piece, and after it, until it is let go."""

    _begin: asyncio.Event = PrivateAttr(default_factory=asyncio.Event)
    _go: asyncio.Event = PrivateAttr(default_factory=asyncio.Event)

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        await self._begin.wait()
        yield "a"
        await self._go.wait()
        yield "b"


def streamed(ask: Any, model: Silent, **server: Any) -> Any:
    app = Gateway(settings_from({"server": server}), models={"m": model})
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "x"}]}
    return ask(app, "POST", "/v1/chat/completions", json.dumps(body).encode())


async def test_a_silent_stream_sends_comments_that_readers_pass_over(ask: Any) -> None:
    model = Silent()
    reply = streamed(ask, model, keep_alive_comments_seconds=0.001)
    model._begin.set()
    while (await reply.next_message()).get("body") != COMMENT:
        pass
    model._go.set()
    await reply.done()
    assert COMMENT not in reply.writes[:1]
    written = b"".join(one for one in reply.writes if one != COMMENT)
    assert b'"content":"a"' in written
    assert written.endswith(b"data: [DONE]\n\n")
    assert b"\n\n\n" not in reply.body


async def test_nothing_is_sent_before_the_first_event_for_the_status_is_not_known(ask: Any) -> None:
    model = Silent()
    reply = streamed(ask, model, keep_alive_comments_seconds=0.001)
    await asyncio.wait([reply.task], timeout=0.02)
    assert reply.messages == []
    model._begin.set()
    model._go.set()
    await reply.done()
    assert reply.status == 200


async def test_no_comments_by_default(ask: Any) -> None:
    model = Silent()
    reply = streamed(ask, model)
    model._begin.set()
    await asyncio.wait([reply.task], timeout=0.02)
    model._go.set()
    await reply.done()
    assert COMMENT not in reply.body
