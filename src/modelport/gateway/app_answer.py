"""The answer of an app in this process, as a client of httpx or httpx2 reads it: in a thread, or on the app's loop."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Iterator
from functools import cache
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import Any

from modelport.gateway.app_call import AppCall, Head, Item, Signal


def package_of(request: Any) -> ModuleType:
    """Return the package that a request is of, httpx or httpx2: its answer and its errors have to be of the same."""
    known = next(base for base in type(request).__mro__ if base.__name__ == "Request")
    return importlib.import_module(known.__module__.partition(".")[0])


@cache
def stream_class(package: ModuleType, base: str, stream: type[Any]) -> type[Any]:
    """Return a class of streams that a package takes for the body of an answer."""
    return type(stream.__name__, (stream, getattr(package, base)), {})


class _Answer:
    """Is what both ways of reading share."""

    def __init__(self, call: AppCall, request: Any, package: ModuleType) -> None:
        self._call = call
        self._request = request
        self._package = package
        self._seconds: float | None = request.extensions.get("timeout", {}).get("read")

    def _checked(self, item: Item) -> Head | bytes | None:
        """Return the head or a part of the body, None at the end; raise what the app raised."""
        if isinstance(item, bytes):
            self._call.taken(len(item))
            return item
        if isinstance(item, Head):
            return item
        if isinstance(item, BaseException):
            raise item
        if item is Signal.BROKEN:
            text = "the app failed before its answer was complete"
            raise self._package.RemoteProtocolError(text, request=self._request)
        if item is Signal.CLOSED:
            raise self._package.ReadError("the transport was closed", request=self._request)
        return None

    def _too_slow(self) -> Exception:
        text = f"the app sent nothing for {self._seconds:g} seconds; raise the client's timeout"
        return self._package.ReadTimeout(text, request=self._request)


class SyncAnswer(_Answer):
    """Is read in a thread, while the app runs in another."""

    def __init__(self, call: AppCall, items: SimpleQueue[Item], request: Any, package: ModuleType) -> None:
        super().__init__(call, request, package)
        self._items = items
        self._body: Iterator[bytes] | None = None

    def head(self) -> Head:
        """Wait for the beginning of the answer.

        Raises:
            ReadTimeout: It does not come in time; of the client's package.
            Exception: Whatever the app raised.
        """
        head = self._next()
        assert isinstance(head, Head), "an answer begins with its head"
        return head

    def parts(self) -> Iterator[bytes]:
        """Yield the parts of the body as they come; raises as `head` does."""
        while isinstance(part := self._next(), bytes):
            yield part

    def close(self) -> None:
        """Tell the app that nobody reads on."""
        self._call.leave()

    def _next(self) -> Head | bytes | None:
        try:
            while (item := self._items.get(timeout=self._seconds)) is Signal.WANTS_BODY:
                self._body = self._body or iter(self._request.stream)
                self._call.give(next(self._body, None))
            return self._checked(item)
        except Empty:
            self._call.leave()
            raise self._too_slow() from None
        except BaseException:
            self._call.leave()
            raise


class AsyncAnswer(_Answer):
    """Is read on the loop that the app runs on."""

    def __init__(self, call: AppCall, items: asyncio.Queue[Item], request: Any, package: ModuleType) -> None:
        super().__init__(call, request, package)
        self._items = items
        self._body: AsyncIterator[bytes] | None = None

    async def head(self) -> Head:
        """Wait for the beginning of the answer; raises as in a thread."""
        head = await self._next()
        assert isinstance(head, Head), "an answer begins with its head"
        return head

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield the parts of the body as they come; raises as `head` does."""
        while isinstance(part := await self._next(), bytes):
            yield part

    def close(self) -> None:
        """Tell the app that nobody reads on."""
        self._call.leave()

    async def _next(self) -> Head | bytes | None:
        try:
            while (item := await self._item()) is Signal.WANTS_BODY:
                self._body = self._body or aiter(self._request.stream)
                self._call.give(await anext(self._body, None))
            return self._checked(item)
        except BaseException:
            self._call.leave()
            raise

    async def _item(self) -> Item:
        if not self._items.empty():
            return self._items.get_nowait()
        clock = asyncio.timeout(self._seconds)
        try:
            async with clock:
                return await self._items.get()
        except TimeoutError:
            if not clock.expired():
                raise
            raise self._too_slow() from None


class SyncStream:
    """Is the body of an answer, as httpx has it: iterated once."""

    def __init__(self, answer: SyncAnswer) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.parts()

    def close(self) -> None:
        """End the request."""
        self._answer.close()


class AsyncStream:
    """Is the body of an answer, as httpx has it: iterated once."""

    def __init__(self, answer: AsyncAnswer) -> None:
        self._answer = answer

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._answer.parts()

    async def aclose(self) -> None:
        """End the request."""
        self._answer.close()
