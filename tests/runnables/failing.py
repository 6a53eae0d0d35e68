"""Functions that fail as they are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modelport import RunnableLambda


class DownError(Exception):
    """Is raised by what is tried."""


class OtherError(Exception):
    """Is raised by what is tried, too."""


def with_attribute(name: str, value: Any) -> Exception:
    """Return a failure that says something about itself, as those of clients do."""
    error = DownError("down")
    setattr(error, name, value)
    return error


class Flaky:
    """Is a function that fails as often as it is told, each time with another error."""

    def __init__(self, times: int, error: Callable[[int], BaseException] = DownError) -> None:
        self.times = times
        self.error = error
        self.raised: list[BaseException] = []
        self.calls = 0

    def __call__(self, value: str) -> str:
        self.calls += 1
        if self.calls <= self.times:
            self.raised.append(self.error(self.calls))
            raise self.raised[-1]
        return value.upper()


def failing(error: BaseException, log: list[str] | None = None, name: str | None = None) -> RunnableLambda[Any, Any]:
    def fails(value: Any) -> Any:
        if log is not None:
            log.append("failing")
        raise error

    return RunnableLambda(fails, name=name)


def upper(log: list[str] | None = None) -> RunnableLambda[Any, Any]:
    def shouts(value: str) -> str:
        if log is not None:
            log.append("upper")
        return value.upper()

    return RunnableLambda(shouts)
