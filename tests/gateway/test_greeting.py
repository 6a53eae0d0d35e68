"""What a person who starts a gateway reads."""

from __future__ import annotations

from typing import Any

import pytest

from modelport.gateway.greeting import ModelLine, greeting
from modelport.gateway.settings import ServerSettings

HERE = ("127.0.0.1", 4000)


def server(**settings: Any) -> ServerSettings:
    return ServerSettings.model_validate(settings)


def test_the_table_is_aligned_and_counts_deployments() -> None:
    models = [
        ModelLine("short", ("chat",), ("m:A",)),
        ModelLine("team/a-long-name", ("embedding", "rerank"), ("m:A", "m:B", "m:A")),
    ]
    lines = greeting(models, server(), HERE)
    assert lines[0] == "modelport serves http://127.0.0.1:4000/v1 to everybody on this machine (no key is configured)"
    assert lines[2:5] == [
        "  MODEL             KIND               ANSWERED BY",
        "  short             chat               m:A",
        "  team/a-long-name  embedding, rerank  2 x m:A, m:B",
    ]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("chat", "/chat/completions"),
        ("embedding", "/embeddings"),
        ("image", "/images/generations"),
        ("rerank", "/rerank"),
    ],
)
def test_the_line_to_try_fits_the_model(kind: str, path: str) -> None:
    line = greeting([ModelLine("m-*"), ModelLine("m", (kind,))], server(), HERE)[-1]
    assert f"http://127.0.0.1:4000/v1{path} " in line
    assert '"model": "m"' in line


def test_with_wildcards_only_the_line_lists_the_models() -> None:
    assert greeting([ModelLine("gpt-*")], server(), HERE)[-1] == "  curl http://127.0.0.1:4000/v1/models"


def test_a_configured_key_is_never_shown_and_a_made_one_is() -> None:
    text = "\n".join(greeting([ModelLine("m")], server(keys=["sk-secret"]), HERE))
    assert "sk-secret" not in text
    assert "keys: 1 configured" in text
    assert '"Authorization: Bearer $MODELPORT_KEY"' in text
    text = "\n".join(greeting([ModelLine("m")], server(keys=["sk-made"]), ("0.0.0.0", 1), "sk-made"))
    assert "key, made for this run: sk-made" in text
    assert "curl http://127.0.0.1:1/v1" in text
    assert '"Authorization: Bearer sk-made"' in text


@pytest.mark.parametrize(("address", "url"), [("::1", "http://[::1]:4000"), ("::", "http://[::1]:4000")])
def test_an_ipv6_address_is_in_brackets(address: str, url: str) -> None:
    assert f"curl '{url}/v1" in greeting([ModelLine("m")], server(), (address, 4000))[-1]


def test_limits_that_were_set_are_shown() -> None:
    lines = greeting(
        [ModelLine("m")],
        server(
            limits={"max_connections": 100, "header_timeout_seconds": 5},
            keys=["sk-1", {"key": "sk-2", "requests_per_minute": 5}],
            workers=3,
        ),
        HERE,
    )
    assert "limits: header timeout 5 s, max connections 100, 1 of the keys" in lines
    assert "workers: 3" in lines
