"""`ImageModel`: one hook gives every way to call, images in every shape become `Image` values."""

from __future__ import annotations

import asyncio
import base64
import inspect
import io
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import PrivateAttr, SecretStr

from modelport import LLM, ImageModel, ModelTimeoutError
from modelport.testing import RecordingHandler
from modelport.values.errors import HookError, InputError, KeywordError
from modelport.values.images import Image, ImageResult
from modelport.values.usage import Usage

SOON = 10.0
PNG = b"\x89PNG\r\n\x1a\n rest"
JPEG = b"\xff\xd8\xff rest"
WAYS = ("generate_images", "agenerate_images")
EDIT_WAYS = ("edit_images", "aedit_images")


def text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


class SyncOnly(ImageModel):
    _given: list[Any] = PrivateAttr(default_factory=list)

    def _generate_images(self, prompt, n=1):
        self._given.append(("_generate_images", prompt, n))
        return [f"{prompt}-{i}".encode() for i in range(n)]

    def _edit_images(self, images, prompt, mask=None, n=1):
        self._given.append(("_edit_images", images, prompt, mask, n))
        return [image.data + prompt.encode() for image in images][:n]


class AsyncOnly(ImageModel):
    _given: list[Any] = PrivateAttr(default_factory=list)

    async def _agenerate_images(self, prompt, n=1):
        await asyncio.sleep(0)
        self._given.append(("_agenerate_images", prompt, n))
        return [f"{prompt}-{i}".encode() for i in range(n)]

    async def _aedit_images(self, images, prompt, mask=None, n=1):
        self._given.append(("_aedit_images", images, prompt, mask, n))
        return [image.data + prompt.encode() for image in images][:n]


class Both(SyncOnly, AsyncOnly):
    pass


class Returning(ImageModel):
    """Returns what it is made with."""

    value: Any
    api_key: SecretStr = SecretStr("sk-very-secret")

    def _generate_images(self, prompt, **kwargs):
        return self.value


class Saved:
    """Is an image of PIL's kind."""

    def __init__(self) -> None:
        self.thread: threading.Thread | None = None

    def save(self, file: Any, format: str) -> None:
        assert format == "PNG"
        self.thread = threading.current_thread()
        file.write(PNG)


class Unsaved:
    def save(self, file: Any, format: str) -> None:
        raise OSError("secret: cannot write mode CMYK as PNG")


async def ask(model: ImageModel, way: str, *args: Any, **kwargs: Any) -> ImageResult:
    """Call in one of the ways; sync ways run in a thread of their own."""
    method = getattr(model, way)
    return await method(*args, **kwargs) if way[0] == "a" else await asyncio.to_thread(method, *args, **kwargs)


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


