"""Tools as OpenAI's schema has them, from dicts, pydantic models and plain functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast, get_type_hints

from pydantic import BaseModel, create_model

from modelport.values.errors import InputError
from modelport.values.foreign import adapter_for


def tool_schema(tool: Any) -> dict[str, Any]:
    """Return `{"type": "function", "function": {"name", "description", "parameters"}}` of a tool.

    Raises:
        InputError: The tool is no dict in OpenAI's shape, no pydantic model and no function.
    """
    if isinstance(tool, Mapping):
        return _from_mapping(cast("Mapping[str, Any]", tool))
    adapter = adapter_for(tool)
    foreign = adapter.tool_of(tool) if adapter is not None else None
    if foreign is not None:
        return foreign
    if isinstance(tool, type) and issubclass(model := cast("type[Any]", tool), BaseModel):
        return _function(model.__name__, inspect.getdoc(model), model.model_json_schema())
    if callable(tool) and not isinstance(tool, type):
        return _from_function(tool)
    raise InputError(f"{tool!r} is no tool; give an OpenAI tool dict, a pydantic model or a function", param="tools")


def _from_mapping(tool: Mapping[str, Any]) -> dict[str, Any]:
    if "function" in tool:
        return dict(tool)
    if "name" in tool:
        return {"type": "function", "function": dict(tool)}
    raise InputError(f"the tool {dict(tool)!r} has neither 'function' nor 'name'", param="tools")


def _from_function(function: Callable[..., Any]) -> dict[str, Any]:
    hints = get_type_hints(function)
    fields: dict[str, Any] = {
        name: (hints.get(name, Any), ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }
    schema = create_model(function.__name__, **fields).model_json_schema()
    return _function(function.__name__, inspect.getdoc(function), schema)


def _function(name: str, description: str | None, schema: dict[str, Any]) -> dict[str, Any]:
    parameters = {key: value for key, value in schema.items() if key not in ("title", "description")}
    function: dict[str, Any] = {"name": name, "parameters": parameters}
    if description:
        function["description"] = description
    return {"type": "function", "function": function}
