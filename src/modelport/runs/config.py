"""The `config` that every way to call takes: LangChain's keys, plus deadlines."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, cast
from uuid import UUID

from modelport.values.errors import InputError
from modelport.values.foreign import adapter_for

if TYPE_CHECKING:
    from modelport.runs.scope import Scope


class RunnableConfig(TypedDict, total=False):
    """Configures one call and everything that it calls."""

    tags: list[str]
    """Labels of this run and of the runs inside it."""
    metadata: dict[str, Any]
    """Facts about this run and the runs inside it."""
    callbacks: Sequence[Any] | Scope | None
    """Callback handlers, ours or LangChain's; or what `run_manager.get_child()` returned, of theirs too."""
    run_name: str | None
    """Name of this run; the default is the class's name."""
    run_id: UUID | str | None
    """Id of this run; made up when absent."""
    max_concurrency: int | None
    """How many items of one `batch` run at once."""
    timeout: float | None
    """Seconds from the call to its last chunk, queueing included."""
    first_token_timeout: float | None
    """Seconds from the call to its first chunk."""
    configurable: dict[str, Any]
    """Free values for the functions inside a chain."""
    recursion_limit: int
    """Accepted for LangChain's sake; ignored."""


CONFIG_KEYS = frozenset(RunnableConfig.__annotations__)


def check_config(config: Any) -> None:
    """Refuse a config with keys or values that nothing would read.

    Raises:
        InputError: The config is no dict, a key is unknown (the message names the nearest), tags are one text, or a
            number is not positive.
    """
    if not isinstance(config, Mapping):
        raise InputError(f"config must be a dict, not {config!r}; known keys: {', '.join(sorted(CONFIG_KEYS))}")
    given = cast("Mapping[str, Any]", config)
    for key in given:
        if key not in CONFIG_KEYS:
            near = difflib.get_close_matches(str(key), CONFIG_KEYS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known keys: {', '.join(sorted(CONFIG_KEYS))}"
            raise InputError(f"{key!r} is no key of config{hint}")
    for key in ("timeout", "first_token_timeout"):
        check_seconds(f"config[{key!r}]", given.get(key))
    if isinstance(tags := given.get("tags"), str):
        raise InputError(f"config['tags'] must be a list of texts, not {tags!r}; write [{tags!r}]")
    limit: Any = given.get("max_concurrency")
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
        raise InputError(f"config['max_concurrency'] must be an int of at least 1, or None, not {limit!r}")


def check_seconds(name: str, value: Any) -> None:
    """Refuse a number of seconds that is negative, NaN or no number; None is fine."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise InputError(f"{name} must be a number of seconds of at least 0, or None, not {value!r}", param=name)


def merge_configs(base: Mapping[str, Any] | None, over: Mapping[str, Any] | None) -> dict[str, Any]:
    """Merge two configs: tags and callbacks add up, metadata and configurable overlay, the rest is replaced."""
    if not base:
        return dict(over or {})
    if not over:
        return dict(base)
    # LangChain's configs have every key, most of them empty: those say nothing.
    merged: dict[str, Any] = {**base, **{key: value for key, value in over.items() if value not in (None, [], {})}}
    if base.get("tags") and over.get("tags"):
        merged["tags"] = list(dict.fromkeys([*base["tags"], *over["tags"]]))
    for key in ("metadata", "configurable"):
        if base.get(key) and over.get(key):
            merged[key] = {**base[key], **over[key]}
    one, other = placed(base.get("callbacks")), placed(over.get("callbacks"))
    if one is not None and other is not None:
        merged["callbacks"] = _merge_callbacks(one, other)
    return merged


def placed(callbacks: Any) -> Any:
    """Return a config's `callbacks`; of a framework's own callback manager the `Scope` that it stands for."""
    if callbacks is None or isinstance(callbacks, Sequence):
        return callbacks  # pyright: ignore[reportUnknownVariableType]
    adapter = adapter_for(callbacks)
    scope = adapter.scope_of(callbacks) if adapter is not None else None
    return callbacks if scope is None else scope


def _merge_callbacks(one: Any, other: Any) -> Any:
    """Merge two `callbacks`: handlers add up; a place in a run tree is joined by the other side's handlers."""
    if isinstance(one, Sequence) and isinstance(other, Sequence):
        handlers = cast("Sequence[Any]", one)
        return [*handlers, *(handler for handler in cast("Sequence[Any]", other) if handler not in handlers)]
    if isinstance(one, Sequence):
        return other.with_handlers(one)
    return one.with_handlers(other) if isinstance(other, Sequence) else other
