"""A model as a genuine `langchain_core` LLM: all its answers are the engine's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from contextvars import ContextVar
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.globals import get_llm_cache
from langchain_core.language_models import LLM, LanguageModelInput
from langchain_core.outputs import GenerationChunk, LLMResult
from langchain_core.prompt_values import ChatPromptValue, PromptValue, StringPromptValue
from langchain_core.runnables import Runnable
from typing_extensions import override

from modelport.engine.answers import arun, run
from modelport.engine.batches import arun_many, raise_first, run_many
from modelport.engine.call import Call
from modelport.engine.choices import arun_choices, run_choices
from modelport.engine.streams import astream, stream
from modelport.integrations.langchain.answers import TextPieces, relayed_text, text_result
from modelport.integrations.langchain.batches import BatchingFace
from modelport.integrations.langchain.calls import Asked, with_signature
from modelport.integrations.langchain.faces import ModelFace
from modelport.integrations.langchain.messages import messages_from_langchain
from modelport.integrations.langchain.structured import structured_text
from modelport.values.generations import Generation
from modelport.values.messages import HumanMessage

_KEYED: ContextVar[dict[str, str] | None] = ContextVar("modelport_langchain_keyed", default=None)
"""What LangChain's cache has to tell apart in the running `generate`, beside what it looks at itself."""
_CALLS_OWN = frozenset({"tags", "metadata", "run_name", "run_id"})


