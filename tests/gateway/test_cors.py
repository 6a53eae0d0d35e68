"""CORS: which pages may call, as browsers check it (the Fetch standard; peers that got it wrong are named)."""

from __future__ import annotations

from typing import Any

import pytest

from modelport.gateway.cors import EXPOSED_HEADERS, Cors
from modelport.values.errors import InputError

PAGE = b"https://app.example.com"


def sent(headers: list[tuple[bytes, bytes]] | None) -> dict[str, str]:
    assert headers is not None
    names = [name for name, _ in headers]
    assert len(set(names)) == len(names)
    return {name.decode(): value.decode() for name, value in headers}


def asked(**headers: str) -> dict[bytes, bytes]:
    given = {"origin": PAGE.decode(), "access-control-request-method": "POST"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return {name.encode(): value.encode() for name, value in given.items()}


def test_a_listed_origin_may_read_the_answer_and_the_headers_that_sdks_obey() -> None:
    headers = sent(Cors(["https://other.example.com", PAGE.decode()]).headers_for(PAGE))
    assert headers["access-control-allow-origin"] == PAGE.decode()
    assert headers["access-control-allow-credentials"] == "true"
    assert headers["vary"] == "Origin"
    exposed = headers["access-control-expose-headers"].split(", ")
    assert {"x-request-id", "retry-after", "retry-after-ms", "x-should-retry"} <= set(exposed)
    assert exposed == list(EXPOSED_HEADERS)


@pytest.mark.parametrize(
    "origin",
    [b"https://evil.example", b"http://app.example.com", PAGE + b".evil.example", PAGE + b":8443", b"null", b"*", None],
)
def test_any_other_origin_gets_nothing_but_a_word_to_caches(origin: bytes | None) -> None:
    assert sent(Cors([PAGE.decode()]).headers_for(origin)) == {"vary": "Origin"}


def test_any_origin_may_call_without_credentials() -> None:
    for origin in (PAGE, b"null", None):
        headers = sent(Cors(["*"]).headers_for(origin))
        assert headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in headers
        assert "vary" not in headers
    both = Cors([PAGE.decode(), "*"])
    assert sent(both.headers_for(PAGE))["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in sent(both.preflight(asked(), ["POST"]))


def test_a_preflight_allows_the_headers_that_are_asked_for() -> None:
    # SDKs add x-stainless-* headers, which a fixed list misses (pollinations PR 10165, opencodex#1773).
    wanted = "authorization,content-type,x-stainless-lang,x-stainless-retry-count"
    for cors in (Cors([PAGE.decode()], max_age_seconds=60), Cors(["*"], max_age_seconds=60)):
        headers = sent(cors.preflight(asked(access_control_request_headers=wanted), ["POST", "OPTIONS"]))
        assert headers["access-control-allow-origin"] in ("*", PAGE.decode())
        assert headers["access-control-allow-headers"] == wanted
        assert headers["access-control-allow-methods"] == "POST, OPTIONS"
        assert headers["access-control-max-age"] == "60"
        assert "Origin" in headers["vary"]
        assert "access-control-expose-headers" not in headers


@pytest.mark.parametrize("wanted", ["x-a\r\nset-cookie: b", "x-a\x00", "é", "x" * 5000])
def test_what_is_no_list_of_header_names_is_not_sent_back(wanted: str) -> None:
    headers = sent(Cors(["*"]).preflight(asked(access_control_request_headers=wanted), ["POST"]))
    assert "access-control-allow-headers" not in headers


def test_a_preflight_of_another_origin_allows_nothing() -> None:
    headers = sent(Cors(["https://other.example.com"]).preflight(asked(), ["POST"]))
    assert list(headers) == ["vary"]


def test_only_listed_origins_may_reach_into_a_private_network() -> None:
    request = asked(access_control_request_private_network="true")
    allowed = "access-control-allow-private-network"
    assert sent(Cors([PAGE.decode()]).preflight(request, ["POST"]))[allowed] == "true"
    assert allowed not in sent(Cors(["*"]).preflight(request, ["POST"]))
    assert allowed not in sent(Cors([PAGE.decode()]).preflight(asked(), ["POST"]))


@pytest.mark.parametrize("headers", [{}, {b"origin": PAGE}, {b"access-control-request-method": b"POST"}])
def test_an_options_request_that_no_browser_sent_is_no_preflight(headers: dict[bytes, bytes]) -> None:
    assert Cors(["*"]).preflight(headers, ["POST"]) is None


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://Example.com/", b"https://example.com"),
        ("https://example.com:443", b"https://example.com"),
        ("http://localhost:3000", b"http://localhost:3000"),
        ("http://[::1]:3000", b"http://[::1]:3000"),
        ("app://obsidian.md", b"app://obsidian.md"),
        ("null", b"null"),
    ],
)
def test_origins_are_compared_as_browsers_write_them(given: str, origin: bytes) -> None:
    assert sent(Cors([given]).headers_for(origin))["access-control-allow-origin"] == origin.decode()


@pytest.mark.parametrize(
    "given", ["example.com", "https://", "https://example.com/app", "https://*.example.com", "", "https://a b", "://x"]
)
def test_what_is_no_origin_is_refused_with_a_way_out(given: Any) -> None:
    with pytest.raises(InputError, match="is no origin; write scheme, host and port"):
        Cors([given])
