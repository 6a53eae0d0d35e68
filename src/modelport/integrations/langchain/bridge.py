"""LangChain's runs inside of ours, told to our listeners: a handler that makes a run of ours of each.

With it a chain of LangChain's that answers for one of our models, or is a step of ours, shows its prompts, models and
parsers in our events and to our handlers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult as LangChainResult

from modelport.integrations.langchain.foreign_answers import answers_of
from modelport.integrations.langchain.messages import chunk_from_langchain, messages_from_langchain
from modelport.integrations.langchain.translation import from_langchain_value
from modelport.runs.listeners import Listener
from modelport.runs.run import UNKNOWN, Run
from modelport.runs.scope import Scope
from modelport.values.generations import Generation, GenerationChunk, LLMResult
from modelport.values.messages import AIMessage, AIMessageChunk, ChatGeneration, ChatGenerationChunk
from modelport.values.usage import usage_from

_KINDS = frozenset({"prompt", "parser"})


def bridge_to(scope: Scope, listeners: tuple[Listener, ...], *, is_async: bool) -> BaseCallbackHandler:
    """Return the handler that tells listeners of LangChain's runs in a scope."""
    tree = _Tree(scope, listeners)
    return _AsyncBridge(tree) if is_async else _Bridge(tree)


class _Tree:
    """Makes our runs of LangChain's, and keeps the open ones."""

    def __init__(self, scope: Scope, listeners: tuple[Listener, ...]) -> None:
        self._scope = scope
        self._listeners = listeners
        self._open: dict[UUID, Run] = {}

    def start(
        self,
        kind: str,
        serialized: Any,
        facts: dict[str, Any],
        run_id: UUID,
        parent_run_id: UUID | None,
        is_async: bool,
    ) -> Run:
        """Return the run of ours for one that starts."""
        place = Scope()
        place.listeners = self._listeners
        known = self._open.get(parent_run_id) if parent_run_id is not None else None
        place.parent = known or self._scope.parent
        place.run_id = run_id
        place.tags = tuple(facts.get("tags") or ())
        place.metadata = dict(facts.get("metadata") or {})
        about: dict[str, Any] = serialized or {}
        name = facts.get("name") or about.get("name") or (about.get("id") or [kind])[-1]
        run = Run(place, kind=kind, name=str(name), serialized=about, is_async=is_async, call_facts=lambda: {
            key: facts[key] for key in ("invocation_params", "options", "batch_size") if key in facts
        })  # fmt: skip
        self._open[run_id] = run
        return run

    def known(self, run_id: UUID) -> Run | None:
        """Return an open run; None: its start was not told."""
        return self._open.get(run_id)

    def ended(self, run_id: UUID) -> Run | None:
        """Return a run that ends, and forget it."""
        return self._open.pop(run_id, None)


def _chain_input(inputs: Any) -> Any:
    """Return a chain's input; LangChain says "" for one that is still streaming."""
    return UNKNOWN if inputs in ("", {"input": ""}) else from_langchain_value(inputs)


def _piece(run: Run, token: Any, chunk: Any) -> GenerationChunk:
    text = token if isinstance(token, str) else str(getattr(chunk, "text", "") or "")
    if run.kind != "chat_model":
        return GenerationChunk(text)
    message = AIMessageChunk(text) if chunk is None else chunk_from_langchain(chunk.message)
    calls = message.tool_call_chunks or None
    return ChatGenerationChunk(message.text, tool_calls=calls, message=message)


def _result(response: LangChainResult) -> LLMResult:
    given: Any = answers_of(response, "a model of LangChain") if response.generations else []
    choices = cast("list[Any]", given if isinstance(given, list) else [given])
    found = [_generation(one) for one in choices]
    return LLMResult([found] if found else [[Generation("")]], response.llm_output)


def _generation(one: Any) -> Generation:
    if not isinstance(one, AIMessage):
        return one
    reason = one.response_metadata.get("finish_reason")
    if isinstance(one, AIMessageChunk):
        one = one.to_message()
    return ChatGeneration(one.text, reason, usage_from(one.usage_metadata), None, one.tool_calls or None, message=one)


