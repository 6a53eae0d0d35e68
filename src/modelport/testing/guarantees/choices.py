"""Guarantee 9, n: several choices of one call are runs of their own."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from modelport.engine.call import Call
from modelport.engine.choices import astream_choices
from modelport.testing.checks import CheckFailure, check, check_each_way, expect, expect_equal
from modelport.testing.conditions import called_directly, framework_fans_out, has_no_batch, has_stream, unlimited
from modelport.testing.gates import Rendezvous, patiently
from modelport.testing.recorder import OwnRunsRecorder
from modelport.testing.subject import Subject
from modelport.testing.ways import GENERATES, generate_by
from modelport.values.errors import InputError

SOURCE = "modelport guarantee 9 (n); OpenAI chat completions: n"


@check_each_way("choices:{way}:as-many", source=SOURCE, ways=GENERATES, applies=[called_directly, framework_fans_out])
async def as_many(subject: Subject, way: str) -> None:
    """`{way}` with n=3 gives three choices for each prompt, in the prompts' order."""
    probe = subject.probe()
    async with patiently(f"`{way}`"):
        result = await generate_by(way, probe.model, subject.prompts, n=3)
    expect_equal([len(one) for one in result.generations], [3] * len(subject.prompts), "the choices")
    if subject.cls.deterministic:
        texts = [[choice.text for choice in choices] for choices in result.generations]
        wanted = [[probe.given_for(prompt)] * 3 for prompt in subject.prompts]
        expect_equal(texts, wanted, "the texts")


@check_each_way("choices:{way}:own-runs", source=SOURCE, ways=GENERATES, applies=[called_directly, framework_fans_out])
async def own_runs(subject: Subject, way: str) -> None:
    """Each of the n choices of `{way}` is a run of its own."""
    probe, record = subject.probe(), OwnRunsRecorder()
    async with patiently(f"`{way}`"):
        await generate_by(way, probe.model, subject.prompts[:1], n=3, config={"callbacks": [record]})
    expect_equal(len({event.run_id for event in record.starts}), 3, "the number of runs started")
    expect_equal(len({event.run_id for event in record.ends}), 3, "the number of runs ended")


@check_each_way(
    "choices:{way}:concurrent",
    source=SOURCE,
    ways=GENERATES,
    applies=[called_directly, framework_fans_out, unlimited, has_no_batch],
)
async def concurrent(subject: Subject, way: str) -> None:
    """The n choices of `{way}` run at the same time."""
    probe, meeting = subject.probe(), Rendezvous(3)
    probe.on_enter = lambda call: meeting.arrive()
    async with patiently(f"`{way}` whose 3 hook calls wait for each other"):
        await generate_by(way, probe.model, subject.prompts[:1], n=3)
    expect(meeting.met, f"{probe.peak} of 3 hook calls ran at once")


@check_each_way("choices:{way}:refused", source=SOURCE, ways=GENERATES, applies=[called_directly])
async def refused(subject: Subject, way: str) -> None:
    """`{way}` refuses an n that is no int of at least 1."""
    model = subject.make()
    wrong: list[Any] = [0, -1, "2", True]
    for n in wrong:
        try:
            async with patiently(f"`{way}`"):
                await generate_by(way, model, subject.prompts[:1], n=n)
        except InputError:
            continue
        raise CheckFailure(f"n={n!r} was accepted")


@check(
    "choices:stream:by-index",
    source=SOURCE,
    applies=[called_directly, framework_fans_out, unlimited, has_stream],
)
async def by_index(subject: Subject) -> None:
    """In a stream of n choices each chunk says which choice it belongs to, and none waits for another's end."""
    probe, meeting = subject.probe(), Rendezvous(3)
    probe.script = ["one ", "two ", "three"]
    probe.on_piece = lambda call: meeting.arrive() if len(call.given) == 1 else None
    texts: dict[int, str] = {}
    call = Call(probe.model, probe.model.argument_of(subject.prompts[0]))
    chunks: Any = astream_choices(call, 3)
    async with patiently("a stream of 3 choices that wait for each other"), aclosing(chunks):
        async for index, chunk in chunks:
            texts[index] = texts.get(index, "") + chunk.text
    expect_equal(texts, dict.fromkeys(range(3), "one two three"), "the texts by index")
