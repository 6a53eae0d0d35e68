"""Schemas: pydantic models of what goes into a runnable and what comes out, under LangChain's names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union, cast

from pydantic import BaseModel, ConfigDict, Field, RootModel, create_model
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from typing_extensions import override

from modelport.runnables.json_schemas import Described, DescribedPromptInput
from modelport.values.prompt_values import PromptInput

if TYPE_CHECKING:
    from modelport.runnables.base import Runnable
    from modelport.runnables.parts import Parts

Fields = dict[str, tuple[Any, bool]]
"""The fields of an object: each one's type, and whether it has to be there."""


class ObjectSchema(Described):
    """Is the base of the models of dicts; keys that it does not name stay allowed."""

    model_config = ConfigDict(arbitrary_types_allowed=True, protected_namespaces=())


class RootSchema(Described, RootModel[Any]):
    """Is the base of the models of everything else."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    @classmethod
    @override
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        # The root's own title says what it is; this one, where it goes in or comes out.
        return {**super().model_json_schema(*args, **kwargs), "title": cls.__name__}


def input_schema_of(runnable: Runnable[Any, Any]) -> type[BaseModel]:
    """Return the model of a runnable's input: its own type's, or what its parts take."""
    parts = runnable.__modelport_parts__()
    if parts is None:
        return schema_of_type(runnable.get_name(), "input", runnable.InputType)
    if parts.shape == "sequence":
        return parts.arms[0].runnable.get_input_schema()
    schemas = [arm.runnable.get_input_schema() for arm in parts.arms]
    if parts.shape == "branch":
        return next((schema for schema in schemas if type_of(schema) is not Any), schemas[0])
    return _merged_input(runnable, parts, schemas)


def output_schema_of(runnable: Runnable[Any, Any]) -> type[BaseModel]:
    """Return the model of a runnable's output: its own type's, or what its parts give."""
    parts = runnable.__modelport_parts__()
    if parts is None:
        return schema_of_type(runnable.get_name(), "output", runnable.OutputType)
    if parts.shape == "sequence":
        return parts.arms[-1].runnable.get_output_schema()
    if parts.shape == "branch":
        return _either_output(runnable, parts)
    fields: Fields = {arm.label or "": (type_of(arm.runnable.get_output_schema()), True) for arm in parts.arms}
    if parts.shape == "assign":
        given = runnable.get_input_schema()
        fields = {**_fields_of(given), **fields} if _is_object(given) else fields
    return object_schema(_title(runnable.get_name(), "output"), fields)


def schema_of_type(name: str, end: str, given: Any) -> type[BaseModel]:
    """Return the model of a type: itself, when it is a pydantic model.

    Args:
        name: The runnable's name.
        end: "input" or "output".
        given: The type; one that pydantic cannot read counts as `Any`.
    """
    if isinstance(given, type) and issubclass(given, BaseModel):
        return given
    if given == PromptInput:
        given = DescribedPromptInput
    title = _title(name, end)
    try:
        return create_model(title, __base__=RootSchema, root=(cast("Any", given), ...))
    except (PydanticUserError, PydanticUndefinedAnnotation, TypeError):
        return create_model(title, __base__=RootSchema, root=(Any, ...))


def object_schema(title: str, fields: Mapping[str, tuple[Any, bool]]) -> type[BaseModel]:
    """Return the model of a dict with these fields; one that is not required is None by default.

    A field whose name a pydantic model cannot have (`copy`, `_id`) has it as its alias.
    """
    definitions: dict[str, Any] = {}
    for key, (given, required) in fields.items():
        taken = hasattr(ObjectSchema, key) or key.startswith("_") or not key.isidentifier()
        default: Any = ... if required else None
        own = f"field_{len(definitions)}" if taken else key
        definitions[own] = (given, Field(default, alias=key, title=_words(key)) if taken else default)
    return create_model(title, __base__=ObjectSchema, **definitions)


def type_of(schema: type[BaseModel]) -> Any:
    """Return the type that a model stands for: the root's of a root model."""
    return schema.model_fields["root"].annotation if issubclass(schema, RootModel) else schema


def _title(name: str, end: str) -> str:
    return f"{name}{end.title()}" if name[:1].isupper() else f"{name}_{end}"


def _words(key: str) -> str:
    return key.replace("_", " ").strip().title()


def _is_object(schema: type[BaseModel]) -> bool:
    return not issubclass(schema, RootModel)


def _fields_of(schema: type[BaseModel]) -> Fields:
    return {field.alias or name: (field.annotation, field.is_required()) for name, field in schema.model_fields.items()}


def _merged_input(runnable: Runnable[Any, Any], parts: Parts, schemas: Sequence[type[BaseModel]]) -> type[BaseModel]:
    """Return the model of what several runnables take at once: one dict's fields, or one type that all take."""
    name = runnable.get_name()
    known = [schema for schema in schemas if type_of(schema) is not Any]
    if known and all(_is_object(schema) for schema in known):
        fields: Fields = {}
        for schema in known:
            for key, (given, required) in _fields_of(schema).items():
                fields[key] = (given, required or (key in fields and fields[key][1]))
        return object_schema(_title(name, "input"), fields)
    if parts.shape == "assign":
        return schema_of_type(name, "input", dict[str, Any])
    types = _distinct(type_of(schema) for schema in known)
    return schema_of_type(name, "input", types[0] if len(types) == 1 else Any)


def _either_output(runnable: Runnable[Any, Any], parts: Parts) -> type[BaseModel]:
    """Return the model of what one of several runnables gives."""
    schemas = [arm.runnable.get_output_schema() for arm in parts.arms]
    types = _distinct(type_of(schema) for schema in schemas)
    if len(types) == 1:
        return schemas[0]
    union = Any if Any in types else Union[tuple(types)]  # noqa: UP007 - of types that are known at run time only
    return schema_of_type(runnable.get_name(), "output", union)


def _distinct(types: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for one in types:
        if one not in found:
            found.append(one)
    return found
