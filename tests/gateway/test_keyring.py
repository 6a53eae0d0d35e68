"""Who may call."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from modelport.gateway.keyring import ANYBODY, Key, Keyring, new_key
from modelport.gateway.loopback import is_loopback
from modelport.gateway.settings import KeySettings
from modelport.values.errors import AuthenticationError

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def entry_of(key: str, **entry: Any) -> KeySettings:
    # Settings that are checked take no empty key and no spaces around one.
    return KeySettings.model_construct(key=SecretStr(key), **entry)


def ring(*keys: str, **entry: Any) -> Keyring:
    return Keyring([entry_of(key, **entry) for key in keys], clock=NOON.timestamp)


def key_of(keyring: Keyring, key: str = "sk-one") -> Key:
    return keyring.check(b"Bearer " + key.encode(), None, "192.0.2.1")


KEYRING = ring("sk-one", "sk-two", "sk-ümlaut", "sk-密钥", " sk-from-file\n")


@pytest.mark.parametrize(
    ("authorization", "x_api_key"),
    [
        (b"Bearer sk-one", None),
        (b"bearer   sk-two ", None),
        (b"  BEARER\tsk-two\t", None),
        (None, b"sk-two"),
        (None, b" sk-two "),
        (b"Basic dXNlcg==", b"sk-one"),
        (b"", b"sk-one"),
        (b"Bearer ", b"sk-one"),
        (b"Bearer sk-two", b"sk-wrong"),
        ("Bearer sk-ümlaut".encode(), None),
        ("Bearer sk-ümlaut".encode("latin-1"), None),
        ("Bearer sk-密钥".encode(), None),
        (b"Bearer sk-from-file", None),
    ],
)
def test_a_known_key_may_call(authorization: bytes | None, x_api_key: bytes | None) -> None:
    assert KEYRING.check(authorization, x_api_key, "192.0.2.1").id is not None


@pytest.mark.parametrize(
    ("authorization", "x_api_key", "text"),
    [
        (None, None, "no API key given"),
        (b"", None, "no API key given"),
        (b"Bearer", None, "no API key given"),
        (b"Bearer ", None, "no API key given"),
        (b"Bearer \t ", b" ", "no API key given"),
        (None, b"", "no API key given"),
        (b"sk-one", None, "does not begin with 'Bearer '"),
        (b"Basic sk-one", None, "does not begin with 'Bearer '"),
        (b"Bearersk-one", None, "does not begin with 'Bearer '"),
        (b"Bearer sk-on", None, "not known"),
        (b"Bearer sk-one2", None, "not known"),
        (b"Bearer sk-one sk-two", None, "not known"),
        (None, b"SK-ONE", "not known"),
        (b"Bearer sk-wrong", b"sk-one", "not known"),
        (b"Bearer sk-\xff\x00", None, "not known"),
    ],
)
def test_any_other_may_not_even_over_loopback(authorization: bytes | None, x_api_key: bytes | None, text: str) -> None:
    with pytest.raises(AuthenticationError, match=text) as caught:
        KEYRING.check(authorization, x_api_key, "127.0.0.1")
    assert "sk-" not in str(caught.value).lower()
    assert (caught.value.status_code, caught.value.code) == (401, "invalid_api_key")


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_whatever_is_sent_is_let_in_or_refused(authorization: bytes, x_api_key: bytes) -> None:
    with pytest.raises(AuthenticationError) as caught:
        KEYRING.check(authorization, x_api_key, "127.0.0.1")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", None, "testserver", "/run/modelport.sock"]
)
def test_without_keys_this_machine_may_call(address: str | None) -> None:
    assert is_loopback(address)
    somebody = Keyring([]).check(None, None, address)
    assert somebody is ANYBODY
    assert (somebody.id, somebody.limits, somebody.allows("any-model")) == (None, None, True)


@pytest.mark.parametrize("address", ["192.0.2.1", "0.0.0.0", "::", "10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1"])
def test_without_keys_no_other_machine_may_call(address: str) -> None:
    with pytest.raises(AuthenticationError, match="no key is configured"):
        Keyring([]).check(b"Bearer anything", None, address)


def test_an_empty_key_neither_opens_the_gateway_nor_lets_anybody_in() -> None:
    for headers in [(None, None), (b"Bearer ", None), (None, b"")]:
        with pytest.raises(AuthenticationError):
            ring("").check(*headers, "127.0.0.1")


@pytest.mark.parametrize("keys", [(), ("sk-one",)])
@pytest.mark.parametrize(
    ("path", "address", "needed"),
    [
        ("/health/live", "192.0.2.1", False),
        ("/health/ready", "127.0.0.1", False),
        ("/health", "192.0.2.1", False),
        ("/healthy", "192.0.2.1", True),
        ("/metrics", "192.0.2.1", True),
        ("/metrics", "127.0.0.1", False),
        ("/chat/completions", "192.0.2.1", True),
        ("/chat/completions", "127.0.0.1", True),
        ("/models", "127.0.0.1", True),
    ],
)
def test_health_never_needs_a_key_and_metrics_do_unless_on_loopback(
    keys: tuple[str, ...], path: str, address: str, needed: bool
) -> None:
    assert ring(*keys).needs_key(path, address) is needed


@pytest.mark.parametrize(
    ("models", "allowed", "refused"),
    [
        ([], ["a", "", "x/y"], []),
        (["a", "b/c"], ["a", "b/c"], ["", "A", "aa", "b", "b/c/d"]),
        (["*"], ["a", "", "x/y"], []),
        (["gpt-*"], ["gpt-", "gpt-4o"], ["gpt", "my-gpt-4o", "GPT-4"]),
        (["*-mini"], ["-mini", "4o-mini", "a-mini-mini"], ["mini", "4o-mini2"]),
        (["a*b*c"], ["abc", "axbxc", "abcbc", "a/b/c"], ["ac", "acb", "ab", "bc"]),
        (["a*a"], ["aa", "aba"], ["a", "ab"]),
        (["a*aa*a"], ["aaaa", "abaaba"], ["aaa", "aba"]),
        (["*aa*aa*"], ["aaaa", "aabaab"], ["aaa", "aa"]),
        (["**a**"], ["a", "bab"], ["b"]),
        (["gpt-?", "[ab]", "c.d"], ["gpt-?", "[ab]", "c.d"], ["gpt-4", "a", "cxd"]),
        (["one", "two-*"], ["one", "two-x"], ["onex", "three"]),
    ],
)
def test_a_key_may_ask_for_its_models(models: list[str], allowed: list[str], refused: list[str]) -> None:
    key = key_of(ring("sk-one", models=models))
    assert [name for name in [*allowed, *refused] if key.allows(name)] == allowed


def test_a_name_made_to_be_slow_is_not() -> None:
    key = key_of(ring("sk-one", models=["*a" * 30 + "b"]))
    assert not key.allows("a" * 1_000_000)


@pytest.mark.parametrize(
    ("expires", "valid"),
    [
        (None, True),
        (NOON + timedelta(seconds=1), True),
        (NOON, False),
        (NOON - timedelta(days=9), False),
        (datetime(2026, 6, 1, 12, 30), True),  # noqa: DTZ001 - without a zone, as YAML gives it
        (datetime(2026, 6, 1, 11, 30), False),  # noqa: DTZ001 - as above
        (datetime(2026, 6, 1, 12, 30, tzinfo=timezone(timedelta(hours=2))), False),
        (date(2026, 6, 1), True),
        (date(2026, 5, 31), False),
        (date.max, True),
    ],
)
def test_a_key_is_valid_until_it_expires(expires: datetime | date | None, valid: bool) -> None:
    keyring = ring("sk-one", expires=expires)
    if valid:
        key_of(keyring)
        return
    with pytest.raises(AuthenticationError, match=r"expired on 20\d\d-\d\d-\d\d at \d\d:\d\d UTC") as caught:
        key_of(keyring)
    assert caught.value.status_code == 401
    assert "sk-" not in str(caught.value)


def test_a_key_expires_while_the_gateway_runs() -> None:
    now = [NOON.timestamp()]
    keyring = Keyring([entry_of("sk-one", expires=NOON + timedelta(hours=1))], clock=lambda: now[0])
    key_of(keyring)
    now[0] += 3600
    with pytest.raises(AuthenticationError, match="expired on 2026-06-01 at 13:00 UTC"):
        key_of(keyring)


def test_logs_call_a_key_by_its_name_or_the_start_of_its_hash() -> None:
    assert key_of(ring("sk-one", name="alice")).id == "alice"
    # printf sk-one | sha256sum
    assert key_of(ring("sk-one")).id == "456f1612"


def test_a_key_without_limits_has_none_to_ask() -> None:
    assert key_of(ring("sk-one")).limits is None


def test_limits_belong_to_one_key_however_it_is_sent() -> None:
    keyring = ring("sk-one", "sk-ümlaut", requests_per_minute=5)
    umlaut = key_of(keyring, "sk-ümlaut")
    assert keyring.check(None, "sk-ümlaut".encode("latin-1"), None) is umlaut
    assert umlaut.limits is not None
    assert umlaut.limits is not key_of(keyring).limits


def test_workers_share_the_limits_of_a_key() -> None:
    entry = KeySettings(
        key=SecretStr("sk-one"), requests_per_minute=10, tokens_per_minute=1000, max_parallel_requests=1
    )
    limits = key_of(Keyring([entry], workers=3)).limits
    assert limits is not None
    assert limits.amounts == (4, 334, 1)


def test_of_two_entries_with_the_same_key_the_first_counts() -> None:
    first, second = (
        entry_of("sk-one", name="first"),
        entry_of("sk-one", name="second"),
    )
    key = key_of(Keyring([first, second]))
    assert key.id == "first"


def test_after_a_reload_a_key_goes_on_with_what_it_has_used() -> None:
    before = ring("sk-one", "sk-two", requests_per_minute=5)
    same = [
        entry_of("sk-one", requests_per_minute=5, name="renamed"),
        entry_of("sk-new"),
    ]
    after = Keyring(same, before=before)
    assert key_of(after).limits is key_of(before).limits
    assert key_of(after).id == "renamed"
    assert key_of(after, "sk-new").limits is None
    with pytest.raises(AuthenticationError):
        key_of(after, "sk-two")


@pytest.mark.parametrize("amounts", [{"requests_per_minute": 6}, {"tokens_per_minute": 5}, {}])
def test_after_a_reload_with_other_limits_a_key_begins_anew(amounts: dict[str, Any]) -> None:
    before = ring("sk-one", requests_per_minute=5)
    limits = key_of(Keyring([entry_of("sk-one", **amounts)], before=before)).limits
    assert limits is not key_of(before).limits
    assert (limits is None) is (not amounts)


def test_a_new_key_is_long_and_random() -> None:
    assert len({new_key() for _ in range(50)}) == 50
    assert len(new_key()) > 30


def test_a_keyring_does_not_hold_its_keys() -> None:
    keyring = ring("sk-one", "sk-two", models=["m"], requests_per_minute=1)
    held = [repr(digest) for digest in keyring.by_hash]
    for _, key in keyring.by_hash.values():
        held += [repr(getattr(key, slot)) for slot in Key.__slots__]
    assert len(held) > 10
    assert not any("sk-" in text for text in held)
