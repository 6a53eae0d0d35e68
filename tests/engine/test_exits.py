"""A hook that asks for an exit, or cancels itself: its caller's to see, and nobody else's end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from modelport import LLM
from modelport.engine.call import Call
from modelport.engine.choices import arun_choices, astream_choices


class Exiting(LLM):
    error: Any

    async def _acall(self, prompt: str) -> str:
        raise self.error

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        yield prompt
        raise self.error


class Fine(LLM):
    async def _acall(self, prompt: str) -> str:
        return prompt


ERRORS = [SystemExit(3), asyncio.CancelledError("of its own")]


@pytest.mark.parametrize("error", ERRORS, ids=["SystemExit", "CancelledError"])
def test_an_exit_in_an_async_hook_leaves_the_background_loop_alive(error: BaseException) -> None:
    with pytest.raises(type(error)):
        Exiting(error=error).invoke("a")
    with pytest.raises(type(error)):
        list(Exiting(error=error).stream("a"))
    assert Fine().invoke("b") == "b"


@pytest.mark.parametrize("error", ERRORS, ids=["SystemExit", "CancelledError"])
async def test_an_exit_stays_in_its_slot_of_an_async_batch(error: BaseException) -> None:
    async with asyncio.timeout(5):
        outcomes = await Exiting(error=error).abatch(["a", "b"], return_exceptions=True)
    assert [type(one) for one in outcomes] == [type(error)] * 2


@pytest.mark.parametrize("error", ERRORS, ids=["SystemExit", "CancelledError"])
async def test_an_exit_in_one_of_several_choices_is_raised(error: BaseException) -> None:
    call = Call(Exiting(error=error), "a")
    async with asyncio.timeout(5):
        [outcome] = await arun_choices([call], 2)
        assert isinstance(outcome, type(error))
        with pytest.raises(type(error)):
            await read(call)


async def read(call: Call) -> None:
    async with aclosing(astream_choices(call, 2)) as chunks:
        async for _ in chunks:
            pass
