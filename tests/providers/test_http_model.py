"""`HTTPModel` and `HTTPChatModel`: requests by template, keywords, and how a model is made."""

from __future__ import annotations

import logging
import pickle
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from modelport import HumanMessage, SystemMessage
from modelport.providers import HTTPChatModel, HTTPModel, http_model
from modelport.providers.http_settings import StreamSettings
from modelport.values.errors import InputError, KeywordError
from tests.providers.http_models import make, model_of


class TestRequests:
    def asked(self, server: Any, body: Any, **call: Any) -> Any:
        server.answer = lambda seen: {"text": "x"}
        model_of(server, body=body).invoke("hi", **call)
        return server.last.json

    def test_every_text_of_the_body_is_a_template(self, server) -> None:
        body = {
            "a": {"b": ["{{ prompt }}", "<{{ prompt }}>", 5, None, True]},
            "c": "{{ prompt | upper }}{{ '!' * 3 }}",
            "d": "{% if stream %}s{% else %}w{% endif %}",
            "plain": "text",
        }
        assert self.asked(server, body) == {
            "a": {"b": ["hi", "<hi>", 5, None, True]},
            "c": "HI!!!",
            "d": "w",
            "plain": "text",
        }

    def test_a_lone_expression_keeps_its_type(self, server) -> None:
        body = {
            "n": "{{ max_tokens }}",
            "t": " {{ temperature }} ",
            "s": "{{ stop }}",
            "b": "{{ stream }}",
            "m": "{{ messages }}",
            "sum": "{{ max_tokens + 1 }}",
            "text": "{{ '5' }}",
        }
        assert self.asked(server, body, max_tokens=5, temperature=0.5, stop=["a"]) == {
            "n": 5,
            "t": 0.5,
            "s": ["a"],
            "b": False,
            "m": [{"role": "user", "content": "hi"}],
            "sum": 6,
            "text": "5",
        }

    def test_what_is_not_given_is_left_out(self, server) -> None:
        body = {"t": "{{ prompt }}", "n": "{{ max_tokens }}", "k": "{{ top_k }}", "l": ["{{ stop }}", 1]}
        assert self.asked(server, {**body, "p": "{{ params.top_p }}"}) == {"t": "hi", "l": [1]}

    def test_a_text_with_more_in_it_needs_every_name(self, server) -> None:
        with pytest.raises(InputError, match=r"body\.k: 'top_k' is undefined; give it with the call, or in defaults"):
            self.asked(server, {"k": "k={{ top_k }}"})
        none = "what is filled in is none; give it with the call, or in defaults"
        with pytest.raises(InputError, match=rf"body\.k: {none}"):
            self.asked(server, {"k": "k={{ max_tokens }}"})
        with pytest.raises(InputError, match=f"url: {none}"):
            model_of(server, url=server.url + "/run?limit={{ max_tokens }}").invoke("hi")
        assert self.asked(server, {"k": "k={{ max_tokens or 7 }}"}) == {"k": "k=7"}

    def test_defaults_are_what_calls_do_not_give(self, server) -> None:
        server.answer = lambda seen: {"text": "x"}
        body = {"k": "{{ top_k }}", "n": "{{ max_tokens }}", "s": "{{ stop }}"}
        model = model_of(server, body=body, defaults={"top_k": 4, "max_tokens": 9, "stop": ["."]})
        model.invoke("hi")
        assert server.last.json == {"k": 4, "n": 9, "s": ["."]}
        model.invoke("hi", top_k=2, max_tokens=1, stop="!")
        assert server.last.json == {"k": 2, "n": 1, "s": ["!"]}

    def test_a_body_that_is_a_text_is_sent_as_text(self, server) -> None:
        server.answer = lambda seen: "pong"
        assert model_of(server, body="{{ prompt }}", text_path=None).invoke("grüße") == "pong"
        assert server.last.body == "grüße".encode()
        assert server.last.headers["content-type"] == "text/plain; charset=utf-8"

    def test_method_headers_and_url_are_templates_too(self, server) -> None:
        server.answer = lambda seen: {"text": "x"}
        model = HTTPModel(
            url=server.url + "/{{ model }}/run?q={{ prompt }}&raw={{ 'a=b' | safe }}",
            method="PUT",
            headers={"Authorization": "Bearer {{ api_key }}", "X-Limit": "{{ max_tokens }}", "X-Kind": "{{ kind }}"},
            text_path="text",
            model="org/m 1",
            api_key=SecretStr("sk-secret-1"),
        )
        model.invoke("a&b=ü", max_tokens=3)
        assert server.last.method == "PUT"
        assert server.last.request.scope["raw_path"] == b"/org%2Fm%201/run"
        assert server.last.query == {"q": "a&b=ü", "raw": "a=b"}
        assert server.last.headers["authorization"] == "Bearer sk-secret-1"
        assert server.last.headers["x-limit"] == "3"
        assert "x-kind" not in server.last.headers
        assert server.last.body == b""

    def test_a_url_that_is_none_when_it_is_filled_in_says_how_to_write_it(self, server) -> None:
        server.answer = lambda seen: {"text": "x"}
        with pytest.raises(
            InputError, match=r"url: '\{\{ base \}\}/run' must be an http.*write \{\{ name \| safe \}\}"
        ):
            model_of(server, url="{{ base }}/run").invoke("hi", base=server.url)
        assert model_of(server, url="{{ base | safe }}/run").invoke("hi", base=server.url) == "x"

    def test_a_prompt_never_becomes_a_header_or_a_template(self, server) -> None:
        server.answer = lambda seen: {"text": "x"}
        with pytest.raises(InputError, match="line break"):
            model_of(server, headers={"X-Prompt": "p={{ prompt }}"}).invoke("a\r\nX-Other: b")
        model_of(server).invoke("{{ api_key }}{% raise %}")
        assert server.last.json == {"text": "{{ api_key }}{% raise %}"}

    def test_templates_run_in_a_sandbox(self, server) -> None:
        with pytest.raises(InputError, match=r"body: the template failed: SecurityError"):
            self.asked(server, "{{ prompt.__class__.__mro__ }}x")

    def test_a_chat_models_prompt_is_its_template(self, server) -> None:
        server.answer = lambda seen: {"text": "x"}
        chat = [SystemMessage("be brief"), HumanMessage("hi")]
        fields: dict[str, Any] = {
            "url": server.url,
            "body": {"p": "{{ prompt }}", "m": "{{ messages }}"},
            "text_path": "text",
        }
        HTTPChatModel(**fields).invoke(chat)
        assert server.last.json["p"] == "System: be brief\nHuman: hi"
        assert server.last.json["m"][0] == {"role": "system", "content": "be brief"}
        HTTPChatModel(**fields).invoke("hi")
        assert server.last.json["p"] == "hi"
        HTTPChatModel(**fields, chat_template="last").invoke(chat)
        assert server.last.json["p"] == "hi"

    def test_the_factory_takes_the_kind_that_the_templates_need(self, server) -> None:
        assert isinstance(http_model(url="http://host", body={"m": "{{ messages }}"}), HTTPChatModel)
        assert isinstance(http_model(url="http://host", body={"m": "{{ prompt }}"}), HTTPModel)


