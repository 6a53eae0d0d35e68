"""The ASGI app: which path is answered by what. Models' paths go straight to their pipeline, all else to a router."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelport.gateway.config import load_settings
from modelport.gateway.cors import Cors
from modelport.gateway.endpoint import Endpoint
from modelport.gateway.endpoints.chat import ChatEndpoint
from modelport.gateway.endpoints.completions import CompletionsEndpoint
from modelport.gateway.endpoints.embeddings import EmbeddingsEndpoint
from modelport.gateway.endpoints.image_edits import ImageEditsEndpoint
from modelport.gateway.endpoints.images import ImagesEndpoint
from modelport.gateway.endpoints.rerank import RerankEndpoint
from modelport.gateway.greeting import ModelLine
from modelport.gateway.lifespan import run_lifespan
from modelport.gateway.metrics import Metrics
from modelport.gateway.model_source import sources_of_mapping
from modelport.gateway.pipeline import Pipeline
from modelport.gateway.request_log import RequestLog
from modelport.gateway.serving import Serving
from modelport.gateway.settings import GatewaySettings
from modelport.gateway.site import Site

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from modelport.gateway.record import RequestRecord

ENDPOINTS: tuple[Endpoint[Any], ...] = (
    ChatEndpoint(),
    CompletionsEndpoint(),
    EmbeddingsEndpoint(),
    ImagesEndpoint(),
    ImageEditsEndpoint(),
    RerankEndpoint(),
)
"""The paths that models answer, each with and without `/v1`."""


class Gateway:
    """Is an ASGI app that answers in OpenAI's formats for the models it holds."""

    def __init__(
        self, settings: GatewaySettings, *, models: Mapping[str, Any] | None = None, metrics: Metrics | None = None
    ) -> None:
        """Make one; its models are loaded when the server starts.

        Args:
            settings: The configuration.
            models: Models and handlers by name, instead of the configuration's.
            metrics: Where requests are counted; None: in metrics of its own.

        Raises:
            LoadError: A model cannot be imported or made.
        """
        self.metrics = metrics if metrics is not None else Metrics()
        """Counts all requests of this process."""
        sources = sources_of_mapping(models) if models is not None else None
        self.serving = Serving(settings, self.metrics, sources=sources)
        """What requests are answered with now."""
        self.in_flight = 0
        """How many requests to models are being answered."""
        self.draining = False
        """Whether the server is ending: what is open is finished, new requests are refused."""
        self.cors = _cors_of(settings)
        """Which pages of other origins may call; None: none."""
        self.request_log = RequestLog() if settings.server.log_requests else None
        """Where each request leaves a line; None: nowhere."""
        self._retiring: set[asyncio.Task[None]] = set()
        self._reloading = asyncio.Lock()
        pipelines = {endpoint.path: Pipeline(self, endpoint) for endpoint in ENDPOINTS}
        self._pipelines = {f"{base}{path}": one for path, one in pipelines.items() for base in ("/v1", "")}
        self._site = Site(self, list(self._pipelines))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the lifespan of the server."""
        if scope["type"] == "http":
            await self.answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await run_lifespan(self, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def answer(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one HTTP request."""
        if scope["method"] == "POST" and (pipeline := self._pipelines.get(scope["path"])) is not None:
            return pipeline(scope, receive, send)
        return self._site(scope, receive, send)

    def recorded(self, record: RequestRecord) -> None:
        """Count a request that is over, and leave its line."""
        self.metrics.finished(record)
        if self.request_log is not None:
            self.request_log.write(record)

    def model_lines(self) -> list[ModelLine]:
        """Return what the greeting says about each model."""
        return [
            ModelLine(
                name,
                tuple(dict.fromkeys(kind for source in sources for kind in source.kinds())),
                tuple(source.label for source in sources),
            )
            for name, sources in self.serving.sources.items()
        ]

    async def reload(self, settings: GatewaySettings) -> None:
        """Serve another configuration from now on; requests that have begun end with the one they began with.

        Models that both have in common stay as they are. The address and the number of workers stay, too.

        Raises:
            InputError: The configuration is wrong; the old one goes on.
            LoadError: A model cannot be made or loaded; the old one goes on.
        """
        async with self._reloading:
            before = self.serving
            # Importing and making models blocks.
            serving = await asyncio.to_thread(Serving, settings, self.metrics, before=before)
            cors = _cors_of(settings)
            await serving.load()
            self.serving, self.cors = serving, cors
            if not settings.server.log_requests:
                self.request_log = None
            elif self.request_log is None:
                self.request_log = RequestLog()
            task = asyncio.create_task(_retire(before, serving))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def close(self) -> None:
        """Unload the models, and write what the log still holds."""
        for task in list(self._retiring):
            await task
        await self.serving.unload()
        if self.request_log is not None:
            await asyncio.to_thread(self.request_log.flush)


def _cors_of(settings: GatewaySettings) -> Cors | None:
    cors = settings.server.cors
    return Cors(cors.origins, cors.max_age_seconds) if cors is not None else None


async def _retire(before: Serving, now: Serving) -> None:
    """Unload what is not served any more, once its last request is over."""
    await before.idle()
    await before.unload(keep=now.models())


def create_app(config: GatewaySettings | str | Path | Mapping[str, Any]) -> Gateway:
    """Return the ASGI app for a config file, settings, or models by name.

    Without keys it answers only calls over loopback.

    Args:
        config: A YAML file's path, settings that were read, or `{"name": model}`, where a model is any of ours or a
            handler.

    Raises:
        InputError: The config has a key or value that is wrong.
        LoadError: A model cannot be imported or made.
    """
    if isinstance(config, Mapping):
        return Gateway(GatewaySettings(), models=config)
    return Gateway(config if isinstance(config, GatewaySettings) else load_settings(config))
