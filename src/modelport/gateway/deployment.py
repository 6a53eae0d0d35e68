"""One model behind a name: where it comes from, how many requests it takes at once, whether it is well."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modelport.models.scrubbing import Scrubber
from modelport.registry.provider import Kind
from modelport.values.errors import CustomLLMError, InputError

if TYPE_CHECKING:
    from modelport.gateway.admission import Gate
    from modelport.gateway.breaker import Breaker
    from modelport.gateway.metrics import ModelMetrics
    from modelport.gateway.model_source import Source

_DOES_NOT: dict[Kind, str] = {
    "chat": "answers no prompts",
    "embedding": "makes no embeddings",
    "image": "makes no images",
    "rerank": "ranks nothing",
}
MAX_FILLED = 256
"""How many names a wildcard's deployment keeps the models of."""


class Deployment:
    """Is one model that answers under a name."""

    __slots__ = (
        "_filled",
        "_models",
        "_scrubber",
        "breaker",
        "gate",
        "header",
        "metrics",
        "name",
        "source",
        "timeout_seconds",
    )

    def __init__(
        self,
        name: str,
        source: Source,
        *,
        gate: Gate,
        breaker: Breaker | None,
        metrics: ModelMetrics,
        timeout_seconds: float | None,
        scrubber: Scrubber,
    ) -> None:
        self.name = name
        """What headers, logs and metrics call it: the model's name, with a number when there are several."""
        self.source = source
        """Gives the engine's models."""
        self.gate = gate
        """Counts the requests that run, and holds back those over its limit."""
        self.breaker = breaker
        """Keeps requests away from a model that keeps failing; None: nothing is kept away."""
        self.metrics = metrics
        """Where its requests are counted."""
        self.timeout_seconds = timeout_seconds
        """How long a call may take, queueing included; None: as long as it likes."""
        self.header = (b"x-modelport-deployment", quote(name, safe="/:._-*@ ").encode("ascii"))
        """Says in an answer who answered."""
        self._scrubber = scrubber
        self._models: dict[Kind, Any] = {}
        self._filled: OrderedDict[str, Deployment] = OrderedDict()

    def model(self, kind: Kind) -> Any:
        """Return the engine's model for a kind of call.

        Raises:
            InputError: There is none of that kind, or the handler has no method for it.
        """
        model = self._models.get(kind)
        if model is None:
            try:
                model = self._models[kind] = self.source.model_for(kind)
            except CustomLLMError as error:
                # Nothing has failed: whoever asks should ask another one.
                raise InputError(
                    f"the model {self.name!r} {_DOES_NOT[kind]}; ask another one", param="model"
                ) from error
        return model

    def filled(self, name: str) -> Deployment:
        """Return this deployment for what stands in the place of its wildcard; limits and health are shared."""
        known = self._filled.get(name)
        if known is not None:
            self._filled.move_to_end(name)
            return known
        source = self.source.with_model(name)
        if source is self.source:
            return self
        made = self._filled[name] = Deployment(
            self.name,
            source,
            gate=self.gate,
            breaker=self.breaker,
            metrics=self.metrics,
            timeout_seconds=self.timeout_seconds,
            scrubber=self._scrubber,
        )
        while len(self._filled) > MAX_FILLED:
            self._filled.popitem(last=False)
        return made

    def scrubber(self) -> Scrubber:
        """Return what takes this model's secrets out of texts."""
        scrubber = self._scrubber
        for model in self._models.values():
            scrubber = scrubber.for_model(model)
        return scrubber
