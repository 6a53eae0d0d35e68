"""LiteLLM's `litellm.llms.custom_httpx.http_handler`: HTTP clients of handlers, thin over httpx.

httpx is imported when the first client is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from modelport.engine.loop_local import loop_local
from modelport.integrations.litellm.http_requests import RequestParts, client_keywords, httpx_module
from modelport.integrations.litellm.names import also_offered
from modelport.values.status_errors import Timeout

if TYPE_CHECKING:
    import httpx

__all__ = ["AsyncHTTPHandler", "HTTPHandler", "get_async_httpx_client"]


def _timed_out(url: str, error: Exception) -> Timeout:
    return Timeout(f"{url!r} did not answer in time: {type(error).__name__}")


def _with_facts(error: httpx.HTTPStatusError, text: str) -> httpx.HTTPStatusError:
    """Return an error with the attributes that LiteLLM's handlers read: its status and the body's text."""
    facts: dict[str, Any] = {"status_code": error.response.status_code, "message": text, "text": text}
    for name, value in facts.items():
        setattr(error, name, value)
    return error


class HTTPHandler:
    """Is an HTTP client: answers with a status of 400 or above are errors (`httpx.HTTPStatusError`)."""

    def __init__(
        self,
        timeout: Any = None,
        concurrent_limit: int | None = None,
        client: httpx.Client | None = None,
        ssl_verify: Any = None,
        **_: Any,
    ) -> None:
        """Make a client.

        Args:
            timeout: Seconds, or httpx's timeout; None: 600 seconds, 5 for the connection.
            concurrent_limit: The most connections at once.
            client: The httpx client to use; None: one of its own.
            ssl_verify: httpx's `verify`.

        Raises:
            MissingExtraError: httpx is not installed.
        """
        keywords = client_keywords(timeout, concurrent_limit, ssl_verify)
        self.client: httpx.Client = client if client is not None else httpx_module().Client(**keywords)
        """The httpx client."""

    def get(self, url: str, params: Any = None, headers: Any = None, **options: Any) -> httpx.Response:
        """Send a GET request; `options` may have `follow_redirects` and `timeout`."""
        return self._send("GET", url, {**options, "params": params, "headers": headers})

    def post(
        self, url: str, data: Any = None, json: Any = None, params: Any = None, headers: Any = None, **options: Any
    ) -> httpx.Response:
        """Send a POST request.

        Args:
            url: Where to.
            data: A form's fields, or a raw body.
            json: The body as an object, instead.
            params: The query.
            headers: The headers.
            **options: `stream` (the body is read by `iter_lines()` and the like), `timeout`, `files`, `content`.

        Raises:
            Timeout: There was no answer in time.
            httpx.HTTPStatusError: The answer's status is 400 or above; it has `status_code` and `text`.
        """
        return self._send("POST", url, {**options, "data": data, "json": json, "params": params, "headers": headers})

    def put(self, url: str, **options: Any) -> httpx.Response:
        """Send a PUT request; see `post`."""
        return self._send("PUT", url, options)

    def patch(self, url: str, **options: Any) -> httpx.Response:
        """Send a PATCH request; see `post`."""
        return self._send("PATCH", url, options)

    def delete(self, url: str, **options: Any) -> httpx.Response:
        """Send a DELETE request; see `post`."""
        return self._send("DELETE", url, options)

    def _send(self, method: str, url: str, given: Mapping[str, Any]) -> httpx.Response:
        parts = RequestParts(given)
        request = self.client.build_request(method, url, **parts.making)
        try:
            response = self.client.send(request, **parts.sending)
        except httpx_module().TimeoutException as error:
            raise _timed_out(url, error) from error
        try:
            return response.raise_for_status()
        except httpx_module().HTTPStatusError as error:
            raise _with_facts(error, _body(response)) from None

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncHTTPHandler:
    """Is an async HTTP client, with connections of its own on each event loop; see `HTTPHandler`."""

    def __init__(
        self,
        timeout: Any = None,
        event_hooks: Any = None,
        concurrent_limit: int | None = None,
        client_alias: str | None = None,
        ssl_verify: Any = None,
        client: httpx.AsyncClient | None = None,
        **_: Any,
    ) -> None:
        """Make a client; see `HTTPHandler`.

        Args:
            timeout: Seconds, or httpx's timeout; None: 600 seconds, 5 for the connection.
            event_hooks: httpx's `event_hooks`.
            concurrent_limit: The most connections at once.
            client_alias: Changes nothing.
            ssl_verify: httpx's `verify`.
            client: The httpx client to use; None: one of its own for each event loop.

        Raises:
            MissingExtraError: httpx is not installed.
        """
        keywords = client_keywords(timeout, concurrent_limit, ssl_verify, event_hooks)
        self._given = client
        self._own = loop_local(lambda: httpx_module().AsyncClient(**keywords))

    @property
    def client(self) -> httpx.AsyncClient:
        """The httpx client of the running loop."""
        return self._given if self._given is not None else self._own()

    async def get(self, url: str, params: Any = None, headers: Any = None, **options: Any) -> httpx.Response:
        """Send a GET request; see `HTTPHandler.get`."""
        return await self._send("GET", url, {**options, "params": params, "headers": headers})

    async def post(
        self, url: str, data: Any = None, json: Any = None, params: Any = None, headers: Any = None, **options: Any
    ) -> httpx.Response:
        """Send a POST request; see `HTTPHandler.post`. A streamed body is read by `aiter_lines()` and the like."""
        given = {**options, "data": data, "json": json, "params": params, "headers": headers}
        return await self._send("POST", url, given)

    async def put(self, url: str, **options: Any) -> httpx.Response:
        """Send a PUT request; see `HTTPHandler.post`."""
        return await self._send("PUT", url, options)

    async def patch(self, url: str, **options: Any) -> httpx.Response:
        """Send a PATCH request; see `HTTPHandler.post`."""
        return await self._send("PATCH", url, options)

    async def delete(self, url: str, **options: Any) -> httpx.Response:
        """Send a DELETE request; see `HTTPHandler.post`."""
        return await self._send("DELETE", url, options)

    async def _send(self, method: str, url: str, given: Mapping[str, Any]) -> httpx.Response:
        parts = RequestParts(given)
        client = self.client
        request = client.build_request(method, url, **parts.making)
        try:
            response = await client.send(request, **parts.sending)
        except httpx_module().TimeoutException as error:
            raise _timed_out(url, error) from error
        try:
            return response.raise_for_status()
        except httpx_module().HTTPStatusError as error:
            text = (await response.aread()).decode(errors="replace")
            await response.aclose()
            raise _with_facts(error, text) from None

    async def close(self) -> None:
        """Close the running loop's connections."""
        await self.client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _body(response: httpx.Response) -> str:
    text = response.read().decode(errors="replace")
    response.close()
    return text


def get_async_httpx_client(
    llm_provider: Any = None, params: Mapping[str, Any] | None = None, **_: Any
) -> AsyncHTTPHandler:
    """Return an async client; `params` has its `timeout` and `ssl_verify`."""
    return AsyncHTTPHandler(
        **{name: value for name, value in (params or {}).items() if name in ("timeout", "ssl_verify")}
    )


def __getattr__(name: str) -> Any:
    return also_offered(__name__, name)
