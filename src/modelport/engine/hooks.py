"""Which hooks a class has and what each takes: decided once per class, never per call."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from typing_extensions import override

from modelport.engine.hook_sets import HookForm, HookSet
from modelport.engine.reading import shown
from modelport.values.errors import HookError, KeywordError

OPTIONAL_NAMES = ("_llm_type", "_identifying_params", "_count_tokens", "_load", "_unload")
"""What an author may define besides hooks."""
READ_AT_ONCE = 64
"""How many values of a batch are read on the loop that an async hook runs on; more are read in a thread."""
_OURS = frozenset({"stop", "run_manager", "include_stop"})


class Hook:
    """Is one hook of a class: its name, its kind, and what its signature takes."""

    __slots__ = (
        "_ours",
        "cls_name",
        "is_async",
        "is_batch",
        "is_stream",
        "name",
        "shown_name",
        "names",
        "supports",
        "takes_any",
        "takes_manager",
        "takes_stop",
    )

    def __init__(self, cls: type, form: HookForm, signature: inspect.Signature, features: frozenset[str]) -> None:
        parameters = list(signature.parameters.values())[2:]
        self.cls_name = cls.__name__
        self.name = form.name
        self.shown_name: str = getattr(cls, "__modelport_method_names__", {}).get(form.name, form.name)
        """What its author calls it: a handler's methods have LiteLLM's names."""
        self.is_async = form.is_async
        self.is_stream = form.is_stream
        self.is_batch = form.is_batch
        self.names = frozenset(p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
        """Every keyword that the hook names."""
        self.supports: frozenset[str] = frozenset(getattr(cls, "supports", ())) | (self.names & features)
        """Which of its kind's features it does by itself: n, max_tokens, tools, response_format."""
        self.takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
        """Whether it has `**kwargs`."""
        self.takes_stop = "stop" in self.names
        self.takes_manager = "run_manager" in self.names
        first = [p.name for p in list(signature.parameters.values())[:2] if p.kind is p.POSITIONAL_OR_KEYWORD]
        self._ours = frozenset(first + ["run_manager"] * self.takes_manager)
        """The parameters that the engine fills: a caller's keyword of such a name would be there twice."""

    @property
    def label(self) -> str:
        """`Class._hook`, as error messages name it."""
        return f"{self.cls_name}.{self.shown_name}"

    def takes(self, keyword: str) -> bool:
        """Tell whether a call's keyword reaches the hook."""
        return (self.takes_any or keyword in self.names) and keyword not in self._ours

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
            if self.takes_stop and not kwargs:  # the usual call, and the fast one: spreading nothing costs too
                return method(argument, stop=stop, run_manager=manager)
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
        if self.takes_any and self._ours.isdisjoint(kwargs):
            return
        for keyword in kwargs:
            if not self.takes(keyword):
                known = sorted(self.names - _OURS)
                near = difflib.get_close_matches(keyword, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(known) or 'no keywords'}"
                if keyword in self._ours:
                    hint = "a parameter of that name is filled by the framework"
                raise KeywordError(f"{self.label} does not take the keyword {keyword!r}; {hint}", param=keyword)


class ReadHook(Hook):
    """Is a hook whose value is read where the hook ran: to make vectors or images plain takes its thread's time."""

    __slots__ = ("_read", "_reads_long")

    def __init__(
        self,
        cls: type,
        form: HookForm,
        signature: inspect.Signature,
        hook_set: HookSet,
        read: Callable[[Any, Any, str], Any],
    ) -> None:
        super().__init__(cls, form, signature, hook_set.features)
        self._read = read
        self._reads_long = hook_set.reads_long

    @override
    def bind(self, model: Any, argument: Any, stop: list[str] | None, manager: Any, kwargs: Mapping[str, Any]) -> Any:
        value = super().bind(model, argument, stop, manager, kwargs)
        return self._awaited(value, argument) if self.is_async else self._read(value, argument, self.label)

    async def _awaited(self, value: Any, argument: Any) -> Any:
        if not inspect.isawaitable(value):
            raise HookError(f"{self.label} returned {shown(value)}; it must be an `async def`")
        given = await value
        if self._reads_long or (self.is_batch and len(argument) > READ_AT_ONCE):
            from modelport.engine.workers import call_in_worker

            return await call_in_worker(lambda: self._read(given, argument, self.label))
        return self._read(given, argument, self.label)


