"""`to_openai_client`: OpenAI's own client, whose requests models answer in this process.

    client = to_openai_client(MyModel())
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hello"}])

The package `openai` makes requests and reads answers as it does with a server; in between is the gateway, without one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from modelport.gateway.app import Gateway
from modelport.gateway.in_process import InProcessTransport
from modelport.gateway.model_source import make_source, name_to_fill
from modelport.gateway.settings import GatewaySettings, ModelSettings, ServerSettings
from modelport.gateway.source import Source
from modelport.registry.loader import load_object
from modelport.registry.made import made_provider
from modelport.registry.provider import FactoryProvider
from modelport.values.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from types import ModuleType

    from openai import AsyncOpenAI, OpenAI

BASE_URL = "http://modelport/v1"
"""The address in the clients' requests; nothing is sent there."""
_OURS = ("http_client", "base_url")


def to_openai_client(model: Any, **options: Any) -> OpenAI:
    """Return `openai.OpenAI` on a model, without a server: answers, streams, embeddings, images, and its exceptions.

    It may be used by many threads, and in code that runs on a loop. Closing it ends what is open, and unloads the
    models that were made for it; one that is handed over as an instance stays as it is.

    Args:
        model: A model of any kind, a handler, the class of either, or the name of one: `provider/model`, or an import
            path. It answers whatever the caller's `model=` is, so code that says `gpt-4o` stays as it is; a handler
            sees that name. Or a mapping from names to these, a `*` in a name standing for any text: other names are
            OpenAI's `NotFoundError` then.
        **options: OpenAI's own, as `timeout`. `max_retries` is 0 if not given, and a key is not needed.

    Raises:
        InputError: An option is one that this function gives itself, or a value is no model.
        LoadError: A class cannot be made, or there is nothing under a name.
        MissingExtraError: The package `openai` is not installed.
    """
    package = _openai()
    http_client = package.DefaultHttpxClient(transport=_transport(model, options), trust_env=False)
    return package.OpenAI(**_given(options), http_client=http_client)


def to_async_openai_client(model: Any, **options: Any) -> AsyncOpenAI:
    """Return `openai.AsyncOpenAI` on a model, without a server; see `to_openai_client`.

    Models answer on the loop of their caller, which may be another one each time.
    """
    package = _openai()
    http_client = package.DefaultAsyncHttpxClient(transport=_transport(model, options), trust_env=False)
    return package.AsyncOpenAI(**_given(options), http_client=http_client)


class _ModelTransport(InProcessTransport):
    """Sends requests to a gateway of models; those that were made for it end with it."""

    def __init__(self, gateway: Gateway, own: list[Source]) -> None:
        # A model loads itself before its first call; what is not this client's own is not to be unloaded by it.
        super().__init__(gateway, lifespan=False, raise_app_exceptions=False)
        self._own = own

    @override
    def close(self) -> None:
        super().close()
        for model in self._models():
            model.unload()

    @override
    async def aclose(self) -> None:
        await super().aclose()
        for model in self._models():
            await model.aunload()

    def _models(self) -> list[Any]:
        return list({id(model): model for source in self._own for model in source.models()}.values())


def _openai() -> ModuleType:
    try:
        import openai
    except ImportError:
        raise MissingExtraError("to_openai_client", "openai") from None
    return openai


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {"api_key": "none", "max_retries": 0, **options, "base_url": BASE_URL}


def _transport(model: Any, options: Mapping[str, Any]) -> _ModelTransport:
    for name in _OURS:
        if name in options:
            raise InputError(f"{name} is given by to_openai_client itself; leave it out, or make the client yourself")
    if isinstance(model, Mapping):
        models = cast("Mapping[str, Any]", model)
        if not models:
            raise InputError("there are no models; give at least one, as {'my-model': model}")
        made = {name: _source(name, value) for name, value in models.items()}
    else:
        name = _name_of(model)
        source, is_own = _source(name, model)
        # Two names of one source: the model's own is what `models.list()` shows, `*` answers to all others.
        every = Source(source.provider, "*" if source.model == name else source.model, label=source.label)
        made = {name: (source, is_own), "*": (every, False)}
    gateway = _gateway({name: source for name, (source, _) in made.items()})
    return _ModelTransport(gateway, [source for source, is_own in made.values() if is_own])


def _gateway(sources: Mapping[str, Source]) -> Gateway:
    # A model's own `max_concurrency` is kept by the engine; who waits for it here is refused by no queue's bound.
    models = {name: ModelSettings(use=source.label, max_concurrency=sys.maxsize) for name, source in sources.items()}
    settings = GatewaySettings(models=models, server=ServerSettings(log_requests=False))
    gateway = Gateway(settings, models=sources)
    for route in gateway.serving.router:
        if route.name == "*":
            for one in route.deployments:
                one.name = one.source.label  # errors speak of a name that says something
    return gateway


def _source(name: str, value: Any) -> tuple[Source, bool]:
    """Return what answers, and whether it was made for this."""
    if isinstance(value, str):
        if "/" in value or not re.search(r"[:.]", value):
            source = make_source(value, {}, GatewaySettings())
            return source, isinstance(source.provider, FactoryProvider)
        value = load_object(value)
    is_own = isinstance(value, type)
    label = value.__name__ if is_own else type(value).__name__
    return Source(made_provider(value, {}, label), name_to_fill(name), label=label), is_own


def _name_of(model: Any) -> str:
    if isinstance(model, str):
        return model
    own: Any = getattr(model, "name", None)
    if isinstance(own, str) and own:
        return own
    return model.__name__ if isinstance(model, type) else type(model).__name__
