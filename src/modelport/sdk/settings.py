"""Settings of the SDK that hold for every call of this process."""

from __future__ import annotations

import logging

logger = logging.getLogger("modelport.sdk")


class Settings:
    """Is what a caller may set once for all calls; a call's own keyword wins."""

    def __init__(self) -> None:
        self.drop_params = False
        """Whether parameters that a model does not take are dropped, with one log line, and not refused."""


settings = Settings()
"""The settings of this process."""
