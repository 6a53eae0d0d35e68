"""`ChatModel`: a chat model of your own. The same hooks as `LLM`, with `messages` in place of `prompt`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from typing import Any, ClassVar

from typing_extensions import override

from modelport.engine.answers import arun, run
from modelport.engine.hook_sets import CHAT_HOOKS, HookSet
from modelport.models.base import AuthoredModel
from modelport.models.chunks import achunk_messages, chunk_messages
from modelport.models.many import Many
from modelport.models.tools import tool_schema
from modelport.runnables.binding import RunnableBinding
from modelport.runs.config import RunnableConfig
from modelport.runs.scope import scope_of
from modelport.values.errors import InputError, KeywordError
from modelport.values.generations import Generation
from modelport.values.messages import AIMessage, AIMessageChunk, ChatGeneration, Message
from modelport.values.prompt_values import PromptInput, messages_from


class ChatModel(AuthoredModel, Many[PromptInput, AIMessage]):
    """Is a chat model: messages in, a message out.

    Subclass it, declare fields, and write one of `_call`, `_acall`, `_stream`, `_astream`, `_batch`, `_abatch`, whose
    first parameter is `messages`. Hooks may give plain text, or `AIMessage`/`AIMessageChunk` with tool calls.
    """

    __modelport_kind__: ClassVar[str] = "chat_model"
    __modelport_hook_set__: ClassVar[HookSet] = CHAT_HOOKS

    def argument_of(self, value: Any) -> list[Message]:
        """Return the messages of what a caller gives; a text is one human message.

        Raises:
            InputError: It is no prompt, or there is no message in it.
        """
        messages = messages_from(value)
        if not messages:
            raise InputError("a chat model needs at least one message; the list is empty", param="messages")
        return messages

    @override
    def result_of(self, answer: Generation) -> AIMessage:
        assert isinstance(answer, ChatGeneration), "a chat call's output makes chat generations"
        return answer.message

    @override
    def invoke(
        self,
        input: PromptInput,
        config: RunnableConfig | None = None,
        *,
        stop: str | Sequence[str] | None = None,
        include_stop: bool | None = None,
        max_tokens: int | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """Return the whole answer with its usage and finish reason; the arguments are those of `LLM.invoke`."""
        call = self._call_of(input, scope_of(config), stop, include_stop, max_tokens, kwargs)
        return self.result_of(run(call))

    @override
    async def ainvoke(
        self,
        input: PromptInput,
        config: RunnableConfig | None = None,
        *,
        stop: str | Sequence[str] | None = None,
        include_stop: bool | None = None,
        max_tokens: int | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """Return the whole answer, on the running loop; see `invoke`."""
        call = self._call_of(input, scope_of(config), stop, include_stop, max_tokens, kwargs)
        return self.result_of(await arun(call))

    @override
    def stream(
        self,
        input: PromptInput,
        config: RunnableConfig | None = None,
        *,
        stop: str | Sequence[str] | None = None,
        include_stop: bool | None = None,
        max_tokens: int | None = None,
        **kwargs: Any,
    ) -> Generator[AIMessageChunk, None, None]:
        """Return a generator of the answer's pieces, which add up; the last carries usage and finish reason."""
        return chunk_messages(self._call_of(input, scope_of(config), stop, include_stop, max_tokens, kwargs))

    @override
    def astream(
        self,
        input: PromptInput,
        config: RunnableConfig | None = None,
        *,
        stop: str | Sequence[str] | None = None,
        include_stop: bool | None = None,
        max_tokens: int | None = None,
        **kwargs: Any,
    ) -> AsyncGenerator[AIMessageChunk, None]:
        """Return an async generator of the answer's pieces; see `stream`."""
        return achunk_messages(self._call_of(input, scope_of(config), stop, include_stop, max_tokens, kwargs))

    def bind_tools(
        self,
        tools: Sequence[Mapping[str, Any] | type | Callable[..., Any] | Any],
        *,
        tool_choice: Any = None,
        **kwargs: Any,
    ) -> RunnableBinding[PromptInput, AIMessage]:
        """Return this model with tools that every call offers.

        Args:
            tools: OpenAI tool dicts, pydantic models, functions with annotations and a docstring, or LangChain's tools.
            tool_choice: Given to the hook as it is, when it is not None.
            **kwargs: More keywords of every call.

        Raises:
            KeywordError: No hook of the class takes `tools`.
            InputError: A tool is none of these.
        """
        if not any("tools" in hook.supports for hook in self.__modelport_hooks__.present.values()):
            raise KeywordError(
                f"{type(self).__name__} takes no tools: none of its hooks names a parameter `tools`, and `supports` "
                f"does not list it",
                param="tools",
            )
        bound: dict[str, Any] = {"tools": [tool_schema(tool) for tool in tools], **kwargs}
        if tool_choice is not None:
            bound["tool_choice"] = tool_choice
        return self.bind(**bound)
