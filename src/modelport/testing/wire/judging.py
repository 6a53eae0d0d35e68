"""What several checks hold an answer against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelport.testing.checks import CheckFailure, NotApplicable, expect
from modelport.testing.wire.answers import Answer, object_of
from modelport.testing.wire.shapes import Kind, differences

SPEC = "openai/openai-openapi: {}"
SHOWN_DIFFERENCES = 4

MENDS: dict[Kind, str] = {
    "wrong": "give every key the type that OpenAI's schema says",
    "null": "leave the key out in place of null",
    "absent": "write the key with null where it has no value",
}


def expect_shape(values: Sequence[Any], schema: str, kind: Kind, *, but: Sequence[str] = ()) -> None:
    """Fail when values differ from OpenAI's schema in one kind of difference.

    Args:
        values: What JSON gives.
        schema: The schema's name.
        kind: Which differences count.
        but: Ends of paths that do not count.
    """
    found = {
        one.text: None
        for value in values
        for one in differences(value, schema)
        if one.kind == kind and not one.path.endswith(tuple(but))
    }
    texts = list(found)
    more = f"; and {len(texts) - SHOWN_DIFFERENCES} more" if len(texts) > SHOWN_DIFFERENCES else ""
    expect(not texts, "; ".join(texts[:SHOWN_DIFFERENCES]) + more, f"{MENDS[kind]} ({schema})")


def error_of(answer: Answer) -> dict[str, Any] | None:
    """Return the object under `error`; None when there is none."""
    return object_of((object_of(answer.json) or {}).get("error"))


def expect_refused(answer: Answer, statuses: Sequence[int] = (400,)) -> None:
    """Fail unless a wrong request is refused with one of the statuses."""
    wanted = " or ".join(map(str, statuses))
    mend = f"refuse it with {wanted}"
    if answer.status == 422:
        mend += "; a validating framework's own handler (FastAPI: RequestValidationError) answers 422 instead"
    expect(answer.status in statuses, f"{answer.shown}, not {wanted}", mend)


def expect_error_object(answer: Answer) -> None:
    """Fail unless a refusal's body is `{"error": {...}}` with all four keys, as JSON.

    Raises:
        NotApplicable: It is no refusal.
    """
    if answer.status < 400:
        raise NotApplicable(f"it is not refused: {answer.shown}")
    mend = 'answer errors with {"error": {"message": …, "type": …, "param": null, "code": null}} as application/json'
    expect(error_of(answer) is not None, f"{answer.shown}: no object under `error`", mend)
    expect(answer.content_type == "application/json", f"an error of type {answer.content_type!r}", mend)
    found = [one.text for one in differences(answer.json, "ErrorResponse")]
    expect(not found, f"{'; '.join(found)}: {answer.shown}", mend)


def mend_at_the_door(answer: Answer, mend: str) -> str:
    """Return how an answer is mended that is none of what was asked: it may come from before the server itself."""
    if answer.status in (401, 403):
        return "the server lets nobody in without its key: give it (`--key`), or the right one"
    if 300 <= answer.status < 400:
        return f"check the address that it points to: {answer.headers.get('location', 'it names none')}"
    if answer.status == 404:
        return f"{mend}; or is the address not right up to /v1?"
    return mend


def expect_taken(answer: Answer, what: str, mend: str) -> None:
    """Fail unless a right request is answered with 200."""
    expect(answer.status == 200, f"{what}: {answer.shown}", mend)


def expect_taken_or_refused(answer: Answer, what: str, mend: str) -> None:
    """Fail when a request that a server may refuse is neither answered nor refused with an error object."""
    if answer.status == 200:
        return
    if not 400 <= answer.status < 500:
        raise CheckFailure(f"{what}: {answer.shown}", mend)
    expect(error_of(answer) is not None, f"{what}: refused without an error object: {answer.shown}", mend)


def refused_politely(answer: Answer) -> bool:
    """Tell whether a server says with 400 or 501 that it has no such thing."""
    return answer.status in (400, 501) and error_of(answer) is not None
