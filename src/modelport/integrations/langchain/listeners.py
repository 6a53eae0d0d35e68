"""LangChain's callback handlers on our runs: told in LangChain's own objects, with the ids of one run tree."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, get_buffer_string
from typing_extensions import override

from modelport.integrations.langchain.messages import messages_to_langchain
from modelport.integrations.langchain.translation import to_langchain_value
from modelport.runs.listeners import CallbackListener, Pending
from modelport.runs.run import UNKNOWN, Run
from modelport.values.messages import Message


class LangChainListener(CallbackListener):
    """Tells a LangChain handler, or tracer, of our runs."""

    @override
    def on_start(self, run: Run, inputs: Any) -> Pending:
        known = inputs if inputs is UNKNOWN or run.is_model else to_langchain_value(inputs)
        return super().on_start(run, known)

    @override
    def _chat_start(self, run: Run, messages: Sequence[Message], facts: dict[str, Any]) -> Pending:
        # A tracer may have the method and still say, by raising, that it wants to hear of texts.
        given = messages_to_langchain(messages)
        method = self.handler.on_chat_model_start
        if inspect.iscoroutinefunction(method):
            return self._atell_chat(run, method, given, facts)
        try:
            method(run.serialized, [given], **facts, **run.call_facts)
        except NotImplementedError:
            return self._tell_text(run, given, facts)
        except Exception as error:  # noqa: BLE001 - a handler must not break the call
            self._report("on_chat_model_start", error)
        return None

    async def _atell_chat(
        self, run: Run, method: Callable[..., Any], given: list[BaseMessage], facts: dict[str, Any]
    ) -> None:
        try:
            await method(run.serialized, [given], **facts, **run.call_facts)
        except NotImplementedError:
            pending = self._tell_text(run, given, facts)
            if pending is not None:
                await pending
        except Exception as error:  # noqa: BLE001 - a handler must not break the call
            self._report("on_chat_model_start", error)

    def _tell_text(self, run: Run, given: list[BaseMessage], facts: dict[str, Any]) -> Pending:
        if self._ignores("llm"):
            return None
        return self._call(run, "on_llm_start", run.serialized, [get_buffer_string(given)], **facts, **run.call_facts)

    @override
    def on_token(self, run: Run, chunk: Any) -> Pending:
        if not chunk.text and not chunk.tool_calls:
            return None
        piece = to_langchain_value(chunk)
        return self._call(run, "on_llm_new_token", chunk.text, chunk=piece, **run.facts())

    @override
    def on_end(self, run: Run, outputs: Any) -> Pending:
        return super().on_end(run, to_langchain_value(outputs))

    @override
    def on_error(self, run: Run, error: BaseException, partial: Any) -> Pending:
        return super().on_error(run, error, to_langchain_value(partial))
