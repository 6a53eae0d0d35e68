"""Keeping a model's secrets out of all that is printed, logged, sent or raised (guarantee 11)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr

MASK = "***"
"""What stands in place of a secret."""
HELD_VALUES = "__modelport_held_values__"
"""What a model has, beside its fields, that may be secret: it is made of an object of another framework."""


def secrets_in(value: Any, depth: int = 4) -> Iterator[str]:
    """Yield the texts of all secrets in a value: itself, or inside models, dicts and lists."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, SecretBytes):
        yield value.get_secret_value().decode("utf-8", "replace")
    elif depth and isinstance(value, BaseModel):
        for one in value.__dict__.values():
            yield from secrets_in(one, depth - 1)
    elif depth and isinstance(value, Mapping):
        for one in value.values():  # pyright: ignore[reportUnknownVariableType]
            yield from secrets_in(one, depth - 1)
    elif depth and isinstance(value, (list, tuple, set, frozenset)):
        for one in value:  # pyright: ignore[reportUnknownVariableType]
            yield from secrets_in(one, depth - 1)


def scrub(value: Any, secrets: list[str]) -> Any:
    """Return a value in which the given secrets are `***`: a text, or texts inside dicts and lists."""
    if not secrets:
        return value
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, MASK)
        return value
    if isinstance(value, Mapping):
        return {key: scrub(one, secrets) for key, one in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, (list, tuple)):
        return type(value)(scrub(one, secrets) for one in value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return value


def known_secrets(model: Any) -> list[str]:
    """Return the secrets that a model has, the longest first; empty ones hide nothing."""
    values: list[Any] = [*model.__dict__.values(), *getattr(model, HELD_VALUES, ())]
    found = {secret for one in values for secret in secrets_in(one) if secret}
    return sorted(found, key=len, reverse=True)
