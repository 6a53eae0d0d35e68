"""Handlers: each way to call from whatever method there is, with the arguments that LiteLLM gives, and no other's."""

from __future__ import annotations

import asyncio
from typing import Any

from modelport.testing import gates
from modelport.testing.checks import CheckFailure, NotApplicable, check_each_way, expect, expect_equal
from modelport.testing.gates import Gate, patiently
from modelport.testing.handler_faces import CHAT_FACES, MODEL, ask, call_function, scripted
from modelport.testing.handler_subject import HandlerSubject, MethodCall, WatchedHandler
from modelport.testing.ways import SINGLES, WAYS, text_of
from modelport.values.errors import CustomLLMError

GUIDE = "custom handler guide"
SOURCE = f"modelport: CustomLLM; {GUIDE}"
OWN_LOOP = "modelport: a handler's async methods run on a loop of the handler's own"
CHAT_KEYWORDS = frozenset({
    "model", "messages", "api_base", "api_key", "headers", "timeout", "client", "optional_params", "acompletion",
    "litellm_params", "custom_prompt_dict", "print_verbose", "encoding", "logger_fn", "model_response", "logging_obj",
})  # fmt: skip
"""What a chat method is given when it names it (the guide's signature)."""
MESSAGES = [{"role": "user", "content": "hello"}]
_PIECES = ["one ", "two ", "three"]
_KINDS = {
    "completion": ("completion", "acompletion", "streaming", "astreaming"),
    "embedding": ("embedding", "aembedding"),
    "image-generation": ("image_generation", "aimage_generation"),
    "image-edit": ("image_edit", "aimage_edit"),
}
"""The SDK's functions, and the handler's methods of which any one is enough for them."""
_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "embedding": (),
    "image_generation": ("a prompt",),
    "image_edit": (b"\x89PNG\r\n\x1a\n", "a prompt"),
}


async def _asked(subject: HandlerSubject, way: str, **kwargs: Any) -> MethodCall:
    """Ask a watched handler, and return the call of its method."""
    watched = subject.watch()
    watched.answer = lambda call: scripted(call, _PIECES)
    async with patiently(f"`{way}`"):
        text = await WAYS[way].text(watched.model(), subject.prompts[0], **kwargs)
    expect_equal(text, "".join(_PIECES), "the answer")
    return watched.calls[0]


@check_each_way("handler:{way}:answers", source=SOURCE, ways=SINGLES)
async def answers(subject: HandlerSubject, way: str) -> None:
    """`{way}` is answered by one call of one method, whichever the handler has."""
    method = subject.method_for(way)
    watched = subject.watch()
    async with patiently(f"`{way}`"):
        results = await WAYS[way].results(watched.model(), subject.prompts[0])
    expect(bool("".join(map(text_of, results))), f"`{way}` gave {results!r:.200}, which has no text")
    expect_equal([call.name for call in watched.calls], [method.name], "the methods that were called")


@check_each_way("handler:{way}:keywords", source=SOURCE, ways=SINGLES)
async def keywords(subject: HandlerSubject, way: str) -> None:
    """Under `{way}` a method gets those of LiteLLM's arguments that it names, by keyword, and no others."""
    method = subject.method_for(way)
    given = set((await _asked(subject, way)).keywords)
    wanted = {name for name in CHAT_KEYWORDS if method.takes(name)}
    expect(wanted <= given, f"`{method.name}` was not given {sorted(wanted - given)}")
    others = {name for name in given if not method.takes(name)}
    expect(not others, f"`{method.name}` was given {sorted(others)}, which it does not name")


@check_each_way("handler:{way}:messages", source=SOURCE, ways=SINGLES)
async def messages(subject: HandlerSubject, way: str) -> None:
    """Under `{way}` the messages are OpenAI's dicts, whatever the caller wrote."""
    method = subject.method_for(way)
    subject.needs(method, "messages")
    watched = subject.watch()
    watched.answer = lambda call: scripted(call, _PIECES)
    for written in ("hello", MESSAGES, [("user", "hello")]):
        async with patiently(f"`{way}`"):
            await WAYS[way].results(watched.model(), written)
        expect_equal(watched.calls[-1].keywords["messages"], MESSAGES, f"`messages` for {written!r}")


