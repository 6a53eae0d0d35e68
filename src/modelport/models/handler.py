"""`CustomLLM`: LiteLLM's handler class, one more way to write a model (the custom handler guide).

A handler is a plain class: free attributes, any `__init__`. Whatever methods it has, all ways to call follow, with the
guarantees; what nothing derives raises `CustomLLMError(500, "Not implemented yet!")`. A class that is no `CustomLLM`
but has such methods is a handler too.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from modelport.runnables.base import Runnable
from modelport.runs.config import RunnableConfig
from modelport.values.errors import CustomLLMError
from modelport.values.messages import AIMessage, AIMessageChunk
from modelport.values.prompt_values import PromptInput

if TYPE_CHECKING:
    from modelport.models.handler_model import HandlerModel
    from modelport.models.handler_models import HandlerModels

_MODELS = "_modelport_models"
_lock = threading.Lock()
HANDLER_METHODS = (
    "completion",
    "acompletion",
    "streaming",
    "astreaming",
    "embedding",
    "aembedding",
    "image_generation",
    "aimage_generation",
    "image_edit",
    "aimage_edit",
)
"""What a handler may have; each takes keywords only, of those below as many as it names."""


def not_implemented() -> CustomLLMError:
    """Return the error of what a handler has no method for."""
    return CustomLLMError(500, "Not implemented yet!")


class CustomLLM(Runnable[PromptInput, AIMessage]):
    """Is a handler: write `completion`, `acompletion`, `streaming` or `astreaming`, and what else it can do.

    Methods are called with keywords: `model` (the name after the provider's), `messages` (OpenAI's dicts),
    `model_response` (a fresh one, to be filled or not), `optional_params` (the caller's own parameters, under their
    own names), `api_key`, `api_base`, `headers`, `timeout` and others; a method gets those that it names, all with
    `**kwargs`. It returns OpenAI-shaped objects or dicts, or plain text.

    An async method runs on a loop of the handler's own, so one that blocks delays nobody else.
    """

    caller_loop: ClassVar[bool] = False
    """True: async methods run on their caller's loop, and must not block it."""
    supports: ClassVar[frozenset[str]] = frozenset()
    """Which of n, max_tokens, tools, response_format the methods do by themselves, given in `optional_params`."""

    def completion(self, *args: Any, **kwargs: Any) -> Any:
        """Return one answer."""
        raise not_implemented()

    async def acompletion(self, *args: Any, **kwargs: Any) -> Any:
        """Return one answer."""
        raise not_implemented()

    def streaming(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Yield an answer in chunks."""
        raise not_implemented()

    def astreaming(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """Yield an answer in chunks (`async def` with `yield`, or return an async iterator)."""
        raise not_implemented()

    def embedding(self, *args: Any, **kwargs: Any) -> Any:
        """Return one vector for each item of `input`."""
        raise not_implemented()

    async def aembedding(self, *args: Any, **kwargs: Any) -> Any:
        """Return one vector for each item of `input`."""
        raise not_implemented()

    def image_generation(self, *args: Any, **kwargs: Any) -> Any:
        """Return images of a prompt."""
        raise not_implemented()

    async def aimage_generation(self, *args: Any, **kwargs: Any) -> Any:
        """Return images of a prompt."""
        raise not_implemented()

    def image_edit(self, *args: Any, **kwargs: Any) -> Any:
        """Return edited images."""
        raise not_implemented()

    async def aimage_edit(self, *args: Any, **kwargs: Any) -> Any:
        """Return edited images."""
        raise not_implemented()

    def __getstate__(self) -> dict[str, Any]:
        """Return the author's attributes; what the framework made of the handler is made anew."""
        return {name: value for name, value in vars(self).items() if name != _MODELS}

    # ── the ways to call a model ────────────────────────────────────────────────────────────────────────────────────

    @property
    def _model(self) -> HandlerModel:
        models: HandlerModels | None = vars(self).get(_MODELS)
        if models is None or models.handler is not self:
            from modelport.models.handler_models import HandlerModels

            with _lock:
                models = vars(self).get(_MODELS)
                if models is None or models.handler is not self:
                    models = vars(self)[_MODELS] = HandlerModels(self)
        return models.model("chat")

    @override
    def get_name(self) -> str:
        return type(self).__name__  # an attribute `name` is the author's own

    @property
    @override
    def scopes_its_code(self) -> bool:
        return True

    @override
    def invoke(self, input: PromptInput, config: RunnableConfig | None = None, **kwargs: Any) -> AIMessage:
        """Return the whole answer; keywords reach the handler in `optional_params`."""
        return self._model.invoke(input, config, **kwargs)

    @override
    async def ainvoke(self, input: PromptInput, config: RunnableConfig | None = None, **kwargs: Any) -> AIMessage:
        """Return the whole answer, on the running loop."""
        return await self._model.ainvoke(input, config, **kwargs)

    @override
    def stream(
        self, input: PromptInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Generator[AIMessageChunk, None, None]:
        """Return a generator of the answer's pieces."""
        return self._model.stream(input, config, **kwargs)

    @override
    def astream(
        self, input: PromptInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[AIMessageChunk, None]:
        """Return an async generator of the answer's pieces."""
        return self._model.astream(input, config, **kwargs)

    @override
    def batch(self, inputs: Sequence[PromptInput], config: Any = None, **options: Any) -> list[AIMessage]:
        """Answer many inputs at once."""
        return self._model.batch(inputs, config, **options)

    @override
    async def abatch(self, inputs: Sequence[PromptInput], config: Any = None, **options: Any) -> list[AIMessage]:
        """Answer many inputs at once, on the running loop."""
        return await self._model.abatch(inputs, config, **options)
