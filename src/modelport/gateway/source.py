"""`Source`: one deployment behind a name of the gateway.

What a client fills in for a `*` is the name that a provider is given, nothing else: it is never read as an import path,
a file or a provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelport.registry.provider import FactoryProvider, HandlerProvider, Kind, ModelProvider, Provider
from modelport.values.errors import InputError

LONGEST_NAME = 512
"""How many characters a client may fill in for a `*`."""
_KINDS: tuple[Kind, ...] = ("chat", "embedding", "image", "rerank")


class Source:
    """Is one deployment: a provider, the model's name there, and what each call of it is given."""

    __slots__ = ("api_base", "api_key", "defaults", "label", "made_of", "model", "origin", "provider")

    def __init__(
        self,
        provider: Provider,
        model: str,
        *,
        label: str,
        api_key: str | None = None,
        api_base: str | None = None,
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        self.provider = provider
        """Who gives the models."""
        self.model = model
        """The name that the provider is given, and that a handler sees; it may have a `*` (see `with_model`)."""
        self.api_key = api_key
        """The key that each call carries."""
        self.api_base = api_base
        """The address that each call carries."""
        self.defaults: dict[str, Any] = dict(defaults or {})
        """Parameters of each call, where the call does not give them."""
        self.origin: Any = None
        """What the config's `use` led to when this was made: a class, an instance, a provider; None: nothing."""
        self.made_of: tuple[str, Mapping[str, Any]] | None = None
        """The config's `use` and `params`."""
        self.label = label
        """What headers and logs call it: without a path and without what a client gave."""

    @property
    def is_wildcard(self) -> bool:
        """Whether a client's text has to be filled in before it can answer."""
        return "*" in self.model

    def with_model(self, text: str) -> Source:
        """Return the source in which a client's text stands for the `*`.

        Raises:
            InputError: The text is too long, or has control characters.
        """
        if len(text) > LONGEST_NAME or not text.isprintable():
            raise InputError(f"the model's name must have at most {LONGEST_NAME} printable characters", param="model")
        return Source(
            self.provider,
            self.model.replace("*", text, 1),
            label=self.label,
            api_key=self.api_key,
            api_base=self.api_base,
            defaults=self.defaults,
        )

    def model_for(self, kind: Kind) -> Any:
        """Return the engine's model that answers a kind of call.

        Raises:
            InputError: There is none for that kind.
            CustomLLMError: The handler has no method for it.
            ModelNotFoundError: The provider is one that nobody has here.
        """
        return self.provider.model_for(kind, self.model, api_key=self.api_key, api_base=self.api_base)

    def kinds(self) -> list[Kind]:
        """Return the kinds of calls that it answers; a wildcard's are its provider's."""
        source = self.with_model("any") if self.is_wildcard else self
        found: dict[Kind, Any] = {kind: _model_or_none(source, kind) for kind in _KINDS}
        return [kind for kind, model in found.items() if model is not None and (kind != "rerank" or _ranks(model))]

    def models(self) -> list[Any]:
        """Return every model that there is now: to be loaded at the start, and unloaded at the end."""
        provider: Any = self.provider
        if isinstance(provider, FactoryProvider):
            return provider.made()
        if isinstance(provider, (ModelProvider, HandlerProvider)):
            found: dict[int, Any] = {}
            for kind in _KINDS:
                model = _model_or_none(self, kind)
                if model is not None:
                    found[id(model)] = model
            return list(found.values())
        return []

    def __repr__(self) -> str:
        return f"Source({self.label!r})"  # without the key


def _model_or_none(source: Source, kind: Kind) -> Any | None:
    try:
        return source.model_for(kind)
    except Exception:  # noqa: BLE001 - it has none of that kind
        return None


def _ranks(model: Any) -> bool:
    return hasattr(model, "_rerank") or hasattr(model, "_arerank")
