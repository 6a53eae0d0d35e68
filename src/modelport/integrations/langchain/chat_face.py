"""A model as a genuine `langchain_core` chat model: all its answers are the engine's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from typing_extensions import override

from modelport.engine.answers import arun, run
from modelport.engine.call import Call
from modelport.engine.choices import arun_choices, run_choices
from modelport.engine.streams import astream, stream
from modelport.integrations.langchain.answers import chat_chunk, chat_result, last_chat_chunk
from modelport.integrations.langchain.batches import BatchingFace
from modelport.integrations.langchain.calls import Asked, with_signature
from modelport.integrations.langchain.faces import ModelFace
from modelport.integrations.langchain.gathering import Place
from modelport.integrations.langchain.messages import messages_from_langchain
from modelport.integrations.langchain.structured import structured_chat
from modelport.values.errors import KeywordError
from modelport.values.generations import Generation, GenerationChunk


class ChatFace(BatchingFace, ModelFace, BaseChatModel):
    """Is the base of the LangChain classes of chat models, and of text models that are to look like one."""

    modelport_model: Any
    """The model that answers."""

    def _call_of(self, asked: Asked, messages: Sequence[BaseMessage]) -> Call:
        model = self.modelport_model
        argument = model.argument_of(messages_from_langchain(messages))
        # An answer that a cache of ours keeps is kept with its message, for whoever finds it.
        keeps = model.cache not in (None, False)
        return asked.call(model, argument, wants_messages=keeps and model.__modelport_kind__ == "chat_model")

    @override
    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        return f"{super()._get_llm_string(stop=stop, **kwargs)}---{sorted(self._difference(kwargs).items())}"

    @override
    @with_signature
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        model = self.modelport_model
        hook = model.__modelport_hooks__.answer
        asked = Asked(self, hook, stop, run_manager, kwargs)
        asked.relay(run_manager, hook, chat_chunk)
        call = self._call_of(asked, messages)
        if asked.n == 1:
            place = self._place()
            return chat_result([run(call) if place is None else place.answer(call)], asked.model_name(model))
        return chat_result(_choices(run_choices([call], asked.n)), asked.model_name(model))

    @override
    @with_signature
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        model = self.modelport_model
        hook = model.__modelport_hooks__.async_answer
        asked = Asked(self, hook, stop, run_manager, kwargs)
        asked.relay(run_manager, hook, chat_chunk)
        call = self._call_of(asked, messages)
        if asked.n == 1:
            place = self._place()
            answer = await arun(call) if place is None else await place.aanswer(call)
            return chat_result([answer], asked.model_name(model))
        return chat_result(_choices(await arun_choices([call], asked.n)), asked.model_name(model))

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        model = self.modelport_model
        if (place := self._place()) is not None:
            place.leave()
        asked = Asked(self, model.__modelport_hooks__.stream, stop, run_manager, kwargs)
        with closing(stream(self._call_of(asked, messages))) as source:
            for piece in source:
                yield last_chat_chunk(piece, asked.model_name(model)) if _ends(piece) else chat_chunk(piece)

    @override
    def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        model = self.modelport_model
        asked = Asked(self, model.__modelport_hooks__.astream, stop, run_manager, kwargs)
        return self._opened(_achat_chunks(self._call_of(asked, messages), asked, self._place()))

    @override
    def bind_tools(
        self,
        tools: Sequence[Mapping[str, Any] | type | Callable[..., Any] | Any],
        *,
        tool_choice: Any = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return this model with tools that every call offers.

        Args:
            tools: Tools of LangChain, OpenAI tool dicts, pydantic models, or functions.
            tool_choice: "auto", "none", "any" or True (one of them has to be called), a tool's name, or OpenAI's dict.
            **kwargs: More keywords of every call; `strict` goes into the tools.

        Raises:
            KeywordError: No hook of the model takes `tools`.
        """
        cls = type(self).__modelport_class__
        if not takes_tools(cls):
            raise KeywordError(
                f"{cls.__name__} takes no tools: none of its hooks names a parameter `tools`, and `supports` does not "
                f"list it",
                param="tools",
            )
        strict = kwargs.pop("strict", None)
        bound: dict[str, Any] = {"tools": [convert_to_openai_tool(tool, strict=strict) for tool in tools], **kwargs}
        hooks = cls.__modelport_hooks__.present.values()
        # "auto" is what a model does that knows of no choice.
        is_usual = tool_choice == "auto" and not any(hook.takes("tool_choice") for hook in hooks)
        if tool_choice is not None and tool_choice is not False and not is_usual:
            bound["tool_choice"] = _tool_choice(tool_choice)
        return self.bind(**bound)

    @override
    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        include_raw: bool = False,
        method: str | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Return this model with answers that are objects of a schema.

        Args:
            schema: A pydantic model, a TypedDict, a JSON Schema, or an OpenAI function.
            include_raw: Whether outputs are `{"raw", "parsed", "parsing_error"}`.
            method: "json_schema", "function_calling" or "json_mode"; None: the first of the first two whose keyword
                (`response_format`, `tools`) the model's hooks support.
            strict: OpenAI's `strict`, told to the model when it is not None.
            **kwargs: More keywords of every call.

        Raises:
            KeywordError: The hooks take neither keyword, or not what `method` needs.
            InputError: `method` is unknown.
        """
        return structured_chat(self, schema, include_raw=include_raw, method=method, strict=strict, **kwargs)


def takes_tools(cls: Any) -> bool:
    """Tell whether a modelport class has a hook that takes tools."""
    return any("tools" in hook.supports for hook in cls.__modelport_hooks__.present.values())


def _ends(piece: GenerationChunk) -> bool:
    """Tell whether a piece is the engine's last: it alone has a usage and neither text nor tool calls."""
    return piece.usage is not None and not piece.text and not piece.tool_calls


async def _achat_chunks(call: Call, asked: Asked, place: Place | None) -> AsyncIterator[ChatGenerationChunk]:
    if place is not None:
        await place.aleave()
    async with aclosing(astream(call)) as source:
        async for piece in source:
            yield last_chat_chunk(piece, asked.model_name(call.model)) if _ends(piece) else chat_chunk(piece)


def _choices(outcomes: Sequence[Any]) -> list[Generation]:
    if isinstance(outcomes[0], BaseException):
        raise outcomes[0]
    return outcomes[0]


def _tool_choice(choice: Any) -> Any:
    """Return a choice of tools as OpenAI has it."""
    if choice is True or choice == "any":
        return "required"
    if isinstance(choice, str) and choice not in ("auto", "none", "required"):
        return {"type": "function", "function": {"name": choice}}
    return choice
