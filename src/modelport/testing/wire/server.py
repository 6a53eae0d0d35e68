"""The server under check: asking it over HTTP, within bounds, and what is known of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from modelport.testing.checks import CheckFailure, NotApplicable
from modelport.testing.wire.answers import Answer, Streamed, object_of, objects_of

if TYPE_CHECKING:
    import httpx

DRAIN_SECONDS = 5.0
"""How long a stream's body may stay open after `[DONE]`; a client that drains it hangs as long."""
LONGEST_RETRY_SECONDS, RETRIES = 5.0, 3
"""After which wait at most, and how often, a request is sent that is refused with 429."""
CONNECTING = 2
"""How often a request is sent whose connection breaks."""
DONE = b"[DONE]"


class Unanswered(CheckFailure):
    """Says that the server did not answer: it hangs, or cannot be reached."""


class Server:
    """Asks one OpenAI-compatible server. Every request ends within `timeout_seconds`.

    Args:
        client: An HTTP client that is closed by who made it.
        base_url: The address with its path, `http://host/v1`.
        key: The key; None: none is sent.
        model: The model that is asked; None: the first listed one that answers.
        timeout_seconds: How long one answer may take.
    """

    def __init__(
        self, client: httpx.AsyncClient, base_url: str, *, key: str | None, model: str | None, timeout_seconds: float
    ) -> None:
        self.client = client
        """Sends the requests."""
        self.base_url = base_url.rstrip("/")
        """The address, without a slash at its end."""
        self.key = key
        """The key that is sent."""
        self.asked_model = model
        """The model that was named by who runs the checks."""
        self.timeout_seconds = timeout_seconds
        """How long one answer may take."""
        self.refused: list[Answer] = []
        """Every answer with status 429."""
        self._known: dict[str, Any] = {}

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        own = {"accept": "*/*", "accept-encoding": "identity"}
        return own if self.key is None else {**own, "authorization": f"Bearer {self.key}"}

    async def ask(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str | None] | None = None
    ) -> Answer:
        """Send a request and read the whole answer.

        Args:
            method: GET, POST, …
            path: The path below the base URL.
            body: A value that is sent as JSON, or bytes as they are; None: no body.
            headers: Headers in addition to, and in place of, the usual ones; None as a value leaves one out.

        Raises:
            Unanswered: There is no answer in time, or no connection.
            NotApplicable: The server refuses with 429 again and again.
        """
        return await self._send(method, path, body, headers or {}, self._read_whole)

    async def stream(self, path: str, body: Any, *, headers: Mapping[str, str | None] | None = None) -> Streamed:
        """Send a request whose answer is a stream, and read it to its end, or some seconds beyond `[DONE]`.

        Raises:
            Unanswered: There is no end in time, or no connection.
            NotApplicable: The server refuses with 429 again and again.
        """
        answer = await self._send("POST", path, body, headers or {}, self._read_stream)
        assert isinstance(answer, Streamed)
        return answer

    async def leave(self, path: str, body: Any, *, after_data: bool) -> None:
        """Send a request and leave: after the first data of its answer, or at once."""
        try:
            async with asyncio.timeout(self.timeout_seconds):
                if not after_data:
                    await self._leave_at_once(path, body)
                    return
                async with self.client.stream("POST", self.base_url + path, **self._content(body, {})) as response:
                    async for _ in response.aiter_raw():
                        break
        except TimeoutError:
            raise self._hangs(f"POST {path}") from None
        except _http_errors():
            return

    async def _leave_at_once(self, path: str, body: Any) -> None:
        request = asyncio.ensure_future(self.client.post(self.base_url + path, **self._content(body, {})))
        await asyncio.wait([request], timeout=0.05)
        request.cancel()
        await asyncio.wait([request])

    async def known(self, name: str, learn: Callable[[], Awaitable[Any]]) -> Any:
        """Return a fact about the server, learned once; a failure to learn it is raised each time."""
        if name not in self._known:
            try:
                self._known[name] = await learn()
            except (CheckFailure, NotApplicable) as failure:
                self._known[name] = failure
        value = self._known[name]
        if isinstance(value, CheckFailure | NotApplicable):
            raise value.with_traceback(None)
        return value

    async def listing(self) -> Answer:
        """Return the answer to GET /models."""
        return await self.known("models", lambda: self.ask("GET", "/models"))

    async def listed(self) -> list[str]:
        """Return the ids of the listed models; empty when there is no list."""
        try:
            value = object_of((await self.listing()).json) or {}
        except (CheckFailure, NotApplicable):
            return []
        ids = [one.get("id") for one in objects_of(value.get("data"))]
        return [one for one in ids if isinstance(one, str) and one]

    async def _send(
        self,
        method: str,
        path: str,
        body: Any,
        headers: Mapping[str, str | None],
        read: Callable[[str, httpx.Response], Awaitable[Answer]],
    ) -> Answer:
        request, answer = f"{method} {path}", None
        for _ in range(RETRIES):
            answer = await self._send_once(request, self.base_url + path, self._content(body, headers), read)
            if answer.status != 429:
                return answer
            self.refused.append(answer)
            await asyncio.sleep(_wait_seconds(answer))
        assert answer is not None
        raise NotApplicable(f"the server refuses to answer that much: {answer.shown}")

    async def _send_once(
        self,
        request: str,
        url: str,
        content: dict[str, Any],
        read: Callable[[str, httpx.Response], Awaitable[Answer]],
    ) -> Answer:
        failure: Exception | None = None
        # An idle connection may be closed just when it is used again: that is no fault. Twice in a row is one.
        for _ in range(CONNECTING):
            try:
                async with (
                    asyncio.timeout(self.timeout_seconds),
                    self.client.stream(request.partition(" ")[0], url, **content) as response,
                ):
                    return await read(request, response)
            except TimeoutError:
                raise self._hangs(request) from None
            except _http_errors() as error:
                failure = error
        seen = f"{request}: {type(failure).__name__}: {failure}"
        raise Unanswered(seen, _mend_of(failure)) from failure

    def _content(self, body: Any, headers: Mapping[str, str | None]) -> dict[str, Any]:
        sent: dict[str, str] = dict(self.headers)
        if body is not None:
            sent["content-type"] = "application/json"
        for name, value in headers.items():
            sent.pop(name, None)
            if value is not None:
                sent[name] = value
        if body is None or isinstance(body, bytes):
            return {"headers": sent, "content": body}
        return {"headers": sent, "content": json.dumps(body, ensure_ascii=False).encode("utf-8")}

    async def _read_whole(self, request: str, response: httpx.Response) -> Answer:
        body = b"".join([part async for part in response.aiter_raw()])
        return Answer(request, response.status_code, _headers_of(response), body)

    async def _read_stream(self, request: str, response: httpx.Response) -> Answer:
        body, ended = bytearray(), True
        parts = response.aiter_raw()
        try:
            async with asyncio.timeout(None) as patience:
                async for part in parts:
                    body += part
                    if patience.when() is None and DONE in body:
                        patience.reschedule(asyncio.get_running_loop().time() + DRAIN_SECONDS)
        except (TimeoutError, *_http_errors()):
            ended = False
        return Streamed(request, response.status_code, _headers_of(response), bytes(body), ended=ended)

    def _hangs(self, request: str) -> Unanswered:
        return Unanswered(
            f"{request}: no whole answer within {self.timeout_seconds:g} s", "bound what one request may take"
        )


def _mend_of(failure: Exception | None) -> str:
    import httpx

    if isinstance(failure, httpx.ConnectError) and "CERTIFICATE" in str(failure):
        return "give it a certificate that is trusted here; the variable SSL_CERT_FILE names authorities of your own"
    if isinstance(failure, httpx.ConnectError):
        return "check the address: its host, its port, and whether it is http or https"
    return "answer every request with a status; never just close"


def _wait_seconds(answer: Answer) -> float:
    try:
        told = float(answer.headers.get("retry-after", 1.0))
    except ValueError:
        told = 1.0
    return max(0.0, min(told, LONGEST_RETRY_SECONDS))


def _headers_of(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _http_errors() -> tuple[type[Exception], ...]:
    import httpx

    return (httpx.HTTPError, httpx.InvalidURL)
