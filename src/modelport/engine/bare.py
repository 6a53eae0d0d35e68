"""One answer with nothing around the hook: when nobody listens, nothing is to be cut, and no slot is to be taken.

It gives what `answers` gives, without the attempt, its run and its output.
"""

from __future__ import annotations

from typing import Any

from modelport.engine.attempt import GIVES_LISTS
from modelport.engine.call import Call
from modelport.engine.hooks import Hook
from modelport.engine.reading import text_of_input
from modelport.engine.tokens import counter_of, usage_of
from modelport.runs.llm_run import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun, LLMRun
from modelport.values.generations import Generation


def is_bare(call: Call) -> bool:
    """Tell whether a call asks for nothing but the hook's answer, as text."""
    model = call.model
    return (
        not call.wants_messages
        and call.scope is None
        and call.stop is None
        and call.max_tokens is None
        and not model.callbacks
        and model.cache in (None, False)
        and model.max_concurrency is None
        and model.max_batch_size is None
    )


def bare_answers(call: Call, hook: Hook) -> list[Generation]:
    """Return the choices that a sync hook gives. Raises as `answers.run_all` does."""
    if call.kwargs:
        hook.check_keywords(call.kwargs)
    manager = CallbackManagerForLLMRun()
    return _choices(call, hook, manager, hook.bind(call.model, call.argument, None, manager, call.kwargs))


async def abare_answers(call: Call, hook: Hook) -> list[Generation]:
    """Return the choices that an async hook gives, on the running loop."""
    if call.kwargs:
        hook.check_keywords(call.kwargs)
    manager = AsyncCallbackManagerForLLMRun()
    return _choices(call, hook, manager, await hook.bind(call.model, call.argument, None, manager, call.kwargs))


def _choices(call: Call, hook: Hook, manager: LLMRun, value: Any) -> list[Generation]:
    if value.__class__ is list and value and not hook.supports.isdisjoint(GIVES_LISTS):
        return [_answer(call, hook, manager, one) for one in value]
    return [_answer(call, hook, manager, value)]


def _answer(call: Call, hook: Hook, manager: LLMRun, value: Any) -> Generation:
    """Return one choice; what is no plain text goes through an output, as everywhere."""
    count = counter_of(call.model)
    prompt = lambda: text_of_input(call.argument)  # noqa: E731
    kind = value.__class__
    if kind is str:
        return Generation(value, manager.finish_reason or "stop", usage_of(manager.usage, prompt, value, count))
    if kind is Generation and value.text.__class__ is str and value.tool_calls is value.generation_info is None:
        usage = usage_of(manager.usage or value.usage, prompt, value.text, count)
        return Generation(value.text, manager.finish_reason or value.finish_reason or "stop", usage, value.logprobs)
    output = call.new_output(hook)
    output.push(value)
    output.finish()
    return output.result(
        reported=manager.usage,
        finish=manager.finish_reason,
        prompt=prompt,
        count=count,
        name=call.model.get_model_name,
    )
