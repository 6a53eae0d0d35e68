"""What a cached answer is an answer to: everything that may change it, in one digest (guarantee 10).

Two calls share a key only when they are the same call of the same model. A value whose contents cannot be told apart
from another's (a client, an array) makes the key belong to one instance, or the call belong to no key at all.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import hashlib
import os
import pathlib
import sys
import threading
import types
import uuid
import weakref
from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

import msgspec
from pydantic import BaseModel, SecretBytes, SecretStr

from modelport.engine.state import state_of

if TYPE_CHECKING:
    from modelport.engine.call import Call
    from modelport.engine.model import EngineModel

FORMAT = 1
"""Goes into every key: an entry of another format is never read."""
_PLAIN = frozenset({str, int, float, bool, bytes, types.NoneType})
_AS_TEXT = (
    dt.date, dt.time, dt.timedelta, decimal.Decimal, uuid.UUID, pathlib.PurePath, complex, range,
)  # fmt: skip

_local_classes: WeakKeyDictionary[type, str] = WeakKeyDictionary()
_fingerprints: WeakKeyDictionary[type, bytes] = WeakKeyDictionary()
_objects: dict[int, tuple[weakref.ref[Any], int]] = {}
_numbers = count(1)
_lock = threading.RLock()


class OpaqueError(Exception):
    """Says that a value's contents cannot be told: it makes no part of a key."""


def key_of(call: Call) -> str | None:
    """Return the key of a call's answer, a hex digest; None when a part of the call cannot be told from another."""
    try:
        whole = [
            FORMAT,
            model_parts(call.model),
            parts_of(call.argument),
            call.stop,
            call.include_stop,
            call.max_tokens,
            [[name, parts_of(call.kwargs[name])] for name in sorted(call.kwargs)],
            call.choice,
        ]
        return hashlib.sha256(msgspec.msgpack.encode(whole)).hexdigest()
    except (OpaqueError, RecursionError, UnicodeEncodeError, OverflowError):
        return None


def model_parts(model: EngineModel) -> list[Any]:
    """Return what tells a model from others: its class, every declared field and its `_identifying_params`.

    State outside of declared fields, or a field that cannot be told from another, adds the instance itself.
    """
    cls = type(model)
    values: Mapping[str, Any] = vars(model)
    parts: list[Any] = [_class_name(cls), _fingerprint(cls)]
    is_told = not getattr(cls, "__private_attributes__", None)
    for name in model.author_fields():
        is_told &= _add(parts, name, values.get(name))
    if "_identifying_params" in cls.__modelport_hooks__.defined:
        for name, value in sorted(model.identity().items()):
            is_told &= _add(parts, name, value)
    if not is_told:
        parts.append(state_of(model).token)
    return parts


def _add(parts: list[Any], name: str, value: Any) -> bool:
    try:
        parts.append([name, parts_of(value)])
    except OpaqueError:
        # Which object it is counts: a field that is given another client gives another key.
        parts.append([name, "opaque", _number_of(value)])
        return False
    return True


def _number_of(value: Any) -> int:
    """Return a number that no other object of this process has or had.

    Raises:
        OpaqueError: The object's end cannot be seen, so another might take its place.
    """
    place = id(value)
    try:
        ref = weakref.ref(value, lambda _: _objects.pop(place, None))
    except TypeError:
        raise OpaqueError from None
    with _lock:
        known = _objects.get(place)
        if known is None or known[0]() is not value:
            known = _objects[place] = ref, next(_numbers)
        return known[1]


def parts_of(value: Any) -> Any:
    """Return a value as plain data in which values of different types stay different.

    Raises:
        OpaqueError: Its contents cannot be told.
    """
    kind = cast("type[Any]", type(value))
    if kind in _PLAIN:
        return value
    if kind is dict:
        return ["dict", _pairs(cast("dict[Any, Any]", value))]
    if kind is list or kind is tuple:
        return [kind.__name__, [parts_of(item) for item in value]]
    if kind is set or kind is frozenset:
        return [kind.__name__, sorted(msgspec.msgpack.encode(parts_of(item)) for item in value)]
    return [_class_name(kind), _contents(value)]


def _pairs(value: Mapping[Any, Any]) -> list[Any]:
    pairs = [[parts_of(key), parts_of(item)] for key, item in value.items()]
    return sorted(pairs, key=lambda pair: msgspec.msgpack.encode(pair[0]))


def _contents(value: Any) -> Any:
    """Return what makes up a value that is no plain data."""
    if hasattr(value.__class__, "__modelport_hooks__"):
        return model_parts(value)
    if isinstance(value, (SecretStr, SecretBytes)):
        secret = value.get_secret_value()
        return hashlib.sha256(secret.encode() if isinstance(secret, str) else secret).digest()
    if isinstance(value, BaseModel):
        if value.__pydantic_private__:
            raise OpaqueError
        # What else is in there was computed of the fields (cached properties).
        fields = {name: one for name, one in vars(value).items() if name in type(value).model_fields}
        return _pairs({**fields, **(value.__pydantic_extra__ or {})})
    if isinstance(value, msgspec.Struct):
        return [parts_of(getattr(value, name)) for name in value.__struct_fields__]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [parts_of(getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, _AS_TEXT):
        return str(value)
    if isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)) and _is_importable(value):
        return f"{value.__module__}.{value.__qualname__}"
    raise OpaqueError


def _is_importable(value: Any) -> bool:
    """Tell whether a class or function is what its name stands for, and not one of several made by one `def`."""
    found: Any = sys.modules.get(value.__module__)
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is value


def _class_name(cls: type) -> str:
    """Return a class's import path; one that its path does not lead to gets a number of its own too."""
    name = f"{cls.__module__}.{cls.__qualname__}"
    if _is_importable(cls):
        return name
    with _lock:
        if cls not in _local_classes:
            _local_classes[cls] = f"{name}#{uuid.uuid4().hex}"
        return _local_classes[cls]


def _fingerprint(cls: Any) -> bytes:
    """Return a digest of what a class's hooks do: an edited model does not find the answers of the one before."""
    known = _fingerprints.get(cls)
    if known is None:
        hooks = cls.__modelport_hooks__
        methods = [getattr(cls, name, None) for name in sorted({*hooks.present, *hooks.defined})]
        codes = [getattr(getattr(method, "fget", method), "__code__", None) for method in methods]
        known = hashlib.sha256(repr([_code(code) for code in codes if code is not None]).encode()).digest()
        _fingerprints[cls] = known
    return known


def _code(code: types.CodeType) -> list[Any]:
    consts = [_code(one) if isinstance(one, types.CodeType) else repr(one) for one in code.co_consts]
    return [code.co_code, code.co_names, consts]


def _forget_after_fork() -> None:
    """Give a forked child a lock that nobody holds."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
