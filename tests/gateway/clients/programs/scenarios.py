"""Runs a client's scenarios and prints what each gave, as one JSON object."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

URL = os.environ["GATEWAY_URL"]
KEY = os.environ["GATEWAY_KEY"]
INPUTS: dict[str, Any] = json.loads(os.environ["INPUTS"])
SCENARIOS: dict[str, Callable[[], Any]] = {}


def scenario(function: Callable[[], Any]) -> Callable[[], Any]:
    """Add a scenario: a function or a coroutine function whose value can be JSON."""
    SCENARIOS[function.__name__] = function
    return function


def failure(action: Callable[[], Any]) -> Any:
    """Return the class and the status of what an action raises."""
    try:
        action()
    except Exception as error:  # noqa: BLE001 - its class is what is asked for
        return [type(error).__name__, getattr(error, "status_code", None)]
    return "nothing was raised"


def errors(action: Callable[[int], Any]) -> dict[str, Any]:
    """Return what an action raises for each status."""
    return {str(status): failure(lambda status=status: action(status)) for status in INPUTS["statuses"]}


def run() -> None:
    """Run them all; a scenario that fails keeps no other from running."""
    outcomes: dict[str, Any] = {}
    # Clients keep connections from one call to the next, which belong to a loop.
    with asyncio.Runner() as runner:
        for name, function in SCENARIOS.items():
            try:
                value = function()
                outcomes[name] = {"value": runner.run(value) if inspect.iscoroutine(value) else value}
            except Exception:  # noqa: BLE001 - the test shows it
                outcomes[name] = {"error": traceback.format_exc()}
    # Whatever a client prints comes before.
    sys.stdout.write("\n" + json.dumps(outcomes) + "\n")
