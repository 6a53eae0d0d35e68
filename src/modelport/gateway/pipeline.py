"""The way of one POST request: key, body, model, limits, attempts, answer, record. Each endpoint says the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any

from modelport.gateway.attempts import CallFailedError, attempt, attempts
from modelport.gateway.client_watch import ClientGoneError, watched
from modelport.gateway.errors import EncodedBodyError, log_defect, log_failure, log_long_step, reply_of, reply_of_call
from modelport.gateway.exchange import Exchange, exchange_of
from modelport.gateway.heavy_work import LIGHT_BYTES, worked
from modelport.gateway.model_metrics import CLIENT_GONE
from modelport.gateway.record import RequestRecord
from modelport.gateway.routing import Route
from modelport.values.errors import ModelportError
from modelport.values.status_errors import UnavailableError

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from modelport.gateway.app import Gateway
    from modelport.gateway.endpoint import Endpoint
    from modelport.gateway.key_limits import KeyLimits
    from modelport.gateway.serving import Serving

CLIENT_GONE_STATUS = 499
"""What the record of a request has as its status whose client left before there was one."""


class Pipeline:
    """Is the ASGI app of one endpoint's path."""

    __slots__ = ("_endpoint", "_gateway")

    def __init__(self, gateway: Gateway, endpoint: Endpoint[Any]) -> None:
        self._gateway = gateway
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens, and record it."""
        gateway = self._gateway
        exchange = exchange_of(scope, receive, send)
        record = RequestRecord(exchange.request_id, self._endpoint.path)
        serving = gateway.serving
        exchange.comment_seconds = serving.comment_seconds
        if gateway.cors is not None:
            exchange.answer_headers += gateway.cors.headers_for(exchange.headers.get(b"origin"))
        serving.in_flight += 1
        gateway.in_flight += 1
        try:
            self._admit(serving, exchange, record)
            raw = await exchange.read_body(serving.limits.max_body_bytes)
            if len(raw) <= LIGHT_BYTES:
                request = self._endpoint.decode(raw, exchange)
            else:
                request = await worked(lambda: self._endpoint.decode(raw, exchange), len(raw))
            work = self._work(serving, request, exchange, record)
            await watched(work, exchange.receive, log_long_step, record, exchange.cycle)
        except ClientGoneError:
            record.status = exchange.status or CLIENT_GONE_STATUS
            record.error_type = CLIENT_GONE
        except CallFailedError as failure:
            await self._fail_call(failure, exchange, record)
        except asyncio.CancelledError:
            # The server ends and waits no longer: whoever reads a stream is told.
            with suppress(Exception):
                await self._fail(UnavailableError("the server is shutting down"), exchange, record)
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an error object
            await self._fail(error, exchange, record)
        finally:
            record.ended = perf_counter()
            record.status = record.status or exchange.status
            gateway.in_flight -= 1
            serving.left()
            gateway.recorded(record)

    def _admit(self, serving: Serving, exchange: Exchange, record: RequestRecord) -> None:
        """Let a request in, before its body is read.

        Raises:
            UnavailableError: The server is ending.
            AuthenticationError: The key is missing, unknown or expired.
            EncodedBodyError: The body is compressed.
        """
        if self._gateway.draining:
            exchange.answer_headers.append((b"connection", b"close"))
            raise UnavailableError("the server is shutting down; ask again", code="shutting_down", retry_after=1)
        headers = exchange.headers
        key = serving.keyring.check(headers.get(b"authorization"), headers.get(b"x-api-key"), exchange.local_address)
        exchange.key = key
        record.key_id = key.id
        encoding = headers.get(b"content-encoding")
        if encoding and encoding.lower() != b"identity":
            raise EncodedBodyError(
                f"a body with content-encoding {encoding.decode('latin-1')!r:.100} is not read here; send it as it is, "
                f"uncompressed"
            )

    def _work(
        self, serving: Serving, request: Any, exchange: Exchange, record: RequestRecord
    ) -> Coroutine[Any, Any, None]:
        """Return the work that answers a request.

        Raises:
            ModelNotFoundError: No model has the name that is asked for.
            PermissionDeniedError: The key may not call it.
            UnavailableError: Its only deployment is being left alone.
        """
        route = serving.router.route(request.model)
        record.stream = request.stream
        record.model = route.name
        key = exchange.key
        key.must_allow(request.model)
        if key.limits is not None:
            return self._limited(key.limits, serving, route, request, exchange, record)
        return self._asked(serving, route, request, exchange, record)

    def _asked(
        self, serving: Serving, route: Route, request: Any, exchange: Exchange, record: RequestRecord
    ) -> Coroutine[Any, Any, None]:
        if route.is_plain:
            return attempt(self._endpoint, route.choose(), request, exchange, record)
        return attempts(self._endpoint, serving.router, route, request, exchange, record)

    async def _limited(
        self,
        limits: KeyLimits,
        serving: Serving,
        route: Route,
        request: Any,
        exchange: Exchange,
        record: RequestRecord,
    ) -> None:
        """Answer within a key's limits.

        Raises:
            RateLimitError: The key has used up one of them.
        """
        try:
            limits.enter()
        finally:
            exchange.answer_headers += limits.headers()
        try:
            await self._asked(serving, route, request, exchange, record)
        finally:
            limits.leave(record.prompt_tokens + record.completion_tokens)

    async def _fail(self, error: Exception, exchange: Exchange, record: RequestRecord) -> None:
        if not isinstance(error, ModelportError):
            log_defect(error, request_id=exchange.request_id)
        reply = reply_of(error)
        record.error_type = reply.body.error.type
        record.status = reply.status_code
        await exchange.fail(reply)

    async def _fail_call(self, failure: CallFailedError, exchange: Exchange, record: RequestRecord) -> None:
        reply = reply_of_call(failure.error, failure.deployment.scrubber())
        record.error_type = reply.body.error.type
        record.status = exchange.status or reply.status_code
        log_failure(failure.error, reply, request_id=exchange.request_id, model=record.model or "")
        if not exchange.started:
            exchange.answer_headers.append(failure.deployment.header)
        await exchange.fail(reply)
