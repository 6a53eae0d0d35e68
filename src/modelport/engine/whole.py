"""One answer that is no text: a vector, or images. It comes whole; nothing of it is cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from modelport.engine.tokens import Count, usage_of
from modelport.values.usage import Usage


class WholeOutput:
    """Takes a hook's one value where a text goes through an `Output`; the value has a field `usage`."""

    __slots__ = ("_text", "_value", "cut", "started")

    def __init__(self, text: str) -> None:
        self._text = text
        self._value: Any = None
        self.started = False
        """Whether the hook has given anything yet."""
        self.cut = False
        """Always False: nothing is cut."""

    @property
    def text(self) -> str:
        """The text released so far: none."""
        return ""

    def push(self, value: Any) -> None:
        """Take the value, which was read and checked where its hook ran."""
        self.started = True
        self._value = value

    def finish(self) -> None:
        """Take the end of the hook: nothing is held back."""

    def result(
        self,
        *,
        reported: Usage | None,
        finish: str | None,
        prompt: Callable[[], str],
        count: Count | None,
        name: Callable[[], str],
    ) -> Any:
        """Return the value with its usage; the arguments are those of `Output.result`."""
        usage = usage_of(reported or self._value.usage, lambda: self._text, "", count)
        return msgspec.structs.replace(self._value, usage=usage)