@check_each_way("handler:{way}:own-params", source=SOURCE, ways=SINGLES)
async def own_params(subject: HandlerSubject, way: str) -> None:
    """Under `{way}` `optional_params` are the caller's own keywords, under their own names: nothing is put in."""
    subject.needs(subject.method_for(way), "optional_params")
    for own in ({}, {"temperature": 0.5, "my_custom_param": [1]}):
        call = await _asked(subject, way, **own)
        expect_equal(call.keywords["optional_params"], own, f"`optional_params` of a call with {own}")


@check_each_way("handler:{way}:fresh-response", source=SOURCE, ways=SINGLES)
async def fresh_response(subject: HandlerSubject, way: str) -> None:
    """Under `{way}` `model_response` is fresh: one choice of the assistant without content, `stop`, and no tokens."""
    subject.needs(subject.method_for(way), "model_response")
    responses = [(await _asked(subject, way)).keywords["model_response"] for _ in range(2)]
    expect(responses[0] is not responses[1], "two calls were given the same response")
    for response in responses:
        expect_equal(len(response.choices), 1, "the number of choices")
        choice, usage = response.choices[0], response.usage
        facts = [choice.index, choice.message.role, choice.message.content, choice.finish_reason]
        expect_equal(facts, [0, "assistant", None, "stop"], "index, role, content and finish reason")
        counts = [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens]
        expect_equal(counts, [0, 0, 0], "the tokens")
        response.choices[0].message.content = "filled by the first call"


@check_each_way("handler:{way}:facts", source=SOURCE, ways=CHAT_FACES)
async def facts(subject: HandlerSubject, way: str) -> None:
    """By `{way}` a method gets the model's name, key, address, headers and timeout that the caller gave, else None."""
    method = subject.method_for(CHAT_FACES[way].way)
    plain = await _asked_by_face(subject, way)
    nothing: dict[str, Any] = {"model": MODEL, "api_key": None, "api_base": None, "headers": {}, "timeout": None}
    rich = await _asked_by_face(
        subject, way, api_key="sk-mine", base_url="http://mine", headers={"X-Mine": "1"}, timeout=3600
    )
    given: dict[str, Any] = {
        "model": MODEL,
        "api_key": "sk-mine",
        "api_base": "http://mine",
        "headers": {"X-Mine": "1"},
        "timeout": 3600,
    }
    for call, wanted in ((plain, nothing), (rich, given)):
        due = {name: value for name, value in wanted.items() if method.takes(name)}
        expect_equal({name: call.keywords[name] for name in due}, due, f"what `{method.name}` was given")


@check_each_way("handler:{way}:own-params", source=SOURCE, ways=CHAT_FACES)
async def own_params_of_face(subject: HandlerSubject, way: str) -> None:
    """By `{way}` `optional_params` are the caller's OpenAI parameters and all unknown keywords, and nothing else."""
    subject.needs(subject.method_for(CHAT_FACES[way].way), "optional_params")
    for own in ({}, {"temperature": 0.5, "max_tokens": 99, "stop": ["END"], "my_custom_param": {"a": 1}}):
        call = await _asked_by_face(subject, way, timeout=3600, api_key="sk-mine", num_retries=0, **own)
        expect_equal(call.keywords["optional_params"], own, f"`optional_params` of a call with {own}")


async def _asked_by_face(subject: HandlerSubject, face: str, **given: Any) -> MethodCall:
    watched = subject.watch()
    watched.answer = lambda call: scripted(call, _PIECES)
    async with patiently(f"`{face}`"):
        await ask(face, watched.handler, MESSAGES, **given)
    return watched.calls[0]


