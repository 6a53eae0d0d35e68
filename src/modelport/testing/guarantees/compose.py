"""Composition: a model inside of retries, fallbacks, timeouts, parallels and branches, in every way to call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modelport.runnables.branch import RunnableBranch
from modelport.runnables.parallel import RunnableParallel
from modelport.runnables.parsers import StrOutputParser
from modelport.testing import gates
from modelport.testing.checks import CheckFailure, check_each_way, expect, expect_equal
from modelport.testing.conditions import has_stream
from modelport.testing.gates import Gate, Rendezvous, patiently
from modelport.testing.probe import HookCall, Probe, ProbeError
from modelport.testing.subject import Subject
from modelport.testing.ways import STREAMS, WAYS, read_pieces, text_of
from modelport.values.errors import ModelTimeoutError

SOURCE = "modelport contract, composition"
_SCRIPT = ("one ", "two ", "three")


def _fails_first(probe: Probe) -> None:
    """Let the hook's first call fail before it gives anything."""

    def fail(call: HookCall) -> None:
        if len(probe.calls) == 1:
            raise probe.failure

    probe.on_enter = fail


def _fails_midway(probe: Probe) -> None:
    """Let every streaming hook call fail after its first piece."""

    def fail(call: HookCall) -> None:
        if call.given:
            raise probe.failure

    probe.script = _SCRIPT
    probe.on_piece = fail


async def _expect_failure_after_one_piece(way: str, runnable: Any, prompt: Any, probe: Probe) -> None:
    seen: list[str] = []
    try:
        async with patiently(f"`{way}`"):
            await read_pieces(way, runnable, prompt, None, lambda piece: seen.append(text_of(piece)))
    except ProbeError as error:
        expect(error is probe.failure, f"{error!r} was raised in place of the hook's exception")
        expect_equal("".join(seen), "one ", "what came before the exception")
        return
    raise CheckFailure(f"`{way}` gave {seen} and raised nothing")


@check_each_way("compose:{way}:retry", source=SOURCE)
async def retry(subject: Subject, way: str) -> None:
    """`{way}` of `with_retry` calls a model again that fails before it gives anything, and gives its answer."""
    probe, prompt = subject.probe(), subject.prompts[0]
    _fails_first(probe)
    tried = probe.runnable.with_retry(wait_exponential_jitter=False, stop_after_attempt=2)
    async with patiently(f"`{way}`"):
        text = await WAYS[way].text(tried, prompt)
    expect_equal(text, probe.given_for(prompt), "the answer")
    expect_equal(len(probe.calls), 2, "the number of hook calls")


@check_each_way("compose:{way}:retry-ends", source=SOURCE)
async def retry_ends(subject: Subject, way: str) -> None:
    """`{way}` of `with_retry` raises the last failure unchanged after `stop_after_attempt` calls of the model."""
    probe = subject.probe()

    def fail(call: HookCall) -> None:
        raise probe.failure

    probe.on_enter = fail
    tried = probe.runnable.with_retry(wait_exponential_jitter=False, stop_after_attempt=2)
    try:
        async with patiently(f"`{way}`"):
            await WAYS[way].text(tried, subject.prompts[0])
    except ProbeError as error:
        expect(error is probe.failure, f"{error!r} was raised in place of the hook's exception")
        expect_equal(len(probe.calls), 2, "the number of hook calls")
        return
    raise CheckFailure(f"`{way}` raised nothing")


@check_each_way("compose:{way}:retry-until-chunk", source=SOURCE, ways=STREAMS, applies=[has_stream])
async def retry_until_chunk(subject: Subject, way: str) -> None:
    """`{way}` of `with_retry` does not start anew once the consumer has a chunk: the failure is raised."""
    probe = subject.probe()
    _fails_midway(probe)
    tried = probe.runnable.with_retry(wait_exponential_jitter=False, stop_after_attempt=2)
    await _expect_failure_after_one_piece(way, tried, subject.prompts[0], probe)
    expect_equal(len(probe.calls), 1, "the number of hook calls")


@check_each_way("compose:{way}:fallback", source=SOURCE)
async def fallback(subject: Subject, way: str) -> None:
    """`{way}` of `with_fallbacks` gives the fallback's answer when the model fails before it gives anything."""
    probe, other, prompt = subject.probe(), subject.probe(), subject.prompts[0]
    _fails_first(probe)
    async with patiently(f"`{way}`"):
        text = await WAYS[way].text(probe.runnable.with_fallbacks([other.runnable]), prompt)
    expect_equal(text, other.given_for(prompt), "the answer")
    expect_equal((len(probe.calls), len(other.calls)), (1, 1), "the hook calls of the model and of its fallback")


