"""What holds for vectors and images alike: where hooks run, errors, threads, loops, nested calls, the cache."""

from __future__ import annotations

import asyncio
from typing import Any

from modelport.engine.hooks import Hook
from modelport.engine.memory_cache import LRUCache
from modelport.models.secrets import known_secrets
from modelport.testing import gates
from modelport.testing.checks import CheckFailure, NotApplicable, expect, expect_equal
from modelport.testing.conditions import has_secrets, is_shared_loop, is_single_loop
from modelport.testing.gates import Rendezvous, in_thread, patiently
from modelport.testing.guarantees.secrets import expect_none, whole_text
from modelport.testing.probe import HookCall, Probe, ProbeError
from modelport.testing.subject import Subject
from modelport.testing.value_ways import ASYNC_VALUES, SYNC_VALUES, ValueWay, check_values
from modelport.values.errors import HookError, KeywordError

DERIVE = "modelport guarantee 1 (derive), for embedding and image models"
ERRORS = "modelport guarantee 12 (errors), for embedding and image models"
THREADS = "modelport guarantee 14 (threads), for embedding and image models"
CACHE = "modelport guarantee 10 (cache), for embedding and image models"
SECRETS = "modelport guarantee 11 (secrets), for embedding and image models"
_CROWD = 8
_OURS = frozenset({"stop", "run_manager", "n", "mask", "prompt", "size", "dimensions", "request"})


def own_keyword(hook: Hook) -> str | None:
    """Return a keyword that reaches the hook and means nothing to the framework; None: it takes none."""
    return "modelport_check" if hook.takes_any else min(hook.names - _OURS, default=None)


def asked(probe: Probe) -> int:
    """Return how many texts, or prompts, the hooks were given."""
    return sum(len(call.argument) if call.hook.is_batch else 1 for call in probe.calls)


@check_values("off-the-loop", source=DERIVE, ways=ASYNC_VALUES)
async def off_the_loop(subject: Subject, way: ValueWay) -> None:
    """No sync hook runs on the event loop of a caller of `{way}`."""
    if way.hook(subject).is_async:
        raise NotApplicable(f"`{way.name}` is answered by an async hook")
    probe = way.probe(subject)
    async with patiently(f"`{way.name}`"):
        await way.results(probe.model, subject.prompts[0])
    expect(probe.calls, f"`{way.name}` called none of the hooks")
    blocked = [call.hook.name for call in probe.calls if call.on_loop]
    expect(not blocked, f"{blocked} ran on an event loop, which stands still meanwhile")


@check_values("callers-loop", source=DERIVE, ways=ASYNC_VALUES, applies=[is_shared_loop])
async def callers_loop(subject: Subject, way: ValueWay) -> None:
    """An async hook runs on the event loop of the caller of `{way}`."""
    if not way.hook(subject).is_async:
        raise NotApplicable(f"`{way.name}` is answered by a sync hook")
    probe = way.probe(subject)
    async with patiently(f"`{way.name}`"):
        await way.results(probe.model, subject.prompts[0])
    here = asyncio.get_running_loop()
    elsewhere = [call.hook.name for call in probe.calls if call.loop is not here]
    expect(probe.calls and not elsewhere, f"{elsewhere} ran elsewhere than on the caller's loop")


@check_values("background-loop", source=DERIVE, ways=SYNC_VALUES)
async def background_loop(subject: Subject, way: ValueWay) -> None:
    """An async hook runs on one loop of the framework's whenever `{way}` is called from a thread."""
    if not way.hook(subject).is_async:
        raise NotApplicable(f"`{way.name}` is answered by a sync hook")
    probe = way.probe(subject)
    async with patiently(f"`{way.name}`"):
        await way.results(probe.model, subject.prompts[0])
        await way.results(probe.model, subject.prompts[1])
    loops = {call.loop for call in probe.calls}
    strange = None in loops or asyncio.get_running_loop() in loops
    expect(not strange and len(loops) == 1, f"two calls of `{way.name}` ran on {len(loops)} loops: {loops}")


