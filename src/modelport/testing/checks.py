"""The registry of checks: what a model has to keep, one check per property.

An id reads `area:way:variant`, for example `stop:stream:across-chunks`. A check is plain async code over a `Subject`
(for `handler` a `HandlerSubject`); it raises `CheckFailure` when the property does not hold and `NotApplicable` when it
cannot be seen on this model.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

from modelport.testing.mends import mend_for
from modelport.testing.ways import WAYS

CheckCode = Callable[[Any], Awaitable[None]]
"""Is given the subject that the check's area is about."""
WayCheckCode = Callable[[Any, str], Awaitable[None]]
"""The same for each way to call, whose name it is given."""
Condition = Callable[[Any], str | None]
"""Tells why a check does not apply to a subject; None when it does."""

AREAS = (
    "derive",
    "parity",
    "stop",
    "order",
    "batch",
    "cancel",
    "deadline",
    "usage",
    "choices",
    "secrets",
    "errors",
    "unicode",
    "threads",
    "identity",
    "cache",
    "compose",
    "checklist",
    "printing",
    "input",
    "embedding",
    "image",
    "handler",
)
"""The guarantees, in the order in which their checks run and are shown; the last ones are about kinds of models."""
TEXT = "text"
"""What the areas are about that are about no kind of model of their own: models that answer."""
ANY = "any"
"""What areas are about that look at how a class is written: every kind of model, and handlers."""
_ABOUT = {
    "embedding": "embedding",
    "image": "image",
    "handler": "handler",
    "identity": ANY,
    "checklist": ANY,
    "printing": ANY,
}

_ID = re.compile(r"[a-z]+(:[a-z0-9-]+){2}")
_registry: dict[str, Check] = {}
_in_order: list[Check] = []


class CheckFailure(Exception):  # noqa: N818 - a finding about the checked model, not a defect of the kit
    """Says that a property does not hold."""

    def __init__(self, seen: str, mend: str = "") -> None:
        super().__init__(seen)
        self.seen = seen
        """What was seen in place of what is promised."""
        self.mend = mend
        """How to mend it."""


class NotApplicable(Exception):  # noqa: N818 - no error: there is nothing to see on this model
    """Says that a property cannot be seen on this model, and why."""


class Check(msgspec.Struct, frozen=True):
    """Is one property that a model has to keep."""

    id: str
    """`area:way:variant`."""
    sentence: str
    """What holds when the check passes."""
    source: str
    """Where that is promised."""
    applies: tuple[Condition, ...]
    """All of them must give None."""
    run: CheckCode
    """Looks; raises `CheckFailure` or `NotApplicable`."""

    @property
    def area(self) -> str:
        """The guarantee that the check belongs to."""
        return self.id.partition(":")[0]

    @property
    def way(self) -> str:
        """The way to call, or the face, that the check looks at, as the id spells it; `any` and such: none."""
        return self.id.split(":")[1]

    @property
    def topic(self) -> str:
        """The check without its way to call: `stop:cut` of `stop:stream:cut`."""
        return topic_of(self.id)

    @property
    def mend(self) -> str:
        """How a failure is mended, unless the check itself has more to say."""
        return mend_for(self.area, self.id.rpartition(":")[2])

    @property
    def about(self) -> str:
        """What kind of subject the check is about: text, embedding, image, handler or any."""
        return _ABOUT.get(self.area, TEXT)

    def why_not(self, subject: Any) -> str | None:
        """Return why the check does not apply to a subject of its kind, None when it does."""
        return next((reason for applies in self.applies if (reason := applies(subject))), None)


def topic_of(check_id: str) -> str:
    """Return what a check is about without its way to call: `stop:cut` of `stop:stream:cut`."""
    area, _, rest = check_id.partition(":")
    return f"{area}:{rest.rpartition(':')[2]}"


def find_topics(check_ids: Iterable[str]) -> set[str]:
    """Return the topics of some checks."""
    return {topic_of(one) for one in check_ids}


def registered() -> list[Check]:
    """Return all checks that were registered so far, grouped by guarantee."""
    if len(_in_order) != len(_registry):
        _in_order[:] = sorted(_registry.values(), key=lambda one: AREAS.index(one.area))
    return list(_in_order)


def check_of(check_id: str) -> Check | None:
    """Return the check with an id, None when there is none."""
    return _registry.get(check_id)


def check(check_id: str, *, source: str, applies: Iterable[Condition] = ()) -> Callable[[CheckCode], CheckCode]:
    """Register a check; the function's docstring is its sentence.

    Args:
        check_id: `area:way:variant`.
        source: Where the property is promised.
        applies: Conditions that the model must meet.
    """

    def register(code: CheckCode) -> CheckCode:
        _register(check_id, _sentence_of(code), source, tuple(applies), code)
        return code

    return register


def check_each_way(
    check_id: str, *, source: str, ways: Iterable[str] = WAYS, applies: Iterable[Condition] = ()
) -> Callable[[WayCheckCode], WayCheckCode]:
    """Register one check for each way to call; `{way}` in the id and the docstring stands for it."""

    def register(code: WayCheckCode) -> WayCheckCode:
        sentence = _sentence_of(code)
        for way in ways:
            one = _for_way(code, way)
            _register(check_id.format(way=way.replace("_", "-")), sentence.format(way=way), source, tuple(applies), one)
        return code

    return register


def _for_way(code: WayCheckCode, way: str) -> CheckCode:
    def run(subject: Any) -> Awaitable[None]:
        return code(subject, way)

    return run


def _sentence_of(code: Callable[..., Any]) -> str:
    sentence = inspect.getdoc(code)
    assert sentence is not None, f"{code} needs a docstring: it is the check's sentence"
    return " ".join(sentence.split())


def _register(check_id: str, sentence: str, source: str, applies: tuple[Condition, ...], code: CheckCode) -> None:
    assert _ID.fullmatch(check_id), f"{check_id!r} is no check id; it must read area:way:variant"
    assert check_id.partition(":")[0] in AREAS, f"{check_id!r} belongs to none of {AREAS}"
    assert check_id not in _registry, f"there is a check {check_id!r} already"
    _registry[check_id] = Check(check_id, sentence, source, applies, code)


def expect(held: object, seen: str, mend: str = "") -> None:
    """Raise `CheckFailure` unless `held` is true."""
    if not held:
        raise CheckFailure(seen, mend)


def expect_equal(actual: object, expected: object, what: str, mend: str = "") -> None:
    """Raise `CheckFailure` unless the two are equal; the message shows both."""
    expect(actual == expected, f"{what} is {actual!r:.300}, not {expected!r:.300}", mend)
