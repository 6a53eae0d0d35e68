"""What a structured output must be: a pydantic model, a TypedDict or a JSON Schema, as one kind of thing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, cast, get_args, get_origin, get_type_hints

import typing_extensions
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import to_json
from typing_extensions import is_typeddict

from modelport.values.errors import InputError, MissingExtraError, ModelportError

_MAX_PROBLEMS = 10


class OutputSchema:
    """Is what an answer must fit: a name, a JSON Schema to tell the model, and a validator."""

    __slots__ = ("_validate", "description", "gives_dicts", "json_schema", "name", "output_type")

    def __init__(
        self, name: str, json_schema: Mapping[str, Any], output_type: Any, validate: Callable[[Any], Any]
    ) -> None:
        """Make a schema of its parts.

        Raises:
            InputError: The JSON Schema describes something else than an object.
        """
        # OpenAI takes letters, digits, _ and - in names: a generic model is called `Box[int]`.
        self.name = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:64].strip("_") or "answer"
        """The name that the model is told."""
        self.json_schema = _object_schema(name, json_schema)
        """The JSON Schema that the model is told; that of an object."""
        self.description: str | None = self.json_schema.get("description")
        """The schema's own description."""
        self.output_type = output_type
        """The type of what `validate` gives."""
        self.gives_dicts = not (isinstance(output_type, type) and issubclass(cast("type[Any]", output_type), BaseModel))
        """Whether `validate` gives a dict, which can be shown while it grows."""
        self._validate = validate

    def validate(self, value: Any) -> Any:
        """Return what a JSON value is by this schema.

        Raises:
            ValueError: It does not fit; the message names each field that is wrong.
        """
        return self._validate(value)


def output_schema(schema: Any) -> OutputSchema:
    """Return the schema that a caller means.

    Args:
        schema: A pydantic model class, a TypedDict class, or a dict: a JSON Schema with a `title` or `name`, or
            OpenAI's form of a function, a tool or a response format.

    Raises:
        InputError: It is none of these, has no name, or describes no object.
        MissingExtraError: It is a dict, and jsonschema is not installed.
    """
    if isinstance(schema, type) and issubclass(model := cast("type[Any]", schema), BaseModel):
        return _of_pydantic(model)
    if is_typeddict(schema):
        return _of_typed_dict(schema)
    if isinstance(schema, Mapping):
        return _of_mapping(cast("Mapping[str, Any]", schema))
    raise InputError(
        f"{schema!r:.200} is no schema of a structured output; give a pydantic model class, a TypedDict or a JSON "
        f"Schema"
    )


# ── pydantic and TypedDict ──────────────────────────────────────────────────────────────────────────────────────────


def _of_pydantic(model: type[BaseModel]) -> OutputSchema:
    try:
        schema = model.model_json_schema()
    except PydanticUserError as error:
        raise _no_schema(model, error) from error
    return OutputSchema(model.__name__, schema, model, _pydantic_validator(TypeAdapter(model)))


def _no_schema(cls: type, error: PydanticUserError) -> InputError:
    return InputError(f"{cls.__name__} is no schema of a structured output: {error.message}")


def _pydantic_validator(adapter: TypeAdapter[Any]) -> Callable[[Any], Any]:
    def validate(value: Any) -> Any:
        try:
            # As JSON: strict models then still take dates and tuples, which JSON has no form of its own for.
            return adapter.validate_json(to_json(value))
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False, include_input=False)
            raise ValueError(_listed([(detail["loc"], detail["msg"]) for detail in details])) from error

    return validate


def _of_typed_dict(cls: Any) -> OutputSchema:
    hints = get_type_hints(cls, include_extras=True)
    try:
        readable = _readable(cls, hints)
        adapter: TypeAdapter[Any] = TypeAdapter(readable)
        schema = adapter.json_schema()
    except PydanticUserError as error:
        raise _no_schema(cls, error) from error
    for field, hint in hints.items():
        if description := _described(hint):
            schema["properties"][field].setdefault("description", description)
    return OutputSchema(cls.__name__, schema, readable, _pydantic_validator(adapter))


