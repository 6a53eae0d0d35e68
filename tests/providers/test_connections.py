"""Connections: reused, closed with their loop, closed when a call is given up, never kept on the model."""

from __future__ import annotations

import asyncio
import copy
import gc
import os
import subprocess
import sys
import threading
import weakref
from contextlib import aclosing
from typing import Any

import pytest
from pydantic import SecretStr

from modelport.providers import OpenAICompatible, exchange
from modelport.providers.connections import connections_of


class Endless:
    """Is a server that streams for as long as the client stays, or never answers."""

    def __init__(self, serve_bytes: Any, raw: Any, openai: Any, *, silent: bool = False) -> None:
        self.gone = threading.Event()
        self.asked = threading.Event()

        async def talk(reader, writer):
            await raw.read_request(reader)
            self.asked.set()
            try:
                if silent:
                    await reader.read()
                else:
                    await self._stream(reader, writer)
            finally:
                self.gone.set()

        self._piece = raw.part(openai.chunk({"content": "x"}))
        self._head = raw.STREAM
        self.url = serve_bytes(talk).url

    async def _stream(self, reader, writer) -> None:
        writer.write(self._head)
        left = asyncio.ensure_future(reader.read())
        while not left.done():
            writer.write(self._piece)
            await writer.drain()
            await asyncio.sleep(0)


@pytest.fixture
def server(own_server: Any) -> Any:
    return own_server


@pytest.fixture
def model(server: Any, openai: Any) -> OpenAICompatible:
    server.answer = lambda seen: openai.stream("a", "b") if seen.json.get("stream") else openai.completion("ab")
    return OpenAICompatible(model="m", base_url=server.url, api_key=SecretStr("sk-secret-1"))


