"""The OpenAPI 3.1 document: every endpoint with what it takes, what it answers, and an example."""

from __future__ import annotations

from functools import cache
from typing import Any

from modelport._version import __version__
from modelport.gateway.openapi_schemas import schemas
from modelport.wire.json_text import encode_json

Node = dict[str, Any]

CONTENT_TYPE = "application/json"
MODEL = "my-model"
"""The model of the examples."""
EXAMPLES: dict[str, Node] = {
    "/chat/completions": {"model": MODEL, "messages": [{"role": "user", "content": "Say hello."}]},
    "/completions": {"model": MODEL, "prompt": "Once upon a time", "max_tokens": 32},
    "/embeddings": {"model": MODEL, "input": ["first text", "second text"]},
    "/images/generations": {"model": MODEL, "prompt": "A lighthouse at dusk", "size": "1024x1024"},
    "/rerank": {"model": MODEL, "query": "Who wrote it?", "documents": ["Ada did.", "It rains."], "top_n": 1},
}
"""One body for each endpoint that takes JSON."""

_DESCRIPTION = (
    "An OpenAI-compatible server. Paths answer with and without `/v1`. The key goes into `Authorization: Bearer …` or "
    "`x-api-key: …`. Every answer has an `x-request-id`; every error is OpenAI's error object."
)
_ROOT: list[Node] = [{"url": "/"}]


def openapi() -> Node:
    """Return the document; the caller may change it."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "modelport",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/v1"}, {"url": "/", "description": "The same without /v1."}],
        "security": [{"bearer": []}, {"key": []}],
        "tags": [
            {"name": "models", "description": "Ask models."},
            {"name": "server", "description": "See how the server is."},
        ],
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
            "schemas": {**schemas(), "Health": _health()},
            "headers": _headers(),
            "responses": _failures(),
        },
    }


@cache
def openapi_json() -> bytes:
    """Return the document as JSON; it is made once."""
    return encode_json(openapi())


def _paths() -> Node:
    return {
        "/chat/completions": _asking(
            "createChatCompletion",
            "Answer a conversation",
            ("ChatCompletionRequest", EXAMPLES["/chat/completions"]),
            "ChatCompletion",
            piece="ChatCompletionChunk",
        ),
        "/completions": _asking(
            "createCompletion",
            "Go on from a text",
            ("CompletionRequest", EXAMPLES["/completions"]),
            "Completion",
            piece="Completion",
        ),
        "/embeddings": _asking(
            "createEmbedding",
            "Turn texts into vectors",
            ("EmbeddingRequest", EXAMPLES["/embeddings"]),
            "EmbeddingList",
        ),
        "/images/generations": _asking(
            "createImage", "Make images of a prompt", ("ImageRequest", EXAMPLES["/images/generations"]), "ImageList"
        ),
        "/images/edits": _asking(
            "createImageEdit", "Edit images as a prompt says", ("ImageEditRequest", None), "ImageList"
        ),
        "/rerank": _asking(
            "createRerank", "Rank documents by a query", ("RerankRequest", EXAMPLES["/rerank"]), "Ranking"
        ),
        "/models": {"get": _reading("listModels", "List the models that this key may use", "ModelList", {})},
        "/models/{id}": {
            "get": _reading("retrieveModel", "Describe one model", "Model", {"404": _failure("NotFound")}),
            "parameters": [
                {
                    "name": "id",
                    "in": "path",
                    "required": True,
                    "description": "As the list has it; slashes stay slashes.",
                    "schema": {"type": "string"},
                }
            ],
        },
        "/health/live": _health_path("getLiveness", "Tell whether the process answers", {}),
        "/health/ready": _health_path(
            "getReadiness",
            "Tell whether the models are loaded and requests are taken",
            {"503": _failure("Unavailable")},
        ),
        "/metrics": {
            "servers": _ROOT,
            "get": {
                "operationId": "getMetrics",
                "tags": ["server"],
                "summary": "Show counts and times for Prometheus",
                "description": "Needs no key over loopback.",
                "responses": {
                    "200": {
                        "description": "Prometheus's text format, or OpenMetrics when `Accept` asks for it.",
                        "content": {
                            "text/plain": {"schema": {"type": "string"}},
                            "application/openmetrics-text": {"schema": {"type": "string"}},
                        },
                    },
                    "401": _failure("Unauthorized"),
                },
            },
        },
    }


def _asking(
    operation: str, summary: str, request: tuple[str, Node | None], answer: str, *, piece: str | None = None
) -> Node:
    """Return the path of an endpoint that asks a model.

    Args:
        operation: Its id, OpenAI's where there is one.
        summary: What it does.
        request: The schema of the body, and an example; one without is a form.
        answer: The schema of the answer.
        piece: The schema of a streamed answer's pieces; None: it is not streamed.
    """
    schema, example = request
    body: Node = {"schema": _reference("schemas", schema)}
    if example is not None:
        body["example"] = example
    kind = "multipart/form-data" if example is None else CONTENT_TYPE
    content = _json(answer)
    if piece is not None:
        text = f"Each piece, a `{piece}`, as `data: {{…}}` and an empty line; then `data: [DONE]`."
        content["text/event-stream"] = {"schema": {"type": "string", "description": text}}
    return {
        "post": {
            "operationId": operation,
            "tags": ["models"],
            "summary": summary,
            "requestBody": {"required": True, "content": {kind: body}},
            "responses": {
                "200": {
                    "description": "The answer.",
                    "headers": {"x-request-id": _reference("headers", "x-request-id")},
                    "content": content,
                },
                "400": _failure("BadRequest"),
                "401": _failure("Unauthorized"),
                "403": _failure("Forbidden"),
                "404": _failure("NotFound"),
                "413": _failure("TooLarge"),
                "429": _failure("TooMany"),
                "500": _failure("Failed"),
                "503": _failure("Unavailable"),
                "504": _failure("TimedOut"),
            },
        }
    }


def _reading(operation: str, summary: str, answer: str, failures: Node) -> Node:
    return {
        "operationId": operation,
        "tags": ["models"],
        "summary": summary,
        "responses": {
            "200": {"description": "The answer.", "content": _json(answer)},
            "401": _failure("Unauthorized"),
            **failures,
        },
    }


def _health_path(operation: str, summary: str, failures: Node) -> Node:
    return {
        "servers": _ROOT,
        "get": {
            "operationId": operation,
            "tags": ["server"],
            "summary": summary,
            "security": [],
            "responses": {"200": {"description": "Yes.", "content": _json("Health")}, **failures},
        },
    }


def _health() -> Node:
    return {
        "title": "Health",
        "type": "object",
        "properties": {"status": {"type": "string"}},
        "required": ["status"],
    }


def _headers() -> Node:
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


def _failures() -> Node:
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
    retry = {name: _reference("headers", name) for name in ("retry-after", "retry-after-ms")}
    request_id = {"x-request-id": _reference("headers", "x-request-id")}
    return {
        name: {
            "description": text,
            "headers": {**request_id, **(retry if name in ("TooMany", "Unavailable") else {})},
            "content": _json("Error"),
        }
        for name, text in texts.items()
    }


def _failure(name: str) -> Node:
    return _reference("responses", name)


def _json(name: str) -> Node:
    return {CONTENT_TYPE: {"schema": _reference("schemas", name)}}


def _reference(kind: str, name: str) -> Node:
    return {"$ref": f"#/components/{kind}/{name}"}