class TestWhatHooksMayReturn:
    @pytest.mark.parametrize(
        ("value", "image"),
        [
            (PNG, Image(PNG, mime_type="image/png")),
            (bytearray(JPEG), Image(JPEG, mime_type="image/jpeg")),
            (memoryview(b"any"), Image(b"any")),
            (b"RIFF1234WEBP", Image(b"RIFF1234WEBP", mime_type="image/webp")),
            (b"1234ftypavif", Image(b"1234ftypavif", mime_type="image/avif")),
            (text_of(PNG), Image(PNG, mime_type="image/png")),
            (f"{text_of(PNG * 40)[:76]}\n{text_of(PNG * 40)[76:]}\n", Image(PNG * 40, mime_type="image/png")),
            (f"data:image/webp;base64,{text_of(b'x')}", Image(b"x", mime_type="image/webp")),
            ("data:image/svg+xml,%3Csvg%2F%3E", Image(b"<svg/>", mime_type="image/svg+xml")),
            ("https://x/image.png", Image(url="https://x/image.png")),
            (Saved(), Image(PNG, mime_type="image/png")),
            (Image(PNG), Image(PNG, mime_type="image/png")),
            (Image(b"x", mime_type="image/x", revised_prompt="p"), Image(b"x", None, "image/x", "p")),
            (Image(url="http://x"), Image(url="http://x")),
            (Image(url=f"data:image/png;base64,{text_of(b'x')}"), Image(b"x", mime_type="image/png")),
            ({"b64_json": text_of(PNG), "revised_prompt": "p"}, Image(PNG, None, "image/png", "p")),
            ({"url": "https://x", "b64_json": None}, Image(url="https://x")),
            (SimpleNamespace(b64_json=text_of(PNG), url=None, revised_prompt="p"), Image(PNG, None, "image/png", "p")),
        ],
    )
    def test_every_shape_becomes_an_image(self, value: Any, image: Image) -> None:
        assert Returning(value=value).generate_images("x").images == [image]
        assert Returning(value=[value, (b"other")]).generate_images("x", n=2).images == [image, Image(b"other")]

    @pytest.mark.parametrize("kind", ["dict", "object", "ours"])
    def test_a_whole_response_is_read(self, kind: str) -> None:
        usage: dict[str, int] = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}
        data = [{"url": "https://x"}, {"b64_json": text_of(PNG)}]
        value = {
            "dict": {"created": 3, "data": data, "usage": usage},
            "object": SimpleNamespace(created=3, data=[SimpleNamespace(**one) for one in data], usage=usage),
            "ours": ImageResult([Image(url="https://x"), Image(PNG)], 3, Usage(5, 7, 12)),
        }[kind]
        result = Returning(value=value).generate_images("x", n=2)
        assert result == ImageResult([Image(url="https://x"), Image(PNG, mime_type="image/png")], 3, Usage(5, 7, 12))

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            (None, "gave None as an image; it must give bytes, base64 text"),
            (None, "is a `return` missing?"),
            (b"", "gave a value of type bytes as an image"),
            ("", "gave a value of type str as an image"),
            ("secret, not base64", "gave a value of type str as an image"),
            ("file:///secret.png", "gave a value of type str as an image"),
            ("data:image/png;base64,!!!", "gave a value of type str as an image"),
            (7, "gave 7 (int) as an image"),
            ({"secret": 1}, "gave a value of type dict as an image"),
            ({"data": "secret"}, "gave a value of type dict as an image"),
            ({"b64_json": None, "url": None}, "gave a value of type dict as an image"),
            (Image(), "gave a value of type Image as an image"),
            ([b"x", None], "gave None as an image"),
            ([], "gave no image"),
            ({"data": []}, "gave no image"),
            (Unsaved(), "gave a value of type Unsaved that cannot be saved as PNG: OSError"),
        ],
    )
    @pytest.mark.parametrize("way", WAYS)
    async def test_a_wrong_value_names_the_hook_and_keeps_the_value(self, way: str, value: Any, said: str) -> None:
        with pytest.raises(HookError) as raised:
            await ask(Returning(value=value), way, "x", n=2)
        assert str(raised.value).startswith("Returning._generate_images gave ")
        assert said in str(raised.value)
        assert "secret" not in str(raised.value)

    async def test_a_hook_of_the_wrong_kind_is_refused(self) -> None:
        class Wrong(ImageModel):
            async def _generate_images(self, prompt):
                return b"x"

            def _agenerate_images(self, prompt):
                return b"x"

        with pytest.raises(HookError, match="should the hook be the async one"):
            await asyncio.to_thread(Wrong().generate_images, "x")
        with pytest.raises(HookError, match="it must be an `async def`"):
            await Wrong().agenerate_images("x")

    def test_what_the_hook_raises_is_the_callers_to_see(self) -> None:
        error = LookupError("no GPU")

        class Failing(ImageModel):
            def _generate_images(self, prompt):
                raise error

        with pytest.raises(LookupError) as raised:
            Failing().generate_images("x")
        assert raised.value is error

    def test_the_first_created_counts_and_now_stands_in(self) -> None:
        assert Returning(value={"created": 3, "data": [b"x"]}).generate_images("x", n=2).created == 3
        assert Returning(value=b"x").generate_images("x").created > 1_700_000_000

    def test_usage_is_counted_of_the_prompt_or_added_up(self) -> None:
        assert SyncOnly().generate_images("12345678").usage == Usage(2, 0, 2, estimated=True)
        assert SyncOnly().edit_images(b"x", "1234").usage == Usage(1, 0, 1, estimated=True)
        one = ImageResult([Image(b"x")], 0, Usage(1, 2, 3))
        assert Returning(value=one).generate_images("x", n=3).usage == Usage(3, 6, 9)

        class Reporting(ImageModel):
            def _generate_images(self, prompt, run_manager=None):
                assert run_manager is not None
                run_manager.report_usage(4, 5)
                return b"x"

        assert Reporting().generate_images("x").usage == Usage(4, 5, 9)

    def test_images_print_without_their_bytes(self) -> None:
        assert repr(Image(PNG, mime_type="image/png")) == "Image(<13 bytes>, mime_type='image/png')"
        assert repr(Image(url="https://x")) == "Image(url='https://x')"

    def test_an_image_says_its_bytes_in_every_form(self) -> None:
        image = Image(PNG, mime_type="image/png")
        assert image.b64_json == text_of(PNG)
        assert image.data_url == f"data:image/png;base64,{text_of(PNG)}"
        assert Image(url="https://x").b64_json is None
        assert Image(url="https://x").data_url is None


