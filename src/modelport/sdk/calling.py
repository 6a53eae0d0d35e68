"""Calling a model of any kind for the SDK: its name resolved, its errors translated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from modelport.registry.provider import Kind
from modelport.registry.providers import Target
from modelport.sdk.failures import sdk_error
from modelport.sdk.request import target_of
from modelport.values.errors import ModelportError

T = TypeVar("T")


class ModelCall:
    """Is one model, found by name, that is about to be called."""

    __slots__ = ("_given", "model", "name", "target")

    def __init__(self, kind: Kind, model: str, given: Mapping[str, Any], *, target: Target | None = None) -> None:
        """Find the model.

        Args:
            kind: What it is to do.
            model: `provider/name`.
            given: The caller's keywords.
            target: What the name stands for, when that is known.

        Raises:
            ModelportError: There is none of that name or kind.
        """
        self._given = given
        self.target: Target = target or target_of(model, given)
        """What the name stands for."""
        self.name = self.target.model
        """The model's name."""
        self.model: Any = self.target.source
        """The model that is called."""
        self.model = self.run(lambda: self.target.model_for(kind))

    def run(self, work: Callable[[], T]) -> T:
        """Do what calls the model.

        Raises:
            ModelportError: Whatever the model raised, translated.
        """
        try:
            return work()
        except Exception as error:
            failure = self.failure_of(error)
            if failure is error:
                raise
            raise failure from error

    async def arun(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do what calls the model, on the running loop; raises as `run` does."""
        try:
            return await work()
        except Exception as error:
            failure = self.failure_of(error)
            if failure is error:
                raise
            raise failure from error

    def failure_of(self, error: Exception) -> ModelportError:
        """Return what is raised for an exception of the model's."""
        return sdk_error(error, self.model, name=self.name, provider=self.target.provider, given=self._given)


def given_only(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a caller's keywords that are not None."""
    return {name: value for name, value in given.items() if value is not None}
