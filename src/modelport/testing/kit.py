"""Running the checks over a model: `run_checks(make_model)`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import msgspec

from modelport.testing import guarantees
from modelport.testing.checks import Check, CheckFailure, NotApplicable, registered
from modelport.testing.faces import Through
from modelport.testing.subject import Subject
from modelport.testing.subjects import Subjects

CHECK_SECONDS = 60.0
"""How long one check may take; its own waits are shorter."""


assert guarantees.__all__, "importing the guarantees registers their checks"


class CheckResult(msgspec.Struct, frozen=True):
    """Is what one check found."""

    id: str
    """The check's id."""
    outcome: Literal["pass", "fail", "not applicable"]
    """Whether the property holds, does not, or cannot be seen on this model."""
    sentence: str
    """What the check is about."""
    source: str
    """Where that is promised."""
    seen: str = ""
    """What was seen instead, or why the check does not apply."""
    mend: str = ""
    """How to mend it."""


def all_checks() -> list[Check]:
    """Return every check of the kit."""
    return registered()


def find_check(check_id: str) -> Check:
    """Return the check with an id.

    Raises:
        KeyError: There is none.
    """
    for one in registered():
        if one.id == check_id:
            return one
    raise KeyError(f"there is no check {check_id!r}")


def checks_for(
    make_model: Callable[[], Any], prompts: Sequence[Any] | None = None, *, through: Through | None = None
) -> list[Check]:
    """Return the checks that apply to the models which a factory makes; the arguments are those of `run_checks`."""
    subjects = Subjects(make_model, prompts, through)
    return [one for one in registered() if subjects.why_not(one) is None]


async def run_check(one: Check, subjects: Subjects) -> CheckResult:
    """Run one check; whatever it raises is its result."""
    reason = subjects.why_not(one)
    if reason is not None:
        return CheckResult(one.id, "not applicable", one.sentence, one.source, reason)
    subject = subjects.of(one)
    if isinstance(subject, Subject):
        await subject.learn_hooks()
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await one.run(subject)
    except NotApplicable as why:
        return CheckResult(one.id, "not applicable", one.sentence, one.source, str(why))
    except CheckFailure as failure:
        return CheckResult(one.id, "fail", one.sentence, one.source, failure.seen, failure.mend)
    except Exception as error:  # noqa: BLE001 - an unexpected exception is a finding too
        seen = f"{type(error).__name__}: {error}"
        return CheckResult(one.id, "fail", one.sentence, one.source, seen)
    return CheckResult(one.id, "pass", one.sentence, one.source)


async def arun_checks(
    make_model: Callable[[], Any],
    *,
    prompts: Sequence[Any] | None = None,
    through: Through | None = None,
    ids: Iterable[str] | None = None,
) -> list[CheckResult]:
    """Run the checks, one after the other, on the running loop; see `run_checks`."""
    subjects = Subjects(make_model, prompts, through)
    wanted = None if ids is None else set(ids)
    checks = [one for one in registered() if wanted is None or one.id in wanted]
    return [await run_check(one, subjects) for one in checks]


def run_checks(
    make_model: Callable[[], Any],
    *,
    prompts: Sequence[Any] | None = None,
    through: Through | None = None,
    ids: Iterable[str] | None = None,
) -> list[CheckResult]:
    """Run the checks over a model, over a handler, or over a runnable that is made of one.

    Args:
        make_model: Returns a fresh model or handler of the class under check: the class itself, or a function without
            arguments. Of a handler every model is checked that it makes: for chat, embeddings and images.
        prompts: What the model is asked: at least three inputs, all different, that it answers with some words; of
            embedding and image models, texts.
        through: Returns, of a model and a call's keywords, the runnable that is called in the model's place, and
            which hands on its input and the model's answer unchanged:
            `lambda model, kwargs: RunnablePassthrough() | model.bind(**kwargs)`. The guarantees must hold there too.
        ids: Only these checks; None: all.

    Returns:
        One result for each check, also for those that do not apply.

    Raises:
        TypeError: The factory gives something that is neither model nor handler, or `through` something that is no
            runnable.
    """
    return asyncio.run(arun_checks(make_model, prompts=prompts, through=through, ids=ids))
