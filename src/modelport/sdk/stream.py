"""`CompletionStream`: what `completion(stream=True)` returns: iterated with `for` or `async for`, closed to stop."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from modelport.engine.bridge_sync import iterate_on_loop
from modelport.engine.closing import aclose_quietly
from modelport.engine.indexed_choices import astream_all_choices
from modelport.engine.streams import astream, stream
from modelport.runs.loops import background_loop, call_soon
from modelport.sdk.request import ChatRequest, include_usage_in
from modelport.wire.chunk_objects import ChatChunkObjects
from modelport.wire.completion import new_completion_id, now_seconds
from modelport.wire.completion_chunk import ChatCompletionChunk

if TYPE_CHECKING:
    from modelport.engine.call import Call

Chunk = TypeVar("Chunk")


class ChunkStream(Generic[Chunk]):
    """Is a stream of chunks that is iterated either in a thread or on a loop, and can be closed either way.

    The generators of a subclass must not hold the stream itself: one that is dropped is closed at once.
    """

    def __init__(self) -> None:
        self._pieces: Generator[Chunk, None, None] | None = None
        self._apieces: AsyncGenerator[Chunk, None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    def _sync(self) -> Generator[Chunk, None, None]:
        """Return a generator of the chunks."""
        raise NotImplementedError

    def _async(self) -> AsyncGenerator[Chunk, None]:
        """Return an async generator of the chunks."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[Chunk]:
        if self._pieces is None:
            if self._apieces is not None:
                raise RuntimeError("this stream is iterated with `async for`; go on with that, or ask again")
            self._pieces = _nothing() if self._is_closed else self._sync()
        return self._pieces

    def __next__(self) -> Chunk:
        return next(iter(self))

    def __aiter__(self) -> AsyncIterator[Chunk]:
        if self._apieces is None:
            if self._pieces is not None and not self._is_closed:
                raise RuntimeError("this stream is iterated with `for`; go on with that, or ask again")
            self._loop = asyncio.get_running_loop()
            self._apieces = _anothing() if self._is_closed else self._async()
        return self._apieces

    async def __anext__(self) -> Chunk:
        return await anext(aiter(self))

    def close(self) -> None:
        """Stop the model; the stream gives no more chunks. One that is iterated on a loop is closed there, soon."""
        self._is_closed = True
        if self._pieces is not None:
            self._pieces.close()
        elif self._apieces is not None and self._loop is not None and self._loop.is_running():
            call_soon(self._loop, _close_soon, self._apieces)

    async def aclose(self) -> None:
        """Stop the model, on the running loop; the stream gives no more chunks."""
        self._is_closed = True
        if self._apieces is not None:
            await self._apieces.aclose()
        elif self._pieces is not None:
            self._pieces.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __reduce__(self) -> Any:
        raise TypeError("a stream cannot be copied or pickled: iterate over it, and keep its chunks")


def _nothing() -> Generator[Any, None, None]:
    yield from ()


async def _anothing() -> AsyncGenerator[Any, None]:
    for nothing in ():
        yield nothing


_closing: set[asyncio.Task[None]] = set()


def _close_soon(pieces: AsyncGenerator[Any, None]) -> None:
    """Close an async generator on the running loop."""
    task = asyncio.get_running_loop().create_task(aclose_quietly(pieces))
    _closing.add(task)
    task.add_done_callback(_closing.discard)


class CompletionStream(ChunkStream[ChatCompletionChunk]):
    """Streams one request: its model is called when the first chunk is asked for."""

    def __init__(self, request: ChatRequest, given: Mapping[str, Any]) -> None:
        super().__init__()
        self._request = request
        self._chunks = ChatChunkObjects(
            completion_id=new_completion_id(),
            created=now_seconds(),
            model=request.name,
            include_usage="stream_options" in given and include_usage_in(given),
        )

    def _sync(self) -> Generator[ChatCompletionChunk, None, None]:
        return _chunks(self._request, self._chunks)

    def _async(self) -> AsyncGenerator[ChatCompletionChunk, None]:
        return _achunks(self._request, self._chunks)


def _chunks(request: ChatRequest, objects: ChatChunkObjects) -> Generator[ChatCompletionChunk, None, None]:
    try:
        if request.n == 1:
            with closing(stream(request.call)) as pieces:
                for piece in pieces:
                    yield from objects.chunks(0, piece)
        else:
            with closing(choices_of(request.call, request.n)) as choices:
                for index, piece in choices:
                    yield from objects.chunks(index, piece)
        yield from objects.last_chunks()
    except Exception as error:
        failure = request.failure_of(error)
        if failure is error:
            raise
        raise failure from error


def choices_of(call: Call, n: int) -> Generator[tuple[int, Any], None, None]:
    """Return a generator of several choices' pieces, which are made at once on the background loop."""
    scope = call.scope
    return iterate_on_loop(
        background_loop(),
        lambda: astream_all_choices(call, n),
        contextvars.copy_context(),
        lambda: scope.deadline if scope is not None else None,
        lambda: None,
    )


async def _achunks(request: ChatRequest, objects: ChatChunkObjects) -> AsyncGenerator[ChatCompletionChunk, None]:
    try:
        if request.n == 1:
            async with aclosing(astream(request.call)) as pieces:
                async for piece in pieces:
                    for chunk in objects.chunks(0, piece):
                        yield chunk
        else:
            async with aclosing(astream_all_choices(request.call, request.n)) as choices:
                async for index, piece in choices:
                    for chunk in objects.chunks(index, piece):
                        yield chunk
        for chunk in objects.last_chunks():
            yield chunk
    except Exception as error:
        failure = request.failure_of(error)
        if failure is error:
            raise
        raise failure from error
