"""The settings of LiteLLM's config.yaml: what they mean here, and that none stops the start without need."""

from __future__ import annotations

from typing import Any

import pytest

from modelport.values.errors import InputError
from tests.gateway.litellm_config.entries import HANDLERS, SECRET, entry


def test_retries_timeouts_fallbacks_and_breakers_are_what_they_are_there(read: Any, warnings: Any) -> None:
    settings = read(
        {
            "model_list": [entry("a", "h/a"), entry("b", "h/b", num_retries=4), entry("c", "h/c")],
            "litellm_settings": {
                **HANDLERS,
                "num_retries": 3,
                "request_timeout": 60,
                "fallbacks": [{"a": ["b", "gone"]}],
                "default_fallbacks": ["c"],
            },
            "router_settings": {
                "num_retries": 1,
                "timeout": 30,
                "allowed_fails": 2,
                "cooldown_time": 7,
                "model_group_alias": {"x": "a", "y": {"model": "b", "hidden": True}, "a": "b", "z": "gone"},
                "routing_strategy": "simple-shuffle",
            },
        }
    )
    models = settings.models
    assert [model.retries for model in models.values()] == [1, 4, 1]
    assert [model.fallbacks for model in models.values()] == [["b"], ["c"], []]
    assert all(
        (model.circuit_breaker.failures, model.circuit_breaker.cooldown_seconds) == (3, 7)
        for model in models.values()
        if model.circuit_breaker is not None
    )
    assert settings.aliases == {"x": "a", "y": "b"}
    assert settings.server.timeout_seconds == 30
    assert warnings() == [
        "fallbacks: there is no model 'gone', so 'a' does without",
        "router_settings.model_group_alias.a: a model has that name, which counts",
        "router_settings.model_group_alias.z: there is no model 'gone'",
    ]


def test_allowed_fails_may_stand_in_either_section(read: Any, warnings: Any) -> None:
    own = {"model_list": [entry("a", "h/a")], "litellm_settings": {**HANDLERS, "allowed_fails": 3}}
    for config, failures in ((own, 4), ({**own, "router_settings": {"allowed_fails": 1}}, 2)):
        breaker = read(config).models["a"].circuit_breaker
        assert breaker is not None
        assert breaker.failures == failures
    assert warnings() == []


def test_an_entry_that_wants_no_retries_gets_none(read: Any) -> None:
    entries = [entry("a", "h/a", num_retries=0, timeout=0), entry("b", "h/b", num_retries=0), entry("b", "h/c")]
    settings = read(
        {"model_list": entries, "litellm_settings": HANDLERS, "router_settings": {"num_retries": 2, "timeout": 30}}
    )
    assert [model.retries for model in settings.models.values()] == [0, 2]
    assert settings.models["a"].timeout_seconds is None


def test_fallbacks_of_no_entry_are_told_of(read: Any, warnings: Any) -> None:
    entries = [entry("a", "h/a"), entry("p/*", "h/*")]
    fallbacks = [{"typo": ["a"]}, {"p/x": ["a"]}, {"a": ["p/x"]}]
    settings = read({"model_list": entries, "litellm_settings": HANDLERS, "router_settings": {"fallbacks": fallbacks}})
    assert [model.fallbacks for model in settings.models.values()] == [["p/x"], []]
    assert warnings() == [
        "fallbacks: no entry has the name 'typo', so its fallbacks are not used",
        "fallbacks: no entry has the name 'p/x', so its fallbacks are not used",
    ]


def test_bounds_of_the_whole_proxy_are_each_models(read: Any) -> None:
    settings = read(
        {
            "model_list": [entry("a", "h/a"), entry("b", "h/b", max_parallel_requests=2), entry("a", "h/c")],
            "litellm_settings": HANDLERS,
            "general_settings": {
                "max_in_flight_requests_per_worker": 9,
                "max_queued_requests_per_worker": 5,
                "admission_queue_timeout_seconds": 2.5,
            },
        }
    )
    bounds = [
        (part.max_concurrency, part.max_queue, part.queue_timeout_seconds)
        for model in settings.models.values()
        for part in model.parts()
    ]
    assert bounds == [(9, 5, 2.5), (9, 5, 2.5), (2, 5, 2.5)]


