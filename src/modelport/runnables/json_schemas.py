"""JSON Schema of models whose fields may be of our own types: messages and prompt values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from pydantic import BaseModel, WithJsonSchema
from pydantic.json_schema import DEFAULT_REF_TEMPLATE, GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from typing_extensions import override

from modelport.values.messages import AIMessage, HumanMessage, Message, SystemMessage, ToolMessage
from modelport.values.prompt_values import ChatPromptValue, StringPromptValue

if TYPE_CHECKING:
    from pydantic_core import core_schema

_MESSAGES: tuple[type[Message], ...] = (SystemMessage, HumanMessage, AIMessage, ToolMessage)


class _Generator(GenerateJsonSchema):
    """Describes our structs; what has no JSON form is described as anything."""

    @override
    def is_instance_schema(self, schema: core_schema.IsInstanceSchema) -> JsonSchemaValue:
        return struct_schema(schema["cls"])

    @override
    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        return {}


class Described(BaseModel):
    """Is a pydantic model whose JSON Schema knows our types."""

    @classmethod
    @override
    def model_json_schema(
        cls,
        by_alias: bool | None = True,
        ref_template: str = DEFAULT_REF_TEMPLATE,
        schema_generator: type[GenerateJsonSchema] = _Generator,
        mode: JsonSchemaMode = "validation",
        **kwargs: Any,
    ) -> dict[str, Any]:
        return super().model_json_schema(by_alias, ref_template, schema_generator, mode, **kwargs)


def struct_schema(cls: Any) -> dict[str, Any]:
    """Return the JSON Schema of one of our structs; of any other class only its name is known."""
    if cls is Message:
        return {"anyOf": [struct_schema(one) for one in _MESSAGES], "title": "Message"}
    name: str = cls.__name__
    if not issubclass(cls, msgspec.Struct):
        return {"title": name}
    _, components = msgspec.json.schema_components((cls,))
    schema: dict[str, Any] = components[name]
    if issubclass(cls, Message):
        schema["properties"] = {"type": {"const": cls.type, "type": "string"}, **schema["properties"]}
    elif cls is ChatPromptValue:
        schema["properties"]["messages"]["items"] = struct_schema(Message)
    return schema


DescribedPromptInput: Any = (
    str
    | StringPromptValue
    | ChatPromptValue
    | Annotated[Sequence[Any], WithJsonSchema({"type": "array", "items": struct_schema(Message)})]
)
"""`PromptInput` with what its lists hold: messages, though pairs and OpenAI's dicts are taken too."""
