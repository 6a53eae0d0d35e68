"""Making the probed class: a subclass of the author's whose hooks report to a `Probe` and then run the author's."""

from __future__ import annotations

import contextlib
import contextvars
import copy
import inspect
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing, closing
from typing import Any

from modelport.engine.hooks import Hook
from modelport.testing.probe import (
    HookCall,
    Probe,
    aiterate_scripted,
    apause,
    iterate_scripted,
    pause,
)

_probes: weakref.WeakKeyDictionary[Any, weakref.ref[Probe]] = weakref.WeakKeyDictionary()
"""The probes of models. A probe has its model, so it is the check that keeps both, and only while it runs."""
_inside: contextvars.ContextVar[Any] = contextvars.ContextVar("modelport_probe_inside", default=None)
"""The model whose own code runs: a hook that it calls by itself is no call of the framework's, and not watched."""


def attach_probe(model: Any, cls: type, probe: Probe) -> Probe:
    """Put a probe on a copy of a model, which becomes an instance of the probed class `cls`, and return it."""
    probed = copy.copy(model)
    object.__setattr__(probed, "__class__", cls)
    probe.model = probe.face = probed
    _probes[probed] = weakref.ref(probe)
    return probe


def make_probe_class(cls: type) -> type:
    """Return a subclass of an author's class, of the same name, whose hooks are watched."""
    hooks: dict[str, Hook] = dict(cls.__modelport_hooks__.present)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType, reportAttributeAccessIssue]
    namespace: dict[str, Any] = {
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
        "__slots__": (),
    }
    for name, hook in hooks.items():
        watched = _MAKERS[hook.is_async, hook.is_stream](hook, getattr(cls, name))
        watched.__signature__ = _signature(getattr(cls, name))  # pyright: ignore[reportFunctionMemberAccess]
        watched.__name__ = name
        namespace[name] = watched
    return type(cls)(cls.__name__, (cls,), namespace)


def _signature(method: Callable[..., Any]) -> inspect.Signature:
    """Return a hook's signature with `stop` and `run_manager` added where the author left them out."""
    signature = inspect.signature(method)
    parameters = list(signature.parameters.values())
    last = parameters[-1]
    tail = [parameters.pop()] if last.kind is last.VAR_KEYWORD else []
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
        for name in ("stop", "run_manager")
        if name not in signature.parameters
    ]
    return signature.replace(parameters=[*parameters, *added, *tail])


def _begin(model: Any, hook: Hook, argument: Any, keywords: dict[str, Any]) -> tuple[Probe, HookCall]:
    # A hook may be called when its check is over, by what that has left behind.
    return _probes[model]() or Probe(), HookCall(model, hook, argument, keywords)


def _author_keywords(hook: Hook, keywords: dict[str, Any]) -> dict[str, Any]:
    """Return the keywords without those that the author's signature does not take."""
    own = dict(keywords)
    if not hook.takes_stop:
        own.pop("stop", None)
    if not hook.takes_manager:
        own.pop("run_manager", None)
    return own


@contextlib.contextmanager
def _in_code_of(model: Any) -> Generator[None, None, None]:
    token = _inside.set(model)
    try:
        yield
    finally:
        _inside.reset(token)


def _value_hook(hook: Hook, authors: Callable[..., Any]) -> Callable[..., Any]:
    def watched(self: Any, argument: Any, *more: Any, **keywords: Any) -> Any:
        if _inside.get() is self:
            return authors(self, argument, *more, **keywords)
        probe, call = _begin(self, hook, argument, keywords)
        try:
            pause(probe.enter(call))
            if probe.is_scripted:
                return probe.result_of(call, probe.scripted(call))
            with _in_code_of(self):
                result = authors(self, argument, **_author_keywords(hook, keywords))
            return probe.result_of(call, result)
        except BaseException as error:
            call.error = error
            raise
        finally:
            probe.leave(call)

    return watched


