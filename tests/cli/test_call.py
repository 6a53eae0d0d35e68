"""`modelport call`, as a person types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]


def test_a_text_model_is_given_the_prompt_as_it_is(modelport: Run) -> None:
    assert modelport("call", "my_models:Shout", "hello") == (0, "HELLO!\n", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["my_models.py:Shout", "hello"], "HELLO!"),
        (["my_models.Shout", "hello"], "HELLO!"),
        (["my_models:shout", "hello"], "HELLO!"),
        (["my_models:Handler", "hello"], "olleh"),
        (["my_models:make_echo", "hello"], "he"),
        (["my_models:make_echo", "hello", "--param", "n=4"], "hell"),
        (["my_models:Echo", "hello", "--param", "n=3"], "hel"),
        (["mock/any", "hello"], "hello"),
        (["shout", "hello", "--config", "config.yaml"], "HELLO!"),
        (["loud", "hello", "-c", "config.yaml"], "HELLO!"),
        (["short", "hello", "--config", "config.yaml"], "hel"),
        (["mock-anything", "hello", "--config", "config.yaml"], "hello"),
        (["my_models:Talker", "hello"], "Human: hello "),
        (["my_models:Talker", "hello", "--system", "be brief"], "System: be brief | Human: hello "),
        (["my_models:Talker", "hello", "--param", "top_p=0.5"], "Human: hello top_p=0.5"),
        (["my_models:Last", "hello", "--system", "be brief"], "HELLO!"),
        (["my_models:Shout", "one two", "--max-tokens", "1", "--no-stream"], "ONE "),
    ],
)
def test_a_model_is_found_and_answers(modelport: Run, arguments: list[str], said: str) -> None:
    assert modelport("call", *arguments) == (0, f"{said}\n", "")


@pytest.mark.parametrize("more", [[], ["--no-stream"]])
def test_the_stop_string_is_not_part_of_the_answer(modelport: Run, more: list[str]) -> None:
    stops = ["--stop", ";", "--stop", ","]
    code, out, _ = modelport("call", "my_models:Echo", "one, two; three", "-p", "n=99", *stops, *more)
    assert (code, out) == (0, "one\n")


def test_the_prompt_is_read_from_a_pipe(modelport_process: Run) -> None:
    assert modelport_process("call", "my_models:Shout", stdin="two\nlines\n")[:2] == (0, "TWO\nLINES!\n")
    assert modelport_process("call", "my_models:Shout", "-", stdin="hello")[:2] == (0, "HELLO!\n")


def test_an_empty_pipe_is_a_mistake(modelport_process: Run) -> None:
    code, out, errors = modelport_process("call", "my_models:Shout", stdin="\n")
    assert (code, out) == (2, "")
    assert errors.startswith("modelport: there is no prompt: what was piped in is empty")


def test_json_is_openais_object(modelport: Run) -> None:
    code, out, errors = modelport("call", "my_models:Shout", "hello", "--json")
    found = json.loads(out)
    assert (code, errors) == (0, "")
    assert found["object"] == "chat.completion"
    assert found["choices"][0]["message"]["content"] == "HELLO!"
    assert found["usage"]["total_tokens"] > 0


@pytest.mark.parametrize("more", [[], ["--no-stream"]])
def test_usage_goes_to_stderr(modelport: Run, more: list[str]) -> None:
    code, out, errors = modelport("call", "my_models:Shout", "hello", "--usage", *more)
    assert (code, out) == (0, "HELLO!\n")
    assert errors.startswith("2 + 2 tokens in ")


def test_an_embedding_model_prints_its_vector(modelport: Run) -> None:
    assert modelport("call", "my_models:Vectors", "four") == (0, "[4.0, 0.5]\n", "")
    code, out, _ = modelport("call", "vectors", "four", "--config", "config.yaml", "--json")
    assert (code, json.loads(out)["data"][0]["embedding"]) == (0, [4.0, 0.5])


def test_a_model_of_several_kinds_is_asked_for_the_kind_that_is_named(modelport: Run) -> None:
    code, out, _ = modelport("call", "mock/any", "hello", "--kind", "embedding")
    assert code == 0
    assert isinstance(json.loads(out), list)


def test_an_image_is_saved(modelport: Run, models: Path) -> None:
    assert modelport("call", "my_models:Pictures", "a cat", "-o", "cat.png") == (0, "saved cat.png\n", "")
    assert (models / "cat.png").read_bytes() == b"\x89PNG\r\n\x1a\na cat"


def test_an_image_that_is_elsewhere_is_its_address(modelport: Run) -> None:
    assert modelport("call", "my_models:Far", "a cat", "-o", "x.png") == (0, "https://pictures.example/1.png\n", "")


def test_a_model_that_fails_says_where_and_exits_with_1(modelport: Run) -> None:
    code, out, errors = modelport("call", "my_models:Broken", "hello")
    assert (code, out) == (1, "so far ")
    assert errors.startswith("modelport: the model failed: ValueError: boom (my_models.py, line ")


def test_a_model_is_unloaded_at_the_end(modelport: Run) -> None:
    assert modelport("call", "my_models:Loaded", "hello") == (0, "loaded\nhello\nunloaded\n", "")


def test_a_secret_comes_from_the_environment(modelport: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "12345")
    assert modelport("call", "my_models:Echo", "hello", "-p", "n=1", "-p", "key=${MY_KEY}") == (0, "h\n", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["my_models:Shot", "hi"], "'my_models' has no 'Shot'; did you mean 'Shout'?"),
        (["my_model:Shout", "hi"], "there is no module 'my_model'"),
        (["nonsense", "hi"], "'nonsense' names no model; write an import path"),
        (["opnai/x", "hi"], "did you mean 'openai'?"),
        (["shuot", "hi", "--config", "config.yaml"], "config.yaml has no model 'shuot'; did you mean 'shout'?"),
        (["shout", "hi", "--config", "config.yaml", "--url", "http://x/v1"], "give --config or --url, not both"),
        (["shout", "hi", "--url", "127.0.0.1:4000/v1"], "'127.0.0.1:4000/v1' is no server's address; it begins with"),
        (["shout", "hi", "--config", "nothing.yaml"], "there is no config file 'nothing.yaml'"),
        (["my_models:Echo", "hi"], "Echo cannot be made: field 'n' is missing"),
        (["my_models:Echo", "hi", "-p", "n=two"], "field 'n'"),
        (["my_models:Echo", "hi", "-p", "n"], "--param takes name=value, as in --param n=3, not 'n'"),
        (["my_models:Echo", "hi", "-p", "n=1", "-p", "n=2"], "--param n=… is given twice"),
        (["my_models:Echo", "hi", "-p", "n=${UNSET_HERE}"], "the environment variable 'UNSET_HERE' is not set"),
        (["my_models:Shout", "hi", "--temperature", "1"], "does not take the keyword 'temperature'"),
        (["my_models:Shout", "hi", "--stop", ""], "stop"),
        (["my_models:Shout", "hi", "--kind", "video"], "--kind must be one of chat, embedding, image, not 'video'"),
        (["my_models:Shout", "hi", "--kind", "image"], "Shout is no model that makes images"),
        (["my_models:Shout", "hi", "-o", "x.txt"], "--output is where an image is saved"),
        (["my_models:Vectors", "hi", "--stop", "x"], "--stop is for models that answer; this one makes vectors"),
        (["my_models:Pictures", "hi", "--system", "x"], "--system is for models that answer; this one makes images"),
        (["my_models:Pictures", "hi"], "this model makes images; say where to save one: --output picture.png"),
        (["my_models:Pictures", "hi", "-o", "no/where.png"], "the image cannot be saved as 'no/where.png'"),
    ],
)
def test_a_mistake_is_one_message_and_exit_status_2(modelport: Run, arguments: list[str], said: str) -> None:
    code, out, errors = modelport("call", *arguments)
    assert (code, out) == (2, "")
    assert errors.startswith("modelport: ")
    assert said in errors
    assert errors.count("\n") == 1


def test_ctrl_c_closes_the_model_and_ends_with_130(models: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "modelport", "call", "my_models:Endless", "go"],
        cwd=models,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.read(10) == b"more more "
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, b"")
    assert (models / "closed").read_text() == "closed"


def test_a_reader_that_leaves_closes_the_model_and_nothing_is_said(models: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "modelport", "call", "my_models:Endless", "go"],
        cwd=models,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.read(5) == b"more "
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait(timeout=30) == 1
    assert (models / "closed").read_text() == "closed"


def test_a_piped_answer_is_untouched(modelport: Run) -> None:
    assert modelport("call", "my_models:Colourful", "x")[1] == "\x1b[31mred\x07\n"


@pytest.mark.parametrize(("encoding", "said"), [("ascii", "hi ?"), ("cp1252", "hi é"), ("utf-8", "hi é")])
def test_what_the_encoding_of_the_output_has_not_is_a_question_mark(models: Path, encoding: str, said: str) -> None:
    command = [sys.executable, "-m", "modelport", "call", "mock/echo", "hi é"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run(command, cwd=models, env=environment, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.decode(encoding), done.stderr) == (0, f"{said}\n", b"")


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_bytes_that_are_no_text_and_lone_surrogates_end_no_call(models: Path, errors: str) -> None:
    (models / "odd.py").write_text(
        "from modelport import LLM\nclass Odd(LLM):\n    def _call(self, prompt): return prompt + '\\ud800'\n"
    )
    command = [sys.executable, "-m", "modelport", "call", "odd:Odd"]
    environment = {**os.environ, "PYTHONIOENCODING": f"utf-8:{errors}"}
    done = subprocess.run(
        command, cwd=models, env=environment, input=b"a\xff", capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.decode(), done.stderr) == (0, "a\ufffd?\n", b"")


def test_each_piece_is_printed_as_it_comes(models: Path) -> None:
    os.mkfifo(models / "gate")
    with (models / "my_models.py").open("a") as file:
        file.write(
            "class Waiting(LLM):\n"
            "    def _stream(self, prompt):\n"
            "        yield 'first '\n"
            "        yield open('gate').read()\n"
        )
    process = subprocess.Popen(
        [sys.executable, "-m", "modelport", "call", "my_models:Waiting", "go"], cwd=models, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.read(6) == b"first "
    (models / "gate").write_text("last")
    assert process.communicate(timeout=30)[0] == b"last\n"
