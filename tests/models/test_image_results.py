"""`ImageModel`: what its hooks may return; images in every shape become `Image` values."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from modelport import ImageModel
from modelport.values.errors import HookError
from modelport.values.images import Image, ImageResult
from modelport.values.usage import Usage
from tests.models.image_models import JPEG, PNG, WAYS, Returning, Saved, SyncOnly, Unsaved, ask, text_of


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
