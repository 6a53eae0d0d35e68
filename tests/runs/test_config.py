"""`config`: what it takes, what it refuses, and how two of them merge."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from modelport import LLM, BaseCallbackHandler, RunnableLambda
from modelport.runs.config import merge_configs
from modelport.runs.scope import Scope
from modelport.values.errors import InputError


class Echo(LLM):
    def _call(self, prompt: str) -> str:
        return prompt


class Starts(BaseCallbackHandler):
    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []

    def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], **kwargs: Any) -> None:
        self.runs.append(kwargs)

    def on_chain_start(self, serialized: dict[str, Any], inputs: Any, **kwargs: Any) -> None:
        self.runs.append(kwargs)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"tag": ["a"]}, "'tag' is no key of config; did you mean 'tags'?"),
        ({"Metadata": {}}, "'Metadata' is no key of config; did you mean 'metadata'?"),
        ({"frobnicate": 1}, "'frobnicate' is no key of config; known keys: callbacks, "),
        ({3: 1}, "3 is no key of config"),
        ({"timeout": -1}, "config['timeout'] must be a number of seconds of at least 0"),
        ({"timeout": float("nan")}, "config['timeout'] must be"),
        ({"timeout": "1"}, "config['timeout'] must be a number of seconds"),
        ({"timeout": True}, "config['timeout'] must be a number of seconds"),
        ({"first_token_timeout": -0.5}, "config['first_token_timeout'] must be"),
        ({"max_concurrency": 0}, "config['max_concurrency'] must be an int of at least 1"),
        ({"max_concurrency": 1.5}, "config['max_concurrency'] must be an int"),
        ({"max_concurrency": True}, "config['max_concurrency'] must be an int"),
        ({"tags": "mine"}, "config['tags'] must be a list of texts, not 'mine'"),
        ({"run_id": "seven"}, "config['run_id'] must be a UUID, not 'seven'"),
        ({"callbacks": Starts()}, "callbacks must be a list of handlers, not <"),
        ({"callbacks": [Starts]}, "is no callback handler; give instances of BaseCallbackHandler"),
        ({"callbacks": [print]}, "<built-in function print> is no callback handler"),
        ([("tags", [])], "config must be a dict, not [('tags', [])]; known keys: callbacks, "),
    ],
)
async def test_a_wrong_config_is_refused_by_every_way_to_call(config: Any, said: str) -> None:
    for runnable in (Echo(), RunnableLambda(lambda x: x)):
        with pytest.raises(InputError) as raised:
            runnable.invoke("hi", config)
        assert said in str(raised.value)
        with pytest.raises(InputError):
            await runnable.ainvoke("hi", config)
        with pytest.raises(InputError):
            list(runnable.stream("hi", config))
        with pytest.raises(InputError):
            async for _ in runnable.astream("hi", config):
                pass


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"recursion_limit": 25},
        {"timeout": None, "first_token_timeout": None, "max_concurrency": None},
        {"tags": [], "metadata": {}, "callbacks": [], "configurable": {}},
        {"tags": ("a",), "run_id": uuid4(), "timeout": 60, "first_token_timeout": 60.0},
    ],
)
def test_a_right_config_is_taken(config: Any) -> None:
    assert Echo().invoke("hi", config) == "hi"


@pytest.mark.parametrize("as_text", [True, False])
def test_the_run_has_the_id_and_the_name_of_the_config(as_text: bool) -> None:
    handler, run_id = Starts(), uuid4()
    given = str(run_id).upper() if as_text else run_id
    Echo().invoke("hi", {"callbacks": [handler], "run_id": given, "run_name": "mine"})
    assert [(run["run_id"], run["name"]) for run in handler.runs] == [(run_id, "mine")]
    assert isinstance(handler.runs[0]["run_id"], UUID)


class TestMerging:
    def test_one_side_alone_is_copied(self) -> None:
        config = {"tags": ["a"]}
        assert merge_configs(config, None) == merge_configs(None, config) == config
        assert merge_configs(config, None) is not config
        assert merge_configs(None, None) == {}

    def test_tags_and_callbacks_add_up_and_the_rest_overlays(self) -> None:
        one, two = Starts(), Starts()
        merged = merge_configs(
            {"tags": ["a", "b"], "metadata": {"x": 1, "y": 1}, "callbacks": [one], "timeout": 1},
            {"tags": ["b", "c"], "metadata": {"y": 2}, "callbacks": [one, two], "timeout": 2},
        )
        assert merged == {
            "tags": ["a", "b", "c"],
            "metadata": {"x": 1, "y": 2},
            "callbacks": [one, two],
            "timeout": 2,
        }

    def test_none_replaces_nothing(self) -> None:
        assert merge_configs({"timeout": 1}, {"timeout": None, "run_name": "r"}) == {
            "timeout": 1,
            "run_name": "r",
        }

    def test_handlers_join_a_place_in_a_run_tree(self) -> None:
        handler, tree = Starts(), Scope()
        for pair in (({"callbacks": [handler]}, {"callbacks": tree}),):
            for base, over in (pair, pair[::-1]):
                merged = merge_configs(base, over)["callbacks"]
                assert isinstance(merged, Scope)
                assert [vars(one)["handler"] for one in merged.listeners] == [handler]
        assert tree.listeners == ()

    def test_of_two_places_in_a_run_tree_the_calls_own_counts(self) -> None:
        outer, inner = Scope(), Scope()
        assert merge_configs({"callbacks": outer}, {"callbacks": inner})["callbacks"] is inner
