"""`POST /chat/completions`: from a checked request through the engine to the answer's bytes."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from modelport.engine.answers import arun
from modelport.engine.bare import arun_bare
from modelport.engine.call import Call
from modelport.engine.choices import arun_choices
from modelport.engine.indexed_choices import astream_all_choices
from modelport.engine.streams import astream
from modelport.engine.workers import call_in_worker
from modelport.gateway.answering import engine_call, hook_keywords, may_be_bare, send_blocks
from modelport.gateway.blocks import Blocks
from modelport.runs.scope import SCOPE
from modelport.values.generations import Generation
from modelport.wire.chat_chunks import ChatChunks
from modelport.wire.chat_request import BOOKKEEPING, ChatRequest, decode_chat_request
from modelport.wire.chat_response import encode_chat_completion, new_completion_id

if TYPE_CHECKING:
    from modelport.gateway.deployment import Deployment
    from modelport.gateway.exchange import Exchange
    from modelport.gateway.record import RequestRecord


LIGHT_MESSAGES = 1_000
"""How many messages may be made a prompt of on the loop itself."""


class ChatEndpoint:
    """Answers chats."""

    path = "/chat/completions"

    def decode(self, raw: bytes, exchange: Exchange) -> ChatRequest:
        """Return the request in a body; raises InputError when it is wrong."""
        return decode_chat_request(raw)

    async def answer(
        self, request: ChatRequest, deployment: Deployment, exchange: Exchange, record: RequestRecord
    ) -> None:
        """Let a deployment answer, whole or piece by piece.

        Raises:
            InputError: The messages are none, or an option has a wrong value.
            KeywordError: The model cannot do what an option asks for.
        """
        model = deployment.model("chat")
        messages = request.messages
        if len(messages) <= LIGHT_MESSAGES:
            argument = model.argument_of(messages)
        else:
            argument = await call_in_worker(lambda: model.argument_of(messages))
        kwargs = hook_keywords(
            deployment,
            model,
            request,
            given=request.given,
            messages=messages,
            bookkeeping=BOOKKEEPING,
        )
        if request.stream:
            call = engine_call(model, argument, request, kwargs, seconds=exchange.seconds_left())
            await _stream(call, request, deployment, exchange, record)
            return
        bare: Generation | None = None
        if may_be_bare(request, exchange):
            bare = await arun_bare(model, argument, kwargs, SCOPE.get())
        if bare is not None:
            answers = [bare]
        else:
            call = engine_call(model, argument, request, kwargs, seconds=exchange.seconds_left())
            answers = [await arun(call)] if request.n == 1 else await _choices(call, request.n)
        record.answered(answers)
        completion = encode_chat_completion(
            answers, completion_id=new_completion_id(), created=int(time.time()), model=request.model
        )
        if not exchange.reply_at_once(200, completion):
            await exchange.reply_raw(200, completion)


async def _choices(call: Call, n: int) -> list[Generation]:
    [outcome] = await arun_choices([call], n)
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


async def _stream(
    call: Call, request: ChatRequest, deployment: Deployment, exchange: Exchange, record: RequestRecord
) -> None:
    """Send the answer piece by piece; the status waits for the first piece or the first error."""
    chunks = ChatChunks(
        completion_id=new_completion_id(),
        created=int(time.time()),
        model=request.model,
        include_usage=request.include_usage,
    )
    encode = chunks.events
    blocks: Blocks[Any]
    if request.n == 1:
        blocks = Blocks(astream(call), partial(encode, 0), chunks.last_events)
    else:
        blocks = Blocks(astream_all_choices(call, request.n), lambda pair: encode(*pair), chunks.last_events)
    await send_blocks(blocks, exchange, record, deployment)
    record.used(chunks.usage)
