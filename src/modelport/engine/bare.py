"""One answer with nothing around the hook: when nobody listens, nothing is to be cut, and no slot is to be taken.

It gives what `answers` gives, without the attempt, its run and its output.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from modelport.engine.attempt import GIVES_LISTS
from modelport.engine.call import Call
from modelport.engine.closing import aclose_quietly
from modelport.engine.hooks import Hook
from modelport.engine.output import last_chunk
from modelport.engine.reading import async_iterator_of, text_of_input
from modelport.engine.tokens import counter_of, usage_of
from modelport.engine.turns import TURN, TURN_EVERY, Turns
from modelport.runs.llm_run import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun, LLMRun
from modelport.values.generations import Generation, GenerationChunk

if TYPE_CHECKING:
    from modelport.engine.model import EngineModel
    from modelport.runs.scope import Scope

_UNHEARD = CallbackManagerForLLMRun()
"""Stands in for a manager that no hook sees."""


def run_bare(model: EngineModel, argument: Any, kwargs: Mapping[str, Any], scope: Scope | None) -> Generation | None:
    """Answer as a call with nothing but these would, texts as texts; None when that takes more than the hook.

    Raises as `answers.run_all` does.
    """
    hook = bare_hook(model, scope)
    if hook is None:
        return None
    manager = _manager(hook, kwargs)
    return read_bare(hook, model, argument, hook.bind(model, argument, None, manager, kwargs), manager)


def bare_hook(model: EngineModel, scope: Scope | None) -> Hook | None:
    """Return the hook that may answer a sync caller with nothing around it; None when that takes more."""
    hook = model.__modelport_hooks__.bare_answer
    return hook if hook is not None and _is_alone(model, scope) else None


def read_bare(hook: Hook, model: EngineModel, argument: Any, value: Any, manager: LLMRun = _UNHEARD) -> Generation:
    """Return the answer that a bare hook's value is, of several the first. Raises as `answers.run_all` does."""
    if value.__class__ is list:
        return _choices(hook, model, argument, manager, value)[0]
    return _answer(hook, model, argument, manager, value)


async def arun_bare(
    model: EngineModel, argument: Any, kwargs: Mapping[str, Any], scope: Scope | None
) -> Generation | None:
    """Answer on the running loop, as `run_bare` does."""
    hook = model.__modelport_hooks__.bare_async_answer
    if hook is None or not _is_alone(model, scope):
        return None
    manager = _async_manager(hook, kwargs)
    return read_bare(hook, model, argument, await hook.bind(model, argument, None, manager, kwargs), manager)


async def abare_stream(call: Call, hook: Hook) -> AsyncGenerator[GenerationChunk, None]:
    """Stream what an async hook gives to a call that `is_bare`, on the running loop: one frame around the hook's own.

    Raises as `streams.astream` does.
    """
    model, argument = call.model, call.argument
    manager = _async_manager(hook, call.kwargs)
    output = call.new_output(hook)
    push = output.push
    turn, turns = TURN_EVERY, Turns()
    pieces: AsyncIterator[Any] | None = None
    try:
        pieces = async_iterator_of(hook.bind(model, argument, None, manager, call.kwargs), hook.label)
        async for piece in pieces:
            chunk = push(piece)
            if chunk is not None:
                yield chunk
            turn -= 1
            if not turn:
                turn = TURN_EVERY
                if turns.due():
                    await TURN
    except BaseException:
        manager.cancelled = True
        raise
    finally:
        await aclose_quietly(pieces)
    rest = output.finish()
    if rest is not None:
        yield rest
    answer = output.result(
        reported=manager.usage,
        finish=manager.finish_reason,
        prompt=lambda: text_of_input(argument),
        count=counter_of(model),
        name=model.get_model_name,
    )
    yield last_chunk(answer)


def is_bare(call: Call) -> bool:
    """Tell whether a call asks for nothing but the hook's answer, as text."""
    return (
        not call.wants_messages and call.stop is None and call.max_tokens is None and _is_alone(call.model, call.scope)
    )


def _is_alone(model: EngineModel, scope: Scope | None) -> bool:
    """Tell whether nothing around a hook wants to hear of its answers, to keep them, or to make them wait."""
    return (
        scope is None
        and not model.callbacks
        and model.cache in (None, False)
        and model.max_concurrency is None
        and model.max_batch_size is None
    )


def bare_answers(hook: Hook, model: EngineModel, argument: Any, kwargs: Mapping[str, Any]) -> list[Generation]:
    """Return the choices that a sync hook gives. Raises as `answers.run_all` does."""
    manager = _manager(hook, kwargs)
    return _read(hook, model, argument, manager, hook.bind(model, argument, None, manager, kwargs))


async def abare_answers(hook: Hook, model: EngineModel, argument: Any, kwargs: Mapping[str, Any]) -> list[Generation]:
    """Return the choices that an async hook gives, on the running loop."""
    manager = _async_manager(hook, kwargs)
    return _read(hook, model, argument, manager, await hook.bind(model, argument, None, manager, kwargs))


def _manager(hook: Hook, kwargs: Mapping[str, Any]) -> LLMRun:
    if kwargs:
        hook.check_keywords(kwargs)
    return CallbackManagerForLLMRun() if hook.takes_manager else _UNHEARD


def _async_manager(hook: Hook, kwargs: Mapping[str, Any]) -> LLMRun:
    if kwargs:
        hook.check_keywords(kwargs)
    return AsyncCallbackManagerForLLMRun() if hook.takes_manager else _UNHEARD


def _read(hook: Hook, model: EngineModel, argument: Any, manager: LLMRun, value: Any) -> list[Generation]:
    if value.__class__ is list:
        return _choices(hook, model, argument, manager, value)
    return [_answer(hook, model, argument, manager, value)]


def _choices(hook: Hook, model: EngineModel, argument: Any, manager: LLMRun, value: list[Any]) -> list[Generation]:
    if value and not hook.supports.isdisjoint(GIVES_LISTS):
        return [_answer(hook, model, argument, manager, one) for one in value]
    return [_answer(hook, model, argument, manager, value)]


def _answer(hook: Hook, model: EngineModel, argument: Any, manager: LLMRun, value: Any) -> Generation:
    """Return one choice; what is no plain text goes through an output, as everywhere."""
    count = counter_of(model)
    prompt = lambda: text_of_input(argument)  # noqa: E731
    kind = value.__class__
    if kind is str:
        return Generation(value, manager.finish_reason or "stop", usage_of(manager.usage, prompt, value, count))
    if kind is Generation and value.text.__class__ is str and value.tool_calls is value.generation_info is None:
        usage = usage_of(manager.usage or value.usage, prompt, value.text, count)
        return Generation(value.text, manager.finish_reason or value.finish_reason or "stop", usage, value.logprobs)
    call = Call(model, argument)
    call.wants_messages = False
    output = call.new_output(hook)
    output.push(value)
    output.finish()
    return output.result(
        reported=manager.usage,
        finish=manager.finish_reason,
        prompt=prompt,
        count=count,
        name=model.get_model_name,
    )
