"""Models that raise, block, answer nonsense or never answer: their callers get one error each, nobody else notices."""

from __future__ import annotations

import re
from typing import Any

import pytest

RAISING = [
    "SyncCall", "AsyncCall", "LateCall", "SyncStream", "AsyncStream", "SyncDying", "AsyncDying", "SyncHandler",
    "AsyncHandler",
]  # fmt: skip
NONSENSE = ["SyncNonsense", "AsyncNonsense", "SyncNonsenseStream", "AsyncNonsenseStream"]
NONSENSE_HANDLERS = ["NonsenseHandler", "AsyncNonsenseHandler"]
BLOCKING = ["SyncBlocking", "SyncBlockingStream", "SyncBlockingHandler", "AsyncBlockingHandler"]
HOLDING = ["Holding", "Later", "HoldingStream"]
SILENT = [
    "SyncSilent", "AsyncSilent", "SyncSilentStream", "AsyncSilentStream", "SyncStalling", "AsyncStalling",
    "SilentHandler",
]  # fmt: skip
STUBBORN = ["Stubborn", "SyncStubborn"]
VALUES = ["SyncVectors", "AsyncVectors", "SyncPictures", "AsyncPictures", "ValuesHandler"]
OTHERS = ["NoStream", "Surrogates", "Empty", "AsyncEmpty", "Echo", "SyncEcho"]
CONFIG = "\n".join(
    [
        "models:",
        *(
            f"  {name}: {{use: 'models:{name}'}}"
            for name in [*RAISING, *NONSENSE, *NONSENSE_HANDLERS, *OTHERS, *VALUES]
        ),
        *(f"  {name}: {{use: 'blocking:{name}'}}" for name in [*BLOCKING, *HOLDING, *STUBBORN]),
        *(f"  {name}: {{use: 'blocking:{name}', timeout_seconds: 0.2}}" for name in SILENT),
        "server: {timeout_seconds: 60}",
    ]
)

FAILED = (500, "server_error", None, None)
RAISED: dict[str, tuple[str, tuple[int, str, str | None, str | None]]] = {
    "ValueError": ("ValueError: wrong value", FAILED),
    "Path": (r"ValueError: cannot read \*\*\*", FAILED),
    "Secret": (r"ValueError: the key \*\*\* is refused", FAILED),
    "Traceback": ("ValueError: ZeroDivisionError", FAILED),
    "SystemExit": ("SystemExit: 3", FAILED),
    "KeyboardInterrupt": ("KeyboardInterrupt", FAILED),
    "CancelledError": ("the model's code raised CancelledError, though nobody cancelled the call", FAILED),
    "GeneratorExit": ("(RuntimeError: a hook raised )?GeneratorExit", FAILED),
    "RecursionError": ("RecursionError: maximum recursion depth exceeded.*", FAILED),
    "MemoryError": ("MemoryError", FAILED),
    "Unprintable": (r"Unprintable: \(its text cannot be read: ValueError\)", FAILED),
    "Exiting": (r"Exiting: \(its text cannot be read: SystemExit\)", FAILED),
    "Slippery": (r"Slippery: \(it cannot be read: RuntimeError\)", FAILED),
    "StopIteration": ("RuntimeError: .* raised StopIteration", FAILED),
    "StopAsyncIteration": ("RuntimeError: .* raised StopAsyncIteration|StopAsyncIteration: x", FAILED),
    "Group": (r"ExceptionGroup: several \(2 sub-exceptions\)", FAILED),
    "BaseGroup": (r"BaseExceptionGroup: several \(1 sub-exception\)", FAILED),
    "NotAnException": ("NotAnException: base", FAILED),
    "Cause": ("RuntimeError: while reading", FAILED),
    "Class": ("ValueError", FAILED),
    "Surrogate": (r"ValueError: \? \x00 \r\nx-evil: 1", FAILED),
    "Long": ("ValueError: x{7988}…", FAILED),
    "Status99": ("odd", FAILED),
    "Status200": ("odd", FAILED),
    "StatusTrue": ("odd", FAILED),
    "StatusHuge": ("odd", FAILED),
    "StatusText": ("odd", FAILED),
    "Status418": ("odd", (418, "invalid_request_error", None, None)),
    "OddFacts": ("odd", (429, "rate_limit_error", None, None)),
    "NanRetry": ("odd", (429, "rate_limit_error", None, None)),
    "InfRetry": ("odd", (503, "server_error", None, None)),
    "NegativeRetry": ("odd", (429, "rate_limit_error", None, None)),
    "OddTexts": ("odd", (400, "x?", "y" * 100, "\r\nx: 1")),
}
"""What the models raise, and what the caller gets for it: the message, and status, type, param and code."""