def _async_value_hook(hook: Hook, authors: Callable[..., Any]) -> Callable[..., Any]:
    async def watched(self: Any, argument: Any, *more: Any, **keywords: Any) -> Any:
        if _inside.get() is self:
            return await authors(self, argument, *more, **keywords)
        probe, call = _begin(self, hook, argument, keywords)
        try:
            await apause(probe.enter(call))
            if probe.is_scripted:
                return probe.result_of(call, probe.scripted(call))
            with _in_code_of(self):
                result = await authors(self, argument, **_author_keywords(hook, keywords))
            return probe.result_of(call, result)
        except BaseException as error:
            call.error = error
            raise
        finally:
            probe.leave(call)

    return watched


def _steps(model: Any, make: Callable[[], Any]) -> Generator[Any, None, None]:
    """Yield what the author's generator yields; only while it runs, its model's code does."""
    with _in_code_of(model):
        made = iter(make())
    try:
        while True:
            with _in_code_of(model):
                try:
                    piece = next(made)
                except StopIteration:
                    return
            yield piece
    finally:
        if isinstance(made, Generator):
            made.close()


async def _asteps(model: Any, make: Callable[[], Any]) -> AsyncGenerator[Any, None]:
    with _in_code_of(model):
        made: Any = make()
    made = aiter(made)
    try:
        while True:
            with _in_code_of(model):
                try:
                    piece = await anext(made)
                except StopAsyncIteration:
                    return
            yield piece
    finally:
        if hasattr(made, "aclose"):
            await made.aclose()


def _stream_hook(hook: Hook, authors: Callable[..., Any]) -> Callable[..., Any]:
    def source(self: Any, probe: Probe, argument: Any, keywords: dict[str, Any]) -> Generator[Any, None, None]:
        if probe.script is not None:
            yield from iterate_scripted(probe.script)
            return
        yield from _steps(self, lambda: authors(self, argument, **_author_keywords(hook, keywords)))

    def pieces_of(self: Any, argument: Any, keywords: dict[str, Any]) -> Iterator[Any]:
        probe, call = _begin(self, hook, argument, keywords)
        try:
            pause(probe.enter(call))
            with closing(source(self, probe, argument, keywords)) as pieces:
                for piece in pieces:
                    for one in probe.pieces_of(piece):
                        pause(probe.before_piece(call))
                        call.given.append(one)
                        yield one
        except BaseException as error:
            call.error = error
            raise
        finally:
            probe.leave(call)

    def watched(self: Any, argument: Any, *more: Any, **keywords: Any) -> Iterator[Any]:
        if _inside.get() is self:
            return authors(self, argument, *more, **keywords)
        return pieces_of(self, argument, keywords)

    return watched


def _async_stream_hook(hook: Hook, authors: Callable[..., Any]) -> Callable[..., Any]:
    async def source(self: Any, probe: Probe, argument: Any, keywords: dict[str, Any]) -> AsyncGenerator[Any, None]:
        if probe.script is not None:
            made: Any = aiterate_scripted(probe.script)
        else:
            made = _asteps(self, lambda: authors(self, argument, **_author_keywords(hook, keywords)))
        async with aclosing(made):
            async for piece in made:
                yield piece

    async def pieces_of(self: Any, argument: Any, keywords: dict[str, Any]) -> AsyncIterator[Any]:
        probe, call = _begin(self, hook, argument, keywords)
        try:
            await apause(probe.enter(call))
            async with aclosing(source(self, probe, argument, keywords)) as pieces:
                async for piece in pieces:
                    for one in probe.pieces_of(piece):
                        await apause(probe.before_piece(call))
                        call.given.append(one)
                        yield one
        except BaseException as error:
            call.error = error
            raise
        finally:
            probe.leave(call)

    def watched(self: Any, argument: Any, *more: Any, **keywords: Any) -> AsyncIterator[Any]:
        if _inside.get() is self:
            return authors(self, argument, *more, **keywords)
        return pieces_of(self, argument, keywords)

    return watched


_MAKERS: dict[tuple[bool, bool], Callable[[Hook, Callable[..., Any]], Callable[..., Any]]] = {
    (False, False): _value_hook,
    (True, False): _async_value_hook,
    (False, True): _stream_hook,
    (True, True): _async_stream_hook,
}
