"""The classes of our models of LangChain's: one for each class and what it does by itself, with its name.

A hook is there where the class has a method of its own for it, so that everything else is derived from those; one
that only says "not implemented" is none. Its signature is that method's: a keyword that the method does not take is
refused before it is called.
"""

from __future__ import annotations

import dis
import inspect
import threading
import types
from collections.abc import Callable, Mapping
from typing import Any, cast

from langchain_core.language_models import LLM, BaseChatModel, BaseLLM

from modelport.integrations.langchain.foreign_calls import binds_tools, unbound
from modelport.integrations.langchain.foreign_chat import CHAT_HOOKS, LangChainChat
from modelport.integrations.langchain.foreign_text import TEXT_HOOKS, LangChainText

_TOOL_WORDS = ("tools", "tool_choice", "parallel_tool_calls")
_HANDED = frozenset({"self", "stop", "run_manager", "prompt", "prompts", "messages"})
_GIVING = frozenset({"RETURN_VALUE", "RETURN_CONST", "YIELD_VALUE"})
"""Instructions of code that gives something, or waits for it."""
_lock = threading.Lock()
_made: dict[tuple[Any, ...], type[Any]] = {}


def class_for(value: Any, *, batches: bool = False) -> type[Any]:
    """Return our class for a LangChain model, or a binding of one: always the same one for the same kind of it.

    Args:
        value: The model.
        batches: Whether a text model's own `_generate` is to be given many prompts at once. It is not by default: many
            such methods are loops, which concurrent calls are faster than.
    """
    model = unbound(value).model
    cls = cast("type[Any]", type(model))
    is_chat = isinstance(model, BaseChatModel)
    methods = answering(_chat_methods(model) if is_chat else _text_methods(cls, batches=batches))
    supports = _supports(model)
    place = (cls, tuple(methods), supports, model.custom_get_token_ids is None)
    with _lock:
        made = _made.get(place)
        if made is None:
            base, hooks = (LangChainChat, CHAT_HOOKS) if is_chat else (LangChainText, TEXT_HOOKS)
            words = _TOOL_WORDS if "tools" in supports else ()
            taken = {name: _taking_what(hooks[name], method, words) for name, method in methods.items()}
            made = _made[place] = new_class(cls, base, {"supports": supports, **taken, **_counting(model)})
        return made


def new_class(owner: type[Any], base: type[Any], namespace: Mapping[str, Any]) -> type[Any]:
    """Return a subclass of one of our classes with the name of a foreign one."""
    named = {"__module__": owner.__module__, "__qualname__": owner.__qualname__, "__doc__": owner.__doc__, **namespace}
    return cast("type[Any]", types.new_class(owner.__name__, (base,), {}, lambda body: body.update(named)))


def answering(methods: Mapping[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """Return the methods that can answer; all of them if none can, so that their own error is what callers see.

    LangChain has some that every class must write: an async one writes `raise NotImplementedError` there.
    """
    return {name: one for name, one in methods.items() if not _only_refuses(one)} or dict(methods)


def _only_refuses(method: Callable[..., Any]) -> bool:
    """Tell whether a method does nothing but raise NotImplementedError."""
    code: Any = getattr(method, "__code__", None)
    steps = list(dis.get_instructions(code)) if code is not None else []
    gives = any(step.opname in _GIVING for step in steps)
    return not gives and any("NotImplementedError" in step.argrepr for step in steps)


def _overrides(cls: type[Any], name: str, base: type[Any]) -> bool:
    return getattr(cls, name) is not getattr(base, name)


def _text_methods(cls: type[Any], *, batches: bool) -> dict[str, Callable[..., Any]]:
    """Return the methods behind each hook of a text model."""
    is_simple = issubclass(cls, LLM)
    one = "_call" if is_simple and not _overrides(cls, "_generate", LLM) else "_generate"
    found: dict[str, Callable[..., Any]] = {"_call": getattr(cls, one)}
    if is_simple and not _overrides(cls, "_agenerate", LLM):
        if _overrides(cls, "_acall", LLM):
            found["_acall"] = getattr(cls, "_acall")  # noqa: B009 - LangChain's hook
    elif _overrides(cls, "_agenerate", BaseLLM):
        found["_acall"] = getattr(cls, "_agenerate")  # noqa: B009
    if batches and one == "_generate":
        found["_batch"] = found["_call"]
        if found.get("_acall") is getattr(cls, "_agenerate"):  # noqa: B009
            found["_abatch"] = found["_acall"]
    return {**found, **_streams(cls, BaseLLM)}


def _chat_methods(model: BaseChatModel) -> dict[str, Callable[..., Any]]:
    """Return the methods behind each hook of a chat model; one that is told not to stream has no streaming hook."""
    cls = cast("type[Any]", type(model))
    found: dict[str, Callable[..., Any]] = {"_call": cls._generate}
    # LangChain's own, SimpleChatModel's too, put the sync method into a thread: ours does that, and can be left.
    if cls._agenerate.__module__ != BaseChatModel.__module__:
        found["_acall"] = cls._agenerate
    is_told = "streaming" in model.model_fields_set and getattr(model, "streaming", None) is False
    if model.disable_streaming is True or is_told:
        return found
    return {**found, **_streams(cls, BaseChatModel)}


def _streams(cls: type[Any], base: type[Any]) -> dict[str, Callable[..., Any]]:
    names = ("_stream", "_astream")
    return {name: getattr(cls, name) for name in names if _overrides(cls, name, base)}


def _supports(model: Any) -> frozenset[str]:
    """Return what a model does by itself; `generate` may give several choices."""
    cls = cast("type[Any]", type(model))
    found = {"choices", *_declared_supports(cls)}
    if "max_tokens" in cls.model_fields:
        found.add("max_tokens")
    if binds_tools(model):
        found.add("tools")
    if isinstance(model, BaseChatModel):
        profile: Any = getattr(model, "profile", None) or {}
        if _overrides(cls, "with_structured_output", BaseChatModel) or profile.get("structured_output"):
            found.add("response_format")
    return frozenset(found)


def _declared_supports(cls: type[Any]) -> frozenset[str]:
    declared: Any = getattr(cls, "supports", ())
    return frozenset(declared) if isinstance(declared, (set, frozenset, tuple, list)) else frozenset()  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _counting(model: Any) -> dict[str, Any]:
    """Return `_count_tokens` for a model that was given its tokenizer.

    Not by the class's own `get_num_tokens`: those of providers' packages load files or ask their API.
    """
    if model.custom_get_token_ids is None:
        return {}

    def _count_tokens(self: Any, text: str) -> int:
        return len(unbound(self.langchain_model).model.custom_get_token_ids(text))

    return {"_count_tokens": _count_tokens}


def _taking_what(hook: Any, method: Callable[..., Any], words: tuple[str, ...]) -> Any:
    """Return a copy of a hook that says it takes what a method takes, and some words more."""
    given = list(inspect.signature(hook).parameters.values())
    theirs = inspect.signature(method).parameters.values()
    named = {one.name for one in theirs if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)} - _HANDED
    takes_any = any(one.kind is one.VAR_KEYWORD for one in theirs)
    extra = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in sorted({*named, *words})]
    return with_signature(hook, inspect.Signature([*given[:-1], *extra, *([given[-1]] if takes_any else [])]))


def with_signature(hook: Any, signature: inspect.Signature) -> Any:
    """Return a copy of a hook that says it takes something else."""
    copy = types.FunctionType(hook.__code__, hook.__globals__, hook.__name__, hook.__defaults__, hook.__closure__)
    copy.__signature__ = signature  # pyright: ignore[reportFunctionMemberAccess]
    return copy
