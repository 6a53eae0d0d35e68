"""Running the checks over a model: `run_checks(make_model)`."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import msgspec

from modelport.testing import gates, guarantees
from modelport.testing.checks import Check, CheckFailure, NotApplicable, check_of, registered
from modelport.testing.faces import Through
from modelport.testing.raw_scope import raw_mend
from modelport.testing.subject import Subject
from modelport.testing.subjects import Subjects

CHECK_SECONDS, ANSWERS_PER_CHECK = 60.0, 6
"""How long one check may take, or as long as so many answers; its own waits are shorter."""
RAW_PATIENCE_SECONDS = 1.0
"""How long a check in raw mode waits for what the author's code may never do."""

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
    one = check_of(check_id)
    if one is None:
        raise KeyError(unknown_id(check_id))
    return one


def checks_for(
    make_model: Callable[[], Any],
    prompts: Sequence[Any] | None = None,
    *,
    through: Through | None = None,
    raw: bool = False,
) -> list[Check]:
    """Return the checks that apply to the models which a factory makes; the arguments are those of `run_checks`."""
    subjects = Subjects(make_model, prompts, through, raw=raw)
    return [one for one in registered() if subjects.why_not(one) is None]


async def run_check(one: Check, subjects: Subjects) -> CheckResult:
    """Run one check; whatever it raises is its result."""
    reason = subjects.why_not(one)
    if reason is not None:
        return CheckResult(one.id, "not applicable", one.sentence, one.source, reason)
    subject = subjects.of(one)
    if isinstance(subject, Subject):
        missing = subject.missing_hook(one.way)
        if missing is not None and one.topic == "derive:answers":
            return _failed(one, subjects, missing)
        if missing is not None:
            return CheckResult(one.id, "not applicable", one.sentence, one.source, missing)
        await subject.learn_hooks()
    try:
        async with asyncio.timeout(max(CHECK_SECONDS, ANSWERS_PER_CHECK * gates.answer_seconds())):
            await one.run(subject)
    except NotApplicable as why:
        return CheckResult(one.id, "not applicable", one.sentence, one.source, str(why))
    except CheckFailure as failure:
        return _failed(one, subjects, failure.seen, failure.mend)
    except Exception as error:  # noqa: BLE001 - an unexpected exception is a finding too
        return _failed(one, subjects, f"{type(error).__name__}: {error}")
    return CheckResult(one.id, "pass", one.sentence, one.source)


def _failed(one: Check, subjects: Subjects, seen: str, mend: str = "") -> CheckResult:
    """Return a failure with what mends it: in raw mode the author's code, else what the check or its topic says."""
    mend = (raw_mend(one.topic) if subjects.raw else None) or mend or one.mend
    return CheckResult(one.id, "fail", one.sentence, one.source, encodable(seen), mend)


def encodable(text: str) -> str:
    """Return a text with its lone surrogates written out: no JSON, XML or terminal takes them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


async def arun_checks(
    make_model: Callable[[], Any],
    *,
    prompts: Sequence[Any] | None = None,
    through: Through | None = None,
    ids: Iterable[str] | None = None,
    raw: bool = False,
    timeout_seconds: float | None = None,
    on_result: Callable[[CheckResult], None] | None = None,
) -> list[CheckResult]:
    """Run the checks, one after the other, on the running loop; see `run_checks`."""
    subjects = Subjects(make_model, prompts, through, raw=raw)
    results: list[CheckResult] = []
    # Of code that nothing steers, much of what the checks wait for never happens.
    with gates.patience(timeout_seconds, RAW_PATIENCE_SECONDS if raw and timeout_seconds is None else None):
        for one in _wanted(ids):
            results.append(await run_check(one, subjects))
            if on_result is not None:
                on_result(results[-1])
    return results


def _wanted(ids: Iterable[str] | None) -> list[Check]:
    """Return the checks with some ids, all when None, in the order in which they run.

    Raises:
        ValueError: There is no check with one of the ids; the message names near ones.
    """
    checks = registered()
    if ids is None:
        return checks
    wanted, known = set(ids), {one.id for one in checks}
    for unknown in sorted(wanted - known):
        raise ValueError(unknown_id(unknown))
    return [one for one in checks if one.id in wanted]


def unknown_id(check_id: str) -> str:
    """Return what an error says of an id that no check has: with those that are near."""
    near = difflib.get_close_matches(check_id, [one.id for one in registered()], n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "`all_checks()` lists them"
    return f"there is no check {check_id!r}; {hint}"


def run_checks(
    make_model: Callable[[], Any],
    *,
    prompts: Sequence[Any] | None = None,
    through: Through | None = None,
    ids: Iterable[str] | None = None,
    raw: bool = False,
    timeout_seconds: float | None = None,
    on_result: Callable[[CheckResult], None] | None = None,
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
        raw: True: call the author's hooks as they are, with no guarantee around them, as LangChain calls a plain
            wrapper, LiteLLM a handler: what fails is what the author's own code does not keep.
        timeout_seconds: How long one answer may take; None: 10.
        on_result: Called with each result as its check ends.

    Returns:
        One result for each check, also for those that do not apply.

    Raises:
        TypeError: The factory gives something that is neither model nor handler, or `through` something that is no
            runnable, or `through` and `raw` are given together.
        ValueError: There is no check with one of the ids.
    """
    return asyncio.run(
        arun_checks(
            make_model,
            prompts=prompts,
            through=through,
            ids=ids,
            raw=raw,
            timeout_seconds=timeout_seconds,
            on_result=on_result,
        )
    )
