"""The checks of image models fail when what they are about is cut out."""

from __future__ import annotations

import pytest

from modelport.engine import images as engine_images
from modelport.engine import pictures
from modelport.engine.call import Call
from modelport.models import image as image_models
from modelport.models.image import ImageModel
from modelport.values.errors import InputError
from modelport.values.images import Image, ImageResult, image_of_bytes

cuts = pytest.mark.cuts


@cuts("image:*:answers", of="SyncImages")
@cuts("image:*:answers", of="AsyncImages")
def test_nobody_says_when_images_were_made(patch, caught):
    patch.method(engine_images._Collection, "result", lambda self: ImageResult(self._images))
    caught()


@cuts("image:*:extra-cut", of="SyncImages")
@cuts("image:*:extra-cut", of="AsyncImages")
def test_all_images_are_given(patch, caught):
    patch.method(engine_images._Collection, "result", lambda self: ImageResult(self._images, 7, self._usage))
    caught()


@cuts("image:*:as-many", of="SyncImages")
@cuts("image:*:as-many", of="AsyncImages")
def test_a_hook_is_called_once(patch, caught):
    next_call = engine_images._Collection.next_call
    patch.method(engine_images._Collection, "next_call", lambda self: None if self._images else next_call(self))
    caught()


@cuts("image:generate-images:as-many", "image:agenerate-images:as-many", of="SyncImages")
@cuts("image:*:as-many", of="AsyncImages")
def test_all_images_are_asked_for_again(patch, caught):
    patch.method(Call, "with_n", lambda self, n, with_n=Call.with_n: with_n(self, 3))
    caught()


@cuts("image:*:none", "image:*:wrong-result", of="SyncImages")
@cuts("image:*:none", "image:*:wrong-result", of="AsyncImages")
def test_anything_is_an_image(patch, caught):
    def read_image(value, label):
        return Image(b"made up")

    patch.everywhere(pictures._facts_of, lambda value: {"images": [value]})
    patch.everywhere(pictures._image_from_hook, read_image)
    caught()


@cuts("image:*:shapes", of="SyncImages")
@cuts("image:*:shapes", of="AsyncImages")
def test_only_bytes_are_images(patch, caught):
    patch.everywhere(pictures._image_of, lambda value: image_of_bytes(value) if isinstance(value, bytes) else None)
    caught()


@cuts("image:*generate-images:no-hook", of="SecretImages")
@cuts("image:*edit-images:no-hook", of="PinnedImages")
def test_missing_hooks_are_not_named(patch, caught):
    patch.method(ImageModel, "_no_hook", lambda self, what, example: InputError("this cannot be done"))
    caught()


@cuts("image:*:wrong-input", of="SyncImages")
@cuts("image:*:wrong-input", of="AsyncImages")
def test_prompts_and_numbers_are_not_checked(patch, caught):
    patch.everywhere(image_models._checked, lambda prompt, n: prompt)
    caught()


@cuts("image:*:wrong-images", "image:*:inputs", of="SyncImages")
@cuts("image:*:wrong-images", "image:*:inputs", of="AsyncImages")
def test_anything_is_edited(patch, caught):
    patch.everywhere(pictures.input_images, lambda value, param="image": [Image(b"made up")])
    caught()


@cuts("image:*edit-images:size", of="SecretImages")
@cuts("image:*:size", of="AsyncImages")
def test_sizes_are_dropped(patch, caught):
    def keywords_for(self, hook):
        return {name: value for name, value in self.kwargs.items() if name != "size"}

    patch.method(Call, "keywords_for", keywords_for)
    caught()