class TestGivingUp:
    def test_closing_a_stream_closes_the_request(self, serve_bytes, raw, openai) -> None:
        endless = Endless(serve_bytes, raw, openai)
        pieces = OpenAICompatible(model="m", base_url=endless.url).stream("hi")
        next(pieces)
        pieces.close()
        assert endless.gone.wait(10)

    async def test_closing_an_async_stream_closes_the_request(self, serve_bytes, raw, openai) -> None:
        endless = Endless(serve_bytes, raw, openai)
        async with aclosing(OpenAICompatible(model="m", base_url=endless.url).astream("hi")) as pieces:
            await anext(pieces)
        assert await asyncio.to_thread(endless.gone.wait, 10)

    def test_a_stop_string_closes_the_request(self, serve_bytes, raw, openai) -> None:
        endless = Endless(serve_bytes, raw, openai)
        model = OpenAICompatible(model="m", base_url=endless.url)
        assert "".join(piece.text for piece in model.stream("hi", stop="xxx", include_stop=False)) == ""
        assert endless.gone.wait(10)

    @pytest.mark.parametrize("way", ["ainvoke", "astream"])
    async def test_cancelling_closes_the_request(self, serve_bytes, raw, openai, way) -> None:
        endless = Endless(serve_bytes, raw, openai, silent=True)
        model = OpenAICompatible(model="m", base_url=endless.url)

        async def call() -> None:
            if way == "ainvoke":
                await model.ainvoke("hi")
            else:
                async for _ in model.astream("hi"):
                    pass

        task = asyncio.create_task(call())
        assert await asyncio.to_thread(endless.asked.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(endless.gone.wait, 10)


class TestPools:
    def test_calls_of_all_kinds_share_one_connection(self, server, model) -> None:
        for _ in range(3):
            model.invoke("hi")
            list(model.stream("hi"))
        assert server.clients == 1

    def test_failures_do_not_cost_the_connection_pool(self, server, openai, model) -> None:
        server.answer = lambda seen: server.failure(500, "x") if len(server.seen) == 1 else openai.completion("ok")
        with pytest.raises(Exception, match="500"):
            model.invoke("hi")
        assert model.invoke("hi").content == "ok"

    def test_two_loops_in_a_row_work_and_leave_nothing_open(self, server, model) -> None:
        async def calls() -> None:
            await asyncio.gather(*(model.ainvoke("hi") for _ in range(3)))
            async for _ in model.astream("hi"):
                pass

        asyncio.run(calls())
        asyncio.run(calls())
        assert not connections_of(model)._pools
        assert server.none_open()

    def test_unloading_closes_and_the_next_call_connects_again(self, server, model) -> None:
        model.invoke("hi")
        model.unload()
        assert server.none_open()
        assert model.invoke("hi").content == "ab"
        assert server.clients == 2

    async def test_unloading_on_the_loop_of_its_calls(self, server, model) -> None:
        await model.ainvoke("hi")
        await model.aunload()
        assert await asyncio.to_thread(server.none_open)
        assert (await model.ainvoke("hi")).content == "ab"

    def test_a_model_out_of_use_leaves_nothing_open(self, server, openai) -> None:
        server.answer = lambda seen: openai.completion("ab")
        model = OpenAICompatible(model="m", base_url=server.url)
        model.invoke("hi")
        gone = weakref.ref(model)
        del model
        gc.collect()
        assert gone() is None
        assert server.none_open()

    def test_no_cookie_of_the_server_comes_back(self, server, openai) -> None:
        model = OpenAICompatible(model="m", base_url=server.url.replace("127.0.0.1", "localhost"))
        server.answer = lambda seen: server.failure(200, openai.completion("ab"), set_cookie="user=one")
        model.invoke("hi")
        model.invoke("hi")
        assert "cookie" not in server.last.headers

    def test_max_connections_holds_calls_back(self, serve_bytes, raw, openai) -> None:
        open_now = most = 0
        body = openai.event(openai.completion("x"))[6:].strip().encode()

        async def talk(reader, writer):
            nonlocal open_now, most
            open_now += 1
            most = max(most, open_now)
            try:
                while True:
                    await raw.read_request(reader)
                    writer.write(raw.answer("200 OK", body, "content-type: application/json"))
            finally:
                open_now -= 1

        model = OpenAICompatible(model="m", base_url=serve_bytes(talk).url, max_connections=2)
        assert [message.content for message in model.batch(["hi"] * 9)] == ["x"] * 9
        assert most == 2

    def test_a_connection_that_went_stale_is_replaced(self, serve_bytes, raw, openai) -> None:
        body = openai.event(openai.completion("x"))[6:].strip().encode()
        connections = 0

        async def talk(reader, writer):
            nonlocal connections
            connections += 1
            await raw.read_request(reader)
            writer.write(raw.answer("200 OK", body))
            if connections == 1:
                # It says nothing, and closes as soon as the next request comes in: as servers do at that moment.
                await raw.read_request(reader)
            else:
                await reader.read()

        model = OpenAICompatible(model="m", base_url=serve_bytes(talk).url)
        assert model.invoke("hi").content == "x"
        assert model.invoke("hi").content == "x"
        assert connections == 2

    def test_a_stream_whose_end_comes_a_moment_after_its_last_word_leaves_a_connection_to_use(
        self, serve_bytes, raw, openai, monkeypatch
    ) -> None:
        draining = threading.Event()
        drain = exchange._drain

        async def noted(response):
            draining.set()
            await drain(response)

        async def talk(reader, writer):
            while True:
                await raw.read_request(reader)
                writer.write(raw.STREAM + raw.part(openai.chunk({"content": "x"}) + openai.DONE))
                await asyncio.to_thread(draining.wait, 10)
                writer.write(raw.END)

        monkeypatch.setattr(exchange, "_drain", noted)
        monkeypatch.setattr(exchange, "DRAIN_SECONDS", 10)
        server = serve_bytes(talk)
        model = OpenAICompatible(model="m", base_url=server.url)
        for _ in range(2):
            assert "".join(piece.text for piece in model.stream("hi")) == "x"
        assert server.connections == 1

    def test_a_late_end_of_a_stream_holds_nobody_up(self, serve_bytes, raw, openai) -> None:
        closed = threading.Event()

        async def talk(reader, writer):
            await raw.read_request(reader)
            writer.write(raw.STREAM + raw.part(openai.chunk({"content": "x"}) + openai.DONE))
            await reader.read()
            closed.set()

        model = OpenAICompatible(model="m", base_url=serve_bytes(talk).url)
        assert "".join(piece.text for piece in model.stream("hi")) == "x"
        assert closed.wait(10)


class TestTheModel:
    def test_copies_have_connections_of_their_own(self, server, model) -> None:
        model.invoke("hi")
        for other in (copy.copy(model), copy.deepcopy(model), model.with_params(timeout_seconds=5)):
            assert other.invoke("hi").content == "ab"
        model.unload()
        assert connections_of(model) is connections_of(model)
        assert len({id(connections_of(one)) for one in (model, copy.copy(model))}) == 2

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    def test_a_forked_child_connects_anew_and_leaves_the_parents_alone(self, server, model) -> None:
        model.invoke("hi")
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if model.invoke("hi").content == "ab" else 3)
            finally:
                os._exit(4)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert model.invoke("hi").content == "ab"
        assert server.clients == 2

    def test_a_program_ends_without_a_word(self, server, model) -> None:
        program = f"""
import asyncio, atexit
@atexit.register
def look():
    from modelport.providers.connections import connections_of
    print([pool.session.closed for pool in pools])
from modelport.providers import OpenAICompatible, exchange
model = OpenAICompatible(model="m", base_url={server.url!r})
print(model.invoke("hi").content)
from modelport.providers.connections import connections_of
pools = list(connections_of(model)._pools.values())
async def main():
    print((await model.ainvoke("hi")).content)
    stream = model.astream("hi")
    print((await anext(stream)).content)
asyncio.run(main())
"""
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-c", program],
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert (done.stdout.split(), done.stderr, done.returncode) == (["ab", "ab", "a", "[True]"], "", 0)


