"""What endpoints have in common in the OpenAPI document: the headers and failures of their answers."""

from __future__ import annotations

from typing import Any

Node = dict[str, Any]

CONTENT_TYPE = "application/json"


def health_schema() -> Node:
    """Return the schema of what `/health/…` answers."""
    return {
        "title": "Health",
        "type": "object",
        "properties": {"status": {"type": "string"}},
        "required": ["status"],
    }


def headers() -> Node:
    """Return the headers that answers have, by their names."""
    return {
        "x-request-id": {
            "description": "Names the request in the server's log: the client's own, or one made here.",
            "schema": {"type": "string"},
        },
        "retry-after": {
            "description": "After how many seconds to try again.",
            "schema": {"type": "integer", "minimum": 0},
        },
        "retry-after-ms": {
            "description": "The same in milliseconds.",
            "schema": {"type": "integer", "minimum": 0},
        },
    }


def failures() -> Node:
    """Return what failed requests are answered with, by names of this document."""
    texts = {
        "BadRequest": "The request is wrong; `param` names the field.",
        "Unauthorized": "There is no key, or it is none of this server's, or it has expired.",
        "Forbidden": "The key may not use this.",
        "NotFound": "There is no such model for this key.",
        "TooLarge": "The body is too large.",
        "TooMany": "The key's limits are reached, or too many requests wait for the model.",
        "Failed": "The model failed.",
        "Unavailable": "The model, or the whole server, takes no requests for now.",
        "TimedOut": "The model took too long.",
    }
    retry = {name: reference("headers", name) for name in ("retry-after", "retry-after-ms")}
    request_id = {"x-request-id": reference("headers", "x-request-id")}
    return {
        name: {
            "description": text,
            "headers": {**request_id, **(retry if name in ("TooMany", "Unavailable") else {})},
            "content": json_of("Error"),
        }
        for name, text in texts.items()
    }


def failure(name: str) -> Node:
    """Return a reference to one of `failures`."""
    return reference("responses", name)


def json_of(name: str) -> Node:
    """Return the content that is JSON of a schema, by its name."""
    return {CONTENT_TYPE: {"schema": reference("schemas", name)}}


def reference(kind: str, name: str) -> Node:
    """Return a reference to a component of the document."""
    return {"$ref": f"#/components/{kind}/{name}"}
