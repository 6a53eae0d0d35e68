"""`ImageModel`: where its hooks run, until when, and how many at once."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import PrivateAttr

from modelport import LLM, ImageModel, ModelTimeoutError
from modelport.testing import RecordingHandler
from modelport.values.images import Image
from tests.models.image_models import EDIT_WAYS, SOON, WAYS, Returning, Saved, ask


class TestThreadsAndDeadlines:
    async def test_images_are_encoded_off_the_loop(self) -> None:
        saved = Saved()
        await Returning(value=saved).agenerate_images("x")
        assert saved.thread is not threading.current_thread()

    @pytest.mark.parametrize("way", WAYS + EDIT_WAYS)
    async def test_a_deadline_ends_the_call_and_tells_the_hook(self, way: str) -> None:
        told = threading.Event()

        class Slow(ImageModel):
            def _generate_images(self, prompt, run_manager=None):
                assert run_manager is not None
                while not run_manager.cancelled:
                    threading.Event().wait(0.001)
                told.set()
                return b"x"

            def _edit_images(self, images, prompt, run_manager=None):
                return self._generate_images(prompt, run_manager)

        args = (b"x", "hat") if way in EDIT_WAYS else ("cat",)
        with pytest.raises(ModelTimeoutError):
            await ask(Slow(), way, *args, config={"timeout": 0.2})
        assert await asyncio.to_thread(told.wait, SOON)

    async def test_all_hook_calls_share_one_deadline(self) -> None:
        class Slowing(ImageModel):
            _calls: int = PrivateAttr(0)

            async def _agenerate_images(self, prompt, n=1):
                self._calls += 1
                if self._calls == 3:
                    await asyncio.Event().wait()
                return b"x"

        model = Slowing()
        with pytest.raises(ModelTimeoutError):
            await model.agenerate_images("x", n=4, config={"timeout": 0.05})
        assert model._calls == 3

    def test_max_concurrency_limits_making_and_editing_together(self) -> None:
        class One(ImageModel):
            max_concurrency: int | None = 1
            _inside: threading.Lock = PrivateAttr(default_factory=threading.Lock)

            def _generate_images(self, prompt):
                assert self._inside.acquire(blocking=False), "two hook calls at once"
                try:
                    return b"x"
                finally:
                    self._inside.release()

            def _edit_images(self, images, prompt):
                return self._generate_images(prompt)

        model = One()

        def one(i: int) -> None:
            ways: list[Any] = [
                lambda: model.generate_images("x", n=2),
                lambda: model.edit_images(b"x", "x"),
                lambda: asyncio.run(model.agenerate_images("x")),
                lambda: asyncio.run(model.aedit_images(b"x", "x")),
            ]
            ways[i % 4]()

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(one, range(32)))

    @pytest.mark.parametrize("way", WAYS + EDIT_WAYS)
    async def test_images_tell_no_runs_but_models_inside_do(self, way: str) -> None:
        class Inner(LLM):
            def _call(self, prompt):
                return prompt

        class Outer(ImageModel):
            inner: Any

            def _generate_images(self, prompt):
                return self.inner.invoke(prompt).encode()

            def _edit_images(self, images, prompt):
                return self._generate_images(prompt)

        record, own = RecordingHandler(), RecordingHandler()
        args = (b"x", "hat") if way in EDIT_WAYS else ("hat",)
        result = await ask(Outer(inner=Inner(), callbacks=[own]), way, *args, config={"callbacks": [record]})
        assert result.images == [Image(b"hat")]
        assert [event.name for event in record.events] == ["on_llm_start", "on_llm_end"]
        assert own.events == []