ANSWERS = ("None", "5", "nan", "list", "dict", "object", "class", "exception", "generator", "function")


@pytest.fixture(scope="module")
def server(start_server: Any) -> Any:
    server = start_server("misbehaving.py", CONFIG)
    yield server
    server.check_is_well()
    assert "sk-abc" not in server.log


def error_in(answer: Any, check_error: Any) -> tuple[int | None, dict[str, Any]]:
    """Return the one error of an answer; it may be the end of a stream, whose status said otherwise."""
    if answer.status != 200:
        assert ("retry-after" in answer.headers) == (answer.status in (429, 503))
        assert (answer.headers.get("x-should-retry") == "false") == (answer.status not in (429, 503))
        return answer.status, answer.error
    *events, last = answer.events
    assert list(last) == ["error"]
    check_error(last["error"])
    assert all(event["choices"][0]["finish_reason"] is None for event in events)
    return None, last["error"]


@pytest.mark.parametrize("model", RAISING)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streaming"])
def test_whatever_a_model_raises_is_one_error(server: Any, check_error: Any, model: str, stream: bool) -> None:
    for name, (message, facts) in RAISED.items():
        status, error = error_in(server.chat(model, name, stream=stream), check_error)
        assert re.fullmatch(message, error["message"], re.DOTALL), (name, error)
        assert (status or facts[0], error["type"], error["param"], error["code"]) == facts, name
        assert status is not None or stream
    assert server.chat("Echo", "well").text == "well"


@pytest.mark.parametrize("model", NONSENSE)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streaming"])
def test_nonsense_is_one_error_that_names_the_hook(server: Any, check_error: Any, model: str, stream: bool) -> None:
    for name in ANSWERS:
        status, error = error_in(server.chat(model, name, stream=stream), check_error)
        assert status == 500
        assert re.match(rf"{model}\._a?(call|stream) (returned|yielded) .*; it must give str, bytes", error["message"])


