"""Making and editing images: a hook is called until as many images are there as were asked for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from modelport.engine.answers import arun, run
from modelport.engine.hook_sets import HookForm, HookSet
from modelport.engine.hooks import Hook
from modelport.engine.pictures import read_images
from modelport.values.images import Image, ImageResult
from modelport.values.usage import Usage

if TYPE_CHECKING:
    from modelport.engine.call import Call

_FORMS = (
    HookForm("_generate_images", ("prompt",), "n=1, **kwargs"),
    HookForm("_agenerate_images", ("prompt",), "n=1, **kwargs", is_async=True),
    HookForm("_edit_images", ("images", "prompt"), "mask=None, n=1, **kwargs"),
    HookForm("_aedit_images", ("images", "prompt"), "mask=None, n=1, **kwargs", is_async=True),
)
IMAGE_HOOKS = HookSet(
    forms=_FORMS,
    answer=("_generate_images", "_agenerate_images"),
    async_answer=("_agenerate_images", "_generate_images"),
    read=read_images,
    reads_long=True,
)
"""The hooks of an `ImageModel`; those that make images answer."""
EDIT_HOOKS = HookSet(
    forms=_FORMS,
    answer=("_edit_images", "_aedit_images"),
    async_answer=("_aedit_images", "_edit_images"),
    read=read_images,
    reads_long=True,
)
"""The same hooks; those that edit images answer."""


class _Collection:
    """Is the images that the hook calls of one request have given so far."""

    def __init__(self, call: Call, hook: Hook | None, n: int) -> None:
        assert hook is not None, "the model checks that there is a hook"
        self._call = call
        self._takes_n = hook.takes("n")
        self._n = n
        self._images: list[Image] = []
        self._usage = Usage()
        self._created = 0
        self._calls = 0

    def next_call(self) -> Call | None:
        """Return the call for the images that are missing, None when none are."""
        missing = self._n - len(self._images)
        if missing <= 0:
            return None
        following = self._call.with_n(missing) if self._takes_n else self._call.for_choice(0)
        # For the cache the second of two equal hook calls is another call: its image is not the first one's.
        following.choice, self._calls = self._calls, self._calls + 1
        return following

    def take(self, answer: Any) -> None:
        """Take what one hook call gave: at least one image."""
        result = cast("ImageResult", answer)
        self._images += result.images
        self._usage += result.usage or Usage()
        self._created = self._created or result.created

    def result(self) -> ImageResult:
        """Return all images, cut to as many as were asked for."""
        return ImageResult(self._images[: self._n], self._created or int(time.time()), self._usage)


def run_images(call: Call, n: int) -> ImageResult:
    """Return n images, calling the hook again only for missing ones.

    Raises:
        ModelTimeoutError: The deadline, which all hook calls share, passed.
        HookError: The hook gave no image, or something that is none.
        Exception: Whatever the hook raised, unchanged.
    """
    collection = _Collection(call, call.hooks.answer, n)
    while (following := collection.next_call()) is not None:
        collection.take(run(following))
    return collection.result()


async def arun_images(call: Call, n: int) -> ImageResult:
    """Return n images on the running loop, as `run_images` does."""
    collection = _Collection(call, call.hooks.async_answer, n)
    while (following := collection.next_call()) is not None:
        collection.take(await arun(following))
    return collection.result()