class TestProxiesAndTLS:
    @pytest.fixture
    def proxy(self, serve_bytes, raw, openai) -> Any:
        body = openai.event(openai.completion("by proxy"))[6:].strip().encode()
        asked: list[bytes] = []

        async def talk(reader, writer):
            asked.append((await raw.read_request(reader)).split(b"\r\n")[0])
            writer.write(raw.answer("200 OK", body))

        server = serve_bytes(talk)
        server.asked = asked
        return server

    def test_the_environments_proxy_is_used_but_where_no_proxy_says(self, monkeypatch, server, model, proxy) -> None:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert OpenAICompatible(model="m", base_url="http://far.invalid/v1").invoke("hi").content == "by proxy"
        assert proxy.asked == [b"POST http://far.invalid/v1/chat/completions HTTP/1.1"]
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert model.invoke("hi").content == "ab"

    def test_a_models_own_proxy_wins(self, monkeypatch, proxy) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        model = OpenAICompatible(model="m", base_url="http://far.invalid", proxy=SecretStr(proxy.url))
        assert model.invoke("hi").content == "by proxy"

    def test_a_proxy_that_is_not_there_is_said(self, monkeypatch) -> None:
        model = OpenAICompatible(model="m", base_url="http://far.invalid", proxy=SecretStr("http://me:pw9@127.0.0.1:1"))
        with pytest.raises(Exception, match=r"the proxy to http://far\.invalid cannot be reached") as caught:
            model.invoke("hi")
        assert "pw9" not in str(caught.value)

    @pytest.mark.parametrize("how", ["authority", "unchecked"])
    def test_tls_with_an_authority_of_ones_own(self, serve_bytes, raw, openai, tls, how) -> None:
        body = openai.event(openai.completion("safe"))[6:].strip().encode()

        async def talk(reader, writer):
            await raw.read_request(reader)
            writer.write(raw.answer("200 OK", body))

        url = serve_bytes(talk, tls.context).url.replace("http://127.0.0.1", "https://localhost")
        verify = str(tls.authority) if how == "authority" else False
        assert OpenAICompatible(model="m", base_url=url, verify=verify).invoke("hi").content == "safe"
