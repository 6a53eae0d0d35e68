"""The JSON Schema of a config: for editors that complete and check YAML."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from itertools import chain
from typing import Any, cast

from modelport.gateway import server_settings, settings
from modelport.gateway.settings import GatewaySettings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_VARIABLE = {"type": "string", "pattern": r"\$\{|^os\.environ/"}
"""What may stand in the place of a number or a switch: a variable of the environment."""


def config_schema() -> dict[str, Any]:
    """Return the schema, with the fields' docstrings as descriptions."""
    schema = GatewaySettings.model_json_schema()
    definitions: dict[str, Any] = schema["$defs"]
    texts = _docstrings()
    for name, entry in [("GatewaySettings", schema), *definitions.items()]:
        for field, one in entry.get("properties", {}).items():
            one.pop("title", None)
            description = texts.get((name, field))
            if description is not None:
                one["description"] = description
    definitions["ModelSettings"]["oneOf"] = [{"required": ["use"]}, {"required": ["deployments"]}]
    keys = schema["$defs"]["ServerSettings"]["properties"]["keys"]
    keys["items"] = {"anyOf": [{"type": "string", "minLength": 1}, keys["items"]]}
    return {"$schema": DIALECT, **_with_variables(schema), "title": "modelport config.yaml"}


def _docstrings() -> dict[tuple[str, str], str]:
    """Return the texts below the fields of the settings' classes, by class and field."""
    found: dict[tuple[str, str], str] = {}
    bodies = [ast.parse(inspect.getsource(module)).body for module in (settings, server_settings)]
    for cls in chain.from_iterable(bodies):
        if not isinstance(cls, ast.ClassDef):
            continue
        for field, below in zip(cls.body, cls.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
            ):
                found[cls.name, field.target.id] = " ".join(str(below.value.value).split())
    return found


def _with_variables(node: Any) -> Any:
    """Return a schema in which variables may stand for numbers and switches."""
    if isinstance(node, list):
        return [_with_variables(one) for one in cast("list[Any]", node)]
    if not isinstance(node, Mapping):
        return node
    given = cast("Mapping[str, Any]", node)
    walked: dict[str, Any] = {
        key: value if key == "default" else _with_variables(value) for key, value in given.items()
    }
    if walked.get("type") not in ("integer", "number", "boolean"):
        return walked
    about = {key: walked.pop(key) for key in ("description", "default") if key in walked}
    return {"anyOf": [walked, _VARIABLE], **about}
