"""What the engine sees of a handler that chats: a chat model whose hooks call the handler's methods."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pydantic import Field
from typing_extensions import override

from modelport.engine.bare import bare_hook, read_bare
from modelport.engine.reading import text_of_input
from modelport.engine.state import ModelState
from modelport.engine.tokens import counter_of, usage_of
from modelport.models.chat import ChatModel
from modelport.models.handler_bridge import is_async_value, loop_of_handler, wait_for_chunks, wait_for_value
from modelport.models.handler_calls import (
    NO_REQUEST,
    HandlerMethod,
    HandlerRequest,
    chat_arguments,
    fresh_completion,
)
from modelport.models.handler_chunks import achunks_of, answer_of, chunks_of, filled_text, usage_in, whole_of
from modelport.models.secrets import known_secrets, scrub
from modelport.values.generations import Generation
from modelport.values.messages import Message
from modelport.values.prompt_values import messages_from
from modelport.wire.completion import ChatCompletion, counts_of

if TYPE_CHECKING:
    from modelport.models.handler_models import HandlerModels
    from modelport.runs.scope import Scope


class OfHandler:
    """Is what a handler's models share: the handler, how its methods are called, and the framework's state."""

    handler: Any
    __modelport_methods__: ClassVar[Mapping[str, HandlerMethod]]
    __modelport_models__: ClassVar[HandlerModels]

    @property
    def _modelport_state(self) -> ModelState | None:
        """The framework's state: one for all models of a handler, so that its limits hold for all its methods."""
        return self.__modelport_models__.state

    @_modelport_state.setter
    def _modelport_state(self, state: ModelState) -> None:
        if self.__modelport_models__.has_own_loop:
            state.loop = loop_of_handler(self.handler)
        self.__modelport_models__.state = state

    def identity(self) -> Mapping[str, Any]:
        """Return nothing: a handler's attributes are its author's."""
        return {}

    def __repr_args__(self) -> Iterable[tuple[str, Any]]:
        return ()

    def scrub(self, value: Any) -> Any:
        """Return a value without this handler's secrets; of a request only what its caller gave for the model."""
        if isinstance(value, dict) and isinstance(value.get("request"), HandlerRequest):  # pyright: ignore[reportUnknownMemberType]
            facts = cast("dict[str, Any]", value)
            value = {**facts, **facts["request"].optional_params}
            del value["request"]
        return scrub(value, known_secrets(self))

    def params_of(self, request: HandlerRequest | None, kwargs: Mapping[str, Any], stop: Any = None) -> dict[str, Any]:
        """Return `optional_params`: the caller's own, and `n` where the engine hands it on."""
        if request is None:
            return dict(kwargs) if stop is None else {**kwargs, "stop": stop}
        own = dict(request.optional_params)
        if "n" in kwargs:
            own["n"] = kwargs["n"]
        return own


class HandlerModel(OfHandler, ChatModel):
    """Is a handler's chat model; its hooks are those of the four chat methods that the handler has."""

    handler: Any = Field(repr=False)
    """The handler: an instance of any class."""

    @override
    def argument_of(self, value: Any) -> list[Message]:
        return messages_from(value)  # LiteLLM's callers may give no messages at all

    def called(
        self, name: str, messages: Sequence[Message], stop: Any, request: HandlerRequest | None, kwargs: Any
    ) -> tuple[Any, str]:
        """Call a method; return what it returned, and the method's label."""
        method = self.__modelport_methods__[name]
        params = self.params_of(request, kwargs, stop)
        if stop is None and "stop" in params:
            del params["stop"]  # a handler that said it cannot stop is called again without
        arguments = chat_arguments(method, messages, request or NO_REQUEST, params, is_async=name[0] == "a")
        return method.call(self.handler, arguments), method.label

    def fill(
        self, messages: Sequence[Message], request: HandlerRequest, scope: Scope | None
    ) -> ChatCompletion | Generation | None:
        """Answer as a call with nothing around the handler's `completion` would; None when that takes more.

        Most handlers fill the `model_response` that they are given and return it: then it is the answer itself, with
        its usage, and needs not be made anew of what it says.

        Args:
            messages: What is asked.
            request: What the caller says beside them; no parameters.
            scope: What the call inherits.
        """
        hook = bare_hook(self, scope)
        if hook is None:
            return None
        method = self.__modelport_methods__["completion"]
        response = fresh_completion()
        completion_id, created = response.id, response.created
        arguments = chat_arguments(method, messages, request, {}, is_async=False, response=response)
        value = method.call(self.handler, arguments)
        if value is response and value.id is completion_id and (text := filled_text(value)) is not None:
            usage = usage_of(usage_in(value), lambda: text_of_input(messages), text, counter_of(self))
            value.object, value.created, value.usage = "chat.completion", created, counts_of(usage)
            return value
        return read_bare(hook, self, messages, self.read(value, method.label))

    def read(self, value: Any, label: str) -> Any:
        """Return what `completion` returned as the engine reads it, awaited when it is to be."""
        if is_async_value(value):
            value = wait_for_value(self.handler, value)
        return answer_of(value, label)


def _call(
    self: HandlerModel,
    messages: list[Message],
    stop: list[str] | None = None,
    request: HandlerRequest | None = None,
    **kwargs: Any,
) -> Any:
    return self.read(*self.called("completion", messages, stop, request, kwargs))


async def _acall(
    self: HandlerModel,
    messages: list[Message],
    stop: list[str] | None = None,
    request: HandlerRequest | None = None,
    **kwargs: Any,
) -> Any:
    value, label = self.called("acompletion", messages, stop, request, kwargs)
    return await whole_of(value, label)


def _stream(
    self: HandlerModel,
    messages: list[Message],
    stop: list[str] | None = None,
    request: HandlerRequest | None = None,
    **kwargs: Any,
) -> Generator[Any, None, None]:
    value, label = self.called("streaming", messages, stop, request, kwargs)
    indexed = _asks_for_all(request, kwargs)
    if is_async_value(value):
        return wait_for_chunks(self.handler, achunks_of(value, label, indexed=indexed))
    return chunks_of(value, label, indexed=indexed)


async def _astream(
    self: HandlerModel,
    messages: list[Message],
    stop: list[str] | None = None,
    request: HandlerRequest | None = None,
    **kwargs: Any,
) -> AsyncGenerator[Any, None]:
    value, label = self.called("astreaming", messages, stop, request, kwargs)
    async with aclosing(achunks_of(value, label, indexed=_asks_for_all(request, kwargs))) as chunks:
        async for chunk in chunks:
            yield chunk


def _asks_for_all(request: HandlerRequest | None, kwargs: Mapping[str, Any]) -> bool:
    """Tell whether the engine wants all choices of one stream; in Python's own faces an `n` is only a parameter."""
    return request is not None and "n" in kwargs


CHAT_METHODS: dict[str, Any] = {
    "completion": _call,
    "acompletion": _acall,
    "streaming": _stream,
    "astreaming": _astream,
}
"""The hooks by the handler's methods that they call."""
