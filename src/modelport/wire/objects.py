"""The base of everything that goes over the wire: structs that also behave as the dicts people expect.

Objects read and write by attribute and by item, take dicts for their parts, and keep attributes that OpenAI does not
have; an attribute whose name begins with `_` is private and never leaves the process. Building one by its class is the
lenient way, for handlers' code and for answers of other servers; `plain` is the fast one, for our own.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any, ClassVar, ParamSpec, Self, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from modelport.wire.json_text import encode_json

P = ParamSpec("P")
W = TypeVar("W", bound="WireObject")
JsonObject = dict[str, Any]

_construct: Callable[..., Any] = msgspec.StructMeta.__call__
"""Makes a struct of keywords, past a metaclass's own `__call__`."""


def always(value: Any) -> Any:
    """Return a field's default that is written even when nobody set another: OpenAI requires the key."""
    return msgspec.field(default_factory=lambda: value)


def plain(kind: Callable[P, W]) -> Callable[P, W]:
    """Return a class's fast constructor: declared fields only, parts as objects."""
    return cast("Callable[P, W]", partial(_construct, kind))


class WireMeta(msgspec.StructMeta):
    """Makes a call of a class lenient: dicts become parts, unknown keywords attributes, None means not given."""

    def __call__(cls: type[W], *values: Any, **fields: Any) -> W:  # noqa: N805  # pyright: ignore[reportGeneralTypeIssues] - a metaclass's self
        """Make an object; its class's own signature is what type checkers see."""
        if len(values) > len(cls.positional):
            raise TypeError(f"{cls.__name__} takes keywords: {cls.__name__}({cls.__struct_fields__[0]}=…)")
        return _built(cls, {**dict(zip(cls.positional, values, strict=False)), **fields} if values else fields)


class WireObject(msgspec.Struct, metaclass=WireMeta, dict=True, omit_defaults=True, kw_only=True):
    """Is the base of what goes over the wire: optional fields that are None are left out of the JSON."""

    positional: ClassVar[tuple[str, ...]] = ()
    """The fields that may be given without their names, as LiteLLM's constructors take them."""

    def __getattr__(self, name: str) -> Any:
        # Handlers write into these without making them: `model_response._hidden_params["x"] = 1`.
        if name in ("_hidden_params", "hidden_params"):
            return vars(self).setdefault("_hidden_params", {})
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @classmethod
    def model_validate(cls, value: Mapping[str, Any]) -> Self:
        """Make an object of a dict, its parts of the dicts in it; what is declared is not checked for its type."""
        return _built(cls, value)

    def __getitem__(self, name: str) -> Any:
        if name in self.__struct_fields__ or name in self.__dict__:
            return getattr(self, name)
        raise KeyError(name)

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, name, value)

    def __delitem__(self, name: str) -> None:
        """Remove an extra attribute; a declared field becomes None."""
        if name in self.__struct_fields__:
            setattr(self, name, None)
        elif name in self.__dict__:
            del vars(self)[name]
        else:
            raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return name in self.__struct_fields__ or name in self.__dict__

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Give (name, value) pairs, as pydantic's models do."""
        return iter(self.items())

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field's value, `default` when there is no such field."""
        return getattr(self, name) if name in self else default

    def keys(self) -> list[str]:
        """Return the names of all fields and public extra attributes."""
        return [*self.__struct_fields__, *public_extras(self)]

    def items(self) -> list[tuple[str, Any]]:
        """Return all fields and public extra attributes with their values, parts as objects."""
        return [(name, getattr(self, name)) for name in WireObject.keys(self)]

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return dict(WireObject.items(self)) == dict(WireObject.items(cast("WireObject", other)))

    __hash__ = None  # pyright: ignore[reportAssignmentType] - it can change

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in WireObject.items(self))})"

    def model_dump(
        self,
        *,
        mode: str = "python",
        include: Any = None,
        exclude: Any = None,
        exclude_none: bool = False,
        exclude_unset: bool = False,
        **_: Any,
    ) -> JsonObject:
        """Return the object as dicts and lists, with the keys that its JSON has.

        Args:
            mode: "json" also turns values that JSON does not have (datetimes, UUIDs) into ones that it has.
            include: The names to take, of this object's own; None: all.
            exclude: The names to leave out, of this object's own.
            exclude_none: Leaves out what is None, at every level.
            exclude_unset: Changes nothing: optional fields that nobody set are never there.
        """
        dumped = _dumped(self, exclude_none)
        if include is not None or exclude is not None:
            dumped = {
                name: value
                for name, value in dumped.items()
                if (include is None or name in include) and (exclude is None or name not in exclude)
            }
        return msgspec.to_builtins(dumped) if mode == "json" else dumped

    def model_dump_json(self, *, indent: int | None = None, exclude_none: bool = False, **options: Any) -> str:
        """Return the object as JSON text; `indent` is spaces per level."""
        if options or exclude_none:
            raw = encode_json(WireObject.model_dump(self, exclude_none=exclude_none, **options))
        else:
            raw = encode_object(self)
        return (raw if indent is None else msgspec.json.format(raw, indent=indent)).decode()

    def dict(self, **options: Any) -> JsonObject:
        """Return `model_dump()`."""
        return WireObject.model_dump(self, **options)

    def to_dict(self, **options: Any) -> JsonObject:
        """Return `model_dump()`."""
        return WireObject.model_dump(self, **options)

    def json(self, **options: Any) -> JsonObject:
        """Return `model_dump()`: a dict, as LiteLLM's objects do; the text is `model_dump_json()`."""
        return WireObject.model_dump(self, **options)

    def model_copy(self, *, update: JsonObject | None = None, deep: bool = False) -> Self:
        """Return a copy, with some fields set to other values; `deep` copies the parts too."""
        from copy import deepcopy

        copy = deepcopy(self) if deep else self.__copy__()
        for name, value in (update or {}).items():
            setattr(copy, name, value)
        return copy

    def __copy__(self) -> Self:
        return _restored(type(self), msgspec.structs.asdict(self), dict(self.__dict__))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), msgspec.structs.asdict(self), dict(self.__dict__))