class TestKeywords:
    def test_those_that_no_template_uses_are_dropped_and_said_once(self, server, caplog) -> None:
        server.answer = lambda seen: {"text": "x"}
        model = model_of(server)
        with caplog.at_level(logging.WARNING, "modelport.providers"):
            model.invoke("hi", temperature=1)
            model.invoke("hi", temperature=1)
        assert [record.getMessage() for record in caplog.records] == [
            "HTTPModel: no template uses temperature: dropped"
        ]

    @pytest.mark.parametrize("name", ["tools", "response_format"])
    def test_those_that_change_what_an_answer_is_are_refused(self, server, name) -> None:
        model = HTTPChatModel(url=server.url, body="{{ messages }}", text_path="text")
        asked: dict[str, Any] = {name: [{}]}
        with pytest.raises(KeywordError, match=name):
            model.invoke("hi", **asked)
        assert not server.seen

    def test_params_takes_them_all(self, server) -> None:
        server.answer = lambda seen: {"text": "x"}
        model_of(server, body={"options": "{{ params }}"}, defaults={"a": 1}).invoke("hi", b=2, max_tokens=3)
        assert server.last.json == {"options": {"a": 1, "b": 2, "max_tokens": 3}}

    def test_max_tokens_holds_when_the_server_is_not_told(self, server, openai) -> None:
        words = ["a" * 4 + " ", "b" * 3, "c" * 9]
        server.answer = lambda seen: (
            openai.events(*(openai.event({"text": word}) for word in words))
            if seen.json["stream"]
            else {"text": "".join(words)}
        )
        model = model_of(server, body={"stream": "{{ stream }}"}, streaming={"format": "sse"})
        [[answer]] = model.generate(["hi"], max_tokens=2).generations
        assert (answer.text, answer.finish_reason) == ("aaaa bbb", "length")
        assert list(model.stream("hi", max_tokens=2)) == ["aaaa ", "bbb"]
        chat = HTTPChatModel(
            url=server.url, body={"stream": "{{ stream }}"}, text_path="text", streaming=StreamSettings()
        )
        *_, last = chat.stream("hi", max_tokens=2)
        assert last.response_metadata["finish_reason"] == "length"

    def test_a_stream_with_a_request_of_its_own_is_held_to_what_that_says(self, server, openai) -> None:
        words = ["aaaa ", "bbb", "ccccccccc"]
        server.answer = lambda seen: (
            openai.events(*(openai.event({"text": word}) for word in words))
            if "q" in seen.json
            else {"text": "".join(words)}
        )
        told: dict[str, Any] = {"n": "{{ max_tokens }}", "tools": "{{ tools }}"}
        model = model_of(server, body=told, streaming={"body": {"q": "{{ prompt }}"}})
        assert list(model.stream("hi", max_tokens=2)) == ["aaaa ", "bbb"]
        assert model.invoke("hi", max_tokens=2) == "".join(words)
        with pytest.raises(KeywordError, match="no template uses it"):
            list(model.stream("hi", tools=[{}]))
        model = model_of(server, body={}, streaming={"body": {"q": "{{ prompt }}", **told}})
        assert model.invoke("hi", max_tokens=2) == "aaaa bbb"

    def test_max_tokens_is_the_servers_matter_when_it_is_told(self, server) -> None:
        server.answer = lambda seen: {"text": "a long answer of one token"}
        model = model_of(server, body={"n": "{{ max_tokens }}"})
        assert model.invoke("hi", max_tokens=1) == "a long answer of one token"


