"""`ImageModel`: one hook gives every way to call, and as many images as were asked for."""

from __future__ import annotations

import asyncio
import inspect
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import PrivateAttr

from modelport import ImageModel
from modelport.values.errors import HookError, InputError, KeywordError
from modelport.values.images import Image
from tests.models.image_models import EDIT_WAYS, WAYS, AsyncOnly, Both, Returning, SyncOnly, ask


class TestWaysToCall:
    @pytest.mark.parametrize("cls", [SyncOnly, AsyncOnly, Both])
    @pytest.mark.parametrize("way", WAYS)
    async def test_any_hook_makes_images_every_way(self, cls: type[ImageModel], way: str) -> None:
        result = await ask(cls(), way, "cat", n=3)
        assert [image.data for image in result.images] == [b"cat-0", b"cat-1", b"cat-2"]

    @pytest.mark.parametrize("cls", [SyncOnly, AsyncOnly, Both])
    @pytest.mark.parametrize("way", EDIT_WAYS)
    async def test_any_hook_edits_images_every_way(self, cls: type[ImageModel], way: str) -> None:
        result = await ask(cls(), way, [b"one", b"two"], "!", n=2)
        assert [image.data for image in result.images] == [b"one!", b"two!"]

    async def test_a_caller_gets_the_hook_of_its_own_kind(self) -> None:
        model = Both()
        for way in WAYS:
            await ask(model, way, "x")
        for way in EDIT_WAYS:
            await ask(model, way, b"x", "x")
        hooks = [given[0] for given in model._given]
        assert hooks == ["_generate_images", "_agenerate_images", "_edit_images", "_aedit_images"]

    def test_two_event_loops_in_a_row_work(self) -> None:
        model = AsyncOnly(max_concurrency=1)
        for _ in range(2):
            assert asyncio.run(model.agenerate_images("cat")).images == [Image(b"cat-0")]

    def test_a_model_can_be_pickled(self) -> None:
        model = SyncOnly()
        model.generate_images("cat")
        assert pickle.loads(pickle.dumps(model)).edit_images(b"a", "b").images == [Image(b"ab")]

    def test_64_threads_get_64_right_answers(self) -> None:
        for cls in (SyncOnly, AsyncOnly):
            model = cls(max_concurrency=3)
            with ThreadPoolExecutor(64) as pool:
                results = list(pool.map(lambda i: model.generate_images(str(i)), range(64)))  # noqa: B023
            assert [result.images[0].data for result in results] == [f"{i}-0".encode() for i in range(64)]

    def test_it_is_loaded_once_before_its_first_call(self) -> None:
        class Loaded(SyncOnly):
            def _load(self) -> None:
                self._given.append(("_load",))

        model = Loaded()
        model.edit_images(b"x", "x")
        asyncio.run(model.agenerate_images("x"))
        assert [given[0] for given in model._given] == ["_load", "_edit_images", "_generate_images"]

    def test_the_guides_image_handler_is_a_model_too(self) -> None:
        class Guide(ImageModel):
            async def _agenerate_images(self, prompt, **kwargs):
                return {"created": 1721955063, "data": [{"url": "https://example.com/image.png"}]}

        result = Guide().generate_images("A cute baby sea otter")
        assert result.images == [Image(url="https://example.com/image.png")]
        assert result.created == 1721955063


