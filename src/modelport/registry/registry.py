"""The models of one process by the names that clients ask for."""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modelport.models.chat import ChatModel
from modelport.models.llm import LLM
from modelport.registry.loader import described, load_object
from modelport.values.errors import LoadError, ModelNotFoundError

Model = LLM | ChatModel
"""What the registry holds."""


class Registry:
    """Holds models by name; a name that nobody gave is an error that says which one is near."""

    def __init__(self, models: Mapping[str, Model]) -> None:
        self._models = dict(models)
        self.created = int(time.time())
        """When these models became available, in seconds since 1970."""

    def get(self, name: str) -> Model:
        """Return the model of a name.

        Raises:
            ModelNotFoundError: No model has it; the message says which name is near.
        """
        model = self._models.get(name)
        if model is None:
            near = difflib.get_close_matches(name, self._models, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "GET /v1/models lists the models there are"
            raise ModelNotFoundError(f"the model {name!r} does not exist; {hint}")
        return model

    def names(self) -> list[str]:
        """Return all names, in the order in which they were given."""
        return list(self._models)

    def __iter__(self) -> Iterator[Model]:
        """Yield each model once, however many names it has."""
        return iter({id(model): model for model in self._models.values()}.values())


def make_model(use: str, params: Mapping[str, Any], folder: Path | None = None) -> Model:
    """Return the model that an import path names: an instance, or its class called with `params`.

    Raises:
        LoadError: It cannot be imported or made, or is no model; the cause is the original error.
    """
    found = load_object(use, folder)
    if isinstance(found, type) and issubclass(found, (LLM, ChatModel)):
        try:
            return found(**params)
        except Exception as error:
            raise LoadError(f"{use!r} cannot be made: {described(error)}") from error
    if not isinstance(found, (LLM, ChatModel)):
        raise LoadError(
            f"{use!r} is {_what(found)}, not a model; it must be a subclass or an instance of LLM or ChatModel"
        )
    if params:
        raise LoadError(f"{use!r} is an instance and takes no params ({', '.join(params)}); name its class instead")
    return found


def _what(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"