@check_each_way("handler:{way}:not-implemented", source=SOURCE, ways=_KINDS)
async def not_implemented(subject: HandlerSubject, way: str) -> None:
    """`{way}` of a handler that has no method for it raises "Not implemented yet!", with status 500."""
    if any(name in subject.methods for name in _KINDS[way]):
        raise NotApplicable("the handler has a method for it")
    watched = subject.watch()
    for name in (way.replace("-", "_"), f"a{way}".replace("-", "_")):
        try:
            async with patiently(f"`{name}`"):
                result = await _call_lacking(name, watched)
        except CheckFailure:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it must be the one that is promised
            cause = error if isinstance(error, CustomLLMError) else error.__cause__
            status = getattr(error, "status_code", None)
            fits = isinstance(cause, CustomLLMError) and "Not implemented yet!" in str(error)
            expect(fits and status == 500, f"`{name}` raised {error!r}, of status {status}")
        else:
            raise CheckFailure(f"`{name}` gave {result!r:.200}, though the handler has no method for it")


async def _call_lacking(name: str, watched: WatchedHandler) -> Any:
    if name.endswith("completion"):
        return await ask(name, watched.handler, MESSAGES)
    if name.endswith("embedding"):
        return await call_function(name, watched.handler, input="hello")
    arguments = _ARGUMENTS[name.removeprefix("a")]
    if name.endswith("edit"):
        return await call_function(name, watched.handler, image=arguments[0], prompt=arguments[1])
    return await call_function(name, watched.handler, prompt=arguments[0])


def _needs_own_loop(subject: HandlerSubject, way: str) -> None:
    if not subject.method_for(way).name.startswith("a"):
        raise NotApplicable(f"`{way}` is answered by a sync method")
    if subject.uses_callers_loop:
        raise NotApplicable("the class says `caller_loop = True`")


def _blocking(watched: WatchedHandler, gate: Gate) -> None:
    """Let a handler's async method block the thread that it runs in, until the gate opens; never the caller's."""
    here = asyncio.get_running_loop()

    def block(call: MethodCall) -> Any:
        if call.loop is not here:
            gate.wait()
        return scripted(call, _PIECES)

    watched.answer = block


@check_each_way("handler:{way}:own-loop", source=OWN_LOOP, ways=[way for way in SINGLES if WAYS[way].is_async])
async def own_loop(subject: HandlerSubject, way: str) -> None:
    """An async method that blocks while it answers `{way}` does not hold up the caller's loop."""
    _needs_own_loop(subject, way)
    watched = subject.watch()
    with Gate() as gate:
        _blocking(watched, gate)
        task = asyncio.create_task(WAYS[way].text(watched.model(), subject.prompts[0]))
        expect(await watched.called.wait_async(gates.patience_seconds()), "the method was not called")
        here = asyncio.get_running_loop()
        expect(watched.calls[0].loop is not here, "the method runs on the caller's loop, which stands still meanwhile")
        gate.open()
        async with patiently(f"`{way}`"):
            expect_equal(await task, "".join(_PIECES), "the answer")


@check_each_way("handler:{way}:company", source=OWN_LOOP, ways=SINGLES)
async def company(subject: HandlerSubject, way: str) -> None:
    """An async method that blocks while it answers `{way}` does not hold up another handler's."""
    _needs_own_loop(subject, way)
    blocked, free = subject.watch(), subject.watch()
    free.answer = lambda call: scripted(call, _PIECES)
    with Gate() as gate:
        _blocking(blocked, gate)
        task = asyncio.create_task(WAYS[way].text(blocked.model(), subject.prompts[0]))
        expect(await blocked.called.wait_async(gates.patience_seconds()), "the method was not called")
        try:
            async with patiently(f"`{way}` of another handler while this one blocks"):
                text = await WAYS[way].text(free.model(), subject.prompts[0])
        finally:
            gate.open()
            async with patiently(f"`{way}`"):
                await task
        expect_equal(text, "".join(_PIECES), "the answer")
