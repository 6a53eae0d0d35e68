"""config.yaml: what it may say, and how its mistakes are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelport.gateway.config import load_settings, settings_from
from modelport.values.errors import InputError

SECRET = "sk-very-secret-value"


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
    assert [key.get_secret_value() for key in settings.server.keys] == ["sk-1"]
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
    assert settings.server.keys[0].get_secret_value() == SECRET


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
