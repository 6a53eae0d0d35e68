"""The gateway, in a process of its own, passes the wire checks whole: every kind of model, with keys and without."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from modelport.testing.wire import run_wire_checks

MODELS = """
from modelport import LLM, AIMessageChunk, ChatModel, EmbeddingModel, ImageModel


class Text(LLM):
    chat_template: str | None = "last"

    async def _astream(self, prompt):
        for start in range(0, len(prompt), 3):
            yield prompt[start : start + 3]


class Chat(ChatModel):
    def _stream(self, messages, tools=None, tool_choice=None):
        if tools and tool_choice == "required":
            for index, piece in enumerate(("", '{"place": ', '"Paris"}')):
                first = {"name": "weather", "id": f"call-{id(messages)}"} if not index else {"name": None, "id": None}
                yield AIMessageChunk(tool_call_chunks=[{**first, "args": piece, "index": 0}])
            return
        for word in messages[-1].text.split(" "):
            yield AIMessageChunk(content=word + " ")


class Vectors(EmbeddingModel):
    def _embed(self, texts, dimensions=None):
        return [[float(len(text)), float(sum(map(ord, text)) % 97), 1.0, 0.5][:dimensions] for text in texts]


class Picture(ImageModel):
    def _generate_images(self, prompt):
        return b"\\x89PNG\\r\\n\\x1a\\n" + prompt.encode()
"""
KEY = "sk-gateway"
NOT_SEEN = {"wire-errors:throttled:retry-after", "wire-http:options:headers"}
"""What a server shows only when it is overloaded, and when pages of other origins may call it."""


@contextmanager
def gateway(folder: Path, **settings: Any) -> Generator[str]:
    """Serve four models; gives the base URL."""
    (folder / "wire_models.py").write_text(MODELS, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    models = {name.lower(): {"use": f"wire_models.py:{name}"} for name in ("Chat", "Text", "Vectors", "Picture")}
    config = {"models": models, "server": {"port": port, **settings}}
    (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "modelport", "serve", "--config", "config.yaml"],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "MODELPORT_MASTER_KEY"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    with process, process.stdout:
        try:
            for line in process.stdout:
                if line.startswith("modelport serves"):
                    break
            else:
                raise AssertionError("the gateway did not start")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.stdout.read()


@pytest.mark.parametrize("model", ["chat", "text", None])
def test_the_gateway_passes_whole_with_keys(tmp_path: Path, model: str | None) -> None:
    with gateway(tmp_path, keys=[KEY]) as url:
        results = run_wire_checks(url, key=KEY, model=model)
    assert [result for result in results if result.outcome == "fail"] == []
    unseen = {result.id for result in results if result.outcome == "not applicable"}
    without_tools = {one.id for one in results if one.id.startswith(("wire-tools:whole", "wire-tools:stream"))}
    assert unseen == NOT_SEEN | (without_tools if model == "text" else set())


def test_the_gateway_passes_whole_without_keys_and_for_browsers(tmp_path: Path) -> None:
    with gateway(tmp_path, cors={"origins": ["*"]}) as url:
        results = run_wire_checks(url)
    assert [result for result in results if result.outcome == "fail"] == []
    unseen = {result.id for result in results if result.outcome == "not applicable"}
    keys = {one.id for one in results if one.id.startswith("wire-auth")}
    assert unseen == keys | {"wire-errors:throttled:retry-after"}
