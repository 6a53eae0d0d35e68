"""Printing: what `print(model)` and logs tell about a model (custom LLM guide: `_identifying_params`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelport.testing.author import author_of, own_fields
from modelport.testing.checks import NotApplicable, check, expect, expect_equal
from modelport.testing.conditions import called_directly
from modelport.testing.subject import Subject

SOURCE = "custom LLM guide: `_identifying_params` help with identifying the model and printing it"


@check("printing:params:named", source=SOURCE, applies=[called_directly])
async def named(subject: Subject) -> None:
    """What identifies the model is a dict with texts as keys, which `print(model)` shows, every one of them."""
    model = subject.make()
    params: Any = model.identity()
    expect(isinstance(params, Mapping), f"`_identifying_params` is {params!r:.200}, no dict")
    wrong = [key for key in params if not isinstance(key, str)]
    expect(not wrong, f"`_identifying_params` has keys that are no texts: {wrong!r:.200}")
    missing = [key for key in params if repr(model.scrub(key)) not in str(model)]
    expect(not missing, f"`print(model)` does not show {', '.join(missing)}")


@check("printing:params:told-apart", source=SOURCE, applies=[called_directly])
async def told_apart(subject: Subject) -> None:
    """A class with fields has something that identifies its models."""
    if not _shown_fields(subject):
        raise NotApplicable("the class has no fields of its own to show: all of its models look alike")
    expect(subject.make().identity(), "`_identifying_params` is empty, though the class has fields")


@check("printing:params:steady", source=SOURCE, applies=[called_directly])
async def steady(subject: Subject) -> None:
    """Printing a model twice shows the same, and asks no hook: what identifies it is no matter of the moment."""
    probe = subject.probe()
    expect_equal(str(probe.model), str(probe.model), "what `print(model)` shows the second time")
    expect_equal(repr(probe.model), repr(probe.model), "what `repr(model)` is the second time")
    expect(not probe.calls, "printing the model called its hooks")


@check("printing:repr:fields", source=SOURCE, applies=[called_directly])
async def fields(subject: Subject) -> None:
    """The repr names every field that the author declared, unless the field says `repr=False`."""
    shown = _shown_fields(subject)
    if not shown:
        raise NotApplicable("the class has no fields of its own to show")
    text = repr(subject.make())
    missing = [name for name in shown if f"{name}=" not in text]
    expect(not missing, f"the repr does not show {', '.join(missing)}: {text!r:.200}")


def _shown_fields(subject: Subject) -> list[str]:
    return [name for name in own_fields(author_of(subject)) if subject.cls.model_fields[name].repr]
