"""config.yaml: what it may say, and how its mistakes are named."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from modelport.gateway.config import load_settings, settings_from
from modelport.gateway.options import ServeOptions
from modelport.values.errors import InputError

SECRET = "sk-very-secret-value"


@pytest.fixture(autouse=True)
def no_master_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("MODELPORT_MASTER_KEY", "LITELLM_MASTER_KEY"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def read(text: str) -> Any:
        (tmp_path / "config.yaml").write_text(text)
        return load_settings(tmp_path / "config.yaml")

    return read


def mistake(read: Any, text: str) -> str:
    with pytest.raises(InputError) as caught:
        read(text)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return str(caught.value)


def test_a_config_names_models_and_how_they_are_served(read: Any, tmp_path: Path) -> None:
    settings = read("models: {my/echo: {use: 'echo:EchoLLM', params: {n: 5}}}\nserver: {port: 5000, keys: [sk-1]}")
    assert settings.models["my/echo"].use == "echo:EchoLLM"
    assert settings.models["my/echo"].params == {"n": 5}
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 5000)
    assert [key.key.get_secret_value() for key in settings.server.keys] == ["sk-1"]
    assert settings.folder == tmp_path


def test_an_empty_file_is_an_empty_config(read: Any) -> None:
    assert read("").models == {}


def test_values_come_from_the_environment(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", SECRET)
    monkeypatch.setenv("A_PORT", "81")
    monkeypatch.delenv("NOT_SET", raising=False)
    settings = read(
        "models: {m: {use: 'a:${NOT_SET:-B}',\n"
        "  params: {url: 'http://x:${A_PORT}/', list: ['${A_KEY}'], raw: '$${A_KEY}'}}}\n"
        "server: {port: '${A_PORT}', keys: ['${A_KEY}']}"
    )
    assert settings.models["m"].use == "a:B"
    assert settings.models["m"].params == {"url": "http://x:81/", "list": [SECRET], "raw": "${A_KEY}"}
    assert settings.server.port == 81
    assert settings.server.keys[0].key.get_secret_value() == SECRET


def test_a_variable_that_is_not_set_is_named_with_its_place(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    message = mistake(read, "models: {m: {use: 'a:b', params: {keys: [1, '${NOT_SET}']}}}")
    assert "config.yaml: models.m.params.keys[1]: the environment variable 'NOT_SET' is not set" in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server: {prot: 1}", "'server.prot' is no known key; did you mean 'port'?"),
        ("modles: {}", "'modles' is no known key; did you mean 'models'?"),
        ("server: {zzz: 1}", "'server.zzz' is no known key; known keys: host, port, keys"),
        ("models: {m: {use: 'a:b', parms: {}}}", "'models.m.parms' is no known key; did you mean 'params'?"),
        ("models: {m: {}}", "'models.m.use' is missing"),
        ("models: {m: a}", "'models.m': input should be a valid dictionary"),
        ("server: {port: abc}", "'server.port': input should be a valid integer"),
        ("server: {port: 70000}", "'server.port': input should be less than or equal to 65535, got 70000"),
        ("server: {timeout_seconds: 0}", "'server.timeout_seconds': input should be greater than 0, got 0"),
        ("server: {max_body_bytes: 5}", "'server.max_body_bytes' is now called 'server.limits.max_body_bytes'"),
        (
            "server: {limits: {max_body_byts: 5}}",
            "'server.limits.max_body_byts' is no known key; did you mean 'max_body_",
        ),
        (
            "server: {keys: [{key: sk-1, rpm: 5}]}",
            "'server.keys[0].***' is no known key; known keys: key, name, models",
        ),
        (
            "server: {keys: [{key: sk-1, expire: 5}]}",
            "'server.keys[0].expire' is no known key; did you mean 'expires'?",
        ),
        ("server: {keys: [a, {name: b}]}", "'server.keys[1].key' is missing"),
        (
            "server: {keys: [a, b, {key: a, master: true}]}",
            "'server.keys': [0] and [2] are the same key with different",
        ),
        ("server: {keys: [a, '']}", "'server.keys[1]': a key must not be empty"),
        (
            "server: {keys: [{key: a, expires: soon}]}",
            "'server.keys[0].expires': must be a day or a time, as 2026-12-31",
        ),
        ("server: {cors: {origins: [example.com]}}", "'server.cors.origins': each must be '*' or an origin without a"),
        ("server: {workers: 0}", "'server.workers': input should be greater than or equal to 1, got 0"),
        (
            "models: {m: {use: 'a:b', circuit_breaker: {fails: 3}}}",
            "'models.m.circuit_breaker.fails' is no known key; did",
        ),
        (
            "models: {m: {deployments: [{use: a:b, parms: {}}]}}",
            "'models.m.deployments[0].parms' is no known key; did you",
        ),
        ("models: {m: {deployments: []}}", "'models.m.deployments': list should have at least 1 item"),
        ("models: {m: {use: a:b, deployments: [{use: a:b}]}}", "'models.m': 'use' must stand in each of 'deployments'"),
        ("models: {m: {use: a:b, fallbacks: [n]}, nn: {use: a:b}}", "'models.m.fallbacks': there is no model 'n'; did"),
        ("models: {m: {use: a:b}}\naliases: {x: mm}", "'aliases.x': there is no model 'mm'; did you mean 'm'?"),
        ("models: {m: {use: a:b}}\naliases: {m: m}", "the name 'm' is a model and an alias"),
        ("models: {m: {use: 'openai/*'}}", "models.m: the '*' of 'openai/*' needs one in the model's name"),
        ("models: {'a*b*': {use: 'a:b'}}", "the name 'a*b*' must be a text with at most one '*'"),
        ("handlers: {a/b: 'a:b'}", "the name 'a/b' of a handler must be a text without '/' and '*'"),
        ("models: {1: {use: 'a:b'}}", "the name 'models.1' must be a text; write it in quotes"),
        ("- a", "config.yaml must be a mapping with 'models' and 'server'"),
        ("server: {port: 1\n", "config.yaml is no YAML"),
        ("server: {port: 1}\nserver: {port: 2}", "the key 'server' is there twice (line 2, column 1)"),
        ("models: {a: {use: 'x:y'}, a: {use: 'x:z'}}", "the key 'a' is there twice (line 1, column 27)"),
        ("x: !!python/object:os.system {}", "config.yaml is no YAML"),
    ],
)
def test_a_mistake_is_named_with_its_place_its_value_and_the_near_key(read: Any, text: str, said: str) -> None:
    message = mistake(read, text)
    assert message.startswith("config.yaml")
    assert said in message


def test_merge_keys_are_not_taken_for_duplicates(read: Any) -> None:
    settings = read("models:\n  a: &a {use: 'x:y'}\n  b: {<<: *a, params: {n: 1}}\n")
    assert (settings.models["b"].use, settings.models["b"].params) == ("x:y", {"n": 1})


@pytest.mark.parametrize(
    "text",
    [
        f"server: {{keys: {SECRET}}}",
        f"server: {{keys: [[{SECRET}]]}}",
        f"server: {{api_key: {SECRET}}}",
        f"server: {{keys: [{{{SECRET}: 1}}]}}",
        f"server: {{keys: [{{key: '{SECRET} '}}]}}",
        "server: {keys: [{'${A_SECRET}': 1, key: [1]}]}",
        "models: {m: {use: a:b, fallbacks: ['${A_SECRET}']}}",
        "server: {port: '${A_SECRET}'}",
        "models: {m: {use: ['${A_SECRET}']}}",
        "models: ['${A_SECRET}']",
        f"server: {{keys: [{SECRET}\n",
    ],
)
def test_no_mistake_shows_a_secret(read: Any, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", SECRET)
    assert SECRET not in mistake(read, text)


def test_settings_do_not_print_their_keys(read: Any) -> None:
    assert SECRET not in repr(read(f"server: {{keys: [{SECRET}]}}"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no config file 'nothing\.yaml'"):
        load_settings("nothing.yaml")
    with pytest.raises(InputError, match="cannot be read"):
        load_settings(tmp_path)


def test_settings_are_read_from_a_dict_too() -> None:
    assert settings_from({"server": {"port": 1}}).server.port == 1
    with pytest.raises(InputError, match="must be a mapping"):
        settings_from([])


@pytest.mark.parametrize("use", ["*", "my_models:*", "handlers/*.py:attr", "my_models.*", "openai/**"])
def test_what_a_client_asks_for_cannot_be_filled_into_an_import_path(read: Any, use: str) -> None:
    message = mistake(read, f"models: {{'*': {{use: '{use}'}}}}")
    assert f"models.*: {use!r} cannot be filled in by clients" in message


def test_a_model_may_have_deployments_that_each_have_their_bounds(read: Any) -> None:
    settings = read(
        "models:\n"
        "  m: {retries: 1, deployments: [{use: a:b, params: {n: 1}, max_concurrency: 4}, {use: a:c, max_queue: 0}]}\n"
        "  one: {use: a:d, max_concurrency: 2, queue_timeout_seconds: 5}\n"
    )
    assert [(part.use, part.max_concurrency, part.max_queue) for part in settings.models["m"].parts()] == [
        ("a:b", 4, 256),
        ("a:c", None, 0),
    ]
    [only] = settings.models["one"].parts()
    assert (only.use, only.max_concurrency, only.queue_timeout_seconds, only.max_queue) == ("a:d", 2, 5, 256)


def test_a_key_may_have_limits_and_an_end(read: Any) -> None:
    settings = read(
        "server:\n"
        "  keys:\n"
        "    - sk-plain\n"
        "    - {key: sk-2, name: ci, models: ['gpt-*'], "
        "requests_per_minute: 3, tokens_per_minute: 4, expires: 2026-12-31}\n"
        "    - {key: sk-3, max_parallel_requests: 2, expires: '2026-12-31T10:00:00Z'}\n"
        "    - {key: sk-4, expires: '2026-12-31'}\n"
    )
    plain, limited, timed, quoted = settings.server.keys
    assert (plain.key.get_secret_value(), plain.models, plain.expires) == ("sk-plain", [], None)
    assert (limited.name, limited.models, limited.requests_per_minute) == ("ci", ["gpt-*"], 3)
    assert limited.expires == quoted.expires == date(2026, 12, 31)
    assert type(limited.expires) is date
    assert timed.expires == datetime(2026, 12, 31, 10, tzinfo=UTC)


@pytest.mark.parametrize("variable", ["MODELPORT_MASTER_KEY", "LITELLM_MASTER_KEY"])
def test_the_master_key_comes_from_the_environment_too(
    read: Any, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, SECRET)
    settings = read("server: {keys: [sk-1]}")
    assert [(key.key.get_secret_value(), key.name, key.master) for key in settings.server.keys] == [
        ("sk-1", None, False),
        (SECRET, "master", True),
    ]
    assert SECRET in settings.scrubber()


@pytest.mark.parametrize("config", [None, "models: {m: {use: a:b}}", "models: {m: {use: a:b}}\nserver: {port: 1}"])
def test_the_master_key_holds_without_a_config_and_over_one_without_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str | None
) -> None:
    monkeypatch.setenv("MODELPORT_MASTER_KEY", SECRET)
    file = None
    if config is not None:
        file = tmp_path / "config.yaml"
        file.write_text(config)
    for keys in ((), ("sk-1",)):
        settings = ServeOptions(model="a:b", config=file, port=0, keys=keys).settings()
        assert [key.key.get_secret_value() for key in settings.server.keys] == [SECRET, *keys]


def test_a_key_of_the_config_stays_as_it_is_when_it_is_the_environments_too(
    read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELPORT_MASTER_KEY", "sk-1")
    [key] = read("server: {keys: [{key: sk-1, name: ci, requests_per_minute: 1}]}").server.keys
    assert (key.name, key.requests_per_minute) == ("ci", 1)


def test_the_configs_own_master_key_wins(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELPORT_MASTER_KEY", SECRET)
    settings = read("server: {keys: [{key: sk-1, master: true}]}")
    assert [key.key.get_secret_value() for key in settings.server.keys] == ["sk-1"]


def test_the_secrets_of_all_deployments_and_keys_are_known(read: Any) -> None:
    settings = read(
        "models: {m: {deployments: [{use: openai/x, params: {api_key: first-secret}},"
        " {use: openai/x, params: {headers: {x-token: second-secret}}}]}}\nserver: {keys: [{key: third-secret}]}"
    )
    text = settings.scrubber().without_secrets("first-secret third-secret")
    assert text == "*** ***"


def test_a_fallback_may_be_an_alias_or_one_of_a_wildcards_names(read: Any) -> None:
    settings = read(
        "models: {m: {use: a:b, fallbacks: [gpt-4, other]}, 'gpt-*': {use: 'openai/*'}}\naliases: {other: gpt-5}"
    )
    assert settings.models["m"].fallbacks == ["gpt-4", "other"]


def test_many_mistakes_are_said_at_once_but_not_all_of_them(read: Any) -> None:
    message = mistake(read, "server: {" + ", ".join(f"k{index}: 1" for index in range(15)) + "}")
    assert message.count("is no known key") == 10
    assert message.endswith("and 5 more")


def test_a_whole_value_may_be_a_variable_in_litellms_form(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", SECRET)
    assert read("server: {keys: [os.environ/A_KEY]}").server.keys[0].key.get_secret_value() == SECRET
    monkeypatch.delenv("A_KEY")
    assert "server.keys[0]: the environment variable 'A_KEY' is not set" in mistake(
        read, "server: {keys: [os.environ/A_KEY]}"
    )
