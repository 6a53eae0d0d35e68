"""Which runs tell events: LangChain's `include_…`/`exclude_…` arguments, read once per run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from modelport.values.errors import InputError

if TYPE_CHECKING:
    from modelport.runs.run import Run


class EventFilter:
    """Says of a run, by its name, type and tags, whether its events are told.

    A run is in when no `include_…` is given or one of them names it, and out when an `exclude_…` names it. The runs
    inside it are judged on their own.
    """

    __slots__ = ("_exclude_names", "_exclude_tags", "_exclude_types", "_include_names", "_include_tags",
                 "_include_types", "_includes_all")  # fmt: skip

    def __init__(
        self,
        *,
        include_names: Iterable[str] | None = None,
        include_types: Iterable[str] | None = None,
        include_tags: Iterable[str] | None = None,
        exclude_names: Iterable[str] | None = None,
        exclude_types: Iterable[str] | None = None,
        exclude_tags: Iterable[str] | None = None,
    ) -> None:
        """Read the arguments; an empty list of an `include_…` names nothing, None does not ask.

        Raises:
            InputError: One of them is a single text, or is no list of texts.
        """
        self._includes_all = include_names is None and include_types is None and include_tags is None
        self._include_names = _texts("include_names", include_names)
        self._include_types = _texts("include_types", include_types)
        self._include_tags = _texts("include_tags", include_tags)
        self._exclude_names = _texts("exclude_names", exclude_names)
        self._exclude_types = _texts("exclude_types", exclude_types)
        self._exclude_tags = _texts("exclude_tags", exclude_tags)

    def takes(self, run: Run) -> bool:
        """Tell whether this run's events are told."""
        included = (
            self._includes_all
            or run.name in self._include_names
            or run.kind in self._include_types
            or not self._include_tags.isdisjoint(run.tags)
        )
        return (
            included
            and run.name not in self._exclude_names
            and run.kind not in self._exclude_types
            and self._exclude_tags.isdisjoint(run.tags)
        )


def _texts(argument: str, given: Any) -> frozenset[str]:
    if given is None:
        return frozenset()
    if isinstance(given, str):
        raise InputError(f"{argument} must be a list of texts, not {given!r}; write [{given!r}]", param=argument)
    if not isinstance(given, Iterable):
        raise InputError(f"{argument} must be a list of texts, or None, not {given!r}", param=argument)
    texts = list(cast("Iterable[Any]", given))
    for text in texts:
        if not isinstance(text, str):
            raise InputError(f"{argument} must be a list of texts; {text!r} is none", param=argument)
    return frozenset(texts)
