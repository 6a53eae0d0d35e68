"""`EmbeddingModel`: many texts go in parts of `max_batch_size`, and the cache keeps them text by text."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest
from pydantic import PrivateAttr

from modelport import EmbeddingModel, LRUCache
from modelport.values.usage import Usage
from tests.models.embedding_models import SOON, WAYS, AsyncOnly, Counting, SyncOnly, ask, vector_of


class TestManyTexts:
    @pytest.mark.parametrize("cls", [SyncOnly, AsyncOnly])
    @pytest.mark.parametrize("way", WAYS)
    async def test_one_hook_call_gets_at_most_max_batch_size_texts(self, cls: type[Counting], way: str) -> None:
        model = cls(max_batch_size=3)
        texts = [f"{i}" * (i + 1) for i in range(8)]
        assert await ask(model, way, texts) == [vector_of(text) for text in texts]
        assert sorted(map(len, model._parts)) == [2, 3, 3]

    @pytest.mark.parametrize("way", WAYS)
    async def test_without_max_batch_size_one_hook_call_gets_all(self, way: str) -> None:
        model = SyncOnly()
        await ask(model, way, ["a", "b", "c"])
        assert model._parts == [["a", "b", "c"]]

    @pytest.mark.parametrize("way", WAYS)
    async def test_parts_run_at_once_as_far_as_max_concurrency_lets(self, way: str) -> None:
        class Meeting(EmbeddingModel):
            max_concurrency: int | None = 2
            max_batch_size: int | None = 2
            _both: threading.Barrier = PrivateAttr(default_factory=lambda: threading.Barrier(2))
            _running: int = PrivateAttr(0)
            _peak: int = PrivateAttr(0)

            def _embed(self, texts):
                self._running += 1
                self._peak = max(self._peak, self._running)
                self._both.wait(SOON)
                self._running -= 1
                self._both.wait(SOON)
                return [vector_of(text) for text in texts]

        model = Meeting()
        texts = [str(i) for i in range(8)]
        assert await ask(model, way, texts) == [vector_of(text) for text in texts]
        assert model._peak == 2

    @pytest.mark.parametrize("cls", [SyncOnly, AsyncOnly])
    @pytest.mark.parametrize("fields", [{}, {"max_batch_size": 16}, {"max_concurrency": 3}])
    def test_64_threads_get_64_right_answers(self, cls: type[Counting], fields: dict[str, Any]) -> None:
        model = cls(**fields)
        with ThreadPoolExecutor(64) as pool:
            vectors = list(pool.map(lambda i: model.embed_query("x" * i), range(64)))
        assert vectors == [vector_of("x" * i) for i in range(64)]

    def test_max_concurrency_limits_hook_calls_over_all_ways(self) -> None:
        class One(EmbeddingModel):
            max_concurrency: int | None = 1
            _inside: threading.Lock = PrivateAttr(default_factory=threading.Lock)

            def _embed(self, texts):
                assert self._inside.acquire(blocking=False), "two hook calls at once"
                try:
                    return [vector_of(text) for text in texts]
                finally:
                    self._inside.release()

        model = One()

        def many(i: int) -> None:
            if i % 2:
                asyncio.run(model.aembed_documents(["a", "b"]))
            else:
                model.embed_documents(["a", "b"])

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(many, range(32)))

    @pytest.mark.parametrize("way", WAYS)
    async def test_the_first_failure_is_raised_after_all_parts_have_run(self, way: str) -> None:
        class Failing(SyncOnly):
            max_batch_size: int | None = 1

            def _embed(self, texts):
                if texts[0] in ("2", "4"):
                    raise LookupError(f"no {texts[0]}")
                return super()._embed(texts)

        model = Failing()
        with pytest.raises(LookupError, match="no 2"):
            await ask(model, way, ["1", "2", "3", "4", "5"])
        assert sorted(model._parts) == [["1"], ["3"], ["5"]]


class Cached(EmbeddingModel):
    """Gives as many numbers as its field says, and never names `dimensions` in its hook."""

    log: ClassVar[list[list[str]]] = []
    cache: Any = True

    def _embed(self, texts):
        self.log.append(texts)
        return [[float(len(text))] * (self.dimensions or 2) for text in texts]


class TestCache:
    @pytest.fixture(autouse=True)
    def _fresh(self) -> None:
        Cached.log.clear()

    @pytest.mark.parametrize("way", WAYS)
    async def test_only_new_texts_reach_the_hook(self, way: str) -> None:
        model = Cached(cache=LRUCache())
        assert await ask(model, way, ["a", "bb"]) == [[1.0, 1.0], [2.0, 2.0]]
        assert await ask(model, way, ["bb", "ccc", "a", "ccc"]) == [[2.0, 2.0], [3.0, 3.0], [1.0, 1.0], [3.0, 3.0]]
        assert await model.aembed_query("ccc") == [3.0, 3.0]
        assert Cached.log == [["a", "bb"], ["ccc"]]

    def test_a_hit_is_nobody_elses_list(self) -> None:
        model = Cached(cache=LRUCache())
        model.embed_query("a").append(7.0)
        model.embed_query("a").append(7.0)
        assert model.embed_query("a") == [1.0, 1.0]

    def test_models_of_other_dimensions_share_nothing(self) -> None:
        cache = LRUCache()
        two, three = Cached(cache=cache), Cached(cache=cache, dimensions=3)
        assert [len(model.embed_query("a")) for model in (two, three, two, three)] == [2, 3, 2, 3]
        assert len(Cached.log) == 2

    def test_a_hit_has_its_usage(self) -> None:
        model = Cached(cache=LRUCache())
        assert model.embed(["12345678"]).usage == model.embed(["12345678"]).usage == Usage(2, 0, 2, estimated=True)
