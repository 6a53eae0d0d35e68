"""`modelport check` of a model that answers nothing, and after Ctrl-C."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]

MODELS = '''
import os, signal
from modelport import LLM, EmbeddingModel

class Forgets(LLM):
    """Forgets to return."""

    def _call(self, prompt: str) -> str:
        prompt.upper()

class NoVectors(EmbeddingModel):
    """Fails."""

    def _embed(self, texts):
        raise ConnectionError("no line")

class Surrogate(LLM):
    """Fails with what no encoding takes."""

    def _call(self, prompt: str) -> str:
        raise ValueError("odd: \\ud800")

calls = []
class Interrupting(LLM):
    """Is stopped by Ctrl-C."""

    def _call(self, prompt: str) -> str:
        calls.append(prompt)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return prompt
'''
IN_VAIN = "were not run: it answers in no way, so there is nothing else to see\n"


@pytest.fixture
def ending(models: Path) -> Path:
    (models / "ending.py").write_text(MODELS)
    return models


@pytest.mark.parametrize(
    ("name", "group", "seen"),
    [
        ("Forgets", "derive", "Forgets._call returned None"),
        ("NoVectors", "embedding", "ConnectionError: no line"),
    ],
)
def test_a_model_that_answers_in_no_way_has_one_finding(
    modelport: Run, ending: Path, name: str, group: str, seen: str
) -> None:
    code, out, errors = modelport("check", f"ending:{name}")
    assert code == 1
    found = [line for line in out.splitlines() if line.startswith("✗ ")]
    assert found[-1] == f"✗ {group}:*:answers"
    assert len(found) < 15
    assert seen in " ".join(out.split())
    assert errors.endswith(IN_VAIN)


def test_the_finding_says_how_to_see_more_of_it(modelport: Run, ending: Path) -> None:
    out = " ".join(modelport("check", "ending:Forgets")[1].split())
    assert "`modelport call` shows what it raises, and where" in out
    assert "6 failed, 0 passed" in out


def test_json_of_a_model_that_answers_in_no_way_is_whole(modelport: Run, ending: Path) -> None:
    code, out, errors = modelport("check", "ending:Forgets", "--json", "--junit", "report.xml")
    assert (code, json.loads(out)["counts"]["failed"]) == (1, 6)
    assert errors.endswith(IN_VAIN)
    assert (ending / "report.xml").read_text().count("<failure") == 6


def test_a_lone_surrogate_in_what_was_seen_is_written_out(modelport: Run, ending: Path) -> None:
    code, out, _ = modelport("check", "ending:Surrogate", "--json", "--junit", "report.xml")
    assert code == 1
    assert json.loads(out)["results"][0]["seen"] == "ValueError: odd: \\ud800"
    assert "odd: \\ud800" in (ending / "report.xml").read_text()
    assert "odd: \\ud800" in modelport("check", "ending:Surrogate")[1]


def test_checks_that_are_asked_for_by_name_run_whatever_the_model_answers(modelport: Run, ending: Path) -> None:
    code, out, errors = modelport("check", "ending:Forgets", "--only", "derive:*:answers", "--only", "parity")
    assert (code, errors) == (1, "")
    assert "✗ parity:*:same-text" in out


def test_ctrl_c_shows_what_was_seen_until_then(modelport_process: Run, ending: Path) -> None:
    code, out, errors = modelport_process("check", "ending:Interrupting")
    assert code == 130
    assert "✓  derive" in out
    assert errors.endswith("checks were not run: stopped by Ctrl-C\n")


def test_ctrl_c_leaves_no_half_document(modelport_process: Run, ending: Path) -> None:
    assert modelport_process("check", "ending:Interrupting", "--json")[:2] == (130, "")