@check_values("single-loop", source=DERIVE, applies=[is_single_loop])
async def single_loop(subject: Subject, way: ValueWay) -> None:
    """With `single_loop = True` an async hook runs on one loop, also when `{way}` is called on several."""
    if not way.hook(subject).is_async:
        raise NotApplicable(f"`{way.name}` is answered by a sync hook")
    probe = way.probe(subject)
    await _ask_on_other_loops(way, probe, subject.prompts[:2])
    async with patiently(f"`{way.name}`"):
        await way.results(probe.model, subject.prompts[2])
    expect_equal(len({call.loop for call in probe.calls}), 1, "the number of loops that the hook ran on")


async def _ask_on_other_loops(way: ValueWay, probe: Probe, texts: list[str]) -> list[list[Any]]:
    """Ask each text under an `asyncio.run` of its own, all at once."""

    async def once(text: str) -> list[Any]:
        return await way.results(probe.model, text)

    async with patiently(f"`{way.name}` on {len(texts)} loops"):
        return await asyncio.gather(*(in_thread(lambda text=text: asyncio.run(once(text))) for text in texts))


@check_values("two-loops", source=THREADS)
async def two_loops(subject: Subject, way: ValueWay) -> None:
    """`{way}` answers on several event loops, at once and one after the other: nothing of a loop is kept."""
    probe = way.probe(subject)
    for texts in (subject.prompts[:2], subject.prompts[2:3], ["again"]):
        answers = await _ask_on_other_loops(way, probe, texts)
        expect_equal(answers, [way.expected(text) for text in texts], "the answers")


@check_values("eight-threads", source=THREADS)
async def eight_threads(subject: Subject, way: ValueWay) -> None:
    """Eight calls of one model by `{way}` at once each get their own answer."""
    probe = way.probe(subject)
    together = Rendezvous(_CROWD)
    texts = [f"text {number}" for number in range(_CROWD)]

    def ask(text: str) -> Any:
        together.arrive().wait()
        if way.is_async:
            return asyncio.run(way.answer(probe.model, text))
        return way.ask(getattr(probe.model, way.name), text)

    async with patiently(f"`{way.name}` in {_CROWD} threads"):
        answers = await asyncio.gather(*(in_thread(lambda text=text: way.read(ask(text))) for text in texts))
    expect_equal(answers, [way.expected(text) for text in texts], "the answers")


@check_values("nested", source=DERIVE)
async def nested(subject: Subject, way: ValueWay) -> None:
    """A hook that calls its own model, under `{way}` and with `max_concurrency=1`, gets an answer: no deadlock."""
    probe, answers = way.probe(subject), list[Any]()
    probe.model.max_concurrency = 1
    name, text = way.name.removeprefix("a"), subject.prompts[1]

    async def anest(call: HookCall) -> None:
        answers[0] = way.read(await way.ask(getattr(call.model, f"a{name}"), text))

    def nest(call: HookCall) -> Any:
        if answers:
            return None
        answers.append(None)
        if call.hook.is_async:
            return anest(call)
        answers[0] = way.read(way.ask(getattr(call.model, name), text))
        return None

    probe.on_enter = nest
    async with patiently(f"a call inside `{way.name}` with max_concurrency=1"):
        outer = await way.results(probe.model, subject.prompts[0])
    expect_equal(answers, [way.expected(text)], "the inner answer")
    expect_equal(outer, way.expected(subject.prompts[0]), "the outer answer")


@check_values("hook-error", source=ERRORS)
async def hook_error(subject: Subject, way: ValueWay) -> None:
    """`{way}` raises the very exception that the hook raised."""
    probe = way.probe(subject)
    failure = ProbeError("the check made this hook fail")

    def fail(call: HookCall) -> None:
        raise failure

    probe.on_enter = fail
    try:
        async with patiently(f"`{way.name}`"):
            await way.results(probe.model, subject.prompts[0])
    except Exception as error:
        if isinstance(error, CheckFailure):
            raise
        expect(error is failure, f"`{way.name}` raised {error!r:.200} in place of the hook's exception")
        return
    raise CheckFailure(f"`{way.name}` raised nothing")


