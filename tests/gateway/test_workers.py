"""Several processes that serve one address."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelport.gateway import workers
from modelport.gateway.launch import listen
from modelport.gateway.options import ServeOptions
from modelport.gateway.worker import Assignment
from modelport.gateway.worker_process import WorkerProcess
from modelport.gateway.workers import Workers

MODELS = """
import asyncio, os
from modelport import LLM

class Pid(LLM):
    def _call(self, prompt: str) -> str:
        return str(os.getpid())

class Waiting(LLM):
    async def _astream(self, prompt: str):
        yield str(os.getpid())
        while not os.path.exists("go"):
            await asyncio.sleep(0.01)
        yield " done"

class Dying(LLM):
    def _load(self) -> None:
        with open("deaths", "a") as file:
            file.write("x")
        os._exit(3)

    def _call(self, prompt: str) -> str:
        return prompt
"""
CONFIG = """
models: {pid: {use: 'm:Pid'}, waiting: {use: 'm:Waiting'}}
server: {port: 0, workers: 2, keys: [sk-hidden], log_requests: false}
"""
KEY = {"Authorization": "Bearer sk-hidden"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m.py").write_text(MODELS)
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def served(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "modelport", "serve", "-c", "config.yaml"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().split()[2]
        process.kill()


def says(model: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "x"}], **fields}


def ask_pid(url: str) -> int:
    """Ask on a new connection which process answers."""
    reply = httpx.post(f"{url}/chat/completions", json=says("pid"), headers=KEY)
    assert reply.status_code == 200, reply.text
    return int(reply.json()["choices"][0]["message"]["content"])


def until(ask: Callable[[], Any]) -> Any:
    """Ask until the answer is one."""
    for _ in range(3000):
        if answer := ask():
            return answer
    pytest.fail("it did not come to that")


def test_a_worker_that_dies_is_replaced_and_no_request_is_lost(served: tuple[subprocess.Popen[str], str]) -> None:
    process, url = served
    first = ask_pid(url)
    os.kill(first, signal.SIGKILL)
    assert process.stderr is not None
    seen = {first}
    assert "ended (SIGKILL); another one starts in 0.5 s" in process.stderr.readline()
    until(lambda: seen.add(ask_pid(url)) or len(seen) == 3)


def test_any_worker_shows_what_all_have_counted(served: tuple[subprocess.Popen[str], str]) -> None:
    _, url = served
    asked: list[int] = []
    until(lambda: asked.append(ask_pid(url)) or len(set(asked)) == 2)
    line = re.compile(r'modelport_http_\w+_total\{.*endpoint="/chat/completions".*\} (\d+)')

    def is_shown() -> bool:
        text = httpx.get(url.replace("/v1", "/metrics"), headers=KEY).text
        return any(float(found[1]) == len(asked) for found in line.finditer(text))

    until(is_shown)


def test_no_command_line_or_environment_shows_a_key(served: tuple[subprocess.Popen[str], str]) -> None:
    process, url = served
    for pid in (process.pid, ask_pid(url)):
        for name in ("cmdline", "environ"):
            assert b"sk-hidden" not in Path(f"/proc/{pid}/{name}").read_bytes()


def test_the_workers_end_with_the_process_that_started_them(served: tuple[subprocess.Popen[str], str]) -> None:
    process, url = served
    ask_pid(url)
    process.kill()
    process.wait()

    def is_gone() -> bool:
        try:
            httpx.post(f"{url}/chat/completions", json=says("pid"), headers=KEY, timeout=1)
        except httpx.TransportError:
            return True
        return False

    until(is_gone)


def test_all_stay_reachable_and_refuse_until_the_last_answer_is_out(
    served: tuple[subprocess.Popen[str], str], folder: Path
) -> None:
    process, url = served
    body = says("waiting", stream=True)
    with httpx.stream("POST", f"{url}/chat/completions", json=body, headers=KEY, timeout=30) as reply:
        lines = reply.iter_lines()
        assert any('"content":"' in line and '"content":""' not in line for line in lines)
        process.send_signal(signal.SIGTERM)

        def is_refused() -> bool:
            return httpx.post(f"{url}/chat/completions", json=says("pid"), headers=KEY).status_code == 503

        until(is_refused)
        # Whichever worker takes the connection refuses it.
        assert all(is_refused() for _ in range(20))
        (folder / "go").touch()
        assert [line for line in lines if line][-1] == "data: [DONE]"
    assert process.wait(20) == 0


def test_it_gives_up_when_workers_die_at_once(folder: Path, monkeypatch: Any, caplog: Any) -> None:
    monkeypatch.setattr(workers, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(workers, "MOST_YOUNG_DEATHS", 3)
    monkeypatch.chdir(folder)
    options = ServeOptions(model="m:Dying", port=0, workers=1)
    settings = options.settings()
    settings.server.workers = 1
    said: list[str] = []
    with listen("127.0.0.1", 0) as listener:
        assert Workers(options, settings, listener, said.append).run() == 1
    assert said == []
    assert (folder / "deaths").read_text() == "xxx"
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [
        "worker 0 ended (exit status 3); another one starts in 0.01 s",
        "worker 0 ended (exit status 3); another one starts in 0.02 s",
        "worker 0 ended (exit status 3); giving up, as workers die at once",
    ]


def test_a_replacement_serves_what_the_others_have_taken_over_since(folder: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(workers, "FIRST_PAUSE_SECONDS", 0.0)
    given: list[list[str]] = []
    ran = WorkerProcess.start

    def start(self: WorkerProcess, assignment: Assignment, listener: Any) -> None:
        given.append(list(assignment.settings.models))
        if len(given) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        ran(self, assignment, listener)
        if len(given) == 1:
            (folder / "config.yaml").write_text(CONFIG.replace("waiting:", "other:"))
            self.tell(signal.SIGKILL)

    monkeypatch.setattr(WorkerProcess, "start", start)
    options = ServeOptions(config=folder / "config.yaml")
    with listen("127.0.0.1", 0) as listener:
        assert Workers(options, options.settings(), listener, lambda _: None, watch=True).run() == 0
    assert given == [["pid", "waiting"], ["pid", "waiting"], ["pid", "other"]]


def test_what_a_worker_is_given_does_not_show_keys() -> None:
    options = ServeOptions(model="m:Pid", keys=("sk-hidden",))
    settings = options.settings()
    given = Assignment(options, settings, "sk-hidden", watch=False, number=0, counts_folder=Path(), log_level=20)
    assert "sk-hidden" not in repr(given)
