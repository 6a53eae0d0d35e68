"""OpenAI's schemas, to hold requests and answers against."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

SCHEMAS = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


@cache
def validator_of(schema: str) -> Any:
    """Return what validates against one of the schemas; that they are schemas themselves is not checked each time."""
    return jsonschema.Draft202012Validator({**SCHEMAS, "$ref": f"#/$defs/{schema}"})
