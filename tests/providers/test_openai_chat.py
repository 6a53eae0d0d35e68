"""`OpenAICompatible`: what it asks, and how it is made."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any, cast

import pytest
from pydantic import SecretStr

from modelport import AIMessage, HumanMessage, SystemMessage, ToolMessage
from modelport.providers import OpenAICompatible

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


class TestTheRequest:
    def test_messages_go_out_in_openais_shape(self, server, openai, model) -> None:
        server.answer = lambda seen: openai.completion("It is warm.")
        call = {"name": "weather", "args": {"city": "Rome"}, "id": "call_1", "type": "tool_call"}
        model.invoke(
            [
                SystemMessage("Be brief."),
                HumanMessage([{"type": "text", "text": "Warm?"}, {"type": "image_url", "image_url": {"url": "u"}}]),
                AIMessage("", tool_calls=[call], additional_kwargs={"reasoning_content": "Hm."}),
                ToolMessage("30 °C", tool_call_id="call_1"),
            ]
        )
        assert server.last.path == "/v1/chat/completions"
        assert server.last.headers["authorization"] == "Bearer sk-secret-1"
        assert server.last.json == {
            "model": "m",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "Warm?"}, {"type": "image_url", "image_url": {"url": "u"}}],
                },
                {
                    "role": "assistant",
                    "content": None,
                    "reasoning_content": "Hm.",
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "weather", "arguments": '{"city":"Rome"}'},
                        }
                    ],
                },
                {"role": "tool", "content": "30 °C", "tool_call_id": "call_1"},
            ],
        }

    def test_every_keyword_goes_into_the_body_and_none_is_not_given(self, server, openai, model) -> None:
        server.answer = lambda seen: openai.completion("x")
        model.invoke(
            "hi",
            stop=["a", "b"],
            max_tokens=7,
            temperature=0.5,
            seed=None,
            logit_bias={"5": 1},
            response_format={"type": "json_object"},
            tools=[TOOL],
            tool_choice="auto",
            extra_body={"top_k": 4, "temperature": 0.25},
            extra_headers={"X-Trace": "t"},
            extra_query={"api-version": "1"},
        )
        assert {name: value for name, value in server.last.json.items() if name not in ("model", "messages")} == {
            "stop": ["a", "b"],
            "max_tokens": 7,
            "temperature": 0.25,
            "logit_bias": {"5": 1},
            "response_format": {"type": "json_object"},
            "tools": [TOOL],
            "tool_choice": "auto",
            "top_k": 4,
        }
        assert server.last.headers["x-trace"] == "t"
        assert server.last.query == {"api-version": "1"}

    def test_fields_say_what_every_request_carries_and_calls_win(self, server, openai, model) -> None:
        server.answer = lambda seen: openai.completion("x")
        tuned = model.with_params(
            defaults={"temperature": 0.1, "top_p": 0.9},
            headers={"X-Team": "blue", "X-Api-Key": "k-1"},
            query={"version": "2"},
            organization="org",
            project="proj",
        )
        tuned.invoke("hi", temperature=0.7)
        body, headers = server.last.json, server.last.headers
        assert (body["temperature"], body["top_p"]) == (0.7, 0.9)
        assert (headers["x-team"], headers["x-api-key"]) == ("blue", "k-1")
        assert (headers["openai-organization"], headers["openai-project"]) == ("org", "proj")
        assert server.last.query == {"version": "2"}

    def test_at_most_four_stop_strings_go_out_and_the_engine_cuts_at_all(self, server, openai, model) -> None:
        server.answer = lambda seen: openai.completion("one five two")
        message = model.invoke("hi", stop=["1", "2", "3", "4", "five"], include_stop=False)
        assert server.last.json["stop"] == ["1", "2", "3", "4"]
        assert message.content == "one "

    def test_openai_itself_gets_the_newer_name_of_max_tokens(self) -> None:
        new = OpenAICompatible(model="m", api_key=SecretStr("k"))
        assert new._fields([HumanMessage("x")], None, 5, {})["max_completion_tokens"] == 5
        assert "max_completion_tokens" not in new._fields([HumanMessage("x")], None, 5, {"max_completion_tokens": 4})
        old = new.with_params(max_tokens_parameter="max_tokens")
        assert old._fields([HumanMessage("x")], None, 5, {})["max_tokens"] == 5

    def test_a_lone_surrogate_in_a_message_is_sent(self, server, openai, model) -> None:
        server.answer = lambda seen: openai.completion("x")
        model.invoke("\ud800")
        assert server.last.json["messages"][0]["content"] == "\ud800"

    def test_without_a_key_no_header_is_sent(self, server, openai) -> None:
        server.answer = lambda seen: openai.completion("x")
        OpenAICompatible(model="m", base_url=server.url).invoke("hi")
        assert "authorization" not in server.last.headers


class TestConstruction:
    def test_the_environment_says_where_and_with_which_key(self, monkeypatch) -> None:
        assert OpenAICompatible(model="m").base_url == "https://api.openai.com/v1"
        monkeypatch.setenv("OPENAI_BASE_URL", "http://here:1/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
        model = OpenAICompatible(model="m")
        assert model.base_url == "http://here:1/v1"
        assert model.api_key == SecretStr("sk-of-the-environment")

    @pytest.mark.parametrize("name", ["base_url", "api_base"])
    def test_the_key_of_the_environment_goes_nowhere_else(self, monkeypatch, name) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
        elsewhere = OpenAICompatible(model="m", **cast("Any", {name: "http://elsewhere/v1"}))
        assert elsewhere.base_url == "http://elsewhere/v1"
        assert elsewhere.api_key is None
        assert OpenAICompatible(model="m", **cast("Any", {name: "https://api.openai.com/v1"})).api_key is not None

    @pytest.mark.parametrize(
        ("fields", "complaint"),
        [
            ({}, "field 'model' is missing"),
            ({"model": ""}, "field 'model'"),
            ({"base_url": "localhost:8000"}, "field 'base_url'.*http or https URL"),
            ({"base_url": "http://"}, "field 'base_url'"),
            ({"base_url": "http://me:secret@host/v1"}, "field 'base_url'.*must not have a user"),
            ({"headers": {"x": "a\r\nb: c"}}, "field 'headers'.*line break"),
            ({"headers": {"x y": "a"}}, "field 'headers'.*no name"),
            ({"proxy": "socks5://host:1"}, "field 'proxy'.*HTTP proxy"),
            ({"timeout_seconds": 0}, "field 'timeout_seconds'"),
        ],
    )
    def test_a_wrong_value_is_named(self, fields, complaint) -> None:
        with pytest.raises(ValueError, match=complaint) as caught:
            OpenAICompatible(**({"model": "m"} if fields else {}) | fields)
        assert "secret" not in str(caught.value)

    def test_an_unknown_field_is_named_with_its_neighbour(self) -> None:
        with pytest.raises(TypeError, match="'base_ur'; did you mean 'base_url'"):
            cast("Any", OpenAICompatible)(model="m", base_ur="http://x")

    @pytest.mark.parametrize(
        ("package", "make"),
        [
            ("aiohttp", "OpenAICompatible(model='m')"),
            ("aiohttp", "HTTPModel(url='http://host')"),
            ("jinja2", "HTTPModel(url='http://host')"),
            ("jmespath", "HTTPModel(url='http://host', text_path='a')"),
        ],
    )
    def test_a_missing_package_names_the_extra(self, package, make) -> None:
        program = f"""
