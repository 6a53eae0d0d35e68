"""What endpoints whose models answer in text have in common: the engine's call, and sending a stream."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from modelport.engine.call import Call
from modelport.engine.hooks import Hook, Hooks
from modelport.engine.state import say_once, state_of
from modelport.gateway.blocks import Blocks
from modelport.gateway.comments import Comments
from modelport.models.handler_calls import HandlerRequest
from modelport.runs.scope import SCOPE, scope_of
from modelport.values.errors import KeywordError

if TYPE_CHECKING:
    from modelport.gateway.deployment import Deployment
    from modelport.gateway.exchange import Exchange
    from modelport.gateway.record import RequestRecord


class TextAsking(Protocol):
    """Is what requests for text have in common."""

    @property
    def stream(self) -> bool:
        """Whether the answer comes piece by piece."""
        ...

    @property
    def n(self) -> int:
        """How many choices are wanted."""
        ...

    @property
    def stop(self) -> list[str] | None:
        """Where to stop."""
        ...

    @property
    def max_tokens(self) -> int | None:
        """The longest answer."""
        ...

    @property
    def options(self) -> dict[str, Any]:
        """The fields for the hook."""
        ...


logger = logging.getLogger("modelport.gateway")

MUST_BE_SUPPORTED = ("tools", "response_format")
"""Options that change what an answer is: a hook that would ignore them must not get them silently."""
_NOT_FOR_HOOKS = frozenset({"self", "prompt", "prompts", "messages", "run_manager", "include_stop"})
"""Names of a hook's own parameters, which no client may fill."""
_NOT_FOR_HANDLERS = frozenset({"model", "messages", "prompt", "stream", "stream_options", "n", "metadata"})
"""The fields of a body that a handler does not find among its `optional_params`."""


def hook_keywords(
    deployment: Deployment,
    model: Any,
    request: TextAsking,
    *,
    given: Mapping[str, Any],
    messages: Sequence[Any],
    bookkeeping: frozenset[str],
) -> dict[str, Any]:
    """Return what a model's hook is given beside its input.

    Args:
        deployment: Who answers.
        model: Its model.
        request: What is asked.
        given: All fields of the request, for a handler.
        messages: The messages as they came, for a handler.
        bookkeeping: The options that only a hook which names them gets.

    Raises:
        KeywordError: The model cannot do what an option asks for.
    """
    source = deployment.source
    if source.provider.is_handler:
        return {"request": handler_request(deployment, given, messages)}
    options = {**source.defaults, **request.options} if source.defaults else request.options
    if not options:
        return options
    hooks: Hooks = model.__modelport_hooks__
    hook = (hooks.astream if request.stream else None) or hooks.async_answer
    assert hook is not None, "a class without hooks cannot be instantiated"
    return keywords(model, hook, options, bookkeeping)


def engine_call(
    model: Any, argument: Any, request: TextAsking, kwargs: dict[str, Any], *, seconds: float | None
) -> Call:
    """Return the engine's call for a request.

    Args:
        model: The deployment's model.
        argument: The prompt or the messages, as the model takes them.
        request: What is asked.
        kwargs: What `hook_keywords` gave.
        seconds: How long the answer may take; None: as long as it likes.
    """
    call = Call(
        model,
        argument,
        scope=SCOPE.get() if seconds is None else scope_of({"timeout": seconds}),
        stop=request.stop,
        include_stop=False,
        max_tokens=request.max_tokens,
        kwargs=kwargs,
    )
    # What is kept for other faces has messages.
    call.wants_messages = model.cache not in (None, False)
    return call


def may_be_bare(request: TextAsking, exchange: Exchange) -> bool:
    """Tell whether a request asks for nothing that the engine has to keep: then the hook alone may be enough.

    Most answers are made like this, in half the time.
    """
    return request.n == 1 and not request.stop and request.max_tokens is None and exchange.deadline is None


def handler_request(deployment: Deployment, given: Mapping[str, Any], messages: Sequence[Any] | None) -> HandlerRequest:
    """Return what a handler is told beside the messages: the client's own fields, under their own names."""
    source = deployment.source
    params = {name: value for name, value in given.items() if name not in _NOT_FOR_HANDLERS}
    return HandlerRequest(
        model=source.model,
        optional_params={**source.defaults, **params} if source.defaults else params,
        messages=messages,
        api_key=source.api_key,
        api_base=source.api_base,
        timeout=deployment.timeout_seconds,
        litellm_params={"metadata": given["metadata"]} if "metadata" in given else {},
    )


def keywords(model: Any, hook: Hook, options: dict[str, Any], bookkeeping: frozenset[str]) -> dict[str, Any]:
    """Return the options that reach the hook; the others are dropped with one log line per model.

    Raises:
        KeywordError: `tools` or `response_format` is asked for and the hook does not support it.
    """
    for name in MUST_BE_SUPPORTED:
        if name in options and name not in hook.supports:
            raise KeywordError(f"the model does not support {name!r}; leave it out", param=name)
    taken = {name: value for name, value in options.items() if _takes(hook, name, bookkeeping)}
    if len(taken) < len(options):
        dropped = [name for name in options if name not in taken and name not in bookkeeping]
        if dropped:
            say_once(state_of(model), "options dropped by the gateway", lambda: _say_dropped(hook, dropped))
    return taken


def _takes(hook: Hook, name: str, bookkeeping: frozenset[str]) -> bool:
    if name in _NOT_FOR_HOOKS:
        return False
    return name in hook.names if name in bookkeeping else hook.takes(name)


def _say_dropped(hook: Hook, names: list[str]) -> None:
    logger.warning("%s does not take %s: dropped from this and later requests", hook.label, ", ".join(names)[:200])


async def send_blocks(blocks: Blocks[Any], exchange: Exchange, record: RequestRecord, deployment: Deployment) -> None:
    """Send a stream's blocks as they come; the first one brings the answer's head along.

    Raises:
        Exception: Whatever the model raised; what it gave before has been sent.
    """
    if exchange.comment_seconds is None:
        await _send_blocks(blocks, exchange, record, deployment)
        return
    async with Comments(exchange, exchange.comment_seconds):
        await _send_blocks(blocks, exchange, record, deployment)


async def _send_blocks(blocks: Blocks[Any], exchange: Exchange, record: RequestRecord, deployment: Deployment) -> None:
    metrics = deployment.metrics
    async with blocks:
        block = await blocks.take()
        last = record.first_token_at = perf_counter()
        if blocks.count > 1:
            metrics.gap(0.0, blocks.count - 1)  # they came together with the first
        while block:
            # What a client that leaves early has had; a whole answer says by itself what it used.
            record.completion_tokens += blocks.count
            if blocks.finished:
                await exchange.write(block, more=False)
                return
            if not exchange.write_at_once(block):
                await exchange.write(block, more=True)
            block = await blocks.take()
            now = perf_counter()
            if blocks.count:
                metrics.gap(now - last, blocks.count)
            last = now
    await exchange.write(b"", more=False)
