"""The registry of wire checks: what a server has to keep, one check per property.

An id reads `group:way:variant`, for example `wire-stream:chat:done-last`; the group is what a table is divided by. A
check is plain async code over a `Server`; its docstring is its sentence.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

from modelport.testing.checks import Check
from modelport.testing.wire.asking import Chat, Completions, Generation
from modelport.testing.wire.server import Server

WireCode = Callable[[Server], Awaitable[None]]
"""Looks at a server; raises `CheckFailure` or `NotApplicable`."""

GenerationCode = Callable[[Generation], Awaitable[None]]
"""Looks at one endpoint that gives texts."""

GROUPS = (
    "wire-models",
    "wire-chat",
    "wire-request",
    "wire-stream",
    "wire-usage",
    "wire-stop",
    "wire-limit",
    "wire-choices",
    "wire-tools",
    "wire-unicode",
    "wire-errors",
    "wire-text",
    "wire-embedding",
    "wire-image",
    "wire-auth",
    "wire-http",
    "wire-load",
)
"""What the checks are about, in the order in which they run and are shown."""

_registry: dict[str, Check] = {}


def registered() -> list[Check]:
    """Return all wire checks that were registered so far, group by group."""
    return sorted(_registry.values(), key=lambda one: GROUPS.index(one.area))


def wire_check(check_id: str, *, source: str) -> Callable[[WireCode], WireCode]:
    """Register a check; the function's docstring is its sentence.

    Args:
        check_id: `group:way:variant`.
        source: Where the property is promised, or where its absence broke clients.
    """

    def register(code: WireCode) -> WireCode:
        sentence = inspect.getdoc(code)
        assert sentence is not None, f"{code} needs a docstring: it is the check's sentence"
        add_check(check_id, " ".join(sentence.split()), source, code)
        return code

    return register


def add_check(check_id: str, sentence: str, source: str, code: WireCode) -> None:
    """Register a check that is made of a table's row."""
    assert check_id.count(":") == 2, f"{check_id!r} is no check id; it must read group:way:variant"
    assert check_id.partition(":")[0] in GROUPS, f"{check_id!r} belongs to none of {GROUPS}"
    assert check_id not in _registry, f"there is a check {check_id!r} already"
    _registry[check_id] = Check(check_id, sentence, source, (), code)


def generation_check(check_id: str, *, source: str) -> Callable[[GenerationCode], GenerationCode]:
    """Register one check for each endpoint that gives texts; `{endpoint}` in the id, `{path}` in the docstring."""

    def register(code: GenerationCode) -> GenerationCode:
        sentence = inspect.getdoc(code)
        assert sentence is not None, f"{code} needs a docstring: it is the check's sentence"
        for kind in (Chat, Completions):
            words = " ".join(sentence.split()).replace("{path}", kind.path)
            add_check(check_id.format(endpoint=kind.name), words, source, _for_endpoint(code, kind))
        return code

    return register


def _for_endpoint(code: GenerationCode, kind: type[Generation]) -> WireCode:
    def run(server: Server) -> Awaitable[None]:
        return code(kind(server))

    return run
