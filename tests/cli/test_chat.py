"""`modelport chat`, through a pipe and on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.terminal import CTRL_C, CTRL_D, ENTER, plain, seen_on_terminal

Run = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")


def test_each_piped_line_is_a_turn_and_what_was_said_is_remembered(modelport_process: Run) -> None:
    code, out, errors = modelport_process("chat", "my_models:Talker", stdin="one\n\ntwo\n")
    assert (code, errors) == (0, "")
    assert out == "Human: one \nHuman: one | AI: Human: one  | Human: two \n"


def test_reset_forgets_and_system_tells_the_model_something_first(modelport_process: Run) -> None:
    typed = "one\n/reset\n/system be brief\ntwo\n/reset\n/system\nthree\n/exit\nfour\n"
    code, out, errors = modelport_process("chat", "my_models:Talker", stdin=typed)
    assert (code, errors) == (0, "")
    assert out == "Human: one \nSystem: be brief | Human: two \nHuman: three \n"


def test_a_text_of_several_lines_is_one_turn(modelport_process: Run) -> None:
    out = modelport_process("chat", "my_models:Talker", stdin='"""one\ntwo\n"""\n"""three"""\n/reset\n"""\nfour')[1]
    assert out.splitlines() == [
        "Human: one",
        "two ",
        "Human: one",
        "two | AI: Human: one",
        "two  | Human: three ",
        "Human: four ",
    ]


def test_an_unknown_command_is_not_asked(modelport_process: Run) -> None:
    code, out, errors = modelport_process("chat", "my_models:Talker", stdin="/rest\n")
    assert (code, out) == (0, "")
    assert errors == "modelport: there is no command /rest; /help shows them\n"


def test_an_answer_that_fails_is_said_and_forgotten_and_the_chat_goes_on(modelport_process: Run, models: Path) -> None:
    with (models / "my_models.py").open("a") as file:
        file.write(
            "class Moody(Talker):\n"
            "    def _stream(self, messages):\n"
            "        if messages[-1].text == 'fail':\n"
            "            raise ValueError('no')\n"
            "        yield from super()._stream(messages)\n"
        )
    code, out, errors = modelport_process("chat", "my_models:Moody", stdin="fail\nhello\n")
    assert (code, out) == (1, "Human: hello \n")
    assert errors.startswith("modelport: the model failed: ValueError: no (my_models.py, line ")


def test_the_models_of_a_config_chat_too(modelport_process: Run) -> None:
    assert modelport_process("chat", "loud", "-c", "config.yaml", stdin="hi\n")[:2] == (0, "HI!\n")


def test_what_does_not_answer_cannot_chat(modelport_process: Run) -> None:
    code, _, errors = modelport_process("chat", "my_models:Vectors", stdin="hi\n")
    assert code == 2
    assert errors.startswith(
        "modelport: 'my_models:Vectors' makes vectors and cannot chat; ask it once: modelport call"
    )


def test_a_terminal_shows_a_prompt_the_answer_and_what_it_took(models: Path) -> None:
    typed = [("> ", f"hello{ENTER}"), ("> ", f"/help{ENTER}"), ("> ", f"/system be brief{ENTER}"), ("> ", CTRL_D)]
    code, shown = seen_on_terminal(["chat", "my_models:Talker"], typed, folder=models)
    lines = plain(shown).splitlines()
    assert code == 0
    assert lines[0] == "my_models:Talker  /help shows the commands, Ctrl-D leaves"
    assert "> hello" in lines
    assert "Human: hello " in lines
    assert any(line.startswith("4 tokens in ") for line in lines)
    assert "  /reset        forget what was said" in lines
    assert "(the model is told so from now on)" in lines
    assert "\x1b[38;5;243m" in shown


def test_ctrl_c_stops_the_answer_and_the_chat_goes_on(models: Path) -> None:
    typed = [("> ", f"go{ENTER}"), ("more more", CTRL_C), ("(stopped)", ""), ("> ", CTRL_D)]
    code, shown = seen_on_terminal(["chat", "my_models:Endless"], typed, folder=models)
    assert code == 0
    assert "(stopped)" in shown
    assert "Traceback" not in shown
    assert (models / "closed").read_text() == "closed"


def test_ctrl_c_at_the_prompt_says_how_to_leave(modelport: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter([KeyboardInterrupt(), EOFError()])

    def interrupted(prompt: str) -> str:
        raise next(typed)

    monkeypatch.setattr("builtins.input", interrupted)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    code, out, errors = modelport("chat", "my_models:Talker")
    assert (code, errors) == (0, "")
    assert "\n(Ctrl-D leaves)\n" in out


def test_a_stopped_answer_is_remembered_as_far_as_it_came(models: Path) -> None:
    with (models / "my_models.py").open("a") as file:
        file.write(
            "class Slow(Talker):\n"
            "    def _stream(self, messages):\n"
            "        yield from super()._stream(messages)\n"
            "        while messages[-1].text == 'go on':\n"
            "            yield '.'\n"
            "            time.sleep(0.01)\n"
        )
    typed = [("> ", f"go on{ENTER}"), ("....", CTRL_C), ("> ", f"now{ENTER}"), ("Human: now", ""), ("> ", CTRL_D)]
    code, shown = seen_on_terminal(["chat", "my_models:Slow"], typed, folder=models)
    assert code == 0
    assert "Human: go on | AI: Human: go on ...." in plain(shown)


def test_without_colours_there_is_no_escape_sequence_of_ours(models: Path) -> None:
    typed = [("> ", f"hello{ENTER}"), ("> ", CTRL_D)]
    code, shown = seen_on_terminal(
        ["chat", "my_models:Talker"], typed, folder=models, environment={"NO_COLOR": "1", "TERM": "dumb"}
    )
    assert code == 0
    assert "\x1b[38" not in shown
    assert "\x1b[1" not in shown


def test_what_is_pasted_in_several_lines_is_one_turn(models: Path) -> None:
    pytest.importorskip("readline")
    typed = [("> ", "\x1b[200~one\ntwo\x1b[201~" + ENTER), ("Human: one", ""), ("two ", ""), ("> ", CTRL_D)]
    code, shown = seen_on_terminal(["chat", "my_models:Talker", "--no-stats"], typed, folder=models)
    assert code == 0
    assert "Human: one\ntwo \n" in plain(shown)
    assert "AI:" not in shown


def test_a_terminal_is_not_steered_by_the_model(models: Path) -> None:
    typed = [("> ", f"go{ENTER}"), ("> ", CTRL_D)]
    _, shown = seen_on_terminal(["chat", "my_models:Colourful"], typed, folder=models)
    assert "[31mred" in shown
    assert "\x1b[31m" not in shown
    assert "\x07" not in shown
