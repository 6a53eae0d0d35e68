"""The custom handler guide's own scene: its config and handler files, one command, and its two curl calls.

The blocks are in `guide/` and in `tests/integrations/guide/`, as the guide has them. Only the port is another one.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

BLOCKS = Path(__file__).parents[1] / "integrations" / "guide"
CALLS = Path(__file__).parent / "guide"
COMMAND = (str(Path(sys.executable).parent / "modelport"),)
pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("litellm") is not None,
        reason="LiteLLM is installed: take it out of this environment to see that nothing needs it",
    ),
    pytest.mark.skipif(shutil.which("curl") is None, reason="the guide calls by curl, which is not installed"),
]

Start = Callable[..., AbstractContextManager[str]]
"""Starts the gateway with a handler block and gives where it is: `with start("proxy_handler") as url`."""


@pytest.fixture
def start(serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Start the guide's config with a handler block, from another folder and without anybody's key."""
    for name in ("OPENAI_API_KEY", "LITELLM_MASTER_KEY", "MODELPORT_MASTER_KEY"):
        monkeypatch.delenv(name, raising=False)

    @contextmanager
    def start(handler: str, attribute: str = "my_custom_llm") -> Generator[str]:
        folder, elsewhere = tmp_path / "guide", tmp_path / "elsewhere"
        folder.mkdir()
        elsewhere.mkdir()
        config = (BLOCKS / "config.txt").read_text("ascii").replace("handler.my_custom_llm", f"handler.{attribute}")
        (folder / "config.yaml").write_text(config)
        (folder / "custom_handler.py").write_bytes((BLOCKS / f"{handler}.txt").read_bytes())
        with serve("../guide/config.yaml", "--port", "0", cwd=elsewhere, program=COMMAND) as url:
            yield url.removesuffix("/v1")

    return start


def curl(call: str, url: str, **more: Any) -> str:
    """Run a call of the guide as it is, but for the port and for fields that are added to its body."""
    command = (CALLS / f"{call}.txt").read_text("ascii")
    assert command.count(":4000/") == 1
    command = command.replace(":4000/", f":{url.rpartition(':')[2]}/")
    before, body, after = command.replace("-d '", "-d '\0").replace("}'", "}\0'").split("\0")
    if more:
        body = json.dumps({**json.loads(body), **more})
    run = subprocess.run(
        ["sh", "-c", before + body + after.rstrip() + " --silent --no-buffer --noproxy '*'"],
        capture_output=True,
        encoding="utf-8",
        timeout=20,
        check=True,
    )
    return run.stdout


def answer_of(name: str) -> Any:
    return json.loads((CALLS / f"{name}.json").read_text("ascii"))


def events(body: str) -> list[Any]:
    *lines, done, last = body.split("\n\n")
    assert (done, last) == ("data: [DONE]", "")
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def test_the_chat_call_gets_the_answer_that_the_guide_shows(start: Start) -> None:
    expected = answer_of("chat_answer")
    with start("proxy_handler") as url:
        answer = json.loads(curl("chat_curl", url))
        [choice], [wanted] = answer["choices"], expected["choices"]
        for key in ("content", "role"):
            assert choice["message"][key] == wanted["message"][key]
        for key in ("finish_reason", "index"):
            assert choice[key] == wanted[key]
        assert answer["object"] == expected["object"]
        assert answer["usage"] == expected["usage"]
        assert answer["id"].startswith("chatcmpl-")
        assert answer["model"] == "my-custom-model"

        chunks = events(curl("chat_curl", url, stream=True))
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
        assert "".join(delta.get("content", "") for delta in deltas) == "Hi!"
        assert [delta["role"] for delta in deltas if "role" in delta] == ["assistant"]
        reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
        assert reasons == [None] * (len(chunks) - 1) + ["stop"]
        assert {(chunk["object"], chunk["model"]) for chunk in chunks} == {("chat.completion.chunk", "my-custom-model")}

        chunks = events(curl("chat_curl", url, stream=True, stream_options={"include_usage": True}))
        assert chunks[-1]["usage"] == expected["usage"]


def test_the_model_without_a_key_stops_nothing_and_says_what_it_needs(start: Start) -> None:
    with start("proxy_handler") as url:
        refused = json.loads(curl("chat_curl", url, model="test-model"))
        assert sorted(refused["error"]) == ["code", "message", "param", "type"]
        assert "OPENAI_API_KEY" in refused["error"]["message"]
        assert json.loads(curl("chat_curl", url))["choices"][0]["message"]["content"] == "Hi!"


def test_the_image_call_gets_the_answer_that_the_guide_shows(start: Start) -> None:
    with start("image_handler") as url:
        answer = json.loads(curl("image_curl", url))
        assert abs(answer["created"] - time.time()) < 60
        assert answer["data"] == answer_of("image_answer")["data"]


def test_the_streaming_handler_answers_the_chat_call_whole_and_in_pieces(start: Start) -> None:
    with start("streaming_handler", "unixtime") as url:
        whole = json.loads(curl("chat_curl", url))["choices"][0]
        chunks = events(curl("chat_curl", url, stream=True))
        text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
        for said in (whole["message"]["content"], text):
            assert abs(int(said) - time.time()) < 60
        assert (whole["finish_reason"], chunks[-1]["choices"][0]["finish_reason"]) == ("stop", "stop")