import sys
sys.modules[{package!r}] = None
from modelport.providers import HTTPModel, MockModel, OpenAICompatible
print(MockModel().invoke("works without").content)
try:
    {make}
except ImportError as error:
    print(type(error).__name__, error)
"""
        done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=30)
        first, second = done.stdout.splitlines()
        assert first == "works without"
        assert second.startswith("MissingExtraError ")
        assert second.endswith("needs the extra 'providers': pip install 'modelport[providers]'")

    def test_secrets_are_not_printed(self) -> None:
        model = OpenAICompatible(
            model="m",
            base_url="http://host/v1",
            api_key=SecretStr("sk-secret-1"),
            headers={"X-Api-Key": "secret-2", "Cookie": "secret-3", "X-Team": "blue"},
            proxy=SecretStr("http://me:secret-4@proxy:1"),
        )
        assert "secret" not in repr(model) + str(model)
        assert "blue" in repr(model)

    def test_a_pickle_calls_the_same_server(self, server, openai, model) -> None:
        server.answer = lambda seen: openai.completion("Hello")
        model.invoke("hi")
        copy = pickle.loads(pickle.dumps(model))
        assert copy.invoke("hi").content == "Hello"
        assert server.last.headers["authorization"] == "Bearer sk-secret-1"

    def test_events_carry_the_models_name(self, server, openai, model) -> None:
        server.answer = lambda seen: openai.completion("Hello")
        assert model.invoke("hi").response_metadata["model_name"] == "m"
