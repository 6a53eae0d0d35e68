"""The help, the names of commands, and what a shell completes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.terminal import plain, seen_on_terminal

Run = Callable[..., tuple[int, str, str]]

COMMANDS = ("new", "call", "chat", "list", "check", "serve")


def test_the_help_names_every_command(modelport: Run) -> None:
    code, out, errors = modelport("--help")
    assert (code, errors) == (0, "")
    for command in (*COMMANDS, "config", "--install-completion"):
        assert re.search(rf"│ {command} ", out), command
    assert modelport("-h")[1] == out


@pytest.mark.parametrize("command", COMMANDS)
def test_each_commands_help_has_examples_on_lines_of_their_own(
    modelport: Run, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = modelport(command, "--help")
    assert code == 0
    examples = re.findall(rf"^ \S[^:]*:  +.*modelport {command}\b.*$", out, re.MULTILINE)
    assert len(examples) >= 2
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["calll"], "no such command 'calll'. Did you mean 'call'?\nTry 'modelport --help' for help."),
        (["call"], "missing argument 'MODEL'\nTry 'modelport call --help' for help."),
        (["call", "x", "y", "--stpo", "z"], "no such option: --stpo"),
        (["chat", "x", "--max-tokens", "many"], "invalid value for '--max-tokens'"),
        (["config", "chek"], "no such command 'chek'. Did you mean 'check'"),
    ],
)
def test_a_wrong_command_is_one_message_with_what_was_meant(modelport: Run, arguments: list[str], said: str) -> None:
    code, out, errors = modelport(*arguments)
    assert (code, out) == (2, "")
    assert errors.startswith("modelport: ")
    assert said.lower() in errors.lower()


def test_nothing_at_all_is_the_help(modelport: Run) -> None:
    _, out, errors = modelport()
    assert "Make and try a model" in out + errors


def test_help_on_a_terminal_has_colours_and_none_where_nobody_wants_them(models: Path) -> None:
    code, shown = seen_on_terminal(["call", "--help"], folder=models)
    assert code == 0
    assert "\x1b[1;38;5;31m" in shown
    assert re.findall(r"\x1b\[[0-9;]*(?:33|2)m", shown) == []  # neither yellow nor dim
    _, bare = seen_on_terminal(["call", "--help"], folder=models, environment={"NO_COLOR": "1"})
    assert "\x1b[" not in bare
    assert plain(bare) == plain(shown)


def completed(folder: Path, *words: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "modelport"],
        cwd=folder,
        env={
            **os.environ,
            "_MODELPORT_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(["modelport", *words]),
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.split()


def test_a_shell_completes_commands_providers_and_the_models_of_a_config(models: Path) -> None:
    assert completed(models, "ch") == ["chat", "check"]
    assert completed(models, "call", "open") == ["openai/", "openai_compatible/"]
    assert completed(models, "chat", "--config", "config.yaml", "sho") == ["shout", "short"]
    assert completed(models, "chat", "--config", "nothing.yaml", "sho") == []
    assert completed(models, "check", "x", "--only", "sto")[0] == "stop"


def test_the_help_imports_no_model(models: Path) -> None:
    code = (
        "import sys; from modelport.cli import main\n"
        "try: main(['--version'])\n"
        "except SystemExit: pass\n"
        "heavy = {'pydantic', 'rich.console', 'starlette', 'yaml', 'asyncio.runners', 'modelport.models.base'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=models, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"
