"""`OpenAICompatible`: what it understands of answers and streams."""

from __future__ import annotations

import pytest

from modelport.providers import OpenAICompatible
from modelport.values.status_errors import BadRequestError

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


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
