"""`modelport config`, as a person types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODELS = """
from modelport import LLM

class Echo(LLM):
    n: int = 5

    def _call(self, prompt):
        return prompt
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_models.py").write_text(MODELS)
    return tmp_path


def modelport(folder: Path, *arguments: str) -> tuple[int, str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI", "MODELPORT"))}
    done = subprocess.run(
        [sys.executable, "-m", "modelport", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_right_config_is_a_table_of_what_it_serves(folder: Path) -> None:
    (folder / "c.yaml").write_text(
        "models:\n"
        "  my-model: {use: 'my_models:Echo', params: {n: 3}, fallbacks: [two]}\n"
        "  two: {deployments: [{use: mock/a}, {use: mock/b}]}\n"
        "aliases: {mine: my-model}\n"
        "server: {keys: [sk-1]}\n"
    )
    code, out, errors = modelport(folder, "config", "check", "c.yaml")
    assert (code, errors) == (0, "")
    assert out.splitlines() == [
        "c.yaml is right: 2 models, 1 alias, 1 key",
        "MODEL     USE         ANSWERS                 FALLBACKS",
        "my-model  Echo        chat                    two",
        "two       mock/a      chat, embedding, image",
        "two       mock/b      chat, embedding, image",
        "mine      = my-model",
    ]


def test_a_litellm_config_says_what_it_does_without(folder: Path) -> None:
    (folder / "c.yaml").write_text(
        "model_list:\n  - {model_name: a, litellm_params: {model: bedrock/x}}\nlitellm_settings: {cache: true}\n"
    )
    code, out, errors = modelport(folder, "config", "check", "c.yaml")
    assert code == 0
    assert "a      bedrock/x  errors only (see above)" in out
    assert "litellm_settings.cache: is not used by modelport" in errors
    assert "no provider 'bedrock'" in errors


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("server: {prot: 1}", "c.yaml: 'server.prot' is no known key; did you mean 'port'?"),
        ("models: {m: {use: 'my_models:Eco'}}", "models.m: 'my_models' has no 'Eco'; did you mean 'Echo'?"),
        (
            "models: {m: {use: 'my_models:Echo', params: {m: 1}}}",
            "models.m: 'my_models:Echo' cannot be made: Echo has no",
        ),
        (
            "models: {m: {use: opnai/x}}",
            "models.m: no provider 'opnai' for the model 'opnai/x'; did you mean 'openai'?",
        ),
    ],
)
def test_a_wrong_config_is_one_message_and_exit_status_2(folder: Path, config: str, said: str) -> None:
    (folder / "c.yaml").write_text(config)
    code, out, errors = modelport(folder, "config", "check", "c.yaml")
    assert (code, out) == (2, "")
    assert errors.startswith(f"modelport: {said}")
    assert "Traceback" not in errors


def test_the_schema_is_json_on_stdout(folder: Path) -> None:
    code, out, errors = modelport(folder, "config", "schema")
    assert (code, errors) == (0, "")
    assert json.loads(out)["properties"]["models"]["description"].startswith("The models by the names")
