"""Tool calls of a text model, whose `invoke` gives its text only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from modelport.runnables.base import Runnable
from modelport.runs.config import RunnableConfig
from modelport.values.generations import Generation
from modelport.values.messages import AIMessage, merge_tool_call_chunks
from modelport.values.prompt_values import PromptInput

if TYPE_CHECKING:
    from modelport.models.many import Many


class TextToolCalls(Runnable[PromptInput, AIMessage]):
    """Gives a text model's answers as messages, with their tool calls."""

    __slots__ = ("model",)

    def __init__(self, model: Many[Any, Any]) -> None:
        self.model = model
        """What answers."""

    @property
    @override
    def scopes_its_code(self) -> bool:
        return self.model.scopes_its_code

    @override
    def invoke(self, input: PromptInput, config: RunnableConfig | None = None, **kwargs: Any) -> AIMessage:
        return _message_of(self.model.generate([input], config=config, **kwargs).generations[0][0])

    @override
    async def ainvoke(self, input: PromptInput, config: RunnableConfig | None = None, **kwargs: Any) -> AIMessage:
        result = await self.model.agenerate([input], config=config, **kwargs)
        return _message_of(result.generations[0][0])


def _message_of(answer: Generation) -> AIMessage:
    return AIMessage(answer.text, tool_calls=merge_tool_call_chunks(answer.tool_calls or []))
