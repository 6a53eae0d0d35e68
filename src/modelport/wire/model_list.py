"""What `GET /models` answers."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from modelport.wire.received import decode_response, field_of, list_of

OWNER = "modelport"
"""Who owns the models: nobody the client knows."""


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Is one model of the list; its id can be called as it is."""

    id: str
    object: str = "model"
    created: int
    """When it was made available, in seconds since 1970."""
    owned_by: str = OWNER


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """Is the list of all models."""

    object: str = "list"
    data: list[ModelEntry]


def model_list(names: Iterable[str], created: int) -> ModelList:
    """Return the list of the models with these names."""
    return ModelList(data=[ModelEntry(id=name, created=created) for name in names])


def decode_model_names(raw: bytes | str) -> list[str]:
    """Return the names of the models that another server lists.

    Raises:
        BadResponseError: The body is no JSON object, or has no list `data`.
    """
    entries = list_of(decode_response(raw), "data")
    return [name for entry in entries if isinstance(name := field_of(entry, "id"), str)]
