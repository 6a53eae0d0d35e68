"""Guarantee 12, errors: a hook's own exception arrives unchanged, and our own errors help."""

from __future__ import annotations

from modelport.testing.checks import CheckFailure, NotApplicable, check, check_each_way, expect
from modelport.testing.conditions import called_directly, has_stream
from modelport.testing.gates import patiently
from modelport.testing.probe import HookCall, ProbeError
from modelport.testing.subject import Subject
from modelport.testing.ways import STREAMS, WAYS, read_pieces, text_of
from modelport.values.errors import HookError, InputError, KeywordError

SOURCE = "modelport guarantee 12 (errors)"


@check_each_way("errors:{way}:unchanged", source=SOURCE)
async def unchanged(subject: Subject, way: str) -> None:
    """`{way}` raises the very exception that the hook raised."""
    probe = subject.probe()
    failure = ProbeError("the check made this hook fail")

    def fail(call: HookCall) -> None:
        raise failure

    probe.on_enter = fail
    try:
        async with patiently(f"`{way}`"):
            await WAYS[way].results(probe.face, subject.prompts[0])
    except Exception as error:
        if isinstance(error, CheckFailure):
            raise
        expect(error is failure, f"`{way}` raised {error!r:.200} in place of the hook's exception")
        return
    raise CheckFailure(f"`{way}` raised nothing")


@check_each_way("errors:{way}:after-chunks", source=SOURCE, ways=STREAMS, applies=[has_stream])
async def after_chunks(subject: Subject, way: str) -> None:
    """When a streaming hook fails midway, `{way}` gives what came before and then raises the exception."""
    probe = subject.probe()
    probe.script = ["one ", "two ", "three"]
    failure = ProbeError("the check made this hook fail")

    def fail(call: HookCall) -> None:
        if len(call.given) == 2:
            raise failure

    probe.on_piece = fail
    seen: list[str] = []
    try:
        async with patiently(f"`{way}`"):
            await read_pieces(way, probe.face, subject.prompts[0], None, lambda piece: seen.append(text_of(piece)))
    except ProbeError as error:
        expect(error is failure, f"{error!r} was raised in place of the hook's exception")
        expect("".join(seen) == "one two ", f"{seen} came before the exception")
        return
    raise CheckFailure(f"`{way}` raised nothing")


@check_each_way("errors:{way}:wrong-result", source=SOURCE)
async def wrong_result(subject: Subject, way: str) -> None:
    """When a hook gives something that is no text, `{way}` raises an error that names the class and the hook."""
    probe = subject.probe()
    probe.script = ["an answer"]
    probe.replace = lambda _: 42
    try:
        async with patiently(f"`{way}`"):
            text = await WAYS[way].text(probe.face, subject.prompts[0])
    except HookError as error:
        label = subject.hook_for(way).label
        expect(label in str(error) and "42" in str(error), f"the message is {str(error)!r}")
        return
    raise CheckFailure(f"`{way}` gave {text!r} of a hook that gave 42")


@check_each_way("errors:{way}:unknown-keyword", source=SOURCE)
async def unknown_keyword(subject: Subject, way: str) -> None:
    """A keyword that no hook takes is a `TypeError` of `{way}` that names it."""
    hook = subject.hook_for(way)
    if hook.takes_any:
        raise NotApplicable(f"`{hook.name}` takes any keyword")
    probe = subject.probe()
    try:
        async with patiently(f"`{way}`"):
            await WAYS[way].results(probe.face, subject.prompts[0], no_such_keyword=1)
    except TypeError as error:
        helps = isinstance(error, KeywordError) and "no_such_keyword" in str(error)
        expect(helps, f"{error!r} was raised")
        expect(not probe.calls, "the hook was called all the same")
        return
    raise CheckFailure(f"`{way}` took the keyword no_such_keyword")


@check_each_way("errors:{way}:unknown-config", source=SOURCE)
async def unknown_config(subject: Subject, way: str) -> None:
    """An unknown key of `config` is an error of `{way}` that names the nearest key."""
    probe = subject.probe()
    try:
        async with patiently(f"`{way}`"):
            await WAYS[way].results(probe.face, subject.prompts[0], {"timeoutt": 1})
    except InputError as error:
        named = "'timeoutt'" in str(error) and "'timeout'" in str(error)
        expect(named, f"the message is {str(error)!r}")
        return
    raise CheckFailure(f"`{way}` took the key 'timeoutt'")


@check("errors:construct:unknown-argument", source=SOURCE, applies=[called_directly])
async def unknown_argument(subject: Subject) -> None:
    """An argument that is no field is a `TypeError` that names it and the nearest field."""
    try:
        subject.cls(no_such_field=1)
    except TypeError as error:
        expect("no_such_field" in str(error), f"the message is {str(error)!r}")
        return
    raise CheckFailure("an argument that is no field was accepted")
