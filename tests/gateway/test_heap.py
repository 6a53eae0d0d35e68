"""A server process leaves what it loaded at the start out of its garbage collections, until a reload replaces some."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelport import LLM
from modelport.gateway import create_app
from modelport.gateway.in_process import InProcessTransport
from modelport.gateway.settings import GatewaySettings

MODEL = """
import gc
from modelport import LLM

class Frozen(LLM):
    chat_template: str | None = "last"

    def _call(self, prompt: str) -> str:
        return f"{gc.get_freeze_count() > 1000}"
"""
ASKED = {"model": "frozen", "messages": [{"role": "user", "content": "?"}]}


def said(reply: httpx.Response) -> str:
    return reply.json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_process_settles_when_it_is_ready(tmp_path: Path, serve: Any, workers: str) -> None:
    (tmp_path / "frozen.py").write_text(MODEL)
    (tmp_path / "config.yaml").write_text("models: {frozen: {use: 'frozen:Frozen'}}")
    with serve(tmp_path / "config.yaml", "--port", "0", "--workers", workers) as url, httpx.Client() as client:
        # It is told to be reachable first.
        assert any(said(client.post(f"{url}/chat/completions", json=ASKED)) == "True" for _ in range(1000))


def test_somebody_elses_process_stays_as_it_is() -> None:
    class Frozen(LLM):
        chat_template: str | None = "last"

        def _call(self, prompt: str) -> str:
            return str(gc.get_freeze_count())

    before = gc.get_freeze_count()
    with httpx.Client(transport=InProcessTransport(create_app({"frozen": Frozen()}))) as client:
        assert said(client.post("http://app/v1/chat/completions", json=ASKED)) == str(before)


def test_what_a_reload_replaces_can_be_collected() -> None:
    code = """
import gc
from modelport.gateway.heap import settle, unsettle
settle()
assert gc.get_freeze_count()
unsettle()
assert not gc.get_freeze_count()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_reloaded_server_unsettles(monkeypatch: pytest.MonkeyPatch) -> None:
    from modelport.gateway import server

    unsettled: list[bool] = []
    monkeypatch.setattr(server, "unsettle", lambda: unsettled.append(True))
    settings = GatewaySettings()
    one = server.Server(create_app({"m": _Plain()}), settings, on_start=lambda: None)
    one.obey(settings)
    assert unsettled == [True]


class _Plain(LLM):
    def _call(self, prompt: str) -> str:
        return prompt
