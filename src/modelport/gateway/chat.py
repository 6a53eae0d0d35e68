"""`POST /chat/completions`: from the request's bytes through the engine to the answer's bytes."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from modelport.engine.answers import arun
from modelport.engine.call import Call
from modelport.engine.choices import arun_choices
from modelport.engine.hooks import Hook
from modelport.engine.indexed_choices import astream_all_choices
from modelport.engine.state import say_once, state_of
from modelport.engine.streams import astream
from modelport.gateway.errors import log_failure, reply_of_call
from modelport.gateway.exchange import ClientGoneError, Exchange
from modelport.gateway.pump import Pump
from modelport.registry.registry import Model
from modelport.runs.scope import scope_of
from modelport.values.errors import KeywordError
from modelport.values.generations import Generation
from modelport.wire.chat_chunks import ChatChunks
from modelport.wire.chat_request import BOOKKEEPING, ChatRequest, decode_chat_request
from modelport.wire.chat_response import chat_completion, new_completion_id

if TYPE_CHECKING:
    from modelport.gateway.app import Gateway

logger = logging.getLogger("modelport.gateway")


MUST_BE_SUPPORTED = ("tools", "response_format")
"""Options that change what an answer is: a hook that would ignore them must not get them silently."""
_NOT_FOR_HOOKS = frozenset({"self", "prompt", "prompts", "messages", "run_manager", "include_stop"})
"""Names of a hook's own parameters, which no client may fill."""


async def answer_chat(gateway: Gateway, exchange: Exchange) -> None:
    """Answer one chat request.

    Raises:
        InputError: The request is wrong.
        ModelNotFoundError: No model has the requested name.
        ClientGoneError: The client left.
    """
    request = decode_chat_request(await exchange.read_body(gateway.server.limits.max_body_bytes))
    model = gateway.registry.get(request.model)
    try:
        call = _call_of(model, request, gateway.server.timeout_seconds)
        async with exchange.watching_client():
            if request.stream:
                await _stream(call, request, exchange)
            else:
                await _answer(call, request, exchange)
    except ClientGoneError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever an author's code raises
        reply = reply_of_call(error, gateway.scrubber.for_model(model))
        log_failure(error, reply, request_id=exchange.request_id, model=request.model)
        await exchange.fail(reply)


async def _answer(call: Call, request: ChatRequest, exchange: Exchange) -> None:
    answers = [await arun(call)] if request.n == 1 else await _choices(call, request.n)
    completion = chat_completion(
        answers, completion_id=new_completion_id(), created=int(time.time()), model=request.model
    )
    await exchange.reply(200, completion)


async def _choices(call: Call, n: int) -> list[Generation]:
    [outcome] = await arun_choices([call], n)
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


async def _stream(call: Call, request: ChatRequest, exchange: Exchange) -> None:
    """Send the answer piece by piece; the status waits for the first piece or the first error."""
    async with Pump(_events(call, request)) as pump:
        while events := await pump.take():
            await exchange.write(events, more=not pump.finished)
            if pump.finished:
                return
    await exchange.write(b"", more=False)


async def _events(call: Call, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
    chunks = ChatChunks(
        completion_id=new_completion_id(),
        created=int(time.time()),
        model=request.model,
        include_usage=request.include_usage,
    )
    encode = chunks.events
    if request.n == 1:
        async with aclosing(astream(call)) as source:
            async for chunk in source:
                yield encode(0, chunk)
    else:
        async with aclosing(astream_all_choices(call, request.n)) as source:
            async for index, chunk in source:
                yield encode(index, chunk)
    yield chunks.last_events()


def _call_of(model: Model, request: ChatRequest, timeout_seconds: float | None) -> Call:
    """Return the engine's call for a request.

    Raises:
        InputError: The messages are none, or an option has a wrong value.
        KeywordError: The model cannot do what an option asks for.
    """
    hooks = type(model).__modelport_hooks__
    hook = (hooks.astream if request.stream else None) or hooks.async_answer
    assert hook is not None, "a class without hooks cannot be instantiated"
    return Call(
        model,  # pyright: ignore[reportArgumentType] - LLM and ChatModel are EngineModels
        model.argument_of(request.messages),
        scope=scope_of({"timeout": timeout_seconds}) if timeout_seconds is not None else None,
        stop=request.stop,
        include_stop=False,
        max_tokens=request.max_tokens,
        kwargs=_keywords(model, hook, request.options),
    )


def _keywords(model: Model, hook: Hook, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that reach the hook; the others are dropped with one log line per model.

    Raises:
        KeywordError: `tools` or `response_format` is asked for and the hook does not support it.
    """
    if not options:
        return options
    for name in MUST_BE_SUPPORTED:
        if name in options and name not in hook.supports:
            raise KeywordError(f"the model does not support {name!r}; leave it out", param=name)
    taken = {name: value for name, value in options.items() if _takes(hook, name)}
    dropped = [name for name in options if name not in taken and name not in BOOKKEEPING]
    if dropped:
        say_once(state_of(model), "options dropped by the gateway", lambda: _say_dropped(hook, dropped))
    return taken


def _takes(hook: Hook, name: str) -> bool:
    if name in _NOT_FOR_HOOKS:
        return False
    return name in hook.names if name in BOOKKEEPING else hook.takes(name)


def _say_dropped(hook: Hook, names: list[str]) -> None:
    logger.warning("%s does not take %s: dropped from this and later requests", hook.label, ", ".join(names)[:200])