@check_each_way("compose:{way}:fallback-until-chunk", source=SOURCE, ways=STREAMS, applies=[has_stream])
async def fallback_until_chunk(subject: Subject, way: str) -> None:
    """`{way}` of `with_fallbacks` does not change models once the consumer has a chunk: the failure is raised."""
    probe, other = subject.probe(), subject.probe()
    _fails_midway(probe)
    covered = probe.runnable.with_fallbacks([other.runnable])
    await _expect_failure_after_one_piece(way, covered, subject.prompts[0], probe)
    expect_equal(len(other.calls), 0, "the number of the fallback's hook calls")


@check_each_way("compose:{way}:timeout", source=SOURCE)
async def timeout(subject: Subject, way: str) -> None:
    """`{way}` of `with_timeout` raises `ModelTimeoutError` while the hook still runs, and the hook is told."""
    probe = subject.probe()
    with Gate() as gate:
        probe.on_enter = lambda call: gate
        for factor in (1, 10, 100):
            timed = probe.runnable.with_timeout(factor * gates.SOON_SECONDS)
            try:
                async with patiently(f"`{way}` with a timeout"):
                    await WAYS[way].results(timed, subject.prompts[0])
            except TimeoutError as error:
                expect(isinstance(error, ModelTimeoutError), f"the error is {error!r}, no ModelTimeoutError")
            else:
                raise CheckFailure(f"`{way}` raised nothing")
            if probe.calls:
                break
        else:
            raise CheckFailure("the deadline passed before the hook was called")
        call = probe.calls[0]
        told = lambda: call.ended or all(manager.cancelled for manager in call.managers)  # noqa: E731
        await probe.until(told, "telling the hook that its deadline has passed")


def _joined(dicts: list[dict[str, Any]]) -> dict[str, str]:
    """Return the text under each key of a dict, or of the pieces of one."""
    texts: dict[str, str] = {}
    for one in dicts:
        for key, piece in one.items():
            texts[key] = texts.get(key, "") + text_of(piece)
    return texts


@check_each_way("compose:{way}:parallel", source=SOURCE)
async def parallel(subject: Subject, way: str) -> None:
    """`{way}` of a parallel runs its models at the same time, and gives the answer of each under its key."""
    probes, meeting = {"one": subject.probe(), "two": subject.probe()}, Rendezvous(2)
    for probe in probes.values():
        probe.on_enter = lambda call: meeting.arrive()
    whole = RunnableParallel({key: probe.runnable for key, probe in probes.items()})
    async with patiently(f"`{way}` of two models whose hooks wait for each other"):
        texts = _joined(await WAYS[way].results(whole, subject.prompts[0]))
    expect(meeting.met, "the models ran one after the other")
    wanted = {key: probe.given_for(subject.prompts[0]) for key, probe in probes.items()}
    expect_equal(texts, wanted, "the answers")


@check_each_way("compose:{way}:branch", source=SOURCE)
async def branch(subject: Subject, way: str) -> None:
    """`{way}` of a branch calls the model whose condition holds for the input, and no other."""
    chosen, default = subject.probe(), subject.probe()
    first, second = subject.prompts[:2]
    is_first: Callable[[Any], bool] = lambda value: value == first  # noqa: E731
    whole = RunnableBranch((is_first, chosen.runnable), default.runnable)
    for prompt, probe in ((first, chosen), (second, default)):
        async with patiently(f"`{way}`"):
            text = await WAYS[way].text(whole, prompt)
        expect_equal(text, probe.given_for(prompt), "the answer")
    expect_equal((len(chosen.calls), len(default.calls)), (1, 1), "the hook calls of the two models")


@check_each_way("compose:{way}:text", source=SOURCE)
async def as_text(subject: Subject, way: str) -> None:
    """`{way}` of a model piped into `StrOutputParser` gives the model's answer as text, a stream piece by piece."""
    probe, prompt = subject.probe(), subject.prompts[0]
    probe.script = _SCRIPT
    async with patiently(f"`{way}`"):
        pieces = await WAYS[way].results(probe.runnable | StrOutputParser(), prompt)
    expect(all(type(piece) is str for piece in pieces), f"not all of {pieces!r:.200} are texts")
    in_pieces = WAYS[way].streams and subject.hooks.stream is not None
    wanted = list(_SCRIPT) if in_pieces else ["".join(_SCRIPT)]
    expect_equal([piece for piece in pieces if piece], wanted, "the texts")
