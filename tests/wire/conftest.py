"""OpenAI's schemas to hold what is written against, and texts as people and models really write them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from modelport.wire.json_text import encode_json
from modelport.wire.objects import WireObject, encode_object
from tests.openai_schemas import validator_of


@pytest.fixture(scope="session")
def conforms() -> Callable[[Any, str], Any]:
    """Hold an object, bytes or plain JSON against one of OpenAI's schemas; return the plain JSON."""

    def conforms(value: Any, schema: str) -> Any:
        raw = value if isinstance(value, bytes) else encode_object(value) if isinstance(value, WireObject) else None
        plain = json.loads(raw if raw is not None else encode_json(value))
        validator_of(schema).validate(plain)
        return plain

    return conforms
