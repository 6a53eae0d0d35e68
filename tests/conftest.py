"""A gateway in a process of its own, for every test that talks to one as clients do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from modelport.integrations import litellm
from modelport.registry import providers

# How fast this machine is says nothing about what is tested.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")

END_SECONDS = 20

LONGEST = ("test_models_pass.py", "test_wire_checks_catch.py", "test_readme.py", "test_new.py", "test_tutorial.py")
"""Files that take longest: one that is begun last keeps one process at work while the others wait."""

Serve = Callable[..., AbstractContextManager[str]]
"""Starts a gateway with a config and gives its URL, which ends in `/v1`: `with serve(config) as url`."""


@contextmanager
def _serve(
    config: Path | str,
    *more: str,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    secrets: tuple[str, ...] = (),
    program: tuple[str, ...] = (sys.executable, "-W", "error", "-m", "modelport"),
) -> Generator[str]:
    """Start it, and hold it to a good end: status 0, and a log without tracebacks, warnings and secrets."""
    command = [*program, "serve", "--config", str(config), *more]
    with subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        greeting = server.stdout.readline()
        if not greeting:
            pytest.fail(server.stderr.read())
        # Pipes that nobody reads fill up and stop the server.
        lines: list[str] = []
        readers = [threading.Thread(target=lines.extend, args=(pipe,)) for pipe in (server.stdout, server.stderr)]
        for reader in readers:
            reader.start()
        try:
            yield greeting.split()[2]
        finally:
            server.send_signal(signal.SIGTERM)
            status = server.wait(END_SECONDS)
            for reader in readers:
                reader.join()
        log = "".join(lines)
        assert status == 0, log
        assert not [word for word in ("Traceback", "Warning", *secrets) if word in log], log


@pytest.fixture(scope="session")
def serve() -> Serve:
    """Start a gateway by `modelport serve --config`."""
    return _serve


@pytest.fixture
def own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take back what a test registers, here or in the place where handlers for LiteLLM are."""
    monkeypatch.setattr(providers, "_registered", dict(providers._registered))
    monkeypatch.setattr(litellm, "custom_provider_map", list(litellm.custom_provider_map))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files; a file is run by one process."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONGEST)))
