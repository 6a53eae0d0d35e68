"""Models as people write them for LangChain, which from_langchain takes."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core import language_models as langchain
from langchain_core.embeddings import Embeddings
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import (
    ChatGeneration,
    ChatGenerationChunk,
    ChatResult,
    Generation,
    GenerationChunk,
    LLMResult,
)
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import PrivateAttr, SecretStr

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable

GUIDE = Path(__file__).parent / "guide" / "custom_llm.txt"
"""The custom LLM guide's class, as the guide has it."""
TOOL = {"type": "function", "function": {"name": "look", "description": "Look.", "parameters": {"type": "object"}}}


def guides_class() -> Any:
    """Return the guide's class, of its own text."""
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(GUIDE.read_text("ascii"), str(GUIDE), "exec"), names)
    return names["CustomLLM"]


class Echo(langchain.LLM):
    """Answers with the prompt, and notes what it is called with."""

    api_key: SecretStr = SecretStr("sk-very-secret-key")
    loud: bool = False
    _seen: list[dict[str, Any]] = PrivateAttr(default_factory=list)

    def _call(self, prompt: str, stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any) -> str:
        self._seen.append({"stop": stop, **kwargs})
        return prompt.upper() if self.loud else prompt

    @property
    def _llm_type(self) -> str:
        return "echo"


class Strict(langchain.LLM):
    """Takes one keyword and no others; its `stop` is not implemented."""

    def _call(
        self, prompt: str, stop: list[str] | None = None, run_manager: Any = None, *, temperature: float = 0
    ) -> str:
        if stop:
            raise NotImplementedError
        return f"{prompt} {temperature}"

    @property
    def _llm_type(self) -> str:
        return "strict"


class StatusError(Exception):
    """Is an exception as providers' packages raise them."""

    status_code = 429


class Meeting(langchain.LLM):
    """Answers when so many calls have met; "bad" fails."""

    parties: int
    _barrier: Any = PrivateAttr(default=None)

    def model_post_init(self, context: Any) -> None:
        super().model_post_init(context)
        self._barrier = threading.Barrier(self.parties)

    def _call(self, prompt: str, stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any) -> str:
        self._barrier.wait(timeout=20)
        if prompt == "bad":
            raise StatusError(prompt)
        return prompt

    @property
    def _llm_type(self) -> str:
        return "meeting"


class Streaming(langchain.LLM):
    """Streams natively, and notes when its generators are closed."""

    _closed: list[str] = PrivateAttr(default_factory=list)

    def _call(self, prompt: str, stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any) -> str:
        return prompt

    def _stream(self, prompt: str, *args: Any, **kwargs: Any) -> Iterator[GenerationChunk]:
        try:
            yield from (GenerationChunk(text=char) for char in prompt)
            yield GenerationChunk(
                text="",
                generation_info={
                    "finish_reason": "length",
                    "token_usage": {"prompt_tokens": 5, "completion_tokens": 7},
                },
            )
        finally:
            self._closed.append("sync")

    async def _astream(self, prompt: str, *args: Any, **kwargs: Any) -> AsyncIterator[GenerationChunk]:
        try:
            for char in prompt:
                yield GenerationChunk(text=char)
        finally:
            self._closed.append("async")

    @property
    def _llm_type(self) -> str:
        return "streaming"


class ManyAtOnce(langchain.BaseLLM):
    """Has LangChain's method for many prompts; one bad prompt fails them all."""

    _calls: list[list[str]] = PrivateAttr(default_factory=list)

    def _generate(
        self, prompts: list[str], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> LLMResult:
        self._calls.append(list(prompts))
        if "bad" in prompts:
            raise StatusError("bad")
        usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
        answers = [
            [Generation(text=prompt[::-1], generation_info={"finish_reason": "length"})] * kwargs.get("choices", 1)
            for prompt in prompts
        ]
        return LLMResult(generations=answers, llm_output={"token_usage": usage, "model_name": "many"})  # type: ignore[arg-type]

    @property
    def _llm_type(self) -> str:
        return "many"


class ToolChat(langchain.BaseChatModel):
    """Answers with the texts of its messages, and calls the first tool when it is asked to "call"."""

    model: str = "tool-chat"

    def _answer(self, messages: Sequence[BaseMessage], **kwargs: Any) -> AIMessage:
        text = " ".join(message.text for message in messages)
        facts: dict[str, Any] = {"usage_metadata": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}}
        if "call" in text and kwargs.get("tools"):
            name = kwargs.get("tool_choice") or kwargs["tools"][0]["function"]["name"]
            calls = [{"name": name, "args": {"at": "you"}, "id": "c1"}]
            return AIMessage("", tool_calls=calls, response_metadata={"finish_reason": "tool_calls"}, **facts)
        return AIMessage(text, response_metadata={"finish_reason": "length"}, **facts)

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._answer(messages, **kwargs))])

    def bind_tools(self, tools: Any, *, tool_choice: Any = None, **kwargs: Any) -> Runnable[Any, AIMessage]:
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], tool_choice=tool_choice, **kwargs)

    @property
    def _llm_type(self) -> str:
        return "tool-chat"


class StreamingChat(ToolChat):
    """Streams natively on the loop; its usage comes in two parts, which LangChain adds up."""

    _closed: list[bool] = PrivateAttr(default_factory=list)

    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        answer = self._answer(messages, **kwargs)
        usage = ({"input_tokens": 3, "output_tokens": 0}, {"input_tokens": 0, "output_tokens": 4})
        try:
            yield _piece("", usage_metadata={**usage[0], "total_tokens": 3})
            for place, call in enumerate(answer.tool_calls):
                parts = (call["name"], '{"at"', call["id"]), (None, ': "you"}', None)
                for name, args, given in parts:
                    chunk = {"name": name, "args": args, "id": given, "index": place}
                    yield _piece("", tool_call_chunks=[chunk])
            for char in answer.text:
                yield _piece(char)
            end = _piece("", usage_metadata={**usage[1], "total_tokens": 4})
            end.generation_info = {"finish_reason": answer.response_metadata["finish_reason"]}
            yield end
        finally:
            self._closed.append(True)


def _piece(text: str, **facts: Any) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=text, **facts))


class Lengths(Embeddings):
    """Embeds a text as its length; a question has another sign."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[float(len(text)), 1.0] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return [-float(len(text)), 1.0]


class AsyncLengths(Lengths):
    """Embeds on the loop."""

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[float(len(text)), 2.0] for text in texts]