class TestEditing:
    @pytest.mark.parametrize("way", EDIT_WAYS)
    @pytest.mark.parametrize("kind", ["bytes", "path", "file", "data URL", "base64", "Image", "PIL"])
    async def test_the_hook_gets_images_with_their_bytes(self, way: str, kind: str, tmp_path: Path) -> None:
        file = tmp_path / "cat.png"
        file.write_bytes(PNG)
        given: Any = {
            "bytes": PNG,
            "path": file,
            "file": io.BytesIO(PNG),
            "data URL": f"data:image/png;base64,{text_of(PNG)}",
            "base64": text_of(PNG),
            "Image": Image(PNG),
            "PIL": Saved(),
        }[kind]
        model = SyncOnly()
        await ask(model, way, [given, b"other"], "hat", mask=PNG)
        expected = Image(PNG, mime_type="image/png")
        assert model._given == [("_edit_images", [expected, Image(b"other")], "hat", expected, 1)]

    def test_one_image_needs_no_list(self) -> None:
        assert SyncOnly().edit_images(b"one", "!").images == [Image(b"one!")]

    @pytest.mark.parametrize("way", EDIT_WAYS)
    @pytest.mark.parametrize(
        ("images", "said"),
        [
            ([], "there is no image to edit"),
            (None, "the image is None that is no image"),
            (b"", "the image is a value of type bytes that is no image"),
            ("secret.png", "for a file, give pathlib.Path"),
            (Path("/nowhere/cat.png"), "cannot be read"),
            ("https://x/secret.png", "URLs are not fetched"),
            ([b"x", Image(url="https://x/secret.png")], "URLs are not fetched"),
            (io.StringIO("not base64!"), "that is no image"),
        ],
    )
    async def test_something_that_is_no_image_is_refused(self, way: str, images: Any, said: str) -> None:
        model = SyncOnly()
        with pytest.raises(InputError, match=said) as raised:
            await ask(model, way, images, "hat")
        assert raised.value.param == "image"
        assert "secret" not in str(raised.value)
        assert model._given == []

    def test_a_text_is_never_taken_for_a_path(self, tmp_path: Path) -> None:
        file = tmp_path / "cat.png"
        file.write_bytes(PNG)
        with pytest.raises(InputError, match=r"for a file, give pathlib.Path"):
            SyncOnly().edit_images(str(file), "hat")

    def test_a_wrong_mask_is_named(self) -> None:
        with pytest.raises(InputError, match="the mask is 7") as raised:
            SyncOnly().edit_images(b"x", "hat", mask=7)
        assert raised.value.param == "mask"

    def test_a_mask_for_a_hook_without_one_is_refused(self) -> None:
        class Maskless(ImageModel):
            def _edit_images(self, images, prompt):
                return images

        assert Maskless().edit_images(PNG, "hat").images == [Image(PNG, mime_type="image/png")]
        with pytest.raises(KeywordError, match=r"Maskless._edit_images does not take the keyword 'mask'"):
            Maskless().edit_images(b"x", "hat", mask=b"y")

    def test_a_hook_that_must_have_a_mask_is_given_none(self) -> None:
        class Strict(ImageModel):
            def _edit_images(self, images, prompt, mask):
                return [b"no mask" if mask is None else mask]

        assert Strict().edit_images(b"x", "hat").images == [Image(b"no mask")]

    def test_a_hook_may_take_everything_as_keywords(self) -> None:
        class Loose(ImageModel):
            def _edit_images(self, images, **kwargs):
                return [repr(sorted(kwargs)).encode()]

        result = Loose().edit_images(b"x", "hat", size="1x1", style="s", mask=b"m")
        assert result.images == [Image(b"['mask', 'n', 'prompt', 'size', 'style']")]

    async def test_files_are_read_off_the_loop(self) -> None:
        saved = Saved()
        await AsyncOnly().aedit_images(saved, "hat")
        assert saved.thread is not threading.current_thread()


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
            await ask(Slow(), way, *args, config={"timeout": 0.02})
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
