"""What a configuration became: routes to loaded models, keys, limits. A reload puts another one in its place."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from modelport.gateway.admission import Gate
from modelport.gateway.breaker import Breaker
from modelport.gateway.deployment import Deployment
from modelport.gateway.keyring import Keyring
from modelport.gateway.model_source import sources_of
from modelport.gateway.routing import Route, Router
from modelport.gateway.settings import CircuitBreakerSettings, DeploymentSettings, GatewaySettings, ModelSettings
from modelport.gateway.source import Source
from modelport.values.errors import LoadError

if TYPE_CHECKING:
    from modelport.gateway.metrics import Metrics

logger = logging.getLogger("modelport.gateway")


class Serving:
    """Holds what requests are answered with; a request keeps the one that it began with."""

    def __init__(
        self,
        settings: GatewaySettings,
        metrics: Metrics,
        *,
        sources: Mapping[str, Source] | None = None,
        before: Serving | None = None,
    ) -> None:
        """Make the models of a configuration; none is loaded yet.

        Args:
            settings: The configuration.
            metrics: Where requests are counted.
            sources: Models by name that are there already, instead of the configuration's.
            before: What was served until now: what did not change is taken over, loaded as it is.

        Raises:
            LoadError: A model cannot be imported or made; the message names its place.
        """
        self.settings = settings
        """The configuration."""
        self.comment_seconds = settings.server.keep_alive_comments_seconds
        """How long a stream may be silent before it sends a comment."""
        self.limits = settings.server.limits
        """The bounds of requests."""
        keys = settings.server.keys
        self.keyring = Keyring(
            keys, workers=settings.server.workers, before=before.keyring if before is not None else None
        )
        """Who may call."""
        self.scrubber = settings.scrubber()
        """Takes the configuration's secrets out of texts."""
        self.created = int(time.time())
        """When these models became available, in seconds since 1970."""
        self.in_flight = 0
        """How many requests are being answered with this."""
        self._metrics = metrics
        self._idle: asyncio.Event | None = None
        self._loaded: list[Any] = []
        self.sources = (
            {name: [source] for name, source in sources.items()}
            if sources is not None
            else sources_of(settings, before.sources if before is not None else None)
        )
        """Where the models of each name come from, one for each of its deployments."""
        known = {one.name: one for route in (before.router if before else ()) for one in route.deployments}
        self.router = Router([self._route(name, known) for name in self.sources], settings.aliases)
        """Finds who answers a name."""

    def _route(self, name: str, known: Mapping[str, Deployment]) -> Route:
        entry = self.settings.models.get(name) or ModelSettings(use=name)
        parts, sources = entry.parts(), self.sources[name]
        deployments: list[Deployment] = []
        for index, (part, source) in enumerate(zip(parts, sources, strict=True)):
            label = f"{name}/{index}" if len(parts) > 1 else name
            gate = Gate(_concurrency_of(part, source), part.max_queue, part.queue_timeout_seconds)
            breaker = _breaker_of(entry, len(parts))
            before = known.get(label)
            if before is not None and before.source is source:
                # The calls that it answers go on, and what has failed so far still counts.
                gate = before.gate if before.gate.is_like(gate) else gate
                breaker = before.breaker if breaker and before.breaker and before.breaker.is_like(breaker) else breaker
            deployments.append(
                Deployment(
                    label,
                    source,
                    gate=gate,
                    breaker=breaker,
                    metrics=self._metrics.for_model(name, label, waiting=lambda gate=gate: gate.waiting),
                    timeout_seconds=entry.timeout_seconds or self.settings.server.timeout_seconds,
                    scrubber=self.scrubber,
                )
            )
        return Route(name, deployments, retries=entry.retries, fallbacks=entry.fallbacks)

    def models(self) -> list[Any]:
        """Return all models, each once."""
        found = [model for route in self.router for one in route.deployments for model in one.source.models()]
        return list({id(model): model for model in found}.values())

    async def load(self) -> None:
        """Load all models that are not loaded.

        Raises:
            LoadError: One cannot be loaded; those that this call has loaded are unloaded again.
        """
        for model in self.models():
            try:
                await model.aload()
            except Exception as error:
                await self.unload()
                text = self.scrubber.for_model(model).without_secrets(f"{type(error).__name__}: {error}")
                raise LoadError(f"{type(model).__name__} cannot be loaded: {text}") from error
            self._loaded.append(model)

    async def unload(self, keep: Iterable[Any] = ()) -> None:
        """Unload what was loaded, but for the models to keep."""
        kept = {id(model) for model in keep}
        for model in reversed(self._loaded):
            if id(model) in kept:
                continue
            try:
                await model.aunload()
            except Exception as error:  # noqa: BLE001 - one model's clean-up must not keep the others from theirs
                text = self.scrubber.for_model(model).without_secrets(f"{type(error).__name__}: {error}")
                logger.error("unloading %s failed: %s", type(model).__name__, text)
        self._loaded.clear()

    def left(self) -> None:
        """Take down that a request is over."""
        self.in_flight -= 1
        if self._idle is not None and not self.in_flight:
            self._idle.set()

    async def idle(self) -> None:
        """Wait until no request is being answered with this."""
        if self.in_flight:
            self._idle = self._idle or asyncio.Event()
            await self._idle.wait()


def _concurrency_of(part: DeploymentSettings, source: Source) -> int | None:
    """Return how many requests a deployment answers at once: a model's own `max_concurrency` bounds its hook calls."""
    if part.max_concurrency is not None:
        return part.max_concurrency
    own = [one.max_concurrency * (one.max_batch_size or 1) for one in source.models() if one.max_concurrency]
    return max(own, default=None)


def _breaker_of(entry: ModelSettings, deployments: int) -> Breaker | None:
    """Return what keeps requests away from a failing model: where there is another to go to, or it was asked for."""
    asked = entry.circuit_breaker
    if asked is None:
        if deployments == 1 and not entry.fallbacks:
            return None
        asked = CircuitBreakerSettings()
    return Breaker(failures=asked.failures, cooldown_seconds=asked.cooldown_seconds)