class TestConstruction:
    @pytest.mark.parametrize(
        ("fields", "complaint"),
        [
            ({"url": "localhost/run"}, "url: must be an http or https URL"),
            ({"body": {"a": ["{{ prompt"]}}, r"body\.a\[0\]: '\{\{ prompt' is no template.*line 1"),
            ({"headers": {"x": "{% if %}"}}, r"headers\.x: .* is no template"),
            ({"url": "http://host/{{ a b }}"}, "url: .* is no template"),
            ({"text_path": "a.[b"}, r"'text_path'.*'a\.\[b' is no JMESPath"),
            ({"error_path": "]"}, "'error_path'"),
            ({"streaming": {"text_path": "a..b"}}, r"'streaming\.text_path'.*is no JMESPath"),
            ({"streaming": {"format": "xml"}}, r"'streaming\.format'"),
            ({"streaming": {"body": ["{{"]}}, r"streaming\.body\[0\]"),
            ({"api_key": "k"}, "^HTTPModel cannot be made: api_key is in no template"),
            ({"headers": {"x": "{{ api_key }}"}}, "give it as api_key="),
            ({"method": "DELETE"}, "'method'"),
        ],
    )
    def test_what_is_wrong_is_named(self, fields, complaint) -> None:
        with pytest.raises(ValueError, match=complaint):
            make(**{"url": "http://host/run", **fields})

    def test_a_config_file_says_it_all(self, server, openai) -> None:
        params = yaml.safe_load(f"""
            url: {server.url}/v2/{{{{ model }}}}
            model: mine
            api_key: sk-of-the-config
            headers: {{authorization: "Bearer {{{{ api_key }}}}"}}
            body:
              inputs: ["{{{{ prompt }}}}"]
              parameters: {{top_k: "{{{{ top_k }}}}", limit: "{{{{ max_tokens }}}}"}}
            text_path: outputs[0]
            defaults: {{top_k: 3}}
            retryable_statuses: [503]
            streaming: {{format: ndjson, text_path: token, done_path: last}}
        """)
        server.answer = lambda seen: {"outputs": ["hello"]}
        assert make(**params).invoke("hi", max_tokens=2) == "hello"
        assert (server.last.path, server.last.headers["authorization"]) == ("/v2/mine", "Bearer sk-of-the-config")
        assert server.last.json == {"inputs": ["hi"], "parameters": {"top_k": 3, "limit": 2}}
        server.answer = lambda seen: openai.events('{"token": "a"}\n', '{"token": "b", "last": true}')
        assert list(make(**params).stream("hi")) == ["a", "b"]

    def test_an_unknown_setting_is_named_with_its_neighbour(self) -> None:
        with pytest.raises(TypeError, match="'text_pth'; did you mean 'text_path'"):
            make(url="http://host", text_pth="a")
        with pytest.raises(TypeError, match="'text_pth'; did you mean 'text_path'"):
            make(url="http://host", streaming={"text_pth": "a"})

    def test_secrets_are_not_printed(self) -> None:
        model = HTTPModel(
            url="http://host",
            headers={"Authorization": "Bearer {{ api_key }}", "X-Token": "secret-2"},
            api_key=SecretStr("secret-1"),
        )
        assert "secret" not in repr(model) + str(model)

    def test_a_pickle_and_a_copy_call_the_same_server(self, server) -> None:
        server.answer = lambda seen: {"text": "x"}
        model = model_of(server, streaming={"format": "sse"})
        model.invoke("hi")
        assert pickle.loads(pickle.dumps(model)).invoke("hi") == "x"
        assert model.with_params(body={"other": "{{ prompt }}"}).invoke("hi") == "x"
        assert server.last.json == {"other": "hi"}
