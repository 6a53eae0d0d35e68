"""`ImageModel`: editing images, in every shape that they come in."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import pytest

from modelport import ImageModel
from modelport.values.errors import InputError, KeywordError
from modelport.values.images import Image
from tests.models.image_models import EDIT_WAYS, PNG, AsyncOnly, Saved, SyncOnly, ask, text_of


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
