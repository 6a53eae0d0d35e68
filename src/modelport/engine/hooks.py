"""Which hooks a class has and what each takes: decided once per class, never per call."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal

from modelport.values.errors import KeywordError

HookName = Literal["_call", "_acall", "_stream", "_astream", "_batch", "_abatch"]
HOOK_NAMES: tuple[HookName, ...] = ("_call", "_acall", "_stream", "_astream", "_batch", "_abatch")
"""The six hooks; any one of them makes a model."""
OPTIONAL_NAMES = ("_llm_type", "_identifying_params", "_count_tokens", "_load", "_unload")
"""What an author may define besides hooks."""
ANSWER_ORDER: tuple[HookName, ...] = ("_call", "_stream", "_acall", "_astream", "_batch", "_abatch")
"""Which hook gives one answer to a sync caller: the first that the class has."""
ASYNC_ANSWER_ORDER: tuple[HookName, ...] = ("_acall", "_astream", "_call", "_stream", "_abatch", "_batch")
"""Which hook gives one answer to an async caller."""
FEATURES = frozenset({"n", "max_tokens", "tools", "response_format"})
"""What a hook may support: by naming the parameter, or by the class's `supports`."""
_OURS = frozenset({"stop", "run_manager", "include_stop"})


class Hook:
    """Is one hook of a class: its name, its kind, and what its signature takes."""

    __slots__ = (
        "cls_name",
        "is_async",
        "is_batch",
        "is_stream",
        "name",
        "names",
        "supports",
        "takes_any",
        "takes_manager",
        "takes_stop",
    )

    def __init__(self, cls_name: str, name: HookName, signature: inspect.Signature, supports: frozenset[str]) -> None:
        parameters = list(signature.parameters.values())[2:]
        self.cls_name = cls_name
        self.name = name
        self.is_async = name in ("_acall", "_astream", "_abatch")
        self.is_stream = name in ("_stream", "_astream")
        self.is_batch = name in ("_batch", "_abatch")
        self.names = frozenset(p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
        """Every keyword that the hook names."""
        self.supports = supports | (self.names & FEATURES)
        """Which of n, max_tokens, tools, response_format it does by itself."""
        self.takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
        """Whether it has `**kwargs`."""
        self.takes_stop = "stop" in self.names
        self.takes_manager = "run_manager" in self.names

    @property
    def label(self) -> str:
        """`Class._hook`, as error messages name it."""
        return f"{self.cls_name}.{self.name}"

    def takes(self, keyword: str) -> bool:
        """Tell whether a call's keyword reaches the hook."""
        return self.takes_any or keyword in self.names

    def bind(
        self,
        model: Any,
        argument: Any,
        stop: list[str] | None,
        manager: Any,
        kwargs: Mapping[str, Any],
    ) -> Any:
        """Call the hook with what its signature takes; returns its value, coroutine or iterator."""
        method = getattr(model, self.name)
        if self.takes_manager:
            if self.takes_stop:
                return method(argument, stop=stop, run_manager=manager, **kwargs)
            return method(argument, run_manager=manager, **kwargs)
        if self.takes_stop:
            return method(argument, stop=stop, **kwargs)
        return method(argument, **kwargs)

    def check_keywords(self, kwargs: Mapping[str, Any]) -> None:
        """Refuse keywords that would not reach the hook.

        Raises:
            KeywordError: The first such keyword, with the near name.
        """
        if self.takes_any:
            return
        for keyword in kwargs:
            if keyword not in self.names:
                known = sorted(self.names - _OURS)
                near = difflib.get_close_matches(keyword, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(known) or 'no keywords'}"
                raise KeywordError(f"{self.label} does not take the keyword {keyword!r}; {hint}", param=keyword)


class Hooks:
    """Is the table of a class's hooks, and which of them answers which way to call."""

    __slots__ = (
        "answer",
        "defined",
        "astream",
        "async_answer",
        "async_many",
        "many",
        "needs_load",
        "plain",
        "present",
        "single_loop",
        "stream",
    )

    def __init__(self, cls: type, present: dict[HookName, Hook]) -> None:
        self.present = present
        """The hooks that the class has."""
        self.answer = _first(present, ANSWER_ORDER)
        """Gives one answer to a sync caller."""
        self.async_answer = _first(present, ASYNC_ANSWER_ORDER)
        """Gives one answer to an async caller."""
        self.stream = _first(present, ("_stream", "_astream"))
        """Streams to a sync caller; None: one chunk of one answer."""
        self.astream = _first(present, ("_astream", "_stream"))
        """Streams to an async caller; None: one chunk of one answer."""
        self.many = _first(present, ("_batch", "_abatch"))
        """Answers many prompts of a sync caller; None: concurrent single answers."""
        self.async_many = _first(present, ("_abatch", "_batch"))
        """Answers many prompts of an async caller; None: concurrent single answers."""
        self.defined = frozenset(name for name in OPTIONAL_NAMES if _defines(cls, name))
        """Which of the optional names the class has: asked once here, for a missing attribute is slow to miss."""
        self.needs_load = "_load" in self.defined
        """Whether the class has a `_load` to run before the first call."""
        self.single_loop = bool(getattr(cls, "single_loop", False))
        """Whether the async hooks are bound to one loop."""
        self.plain = not (self.needs_load or self.single_loop)
        """Whether a call needs nothing before the hook when hook and caller are of one kind."""


def _defines(cls: type, name: str) -> bool:
    """Tell whether a class has a name of its own, as an attribute or as one of pydantic's private attributes."""
    private: Mapping[str, Any] = getattr(cls, "__private_attributes__", {})
    return name in private or any(name in ancestor.__dict__ for ancestor in cls.__mro__)


def _first(present: Mapping[HookName, Hook], order: tuple[HookName, ...]) -> Hook | None:
    return next((present[name] for name in order if name in present), None)


def find_hooks(cls: type, base: type, first_parameter: str) -> Hooks:
    """Read the hooks of `cls` that are not those of the framework's class `base`.

    Args:
        cls: The author's class.
        base: The framework's class, whose own attributes are no hooks.
        first_parameter: The word for the input: "prompt" or "messages". Batch hooks of a text model take "prompts".

    Raises:
        TypeError: A method has a hook's name but not its first parameter.
    """
    present: dict[HookName, Hook] = {}
    for name in HOOK_NAMES:
        method = getattr(cls, name, None)
        if method is None or method is getattr(base, name, None):
            continue
        expected = "prompts" if first_parameter == "prompt" and name in ("_batch", "_abatch") else first_parameter
        signature = _checked_signature(cls, name, method, expected)
        present[name] = Hook(cls.__name__, name, signature, frozenset(getattr(cls, "supports", ())))
    return Hooks(cls, present)


def _checked_signature(cls: type, name: str, method: Callable[..., Any], expected: str) -> inspect.Signature:
    if not callable(method):
        raise TypeError(
            f"{cls.__name__}.{name} is {method!r}, not a method; hooks are methods: {example(name, expected)}"
        )
    signature = inspect.signature(method)
    parameters = list(signature.parameters.values())
    first = parameters[1] if len(parameters) > 1 else None
    fits = first is not None and (first.name == expected or first.kind is first.VAR_POSITIONAL)
    if not fits:
        given = f"({', '.join(signature.parameters)})"
        raise TypeError(
            f"{cls.__name__}.{name}{given} is named like a hook, but its first parameter after self is not "
            f"{expected!r}; write {example(name, expected)}, or give the method another name"
        )
    return signature


def example(name: str, parameter: str) -> str:
    """Return how a hook's definition starts, for error messages."""
    prefix = "async def" if name in ("_acall", "_astream", "_abatch") else "def"
    return f"`{prefix} {name}(self, {parameter}, stop=None, run_manager=None, **kwargs)`"
