"""The cache: equal calls are answered once in every way to call, and a cache that fails fails no call."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelport import (
    LLM,
    BaseCallbackHandler,
    Cache,
    ChatModel,
    EmbeddingModel,
    Generation,
    GenerationChunk,
    ImageModel,
    LRUCache,
    SQLiteCache,
    Usage,
)
from tests.engine.cached_models import ASKED, WAYS, AsyncStreaming, First, Streaming, joined

pytestmark = pytest.mark.usefixtures("nothing_asked")


# ── every way to call ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("cls", [First, Streaming, AsyncStreaming], ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("then", WAYS)
@pytest.mark.parametrize("first", WAYS)
def test_what_one_way_to_call_finds_every_other_way_has(first: str, then: str, cls: type[LLM]) -> None:
    model = cls(cache=LRUCache())
    assert WAYS[first](model, "hello world") == WAYS[then](model, "hello world") == "hello"
    assert len(ASKED) == 1


def test_a_stream_is_replayed_in_its_pieces(cache: Cache) -> None:
    model = Streaming(cache=cache)
    assert list(model.stream("hello world")) == list(model.stream("hello world")) == list("hello")
    assert len(ASKED) == 1


def test_a_hit_has_the_same_usage_finish_reason_and_tool_calls(cache: Cache) -> None:
    class Rich(ChatModel):
        def _stream(self, messages: list[Any]) -> Iterator[GenerationChunk]:
            ASKED.append("")
            yield GenerationChunk("a", logprobs={"content": [{"token": "a", "logprob": -0.5}]})
            yield GenerationChunk("", tool_calls=[{"name": "f", "args": {"x": 1}, "id": "1", "type": "tool_call"}])
            yield GenerationChunk("b", finish_reason="tool_calls", usage=Usage(3, 4, 7))

    model = Rich(cache=cache)
    first, streamed = model.invoke("hi"), list(model.stream("hi"))
    assert model.invoke("hi") == first
    assert list(model.stream("hi")) == streamed
    assert len(ASKED) == 1
    assert first.usage_metadata == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    assert first.tool_calls[0]["args"] == {"x": 1}


def test_a_batch_asks_the_hook_only_for_what_is_missing_and_once_for_equal_prompts(cache: Cache) -> None:
    class Batching(LLM):
        max_batch_size: int | None = 8

        def _batch(self, prompts: list[str]) -> list[str]:
            ASKED.append(" ".join(prompts))
            return [prompt.upper() for prompt in prompts]

    model = Batching(cache=cache)
    assert model.batch(["a", "b", "a", "c"]) == ["A", "B", "A", "C"]
    assert asyncio.run(model.abatch(["d", "b", "d"])) == ["D", "B", "D"]
    assert ASKED == ["a b c", "d"]


def test_changing_what_a_hit_gave_changes_nobody_elses_answer(cache: Cache) -> None:
    class Listing(LLM):
        def _call(self, prompt: str) -> Generation:
            return Generation(prompt, logprobs={"content": [1]})

    model = Listing(cache=cache)
    for _ in range(3):
        logprobs = model.generate(["a"]).generations[0][0].logprobs
        assert logprobs == {"content": [1]}
        logprobs["content"].append(2)


def test_true_means_the_memory_of_the_process_and_false_none() -> None:
    for _ in range(2):
        First(cache=True).invoke("shared by the process")
    assert len(ASKED) == 1
    First(cache=False).invoke("shared by the process")
    assert len(ASKED) == 2


def test_another_process_finds_what_is_in_the_file(tmp_path: Path) -> None:
    model = First(cache=SQLiteCache(tmp_path / "answers.sqlite"))
    model.invoke("hello")
    copy = pickle.loads(pickle.dumps(model))
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if copy.invoke("hello") == "hello" and len(ASKED) == 1 else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    model.cache.close()  # type: ignore[union-attr]
    copy.cache.close()


# ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Recording(BaseCallbackHandler):
    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def on_llm_start(self, serialized: Any, prompts: Any, **kwargs: Any) -> None:
        self.told.append(("start", prompts))

    def on_llm_new_token(self, token: str, **kwargs: Any) -> None:
        self.told.append(("token", token))

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        self.told.append(("end", (response.generations[0][0].text, response.llm_output.get("cached"))))


@pytest.mark.parametrize("cls", [First, Streaming, AsyncStreaming], ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("way", WAYS)
def test_a_hit_fires_the_events_of_the_call_it_stands_for_marked(way: str, cls: type[LLM]) -> None:
    recording = Recording()
    model = cls(cache=LRUCache(), callbacks=[recording])
    WAYS[way](model, "hello world")
    missed = list(recording.told)
    recording.told.clear()
    WAYS[way](model, "hello world")
    assert recording.told[:-1] == missed[:-1]
    assert (missed[-1], recording.told[-1]) == (("end", ("hello", None)), ("end", ("hello", True)))


async def test_the_end_event_of_a_hit_says_so() -> None:
    model = First(cache=LRUCache())
    last = [[event async for event in model.astream_events("hello", version="v2")][-1] for _ in range(2)]
    assert [event["data"].get("cached") for event in last] == [None, True]


def test_a_hit_that_is_closed_early_ends_marked_with_what_was_given() -> None:
    recording = Recording()
    model = Streaming(cache=LRUCache(), callbacks=[recording])
    list(model.stream("hello"))
    recording.told.clear()
    stream = model.stream("hello")
    assert [next(stream), next(stream)] == ["h", "e"]
    stream.close()
    assert recording.told[-1] == ("end", ("he", True))


# ── caches that fail ────────────────────────────────────────────────────────────────────────────────────────────────


class Broken(Cache):
    """Fails in every way."""

    def get(self, key: str) -> bytes | None:
        raise OSError("sk-secret: no such disk")

    def set(self, key: str, value: bytes) -> None:
        raise OSError("sk-secret: disk full")

    def clear(self) -> None:
        raise OSError


def test_a_cache_that_fails_never_fails_a_call(caplog: pytest.LogCaptureFixture) -> None:
    model = First(cache=Broken())
    with caplog.at_level(logging.WARNING):
        assert [model.invoke("hello"), asyncio.run(model.ainvoke("hello")), *model.batch(["hello"])] == ["hello"] * 3
    assert len([record for record in caplog.records if record.name == "modelport.cache"]) == 2
    assert "sk-secret" not in caplog.text


def test_bytes_that_are_no_entry_are_a_miss() -> None:
    class Nonsense(LRUCache):
        def get(self, key: str) -> bytes | None:
            return b"nonsense"

    model = First(cache=Nonsense())
    assert [model.invoke("hello"), model.invoke("hello")] == ["hello", "hello"]


def test_an_answer_that_is_no_plain_data_is_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    class Odd(LLM):
        def _call(self, prompt: str) -> Generation:
            ASKED.append(prompt)
            return Generation(prompt, logprobs=object())

    model = Odd(cache=LRUCache())
    with caplog.at_level(logging.WARNING):
        assert [model.invoke("a"), model.invoke("a")] == ["a", "a"]
    assert len(ASKED) == 2
    assert caplog.text.count("cannot be cached") == 1


async def test_a_cache_that_blocks_never_blocks_the_loop() -> None:
    here = threading.get_ident()
    threads: set[int] = set()

    class Slow(LRUCache):
        blocks = True

        def get(self, key: str) -> bytes | None:
            threads.add(threading.get_ident())
            return super().get(key)

        def set(self, key: str, value: bytes) -> None:
            threads.add(threading.get_ident())
            super().set(key, value)

    model = AsyncStreaming(cache=Slow())
    for _ in range(2):
        assert await model.ainvoke("hello") == "hello"
        assert await joined(model.astream("other")) == "other"
        assert await model.abatch(["third"]) == ["third"]
    assert len(ASKED) == 3
    assert threads
    assert here not in threads


# ── embeddings and images ───────────────────────────────────────────────────────────────────────────────────────────


def test_embeddings_are_kept_text_by_text(cache: Cache) -> None:
    class Lengths(EmbeddingModel):
        def _embed(self, texts: list[str]) -> list[list[float]]:
            ASKED.extend(texts)
            return [[float(len(text)), 0.5] for text in texts]

    model = Lengths(cache=cache)
    assert model.embed_documents(["a", "bb", "a"]) == [[1.0, 0.5], [2.0, 0.5], [1.0, 0.5]]
    assert model.embed_query("bb") == [2.0, 0.5]
    assert asyncio.run(model.aembed_documents(["ccc", "a"])) == [[3.0, 0.5], [1.0, 0.5]]
    assert ASKED == ["a", "bb", "ccc"]


def test_images_are_kept_and_each_of_several_is_its_own(cache: Cache) -> None:
    class Numbered(ImageModel):
        def _generate_images(self, prompt: str, **kwargs: Any) -> bytes:
            ASKED.append(prompt)
            return f"image {len(ASKED)}".encode()

    model = Numbered(cache=cache)
    first = model.generate_images("a cat", n=3)
    assert [image.data for image in first.images] == [b"image 1", b"image 2", b"image 3"]
    assert model.generate_images("a cat", n=3).images == first.images
    assert len(ASKED) == 3
