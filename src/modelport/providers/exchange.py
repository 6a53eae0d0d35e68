"""One request and its answer: sent, sent again where that may help, read whole or piece by piece, and always closed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import msgspec

from modelport.providers.connections import PoolSettings, connections_of
from modelport.providers.endpoint import Endpoint, place_of
from modelport.providers.failures import CONNECTION_ERRORS, connection_failure, no_events, status_failure
from modelport.providers.framing import Framing
from modelport.runnables import backoff
from modelport.values.status_errors import APIStatusError, BadGatewayError

MAX_ERROR_BYTES = 64 * 1024
"""How much of an error's body is read."""
DRAIN_SECONDS = 0.1
"""How long a stream that said its last word may take to end; its connection can be used again only then."""


class Request(msgspec.Struct, frozen=True):
    """Is what is sent."""

    method: str
    """GET, POST, …"""
    url: str
    """Where to."""
    headers: Mapping[str, str] = {}
    """The headers, beside those that go with the body."""
    body: Any = None
    """Bytes, or a form of the HTTP client; None: nothing."""


class Exchange:
    """Is a request and its answer while it comes; leaving the block closes what is not read to its end."""

    def __init__(self, model: Endpoint, request: Request, error_message: Any = None) -> None:
        self.place = place_of(request.url)
        """The server, as `http://host:port`."""
        self.beginning = b""
        """The first piece of a body that is read piece by piece."""
        self.scrub = model.scrub
        """Takes the model's secrets out of a text."""
        self._model = model
        self._request = request
        self._error_message = error_message
        self._response: aiohttp.ClientResponse | None = None
        self._ended = False

    async def __aenter__(self) -> Self:
        """Send the request, unless that is done, and wait for the answer to begin.

        Raises:
            APIStatusError: There is no answer, or its status is no success.
        """
        attempts = 0
        while self._response is None:
            failure = await self._attempt()
            if failure is None:
                break
            attempts += 1
            if attempts > self._model.max_retries or not self._may_help(failure):
                raise failure
            await backoff.asleep(backoff.wait_after(attempts, failure, exponential_jitter=True))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the connection back when the answer was read to its end, else close it, and the server notices."""
        response, self._response = self._response, None
        if response is None:
            return
        if error is None and self._ended and not response.content.at_eof():
            await _drain(response)
        if response.content.at_eof():
            response.release()
        else:
            response.close()
            await asyncio.sleep(0)  # the loop closes the socket at its next turn: nobody shall have to wait for that

    @property
    def content_type(self) -> str:
        """The answer's type, without parameters, in lower case."""
        assert self._response is not None, "the request has been sent"
        return self._response.content_type.lower()

    async def read(self) -> bytes:
        """Return the whole body.

        Raises:
            APIStatusError: The server broke it off, or was silent for too long.
        """
        assert self._response is not None, "the request has been sent"
        try:
            return await self._response.read()
        except CONNECTION_ERRORS as error:
            failure = connection_failure(error, self.place, self.scrub, started=True)
        raise failure

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it comes; raises as `read` does."""
        assert self._response is not None, "the request has been sent"
        content = self._response.content
        while True:
            try:
                piece = await content.readany()
            except CONNECTION_ERRORS as error:
                failure = connection_failure(error, self.place, self.scrub, started=True)
                break
            if not piece:
                return
            self.beginning = self.beginning or piece
            yield piece
        raise failure

    async def messages(self, framing: Framing) -> AsyncGenerator[list[str], None]:
        """Yield the messages of a streamed body, as many at a time as came together; raises as `read` does."""
        async with aclosing(self.pieces()) as pieces:
            async for piece in pieces:
                if found := framing.feed(piece):
                    yield found
        if found := framing.rest():
            yield found

    def check_events(self) -> None:
        """Refuse a body in which there was no server-sent event, and that begins as a page or as JSON does.

        Raises:
            APIStatusError: The error that stands in it, or one that shows its beginning.
        """
        sent = self.beginning.lstrip()
        if sent.startswith((b"{", b"[", b"<")):
            raise no_events(sent, self.content_type, self.place, self.scrub)

    def end(self) -> None:
        """Say that the answer is complete, though the body may not have ended yet."""
        self._ended = True

    async def _attempt(self) -> APIStatusError | None:
        """Send the request once; return why there is no good answer, None when there is."""
        note = {"reused": False}
        try:
            try:
                self._response = await self._send(note)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if not note["reused"] or isinstance(error, aiohttp.ClientConnectorError):
                    raise
                # An idle connection that the server closed meanwhile: it has seen nothing of this request.
                self._response = await self._send(note)
            if 200 <= self._response.status < 300:
                return None
            return await self._refusal(self._response)
        except CONNECTION_ERRORS as error:
            return connection_failure(error, self.place, self.scrub, started=self._response is not None)

    async def _send(self, note: dict[str, bool]) -> aiohttp.ClientResponse:
        request, pool = self._request, await connections_of(self._model).pool(_settings_of(self._model))
        parts = urlsplit(request.url)
        return await pool.session.request(
            request.method,
            request.url,
            headers=request.headers,
            data=request.body,
            allow_redirects=False,  # the key and the prompt go where the model says, nowhere else
            proxy=pool.proxy_for(parts.scheme, parts.hostname or ""),
            trace_request_ctx=note,
        )

    async def _refusal(self, response: aiohttp.ClientResponse) -> APIStatusError:
        body = b""
        try:
            with contextlib.suppress(*CONNECTION_ERRORS):  # the status says enough
                while len(body) < MAX_ERROR_BYTES and (piece := await response.content.readany()):
                    body += piece
        finally:
            response.close()
            self._response = None
        message = self._error_message(body) if self._error_message is not None else None
        return status_failure(response.status, response.headers, body, self.place, self.scrub, message=message)

    def _may_help(self, failure: APIStatusError) -> bool:
        return isinstance(failure, BadGatewayError) or failure.status_code in self._model.retryable_statuses


async def _drain(response: aiohttp.ClientResponse) -> None:
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            await response.content.readany()
    except CONNECTION_ERRORS:
        return


def _settings_of(model: Endpoint) -> PoolSettings:
    return PoolSettings(
        model.max_connections or 0,
        model.connect_timeout_seconds,
        model.timeout_seconds,
        model.verify,
        None if model.proxy is None else model.proxy.get_secret_value(),
    )
