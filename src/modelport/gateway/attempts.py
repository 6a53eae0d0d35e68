"""Asking deployments until one answers: their turns, retries, fallbacks, and what breakers hear of it."""

from __future__ import annotations

import asyncio
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any

from modelport.engine.bridge_async import until
from modelport.gateway.errors import readable
from modelport.gateway.routing import Choice, Route, Router, is_retryable
from modelport.runnables.backoff import asleep, wait_after
from modelport.values.errors import ModelportError
from modelport.values.status_errors import UnavailableError, status_of
from modelport.wire.error_object import type_of_status

if TYPE_CHECKING:
    from modelport.gateway.admission import Gate
    from modelport.gateway.breaker import Breaker
    from modelport.gateway.deployment import Deployment
    from modelport.gateway.endpoint import Endpoint
    from modelport.gateway.exchange import Exchange
    from modelport.gateway.record import RequestRecord

QUEUE_CODES = ("queue_full", "queue_timeout")
"""The error codes of requests that had no place at a model."""


class CallFailedError(Exception):
    """Says that a deployment failed; the cause is what its code raised, or the engine."""

    def __init__(self, deployment: Deployment, error: BaseException) -> None:
        super().__init__(deployment.name)
        self.deployment = deployment
        """Who failed."""
        self.error = error
        """With what."""


async def attempts(
    endpoint: Endpoint[Any], router: Router, route: Route, request: Any, exchange: Exchange, record: RequestRecord
) -> None:
    """Ask the deployments of a name, then those of its fallbacks, until one has begun to answer.

    Raises:
        CallFailedError: The last one that was asked failed, or one that had begun.
        UnavailableError: None could be asked.
    """
    names = [route.name, *route.fallbacks]
    for position, name in enumerate(names):
        place = route if not position else router.route(name)
        record.model = place.name
        try:
            await _tries(endpoint, place, request, exchange, record)
        except (CallFailedError, UnavailableError) as failure:
            is_last = position == len(names) - 1
            if is_last or not _may_go_on(failure, exchange):
                raise
            _note_failure(failure)
        else:
            return


async def _tries(
    endpoint: Endpoint[Any], route: Route, request: Any, exchange: Exchange, record: RequestRecord
) -> None:
    tried: list[Deployment] = []
    while True:
        choice = route.choose(tried)
        try:
            await attempt(endpoint, choice, request, exchange, record)
        except CallFailedError as failure:
            tried.append(choice[0])
            if len(tried) > route.retries or not _may_go_on(failure, exchange):
                raise
            _note_failure(failure)
            if all(one in tried for one in route.deployments):
                seconds = wait_after(len(tried), failure.error, exponential_jitter=True)
                if exchange.deadline is not None and monotonic() + seconds >= exchange.deadline:
                    raise
                await asleep(seconds)
        else:
            return


async def attempt(
    endpoint: Endpoint[Any], choice: Choice, request: Any, exchange: Exchange, record: RequestRecord
) -> None:
    """Let one deployment answer, in its turn.

    Raises:
        CallFailedError: It failed, or had no place for the request.
    """
    deployment, permit = choice
    gate, breaker = deployment.gate, deployment.breaker
    record.deployment = deployment.name
    # A stream may be long: nobody should have to wait for its end to know that the model answers. The one that was
    # asked before must not hear of it.
    exchange.on_start = None if breaker is None else lambda: breaker.succeeded(permit)
    failure: BaseException | None = None
    try:
        if deployment.timeout_seconds is not None and exchange.deadline is None:
            # To wait for a place counts, and so do the attempts before: one deadline holds for all of them.
            exchange.deadline = monotonic() + deployment.timeout_seconds
        if not gate.try_enter():
            await _enter(gate, exchange, record)
        deployment.metrics.started()
        try:
            exchange.answer_headers.append(deployment.header)
            await endpoint.answer(request, deployment, exchange, record)
        except BaseException:
            if not exchange.started:
                exchange.answer_headers.remove(deployment.header)
            raise
        finally:
            gate.leave()
            deployment.metrics.left()
    except asyncio.CancelledError as error:
        failure = error
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        failure = ModelportError("the model's code raised CancelledError, though nobody cancelled the call")
        failure.__cause__ = error
        raise CallFailedError(deployment, failure) from error
    except BaseException as error:
        # An author's code may raise anything; the server's own signals never come as exceptions.
        failure = readable(error)
        raise CallFailedError(deployment, failure) from error
    finally:
        if breaker is not None:
            _judge(breaker, permit, failure)


def _may_go_on(failure: CallFailedError | ModelportError, exchange: Exchange) -> bool:
    """Tell whether somebody else may be asked: nothing has been sent, and there is time for a different end."""
    if exchange.started or (exchange.deadline is not None and monotonic() >= exchange.deadline):
        return False
    return is_retryable(failure.error if isinstance(failure, CallFailedError) else failure)


def _note_failure(failure: CallFailedError | ModelportError) -> None:
    """Count an attempt after which somebody else is asked."""
    if isinstance(failure, CallFailedError):
        status = status_of(failure.error)
        failure.deployment.metrics.attempt_failed(type_of_status(status), status)


async def _enter(gate: Gate, exchange: Exchange, record: RequestRecord) -> None:
    """Wait for a place at a deployment."""
    began = perf_counter()
    try:
        async with until(exchange.deadline, "it waited for a place at the model"):
            await gate.enter()
    finally:
        record.queue_seconds += perf_counter() - began


def _judge(breaker: Breaker, permit: int, failure: BaseException | None) -> None:
    """Tell a breaker how a call ended; a full queue or a client that left says nothing about the model."""
    if failure is None:
        breaker.succeeded(permit)
    elif isinstance(failure, asyncio.CancelledError) or getattr(failure, "code", None) in QUEUE_CODES:
        breaker.cancelled(permit)
    elif is_retryable(failure):
        breaker.failed(permit)
    else:
        breaker.succeeded(permit)  # it refused what was asked, so it is alive
