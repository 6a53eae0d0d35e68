"""What embedding hooks may return, and how long their vectors are: wrong shapes and lengths help their author."""

from __future__ import annotations

from typing import Any

from modelport.testing.checks import CheckFailure, NotApplicable, expect, expect_equal
from modelport.testing.gates import patiently
from modelport.testing.guarantees.values import expect_hook_error
from modelport.testing.probe import HookCall
from modelport.testing.subject import Subject
from modelport.testing.value_ways import EMBEDS, LISTS, ValueWay, check_values, scripted_answer, vector_of
from modelport.values.embeddings import Embedding
from modelport.values.errors import HookError, InputError

SOURCE = "modelport: EmbeddingModel, one vector per text; guarantee 12 (errors)"
DIMENSIONS = "modelport: EmbeddingModel, `dimensions`"
_OTHER = 5
"""A length that scripted vectors do not have by themselves."""


class _Array:
    """Is an array of numpy's or torch's kind."""

    def __init__(self, values: Any) -> None:
        self._values = values

    def tolist(self) -> Any:
        """Return plain lists."""
        return self._values


@check_values("shapes", source=SOURCE, ways=EMBEDS)
async def shapes(subject: Subject, way: ValueWay) -> None:
    """`{way}` gives plain lists of floats of lists, tuples, ints, arrays and `Embedding`s alike."""
    text = subject.prompts[0]
    vector = vector_of(text)
    forms: list[Any] = [
        [vector],
        (tuple(vector),),
        [[int(number) for number in vector]],
        _Array([vector]),
        [_Array(vector)],
        [Embedding(vector)],
    ]
    for form in forms:
        probe = way.probe(subject)
        probe.answer = lambda call, form=form: form
        async with patiently(f"`{way.name}`"):
            given = await way.results(probe.model, text)
        expect(given == [vector] and {type(one) for one in given[0]} == {float}, f"{form!r:.100} became {given!r:.200}")


@check_values("too-few", source=SOURCE, ways=EMBEDS)
async def too_few(subject: Subject, way: ValueWay) -> None:
    """A hook that gives fewer or more vectors than it got texts fails `{way}`, by an error that names the hook."""
    for extra in (-1, 1):
        probe = way.probe(subject)
        probe.answer = lambda call, extra=extra: [vector_of("x")] * (len(call.argument) + extra)
        await expect_hook_error(subject, way, probe, "fewer or more vectors than texts")


@check_values("flat-list", source=SOURCE, ways=EMBEDS)
async def flat_list(subject: Subject, way: ValueWay) -> None:
    """A hook that gives one vector in place of a list of vectors fails `{way}`, by an error that says so."""
    probe = way.probe(subject)
    probe.answer = lambda call: vector_of("x", len(call.argument))
    error = await expect_hook_error(subject, way, probe, "a flat list")
    expect("flat" in str(error), f"the message does not say that the list is flat: {str(error)!r}")


@check_values("not-finite", source=SOURCE, ways=EMBEDS)
async def not_finite(subject: Subject, way: ValueWay) -> None:
    """A vector with NaN or infinity in it fails `{way}`, by an error that names the hook."""
    for number in (float("nan"), float("-inf")):
        probe = way.probe(subject)
        probe.answer = lambda call, number=number: [[1.0, number, 2.0] for _ in call.argument]
        await expect_hook_error(subject, way, probe, f"a vector with {number}")


@check_values("no-vectors", source=SOURCE, ways=EMBEDS)
async def no_vectors(subject: Subject, way: ValueWay) -> None:
    """A hook that gives no list, or slots that are no vectors of numbers, fails `{way}`, by an error that names it."""
    wrong: list[Any] = [None, "vectors", 7, {"vectors": []}]
    for value in wrong:
        probe = way.probe(subject)
        probe.answer = lambda call, value=value: value
        await expect_hook_error(subject, way, probe, repr(value))
    slots: list[Any] = [None, "vector", [], ["1.0"], [True, 1.0], [[1.0]]]
    for slot in slots:
        probe = way.probe(subject)
        probe.answer = lambda call, slot=slot: [slot for _ in call.argument]
        await expect_hook_error(subject, way, probe, f"a list of {slot!r}")


@check_values("one-length", source=SOURCE, ways=LISTS)
async def one_length(subject: Subject, way: ValueWay) -> None:
    """Vectors of several lengths in one call fail `{way}`, by an error that names the hook."""
    probe = way.probe(subject)
    probe.answer = lambda call: [vector_of(text, position + 1) for position, text in enumerate(call.argument)]
    try:
        async with patiently(f"`{way.name}`"):
            vectors = await way.results(probe.model, ["one", "two"])
    except HookError as error:
        expect(way.hook(subject).label in str(error), f"the message does not name the hook: {str(error)!r}")
        return
    raise CheckFailure(f"`{way.name}` gave {vectors!r:.200}")


