"""Work that takes the processor for long is done in a thread."""

from __future__ import annotations

import threading

import pytest

from modelport.gateway.heavy_work import LIGHT_BYTES, worked


@pytest.mark.parametrize(("size_bytes", "stays"), [(0, True), (LIGHT_BYTES, True), (LIGHT_BYTES + 1, False)])
async def test_only_what_is_long_leaves_the_loop(size_bytes: int, stays: bool) -> None:
    thread = await worked(threading.get_ident, size_bytes)
    assert (thread == threading.get_ident()) is stays


async def test_an_error_comes_back() -> None:
    def fail() -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        await worked(fail, LIGHT_BYTES + 1)
