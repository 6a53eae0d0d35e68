"""What the engine asks of a model: the framework's fields and a few questions about identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from modelport.engine.hooks import Hooks


class EngineModel(Protocol):
    """Is a model as the engine sees it; `models` has the classes that authors subclass."""

    __modelport_hooks__: ClassVar[Hooks]
    __modelport_kind__: ClassVar[str]
    __modelport_serialized__: ClassVar[dict[str, Any]]
    tags: list[str] | None
    metadata: dict[str, Any] | None
    callbacks: Sequence[Any] | None
    max_concurrency: int | None
    cache: Any
    max_batch_size: int | None
    max_wait_ms: float
    include_stop: bool

    @classmethod
    def author_fields(cls) -> list[str]:
        """Return the names of the fields that the author declared."""
        ...

    def get_name(self) -> str:
        """Return the name that runs carry."""
        ...

    def get_model_name(self) -> str:
        """Return the name that results carry."""
        ...

    def llm_type(self) -> str:
        """Return the author's `_llm_type`."""
        ...

    def identity(self) -> Mapping[str, Any]:
        """Return the author's `_identifying_params`."""
        ...

    def scrub(self, value: Any) -> Any:
        """Return a value in which the model's secrets are `***`."""
        ...
