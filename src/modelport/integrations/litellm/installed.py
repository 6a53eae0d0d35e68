"""The installed LiteLLM: the package itself, never this stand-in, and what its releases can do."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from typing import Any

from modelport.values.errors import LoadError, MissingExtraError

OLDEST = (1, 60)
"""The first release whose custom handlers have what is needed."""
CHUNK_OBJECTS_SINCE = (1, 90)
"""The first release that takes `ModelResponseStream` from a handler's stream."""


def installed_litellm() -> Any:
    """Return the package.

    Raises:
        MissingExtraError: It is not installed.
        LoadError: It is too old.
    """
    try:
        package: Any = importlib.import_module("litellm")
    except ImportError as error:
        if error.name is not None and error.name.partition(".")[0] != "litellm":
            raise
        raise MissingExtraError("register_litellm", "litellm") from None
    if package.__name__ != "litellm":  # files of handlers may `import litellm` without it: they get the stand-in
        raise MissingExtraError("register_litellm", "litellm")
    if release() < OLDEST:
        found = ".".join(map(str, release()))
        raise LoadError(f"LiteLLM {found} is installed; {OLDEST[0]}.{OLDEST[1]} or newer is needed")
    return package


def release() -> tuple[int, ...]:
    """Return the first two numbers of the installed version; of one that nobody can read, those of the newest."""
    try:
        version = importlib.metadata.version("litellm")
    except importlib.metadata.PackageNotFoundError:
        return CHUNK_OBJECTS_SINCE
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return tuple(map(int, numbers.groups())) if numbers else CHUNK_OBJECTS_SINCE
