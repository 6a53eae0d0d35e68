"""LangChain's text models as ours: hooks that call `generate`, `agenerate`, `_stream` and `_astream`.

Streams call the class's own methods: LangChain's `stream` gives bare texts, without usage and finish reasons, and its
`astream` leaves the generator of a consumer that went away to the garbage collector.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from typing import Any

from pydantic import Field
from typing_extensions import override

from modelport.engine.call import Call
from modelport.engine.closing import aclose_quietly, close_quietly
from modelport.integrations.langchain.foreign_answers import Pieces, answers_of, first_choice
from modelport.integrations.langchain.foreign_calls import cannot_stop, refuses_stop, stop_for, target_of, unbound
from modelport.integrations.langchain.foreign_object import OfLangChain
from modelport.integrations.langchain.foreign_runs import atold_run, token_callbacks, told_run
from modelport.models.llm import LLM
from modelport.runs.config import RunnableConfig
from modelport.runs.scope import Scope


class LangChainText(OfLangChain, LLM):
    """Is a LangChain text model; its hooks are those that the class has by itself."""

    langchain_model: Any = Field(repr=False)
    """LangChain's model, or a binding of it."""

    @override
    def _call_of(
        self, value: Any, scope: Scope | None, stop: Any, include_stop: Any, max_tokens: Any, kwargs: Mapping[str, Any]
    ) -> Call:
        if stop is None:
            stop = unbound(self.langchain_model).kwargs.get("stop")  # kept to like a caller's own
        return super()._call_of(value, scope, stop, include_stop, max_tokens, kwargs)

    @override
    def _is_bare(self, config: RunnableConfig | None, stop: Any, max_tokens: int | None) -> bool:
        return "stop" not in unbound(self.langchain_model).kwargs and super()._is_bare(config, stop, max_tokens)


def _call(
    self: LangChainText, prompt: str, stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
) -> Any:
    model, own = target_of(self.langchain_model, kwargs)
    stop = stop_for(stop, own, run_manager)
    try:
        result = model.generate([prompt], stop=stop, callbacks=token_callbacks(run_manager), **own)
    except Exception as error:
        if refuses_stop(error, stop):
            raise cannot_stop(error, run_manager) from error
        raise
    return answers_of(result, f"{type(model).__name__}._generate")


async def _acall(
    self: LangChainText, prompt: str, stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
) -> Any:
    model, own = target_of(self.langchain_model, kwargs)
    stop = stop_for(stop, own, run_manager)
    try:
        result = await model.agenerate([prompt], stop=stop, callbacks=token_callbacks(run_manager), **own)
    except Exception as error:
        if refuses_stop(error, stop):
            raise cannot_stop(error, run_manager) from error
        raise
    return answers_of(result, f"{type(model).__name__}._agenerate")


def _stream(
    self: LangChainText, prompt: str, stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
) -> Generator[Any, None, None]:
    model, own = target_of(self.langchain_model, kwargs)
    stop = stop_for(stop, own, run_manager)
    pieces, source, started = Pieces(f"{type(model).__name__}._stream"), None, False
    with told_run(model, prompt, stop, own) as run:
        try:
            source = model._stream(prompt, stop=stop, run_manager=run.manager, **own)  # noqa: SLF001 - LangChain's hook
            for piece in source:
                started = True
                run.note(piece)
                yield pieces.read(piece)
        except Exception as error:
            if not started and refuses_stop(error, stop):
                raise cannot_stop(error, run_manager) from error
            raise
        finally:
            close_quietly(source)


async def _astream(
    self: LangChainText, prompt: str, stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
) -> AsyncGenerator[Any, None]:
    model, own = target_of(self.langchain_model, kwargs)
    stop = stop_for(stop, own, run_manager)
    pieces, source, started = Pieces(f"{type(model).__name__}._astream"), None, False
    async with await atold_run(model, prompt, stop, own) as run:
        try:
            source = model._astream(prompt, stop=stop, run_manager=run.manager, **own)  # noqa: SLF001 - its hook
            async for piece in source:
                started = True
                await run.note(piece)
                yield pieces.read(piece)
        except Exception as error:
            if not started and refuses_stop(error, stop):
                raise cannot_stop(error, run_manager) from error
            raise
        finally:
            await aclose_quietly(source)


def _batch(
    self: LangChainText, prompts: list[str], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
) -> list[Any]:
    model, own = target_of(self.langchain_model, kwargs)
    stop = stop_for(stop, own, run_manager)
    label = f"{type(model).__name__}._generate"
    try:
        result = model.generate(prompts, stop=stop, **own)
    except Exception as error:
        if refuses_stop(error, stop):
            raise cannot_stop(error, run_manager) from error
        if len(prompts) == 1:
            return [error]
        # LangChain's answer to one failure is to lose all: each prompt is tried by itself.
        return [one for prompt in prompts for one in _batch(self, [prompt], stop, run_manager, **kwargs)]
    return [first_choice(answers_of(result, label, place)) for place in range(len(prompts))]


async def _abatch(
    self: LangChainText, prompts: list[str], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
) -> list[Any]:
    model, own = target_of(self.langchain_model, kwargs)
    stop = stop_for(stop, own, run_manager)
    label = f"{type(model).__name__}._agenerate"
    try:
        result = await model.agenerate(prompts, stop=stop, **own)
    except Exception as error:
        if refuses_stop(error, stop):
            raise cannot_stop(error, run_manager) from error
        if len(prompts) == 1:
            return [error]
        return [one for prompt in prompts for one in await _abatch(self, [prompt], stop, run_manager, **kwargs)]
    return [first_choice(answers_of(result, label, place)) for place in range(len(prompts))]


TEXT_HOOKS: dict[str, Any] = {
    "_call": _call,
    "_acall": _acall,
    "_stream": _stream,
    "_astream": _astream,
    "_batch": _batch,
    "_abatch": _abatch,
}
"""The hooks by their names."""
