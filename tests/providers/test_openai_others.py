"""Text completions, embeddings and images of OpenAI-compatible servers."""

from __future__ import annotations

import array
import base64
import email
import email.policy
from typing import Any

import pytest

from modelport.providers import (
    MockImages,
    OpenAICompatibleCompletions,
    OpenAICompatibleEmbeddings,
    OpenAICompatibleImages,
)
from modelport.values.errors import InputError
from modelport.values.status_errors import APIStatusError, BadGatewayError, BadRequestError


class TestCompletions:
    @pytest.fixture
    def model(self, server) -> OpenAICompatibleCompletions:
        return OpenAICompatibleCompletions(model="m", base_url=server.url + "/v1")

    def answer(self, *texts: str, **choice: Any) -> dict[str, Any]:
        choices = [{"index": i, "text": t, "finish_reason": "stop", **choice} for i, t in enumerate(texts)]
        usage = {"prompt_tokens": 2, "completion_tokens": 6, "total_tokens": 8}
        return {"id": "cmpl-1", "object": "text_completion", "choices": choices, "usage": usage}

    def test_a_prompt_is_continued(self, server, model) -> None:
        server.answer = lambda seen: self.answer(" upon a time", finish_reason="length")
        [[answer]] = model.generate(["Once"], max_tokens=6, stop="end", temperature=0).generations
        assert server.last.path == "/v1/completions"
        assert server.last.json == {"model": "m", "prompt": "Once", "max_tokens": 6, "stop": ["end"], "temperature": 0}
        assert (answer.text, answer.finish_reason, answer.usage.completion_tokens) == (" upon a time", "length", 6)

    def test_n_is_one_request(self, server, model) -> None:
        server.answer = lambda seen: self.answer("a", "b")
        [answers] = model.generate(["Once"], n=2).generations
        assert [answer.text for answer in answers] == ["a", "b"]
        assert [seen.json["n"] for seen in server.seen] == [2]

    def test_a_stream_comes_in_pieces(self, server, openai, model) -> None:
        def text(piece, **choice):
            return openai.event({"choices": [{"index": 0, "text": piece, "finish_reason": None, **choice}]})

        server.answer = lambda seen: openai.events(
            text("a"), text("", logprobs=None), text("b"), text("", finish_reason="length"), openai.DONE
        )
        assert list(model.stream("Once")) == ["a", "b"]
        assert server.last.json["stream"] is True

    def test_log_probabilities_are_the_same_streamed_and_not(self, server, openai, model) -> None:
        logprobs = {"tokens": ["a"], "token_logprobs": [-0.5], "top_logprobs": None, "text_offset": [0]}
        choice = {"index": 0, "text": "a", "finish_reason": "stop", "logprobs": logprobs}
        server.answer = lambda seen: (
            openai.events(openai.event({"choices": [choice]}), openai.DONE)
            if seen.json.get("stream")
            else {"choices": [choice]}
        )
        [[whole]] = model.generate(["x"], logprobs=1).generations
        assert whole.logprobs["content"][0]["token"] == "a"
        streamed = [chunk.logprobs for chunk in _chunks(model)]
        assert streamed == [whole.logprobs]

    @pytest.mark.parametrize("body", ["{}", '{"choices": []}', '{"choices": [{"message": {}}]}', "no"])
    def test_what_is_no_completion_is_an_error(self, server, model, body) -> None:
        server.answer = lambda seen: body
        with pytest.raises(BadGatewayError):
            model.invoke("x")


def _chunks(model: Any) -> list[Any]:
    """Return the engine's chunks that carry log probabilities."""
    from modelport.engine.streams import stream

    call = model._call_of("x", None, None, None, None, {"logprobs": 1})
    return [chunk for chunk in stream(call) if chunk.logprobs is not None]


