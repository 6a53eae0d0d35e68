"""What `modelport check` is pointed at: a model or handler by its import path, or a server by its address."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import msgspec

from modelport.cli.addresses import is_class, is_function, load_value, made_by_function, near_name
from modelport.cli.params import params_of, text_fields_of
from modelport.models.base import AuthoredModel
from modelport.registry.made import made_provider
from modelport.registry.provider import HandlerProvider, ModelProvider, foreign_model, is_handler
from modelport.values.errors import InputError, LoadError

if TYPE_CHECKING:
    from modelport.testing import CheckResult

CONNECT_SECONDS = 10.0
"""How long a server may take to accept a connection before the checks."""
OnResult = Callable[["CheckResult"], None]


class Listed(Protocol):
    """Is what a list of checks shows of each."""

    @property
    def id(self) -> str:
        """The check's id."""
        ...

    @property
    def sentence(self) -> str:
        """What it is about."""
        ...


class ModelTarget(msgspec.Struct, frozen=True):
    """Is a model or a handler to check."""

    path: str
    """Its import path."""
    params: tuple[str, ...] = ()
    """`name=value`, each: what its class is made with."""
    prompts: tuple[str, ...] = ()
    """What it is asked; none: the kit's own."""
    raw: bool = False
    """Whether to check the author's own code."""
    timeout_seconds: float | None = None
    """How long one answer may take; None: as long as usual."""

    def checks(self) -> Sequence[Listed]:
        """Return the checks there are."""
        from modelport.testing import all_checks

        return all_checks()

    def run(self, ids: Sequence[str] | None, on_result: OnResult) -> list[CheckResult]:
        """Run the checks.

        Raises:
            LoadError: The model cannot be imported or made.
        """
        from modelport.testing import run_checks

        return run_checks(
            self.factory(),
            prompts=self.prompts or None,
            ids=ids,
            raw=self.raw,
            timeout_seconds=self.timeout_seconds,
            on_result=on_result,
        )

    def factory(self) -> Callable[[], Any]:
        """Return what makes a fresh model or handler; of an instance always the same.

        Raises:
            LoadError: It cannot be imported or made, or is neither.
        """
        found = load_value(self.path)
        params = params_of(self.params, text_fields_of(found))
        if is_function(found):
            made = made_by_function(found, params, self.path)
            self._must_be_checkable(made)
            return lambda: found(**params)
        if is_class(found):
            made_provider(found, params, self.path)  # what is wrong with it is said now, once
            return lambda: _made(found, params, self.path)
        if params:
            raise InputError(f"{self.path!r} is an instance and takes no --param; name its class instead")
        self._must_be_checkable(found)
        return lambda: found

    def _must_be_checkable(self, value: Any) -> None:
        if isinstance(value, AuthoredModel) or (is_handler(value) and not isinstance(value, type)):
            return
        if not isinstance(value, type) and foreign_model(value, {}) is not None:
            return
        raise LoadError(
            f"{self.path!r} is {_described(value)}, not a model; it must be an LLM, a ChatModel, an EmbeddingModel, an "
            f"ImageModel, a handler, or a function that returns one"
        )


class ServerTarget(msgspec.Struct, frozen=True):
    """Is a server to check."""

    url: str
    """Its address, up to and with `/v1`."""
    key: str | None = None
    """The key that the checks call with."""
    model: str | None = None
    """The model that is asked; None: one that the server lists."""
    timeout_seconds: float | None = None
    """How long one answer may take; None: as long as the kit says."""

    def checks(self) -> Sequence[Listed]:
        """Return the checks there are."""
        from modelport.testing.wire import all_wire_checks

        return all_wire_checks()

    def run(self, ids: Sequence[str] | None, on_result: OnResult) -> list[CheckResult]:
        """Run the checks.

        Raises:
            InputError: Nobody listens there.
        """
        from modelport.testing.wire import run_wire_checks

        self._must_listen()
        more = {} if self.timeout_seconds is None else {"timeout_seconds": self.timeout_seconds}
        return run_wire_checks(self.url, key=self.key, model=self.model, ids=ids, on_result=on_result, **more)

    def _must_listen(self) -> None:
        """Refuse an address where nobody listens: each check would fail, and none would say more."""
        try:
            address = urlsplit(self.url)
            port = address.port or {"http": 80, "https": 443}[address.scheme]
            socket.create_connection((address.hostname or "", port), timeout=CONNECT_SECONDS).close()
        except (OSError, ValueError) as error:
            raise InputError(f"{self.url} cannot be reached: {error}; does the server run?") from None


def chosen_ids(checks: Sequence[Listed], wanted: Sequence[str]) -> list[str] | None:
    """Return the ids that `--only` names, in the order of the checks; None: all.

    Args:
        checks: The checks there are.
        wanted: Ids, groups (`stop`), or patterns (`stop:*:cut`).

    Raises:
        InputError: One of them names no check.
    """
    if not wanted:
        return None
    ids = [one.id for one in checks]
    groups = list(dict.fromkeys(one.partition(":")[0] for one in ids))
    for text in wanted:
        if not any(_names(text, one) for one in ids):
            near = near_name(text, [*groups, *ids]) or f"; the groups are {', '.join(groups)}"
            raise InputError(f"--only {text!r} names no check{near} (--list shows all)")
    return [one for one in ids if any(_names(text, one) for text in wanted)]


def _names(text: str, check_id: str) -> bool:
    return check_id.partition(":")[0] == text or fnmatchcase(check_id, text)


def _made(cls: Any, params: dict[str, Any], name: str) -> Any:
    """Return a fresh instance: of a handler with the framework's fields, the handler itself."""
    provider = made_provider(cls, params, name)
    return provider.handler if isinstance(provider, HandlerProvider) else _model_of(provider)


def _model_of(provider: Any) -> Any:
    assert isinstance(provider, ModelProvider), "a class is made into a model or a handler"
    return provider.model


def _described(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"of type {type(value).__name__}"
