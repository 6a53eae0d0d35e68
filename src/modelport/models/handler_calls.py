"""Calling a handler's methods as LiteLLM does: everything by keyword, and only what the method takes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from typing_extensions import override

from modelport.models.handler import HANDLER_METHODS, CustomLLM
from modelport.values.messages import Message
from modelport.values.prompt_values import message_to_dict
from modelport.values.usage import Usage
from modelport.wire.completion import (
    ChatCompletion,
    completion_of_text,
    new_completion_id,
    now_seconds,
)
from modelport.wire.embedding_response import EmbeddingResponse
from modelport.wire.image_response import ImageResponse


class HandlerRequest(msgspec.Struct, frozen=True):
    """Is what a caller of a handler says beside the messages; the SDK makes it."""

    model: str = ""
    """The name after the provider's."""
    optional_params: Mapping[str, Any] = {}
    """The caller's own parameters under their own names."""
    messages: Sequence[Any] | None = None
    """The messages as the caller gave them; None: as the engine has them."""
    api_key: str | None = None
    """The caller's key for the handler's upstream."""
    api_base: str | None = None
    """The caller's address of the handler's upstream."""
    headers: Mapping[str, Any] = {}
    """The caller's extra headers."""
    timeout: float | None = None
    """Seconds that the caller gave; None when it gave none."""
    client: Any = None
    """The caller's HTTP client."""
    litellm_params: Mapping[str, Any] = {}
    """Facts about the call: `metadata` and the like."""

    @override
    def __repr__(self) -> str:
        return f"HandlerRequest(model={self.model!r})"  # without the key and the headers


NO_REQUEST = HandlerRequest()


class QuietLogging(msgspec.Struct, dict=True, weakref=True, eq=False):
    """Is the `logging_obj` of handlers: it has what LiteLLM's has and does nothing with it."""

    model_call_details: dict[str, Any] = {}
    """Facts that a handler may keep here."""

    def pre_call(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing."""

    def post_call(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing."""

    def update_environment_variables(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing."""


def print_nothing(*args: Any, **kwargs: Any) -> None:
    """Print nothing: a handler's `print_verbose`."""


_NO_TOKENS = Usage()


def fresh_completion() -> ChatCompletion:
    """Return a chat completion to be filled: one choice without content, and no tokens."""
    return completion_of_text(
        None,
        _NO_TOKENS,
        completion_id=new_completion_id(),
        created=now_seconds(),
        model=None,
        finish_reason="stop",
    )


class HandlerMethod:
    """Is one method of a handler's class: how error messages name it, and which keywords it takes."""

    __slots__ = ("_names", "_takes_any", "is_async", "label", "name", "takes_logging", "takes_response")

    def __init__(self, owner: str, name: str, method: Any) -> None:
        parameters = inspect.signature(method).parameters.values()
        self.name = name
        """The method's name."""
        self.label = f"{owner}.{name}"
        """`Class.method`."""
        self.is_async = inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)
        """Whether it is written with `async def`."""
        self._takes_any = any(one.kind is one.VAR_KEYWORD for one in parameters)
        self._names = frozenset(
            one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
        )
        self.takes_response = self.takes("model_response")
        """Whether it wants a response to fill."""
        self.takes_logging = self.takes("logging_obj")
        """Whether it wants LiteLLM's logging object."""

    def takes(self, name: str) -> bool:
        """Tell whether the method takes a keyword."""
        return self._takes_any or name in self._names

    def call(self, handler: Any, arguments: dict[str, Any]) -> Any:
        """Call the method with the arguments that it takes."""
        if not self._takes_any:
            arguments = {name: arguments[name] for name in self._names if name in arguments}
        return getattr(handler, self.name)(**arguments)


def methods_of(handler: Any) -> dict[str, HandlerMethod]:
    """Return the methods that a handler has itself, not those that only say "not implemented", by what they do.

    An `async def completion` does what `acompletion` does; it is called as that when there is no other.
    """
    owner = type(handler).__name__
    found: dict[str, HandlerMethod] = {}
    for name in (*HANDLER_METHODS, "_rerank", "_arerank"):
        if not _has(handler, name):
            continue
        method = HandlerMethod(owner, name, getattr(handler, name))
        twin = f"_a{name[1:]}" if name.startswith("_") else f"a{name}"
        found[twin if method.is_async and twin in _ASYNC else name] = method
    for name in _ASYNC & found.keys():
        found[name].is_async = True
    return found


_ASYNC = frozenset({"acompletion", "astreaming", "aembedding", "aimage_generation", "aimage_edit", "_arerank"})


def _has(handler: Any, name: str) -> bool:
    if name not in getattr(handler, "__dict__", ()):
        for ancestor in type(handler).__mro__:
            if name in vars(ancestor):
                return ancestor is not CustomLLM and not ancestor.__module__.startswith("litellm.llms.")
    return callable(getattr(handler, name, None))


def chat_arguments(
    method: HandlerMethod,
    messages: Sequence[Message],
    request: HandlerRequest,
    optional_params: dict[str, Any],
    *,
    is_async: bool,
    response: ChatCompletion | None = None,
) -> dict[str, Any]:
    """Return the keywords of `completion`, `streaming` and their async twins; `response` is what is to be filled."""
    arguments: dict[str, Any] = {
        "model": request.model,
        "messages": _as_dicts(request.messages, messages),
        "optional_params": optional_params,
        "api_base": request.api_base,
        "api_key": request.api_key,
        "headers": dict(request.headers) if request.headers else {},
        "timeout": request.timeout,
        "client": request.client,
        "acompletion": is_async,
        "litellm_params": dict(request.litellm_params) if request.litellm_params else {},
        "custom_prompt_dict": {},
        "print_verbose": print_nothing,
        "encoding": None,
        "logger_fn": None,
    }
    if method.takes_response:
        arguments["model_response"] = response or fresh_completion()
    if method.takes_logging:
        arguments["logging_obj"] = QuietLogging()
    return arguments


def _as_dicts(given: Any, messages: Sequence[Message]) -> list[Any]:
    """Return the messages as OpenAI's dicts: those that the caller gave as such stay as they are."""
    if given.__class__ is not list and given.__class__ is not tuple:
        return [message_to_dict(message) for message in messages]
    entries: list[Any] = list(given)
    for place, one in enumerate(entries):
        if not isinstance(one, dict):
            entries[place] = message_to_dict(messages[place])
    return entries


def embedding_arguments(inputs: Sequence[Any], request: HandlerRequest, params: dict[str, Any]) -> dict[str, Any]:
    """Return the keywords of `embedding` and `aembedding`: one list item per input."""
    return {
        "model": request.model,
        "input": list(inputs),
        "model_response": EmbeddingResponse(model=request.model),
        "optional_params": params,
        "api_key": request.api_key,
        "api_base": request.api_base,
        "timeout": request.timeout,
        "litellm_params": dict(request.litellm_params),
        "print_verbose": print_nothing,
        "logging_obj": QuietLogging(),
    }


def image_arguments(prompt: str, request: HandlerRequest, params: dict[str, Any]) -> dict[str, Any]:
    """Return the keywords that `image_generation`, `image_edit` and their async twins share."""
    return {
        "model": request.model,
        "prompt": prompt,
        "model_response": ImageResponse(created=now_seconds(), data=[]),
        "optional_params": params,
        "api_key": request.api_key,
        "api_base": request.api_base,
        "timeout": request.timeout,
        "client": request.client,
        "logging_obj": QuietLogging(),
    }
