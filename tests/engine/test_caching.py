"""The cache: equal calls are answered once, and calls that differ in anything never share an answer."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import PrivateAttr, SecretStr

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
    ModelTimeoutError,
    SQLiteCache,
    Usage,
)
from modelport.engine import flights
from modelport.testing.gates import PATIENCE_SECONDS, Gate

ASKED: list[str] = []
"""What the hooks of this module's models were asked, by the running test."""


class First(LLM):
    """Gives the first `n` characters (the guide's model)."""

    n: int = 5

    def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
        ASKED.append(prompt)
        return prompt[: self.n]


class Streaming(First):
    """Gives them one by one."""

    def _stream(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Iterator[str]:
        ASKED.append(prompt)
        yield from prompt[: self.n]


class AsyncStreaming(First):
    """Gives them one by one, on the loop."""

    async def _astream(self, prompt: str, stop: Any = None, run_manager: Any = None) -> AsyncIterator[str]:
        ASKED.append(prompt)
        for character in prompt[: self.n]:
            await asyncio.sleep(0)
            yield character


@pytest.fixture(autouse=True)
def _nothing_asked() -> Iterator[None]:
    ASKED.clear()
    yield
    assert not flights._flights, "a call still leads"


@pytest.fixture(params=["memory", "sqlite"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cache]:
    if request.param == "memory":
        yield LRUCache()
        return
    with SQLiteCache(tmp_path / "answers.sqlite") as store:
        yield store


# ── what is one call, and what is another ───────────────────────────────────────────────────────────────────────────


def test_models_with_other_fields_never_share_an_answer(cache: Cache) -> None:
    assert First(n=5, cache=cache).invoke("hello world") == "hello"
    assert First(n=7, cache=cache).invoke("hello world") == "hello w"
    assert First(n=5, cache=cache).invoke("hello world") == "hello"
    assert len(ASKED) == 2


DIFFERENT: list[dict[str, Any]] = [
    {},
    {"stop": ["l"]},
    {"stop": ["l", "o"]},
    {"stop": ["l"], "include_stop": False},
    {"max_tokens": 1},
    {"max_tokens": 2},
    {"x": 1},
    {"x": True},
    {"x": 1.0},
    {"x": "1"},
    {"x": b"1"},
    {"x": None},
    {"x": [1, 2]},
    {"x": (1, 2)},
    {"x": {1, 2}},
    {"x": {"a": 1}},
    {"x": {"a": {"b": 1}}},
    {"y": 1},
    {"x": 2**80},
    {"x": SecretStr("one")},
    {"x": SecretStr("two")},
    {"x": Usage(1, 2, 3)},
    {"x": Usage(1, 2, 4)},
]


def test_calls_that_differ_in_anything_never_share_an_answer(cache: Cache) -> None:
    model = First(cache=cache)
    for kwargs in DIFFERENT:
        model.invoke("hello world", **kwargs)
    assert len(ASKED) == len(DIFFERENT)


@pytest.mark.parametrize("kwargs", [kwargs for kwargs in DIFFERENT if kwargs.get("x") != 2**80], ids=repr)
def test_the_same_call_is_answered_once(kwargs: dict[str, Any], cache: Cache) -> None:
    model = First(cache=cache)
    assert model.invoke("hello world", **kwargs) == model.invoke("hello world", **kwargs)
    assert len(ASKED) == 1


def test_the_order_of_keywords_does_not_matter(cache: Cache) -> None:
    model = First(cache=cache)
    model.invoke("hello", a=1, b={"c": 1, "d": 2})
    model.invoke("hello", b={"d": 2, "c": 1}, a=1)
    assert len(ASKED) == 1


def test_a_keyword_that_cannot_be_told_from_another_is_never_cached(cache: Cache) -> None:
    model = First(cache=cache)
    for _ in range(2):
        model.invoke("hello", client=object())
    assert len(ASKED) == 2


def test_secrets_count_and_are_not_kept(tmp_path: Path) -> None:
    class Keyed(First):
        key: SecretStr

    path = tmp_path / "answers.sqlite"
    with SQLiteCache(path) as cache:
        Keyed(key=SecretStr("sk-one-secret"), cache=cache).invoke("hello")
        Keyed(key=SecretStr("sk-two-secret"), cache=cache).invoke("hello")
    assert len(ASKED) == 2
    assert b"secret" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


def test_identifying_params_count() -> None:
    class Versioned(First):
        _version: int = PrivateAttr(default=1)

        @property
        def _identifying_params(self) -> dict[str, Any]:
            return {"version": self._version}

    model = Versioned(cache=True)
    model.invoke("identified")
    model._version = 2
    model.invoke("identified")
    assert len(ASKED) == 2


def test_state_outside_of_declared_fields_is_keyed_by_instance(cache: Cache) -> None:
    class Stateful(First):
        _prefix: str = PrivateAttr(default="")

        def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            return self._prefix + super()._call(prompt)

    one, two = Stateful(cache=cache), Stateful(cache=cache)
    two._prefix = ">"
    assert [one.invoke("hello"), two.invoke("hello"), one.invoke("hello")] == ["hello", ">hello", "hello"]
    assert len(ASKED) == 2


def test_a_field_that_holds_a_client_is_keyed_by_that_client(cache: Cache) -> None:
    class Client:
        pass

    class Wrapping(First):
        client: Any

    model = Wrapping(client=Client(), cache=cache)
    model.invoke("hello")
    model.invoke("hello")
    assert len(ASKED) == 1
    model.client = Client()
    model.invoke("hello")
    assert len(ASKED) == 2


def test_two_classes_of_one_name_never_share_an_answer(cache: Cache) -> None:
    def make(suffix: str) -> LLM:
        class Local(LLM):
            def _call(self, prompt: str) -> str:
                return prompt + suffix

        return Local(cache=cache)

    assert [make("1").invoke("a"), make("2").invoke("a")] == ["a1", "a2"]


def test_a_hook_that_was_edited_does_not_find_the_answers_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    cache, module = LRUCache(), globals()

    def define(times: int) -> LLM:
        namespace: dict[str, Any] = {"LLM": LLM, "__name__": __name__}
        exec(f"class Edited(LLM):\n    def _call(self, prompt):\n        return prompt * {times}", namespace)
        monkeypatch.setitem(module, "Edited", namespace["Edited"])
        return namespace["Edited"](cache=cache)

    assert [define(2).invoke("a"), define(3).invoke("a")] == ["aa", "aaa"]


def test_each_choice_is_an_answer_of_its_own(cache: Cache) -> None:
    class Counting(LLM):
        def _call(self, prompt: str) -> str:
            ASKED.append(prompt)
            return str(len(ASKED))

    model = Counting(cache=cache)
    texts = [[choice.text for choice in model.generate(["a"], n=3).generations[0]] for _ in range(2)]
    assert sorted(texts[0]) == ["1", "2", "3"]
    assert texts[0] == texts[1]
    assert len(ASKED) == 3


def test_chats_of_other_roles_never_share_an_answer(cache: Cache) -> None:
    class Chat(ChatModel):
        def _call(self, messages: list[Any]) -> str:
            ASKED.append(messages[-1].text)
            return messages[-1].role

    model = Chat(cache=cache)
    assert [model.invoke([(role, "hi")]).content for role in ("user", "system", "user")] == ["user", "system", "user"]
    assert len(ASKED) == 2


# ── every way to call ───────────────────────────────────────────────────────────────────────────────────────────────


async def _joined(pieces: AsyncIterator[str]) -> str:
    return "".join([piece async for piece in pieces])


WAYS: dict[str, Callable[[LLM, str], str]] = {
    "invoke": lambda model, prompt: model.invoke(prompt),
    "ainvoke": lambda model, prompt: asyncio.run(model.ainvoke(prompt)),
    "stream": lambda model, prompt: "".join(model.stream(prompt)),
    "astream": lambda model, prompt: asyncio.run(_joined(model.astream(prompt))),
    "batch": lambda model, prompt: model.batch([prompt])[0],
    "abatch": lambda model, prompt: asyncio.run(model.abatch([prompt]))[0],
    "generate": lambda model, prompt: model.generate([prompt]).generations[0][0].text,
}


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


# ── single flight ───────────────────────────────────────────────────────────────────────────────────────────────────


class Held(LLM):
    """Waits at a gate; fails as often as it is told to."""

    _gate: Gate = PrivateAttr(default_factory=Gate)
    _began: Gate = PrivateAttr(default_factory=Gate)
    _failures: int = PrivateAttr(default=0)

    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        ASKED.append(prompt)
        self._began.open()
        await self._gate.wait_async()
        self._failures -= 1
        if self._failures >= 0:
            raise ValueError(self._failures)
        for character in prompt:
            yield character


async def _until_waiting(count: int) -> None:
    """Give the loop turns until so many calls wait for a flight."""
    while sum(len(flight._waiters) for flight in flights._flights.values()) < count:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0)


async def test_100_concurrent_equal_misses_run_the_hook_once(cache: Cache) -> None:
    model = Held(cache=cache)
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        invoked = [group.create_task(model.ainvoke("hello")) for _ in range(50)]
        streamed = [group.create_task(_joined(model.astream("hello"))) for _ in range(50)]
        await _until_waiting(99)
        model._gate.open()
    assert {task.result() for task in invoked + streamed} == {"hello"}
    assert ASKED == ["hello"]


def test_100_threads_with_equal_misses_run_the_hook_once(cache: Cache) -> None:
    model = Held(cache=cache)
    with ThreadPoolExecutor(100) as pool:
        futures = [pool.submit(model.invoke, "hello") for _ in range(50)]
        futures += [pool.submit(lambda: "".join(model.stream("hello"))) for _ in range(50)]
        asyncio.run(_until_waiting(99))
        model._gate.open()
        assert {future.result() for future in futures} == {"hello"}
    assert ASKED == ["hello"]


async def test_when_the_first_fails_the_next_runs(cache: Cache) -> None:
    model = Held(cache=cache)
    model._failures = 2
    tasks = [asyncio.create_task(model.ainvoke("hello")) for _ in range(5)]
    await _until_waiting(4)
    model._gate.open()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(str(outcome) for outcome in outcomes) == ["0", "1", "hello", "hello", "hello"]
    assert len(ASKED) == 3


async def test_when_the_first_is_cancelled_the_next_runs(cache: Cache) -> None:
    model = Held(cache=cache)
    tasks = [asyncio.create_task(model.ainvoke("hello"))]
    assert await model._began.wait_async(PATIENCE_SECONDS)
    tasks += [asyncio.create_task(model.ainvoke("hello")) for _ in range(2)]
    await _until_waiting(2)
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    model._gate.open()
    assert await asyncio.gather(*tasks[1:]) == ["hello", "hello"]
    assert len(ASKED) == 2


async def test_one_that_waits_may_be_cancelled_or_run_out_of_time(cache: Cache) -> None:
    model = Held(cache=cache)
    tasks = [asyncio.create_task(model.ainvoke("hello"))]
    assert await model._began.wait_async(PATIENCE_SECONDS)
    tasks += [asyncio.create_task(model.ainvoke("hello")) for _ in range(2)]
    await _until_waiting(2)
    tasks[1].cancel()
    with pytest.raises(ModelTimeoutError, match="equal call"):
        await model.ainvoke("hello", {"timeout": 0.02})
    model._gate.open()
    assert [await tasks[0], await tasks[2]] == ["hello", "hello"]
    assert tasks[1].cancelled()
    assert len(ASKED) == 1


def test_a_stream_that_was_left_is_not_kept(cache: Cache) -> None:
    model = Streaming(cache=cache)
    stream = model.stream("hello")
    next(stream)
    stream.close()
    assert list(model.stream("hello")) == list("hello")
    assert len(ASKED) == 2


def test_a_stream_whose_consumer_pauses_does_not_hold_up_the_others(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flights, "PATIENCE_SECONDS", 0.01)
    model = Streaming(cache=cache)
    paused = model.stream("hello")
    assert next(paused) == "h"
    assert model.invoke("hello") == "hello"
    assert "".join(paused) == "ello"
    assert len(ASKED) == 2


def test_a_hook_that_calls_its_own_model_with_the_same_prompt_does_not_wait_for_itself(cache: Cache) -> None:
    class Derived(LLM):
        def _call(self, prompt: str) -> str:
            return prompt

        def _stream(self, prompt: str) -> Iterator[str]:
            yield from self.invoke(prompt)

    model = Derived(cache=cache)
    assert list(model.stream("hello")) == list("hello")
    assert asyncio.run(_joined(Derived(cache=cache).astream("other"))) == "other"


def test_two_calls_that_ask_for_each_others_answers_do_not_wait_for_ever(cache: Cache) -> None:
    both = threading.Barrier(2)

    class Crossed(LLM):
        _deep: threading.local = PrivateAttr(default_factory=threading.local)

        def _call(self, prompt: str) -> str:
            if getattr(self._deep, "asked", False):
                return prompt
            self._deep.asked = True
            both.wait(PATIENCE_SECONDS)
            return self.invoke({"a": "b", "b": "a"}[prompt])

    model = Crossed(cache=cache)
    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(model.invoke, "ab", timeout=PATIENCE_SECONDS)) <= {"a", "b"}


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
        assert await _joined(model.astream("other")) == "other"
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
