"""LangChain's text models as ours: hooks that call `generate`, `agenerate`, `_stream` and `_astream`.

Streams call the class's own methods: LangChain's `stream` gives bare texts, without usage and finish reasons, and its
`astream` leaves the generator of a consumer that went away to the garbage collector.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any

from pydantic import Field

from modelport.engine.closing import aclose_quietly, close_quietly
from modelport.integrations.langchain.foreign_answers import Pieces, answers_of
from modelport.integrations.langchain.foreign_calls import cannot_stop, refuses_stop, target_of
from modelport.integrations.langchain.foreign_object import OfLangChain
from modelport.integrations.langchain.foreign_runs import atold_run, told_run
from modelport.models.llm import LLM


class LangChainText(OfLangChain, LLM):
    """Is a LangChain text model; its hooks are those that the class has by itself."""

    langchain_model: Any = Field(repr=False)
    """LangChain's model, or a binding of it."""


def _call(
    self: LangChainText, prompt: str, stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
) -> Any:
    model, own = target_of(self.langchain_model, kwargs)
    stop = own.pop("stop", None) if stop is None else stop
    try:
        result = model.generate([prompt], stop=stop, **own)
    except Exception as error:
        if refuses_stop(error, stop):
            raise cannot_stop(error) from error
        raise
    return answers_of(result, f"{type(model).__name__}._generate")


async def _acall(
    self: LangChainText, prompt: str, stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
) -> Any:
    model, own = target_of(self.langchain_model, kwargs)
    stop = own.pop("stop", None) if stop is None else stop
    try:
        result = await model.agenerate([prompt], stop=stop, **own)
    except Exception as error:
        if refuses_stop(error, stop):
            raise cannot_stop(error) from error
        raise
    return answers_of(result, f"{type(model).__name__}._agenerate")


def _stream(
    self: LangChainText, prompt: str, stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
) -> Generator[Any, None, None]:
    model, own = target_of(self.langchain_model, kwargs)
    stop = own.pop("stop", None) if stop is None else stop
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
                raise cannot_stop(error) from error
            raise
        finally:
            close_quietly(source)


async def _astream(
    self: LangChainText, prompt: str, stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
) -> AsyncGenerator[Any, None]:
    model, own = target_of(self.langchain_model, kwargs)
    stop = own.pop("stop", None) if stop is None else stop
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
                raise cannot_stop(error) from error
            raise
        finally:
            await aclose_quietly(source)


TEXT_HOOKS: dict[str, Any] = {"_call": _call, "_acall": _acall, "_stream": _stream, "_astream": _astream}
"""The hooks by their names."""
