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


class TestReload:
    """`Gateway.reload` itself; how it is asked for is tested in test_reload.py."""

    FILE = """
from modelport import LLM
LOADED = []
class Weighty(LLM):
    label: str = "?"
    def _load(self): LOADED.append(f"load {self.label}")
    def _unload(self): LOADED.append(f"unload {self.label}")
    def _call(self, prompt): return self.label
"""

    def settings(self, folder: Path, models: dict[str, Any], **server: Any) -> Any:
        return settings_from({"models": models, "server": server}, folder=folder)

    def model(self, label: str) -> dict[str, Any]:
        return {"use": "weighty_reload:Weighty", "params": {"label": label}}

    async def test_models_that_stay_are_not_loaded_again_and_those_that_go_are_unloaded(self, tmp_path: Path) -> None:
        (tmp_path / "weighty_reload.py").write_text(self.FILE, encoding="utf-8")
        app = create_app(self.settings(tmp_path, {"a": self.model("a"), "b": self.model("b")}))
        await app.serving.load()
        [kept] = app.serving.sources["a"]
        await app.reload(self.settings(tmp_path, {"a": self.model("a"), "c": self.model("c")}))
        await asyncio.gather(*app._retiring)
        loaded = __import__("weighty_reload").LOADED
        assert loaded == ["load a", "load b", "load c", "unload b"]
        assert app.serving.sources["a"] == [kept]
        await app.close()
        assert sorted(loaded[4:]) == ["unload a", "unload c"]

    async def test_what_is_not_served_any_more_waits_for_its_last_request(self, tmp_path: Path) -> None:
        app = create_app({"a": Weighty(label="a")})
        await app.serving.load()
        before = app.serving
        before.in_flight += 1
        await app.reload(settings_from({}))
        assert LOG == ["load a"]
        before.left()
        await asyncio.gather(*app._retiring)
        assert LOG == ["load a", "unload a"]

    async def test_a_model_that_cannot_be_loaded_leaves_the_old_ones(self, tmp_path: Path) -> None:
        app = create_app({"a": Weighty(label="a")})
        await app.serving.load()
        before = app.serving
        bad = {"b": {"use": f"{__name__.rpartition('.')[2]}:nothing"}}
        with pytest.raises(LoadError):
            await app.reload(settings_from({"models": bad}))
        assert app.serving is before
        assert LOG == ["load a"]

    async def test_origins_and_the_log_follow_the_config(self) -> None:
        app = create_app(settings_from({"server": {"log_requests": False}}))
        assert (app.cors, app.request_log) == (None, None)
        await app.reload(settings_from({"server": {"cors": {"origins": ["*"]}}}))
        assert app.cors is not None
        assert app.request_log is not None
        await app.reload(settings_from({"server": {"log_requests": False}}))
        assert (app.cors, app.request_log) == (None, None)
