"""A client that leaves stops the model at once, over real sockets to a real server.

Each model would work for ten seconds and then say `finished`; a model that is stopped says `stopped` before.
"""

from __future__ import annotations

from typing import Any

import pytest

CHATS = [
    "AsyncCall", "SyncCall", "AsyncStream", "AsyncSteps", "SyncStream", "SyncSteps", "AsyncBatch", "AsyncChat",
    "Handler", "SyncHandler", "Instead", "OneOfTwo",
]  # fmt: skip

CONFIG = """
models:
  AsyncCall: {use: "models:AsyncCall"}
  SyncCall: {use: "models:SyncCall"}
  AsyncStream: {use: "models:AsyncStream"}
  AsyncSteps: {use: "models:AsyncSteps"}
  SyncStream: {use: "models:SyncStream"}
  SyncSteps: {use: "models:SyncSteps"}
  Flood: {use: "models:Flood"}
  AsyncBatch: {use: "models:AsyncBatch"}
  AsyncChat: {use: "models:AsyncChat"}
  Handler: {use: "models:Handler"}
  SyncHandler: {use: "models:SyncHandler"}
  Vectors: {use: "models:Vectors"}
  Pictures: {use: "models:Pictures"}
  Single: {use: "models:AsyncCall", max_concurrency: 1}
  Retried: {use: "models:Busy", retries: 3}
  Instead: {use: "models:Busy", fallbacks: [AsyncCall]}
  OneOfTwo: {deployments: [{use: "models:AsyncCall"}, {use: "models:AsyncCall"}], timeout_seconds: 60}
server: {keep_alive_comments_seconds: 30}
"""


@pytest.fixture(scope="module")
def server(start_server: Any) -> Any:
    server = start_server("leaving.py", CONFIG)
    yield server
    server.check_is_well()


class Client:
    """Is a client that asks and leaves."""

    def __init__(self, server: Any, who: str) -> None:
        self.server = server
        self.who = who
        self.connection = server.connect()

    def ask(self, path: str, **body: Any) -> Client:
        self.connection.ask(f"/v1{path}", body, x_request_id=self.who)
        return self

    def chat(self, model: str, **fields: Any) -> Client:
        return self.ask("/chat/completions", model=model, messages=[{"role": "user", "content": self.who}], **fields)

    def record(self) -> str:
        """Wait for the log's line about the request, which is over then."""
        return self.server.logged(f'"request_id":"{self.who}"')


@pytest.fixture
def client(server: Any, request: Any) -> Any:
    count = 0

    def client() -> Client:
        nonlocal count
        count += 1
        return Client(server, f"{abs(hash(request.node.name)):x}-{count}")

    return client


@pytest.mark.parametrize("model", CHATS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streaming"])
@pytest.mark.parametrize("leave", ["close", "reset"])
def test_a_client_that_leaves_stops_the_model(server: Any, client: Any, model: str, stream: bool, leave: str) -> None:
    one = client().chat(model, stream=stream)
    while (said := server.heard.next(one.who)) == "asked":
        pass
    assert said == "running"
    getattr(one.connection, leave)()
    assert server.heard.next(one.who) == "stopped"
    assert '"error_type":"client_disconnected"' in one.record()


def test_a_client_that_does_not_read_and_leaves_stops_the_model(server: Any, client: Any) -> None:
    one = client().chat("Flood", stream=True)
    assert server.heard.next(one.who) == "running"
    one.connection.reset()
    assert server.heard.next(one.who) == "stopped"
    assert '"error_type":"client_disconnected"' in one.record()


@pytest.mark.parametrize("model", ["AsyncCall", "SyncCall", "Handler"])
@pytest.mark.parametrize("n", [1, 2])
def test_leaving_stops_all_prompts_of_a_completion(server: Any, client: Any, model: str, n: int) -> None:
    one = client()
    prompts = [f"{one.who}/{index}" for index in range(3)]
    one.ask("/completions", model=model, prompt=prompts, n=n)
    for _ in range(n):
        assert [server.heard.next(prompt) for prompt in prompts] == ["running"] * 3
    one.connection.close()
    for _ in range(n):
        assert [server.heard.next(prompt) for prompt in prompts] == ["stopped"] * 3
    assert '"error_type":"client_disconnected"' in one.record()


@pytest.mark.parametrize("model", ["AsyncStream", "SyncStream", "Handler"])
def test_leaving_stops_a_streamed_completion_and_begins_no_other_prompt(server: Any, client: Any, model: str) -> None:
    one = client()
    prompts = [f"{one.who}/{index}" for index in range(3)]
    one.ask("/completions", model=model, prompt=prompts, stream=True)
    assert server.heard.next(prompts[0]) == "running"
    one.connection.close()
    assert server.heard.next(prompts[0]) == "stopped"
    assert '"error_type":"client_disconnected"' in one.record()
    assert server.heard.so_far(prompts[1]) == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/embeddings", {"model": "Vectors", "input": "{}"}),
        ("/images/generations", {"model": "Pictures", "prompt": "{}"}),
    ],
)
def test_leaving_stops_models_of_other_kinds(server: Any, client: Any, path: str, body: dict[str, str]) -> None:
    one = client()
    one.ask(path, **{name: value.format(one.who) for name, value in body.items()})
    assert server.heard.next(one.who) == "running"
    one.connection.close()
    assert server.heard.next(one.who) == "stopped"
    assert '"error_type":"client_disconnected"' in one.record()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streaming"])
