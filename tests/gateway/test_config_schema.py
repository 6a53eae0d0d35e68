"""The JSON Schema of a config: what editors complete and check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from modelport.gateway.config_schema import config_schema
from modelport.gateway.settings import GatewaySettings


def fields(node: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    for name, definition in [("", node), *node.get("$defs", {}).items()]:
        for field, one in definition.get("properties", {}).items():
            yield f"{name}.{field}", one


def test_it_is_a_schema_whose_every_field_is_described() -> None:
    schema = config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    described = dict(fields(schema))
    assert len(described) > 40
    assert [place for place, one in described.items() if not one.get("description", "").endswith((".", ")"))] == []
    assert described["ServerSettings.port"]["description"] == "The port to listen on; 0 takes a free one."


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"models": {"m": {"use": "a:b", "params": {"n": 5}}}, "server": {"keys": ["sk-1", {"key": "sk-2"}]}},
        {"models": {"m": {"deployments": [{"use": "a:b"}]}}, "aliases": {"x": "m"}, "handlers": {"h": "a.b"}},
        {"server": {"port": "${PORT}", "timeout_seconds": None, "cors": {"origins": ["*"]}}},
    ],
)
def test_what_is_right_is_right_by_the_schema_too(config: Any) -> None:
    jsonschema.validate(config, config_schema())


@pytest.mark.parametrize(
    "config",
    [
        {"modles": {}},
        {"models": {"m": {}}},
        {"models": {"m": {"use": "a:b", "deployments": [{"use": "a:b"}]}}},
        {"server": {"port": "abc"}},
        {"server": {"keys": [{}]}},
        {"server": {"limits": {"max_body_bytes": 0}}},
    ],
)
def test_what_is_wrong_is_wrong_by_the_schema_too(config: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(config, config_schema())
    with pytest.raises(ValueError, match="validation error"):
        GatewaySettings.model_validate(config)
