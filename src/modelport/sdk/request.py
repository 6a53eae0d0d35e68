"""What a caller of `completion` asks: read once, then a call of the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from modelport.engine.call import Call
from modelport.engine.hooks import Hook, Hooks
from modelport.engine.state import say_once, state_of
from modelport.models.handler_calls import HandlerRequest
from modelport.registry.providers import Target, resolve
from modelport.runs.config import check_seconds
from modelport.runs.scope import Scope, scope_of
from modelport.sdk.failures import sdk_error
from modelport.sdk.settings import logger, settings
from modelport.values.errors import InputError, ModelportError


class ChatRequest(msgspec.Struct, eq=False):
    """Is one request for an answer: the model, what it is asked, and what the engine is to keep."""

    model: Any
    """The model that answers."""
    name: str
    """The model's name."""
    provider: str
    """The provider's name."""
    argument: Any
    """What the model is asked, as it takes it."""
    kwargs: Mapping[str, Any]
    """The keywords that its hook gets."""
    given: Mapping[str, Any]
    """The caller's keywords."""
    scope: Scope | None
    """What the call inherits."""
    n: int = 1
    """How many choices are asked for."""
    made_call: Call | None = None
    """The engine's call, once it is made."""

    @property
    def call(self) -> Call:
        """The engine's call; a request that the hook alone answers has none until somebody asks for it.

        Raises:
            InputError: `stop` or `max_tokens` is wrong.
        """
        if self.made_call is None:
            given = self.given
            call = self.made_call = Call(
                self.model,
                self.argument,
                scope=self.scope,
                stop=given.get("stop"),
                include_stop=False,
                max_tokens=limit_in(given),
                kwargs=self.kwargs,
            )
            # What is kept for other faces has messages.
            call.wants_messages = self.model.cache not in (None, False)
        return self.made_call

    def failure_of(self, error: Exception) -> ModelportError:
        """Return what is raised for an exception of the model's."""
        return sdk_error(error, self.model, name=self.name, provider=self.provider, given=self.given)


def chat_request(target: Target, messages: Sequence[Any], given: Mapping[str, Any]) -> ChatRequest:
    """Read a request.

    Args:
        target: What the name stands for.
        messages: OpenAI's dicts, or our messages.
        given: The caller's keywords, without those that are None.

    Raises:
        InputError: A value is wrong.
        KeywordError: A parameter is one that the model does not take.
        CustomLLMError: The handler has no method for it.
    """
    source, name = target.source, target.model
    model: Any = source.model_for("chat", name, api_key=target.api_key, api_base=target.api_base)
    # Most callers give nothing else: there is nothing to read, then.
    n = count_of(given.get("n")) if given else 1
    scope = scope_in(given) if given else scope_of(None)
    kwargs: Mapping[str, Any] = (
        {"request": handler_request(target, messages, given)}
        if source.is_handler
        else own_keywords(model, given)
        if given
        else {}
    )
    request = ChatRequest(model, name, target.provider, model.argument_of(messages), kwargs, given, scope, n)
    if given:
        _ = request.call  # what is wrong is said now
    return request


_FRAMEWORKS = frozenset({
    "stream", "timeout", "n", "stop", "max_tokens", "max_completion_tokens", "num_retries", "fallbacks", "base_url",
    "api_base", "api_key", "mock_response", "drop_params", "custom_llm_provider", "headers", "extra_headers", "client",
    "metadata", "stream_options", "config", "first_token_timeout",
})  # fmt: skip
"""The keywords that are not the model's."""
FOR_MOCKS = frozenset({"n", "stop", "max_tokens", "max_completion_tokens", "timeout", "first_token_timeout", "config"})
"""The keywords that hold for a mock too."""
_ONLY_IF_NAMED = frozenset({"metadata", "client"})
"""Those of them that a model's hook gets when it has a parameter of that name."""
_ALSO_FOR_HANDLERS = ("stop", "max_tokens", "max_completion_tokens")


def count_of(value: Any) -> int:
    """Return how many choices are asked for.

    Raises:
        InputError: It is no int of at least 1.
    """
    if value is None:
        return 1
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"n must be an int of at least 1, or None, not {value!r}", param="n")
    return value


def limit_in(given: Mapping[str, Any]) -> Any:
    """Return how many tokens an answer may have; of OpenAI's two names the newer one counts."""
    return given.get("max_completion_tokens", given.get("max_tokens"))


