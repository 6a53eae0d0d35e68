"""Wrong servers: each is the right one with one change, and names the checks that catch it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from modelport.testing.wire import all_wire_checks
from tests.conformance.wire.http_server import RefusedError, Reply, Request
from tests.conformance.wire.reference import Right

IDS = [one.id for one in all_wire_checks()]


@dataclass(frozen=True)
class Wrong:
    """Is a wrong server, and which checks have to fail on it: all that the patterns name, and no other."""

    name: str
    server: type[Right]
    patterns: tuple[str, ...]
    within: str
    """Which checks are run."""
    why_several: str
    """Why more than one pattern: what cannot be wrong alone."""

    @property
    def ids(self) -> list[str]:
        return [one for one in IDS if fnmatchcase(one, self.within)]

    @property
    def caught_by(self) -> set[str]:
        return {one for one in IDS if any(fnmatchcase(one, pattern) for pattern in self.patterns)}


WRONG: list[Wrong] = []


def wrong(*patterns: str, why: str = "", within: str = "*", **changes: Any) -> None:
    """Add a server that has some attributes of its own; a pattern covers the same check of both text endpoints."""
    assert len(patterns) == 1 or why, f"{patterns}: say why one change is caught by several checks"
    WRONG.append(Wrong(" ".join(patterns), type("Wrong", (Right,), changes), patterns, within, why))


def refusing(pattern: str, is_so: Callable[[dict[str, Any]], Any], status: int = 400) -> None:
    """Add a server that refuses bodies of a kind."""

    def look_at(self: Right, body: dict[str, Any]) -> None:
        if is_so(body):
            raise RefusedError("refused", "this is not taken", status=status)

    wrong(pattern, look_at=look_at)


def with_status(pattern: str, case: str, status: int) -> None:
    """Add a server that refuses a case with another status."""

    def status_of(self: Right, of: str, usual: int) -> int:
        return status if of == case else usual

    wrong(pattern, status_of=status_of)


def with_error(pattern: str, case: str, body: Callable[[dict[str, Any]], Any]) -> None:
    """Add a server whose refusal of a case has another body, made of the right one."""

    def error_body(self: Right, refused: RefusedError) -> Any:
        right = Right.error_body(self, refused)
        return body(right) if refused.case == case else right

    wrong(pattern, error_body=error_body)


def changed(method: str, change: Callable[..., Any]) -> dict[str, Any]:
    """Return an override that changes what a method gives: `change(self, value, *arguments)`."""
    right = getattr(Right, method)
    return {method: lambda self, *arguments: change(self, right(self, *arguments), *arguments)}


def in_error(**fields: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda body: {"error": {**body["error"], **fields}}


def detail(body: dict[str, Any]) -> Any:
    return {"detail": "as FastAPI says it"}


def as_bytes(reply: Reply, change: Callable[[bytes], bytes]) -> Reply:
    reply.body = change(reply.body)
    return reply


def for_request(is_so: Callable[[Request], Any], instead: Callable[[], Reply]) -> dict[str, Any]:
    """Return an override that answers some requests in another way."""
    return {"answer": lambda self, request: instead() if is_so(request) else Right.answer(self, request)}
