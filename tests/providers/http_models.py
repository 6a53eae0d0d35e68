"""`HTTPModel`s over a test's server."""

from __future__ import annotations

from typing import Any

from modelport.providers import HTTPModel

make: Any = HTTPModel
"""The class without its types: as a config makes it."""


def model_of(server: Any, **fields: Any) -> HTTPModel:
    known: dict[str, Any] = {"url": server.url + "/run", "body": {"text": "{{ prompt }}"}, "text_path": "text"}
    return HTTPModel(**known | fields)