def include_usage_in(given: Mapping[str, Any]) -> bool:
    """Tell whether a stream is to end with a chunk that has the usage.

    Raises:
        InputError: `stream_options` is no dict.
    """
    options: Any = given.get("stream_options")
    if options is None:
        return False
    if not isinstance(options, Mapping):
        raise InputError(f"stream_options must be a dict, not {type(options).__name__}", param="stream_options")
    return bool(cast("Mapping[str, Any]", options).get("include_usage"))


def config_in(given: Mapping[str, Any]) -> Any:
    """Return the config of a call with these keywords: `config`, and the timeouts over it."""
    if not given:
        return None
    config, timeout, first = given.get("config"), given.get("timeout"), given.get("first_token_timeout")
    if timeout is None and first is None:
        return config
    whole = dict(config or {})
    for name, value in (("timeout", seconds_in(timeout)), ("first_token_timeout", first)):
        if value is not None:
            check_seconds(name, value)
            whole[name] = value
    return whole


def scope_in(given: Mapping[str, Any]) -> Scope | None:
    """Return the scope of a call with these keywords, in the scope around it."""
    return scope_of(config_in(given))


def seconds_in(timeout: Any) -> Any:
    """Return a timeout in seconds; of an HTTP client's timeout object the time to read."""
    return getattr(timeout, "read", timeout)


def own_keywords(
    model: Any, given: Mapping[str, Any], hooks: Hooks | None = None, *, called: Sequence[Hook | None] | None = None
) -> dict[str, Any]:
    """Return the parameters that a model's hook gets; `drop_params` drops those that it does not take.

    Args:
        model: The model.
        given: The caller's keywords.
        hooks: The hooks of which one is called, when they are not the class's own table.
        called: Those of them that may be, when the table has others too.
    """
    if not given:
        return {}
    params = {name: value for name, value in given.items() if name not in _FRAMEWORKS}
    table: Hooks = hooks or model.__modelport_hooks__
    present = [hook for hook in (table.present.values() if called is None else called) if hook is not None]
    for name in _ONLY_IF_NAMED & given.keys():
        if any(name in hook.names for hook in present):
            params[name] = given[name]
    if "headers" in given or "extra_headers" in given:
        params["extra_headers"] = headers_in(given)
    if not params or not (given.get("drop_params") or settings.drop_params):
        return params
    taken = {name: value for name, value in params.items() if all(hook.takes(name) for hook in present)}
    if len(taken) < len(params):
        names = ", ".join(name for name in params if name not in taken)
        say_once(
            state_of(model),
            f"dropped {names}",
            lambda: logger.warning("%s does not take %s: dropped (drop_params)", type(model).__name__, names),
        )
    return taken


def headers_in(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the extra headers among a caller's keywords.

    Raises:
        InputError: They are no dict.
    """
    found: dict[str, Any] = {}
    for name in ("headers", "extra_headers"):
        headers: Any = given.get(name) or {}
        if not isinstance(headers, Mapping):
            raise InputError(f"{name} must be a dict, not {type(headers).__name__}", param=name)
        found.update(cast("Mapping[str, Any]", headers))
    return found


def handler_request(
    target: Target, messages: Sequence[Any] | None, given: Mapping[str, Any], *, also: Sequence[str] = ()
) -> HandlerRequest:
    """Return what a handler is told beside the messages: the caller's own parameters, under their own names.

    Args:
        target: What the name stands for.
        messages: The messages as the caller gave them.
        given: The caller's keywords.
        also: Keywords of the framework that are the handler's too.
    """
    if not given:
        return HandlerRequest(target.model, {}, messages, target.api_key, target.api_base)
    shared = (*_ALSO_FOR_HANDLERS, *also)
    params = {name: value for name, value in given.items() if name not in _FRAMEWORKS or name in shared}
    return HandlerRequest(
        model=target.model,
        optional_params=params,
        messages=messages,
        api_key=target.api_key,
        api_base=target.api_base,
        headers=headers_in(given),
        timeout=given.get("timeout"),
        client=given.get("client"),
        litellm_params={"metadata": given["metadata"]} if given.get("metadata") else {},
    )


def target_of(model: str, given: Mapping[str, Any]) -> Target:
    """Return what a name stands for, with the caller's key and address."""
    if not given:
        return resolve(model)
    return resolve(
        model,
        custom_llm_provider=given.get("custom_llm_provider"),
        api_key=given.get("api_key"),
        api_base=given.get("api_base") or given.get("base_url"),
    )
