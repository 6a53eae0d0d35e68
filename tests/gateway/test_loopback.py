"""Which addresses only this machine reaches."""

from __future__ import annotations

import pytest

from modelport.gateway.loopback import is_loopback_host


@pytest.mark.parametrize(
    ("host", "answer"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False), ("my.host", False)],
)
def test_a_host_to_listen_on_is_loopback_or_not(host: str, answer: bool) -> None:
    assert is_loopback_host(host) is answer
