"""What a runnable that is made of others says of them: graphs and schemas are derived from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from modelport.runnables.base import Runnable

Shape = Literal["sequence", "parallel", "assign", "branch"]


class Arm(NamedTuple):
    """Is one runnable inside another."""

    label: str | None
    """Parallel, assign: the output's key. Branch: when it runs. Otherwise None."""
    runnable: Runnable[Any, Any]
    """What runs."""


class Parts(NamedTuple):
    """Is how a runnable is made of others; `Runnable.__modelport_parts__` returns it."""

    shape: Shape
    """sequence: one after the other (a wrapper is a sequence of one); parallel: all get the input, the output is a
    dict; assign: as parallel, and the input's own keys stay; branch: one of them runs."""
    arms: tuple[Arm, ...]
    """What it is made of, in order; at least one."""

    @classmethod
    def of(cls, shape: Shape, *arms: Runnable[Any, Any] | tuple[str | None, Runnable[Any, Any]]) -> Parts:
        """Return parts of runnables, or of pairs of label and runnable."""
        return cls(shape, tuple(Arm(*arm) if isinstance(arm, tuple) else Arm(None, arm) for arm in arms))