class TestEmbeddings:
    @pytest.fixture
    def model(self, server) -> OpenAICompatibleEmbeddings:
        return OpenAICompatibleEmbeddings(model="e", base_url=server.url + "/v1")

    def answer(self, seen: Any, *, tokens: int = 7) -> dict[str, Any]:
        texts = seen.json["input"]
        data = [{"object": "embedding", "index": i, "embedding": [float(len(t)), 1.0]} for i, t in enumerate(texts)]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "data": data[::-1], "model": "e", "usage": usage}

    def test_texts_go_out_together_and_vectors_come_back_in_order(self, server, model) -> None:
        server.answer = self.answer
        result = model.embed(["a", "bb", "ccc"])
        assert result.embeddings == [[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]]
        assert (result.usage.prompt_tokens, result.usage.estimated, result.model_name) == (7, False, "e")
        assert server.last.path == "/v1/embeddings"
        assert server.last.json == {"model": "e", "input": ["a", "bb", "ccc"], "encoding_format": "float"}

    def test_many_texts_go_out_in_several_requests(self, server, model) -> None:
        server.answer = self.answer
        result = model.with_params(inputs_per_request=2).embed(["a", "bb", "ccc"], user="u")
        assert [vector[0] for vector in result.embeddings] == [1, 2, 3]
        assert [seen.json["input"] for seen in server.seen] == [["a", "bb"], ["ccc"]]
        assert [seen.json["user"] for seen in server.seen] == ["u", "u"]
        assert result.usage.prompt_tokens == 14

    def test_base64_is_asked_for_and_read(self, server, model) -> None:
        text = base64.b64encode(array.array("f", [0.5, -2.0]).tobytes()).decode()
        server.answer = lambda seen: {"data": [{"index": 0, "embedding": text}]}
        assert model.with_params(encoding_format="base64").embed_query("x") == [0.5, -2.0]
        assert server.last.json["encoding_format"] == "base64"

    async def test_dimensions_are_passed_on(self, server, model) -> None:
        server.answer = self.answer
        assert len(await model.aembed_query("x", dimensions=2)) == 2
        assert server.last.json["dimensions"] == 2

    @pytest.mark.parametrize(
        "body",
        [
            {"data": []},
            {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0]}]},
            {"data": [{"index": 0, "embedding": "%"}]},
            {"data": [{"index": 0}]},
            {"data": 5},
            [],
        ],
    )
    def test_what_is_no_embedding_is_an_error(self, server, model, body) -> None:
        server.answer = lambda seen: body
        with pytest.raises(BadGatewayError, match=server.url):
            model.embed_query("x")


class TestImages:
    PNG = MockImages().generate_images("x").images[0]

    @pytest.fixture
    def model(self, server) -> OpenAICompatibleImages:
        return OpenAICompatibleImages(model="i", base_url=server.url + "/v1", defaults={"quality": "low"})

    def test_images_are_asked_for_and_read(self, server, model) -> None:
        data = [{"b64_json": self.PNG.b64_json, "revised_prompt": "a cat!"}, {"url": "https://here/cat.png"}]
        server.answer = lambda seen: {"created": 5, "data": data, "usage": {"input_tokens": 3, "output_tokens": 4}}
        result = model.generate_images("a cat", n=2, size="16x16")
        assert server.last.path == "/v1/images/generations"
        assert server.last.json == {"model": "i", "prompt": "a cat", "n": 2, "size": "16x16", "quality": "low"}
        assert [image.data for image in result.images] == [self.PNG.data, None]
        assert (result.images[0].revised_prompt, result.images[1].url) == ("a cat!", "https://here/cat.png")
        assert (result.created, result.usage.completion_tokens) == (5, 4)

    def test_a_server_that_gives_one_at_a_time_is_asked_again(self, server, model) -> None:
        server.answer = lambda seen: {"data": [{"b64_json": self.PNG.b64_json}]}
        assert len(model.generate_images("a cat", n=3).images) == 3
        assert [seen.json["n"] for seen in server.seen] == [3, 2, 1]

    @pytest.mark.parametrize("count", [1, 2])
    def test_an_edit_is_a_form_with_files(self, server, model, count) -> None:
        server.answer = lambda seen: {"data": [{"b64_json": self.PNG.b64_json}]}
        model.edit_images([self.PNG] * count, "add a hat", mask=self.PNG.data, size="16x16")
        assert server.last.path == "/v1/images/edits"
        parts = _form(server.last)
        name = "image" if count == 1 else "image[]"
        texts = {key: value.decode() for key, filename, _, value in parts if filename is None}
        assert texts == {"model": "i", "prompt": "add a hat", "n": "1", "size": "16x16", "quality": "low"}
        files = [(key, kind, value == self.PNG.data) for key, filename, kind, value in parts if filename]
        assert files == [(name, "image/png", True)] * count + [("mask", "image/png", True)]

    def test_refusals_are_errors(self, server, model) -> None:
        server.answer = lambda seen: server.failure(400, {"error": {"message": "not that", "code": "moderation"}})
        with pytest.raises(BadRequestError, match="not that"):
            model.generate_images("x")
        with pytest.raises(APIStatusError, match="not that"):
            model.edit_images(self.PNG, "x")

    @pytest.mark.parametrize("body", [{}, {"data": []}, {"data": "x"}])
    def test_an_answer_without_images_is_an_error(self, server, model, body) -> None:
        server.answer = lambda seen: body
        with pytest.raises(BadGatewayError, match="no images"):
            model.generate_images("x")

    def test_wrong_images_never_leave(self, server, model) -> None:
        with pytest.raises(InputError):
            model.edit_images("https://here/cat.png", "x")
        assert not server.seen


def _form(seen: Any) -> list[tuple[str, str | None, str, Any]]:
    """Return name, file name, type and content of each part of a multipart body."""
    head = f"content-type: {seen.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + seen.body, policy=email.policy.HTTP)
    return [
        (
            str(part.get_param("name", header="content-disposition")),
            part.get_filename(),
            part.get_content_type(),
            part.get_payload(decode=True),
        )
        for part in message.iter_parts()
    ]
