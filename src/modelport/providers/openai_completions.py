"""`OpenAICompatibleCompletions`: text models on an OpenAI-compatible server, by `POST {base_url}/completions`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

from modelport.models.llm import LLM
from modelport.providers.openai_compatible import MAX_STOPS
from modelport.providers.openai_endpoint import OpenAIEndpoint
from modelport.values.generations import Generation


class OpenAICompatibleCompletions(OpenAIEndpoint, LLM):
    """Is a text model on an OpenAI-compatible server: it continues the prompt, no chat template in between.

    Every keyword of a call goes into the request as it is; what servers take beyond OpenAI's parameters goes into
    `extra_body`.
    """

    supports: ClassVar[frozenset[str]] = frozenset({"n", "max_tokens"})

    async def _acall(
        self, prompt: str, stop: Sequence[str] | None = None, **kwargs: Any
    ) -> Generation | list[Generation]:
        from modelport.providers.openai_answers import read_text_completion

        return await self._choices("/completions", _fields(prompt, stop), kwargs, read_text_completion)

    def _astream(self, prompt: str, stop: Sequence[str] | None = None, **kwargs: Any) -> AsyncIterator[Any]:
        from modelport.providers.openai_answers import TextReader

        return self._pieces("/completions", _fields(prompt, stop), kwargs, TextReader)


def _fields(prompt: str, stop: Sequence[str] | None) -> dict[str, Any]:
    return {"prompt": prompt, "stop": list(stop[:MAX_STOPS])} if stop else {"prompt": prompt}
