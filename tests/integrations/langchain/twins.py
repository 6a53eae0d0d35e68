"""The same models written twice: for LangChain directly, and for modelport."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core import language_models as langchain
from langchain_core import messages as lc
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, GenerationChunk

import modelport


class Direct:
    """The models as their authors write them for LangChain; the first is the custom LLM guide's."""

    class CustomLLM(langchain.LLM):
        n: int

        def _call(
            self,
            prompt: str,
            stop: list[str] | None = None,
            run_manager: Any = None,
            **kwargs: Any,
        ) -> str:
            return prompt[: self.n]

        def _stream(
            self,
            prompt: str,
            stop: list[str] | None = None,
            run_manager: Any = None,
            **kwargs: Any,
        ) -> Iterator[GenerationChunk]:
            for char in prompt[: self.n]:
                chunk = GenerationChunk(text=char)
                if run_manager:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

        @property
        def _identifying_params(self) -> dict[str, Any]:
            return {"model_name": "CustomChatModel"}

        @property
        def _llm_type(self) -> str:
            return "custom"

    class ReportingLLM(langchain.LLM):
        model_name: str = "reporter"
        temperature: float = 0.5

        def _call(self, prompt: str, *args: Any, **kwargs: Any) -> str:
            return prompt[::-1]

        async def _astream(
            self,
            prompt: str,
            stop: list[str] | None = None,
            run_manager: Any = None,
            **kwargs: Any,
        ) -> AsyncIterator[GenerationChunk]:
            for i, char in enumerate(prompt[:3]):
                chunk = GenerationChunk(text=char, generation_info={"finish_reason": "length"} if i == 2 else None)
                if run_manager:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

        @property
        def _llm_type(self) -> str:
            return "reporting"

    class CallOnlyLLM(langchain.LLM):
        def _call(
            self,
            prompt: str,
            stop: list[str] | None = None,
            run_manager: Any = None,
            **kwargs: Any,
        ) -> str:
            for token in ("o", "k"):
                if run_manager:
                    run_manager.on_llm_new_token(token, chunk=GenerationChunk(text=token))
            return "ok"

        @property
        def _llm_type(self) -> str:
            return "call-only"

    class ChatEcho(langchain.BaseChatModel):
        model: str = "echo-1"

        def _generate(self, messages: list[lc.BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
            raise AssertionError("a stream is asked for")

        def _stream(self, messages: list[lc.BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
            for char in messages[-1].text[:2]:
                yield ChatGenerationChunk(message=lc.AIMessageChunk(content=char))
            yield ChatGenerationChunk(
                message=lc.AIMessageChunk(
                    content="",
                    usage_metadata={"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
                    response_metadata={"finish_reason": "stop", "model_name": "echo-1"},
                    chunk_position="last",
                )
            )

        @property
        def _llm_type(self) -> str:
            return "chat-echo"

    class ChatWhole(langchain.BaseChatModel):
        model: str = "whole-1"

        def _generate(self, messages: list[lc.BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
            message = lc.AIMessage(
                content="hi",
                usage_metadata={"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
                response_metadata={"finish_reason": "stop", "model_name": "whole-1"},
            )
            generation = ChatGeneration(message=message, generation_info={"finish_reason": "stop"})
            return ChatResult(generations=[generation])

        @property
        def _llm_type(self) -> str:
            return "chat-whole"


class Ported:
    """The same models as modelport's."""

    class CustomLLM(modelport.LLM):
        n: int

        def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            return prompt[: self.n]

        def _stream(
            self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any
        ) -> Iterator[modelport.GenerationChunk]:
            for char in prompt[: self.n]:
                chunk = modelport.GenerationChunk(text=char)
                if run_manager:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

        @property
        def _identifying_params(self) -> dict[str, Any]:
            return {"model_name": "CustomChatModel"}

        @property
        def _llm_type(self) -> str:
            return "custom"

    class ReportingLLM(modelport.LLM):
        model_name: str = "reporter"
        temperature: float = 0.5

        async def _astream(
            self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any
        ) -> AsyncIterator[modelport.GenerationChunk]:
            for i, char in enumerate(prompt[:3]):
                info = {"finish_reason": "length"} if i == 2 else None
                yield modelport.GenerationChunk(text=char, generation_info=info)

    class CallOnlyLLM(modelport.LLM):
        def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            for token in ("o", "k"):
                run_manager.on_llm_new_token(token)
            return "ok"

    class ChatEcho(modelport.ChatModel):
        model: str = "echo-1"

        def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Iterator[str]:
            run_manager.report_usage(3, 2)
            yield from messages[-1].text[:2]

    class ChatWhole(modelport.ChatModel):
        model: str = "whole-1"

        def _call(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            run_manager.report_usage(3, 2)
            return "hi"
