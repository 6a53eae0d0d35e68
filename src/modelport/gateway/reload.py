"""Reads the config again, on SIGHUP or when a file has changed; what is wrong with it leaves the old one in place."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from modelport.gateway.watching import changes
from modelport.registry.loaded_files import bring_back, forget_changed, loaded_files
from modelport.registry.loader import described
from modelport.values.errors import ModelportError

if TYPE_CHECKING:
    from modelport.gateway.options import ServeOptions
    from modelport.gateway.settings import GatewaySettings

logger = logging.getLogger("modelport.gateway")

FIXED = ("host", "port", "workers")
"""What a server cannot change while it runs."""
NOT_RELOADED = "the config was not taken over, the old one goes on"


class Reloadable(Protocol):
    """Is an app that can change its settings."""

    async def reload(self, settings: GatewaySettings) -> None:
        """Serve by other settings from now on; when it raises, the old ones stay."""
        ...


class Reloader:
    """Waits to be asked; what is asked for while it works is done once more afterwards."""

    def __init__(
        self, gateway: Reloadable, options: ServeOptions, settings: GatewaySettings, *, watch: bool = False
    ) -> None:
        """Take what is reloaded.

        Args:
            gateway: The app.
            options: Give the settings, as often as they are asked.
            settings: Those that the app has.
            watch: Whether a changed file is asked for too.
        """
        self._gateway = gateway
        self._options = options
        self._settings = settings
        self._watch = watch
        self._asked = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._on_change: Callable[[GatewaySettings], object] = _ignore

    def start(self, on_change: Callable[[GatewaySettings], object]) -> None:
        """Begin to wait, on the running loop; `on_change` gets the settings that the app has taken over."""
        self._on_change = on_change
        self._tasks.append(asyncio.create_task(self._serve()))
        if self._watch:
            self._tasks.append(asyncio.create_task(self._notice()))

    async def stop(self) -> None:
        """Wait no more; a reload that has begun is given up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def ask(self) -> None:
        """Have the config read again."""
        self._asked.set()

    async def reload(self) -> bool:
        """Read the config and take it over; tell whether that was possible. One line in the log says what changed."""
        try:
            settings = await asyncio.to_thread(self._options.settings)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the old one goes on
            logger.error("%s: %s", NOT_RELOADED, error if isinstance(error, ModelportError) else type(error).__name__)
            return False
        warnings = self._keep_fixed(settings)
        forgotten = await asyncio.to_thread(forget_changed)
        try:
            await self._gateway.reload(settings)
        except BaseException as error:
            await asyncio.to_thread(bring_back, forgotten)
            if not isinstance(error, (Exception, SystemExit)):
                raise
            text = str(error) if isinstance(error, ModelportError) else described(error)
            logger.error("%s: %s", NOT_RELOADED, settings.scrubber().without_secrets(text))
            return False
        files = {Path(module.__file__ or name).name for name, module in forgotten.items()}
        logger.info("the config was read again: %s", _changes(self._settings, settings, files))
        for warning in warnings:
            logger.warning(warning)
        self._settings = settings
        self._on_change(settings)
        return True

    def _keep_fixed(self, settings: GatewaySettings) -> list[str]:
        """Put what cannot change back to what it is; return a line about each."""
        lines: list[str] = []
        for name in FIXED:
            is_now, wanted = getattr(self._settings.server, name), getattr(settings.server, name)
            if is_now != wanted:
                lines.append(f"server.{name} stays {is_now!r}; start the gateway again for {wanted!r}")
                setattr(settings.server, name, is_now)
        return lines

    async def _serve(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self.reload()

    async def _notice(self) -> None:
        async with aclosing(changes(self._files)) as noticed:
            async for _ in noticed:
                self.ask()

    def _files(self) -> set[Path]:
        config = self._options.config
        return loaded_files() | self._settings.included | ({config.absolute()} if config is not None else set())


def _changes(old: GatewaySettings, new: GatewaySettings, files: Iterable[str]) -> str:
    """Return in words what differs; the values are not said, they may be secrets."""
    facts = {
        "added": [name for name in new.models if name not in old.models],
        "removed": [name for name in old.models if name not in new.models],
        "changed": [name for name in new.models if name in old.models and new.models[name] != old.models[name]],
        "executed anew": sorted(files),
        "also changed": [
            name for name in type(new).model_fields if name != "models" and getattr(new, name) != getattr(old, name)
        ],
    }
    return "; ".join(f"{what} {', '.join(names)}" for what, names in facts.items() if names) or "nothing has changed"


def _ignore(_settings: GatewaySettings) -> None:
    """Do nothing."""