class TextFace(BatchingFace, ModelFace, LLM):
    """Is the base of the LangChain classes of text models, and of chat models that are to look like one."""

    modelport_model: Any
    """The model that answers."""

    @property
    @override
    def _identifying_params(self) -> Mapping[str, Any]:
        params = super()._identifying_params
        keyed = _KEYED.get()
        return params if keyed is None else {**params, **keyed}

    @override
    def _convert_input(self, model_input: LanguageModelInput) -> PromptValue:
        value = super()._convert_input(model_input)
        if isinstance(value, ChatPromptValue) and self._model.__modelport_kind__ == "llm":
            # The model's own template; and a part that is no text is refused, where LangChain would lose it.
            messages = messages_from_langchain(value.messages)
            if self._model.chat_template is not None or any(isinstance(one.content, list) for one in messages):
                return StringPromptValue(text=self.modelport_model.argument_of(messages))
        return value

    @override
    def generate(self, prompts: list[str], stop: Any = None, callbacks: Any = None, **kwargs: Any) -> LLMResult:
        """Answer prompts; the arguments are LangChain's, and every other keyword is the hook's."""
        if not self._caches():
            return super().generate(prompts, stop, callbacks, **kwargs)
        token = _KEYED.set(self._difference({k: v for k, v in kwargs.items() if k not in _CALLS_OWN}))
        try:
            return super().generate(prompts, stop, callbacks, **kwargs)
        finally:
            _KEYED.reset(token)

    @override
    async def agenerate(self, prompts: list[str], stop: Any = None, callbacks: Any = None, **kwargs: Any) -> LLMResult:
        """Answer prompts on the running loop; see `generate`."""
        callbacks = None if callbacks == [] else callbacks  # LangChain looks at the first of an empty list
        if not self._caches():
            return await super().agenerate(prompts, stop, callbacks, **kwargs)
        token = _KEYED.set(self._difference({k: v for k, v in kwargs.items() if k not in _CALLS_OWN}))
        try:
            return await super().agenerate(prompts, stop, callbacks, **kwargs)
        finally:
            _KEYED.reset(token)

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
        """Return this model with answers that are objects of a schema, asked for by `response_format`.

        The arguments are those of a chat model's; tool calls are nothing that LangChain's text models have.

        Raises:
            KeywordError: The model's hooks do not take `response_format`.
            InputError: `method` is neither "json_schema" nor "json_mode".
        """
        return structured_text(self, schema, include_raw=include_raw, method=method, strict=strict, **kwargs)

    def _caches(self) -> bool:
        return self.cache is not False and (self.cache is not None or get_llm_cache() is not None)

    def _argument(self, prompt: str) -> Any:
        return [HumanMessage(prompt)] if self._model.__modelport_kind__ == "chat_model" else prompt

    @override
    def _call(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> str:
        return self._generate([prompt], stop, run_manager, **kwargs).generations[0][0].text

    @override
    async def _acall(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> str:
        return (await self._agenerate([prompt], stop, run_manager, **kwargs)).generations[0][0].text

    @override
    @with_signature
    def _generate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        model = self.modelport_model
        hook = model.__modelport_hooks__.answer
        asked = Asked(self, hook, stop, run_manager, kwargs)
        if len(prompts) == 1:
            # LangChain gives the run of the first prompt only: of several, nobody could tell whose a token is.
            asked.relay(run_manager, hook, relayed_text)
            if asked.n == 1:
                call = asked.call(model, self._argument(prompts[0]))
                place = self._place()
                answer = run(call) if place is None else place.answer(call)
                return text_result([[answer]], asked.model_name(model))
        calls = [asked.call(model, self._argument(prompt)) for prompt in prompts]
        outcomes: Sequence[Any] = run_many(calls) if asked.n == 1 else run_choices(calls, asked.n)
        return text_result(_listed(outcomes, asked.n), asked.model_name(model))

    @override
    @with_signature
    async def _agenerate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        model = self.modelport_model
        hook = model.__modelport_hooks__.async_answer
        asked = Asked(self, hook, stop, run_manager, kwargs)
        if len(prompts) == 1:
            asked.relay(run_manager, hook, relayed_text)
            if asked.n == 1:
                call = asked.call(model, self._argument(prompts[0]))
                place = self._place()
                answer = await arun(call) if place is None else await place.aanswer(call)
                return text_result([[answer]], asked.model_name(model))
        calls = [asked.call(model, self._argument(prompt)) for prompt in prompts]
        outcomes: Sequence[Any] = await (arun_many(calls) if asked.n == 1 else arun_choices(calls, asked.n))
        return text_result(_listed(outcomes, asked.n), asked.model_name(model))

    @override
    def _stream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[GenerationChunk]:
        model = self.modelport_model
        call = Asked(self, model.__modelport_hooks__.stream, stop, run_manager, kwargs).call(
            model, self._argument(prompt)
        )
        tell = run_manager.on_llm_new_token if run_manager is not None and run_manager.handlers else None
        pieces = TextPieces()
        new, checked = GenerationChunk.__new__, GenerationChunk.__pydantic_validator__.validate_python
        with closing(stream(call)) as source:
            for piece in source:
                text = piece.text
                if text and piece.finish_reason is piece.usage is piece.generation_info is piece.logprobs is None:
                    pieces.started = True
                    chunk = checked({"text": text}, self_instance=new(GenerationChunk))  # as its constructor does
                else:
                    chunk = pieces.chunk(piece)
                if chunk is not None:
                    if tell is not None:
                        tell(chunk.text, chunk=chunk)
                    yield chunk

    @override
    def _astream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[GenerationChunk]:
        model = self.modelport_model
        call = Asked(self, model.__modelport_hooks__.astream, stop, run_manager, kwargs).call(
            model, self._argument(prompt)
        )
        tell = run_manager.on_llm_new_token if run_manager is not None and run_manager.handlers else None
        return self._opened(_atext_chunks(call, tell))


async def _atext_chunks(call: Call, tell: Callable[..., Any] | None) -> AsyncIterator[GenerationChunk]:
    pieces = TextPieces()
    new, checked = GenerationChunk.__new__, GenerationChunk.__pydantic_validator__.validate_python
    async with aclosing(astream(call)) as source:
        async for piece in source:
            text = piece.text
            if text and piece.finish_reason is piece.usage is piece.generation_info is piece.logprobs is None:
                pieces.started = True
                chunk = checked({"text": text}, self_instance=new(GenerationChunk))  # as its constructor does
            else:
                chunk = pieces.chunk(piece)
            if chunk is not None:
                if tell is not None:
                    await tell(chunk.text, chunk=chunk)
                yield chunk


def _listed(outcomes: Sequence[Any], n: int) -> list[list[Generation]]:
    """Return the choices of each call.

    Raises:
        Exception: The first failure, in order, after all have run.
    """
    raise_first(outcomes)
    return [[one] if n == 1 else one for one in outcomes]