@pytest.mark.parametrize("model", NONSENSE_HANDLERS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streaming"])
def test_a_handlers_nonsense_is_one_error(server: Any, check_error: Any, model: str, stream: bool) -> None:
    for name in ANSWERS:
        if name == "list" and not stream:
            continue  # a list of texts is read as one
        status, error = error_in(server.chat(model, name, stream=stream), check_error)
        assert status == 500
        assert re.match(rf"{model}\.a?(completion|streaming) (returned|yielded) ", error["message"]), error
        assert "0x" not in error["message"], "an address of the memory"


@pytest.mark.parametrize("name", ["None", "5", "bytes", "object", "class", "exception", "function"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streaming"])
def test_a_stream_that_is_none_is_one_error(server: Any, check_error: Any, name: str, stream: bool) -> None:
    assert error_in(server.chat("NoStream", name, stream=stream), check_error)[0] == 500


BODIES: list[tuple[str, str, dict[str, Any]]] = [
    ("SyncVectors", "/v1/embeddings", {"input": "{}"}),
    ("AsyncVectors", "/v1/embeddings", {"input": "{}"}),
    ("ValuesHandler", "/v1/embeddings", {"input": "{}"}),
    ("SyncPictures", "/v1/images/generations", {"prompt": "{}"}),
    ("AsyncPictures", "/v1/images/generations", {"prompt": "{}"}),
    ("ValuesHandler", "/v1/images/generations", {"prompt": "{}"}),
    ("ValuesHandler", "/v1/rerank", {"query": "{}", "documents": ["a"]}),
]
VALUES_GIVEN = (*ANSWERS, "empty", "nothings", "nans", "infinities", "ragged", "too many", "no image", "odd pairs")
"""What models of other kinds give that is nonsense for most of them."""


@pytest.mark.parametrize(("model", "path", "body"), BODIES, ids=[f"{one[0]}{one[1]}" for one in BODIES])
def test_models_of_other_kinds_fail_with_one_error(server: Any, model: str, path: str, body: dict[str, Any]) -> None:
    for name in (*RAISED, *VALUES_GIVEN):
        filled = {key: value.format(name) if isinstance(value, str) else value for key, value in body.items()}
        answer = server.ask(path, {"model": model, **filled})
        if name in RAISED:
            message, facts = RAISED[name]
            error = answer.error
            assert re.fullmatch(message, error["message"], re.DOTALL), (name, error)
            assert (answer.status, error["type"], error["param"], error["code"]) == facts, name
        else:
            assert answer.status in (200, 500), (name, answer)
            assert answer.status == 200 or answer.error["type"] == "server_error", (name, answer)
            assert b"NaN" not in answer.body, name
            assert b"Infinity" not in answer.body, name
    assert server.chat("Echo", "well").text == "well"


@pytest.mark.parametrize("model", ["Empty", "AsyncEmpty"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streaming"])
def test_a_model_that_yields_nothing_has_not_answered(server: Any, check_error: Any, model: str, stream: bool) -> None:
    status, error = error_in(server.chat(model, stream=stream), check_error)
    assert (status, error["type"]) == (500, "server_error")
    assert "yielded nothing; yield at least one piece, '' for an empty answer" in error["message"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streaming"])
def test_a_text_that_is_no_unicode_is_sent_as_json(server: Any, stream: bool) -> None:
    answer = server.chat("Surrogates", stream=stream)
    answer.body.decode("utf-8")
    assert answer.status == 200
    if stream:
        assert answer.events[-1] == "[DONE]"
    else:
        assert answer.text.startswith("a")


@pytest.mark.parametrize("model", SILENT)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streaming"])
def test_a_model_that_never_answers_is_a_timeout(server: Any, check_error: Any, model: str, stream: bool) -> None:
    status, error = error_in(server.chat(model, stream=stream), check_error)
    assert (status is None) == (stream and "Stalling" in model)
    assert status in (None, 504)
    assert error == {"message": error["message"], "type": "timeout_error", "param": None, "code": "timeout"}, error


@pytest.mark.parametrize("model", BLOCKING)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streaming"])
def test_a_model_that_blocks_keeps_nobody_else_waiting(server: Any, model: str, stream: bool) -> None:
    whos = [f"{model}-{stream}-{number}" for number in range(40)]
    body = {"model": model, "stream": stream}
    connections = [server.connect() for _ in whos]
    for who, connection in zip(whos, connections, strict=True):
        connection.ask("/v1/chat/completions", {**body, "messages": [{"role": "user", "content": who}]})
    server.heard.next(whos[0])
    for other in ("Echo", "SyncEcho"):
        assert server.chat(other, "well").text == "well"
        assert server.chat(other, "well", stream=True).events[-1] == "[DONE]"
    assert server.ask("/health/live", method="GET").status == 200
    assert server.ask("/health/ready", method="GET").status == 200
    assert server.ask("/v1/models", method="GET").status == 200
    for who in whos:
        (server.folder / who).touch()
    for connection in connections:
        answer = connection.answer()
        assert answer.status == 200
        assert b"done" in answer.body
        connection.close()


@pytest.mark.parametrize("model", HOLDING)
def test_an_async_hook_that_holds_the_loop_is_named_once(server: Any, model: str) -> None:
    for stream in (False, True):
        assert server.chat(model, "x", stream=stream).status == 200
    server.logged(f"'{model}' held the loop for 0.")
    assert server.log.count(f"'{model}' held the loop for") == 1


@pytest.mark.parametrize("model", ["Stubborn", "SyncStubborn"])
def test_a_stream_that_goes_on_when_it_is_closed_is_left_behind(server: Any, model: str) -> None:
    connection = server.connect()
    who = f"{model}-leaves"
    connection.ask(
        "/v1/chat/completions",
        {"model": model, "stream": True, "messages": [{"role": "user", "content": who}]},
        x_request_id=who,
    )
    connection.read_until(b"x")
    connection.close()
    assert server.heard.next(who) == "closing"
    assert '"error_type":"client_disconnected"' in server.logged(f'"request_id":"{who}"')


def test_after_all_that_no_request_is_open(server: Any) -> None:
    for model in (*RAISING, *NONSENSE, *NONSENSE_HANDLERS, *SILENT, *BLOCKING):
        server.wait_for_metric("modelport_num_requests_running", model, 0)
