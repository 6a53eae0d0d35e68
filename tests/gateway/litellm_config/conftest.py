"""Reading one of LiteLLM's configs, and what is said of it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelport.gateway.config import load_settings
from modelport.gateway.settings import GatewaySettings

HANDLER = """
from litellm import CustomLLM

class H(CustomLLM):
    def completion(self, *args, **kwargs):
        return str(kwargs["optional_params"])

h = H()
"""


@pytest.fixture(autouse=True)
def nothing_set(plain_process: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)


@pytest.fixture
def read(tmp_path: Path) -> Any:
    (tmp_path / "hf.py").write_text(HANDLER)

    def read(config: Any) -> GatewaySettings:
        text = config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False)
        (tmp_path / "config.yaml").write_text(text)
        return load_settings(tmp_path / "config.yaml")

    return read


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.WARNING, "modelport.gateway")

    def warnings() -> list[str]:
        return [record.getMessage().removeprefix("config.yaml: ") for record in caplog.records]

    return warnings