def public_extras(value: WireObject) -> JsonObject:
    """Return the attributes that OpenAI's format does not have."""
    own = vars(value)
    return {name: extra for name, extra in own.items() if not name.startswith("_")} if own else own


def encode_object(value: WireObject) -> bytes:
    """Return an object as JSON in UTF-8, with the extra attributes of all its parts."""
    return encode_json(_dumped(value, exclude_none=False) if _has_extras(value) else value)


class _Shape(msgspec.Struct, frozen=True):
    """Says what a class is made of."""

    names: frozenset[str]
    optional: frozenset[str]
    """The fields that are left out of the JSON when they are None."""
    parts: dict[str, type[WireObject]]
    """The fields that hold objects, or lists of them."""
    reserved: frozenset[str]
    """Names of methods: an extra attribute of that name would hide one."""


@cache
def _shape_of(kind: type[WireObject]) -> _Shape:
    hints = get_type_hints(kind)
    parts = {name: part for name in kind.__struct_fields__ if (part := _part_in(hints[name])) is not None}
    optional = {field.name for field in msgspec.structs.fields(kind) if field.default is None}
    names = frozenset(kind.__struct_fields__)
    return _Shape(names, frozenset(optional), parts, frozenset(dir(kind)) - names)


def _part_in(hint: Any) -> type[WireObject] | None:
    """Return the class of object in a field's type, also in `X | None` and `list[X]`."""
    if isinstance(hint, type) and issubclass(hint, WireObject):
        return hint
    if get_origin(hint) in (Union, types.UnionType, list):
        return next((part for argument in get_args(hint) if (part := _part_in(argument)) is not None), None)
    return None


def _built(kind: type[W], fields: Mapping[str, Any]) -> W:
    shape = _shape_of(kind)
    known: JsonObject = {}
    extras: JsonObject = {}
    for name, value in fields.items():
        if name in shape.names:
            if value is not None:
                known[name] = _as_part(shape.parts[name], value) if name in shape.parts else value
        elif name not in shape.reserved:
            extras[name] = value
    return _restored(kind, known, extras)


def _as_part(kind: type[WireObject], value: Any) -> Any:
    if isinstance(value, dict):
        return _built(kind, cast("JsonObject", value))
    if isinstance(value, (list, tuple)):
        return [_as_part(kind, item) for item in cast("list[Any]", value)]
    return value


def _restored(kind: type[W], fields: JsonObject, extras: JsonObject) -> W:
    made: W = _construct(kind, **fields)
    if extras:
        vars(made).update(extras)
    return made


def _has_extras(value: WireObject) -> bool:
    """Tell whether msgspec, which sees declared fields only, would leave out something of an object or its parts."""
    if vars(value) and public_extras(value):
        return True
    for name in _shape_of(type(value)).parts:
        part = getattr(value, name)
        for one in cast("list[Any]", part) if isinstance(part, list) else (part,):
            # A handler may have put a dict, which may hold objects, where an object belongs.
            if one is not None and (not isinstance(one, WireObject) or _has_extras(one)):
                return True
    return False


def _dumped(value: Any, exclude_none: bool) -> Any:
    if isinstance(value, WireObject):
        optional = _shape_of(type(value)).optional
        return {
            name: _dumped(part, exclude_none)
            for name, part in WireObject.items(value)
            if part is not None or not (exclude_none or name in optional)
        }
    if isinstance(value, dict):
        return {
            name: _dumped(part, exclude_none)
            for name, part in cast("JsonObject", value).items()
            if not (exclude_none and part is None)
        }
    if isinstance(value, (list, tuple)):
        items = cast("list[Any]", value)
        # A vector: thousands of numbers that need no look each.
        return list(items) if items and isinstance(items[0], float) else [_dumped(one, exclude_none) for one in items]
    return value
