"""The handler under check: a factory, and handlers whose methods are watched."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from modelport.models.handler import CustomLLM
from modelport.models.handler_calls import HandlerMethod, methods_of
from modelport.models.handler_models import HandlerModels
from modelport.testing.checks import NotApplicable
from modelport.testing.gates import Gate
from modelport.testing.subject import SAMPLE_PROMPTS

CHATS = ("completion", "acompletion", "streaming", "astreaming")
"""The methods that answer a chat."""
_ANSWERS_WAY = {"invoke": "answer", "ainvoke": "async_answer", "stream": "stream", "astream": "astream"}


class MethodCall:
    """Is one call of a handler's method."""

    def __init__(self, name: str, keywords: dict[str, Any]) -> None:
        self.name = name
        """The method's name."""
        self.keywords = keywords
        """All that the method was given."""
        try:
            self.loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self.loop = None
        """The event loop that the method runs on; None in a plain thread."""


class WatchedHandler:
    """Watches one handler: `handler` has its methods, with their signatures, and notes each call."""

    def __init__(self, handler: Any) -> None:
        """Watch a handler's methods, which stay as they are."""
        self.calls: list[MethodCall] = []
        """The calls, in the order of their start."""
        self.called = Gate()
        """Opens with the first call."""
        self.answer: Callable[[MethodCall], Any] | None = None
        """Knob: gives what a method returns in place of the author's code; an async one awaits what can be awaited."""
        owner: type = handler.__class__
        namespace: dict[str, Any] = {
            "__module__": owner.__module__,
            "__qualname__": owner.__qualname__,
            "supports": getattr(owner, "supports", ()),
            "caller_loop": getattr(handler, "caller_loop", False),
        }
        for name, method in methods_of(handler).items():
            namespace[name] = self._watched(name, getattr(handler, method.name))
        # Of a CustomLLM it keeps that missing methods say so.
        bases = (CustomLLM,) if isinstance(handler, CustomLLM) else ()
        self.handler: Any = type(owner.__name__, bases, namespace)()
        """Has the same methods as the handler, named by what they do, and the same class name."""

    def model(self) -> Any:
        """Return the handler's chat model."""
        return HandlerModels(self.handler).model("chat")

    def _watched(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def watched(_: Any, **keywords: Any) -> Any:
            call = MethodCall(name, keywords)
            self.calls.append(call)
            self.called.open()
            return method(**keywords) if self.answer is None else self.answer(call)

        async def awatched(_: Any, **keywords: Any) -> Any:
            value = watched(_, **keywords)
            return await value if inspect.isawaitable(value) else value

        # What `astreaming` gives, an iterator or what is awaited for one, is itself the answer.
        made: Any = awatched if name.startswith("a") and name != "astreaming" else watched
        signature = inspect.signature(method)
        itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
        others = [
            one.replace(kind=one.KEYWORD_ONLY) if one.kind is one.POSITIONAL_OR_KEYWORD else one
            for one in signature.parameters.values()
            if one.kind not in (one.POSITIONAL_ONLY, one.VAR_POSITIONAL)
        ]
        made.__signature__ = signature.replace(parameters=[itself, *others])
        return made


class HandlerSubject:
    """Is the handler under check."""

    def __init__(self, make: Callable[[], Any], prompts: Sequence[Any] | None = None) -> None:
        self.make = make
        """Makes a fresh handler; one that is made only once is shared, never changed."""
        self.prompts: list[Any] = list(prompts or SAMPLE_PROMPTS)
        """What the handler is asked."""
        handler = self.watch().handler
        self.cls: type = type(handler)
        """The class of its watched handlers, which has the name of the author's."""
        self.methods: dict[str, HandlerMethod] = methods_of(handler)
        """The methods that the handler has itself, by what they do."""
        self.uses_callers_loop = handler.caller_loop is True
        """Whether async methods run on their caller's loop."""

    def watch(self) -> WatchedHandler:
        """Return a fresh handler, watched."""
        return WatchedHandler(self.make())

    def method_for(self, way: str) -> HandlerMethod:
        """Return the chat method that answers a way to call, or an SDK face of that kind.

        Raises:
            NotApplicable: The handler answers no chat.
        """
        if not any(name in self.methods for name in CHATS):
            raise NotApplicable(f"the handler has none of {', '.join(CHATS)}")
        hooks: Any = self._model_class.__modelport_hooks__
        hook = getattr(hooks, _ANSWERS_WAY[way])
        if hook is None:
            hook = hooks.async_answer if way == "astream" else hooks.answer
        return self.methods[hook.shown_name]  # watched handlers name their methods by what they do

    @functools.cached_property
    def _model_class(self) -> Any:
        return self.watch().model().__class__

    @property
    def supports(self) -> frozenset[str]:
        """What the chat methods do by themselves."""
        return self._model_class.supports

    def one_of(self, *names: str) -> HandlerMethod:
        """Return the first of some methods that the handler has.

        Raises:
            NotApplicable: It has none of them.
        """
        method = next((self.methods[name] for name in names if name in self.methods), None)
        if method is None:
            raise NotApplicable(f"the handler has none of {', '.join(names)}")
        return method

    def needs(self, method: HandlerMethod, keyword: str) -> None:
        """Demand that a method takes a keyword, so that it can be seen.

        Raises:
            NotApplicable: It does not.
        """
        if not method.takes(keyword):
            raise NotApplicable(f"`{method.name}` takes no `{keyword}`")
