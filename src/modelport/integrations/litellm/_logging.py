"""LiteLLM's `litellm._logging`: its loggers, by its names; what they show is up to `logging`."""

from __future__ import annotations

import logging
from typing import Any

from modelport.integrations.litellm.names import also_offered

__all__ = ["verbose_logger", "verbose_proxy_logger", "verbose_router_logger"]

verbose_logger = logging.getLogger("LiteLLM")
"""The logger of handlers' code."""
verbose_proxy_logger = logging.getLogger("LiteLLM Proxy")
"""The logger of the proxy's hooks."""
verbose_router_logger = logging.getLogger("LiteLLM Router")
"""The logger of routing."""


def _turn_on_debug() -> None:  # pyright: ignore[reportUnusedFunction] - litellm's name
    """Let these loggers pass everything on."""
    for logger in (verbose_logger, verbose_proxy_logger, verbose_router_logger):
        logger.setLevel(logging.DEBUG)


def __getattr__(name: str) -> Any:
    return also_offered(__name__, name)
