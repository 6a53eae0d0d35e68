"""Models are loaded before the first request and unloaded after the last."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from modelport import LLM, create_app
from modelport.gateway.config import settings_from
from modelport.values.errors import LoadError

LOG: list[str] = []


class Weighty(LLM):
    label: str
    password: SecretStr = SecretStr("hunter2!")
    load_error: str | None = None
    unload_error: str | None = None

    def _load(self) -> None:
        LOG.append(f"load {self.label}")
        if self.load_error:
            raise OSError(self.load_error)

    async def _unload(self) -> None:
        LOG.append(f"unload {self.label}")
        if self.unload_error:
            raise OSError(self.unload_error)

    def _call(self, prompt: str) -> str:
        return prompt


@pytest.fixture(autouse=True)
def empty_log() -> None:
    LOG.clear()


async def lived(app: Any) -> list[dict[str, Any]]:
    """Start and end an app as a server does; return what it says."""
    incoming: asyncio.Queue[Any] = asyncio.Queue()
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    incoming.put_nowait({"type": "lifespan.startup"})
    incoming.put_nowait({"type": "lifespan.shutdown"})
    await app({"type": "lifespan"}, incoming.get, send)
    return sent


async def test_models_are_loaded_at_the_start_and_unloaded_at_the_end() -> None:
    a, b = Weighty(label="a"), Weighty(label="b")
    sent = await lived(create_app({"a": a, "b": b, "b2": b}))
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert LOG == ["load a", "load b", "unload b", "unload a"]


async def test_a_model_that_cannot_be_loaded_stops_the_start_with_one_line() -> None:
    broken = Weighty(label="b", load_error="the password hunter2! is wrong")
    [message] = await lived(create_app({"a": Weighty(label="a"), "b": broken}))
    assert message["type"] == "lifespan.startup.failed"
    assert message["message"] == "Weighty cannot be loaded: OSError: the password *** is wrong"
    assert LOG == ["load a", "load b", "unload a"]


async def test_a_model_that_cannot_be_unloaded_does_not_keep_the_others(caplog: pytest.LogCaptureFixture) -> None:
    broken = Weighty(label="b", unload_error="hunter2!")
    sent = await lived(create_app({"a": Weighty(label="a"), "b": broken}))
    assert sent[-1]["type"] == "lifespan.shutdown.complete"
    assert LOG[-2:] == ["unload b", "unload a"]
    assert "unloading Weighty failed: OSError: ***" in caplog.text


def test_a_model_that_cannot_be_made_is_named_without_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "hunter2-hunter2")
    entry = {"use": f"{Path(__file__)}:Refusing", "params": {"given": "${A_SECRET}"}}
    with pytest.raises(LoadError) as caught:
        create_app(settings_from({"models": {"m": entry}}))
    assert str(caught.value).startswith("models.m: ")
    assert "*** is refused" in str(caught.value)
    assert "hunter2" not in str(caught.value)


class Refusing(LLM):
    given: str

    def __init__(self, **data: Any) -> None:
        super().__init__(**data)
        raise ValueError(f"{self.given} is refused")

    def _call(self, prompt: str) -> str:
        return prompt