class TestHowManyImages:
    @pytest.mark.parametrize("way", WAYS)
    async def test_missing_images_are_asked_for_again(self, way: str) -> None:
        class Two(ImageModel):
            _asked: list[int] = PrivateAttr(default_factory=list)

            def _generate_images(self, prompt, n=1):
                self._asked.append(n)
                return [bytes([len(self._asked)])] * min(n, 2)

        model = Two()
        result = await ask(model, way, "x", n=5)
        assert [image.data for image in result.images] == [b"\1", b"\1", b"\2", b"\2", b"\3"]
        assert model._asked == [5, 3, 1]

    @pytest.mark.parametrize("way", WAYS)
    async def test_images_beyond_n_are_cut(self, way: str) -> None:
        result = await ask(Returning(value=[b"1", b"2", b"3"]), way, "x", n=2)
        assert [image.data for image in result.images] == [b"1", b"2"]

    @pytest.mark.parametrize("way", WAYS)
    async def test_a_hook_that_does_not_take_n_is_called_once_per_image(self, way: str) -> None:
        class One(ImageModel):
            _calls: int = PrivateAttr(0)

            async def _agenerate_images(self, prompt):
                self._calls += 1
                return str(self._calls).encode()

        assert [image.data for image in (await ask(One(), way, "x", n=3)).images] == [b"1", b"2", b"3"]

    @pytest.mark.parametrize("way", WAYS)
    async def test_a_hook_that_gives_none_is_not_asked_for_ever(self, way: str) -> None:
        class Drying(ImageModel):
            _calls: int = PrivateAttr(0)

            def _generate_images(self, prompt, n=1):
                self._calls += 1
                return [b"x"] if self._calls == 1 else []

        model = Drying()
        with pytest.raises(HookError, match=r"Drying._generate_images gave no image"):
            await ask(model, way, "x", n=3)
        assert model._calls == 2

    def test_n_reaches_a_hook_with_kwargs(self) -> None:
        class Open(ImageModel):
            _kwargs: dict[str, Any] = PrivateAttr(default_factory=dict)

            def _generate_images(self, prompt, **kwargs):
                self._kwargs = kwargs
                return [b"x"] * kwargs["n"]

        model = Open()
        assert len(model.generate_images("x", n=2, size="1x1", style="vivid").images) == 2
        assert model._kwargs == {"n": 2, "size": "1x1", "style": "vivid"}
        model.generate_images("x")
        assert model._kwargs == {"n": 1}

    @pytest.mark.parametrize("n", [0, -1, True, 1.5, "2", None])
    def test_a_wrong_n_is_refused(self, n: Any) -> None:
        model = SyncOnly()
        with pytest.raises(InputError, match="n must be an int of at least 1"):
            model.generate_images("x", n=n)
        with pytest.raises(InputError, match="n must be an int of at least 1"):
            model.edit_images(b"x", "x", n=n)
        assert model._given == []

    @pytest.mark.parametrize("prompt", [None, 7, b"secret", ["x"]])
    def test_a_prompt_is_a_text(self, prompt: Any) -> None:
        with pytest.raises(InputError, match="a prompt must be a str") as raised:
            SyncOnly().generate_images(prompt)
        assert "secret" not in str(raised.value)
        with pytest.raises(InputError, match="a prompt must be a str"):
            SyncOnly().edit_images(b"x", prompt)


class TestTheClass:
    def test_a_class_without_a_hook_cannot_be_made(self) -> None:
        class Empty(ImageModel):
            pass

        with pytest.raises(TypeError, match=r"_edit_images, _aedit_images, for example `def _generate_images\(self, p"):
            Empty()

    async def test_a_model_that_only_makes_images_says_how_to_edit(self) -> None:
        model = Returning(value=b"x")
        for way in EDIT_WAYS:
            with pytest.raises(InputError, match=r"Returning cannot edit images.*write `def _edit_images\(self, imag"):
                await ask(model, way, b"x", "hat")

    async def test_a_model_that_only_edits_says_how_to_make_images(self) -> None:
        class Editor(ImageModel):
            async def _aedit_images(self, images, prompt):
                return images

        for way in WAYS:
            with pytest.raises(InputError, match=r"Editor cannot make images.*write `def _generate_images\(self, pro"):
                await ask(Editor(), way, "hat")

    def test_a_keyword_that_the_hook_does_not_take_is_refused(self) -> None:
        wrong: Any
        for wrong in ({"size": "1x1"}, {"style": "vivid"}):
            with pytest.raises(KeywordError, match=r"SyncOnly._generate_images does not take the keyword"):
                SyncOnly().generate_images("x", **wrong)

    @pytest.mark.parametrize(
        ("hook", "said"),
        [
            (
                "def _generate_images(self, text): ...",
                "its first parameter after self is not 'prompt'; write `def _gen",
            ),
            ("def _edit_images(self, image, prompt): ...", "its first parameter after self is not 'images'"),
            ("async def _aedit_images(self, images): ...", "it takes no 'prompt'; write `async def _aedit_images(self"),
            ("def _edit_images(self, images, prompt, /): ...", "it takes no 'prompt'"),
            ("def _edit_images(self): ...", "its first parameter after self is not 'images'"),
        ],
    )
    def test_a_hook_with_other_parameters_is_refused(self, hook: str, said: str) -> None:
        space: dict[str, Any] = {}
        exec(hook, space)
        functions = {name: value for name, value in space.items() if inspect.isfunction(value)}
        with pytest.raises(TypeError) as raised:
            type("Wrong", (ImageModel,), {**functions, "__module__": __name__})
        assert said in str(raised.value)

    def test_secrets_are_not_printed(self) -> None:
        assert "sk-very-secret" not in repr(Returning(value=1)) + str(Returning(value=1))
