"""One gateway for all clients, and the official client of OpenAI for Python."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI

KEY = "sk-test-0123456789"
CONFIG = Path(__file__).parent / "served" / "config.yaml"


@pytest.fixture(scope="session")
def url(serve: Any) -> Iterator[str]:
    """Where the gateway is, with `/v1`."""
    secrets = (KEY, "hunter2")
    with serve(CONFIG, environment={"MODELPORT_TEST_KEY": KEY}, secrets=secrets) as url:
        yield url


@pytest.fixture(scope="session")
def key() -> str:
    """The key that opens the gateway."""
    return KEY


@pytest.fixture
def client(url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=url, api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
async def async_client(url: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def asked(client: OpenAI) -> Callable[[str], str | None]:
    """Ask the witness what became of another model: `asked("sync stopped")` is "yes" once it is so."""

    def asked(what: str) -> str | None:
        messages: Any = [{"role": "user", "content": what}]
        return client.chat.completions.create(model="witness", messages=messages).choices[0].message.content

    return asked
