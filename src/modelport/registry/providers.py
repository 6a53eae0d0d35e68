"""`provider/model`: the providers of this process by name, and finding the model that a name stands for.

User names win over sources (`custom_provider_map`), those over entry points (`modelport.providers`), those over the
providers that come with modelport.
"""

from __future__ import annotations

import contextlib
import difflib
import logging
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from importlib.metadata import entry_points
from typing import Any

import msgspec
from typing_extensions import override

from modelport.registry.builtin import BUILTIN
from modelport.registry.provider import (
    FactoryProvider,
    HandlerProvider,
    Kind,
    ModelProvider,
    Provider,
    provider_of,
)
from modelport.registry.sources import add_source, sources
from modelport.values.errors import InputError, LoadError, ModelNotFoundError

logger = logging.getLogger("modelport.registry")

GROUP = "modelport.providers"
"""The entry point group under which a package offers providers."""
MAX_FOUND = 256
"""How many of the objects that sources found keep their models."""

_CROWDED = MAX_FOUND // 2
"""From how many on it is noted which of them are in use: the last ones are those that stay."""

__all__ = ["Target", "add_source", "get_llm_provider", "provider_names", "register", "resolve", "unregister"]

_lock = threading.Lock()
_registered: dict[str, Provider] = {}
_found: OrderedDict[int, tuple[Any, Provider]] = OrderedDict()


class Target(msgspec.Struct, frozen=True):
    """Is what a name stands for."""

    provider: str
    """The part before the first slash."""
    model: str
    """The rest."""
    source: Provider
    """Who gives the model."""
    api_key: str | None
    """The caller's key."""
    api_base: str | None
    """The caller's address."""

    @override
    def __repr__(self) -> str:
        return f"Target({self.provider!r}, {self.model!r})"  # without the key

    def model_for(self, kind: Kind) -> Any:
        """Return the model that answers a kind of call.

        Raises:
            InputError: There is none for that kind.
        """
        return self.source.model_for(kind, self.model, api_key=self.api_key, api_base=self.api_base)


def register(name: str, model_or_handler: Any, **fields: Any) -> None:
    """Make a model or handler callable as `name/…` (a model as `name` too); the last registration of a name wins.

    Args:
        name: The provider's name, without a slash.
        model_or_handler: A model, a handler, or the class of either.
        **fields: The framework's fields: `max_concurrency`, `cache`, `max_batch_size`, …

    Raises:
        InputError: The name is empty or has a slash, or the value is neither a model nor a handler.
        TypeError: A field is none of the framework's; the message names the nearest.
        ValueError: A field's value is wrong; the message names the field.
    """
    _check_name(name)
    provider = provider_of(model_or_handler, fields)
    if name in _registered:
        logger.warning("%r was registered before; the last registration counts", name)
    elif name in BUILTIN:
        logger.warning("%r hides the provider of that name that comes with modelport", name)
    with _lock:
        _registered[name] = provider


def unregister(name: str) -> None:
    """Forget a name; nothing happens when it is not registered."""
    with _lock:
        _registered.pop(name, None)


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not name or "/" in name:
        raise InputError(f"a provider's name is a text without a slash, not {name!r}")


def resolve(
    model: str, *, custom_llm_provider: str | None = None, api_key: str | None = None, api_base: str | None = None
) -> Target:
    """Return what `provider/model` stands for.

    Raises:
        InputError: `model` is no text.
        ModelNotFoundError: No provider has that name; the message says which names are near.
    """
    given: Any = model
    if not isinstance(given, str) or not given:
        raise InputError(f"model must be a text like 'provider/name', not {given!r}", param="model")
    if custom_llm_provider:
        name, rest = custom_llm_provider, model.removeprefix(f"{custom_llm_provider}/")
    else:
        name, _, rest = model.partition("/")
    source = _registered.get(name)
    if source is None:
        source = _look_for(name)
    if source is None:
        raise no_provider(model, name)
    return Target(name, rest or name, source, api_key, api_base)


def _look_for(name: str) -> Provider | None:
    try:
        found = _offered(name)
        return None if found is None else provider_of_found(found)
    except (InputError, LoadError):
        raise
    except Exception as error:
        raise LoadError(f"the provider {name!r} cannot be made: {error}") from error


def find_provider(name: str) -> Any | None:
    """Return what a provider's name stands for; None: nothing that is known.

    It is a provider, or what a source or a package gives: a model or a handler, or the class of either.

    Raises:
        LoadError: The package that offers it cannot be loaded.
    """
    return _registered.get(name) or _offered(name)


def _offered(name: str) -> Any | None:
    """Return what a name stands for that nobody registered."""
    for find in sources():
        found = find(name)
        if found is not None:
            return found
    entry = _entry_points().get(name)
    if entry is not None:
        try:
            return entry()
        except Exception as error:
            raise LoadError(f"the provider {name!r} of the entry points cannot be loaded: {error}") from error
    make = BUILTIN.get(name)
    return make() if make is not None else None


def provider_of_found(found: Any) -> Provider:
    """Return the provider of what `find_provider` gave: the same one for the same object.

    Raises:
        InputError: It is no model and no handler.
    """
    known = _found.get(id(found))
    if known is not None and known[0] is found:  # nearly always
        if len(_found) > _CROWDED:
            with contextlib.suppress(KeyError):  # another thread may have let go of it
                _found.move_to_end(id(found))
        return known[1]
    if isinstance(found, (ModelProvider, HandlerProvider, FactoryProvider)):
        return found
    provider = provider_of(found)
    with _lock:
        _found[id(found)] = found, provider
        while len(_found) > MAX_FOUND:
            _found.popitem(last=False)
    return provider


def _entry_points() -> dict[str, Callable[[], Any]]:
    return _entry_points_on(tuple(sys.path))


@lru_cache(maxsize=4)
def _entry_points_on(path: tuple[str, ...]) -> dict[str, Callable[[], Any]]:
    """Return the providers that packages offer; they are looked for anew when the places to look at have changed."""
    return {entry.name: cache(entry.load) for entry in entry_points(group=GROUP)}


def no_provider(model: str, name: str, also: Iterable[str] = ()) -> ModelNotFoundError:
    """Return the error that says that nobody has a provider's name, and which name is near.

    Args:
        model: What was asked for.
        name: The provider's name.
        also: Names that are known to the caller.
    """
    known = [*also, *provider_names()]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known providers: {', '.join(known)}"
    if "/" not in model:
        hint = f"a model is called by 'provider/name'; {hint}"
    return ModelNotFoundError(f"no provider {name!r} for the model {model!r}; {hint}")


def provider_names() -> list[str]:
    """Return the names that are known without asking a source: registered ones, entry points, our own."""
    return list(dict.fromkeys([*_registered, *_entry_points(), *BUILTIN]))


def get_llm_provider(
    model: str,
    custom_llm_provider: str | None = None,
    api_base: str | None = None,
    api_key: str | None = None,
) -> tuple[str, str, str | None, str | None]:
    """Return `(model, provider, api_key, api_base)` of a name, as LiteLLM's function does.

    Raises:
        ModelNotFoundError: No provider has that name.
    """
    target = resolve(model, custom_llm_provider=custom_llm_provider, api_key=api_key, api_base=api_base)
    return target.model, target.provider, target.api_key, target.api_base