def test_the_master_key_is_a_key(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", SECRET)
    for value, key in (("sk-1234", "sk-1234"), ("os.environ/A_KEY", SECRET), (1234, "1234")):
        settings = read({"general_settings": {"master_key": value}})
        assert [(one.key.get_secret_value(), one.name, one.master) for one in settings.server.keys] == [
            (key, "master", True)
        ]


def test_a_master_key_that_is_not_set_stops_the_start_and_opens_no_door(read: Any) -> None:
    with pytest.raises(
        InputError, match=r"general_settings\.master_key: the environment variable 'NOT_SET' is not set"
    ):
        read({"general_settings": {"master_key": "os.environ/NOT_SET"}})


def test_what_means_nothing_here_is_named_once_and_stops_nothing(read: Any, warnings: Any) -> None:
    read(
        {
            "model_list": [{**entry("a", "h/a"), "access_groups": ["x"]}],
            "litellm_settings": {
                **HANDLERS,
                "cache": True,
                "drop_params": True,
                "set_verbose": False,
                "callbacks": ["prometheus", "langfuse"],
                "success_callback": "s3",
            },
            "router_settings": {"redis_host": SECRET, "routing_strategy": "usage-based-routing"},
            "general_settings": {"database_url": f"postgresql://{SECRET}@h/db"},
            "worker_registry": {"a": SECRET},
        }
    )
    assert warnings() == [
        "worker_registry: is not used by modelport",
        "litellm_settings.cache: is not used by modelport",
        "router_settings.redis_host: is not used by modelport",
        "general_settings.database_url: is not used by modelport",
        "litellm_settings.callbacks: 'langfuse': is not used by modelport",
        "litellm_settings.success_callback: 's3': is not used by modelport",
        "router_settings.routing_strategy: the least busy deployment answers here",
        "model_list[0].access_groups: is not used by modelport",
    ]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_list": {"a": 1}}, "'model_list' must be a list, got ***"),
        ({"model_list": ["a"]}, "'model_list[0]' must be a mapping, got 'a'"),
        ({"model_list": [{"litellm_params": {}}]}, "'model_list[0].model_name' is missing; it must be a text"),
        ({"model_list": [{"model_name": "a"}]}, "'model_list[0].litellm_params.model' is missing; it must be a text"),
        (
            {"model_list": [entry("a", "h/a", timeout="soon")]},
            "'model_list[0].litellm_params.timeout' must be a number",
        ),
        ({"model_list": [entry("a", "h/a", timeout=-1)]}, "must be a number from 0 on, got -1"),
        ({"model_list": [entry("a", "h/a", timeout=True)]}, "must be a number from 0 on, got True"),
        ({"litellm_settings": []}, "'litellm_settings' must be a mapping, got ***"),
        (
            {"litellm_settings": {"custom_provider_map": [{"provider": "a"}]}},
            "'litellm_settings.custom_provider_map[0].custom_handler' is missing; it must be a text",
        ),
        ({"litellm_settings": {"fallbacks": [5]}}, "'litellm_settings.fallbacks[0]' must be a mapping, got 5"),
        ({"router_settings": {"num_retries": "many"}}, "'router_settings.num_retries' must be a number from 0 on"),
        ({"model_list": [], "environment_variables": {"": 1}}, "environment_variables. cannot be set"),
        ({"model_list": [], "environment_variables": {"A_NUL": "\0"}}, "environment_variables.A_NUL cannot be set"),
        ({"model_list": [], "models": {}}, "has 'models' beside LiteLLM's sections"),
        ({"general_settings": {"master_key": " "}}, "general_settings.master_key must not be empty"),
        ({"general_settings": None, "model_list": 5}, "'model_list' must be a list, got 5"),
    ],
)
def test_a_wrong_value_is_named_with_its_place_in_litellms_config(read: Any, config: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read(config)
    assert str(caught.value).startswith("config.yaml")
    assert said in str(caught.value)


def test_our_server_section_may_stand_beside_litellms(read: Any, warnings: Any) -> None:
    settings = read(
        {
            "general_settings": {"master_key": "sk-1"},
            "litellm_settings": {"request_timeout": 5},
            "server": {"port": 5000, "keys": ["sk-2"], "timeout_seconds": 9},
        }
    )
    assert (settings.server.port, settings.server.timeout_seconds) == (5000, 9)
    assert [key.key.get_secret_value() for key in settings.server.keys] == ["sk-2", "sk-1"]
    assert warnings() == []
    with pytest.raises(InputError, match=r"'server\.prot' is no known key; did you mean 'port'\?"):
        read({"model_list": [], "server": {"prot": 1}})


def test_an_empty_litellm_config_is_one_too(read: Any) -> None:
    settings = read("model_list:\n")
    assert (settings.models, settings.is_litellm) == ({}, True)
    assert read("models: {}").is_litellm is False