def test_a_client_that_leaves_the_queue_never_reaches_the_model(server: Any, client: Any, stream: bool) -> None:
    running, leaving, waiting = client(), client(), client()
    running.chat("Single", stream=stream)
    assert server.heard.next(running.who) == "running"
    leaving.chat("Single", stream=stream)
    server.wait_for_metric("modelport_num_requests_waiting", "Single", 1)
    waiting.chat("Single", stream=stream)
    server.wait_for_metric("modelport_num_requests_waiting", "Single", 2)
    leaving.connection.close()
    assert '"status":499' in leaving.record()
    assert server.heard.so_far(waiting.who) == [], "the one who left has given its place away twice"
    running.connection.close()
    assert server.heard.next(running.who) == "stopped"
    assert server.heard.next(waiting.who) == "running"
    waiting.connection.close()
    assert server.heard.next(waiting.who) == "stopped"
    assert server.heard.so_far(leaving.who) == []
    server.wait_for_metric("modelport_num_requests_running", "Single", 0)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streaming"])
def test_a_client_that_leaves_while_a_retry_waits_is_not_tried_again(server: Any, client: Any, stream: bool) -> None:
    one = client().chat("Retried", stream=stream)
    assert server.heard.next(one.who) == "asked"
    one.connection.close()
    assert '"status":499' in one.record()
    assert server.heard.so_far(one.who) == []


def test_who_stays_is_answered_while_others_leave(server: Any, client: Any) -> None:
    leaving = [client().chat("AsyncSteps", stream=True) for _ in range(10)]
    staying = client().chat("AsyncSteps", stream=True)
    for one in (*leaving, staying):
        assert server.heard.next(one.who) == "running"
    for one in leaving:
        one.connection.reset()
    for one in leaving:
        assert server.heard.next(one.who) == "stopped"
    # It had its chunks all the while, and gets more.
    read = staying.connection.read_until(b"data: ")
    assert read.startswith(b"HTTP/1.1 200 OK")
    staying.connection.read_until(b"data: ")
    staying.connection.close()
    assert server.heard.next(staying.who) == "stopped"


def test_a_request_sent_ahead_is_not_begun_for_a_client_that_left(server: Any, client: Any) -> None:
    first, ahead = client(), client()
    first.chat("AsyncCall")
    ahead.connection.close()
    ahead.connection = first.connection
    ahead.chat("AsyncCall")
    assert server.heard.next(first.who) == "running"
    first.connection.close()
    assert server.heard.next(first.who) == "stopped"
    assert '"error_type":"client_disconnected"' in first.record()
    assert server.chat("AsyncCall", "gone", n=0).status == 400
    assert server.heard.so_far(ahead.who) == []


@pytest.mark.parametrize("sent", ['{"model": "Async', ""])
def test_a_client_that_leaves_in_the_middle_of_its_body_is_forgotten(server: Any, client: Any, sent: str) -> None:
    one = client()
    one.connection.send(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-request-id: %s\r\ncontent-length: 1000\r\n\r\n%s"
        % (one.who.encode(), sent.encode())
    )
    one.connection.close()
    assert '"status":499' in one.record()