def _takes_dimensions(subject: Subject, way: ValueWay) -> None:
    if not way.hook(subject).takes("dimensions"):
        raise NotApplicable(f"`{way.hook(subject).name}` takes no `dimensions`")


@check_values("dimensions-given", source=DIMENSIONS, ways=EMBEDS)
async def dimensions_given(subject: Subject, way: ValueWay) -> None:
    """A hook that takes `dimensions` is given those of `{way}`, else those of the field, else none."""
    _takes_dimensions(subject, way)
    for field, asked in ((None, _OTHER), (4, _OTHER), (4, None), (None, None)):
        probe, text = way.probe(subject), subject.prompts[0]
        probe.model.dimensions = field
        async with patiently(f"`{way.name}`"):
            vectors = await way.results(probe.model, text, dimensions=asked)
        wanted = asked or field
        expect_equal(probe.calls[0].keywords.get("dimensions"), wanted, "the `dimensions` that the hook was given")
        expect_equal(vectors, [vector_of(text, wanted)], "the vectors")


@check_values("dimensions-refused", source=DIMENSIONS, ways=EMBEDS)
async def dimensions_refused(subject: Subject, way: ValueWay) -> None:
    """`dimensions` that a hook does not take are an `InputError` of `{way}`, unless its vectors have them anyway."""
    hook = way.hook(subject)
    if hook.takes("dimensions"):
        raise NotApplicable(f"`{hook.name}` takes `dimensions`")
    probe, text = way.probe(subject), subject.prompts[0]
    async with patiently(f"`{way.name}`"):
        vectors = await way.results(probe.model, text, dimensions=len(vector_of(text)))
    expect_equal(vectors, [vector_of(text)], "the vectors")
    for field in (None, len(vector_of(text))):
        probe.model.dimensions = field
        await _expect_refusal(way, probe.model, text, _OTHER)


@check_values("dimensions-wrong", source=DIMENSIONS, ways=EMBEDS)
async def dimensions_wrong(subject: Subject, way: ValueWay) -> None:
    """`dimensions` that are no int of at least 1 are an `InputError` of `{way}`, before any hook is called."""
    wrong: list[Any] = [0, -1, True, "3", 1.5]
    for value in wrong:
        probe = way.probe(subject)
        await _expect_refusal(way, probe.model, subject.prompts[0], value)
        expect(not probe.calls, f"a hook was called with dimensions={value!r}")


async def _expect_refusal(way: ValueWay, model: Any, text: str, dimensions: Any) -> None:
    try:
        async with patiently(f"`{way.name}`"):
            vectors = await way.results(model, text, dimensions=dimensions)
    except InputError as error:
        expect("dimensions" in str(error), f"the message does not name `dimensions`: {str(error)!r}")
        return
    raise CheckFailure(f"`{way.name}` with dimensions={dimensions!r} gave {vectors!r:.200}")


def _plain_answer(call: HookCall) -> list[list[float]]:
    """Answer as a hook does that does not care for `dimensions`."""
    return [vector_of(text) for text in call.argument]


@check_values("dimensions-kept", source=DIMENSIONS, ways=EMBEDS)
async def dimensions_kept(subject: Subject, way: ValueWay) -> None:
    """A hook that takes `dimensions` and gives another length fails `{way}`: nobody gets vectors that do not fit."""
    _takes_dimensions(subject, way)
    probe = way.probe(subject)
    probe.answer = _plain_answer
    try:
        async with patiently(f"`{way.name}`"):
            vectors = await way.results(probe.model, subject.prompts[0], dimensions=_OTHER)
    except (HookError, InputError) as error:
        expect(way.hook(subject).label in str(error), f"the message does not name the hook: {str(error)!r}")
        return
    raise CheckFailure(f"`{way.name}` with dimensions={_OTHER} gave {vectors!r:.200}")


@check_values("dimensions-field", source=DIMENSIONS, ways=EMBEDS)
async def dimensions_field(subject: Subject, way: ValueWay) -> None:
    """Vectors of another length than the field `dimensions` says fail `{way}`; those of that length are given."""
    probe = way.probe(subject)
    probe.model.dimensions, probe.answer = _OTHER, _plain_answer
    await expect_hook_error(subject, way, probe, "vectors of another length than the field says")
    probe.model.dimensions, probe.answer = len(vector_of("x")), scripted_answer
    async with patiently(f"`{way.name}`"):
        vectors = await way.results(probe.model, subject.prompts[0])
    expect_equal(vectors, [vector_of(subject.prompts[0])], "the vectors")
