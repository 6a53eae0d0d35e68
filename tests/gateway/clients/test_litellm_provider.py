"""The real LiteLLM: our models behind its functions and its Router, and handlers of its own types on ours.

Its package is installed beside the tests, by `make test-clients`; the programs run there.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.clients.programs_run import RUN_SECONDS, outcomes_of

README = Path(__file__).parents[3] / "README.md"
STATUSES = [400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529]
LITELLMS = {
    "400": ["BadRequestError", 400],
    "401": ["AuthenticationError", 401],
    "403": ["PermissionDeniedError", 403],
    "404": ["NotFoundError", 404],
    "408": ["Timeout", 408],
    "409": ["APIError", 409],
    "413": ["APIError", 413],
    "422": ["UnprocessableEntityError", 422],
    "429": ["RateLimitError", 429],
    "500": ["InternalServerError", 500],
    "502": ["BadGatewayError", 502],
    "503": ["ServiceUnavailableError", 503],
    "504": ["Timeout", 504],
    "529": ["APIError", 529],
}
# What another deployment may answer, LiteLLM raises in a stream as an error of its own, with the status.
IN_STREAMS = {
    status: ["MidStreamFallbackError", int(status)] if int(status) == 429 or int(status) >= 500 else error
    for status, error in LITELLMS.items()
}
OURS = {
    **LITELLMS,
    "409": ["ConflictError", 409],
    "413": ["ContentTooLargeError", 413],
    "503": ["UnavailableError", 503],
    "529": ["APIStatusError", 529],
}
CALLS = [["call-0", "weather", '{"place":"Ulm"}'], ["call-1", "time", '{"place":"Ulm"}']]
WORDS = {"texts": ["ONE TWO THREE"], "finish_reasons": [[0, "stop"]], "roles": 1, "ids": 1, "models": ["large"]}
STREAMED = ["Hi there", ["length"], [9]]

PROVIDER: dict[str, Any] = {
    "genuine": [True, True, 1, ["x", "my-llm"]],
    "names": [True, 0, ["InputError", 400]],
    "answer": {
        "type": True,
        "model": "large",
        "text": "ONE TWO THREE",
        "finish_reason": "stop",
        "usage": [3, 3, 6],
        "filled": True,
    },
    "parameters": [["ONE ", "ONE "], ["ONE TWO ", "length"], ["BadRequestError", 400]],
    "stream": [{**WORDS, "usage": []}, {**WORDS, "usage": [[3, 3, 6]]}],
    "async_stream": {
        **WORDS,
        "texts": ["ONE TWO ", "ONE TWO "],
        "finish_reasons": [[0, "stop"], [1, "stop"]],
        "roles": 2,
        "usage": [],
    },
    "tools": [[CALLS, "tool_calls"], [CALLS, "tool_calls"]],
    "vectors": [[[3.0, 0.5], [5.0, 0.5]], [[5.0, 0.5]], True],
    "pictures": [["sea big 0", "sea big 1"], ["sea any 0"], ["\x89PNG sky"]],
    "failures": [LITELLMS, ["InternalServerError", 500]],
    "failures_of_streams": IN_STREAMS,
    "busy": "7",
    "other_kind": ["BadRequestError", 400],
    "blocking": ["together", "together", "together"],
    "timeout": [504, True],
    "left_stream": True,
    "handler": "deep/x ['max_tokens', 'temperature']",
    "router": ["HI", "503", ["ONE TWO"]],
    "readme": "HELLO!\n",
    "here_too": ["modelport.wire.completion", "HI"],
}
"""What LiteLLM's callers get of our models."""
HANDLERS: dict[str, Any] = {
    "on_the_sdk": ["modelport.wire.completion", "Hi!", "Hi!", ["Hi!", ["stop"]]],
    "filled": ["I am deep/x", "tool_calls", [["call-1", "weather", '{"place":"Ulm"}']], 3],
    "streams_on_the_sdk": [STREAMED, STREAMED, STREAMED, "Hi there"],
    "vectors_and_images_on_the_sdk": [[[1.0, 0.5], [3.0, 0.5]], 6, True],
    "errors_on_the_sdk": [OURS, ["RateLimitError", 429]],
    "on_the_gateway": ["Hi!", [[1.0, 0.5], [3.0, 0.5]], True, ["RateLimitError", 429], STREAMED, STREAMED],
}
"""What our callers get of handlers that are written with LiteLLM's types."""
PROGRAMS = {"litellm_provider": PROVIDER, "litellm_handlers": HANDLERS}
pytestmark = [pytest.mark.clients, pytest.mark.timeout(RUN_SECONDS + 20)]


def lines_of_the_readme() -> str:
    """Return the README's lines about LiteLLM, which cannot run where it is not installed."""
    page = README.read_text(encoding="utf-8")
    [block] = [block for block in re.findall(r"(?:^    .*\n|^\n)+", page, re.M) if "register_litellm(" in block]
    return textwrap.dedent(block)


@pytest.fixture(scope="module")
def outcomes() -> Callable[[str], dict[str, Any]]:
    """What a program's scenarios gave; it runs once."""
    known: dict[str, dict[str, Any]] = {}

    def outcomes(program: str) -> dict[str, Any]:
        if program not in known:
            known[program] = outcomes_of(program, {"statuses": STATUSES, "readme": lines_of_the_readme()})
        return known[program]

    return outcomes


@pytest.mark.parametrize("name", PROVIDER)
def test_litellm_answers_through_our_models(outcomes: Any, name: str) -> None:
    assert outcomes("litellm_provider")[name] == {"value": PROVIDER[name]}


@pytest.mark.parametrize("name", HANDLERS)
def test_handlers_of_litellms_types_answer_here(outcomes: Any, name: str) -> None:
    assert outcomes("litellm_handlers")[name] == {"value": HANDLERS[name]}


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_scenario_is_looked_at(outcomes: Any, program: str) -> None:
    assert set(outcomes(program)) == set(PROGRAMS[program])
