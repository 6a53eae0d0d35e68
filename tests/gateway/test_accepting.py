"""Processes that accept from one socket leave each other a part."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from contextlib import ExitStack
from typing import Any

from modelport.gateway import accepting
from modelport.gateway.accepting import Acceptor
from modelport.gateway.launch import listen


class Counting(asyncio.Protocol):
    def __init__(self, opened: asyncio.Queue[asyncio.BaseTransport]) -> None:
        self.opened = opened

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.opened.put_nowait(transport)


async def test_a_burst_is_shared() -> None:
    queues: list[asyncio.Queue[asyncio.BaseTransport]] = [asyncio.Queue(), asyncio.Queue()]
    with ExitStack() as stack:
        listener = stack.enter_context(listen("127.0.0.1", 0))
        for _ in range(20):
            stack.enter_context(socket.create_connection(listener.getsockname()))
        other = stack.enter_context(listener.dup())
        acceptors = [
            Acceptor(one, lambda queue=queue: Counting(queue))
            for one, queue in zip((listener, other), queues, strict=True)
        ]
        for queue in queues:
            for _ in range(10):
                (await asyncio.wait_for(queue.get(), 10)).close()
        for acceptor in acceptors:
            acceptor.close()
        await asyncio.sleep(0)


async def test_out_of_files_it_pauses_and_goes_on(monkeypatch: Any, caplog: Any) -> None:
    monkeypatch.setattr(accepting, "PAUSE_SECONDS", 0.01)
    opened: asyncio.Queue[asyncio.BaseTransport] = asyncio.Queue()

    class Full(socket.socket):
        """Has no file left at first."""

        tries = 0

        def accept(self) -> Any:
            self.tries += 1
            if self.tries == 1:
                raise OSError(errno.EMFILE, "Too many open files")
            return super().accept()

    with Full() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        acceptor = Acceptor(listener, lambda: Counting(opened))
        with socket.create_connection(listener.getsockname()), caplog.at_level(logging.ERROR):
            (await asyncio.wait_for(opened.get(), 10)).close()
        acceptor.close()
        await asyncio.sleep(0)
    assert "no connection can be accepted for 0.01 s: Too many open files" in caplog.text
