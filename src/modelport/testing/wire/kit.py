"""Running the wire checks over a server: `run_wire_checks("http://127.0.0.1:4000/v1")`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Literal

from modelport.testing.checks import Check, CheckFailure, NotApplicable
from modelport.testing.kit import CheckResult, encodable
from modelport.testing.wire import checks
from modelport.testing.wire.registry import registered
from modelport.testing.wire.server import Server
from modelport.values.errors import MissingExtraError

CHECK_TIMEOUTS = 3.0
"""How many times the longest answer one check may take."""
RUN_TIMEOUTS = 20.0
"""How many times the longest answer a whole run may take; what is left then is not looked at."""
CONNECTIONS = 32
IDLE_SECONDS = 1.0
"""How long a connection is used again; servers close idle ones, some after few seconds."""

Outcome = Literal["pass", "fail", "not applicable"]

OnResult = Callable[[CheckResult], None]
"""Is told each result as its check ends."""

assert checks.__all__, "importing the checks registers them"


def all_wire_checks() -> list[Check]:
    """Return every wire check, group by group."""
    return registered()


async def arun_wire_checks(
    base_url: str,
    *,
    key: str | None = None,
    model: str | None = None,
    ids: Iterable[str] | None = None,
    timeout_seconds: float = 30.0,
    on_result: OnResult | None = None,
) -> list[CheckResult]:
    """Run the wire checks on the running loop; see `run_wire_checks`."""
    try:
        import httpx
    except ImportError as error:
        raise MissingExtraError("checking a server", "gateway") from error
    wanted = None if ids is None else set(ids)
    chosen = [one for one in registered() if wanted is None or one.id in wanted]
    limits = httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=IDLE_SECONDS)
    # A context for TLS takes longer to make than most checks; without TLS there is nothing to verify.
    verify = base_url.lower().startswith("https:")
    results: list[CheckResult] = []
    async with httpx.AsyncClient(timeout=None, limits=limits, verify=verify) as client:  # noqa: S113 - each ask is bounded
        server = Server(client, base_url, key=key, model=model, timeout_seconds=timeout_seconds)
        end = time.monotonic() + RUN_TIMEOUTS * timeout_seconds
        for one in chosen:
            results.append(await _run(one, server, end))
            if on_result is not None:
                on_result(results[-1])
    return results


async def _run(one: Check, server: Server, end: float) -> CheckResult:
    """Run one check; whatever it raises is its result."""
    seconds = min(CHECK_TIMEOUTS * server.timeout_seconds, end - time.monotonic())
    if seconds <= 0:
        return _result(one, "not applicable", f"the run's {RUN_TIMEOUTS * server.timeout_seconds:g} s are over")
    try:
        async with asyncio.timeout(seconds):
            await one.run(server)
    except NotApplicable as why:
        return _result(one, "not applicable", str(why))
    except CheckFailure as failure:
        return _result(one, "fail", failure.seen, failure.mend)
    except TimeoutError:
        return _result(one, "fail", f"the check did not end within {seconds:g} s", "answer within a bounded time")
    except Exception as error:  # noqa: BLE001 - an answer that nobody foresaw is a finding too
        seen = f"the answer cannot be read: {type(error).__name__}: {error!s:.200}"
        return _result(one, "fail", seen, "answer in the form of OpenAI's API")
    return _result(one, "pass")


def _result(one: Check, outcome: Outcome, seen: str = "", mend: str = "") -> CheckResult:
    return CheckResult(one.id, outcome, one.sentence, one.source, encodable(seen), encodable(mend))


def run_wire_checks(
    base_url: str,
    *,
    key: str | None = None,
    model: str | None = None,
    ids: Iterable[str] | None = None,
    timeout_seconds: float = 30.0,
    on_result: OnResult | None = None,
) -> list[CheckResult]:
    """Run checks of OpenAI's HTTP API against any server, over HTTP.

    Args:
        base_url: The address with its path, `http://127.0.0.1:4000/v1`.
        key: The key, which is sent as a bearer token; None: none is sent, and nothing about keys is checked.
        model: The model to ask; None: the first listed one that chats. An endpoint that it does not answer is asked
            with the other listed ones.
        ids: Only these checks; None: all.
        timeout_seconds: How long one answer may take; the whole run takes at most 20 times as long.
        on_result: Is called with each result as its check ends.

    Returns:
        One result for each check. Endpoints that the server does not have are not applicable, except for the list of
        models and chats, which fail. A server that hangs has findings that say so.

    Raises:
        MissingExtraError: httpx is not installed.
    """
    run = arun_wire_checks(
        base_url, key=key, model=model, ids=ids, timeout_seconds=timeout_seconds, on_result=on_result
    )
    return asyncio.run(run)
