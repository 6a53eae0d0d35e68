"""How a hook of ours calls a LangChain model: bound keywords, tools, and a `stop` that the model refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables.base import RunnableBinding

_CHOICES = {"required": "any"}
"""OpenAI's words for a tool choice where LangChain has its own."""

_REFUSED = "refused_stop"
"""Where a run remembers that the model refused to stop, so that what a binding stops at is not tried again."""


class Target(NamedTuple):
    """Is who is called, and with which keywords."""

    model: Any
    """The innermost object that is no binding."""
    kwargs: dict[str, Any]
    """What its bindings add to each call, and the call's own."""


def unbound(value: Any) -> Target:
    """Return what `bind`, `bind_tools` and `with_config` were called on, and the keywords that they bound."""
    kwargs: dict[str, Any] = {}
    while isinstance(value, RunnableBinding):
        binding = cast("RunnableBinding[Any, Any]", value)
        kwargs = {**binding.kwargs, **kwargs}
        value = binding.bound
    return Target(value, kwargs)


def bound_configs(value: Any) -> list[Mapping[str, Any]]:
    """Return the configs that bindings hold, the innermost first."""
    configs: list[Mapping[str, Any]] = []
    while isinstance(value, RunnableBinding):
        binding = cast("RunnableBinding[Any, Any]", value)
        configs.insert(0, binding.config)
        value = binding.bound
    return configs


def target_of(value: Any, kwargs: Mapping[str, Any]) -> Target:
    """Return who answers a call: tools are bound the way the model binds them."""
    model, own = unbound(value)
    own = {**own, **kwargs}
    if not own.get("tools") or not binds_tools(model) or "tools" not in kwargs:
        return Target(model, own)
    tools = own.pop("tools")
    choice = own.pop("tool_choice", None)
    given = {} if choice is None else {"tool_choice": _tool_choice(choice)}
    inner, bound = unbound(model.bind_tools(tools, **given))
    return Target(inner, {**bound, **own})


def binds_tools(model: Any) -> bool:
    """Tell whether a model takes tools, by having a `bind_tools` of its own."""
    return isinstance(model, BaseChatModel) and type(model).bind_tools is not BaseChatModel.bind_tools


def _tool_choice(choice: Any) -> Any:
    """Return OpenAI's tool choice in LangChain's words: a tool is called by its name."""
    if isinstance(choice, Mapping):
        named: Any = cast("Mapping[str, Any]", choice).get("function")
        if isinstance(named, Mapping) and "name" in named:
            return cast("Mapping[str, Any]", named)["name"]
    return _CHOICES.get(choice, choice) if isinstance(choice, str) else cast("Any", choice)


def stop_for(stop: Any, kwargs: dict[str, Any], run_manager: Any) -> Any:
    """Return what a model is told to stop at: the call's stop, else the one that a binding has, unless it refused."""
    bound = kwargs.pop("stop", None)
    return bound if stop is None and not getattr(run_manager, _REFUSED, False) else stop


def refuses_stop(error: Exception, stop: Any) -> bool:
    """Tell whether a model's exception says that it cannot stop; it is called again without, and we stop it.

    LangChain's guide lets models raise NotImplementedError, and raises ValueError itself.
    """
    if not stop:
        return False
    if isinstance(error, NotImplementedError):
        return True
    return isinstance(error, (ValueError, TypeError)) and "stop" in str(error).lower()


def cannot_stop(error: Exception, run_manager: Any) -> NotImplementedError:
    """Return the error by which a hook says that it cannot stop; the run remembers it."""
    if run_manager is not None:
        setattr(run_manager, _REFUSED, True)
    return NotImplementedError(f"the model takes no stop: {type(error).__name__}")
