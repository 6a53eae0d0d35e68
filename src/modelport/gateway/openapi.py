"""The OpenAPI 3.1 document: every endpoint with what it takes, what it answers, and an example."""

from __future__ import annotations

from functools import cache

from modelport._version import __version__
from modelport.gateway.openapi_answers import (
    CONTENT_TYPE,
    Node,
    failure,
    failures,
    headers,
    health_schema,
    json_of,
    reference,
)
from modelport.gateway.openapi_schemas import schemas
from modelport.wire.json_text import encode_json

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
            "schemas": {**schemas(), "Health": health_schema()},
            "headers": headers(),
            "responses": failures(),
        },
    }


@cache
def openapi_json() -> bytes:
    """Return the document as JSON; it is made once."""
    return encode_json(openapi())


def _paths() -> Node:
    return {**_paths_of_models(), **_paths_of_server()}


def _paths_of_models() -> Node:
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
            "createImageEdit",
            "Edit images as a prompt says",
            ("ImageEditRequest", None),
            "ImageList",
            json_too="ImageEditJsonRequest",
        ),
        "/rerank": _asking(
            "createRerank", "Rank documents by a query", ("RerankRequest", EXAMPLES["/rerank"]), "Ranking"
        ),
        "/models": {"get": _reading("listModels", "List the models that this key may use", "ModelList", {})},
        "/models/{id}": {
            "get": _reading("retrieveModel", "Describe one model", "Model", {"404": failure("NotFound")}),
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
    }


def _paths_of_server() -> Node:
    return {
        "/health/live": _health_path("getLiveness", "Tell whether the process answers", {}),
        "/health/ready": _health_path(
            "getReadiness",
            "Tell whether the models are loaded and requests are taken",
            {"503": failure("Unavailable")},
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
                    "401": failure("Unauthorized"),
                },
            },
        },
    }


def _asking(
    operation: str,
    summary: str,
    request: tuple[str, Node | None],
    answer: str,
    *,
    piece: str | None = None,
    json_too: str | None = None,
) -> Node:
    """Return the path of an endpoint that asks a model.

    Args:
        operation: Its id, OpenAI's where there is one.
        summary: What it does.
        request: The schema of the body, and an example; one without is a form.
        answer: The schema of the answer.
        piece: The schema of a streamed answer's pieces; None: it is not streamed.
        json_too: The schema of the JSON that is taken in the place of a form.
    """
    schema, example = request
    body: Node = {"schema": reference("schemas", schema)}
    if example is not None:
        body["example"] = example
    bodies = {"multipart/form-data" if example is None else CONTENT_TYPE: body}
    if json_too is not None:
        bodies |= json_of(json_too)
    content = json_of(answer)
    if piece is not None:
        text = f"Each piece, a `{piece}`, as `data: {{…}}` and an empty line; then `data: [DONE]`."
        content["text/event-stream"] = {"schema": {"type": "string", "description": text}}
    return {
        "post": {
            "operationId": operation,
            "tags": ["models"],
            "summary": summary,
            "requestBody": {"required": True, "content": bodies},
            "responses": {
                "200": {
                    "description": "The answer.",
                    "headers": {"x-request-id": reference("headers", "x-request-id")},
                    "content": content,
                },
                "400": failure("BadRequest"),
                "401": failure("Unauthorized"),
                "403": failure("Forbidden"),
                "404": failure("NotFound"),
                "413": failure("TooLarge"),
                "429": failure("TooMany"),
                "500": failure("Failed"),
                "503": failure("Unavailable"),
                "504": failure("TimedOut"),
            },
        }
    }


def _reading(operation: str, summary: str, answer: str, failures: Node) -> Node:
    return {
        "operationId": operation,
        "tags": ["models"],
        "summary": summary,
        "responses": {
            "200": {"description": "The answer.", "content": json_of(answer)},
            "401": failure("Unauthorized"),
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
            "responses": {"200": {"description": "Yes.", "content": json_of("Health")}, **failures},
        },
    }
