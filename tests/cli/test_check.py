"""`modelport check`, as a person types it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from modelport.cli.report import MEANINGS
from tests.cli.terminal import plain, seen_on_terminal

Run = Callable[..., tuple[int, str, str]]

WRONG = '''
from modelport import LLM

class Cheat(LLM):
    """Ignores its hook."""

    def _call(self, prompt: str) -> str:
        print("printed by the model")
        return prompt

    def invoke(self, input, config=None, **kwargs):
        return "cheating"

not_a_model = 3
def make_nothing():
    return None
'''
STOP = ("--only", "stop:*:cut")


@pytest.fixture
def wrong(models: Path) -> str:
    (models / "wrong.py").write_text(WRONG)
    return "wrong:Cheat"


@pytest.mark.parametrize(
    "target",
    ["my_models:Shout", "my_models.py:Shout", "my_models:shout", "my_models:Talker", "my_models:Handler"],
)
def test_a_right_model_passes_and_the_exit_status_is_0(modelport: Run, target: str) -> None:
    code, out, errors = modelport("check", target, *STOP)
    assert (code, errors) == (0, "")
    lines = out.splitlines()
    assert re.fullmatch(r"✓  stop +[1-6] +· .*  cut at the first match, also across chunks", lines[1])
    assert re.fullmatch(r"\d passed(, \d not applicable)?  \(6 checks in \d+\.\d s\)", lines[-1])


def test_a_function_makes_the_model(modelport: Run) -> None:
    code, out, _ = modelport("check", "my_models:make_echo", "--param", "n=40", *STOP)
    assert code == 0
    assert "6 passed" in out


def test_a_wrong_model_fails_and_the_exit_status_is_1(modelport: Run, wrong: str) -> None:
    code, out, errors = modelport("check", wrong, "--only", "parity:*:same-text")
    assert code == 1
    assert "✗ parity:*:same-text" in out
    assert "Each of these ways gives the text that `invoke` gives." in out
    assert "mend  " in out
    assert "printed by the model" in errors
    assert "printed by the model" not in out


def test_raw_shows_what_the_authors_code_does_without_the_guarantees(modelport: Run) -> None:
    code, out, _ = modelport("check", "my_models:Shout", "--raw", *STOP)
    assert code == 1
    assert out.startswith("raw: what the author's own code does, without the guarantees around it\n")
    assert "✗ stop:*:cut" in out


def test_json_alone_is_on_stdout(modelport: Run, wrong: str) -> None:
    code, out, _ = modelport("check", wrong, "--only", "parity:*:same-text", "--only", "secrets", "--json")
    found = json.loads(out)
    assert code == 1
    assert list(found) == ["modelport", "target", "raw", "seconds", "counts", "groups", "results"]
    assert (found["target"], found["raw"]) == (wrong, False)
    assert found["counts"]["failed"] == found["groups"]["parity"]["failed"] > 0
    assert found["groups"]["secrets"]["not_applicable"] > 0
    first = found["results"][0]
    assert list(first) == ["id", "group", "outcome", "sentence", "source", "seen", "mend", "seconds"]
    assert (first["group"], first["outcome"]) == ("parity", "fail")
    assert {one["outcome"] for one in found["results"]} == {"fail", "not_applicable"}


def test_junit_is_written_beside_the_table(modelport: Run, models: Path) -> None:
    code, out, _ = modelport("check", "my_models:Shout", *STOP, "--junit", "report.xml")
    assert code == 0
    assert "6 passed" in out
    root = ET.parse(models / "report.xml").getroot()
    assert (root.attrib["tests"], root.attrib["failures"]) == ("6", "0")
    assert float(root.attrib["time"]) > 0


def test_fields_come_from_param(modelport: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-12345678")
    code, out, _ = modelport("check", "my_models:Echo", "-p", "n=40", "-p", "key=${MY_KEY}", "--only", "secrets")
    assert code == 0, out
    assert re.search(r"✓  secrets +\d", out)


def test_the_prompts_are_those_that_are_given(modelport: Run) -> None:
    prompts = [part for text in ("alpha beta", "gamma delta", "epsilon") for part in ("--prompt", text)]
    code, out, _ = modelport("check", "my_models:Shout", "--raw", *STOP, *prompts)
    assert code == 1
    assert "GAMMA DELTA!" in out


def test_list_prints_ids_and_sentences_and_runs_nothing(modelport: Run) -> None:
    code, out, errors = modelport("check", "--list", "--only", "stop:*:cut")
    assert (code, errors) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "stop:invoke:cut"
    assert lines[1].startswith("    `invoke` ends the author's own answer at a stop string")
    rows = json.loads(modelport("check", "my_models:Broken", "--list", "--json")[1])
    assert len(rows) > 80
    assert set(rows[0]) == {"id", "sentence"}


def test_the_list_has_the_checks_of_servers_too(modelport: Run) -> None:
    ids = [one["id"] for one in json.loads(modelport("check", "--list", "--json")[1])]
    of_servers = [one["id"] for one in json.loads(modelport("check", "http://x/v1", "--list", "--json")[1])]
    assert of_servers
    assert set(of_servers) < set(ids)
    assert "stop:invoke:cut" in ids
    assert "stop:invoke:cut" not in of_servers


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "there is nothing to check; name a model (modelport check my_models:MyLLM) or a server"),
        (["my_models"], "'my_models' is neither an import path (my_models:MyLLM"),
        (["127.0.0.1:4000/v1", "--only", "wire-chat"], "'127.0.0.1:4000/v1' is neither an import path"),
        (["http://"], "'http://' is no server's address; it begins with http:// or https://, as http://host/v1"),
        (["my_models:Shot"], "'my_models' has no 'Shot'; did you mean 'Shout'?"),
        (["wrong:not_a_model"], "'wrong:not_a_model' is of type int, not a model; it must be an LLM"),
        (["wrong:make_nothing"], "'wrong:make_nothing' is of type NoneType, not a model"),
        (["my_models:time"], "is of type module, not a model"),
        (["my_models:Echo"], "Echo cannot be made: field 'n' is missing"),
        (["my_models:shout", "-p", "n=3"], "is an instance and takes no --param; name its class instead"),
        (
            ["my_models:Shout", "--only", "stpo"],
            "--only 'stpo' names no check; did you mean 'stop'? (--list shows all)",
        ),
        (["my_models:Shout", "--prompt", "a", "--prompt", "b"], "at least three different prompts, not 2"),
        (["my_models:Shout", "--model", "x"], "--model is for servers; 'my_models:Shout' is a model"),
        (["http://x/v1", "--raw"], "--raw is for models; http://x/v1 is a server"),
        (["http://x/v1", "-p", "n=1"], "--param is for models; http://x/v1 is a server"),
        (["my_models:Shout", "--junit", "no/where.xml"], "--junit: 'no/where.xml' cannot be written"),
    ],
)
def test_a_mistake_is_one_message_and_exit_status_2(
    modelport: Run, wrong: str, arguments: list[str], said: str
) -> None:
    code, out, errors = modelport("check", *arguments)
    assert (code, out) == (2, "")
    assert errors.startswith("modelport: ")
    assert said in errors
    assert errors.count("\n") == 1


def test_a_terminal_shows_how_far_it_is_and_then_only_the_report(models: Path) -> None:
    code, shown = seen_on_terminal(["check", "my_models:Shout", *STOP], folder=models, columns=100)
    assert code == 0
    assert "6/6" in plain(shown)
    assert "\x1b[1;38;5;28m6 passed" in shown
    assert shown.rindex("\x1b[2K") < shown.index("GUARANTEE")


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_without_colours_gets_no_escape_sequence(models: Path, environment: dict[str, str]) -> None:
    code, shown = seen_on_terminal(["check", "my_models:Shout", *STOP], folder=models, environment=environment)
    assert code == 0
    assert "\x1b" not in shown
    assert shown.lstrip().startswith("GUARANTEE")


@pytest.fixture
def url(models: Path) -> Iterator[str]:
    """Serve the folder's config; its key is sk-1."""
    with subprocess.Popen(
        [sys.executable, "-m", "modelport", "serve", "--config", "config.yaml", "--port", "0"],
        cwd=models,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().split()[2]
        server.send_signal(signal.SIGTERM)


def test_our_gateway_passes_as_any_server_is_checked(modelport: Run, url: str) -> None:
    code, out, errors = modelport("check", url, "--key", "sk-1", "--model", "shout", "--json")
    found = json.loads(out)
    assert [one for one in found["results"] if one["outcome"] == "fail"] == []
    assert (code, errors) == (0, "")
    assert found["counts"]["passed"] > 20


def test_a_server_that_is_not_there_is_a_mistake(modelport: Run) -> None:
    code, out, errors = modelport("check", "http://127.0.0.1:9/v1")
    assert (code, out) == (2, "")
    assert re.fullmatch(r"modelport: http://127.0.0.1:9/v1 cannot be reached: .*; does the server run\?\n", errors)


def test_each_group_of_server_checks_is_told_in_a_line(modelport: Run) -> None:
    ids = [one["id"] for one in json.loads(modelport("check", "http://x/v1", "--list", "--json")[1])]
    assert {one.partition(":")[0] for one in ids} <= set(MEANINGS)
