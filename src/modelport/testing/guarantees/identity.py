"""Identity: models are equal to themselves only, print well, and can be copied and pickled."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Callable
from typing import Any

from modelport.engine.memory_cache import LRUCache
from modelport.testing.checks import TEXT, CheckFailure, NotApplicable, check, expect, expect_equal
from modelport.testing.conditions import called_directly
from modelport.testing.gates import patiently
from modelport.testing.subject import Subject
from modelport.testing.value_ways import VALUE_WAYS
from modelport.testing.ways import WAYS

SOURCE = "modelport contract, identity"


@check("identity:equal:itself-only", source=SOURCE, applies=[called_directly])
async def itself_only(subject: Subject) -> None:
    """A model equals only itself, and hashes so."""
    model = subject.make()
    twin = copy.copy(model)
    expect(model == model, "the model is not equal to itself")  # noqa: PLR0124
    expect(model != twin, "two models with equal fields are equal")
    expect_equal(len({model, twin}), 2, "the size of a set of two models")


@check("identity:print:str", source="custom LLM guide: print(llm)", applies=[called_directly])
async def printed(subject: Subject) -> None:
    """`print(model)` shows the class and the identifying parameters, as in the guide."""
    model = subject.make()
    first, _, rest = str(model).partition("\n")
    expect_equal(first, subject.cls.__name__, "the first line")
    expect(rest.startswith("Params: {"), f"the second line is {rest!r:.100}")


@check("identity:print:repr", source=SOURCE, applies=[called_directly])
async def represented(subject: Subject) -> None:
    """The repr shows the class and the author's fields, none of the framework's."""
    text = repr(subject.make())
    expect(text.startswith(f"{subject.cls.__name__}("), f"the repr is {text!r:.100}")
    for name in ("max_concurrency", "callbacks", "include_stop", "_modelport_state"):
        expect(f"{name}=" not in text, f"the repr shows the framework's {name}: {text!r:.200}")


async def _expect_same_answer(subject: Subject, model: Any, twin: Any) -> None:
    if subject.is_cached:
        twin.cache = LRUCache()  # a copy shares the cache, and would answer by what is there
    expected, answer = await _answer(subject, model), await _answer(subject, twin)
    if subject.cls.deterministic:
        expect_equal(answer, expected, "the answer of the copy")


async def _answer(subject: Subject, model: Any) -> Any:
    """Return what a model answers, of whatever kind it is, by every way to call."""
    if subject.about == TEXT:
        ways = [(name, way.text) for name, way in WAYS.items()]
    else:
        ways = [
            (name, way.results)
            for name, way in VALUE_WAYS.items()
            if way.about == subject.about and way.hook_of(subject.cls) is not None
        ]
    answers: list[Any] = []
    for name, ask in ways:
        async with patiently(f"`{name}`"):
            answers.append(await ask(model, subject.prompts[0]))
    return answers


async def _used(subject: Subject) -> Any:
    """Return a model that has all of the framework's state: slots, workers, a lock or two."""
    model = copy.copy(subject.fresh())
    model.max_concurrency = 4
    await _answer(subject, model)
    return model


def _copied(model: Any, make: Callable[[Any], Any]) -> Any:
    """Return a copy of a model; when it fails, find out whether the framework's state or the author's is to blame."""
    try:
        return make(model)
    except Exception as error:  # noqa: BLE001 - whatever refuses to be copied
        blame = error
    bare = copy.copy(model)
    try:
        make(bare)
    except Exception:  # noqa: BLE001 - it is not the framework's state
        raise NotApplicable(f"what the author keeps on the model cannot be copied: {blame}") from None
    raise CheckFailure(f"a used model cannot be copied: {blame}")


@check("identity:copy:deepcopy", source=SOURCE, applies=[called_directly])
async def deep_copied(subject: Subject) -> None:
    """A used model can be deep-copied, and the copy answers as it does."""
    model = await _used(subject)
    twin = _copied(model, copy.deepcopy)
    expect(twin is not model and type(twin) is type(model), f"the copy is {twin!r:.100}")
    await _expect_same_answer(subject, model, twin)


@check("identity:copy:pickle", source=SOURCE, applies=[called_directly])
async def pickled(subject: Subject) -> None:
    """A used model can be pickled, without any of the framework's state, and the copy answers as it does."""
    module = sys.modules.get(subject.cls.__module__)
    if getattr(module, subject.cls.__qualname__, None) is not subject.cls:
        raise NotApplicable("the class cannot be imported by its name, which pickle needs")
    model = await _used(subject)
    data = _copied(model, pickle.dumps)
    expect(b"ModelState" not in data, "the pickle holds the framework's own state")
    twin = pickle.loads(data)  # noqa: S301 - made a line above
    await _expect_same_answer(subject, model, twin)


@check("identity:set:unknown-attribute", source=SOURCE, applies=[called_directly])
async def unknown_attribute(subject: Subject) -> None:
    """Setting an attribute that is no field is an error that names it, not a silent typo."""
    model = copy.copy(subject.make())
    try:
        model.no_such_field = 1
    except TypeError as error:
        expect("no_such_field" in str(error), f"the message is {str(error)!r}")
        return
    raise CheckFailure("an attribute that is no field was set")
