"""Clients that are not installed beside the tests: the same scenarios, and what each client makes of them.

`make test-clients` installs them into places of their own: LiteLLM must be absent where our tests run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.gateway.clients.programs_run import RUN_SECONDS, outcomes_of

PNG = "\x89PNG\r\n\x1a\n"
ODD_TEXTS = ["héllo 😀", "\u2028\x85\n\ndata: [DONE]\n\n", "e\u0301 👩\u200d👩\u200d👧", '\x00\x1f"\\']
STATUSES = [400, 401, 403, 404, 409, 422, 429, 500, 503]
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("weather", "time")
]
ERRORS = {
    "400": ["BadRequestError", 400],
    "401": ["AuthenticationError", 401],
    "403": ["PermissionDeniedError", 403],
    "404": ["NotFoundError", 404],
    "409": ["ConflictError", 409],
    "422": ["UnprocessableEntityError", 422],
    "429": ["RateLimitError", 429],
    "500": ["InternalServerError", 500],
    "503": ["InternalServerError", 503],
}
CALLS = [["call-0", "weather", '{"place":"Ulm"}'], ["call-1", "time", '{"place":"Ulm"}']]
PIECED_CALLS = [["call-0", "weather", '{"place": "Ulm"}'], ["call-1", "time", '{"place": "Ulm"}']]
PARSED_CALLS = [["call-0", "weather", {"place": "Ulm"}], ["call-1", "time", {"place": "Ulm"}]]

EXPECTED: dict[str, Any] = {
    "models": ["echo", "team/echo:1", "failing"],
    "model_with_slashes": "team/echo:1",
    "chat": {
        "text": "hello",
        "role": "assistant",
        "finish_reason": "stop",
        "model": "team/echo:1",
        "usage": True,
        "request_id": True,
    },
    "stream": {"texts": ["hello"], "usages": 1, "finish_reasons": ["stop"], "roles": 1},
    "two_choices": ["hi", "hi"],
    "two_choices_in_a_stream": {"texts": ["hi", "hi"], "usages": 1, "finish_reasons": ["stop", "stop"], "roles": 2},
    "stop": "one",
    "tools": [CALLS, "tool_calls"],
    "tools_in_a_stream": [PIECED_CALLS, "tool_calls"],
    "tool_results": "weather, time",
    "embeddings": [[3.0, 0.5, -1.25], [5.0, 0.5, -1.25]],
    "embeddings_as_numbers": [[3.0, 0.5, -1.25], [5.0, 0.5, -1.25]],
    "images": [f"{PNG}an otter 0", f"{PNG}an otter 1"],
    "edited_images": [f"{PNG}an otter, with a hat"],
    "completions": "one two",
    "completions_in_a_stream": ODD_TEXTS[0],
    "odd_texts": ODD_TEXTS,
    "odd_texts_in_streams": ODD_TEXTS,
    "errors_of_chats": ERRORS,
    "errors_of_streams": ERRORS,
    "error_in_a_stream": ["one two ", True],
    "busy": ["free", "2"],
    "wrong_key": ["AuthenticationError", 401],
    "unknown_model": ["NotFoundError", 404],
    "timeout": ["APITimeoutError", "yes", "yes"],
    "cancel_sync": ["yes", "yes"],
    "cancel_async": ["yes", "yes"],
}
"""What each scenario gives: the same for all clients, but for what a client itself calls otherwise."""

LANGCHAIN_ERRORS = {
    **ERRORS,
    "400": ["OpenAIInvalidRequestError", 400],
    "401": ["OpenAIAuthenticationError", 401],
    "403": ["OpenAIPermissionDeniedError", 403],
    "404": ["OpenAIModelNotFoundError", 404],
    "429": ["OpenAIRateLimitError", 429],
    "500": ["OpenAIAPIError", 500],
    "503": ["OpenAIAPIError", 503],
}
LITELLM_ERRORS = {
    **ERRORS,
    "403": ["APIError", 403],
    "404": ["BadRequestError", 404],
    "409": ["APIError", 409],
    "422": ["BadRequestError", 422],
    "503": ["ServiceUnavailableError", 503],
}
OTHERWISE: dict[str, dict[str, Any]] = {
    "openai_node": {"timeout": ["APIConnectionTimeoutError", "yes", "yes"]},
    "langchain_openai_client": {
        "tools": [PARSED_CALLS, "tool_calls"],
        "tools_in_a_stream": [PARSED_CALLS, "tool_calls"],
        "errors_of_chats": LANGCHAIN_ERRORS,
        "errors_of_streams": LANGCHAIN_ERRORS,
        "wrong_key": LANGCHAIN_ERRORS["401"],
        "unknown_model": LANGCHAIN_ERRORS["404"],
        "timeout": ["OpenAITimeoutError", "yes", "yes"],
    },
    "litellm_client": {
        # It keeps one role and one end of all that come in a stream.
        "two_choices_in_a_stream": {"texts": ["hi", "hi"], "usages": 1, "finish_reasons": ["stop"], "roles": 1},
        "errors_of_chats": LITELLM_ERRORS,
        "errors_of_streams": LITELLM_ERRORS,
        "timeout": ["Timeout", "yes", "yes"],
    },
}
NOT_IN = {
    "openai_node": set[str](),
    # It lists no models and makes no images; streams of n > 1 it refuses itself.
    "langchain_openai_client": {"models", "model_with_slashes", "images", "edited_images", "two_choices_in_a_stream"},
    "litellm_client": {"model_with_slashes"},
}
CASES = [(client, name) for client, left_out in NOT_IN.items() for name in EXPECTED if name not in left_out]
pytestmark = [pytest.mark.clients, pytest.mark.timeout(RUN_SECONDS + 20)]


@pytest.fixture(scope="module")
def outcomes(url: str, key: str) -> Callable[[str], dict[str, Any]]:
    """What a client's scenarios gave; its program runs once."""
    known: dict[str, dict[str, Any]] = {}
    inputs = {"odd_texts": ODD_TEXTS, "statuses": STATUSES, "tools": TOOLS}

    def outcomes(client: str) -> dict[str, Any]:
        if client not in known:
            known[client] = outcomes_of(client, inputs, url=url, key=key)
        return known[client]

    return outcomes


@pytest.mark.parametrize(("client", "name"), CASES, ids=lambda one: one)
def test_a_client_gets_what_it_should(outcomes: Any, client: str, name: str) -> None:
    assert outcomes(client)[name] == {"value": OTHERWISE[client].get(name, EXPECTED[name])}


@pytest.mark.parametrize("client", NOT_IN)
def test_every_scenario_of_a_client_is_looked_at(outcomes: Any, client: str) -> None:
    assert set(outcomes(client)) == set(EXPECTED) - NOT_IN[client]
