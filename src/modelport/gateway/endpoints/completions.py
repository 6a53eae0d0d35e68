"""`POST /completions`: prompts that are texts or token ids, continued by any model that answers in text."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from modelport.engine.call import Call
from modelport.engine.streams import astream
from modelport.engine.workers import call_in_worker
from modelport.gateway.answering import engine_call, hook_keywords, send_blocks
from modelport.gateway.blocks import Blocks
from modelport.models.token_ids import has_token_ids, texts_of
from modelport.sdk.continuation import Continuation
from modelport.wire.chat_request import BOOKKEEPING
from modelport.wire.json_text import encode_json
from modelport.wire.text_request import TextRequest, decode_text_request

if TYPE_CHECKING:
    from modelport.gateway.deployment import Deployment
    from modelport.gateway.exchange import Exchange
    from modelport.gateway.record import RequestRecord

_NOT_FOR_HANDLERS = frozenset({"echo", "best_of"})
"""What is done here and is none of a handler's business."""


class CompletionsEndpoint:
    """Answers requests for the continuation of prompts."""

    path = "/completions"

    def decode(self, raw: bytes, exchange: Exchange) -> TextRequest:
        """Return the request in a body; raises InputError when it is wrong."""
        return decode_text_request(raw)

    async def answer(
        self, request: TextRequest, deployment: Deployment, exchange: Exchange, record: RequestRecord
    ) -> None:
        """Let a deployment answer, whole or piece by piece."""
        work = await _work_of(request, deployment, exchange.seconds_left())
        if request.stream:
            await _stream(work, deployment, exchange, record)
            return
        completion = await work.arun()
        record.first_token_at = perf_counter()
        record.used(completion.usage)
        await exchange.reply_raw(200, encode_json(completion))


async def _stream(work: Continuation, deployment: Deployment, exchange: Exchange, record: RequestRecord) -> None:
    """Send the pieces: one prompt after the other, the choices of each at once."""
    chunks = work.new_chunks()
    encode = chunks.events
    blocks: Blocks[Any]
    if work.n == len(work.calls) == 1:
        blocks = Blocks(astream(work.calls[0]), lambda chunk: encode(0, chunk), chunks.last_events)
    else:
        blocks = Blocks(work.apieces(), lambda pair: encode(*pair), chunks.last_events)
    await send_blocks(blocks, exchange, record, deployment)
    record.used(chunks.usage)


async def _work_of(request: TextRequest, deployment: Deployment, seconds: float | None) -> Continuation:
    """Return the work for a request.

    Raises:
        InputError: A prompt is token ids and the model cannot decode them, or an option has a wrong value.
        KeywordError: The model cannot do what an option asks for.
    """
    model = deployment.model("chat")
    prompts: Any = request.prompts
    if has_token_ids(prompts):
        prompts = await call_in_worker(lambda: texts_of(model, request.prompts, "prompt"))
    given = {name: value for name, value in request.given.items() if name not in _NOT_FOR_HANDLERS}
    return Continuation(
        [_call_of(prompt, request, given, deployment, model, seconds) for prompt in prompts],
        request.n,
        name=request.model,
        echoes=prompts if request.echo else None,
        include_usage=request.include_usage,
    )


def _call_of(
    prompt: str,
    request: TextRequest,
    given: dict[str, Any],
    deployment: Deployment,
    model: Any,
    seconds: float | None,
) -> Call:
    kwargs = hook_keywords(
        deployment,
        model,
        request,
        given=given,
        messages=[{"role": "user", "content": prompt}],
        bookkeeping=BOOKKEEPING,
    )
    return engine_call(model, model.argument_of(prompt), request, kwargs, seconds=seconds)
