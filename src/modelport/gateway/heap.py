"""The heap of a server process: what was loaded at the start is not searched for garbage again and again.

A full garbage collection goes through all objects, and nobody is answered meanwhile: a bare gateway stands still for
12 ms, one whose models import torch for 100 ms and more.
"""

from __future__ import annotations

import gc


def settle() -> None:
    """Have garbage collections leave out all objects that there are now; a process calls it when it is ready."""
    gc.collect()
    gc.freeze()


def unsettle() -> None:
    """Have garbage collections look at everything again: what a reload replaces is garbage."""
    gc.unfreeze()