async def expect_hook_error(subject: Subject, way: ValueWay, probe: Probe, what: str, **kwargs: Any) -> HookError:
    """Fail unless a call is a `HookError` that names the class and the hook; return it."""
    try:
        async with patiently(f"`{way.name}`"):
            results = await way.results(probe.model, subject.prompts[0], **kwargs)
    except HookError as error:
        hook = way.hook(subject)
        expect(hook.label in str(error), f"the message does not name {hook.label}: {str(error)!r}")
        return error
    raise CheckFailure(f"`{way.name}` gave {results!r:.200} of a hook that gave {what}")


@check_values("unknown-keyword", source=ERRORS)
async def unknown_keyword(subject: Subject, way: ValueWay) -> None:
    """A keyword that the hook does not take is a `TypeError` of `{way}` that names it."""
    hook = way.hook(subject)
    if hook.takes_any:
        raise NotApplicable(f"`{hook.name}` takes any keyword")
    probe = way.probe(subject)
    try:
        async with patiently(f"`{way.name}`"):
            await way.results(probe.model, subject.prompts[0], no_such_keyword=1)
    except TypeError as error:
        helps = isinstance(error, KeywordError) and "no_such_keyword" in str(error)
        expect(helps, f"{error!r} was raised")
        expect(not probe.calls, "the hook was called all the same")
        return
    raise CheckFailure(f"`{way.name}` took the keyword no_such_keyword")


@check_values("secrets", source=SECRETS, applies=[has_secrets])
async def in_hook_errors(subject: Subject, way: ValueWay) -> None:
    """The error about a hook's wrong result does not show a secret that the result holds, in `{way}`."""
    probe = way.probe(subject)
    secrets = known_secrets(probe.model)
    probe.answer = lambda call: {"api_key": secrets[0]}
    error = await expect_hook_error(subject, way, probe, "a dict")
    expect_none(whole_text(error), secrets, f"the HookError of `{way.name}`")


@check_values("cached", source=CACHE)
async def cached(subject: Subject, way: ValueWay) -> None:
    """The second of two equal calls by `{way}` finds the first one's answer in the cache: no hook is called."""
    probe = way.probe(subject)
    probe.model.cache = LRUCache()
    for text, count in ((subject.prompts[0], 1), (subject.prompts[0], 1), (subject.prompts[1], 2)):
        async with patiently(f"`{way.name}`"):
            results = await way.results(probe.model, text)
        expect_equal(results, way.expected(text), "the answer")
        expect_equal(asked(probe), count, f"the number of texts that the hooks were given up to {text!r}")


@check_values("cache-other-call", source=CACHE)
async def other_call(subject: Subject, way: ValueWay) -> None:
    """Calls by `{way}` that differ in a keyword never share an answer."""
    keyword = own_keyword(way.hook(subject))
    if keyword is None:
        raise NotApplicable(f"`{way.hook(subject).name}` takes no keyword of its own")
    probe = way.probe(subject)
    probe.model.cache = LRUCache()
    for count, value in enumerate((1, 2, "1", True, 1.0, [1], {"a": 1}, None), 1):
        async with patiently(f"`{way.name}`"):
            await way.results(probe.model, subject.prompts[0], **{keyword: value})
        expect_equal(asked(probe), count, f"the number of hook calls after one with {keyword}={value!r}")


@check_values("cache-single-flight", source=CACHE)
async def single_flight(subject: Subject, way: ValueWay) -> None:
    """Equal calls by `{way}` at once, which are not in the cache, call the hook once."""
    probe, text = way.probe(subject), subject.prompts[0]
    probe.model.cache = LRUCache()
    with Rendezvous(2) as crowd:
        probe.on_enter = lambda call: crowd.arrive()
        tasks = [asyncio.create_task(way.results(probe.model, text)) for _ in range(_CROWD)]
        await probe.until(lambda: bool(probe.calls), "calling the hook")
        await crowd.wait_async(gates.GLANCE_SECONDS)
        crowd.open()
        async with patiently(f"{_CROWD} equal calls by `{way.name}`"):
            answers = await asyncio.gather(*tasks)
    expect_equal(answers, [way.expected(text)] * _CROWD, "the answers")
    expect_equal(asked(probe), 1, f"the number of texts that the hooks were given by {_CROWD} equal calls")