class Hooks:
    """Is the table of a class's hooks, and which of them answers which way to call."""

    __slots__ = (
        "answer",
        "defined",
        "astream",
        "async_answer",
        "async_many",
        "gives_text",
        "many",
        "needs_load",
        "bare_answer",
        "bare_astream",
        "bare_async_answer",
        "bare_stream",
        "present",
        "single_loop",
        "stream",
    )

    def __init__(self, cls: type, present: dict[str, Hook], hook_set: HookSet) -> None:
        self.present = present
        """The hooks that the class has."""
        self.answer = _first(present, hook_set.answer)
        """Gives one answer to a sync caller."""
        self.async_answer = _first(present, hook_set.async_answer)
        """Gives one answer to an async caller."""
        self.stream = _first(present, hook_set.stream)
        """Streams to a sync caller; None: one chunk of one answer."""
        self.astream = _first(present, hook_set.astream)
        """Streams to an async caller; None: one chunk of one answer."""
        self.many = _first(present, hook_set.many)
        """Answers many prompts of a sync caller; None: concurrent single answers."""
        self.async_many = _first(present, hook_set.async_many)
        """Answers many prompts of an async caller; None: concurrent single answers."""
        self.gives_text = hook_set.read is None
        """Whether answers are text or messages; else they are values of their own, which no run tells of."""
        self.defined = frozenset(name for name in OPTIONAL_NAMES if _defines(cls, name))
        """Which of the optional names the class has: asked once here, for a missing attribute is slow to miss."""
        self.needs_load = "_load" in self.defined
        """Whether the class has a `_load` to run before the first call."""
        self.single_loop = bool(getattr(cls, "single_loop", False))
        """Whether the async hooks are bound to one loop."""
        is_plain = not (self.needs_load or self.single_loop)
        self.bare_answer = _if(not self.needs_load and _is(self.answer, "_call"), self.answer)
        """The hook that may answer a sync caller with nothing around it, when it has the caller's kind."""
        self.bare_async_answer = _if(is_plain and _is(self.async_answer, "_acall"), self.async_answer)
        """The hook that may answer an async caller with nothing around it."""
        self.bare_stream = _if(is_plain and _is(self.stream, "_stream"), self.stream)
        """The hook that may stream to a sync caller with nothing around it."""
        self.bare_astream = _if(is_plain, self.astream)
        """The hook that may stream to an async caller with nothing, or only a thread, around it."""


def _defines(cls: type, name: str) -> bool:
    """Tell whether a class has a name of its own, as an attribute or as one of pydantic's private attributes."""
    private: Mapping[str, Any] = getattr(cls, "__private_attributes__", {})
    return name in private or any(name in ancestor.__dict__ for ancestor in cls.__mro__)


def _is(hook: Hook | None, name: str) -> bool:
    return hook is not None and hook.name == name


def _if(condition: bool, hook: Hook | None) -> Hook | None:
    return hook if condition else None


def _first(present: Mapping[str, Hook], order: tuple[str, ...]) -> Hook | None:
    return next((present[name] for name in order if name in present), None)


def find_hooks(cls: type, base: type, hook_set: HookSet) -> Hooks:
    """Read the hooks of `cls` that are not those of the framework's class `base`.

    Args:
        cls: The author's class.
        base: The framework's class, whose own attributes are no hooks.
        hook_set: The hooks that this kind of model may have.

    Raises:
        TypeError: A method has a hook's name but not its first parameters.
    """
    present: dict[str, Hook] = {}
    for form in hook_set.forms:
        method = getattr(cls, form.name, None)
        if method is None or method is getattr(base, form.name, None):
            continue
        signature = _checked_signature(cls, form, method)
        if hook_set.read is None:
            present[form.name] = Hook(cls, form, signature, hook_set.features)
        else:
            present[form.name] = ReadHook(cls, form, signature, hook_set, hook_set.read)
    return Hooks(cls, present, hook_set)


def _checked_signature(cls: type, form: HookForm, method: Callable[..., Any]) -> inspect.Signature:
    if not callable(method):
        raise TypeError(f"{cls.__name__}.{form.name} is {method!r}, not a method; hooks are methods: {form.example}")
    signature = inspect.signature(method)
    parameters = list(signature.parameters.values())[1:]
    expected, *beside = form.parameters
    named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    wrong = ""
    first = parameters[0] if parameters else None
    if first is None or (first.name != expected and first.kind is not first.VAR_POSITIONAL):
        wrong = f"its first parameter after self is not {expected!r}"
    elif not takes_any and not named.issuperset(beside):
        wrong = f"it takes no {', '.join(repr(name) for name in beside if name not in named)}"
    if wrong:
        given = f"({', '.join(signature.parameters)})"
        raise TypeError(
            f"{cls.__name__}.{form.name}{given} is named like a hook, but {wrong}; write {form.example}, or give the "
            f"method another name"
        )
    return signature
