"""Who may call."""

from __future__ import annotations

import pytest

from modelport.gateway.auth import Keyring, is_loopback_host, new_key
from modelport.values.errors import AuthenticationError

KEYRING = Keyring(["sk-one", "sk-two", "sk-ümlaut"])


@pytest.mark.parametrize(
    ("authorization", "x_api_key"),
    [
        ("Bearer sk-one", None),
        ("bearer   sk-two ", None),
        (None, "sk-two"),
        ("Basic dXNlcg==", "sk-one"),
        ("Bearer sk-ümlaut", None),
    ],
)
def test_a_known_key_may_call(authorization: str | None, x_api_key: str | None) -> None:
    KEYRING.check(authorization, x_api_key, "192.0.2.1")


@pytest.mark.parametrize(
    ("authorization", "x_api_key"),
    [
        (None, None),
        ("Bearer sk-on", None),
        ("Bearer sk-one2", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("sk-one", None),
        ("Basic sk-one", None),
        (None, ""),
        (None, "SK-ONE"),
        ("Bearer sk-wrong", "sk-one"),
    ],
)
def test_any_other_may_not_even_over_loopback(authorization: str | None, x_api_key: str | None) -> None:
    with pytest.raises(AuthenticationError) as caught:
        KEYRING.check(authorization, x_api_key, "127.0.0.1")
    assert "sk-" not in str(caught.value)
    assert (caught.value.status_code, caught.value.code) == (401, "invalid_api_key")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", None, "testserver", "/run/modelport.sock"])
def test_without_keys_this_machine_may_call(address: str | None) -> None:
    Keyring([]).check(None, None, address)


@pytest.mark.parametrize("address", ["192.0.2.1", "0.0.0.0", "::", "10.0.0.1", "2001:db8::1"])
def test_without_keys_no_other_machine_may_call(address: str) -> None:
    with pytest.raises(AuthenticationError, match="no key is configured"):
        Keyring([]).check("Bearer anything", None, address)


@pytest.mark.parametrize(
    ("host", "answer"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False), ("my.host", False)],
)
def test_a_host_to_listen_on_is_loopback_or_not(host: str, answer: bool) -> None:
    assert is_loopback_host(host) is answer


def test_a_new_key_is_long_and_random() -> None:
    assert len({new_key() for _ in range(50)}) == 50
    assert len(new_key()) > 30


def test_a_keyring_does_not_hold_its_keys() -> None:
    assert not any(b"sk-" in one or one == b"sk-one" for one in KEYRING._hashes)