def _readable(cls: Any, hints: Mapping[str, Any]) -> Any:
    """Return a TypedDict in the form that pydantic reads on every Python: before 3.12 not that of `typing`."""
    fields: dict[str, Any] = {
        field: hint if field in cls.__required_keys__ else typing_extensions.NotRequired[_bare(hint)]
        for field, hint in hints.items()
    }
    made: Any = cast("Any", typing_extensions.TypedDict)(cls.__name__, fields)
    made.__doc__ = cls.__doc__
    made.__module__ = cls.__module__
    return made


def _bare(hint: Any) -> Any:
    """Return a hint without `Required` or `NotRequired` around it."""
    if get_origin(hint) in (typing_extensions.Required, typing_extensions.NotRequired):
        return get_args(hint)[0]
    return hint


def _described(hint: Any) -> str | None:
    """Return the text in `Annotated[int, ..., "what it is"]`, LangChain's way to describe a TypedDict's field."""
    bare = _bare(hint)
    if get_origin(bare) is not Annotated:
        return None
    return next((extra for extra in reversed(get_args(bare)[1:]) if isinstance(extra, str)), None)


# ── JSON Schema ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _of_mapping(given: Mapping[str, Any]) -> OutputSchema:
    schema = _unwrapped(given)
    name = schema.pop("name", None) or schema.get("title")
    if not isinstance(name, str) or not name:
        raise InputError("a JSON Schema of a structured output needs a name: give it a 'title'")
    return OutputSchema(name, schema, dict[str, Any], _json_schema_validator(name, schema))


def _unwrapped(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema in OpenAI's tool, function or response format, with its name and description."""
    outer: Mapping[str, Any] = given.get("function") or given.get("json_schema") or given
    inner = outer.get("parameters") or outer.get("schema")
    if not isinstance(inner, Mapping):
        return dict(outer)
    described = {key: outer[key] for key in ("name", "description") if outer.get(key)}
    return {**cast("Mapping[str, Any]", inner), **described}


def _json_schema_validator(name: str, schema: Mapping[str, Any]) -> Callable[[Any], Any]:
    try:
        from jsonschema import SchemaError
        from jsonschema.validators import validator_for
        from referencing.exceptions import Unresolvable
        from referencing.jsonschema import EMPTY_REGISTRY
    except ImportError as error:
        raise MissingExtraError("with_structured_output of a JSON Schema", "structured") from error
    checker: Any = validator_for(schema)
    try:
        checker.check_schema(schema)
    except SchemaError as error:
        raise InputError(f"{name} is no JSON Schema: {error.message} (at {error.json_path})") from error
    # A registry of its own: a `$ref` to elsewhere is never fetched.
    validator = checker(schema, registry=EMPTY_REGISTRY)

    def validate(value: Any) -> Any:
        try:
            found: list[Any] = sorted(validator.iter_errors(value), key=lambda one: list(map(str, one.absolute_path)))
        except Unresolvable as error:
            raise ModelportError(f"the JSON Schema {name} refers to what is not in it: {error.ref!r}") from error
        if found:
            raise ValueError(_listed([(tuple(error.absolute_path), error.message) for error in found]))
        return value

    return validate


def _object_schema(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema with the object itself at its root; a recursive model's root is a `$ref` to it."""
    whole = dict(schema)
    reference = whole.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        definition = whole.get("$defs", {}).get(reference.removeprefix("#/$defs/"), {})
        whole = {**{key: value for key, value in whole.items() if key != "$ref"}, **definition}
    if whole.get("type", "object" if "properties" in whole else None) != "object":
        raise InputError(f"{name} describes no object, which a structured output must be; make it a field of one")
    return {"type": "object", **whole}


def _listed(problems: list[tuple[tuple[Any, ...], str]]) -> str:
    """Return problems as one line, each with the path of its field."""
    lines = [f"{'.'.join(map(str, path)) or 'the whole'}: {message:.300}" for path, message in problems]
    if len(lines) > _MAX_PROBLEMS:
        lines[_MAX_PROBLEMS:] = [f"and {len(lines) - _MAX_PROBLEMS} more"]
    return "; ".join(lines)
