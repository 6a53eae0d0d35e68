"""The echo model of LangChain's guide "How to create a custom LLM class", on modelport."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from modelport import LLM, CallbackManagerForLLMRun, GenerationChunk


class EchoLLM(LLM):
    """A custom model that echoes the first `n` characters of the input."""

    n: int
    """The number of characters from the last message of the prompt to be echoed."""

    def _call(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> str:
        return prompt[: self.n]

    def _stream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
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


if __name__ == "__main__":
    llm = EchoLLM(n=5)
    print(llm)
    print(llm.invoke("This is a foobar thing"))
    print(llm.batch(["woof woof woof", "meow meow meow"]))
    for piece in llm.stream("hello"):
        print(piece, end="|", flush=True)
    print()