class _Bridge(BaseCallbackHandler):
    """Hears of LangChain's runs in sync calls."""

    run_inline = True

    def __init__(self, tree: _Tree) -> None:
        self._tree = tree

    def on_chain_start(
        self, serialized: Any, inputs: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        """Start a chain's, prompt's or parser's run."""
        kind = kwargs.get("run_type") if kwargs.get("run_type") in _KINDS else "chain"
        self._tree.start(str(kind), serialized, kwargs, run_id, parent_run_id, False).start(_chain_input(inputs))

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """End its run."""
        if (run := self._tree.ended(run_id)) is not None:
            run.end(from_langchain_value(outputs))

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Tell that it failed."""
        if (run := self._tree.ended(run_id)) is not None:
            run.error(error)

    def on_llm_start(
        self, serialized: Any, prompts: list[str], *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        """Start a text model's run."""
        self._tree.start("llm", serialized, kwargs, run_id, parent_run_id, False).start(prompts[0])

    def on_chat_model_start(
        self,
        serialized: Any,
        messages: Sequence[Sequence[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """Start a chat model's run."""
        run = self._tree.start("chat_model", serialized, kwargs, run_id, parent_run_id, False)
        run.start(messages_from_langchain(messages[0]))

    def on_llm_new_token(self, token: Any, *, run_id: UUID, chunk: Any = None, **kwargs: Any) -> None:
        """Tell a piece of a model's answer."""
        if (run := self._tree.known(run_id)) is not None:
            run.token(_piece(run, token, chunk))

    def on_llm_end(self, response: LangChainResult, *, run_id: UUID, **kwargs: Any) -> None:
        """End a model's run."""
        if (run := self._tree.ended(run_id)) is not None:
            run.end(_result(response))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Tell that a model failed."""
        if (run := self._tree.ended(run_id)) is not None:
            run.error(error)


class _AsyncBridge(AsyncCallbackHandler):
    """Hears of LangChain's runs in async calls; see `_Bridge`."""

    run_inline = True

    def __init__(self, tree: _Tree) -> None:
        self._tree = tree

    async def on_chain_start(
        self, serialized: Any, inputs: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        """Start a chain's, prompt's or parser's run."""
        kind = kwargs.get("run_type") if kwargs.get("run_type") in _KINDS else "chain"
        run = self._tree.start(str(kind), serialized, kwargs, run_id, parent_run_id, True)
        await run.astart(_chain_input(inputs))

    async def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """End its run."""
        if (run := self._tree.ended(run_id)) is not None:
            await run.aend(from_langchain_value(outputs))

    async def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Tell that it failed."""
        if (run := self._tree.ended(run_id)) is not None:
            await run.aerror(error)

    async def on_llm_start(
        self, serialized: Any, prompts: list[str], *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        """Start a text model's run."""
        await self._tree.start("llm", serialized, kwargs, run_id, parent_run_id, True).astart(prompts[0])

    async def on_chat_model_start(
        self,
        serialized: Any,
        messages: Sequence[Sequence[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """Start a chat model's run."""
        run = self._tree.start("chat_model", serialized, kwargs, run_id, parent_run_id, True)
        await run.astart(messages_from_langchain(messages[0]))

    async def on_llm_new_token(self, token: Any, *, run_id: UUID, chunk: Any = None, **kwargs: Any) -> None:
        """Tell a piece of a model's answer."""
        if (run := self._tree.known(run_id)) is not None:
            await run.atoken(_piece(run, token, chunk))

    async def on_llm_end(self, response: LangChainResult, *, run_id: UUID, **kwargs: Any) -> None:
        """End a model's run."""
        if (run := self._tree.ended(run_id)) is not None:
            await run.aend(_result(response))

    async def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Tell that a model failed."""
        if (run := self._tree.ended(run_id)) is not None:
            await run.aerror(error)
