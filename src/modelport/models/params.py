"""`with_params`: a copy of a model with other fields, checked like a model that is made."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from modelport.engine.state import state_of
from modelport.models.construction import construction_error, unknown_argument, warn_of_batches
from modelport.runs.listeners import listeners_for

if TYPE_CHECKING:
    from modelport.models.base import AuthoredModel

Model = TypeVar("Model", bound="AuthoredModel")


def copy_with(model: Model, fields: Mapping[str, Any], framework_fields: frozenset[str]) -> Model:
    """Return a copy of a model with some fields changed; see `AuthoredModel.with_params` for what it shares.

    Raises:
        TypeError: A name is no field.
        ValueError: A value is wrong.
    """
    cls = type(model)
    for name in fields:
        if name not in cls.model_fields:
            raise TypeError(unknown_argument(cls, name, cls.author_fields()))
    if fields.get("callbacks") is not None:
        listeners_for(fields["callbacks"])
    if fields.get("max_batch_size") is not None:
        warn_of_batches(cls)
    new = copy.copy(model)
    # What else is in there was computed of the fields (cached properties), and would be stale.
    values = {name: value for name, value in new.__dict__.items() if name in cls.model_fields}
    object.__setattr__(new, "__dict__", {**values, **fields})
    refused = _assign(new, fields)
    if refused is not None:
        raise refused
    if framework_fields.issuperset(fields) and not cls.single_loop:
        # Nothing that `_load` may depend on was changed, and what it made is shared: it need not run again.
        state_of(new).loaded = state_of(model).loaded
    return new


def _assign(new: AuthoredModel, fields: Mapping[str, Any]) -> Exception | None:
    """Set fields to checked values; return the error of a wrong one, which holds no values."""
    cls = type(new)
    validate = cls.__pydantic_validator__.validate_assignment
    # A check over several fields runs at every assignment, and may see a value that is not made its type yet: what
    # it says when all are is what counts.
    for name, value in fields.items() if len(fields) > 1 else ():
        try:
            validate(new, name, value)
        except ValidationError as error:
            if any(detail["loc"] for detail in error.errors(include_url=False, include_context=False)):
                return construction_error(cls, cls.author_fields(), error)
        except Exception:  # noqa: BLE001, S110 - raised below, unless it came of such a value
            pass
    try:
        for name in fields:
            validate(new, name, new.__dict__[name])
    except ValidationError as error:
        return construction_error(cls, cls.author_fields(), error)
    return None
