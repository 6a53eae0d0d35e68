"""The run that a LangChain model's own callbacks hear of while it streams to us (`generate` tells them by itself).

When the model has none it costs an empty manager.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast
from uuid import uuid4

from langchain_core.callbacks import (
    AsyncCallbackHandler,
    AsyncCallbackManager,
    AsyncCallbackManagerForLLMRun,
    BaseCallbackHandler,
    CallbackManager,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.outputs import ChatGenerationChunk, LLMResult

Manager = TypeVar("Manager", CallbackManagerForLLMRun, AsyncCallbackManagerForLLMRun)
ForeignModel = BaseLLM | BaseChatModel


class _Told(Generic[Manager]):
    """Is what both kinds of run share: the manager that the model is given, and the pieces for the end."""

    def __init__(self, manager: Manager) -> None:
        self.manager = manager
        """LangChain's `run_manager`."""
        self._pieces: list[Any] = []
        self._hears = bool(manager.handlers)

    def _result(self) -> LLMResult:
        whole: Any = None
        for piece in self._pieces:
            whole = piece if whole is None else whole + piece
        return LLMResult(generations=[] if whole is None else [[whole]])


class ToldRun(_Told[CallbackManagerForLLMRun]):
    """Is the run of a sync stream; `with` it, it ends with an answer or with what was raised."""

    def note(self, piece: Any) -> None:
        """Take a piece that the model gave; a chat model's is told, a text model tells its own."""
        if not self._hears:
            return
        self._pieces.append(piece)
        if isinstance(piece, ChatGenerationChunk):
            self.manager.on_llm_new_token(piece.text, chunk=piece)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._hears:
            return
        if error is None:
            self.manager.on_llm_end(self._result())
        else:
            self.manager.on_llm_error(error, response=self._result())


class AsyncToldRun(_Told[AsyncCallbackManagerForLLMRun]):
    """Is the run of an async stream; see `ToldRun`."""

    async def note(self, piece: Any) -> None:
        """Take a piece that the model gave; see `ToldRun.note`."""
        if not self._hears:
            return
        self._pieces.append(piece)
        if isinstance(piece, ChatGenerationChunk):
            await self.manager.on_llm_new_token(piece.text, chunk=piece)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._hears:
            return
        if error is None:
            await self.manager.on_llm_end(self._result())
        else:
            await self.manager.on_llm_error(error, response=self._result())


class _Tokens(BaseCallbackHandler):
    """Hands the tokens that a model tells while it gives one answer on to our run."""

    run_inline = True

    def __init__(self, run_manager: Any) -> None:
        self._run_manager = run_manager

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, **kwargs: Any) -> None:
        """Tell a token."""
        self._run_manager.on_llm_new_token(*_text_of(token, chunk))


class _AsyncTokens(AsyncCallbackHandler):
    """Hands tokens on in async calls; see `_Tokens`."""

    run_inline = True

    def __init__(self, run_manager: Any) -> None:
        self._run_manager = run_manager

    async def on_llm_new_token(self, token: Any, *, chunk: Any = None, **kwargs: Any) -> None:
        """Tell a token."""
        await self._run_manager.on_llm_new_token(*_text_of(token, chunk))


def _text_of(token: Any, chunk: Any) -> tuple[str]:
    return (token if isinstance(token, str) else str(getattr(chunk, "text", "")),)


def token_callbacks(run_manager: Any) -> list[BaseCallbackHandler] | None:
    """Return the callbacks by which our run hears of tokens that a model tells in `generate`; None: nobody listens."""
    run: Any = getattr(run_manager, "run", None)
    if run is None or not run.token_listeners:
        return None
    return [_AsyncTokens(run_manager) if hasattr(run_manager, "get_sync") else _Tokens(run_manager)]


def told_run(model: ForeignModel, argument: Any, stop: Any, kwargs: dict[str, Any]) -> ToldRun:
    """Start the run of a sync stream.

    Args:
        model: Who streams.
        argument: The prompt, or the messages.
        stop: What the model is told to stop at.
        kwargs: The call's keywords.
    """
    manager = CallbackManager.configure(None, model.callbacks, model.verbose, None, model.tags, None, _facts(model))
    if not manager.handlers:
        return ToldRun(_silent(CallbackManagerForLLMRun))
    about = _about(model, stop, kwargs)
    if isinstance(model, BaseChatModel):
        runs = manager.on_chat_model_start(_serialized(model), [argument], **about)
    else:
        runs = manager.on_llm_start(_serialized(model), [argument], **about)
    return ToldRun(runs[0])


async def atold_run(model: ForeignModel, argument: Any, stop: Any, kwargs: dict[str, Any]) -> AsyncToldRun:
    """Start the run of an async stream; see `told_run`."""
    manager = AsyncCallbackManager.configure(
        None, model.callbacks, model.verbose, None, model.tags, None, _facts(model)
    )
    if not manager.handlers:
        return AsyncToldRun(_silent(AsyncCallbackManagerForLLMRun))
    about = _about(model, stop, kwargs)
    if isinstance(model, BaseChatModel):
        runs = await manager.on_chat_model_start(_serialized(model), [argument], **about)
    else:
        runs = await manager.on_llm_start(_serialized(model), [argument], **about)
    return AsyncToldRun(runs[0])


def _silent(cls: type[Manager]) -> Manager:
    return cls(run_id=uuid4(), handlers=[], inheritable_handlers=[])


def _facts(model: ForeignModel) -> dict[str, Any]:
    """Return the metadata of a model's runs; LangSmith knows the provider by them."""
    private = cast("Any", model)
    try:
        return {**(model.metadata or {}), **private._get_ls_params()}  # noqa: SLF001 - as LangChain's own runs do
    except Exception:  # noqa: BLE001 - a class may have overridden it; the run matters more than these facts
        return dict(model.metadata or {})


def _serialized(model: Any) -> dict[str, Any]:
    return model._serialized  # noqa: SLF001 - as LangChain's own runs do


def _about(model: Any, stop: Sequence[str] | None, kwargs: dict[str, Any]) -> dict[str, Any]:
    identity = {**model._identifying_params, "_type": model._llm_type}  # noqa: SLF001 - as LangChain's own runs do
    params = {**identity, "stop": stop, **kwargs}
    return {"invocation_params": params, "options": {"stop": stop}, "batch_size": 1}
