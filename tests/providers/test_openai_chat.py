"""`OpenAICompatible`: what it asks and what it understands."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any, cast

import pytest
from pydantic import SecretStr

from modelport import AIMessage, HumanMessage, SystemMessage, ToolMessage
from modelport.providers import OpenAICompatible
from modelport.values.status_errors import BadRequestError

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def model(server: Any) -> OpenAICompatible:
    return OpenAICompatible(model="m", base_url=server.url + "/v1/", api_key=SecretStr("sk-secret-1"))


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


class TestTheAnswer:
    def test_text_usage_and_finish_reason_are_the_servers(self, server, openai, model) -> None:
        server.answer = lambda seen: openai.completion("Hello", usage=(11, 22), finish_reason="length")
        [[answer]] = model.generate(["hi"]).generations
        assert (answer.text, answer.finish_reason) == ("Hello", "length")
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 22)
        assert not answer.usage.estimated

    def test_usage_that_is_missing_is_estimated(self, server, openai, model) -> None:
        server.answer = lambda seen: openai.completion("Hello", usage=None)
        [[answer]] = model.generate(["hi"]).generations
        assert answer.usage.estimated

    def test_tool_calls_reasoning_and_log_probabilities_are_kept(self, server, openai, model) -> None:
        call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}
        logprobs = {"content": [{"token": "x", "logprob": -0.1, "bytes": [120], "top_logprobs": []}], "refusal": None}
        message = {"tool_calls": [call], "reasoning_content": "Let me look."}
        server.answer = lambda seen: openai.completion(
            None, finish_reason="tool_calls", logprobs=logprobs, message=message
        )
        answer = model.invoke("hi", tools=[TOOL])
        assert answer.tool_calls == [{"name": "weather", "args": {"city": "Rome"}, "id": "call_1", "type": "tool_call"}]
        assert answer.additional_kwargs == {"reasoning_content": "Let me look."}
        assert answer.response_metadata["finish_reason"] == "tool_calls"
        assert answer.response_metadata["logprobs"] == logprobs

    def test_n_is_one_request_and_its_usage_adds_up(self, server, openai, model) -> None:
        server.answer = lambda seen: openai.completion("aaaa", "bb", "", usage=(10, 31))
        result = model.generate(["hi"], n=3)
        assert [one.text for one in result.generations[0]] == ["aaaa", "bb", ""]
        assert sum(one.usage.completion_tokens for one in result.generations[0]) == 31
        assert {one.usage.prompt_tokens for one in result.generations[0]} == {10}
        assert len(server.seen) == 1
        assert server.last.json["n"] == 3

    @pytest.mark.parametrize("how", ["refuses", "ignores"])
    def test_a_server_that_has_one_choice_only_is_asked_n_times(self, server, openai, model, how) -> None:
        def answer(seen):
            if how == "refuses" and "n" in seen.json:
                return server.failure(400, {"error": {"message": "Field 'n': Value must be between 1 and 1"}})
            return openai.completion(f"answer {len(server.seen)}", usage=(2, 3))

        server.answer = answer
        [answers] = model.generate(["hi"], n=3).generations
        assert len({one.text for one in answers}) == 3
        assert [one.usage.completion_tokens for one in answers] == [3, 3, 3]
        assert [seen.json.get("n") for seen in server.seen] == ([3] + [None] * (3 if how == "refuses" else 2))
        assert len(model.generate(["hi"], n=2).generations[0]) == 2
        assert [seen.json.get("n") for seen in server.seen[4:]] == [None, None] if how == "refuses" else [2, None]

    def test_another_refusal_of_n_choices_is_told(self, server, model) -> None:
        server.answer = lambda seen: server.failure(400, {"error": {"message": "no such model"}})
        with pytest.raises(BadRequestError, match="no such model"):
            model.generate(["hi"], n=2)
        assert len(server.seen) == 1

    def test_a_stream_is_one_answer_also_when_several_are_asked_for(self, server, openai, model) -> None:
        server.answer = lambda seen: openai.events(
            openai.chunk({"content": "a"}),
            openai.chunk({"content": "other"}, index=1),
            openai.chunk({"content": None, "tool_calls": []}, index=1, finish_reason="length"),
            openai.chunk({"content": "b"}, finish_reason="stop"),
            openai.DONE,
        )
        *pieces, last = model.stream("hi", n=2)
        assert [piece.content for piece in pieces] == ["a", "b"]
        assert last.response_metadata["finish_reason"] == "stop"
        assert "n" not in server.last.json


class TestStreams:
    def test_pieces_come_as_they_are_sent_and_the_last_has_the_facts(self, server, openai, model) -> None:
        server.answer = lambda seen: openai.stream("Hel", "lo", finish_reason="length", usage=(4, 2))
        *pieces, last = model.stream("hi")
        assert [piece.content for piece in pieces] == ["Hel", "lo"]
        assert last.response_metadata["finish_reason"] == "length"
        assert last.usage_metadata == {"input_tokens": 4, "output_tokens": 2, "total_tokens": 6}
        assert server.last.json["stream_options"] == {"include_usage": True}

    def test_a_server_that_refuses_stream_options_is_asked_without_from_then_on(self, server, openai, model) -> None:
        def answer(seen):
            if "stream_options" in seen.json:
                return server.failure(400, {"error": {"message": "unknown field stream_options", "type": "x"}})
            return openai.stream("ok", usage=None)

        server.answer = answer
        for _ in range(2):
            assert "".join(piece.text for piece in model.stream("hi")) == "ok"
        assert ["stream_options" in seen.json for seen in server.seen] == [True, False, False]

    def test_stream_options_of_the_caller_are_kept_and_their_refusal_is_told(self, server, openai, model) -> None:
        server.answer = lambda seen: server.failure(400, {"error": {"message": "bad stream_options"}})
        with pytest.raises(BadRequestError, match="bad stream_options"):
            list(model.stream("hi", stream_options={"include_obfuscation": False}))
        assert server.last.json["stream_options"] == {"include_usage": True, "include_obfuscation": False}

    def test_tool_calls_come_in_fragments_and_join(self, server, openai, model) -> None:
        def fragment(index, **function):
            more = {"id": f"call_{index}", "type": "function"} if "name" in function else {}
            return openai.chunk({"tool_calls": [{"index": index, **more, "function": function}]})

        server.answer = lambda seen: openai.events(
            fragment(0, name="weather", arguments=""),
            fragment(0, arguments='{"city":'),
            fragment(1, name="clock", arguments="{}"),
            fragment(0, arguments='"Rome"}'),
            openai.chunk({}, finish_reason="tool_calls"),
            openai.DONE,
        )
        whole = None
        for piece in model.stream("hi", tools=[TOOL]):
            whole = piece if whole is None else whole + piece
        assert whole is not None
        assert [(call["name"], call["args"], call["id"]) for call in whole.tool_calls] == [
            ("weather", {"city": "Rome"}, "call_0"),
            ("clock", {}, "call_1"),
        ]
        assert whole.response_metadata["finish_reason"] == "tool_calls"

    def test_reasoning_comes_piece_by_piece_beside_the_text(self, server, openai, model) -> None:
        server.answer = lambda seen: openai.events(
            openai.chunk({"reasoning_content": "Hm, "}),
            openai.chunk({"reasoning": "well."}),
            openai.chunk({"content": "Yes."}),
            openai.chunk({}, finish_reason="stop"),
            openai.DONE,
        )
        pieces = list(model.stream("hi"))
        thoughts = [piece.additional_kwargs.get("reasoning_content") for piece in pieces]
        assert [thought for thought in thoughts if thought] == ["Hm, ", "well."]
        assert "".join(piece.text for piece in pieces) == "Yes."

    def test_log_probabilities_are_joined(self, server, openai, model) -> None:
        def entry(token):
            return {"content": [{"token": token, "logprob": -0.1, "bytes": None, "top_logprobs": []}], "refusal": None}

        server.answer = lambda seen: openai.events(
            openai.chunk({"content": "a"}, logprobs=entry("a")),
            openai.chunk({"content": "b"}, logprobs=entry("b")),
            openai.chunk({}, finish_reason="stop"),
            openai.DONE,
        )
        *_, last = model.stream("hi", logprobs=True)
        assert [one["token"] for one in last.response_metadata["logprobs"]["content"]] == ["a", "b"]

    def test_odd_but_legal_events_are_read(self, server, openai, model) -> None:
        odd = openai.event({"choices": [{"index": 0, "delta": {"content": "\ud83d"}}]})
        server.answer = lambda seen: openai.events(
            ": a comment\n\n",
            "event: message\nretry: 3\nid: 1\n" + openai.chunk({"role": "assistant", "content": None}),
            openai.chunk({"content": "a\u2028b\u0085"}).replace("\n\n", "\r\n\r\n"),
            openai.chunk({"content": [{"type": "text", "text": "c"}]}),
            odd,
            openai.event({"choices": [{"index": 0, "delta": None}]}),
            openai.event({"choices": []}),
            openai.event({"id": "x", "choices": None, "usage": None}),
            "data:" + openai.chunk({"content": "d"})[6:],
            openai.chunk({}, finish_reason="stop"),
            openai.DONE,
        )
        assert "".join(piece.text for piece in model.stream("hi")) == "a\u2028b\u0085c\ud83dd"

    def test_events_cut_anywhere_are_put_together(self, serve_bytes, raw, openai) -> None:
        body = "".join(
            [openai.chunk({"content": "Grüße 🌍"}), openai.chunk({}, finish_reason="stop"), openai.DONE]
        ).replace("\\ud83c\\udf0d", "🌍")

        async def talk(reader, writer):
            await raw.read_request(reader)
            writer.write(raw.STREAM)
            for byte in body.encode():
                writer.write(b"1\r\n%c\r\n" % byte)
                await writer.drain()
            writer.write(raw.END)

        model = OpenAICompatible(model="m", base_url=serve_bytes(talk).url)
        assert "".join(piece.text for piece in model.stream("hi")) == "Grüße 🌍"

    @pytest.mark.parametrize("ending", ["without [DONE]", "without a finish reason"])
    def test_a_stream_needs_one_of_both_ends(self, server, openai, model, ending) -> None:
        end = openai.DONE if ending == "without a finish reason" else openai.chunk({}, finish_reason="length")
        server.answer = lambda seen: openai.events(openai.chunk({"content": "x"}), end)
        *_, last = model.stream("hi")
        assert last.response_metadata["finish_reason"] == ("stop" if end == openai.DONE else "length")


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
