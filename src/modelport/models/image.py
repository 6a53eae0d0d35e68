"""`ImageModel`: an image model of your own. Write one hook, get every way to call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

from modelport.engine.call import Call
from modelport.engine.hook_sets import HookSet
from modelport.engine.hooks import Hook, Hooks
from modelport.engine.images import EDIT_HOOKS, IMAGE_HOOKS, arun_images, run_images
from modelport.engine.pictures import input_images
from modelport.engine.workers import call_in_worker
from modelport.models.base import AuthoredModel
from modelport.runs.config import RunnableConfig
from modelport.runs.scope import scope_of
from modelport.values.errors import InputError
from modelport.values.images import Image, ImageResult

if TYPE_CHECKING:
    from modelport.engine.model import EngineModel
    from modelport.runs.scope import Scope


class ImageModel(AuthoredModel):
    """Is an image model: a prompt in, images out; or images and a prompt in, edited images out.

    Subclass it, declare fields, and write `_generate_images(self, prompt, n=1, **kwargs)`, `_edit_images(self, images,
    prompt, mask=None, n=1, **kwargs)`, or their async twins `_agenerate_images` and `_aedit_images`. A hook returns one
    image or a list: bytes, base64 text, an http(s) or data URL, an `Image`, a PIL image, OpenAI's dict or response. It
    may give fewer than `n`: it is called again for those that are missing; more than `n` are cut. Image calls tell no
    runs: callbacks hear only of the models that a hook calls.
    """

    __modelport_kind__: ClassVar[str] = "image"
    __modelport_hook_set__: ClassVar[HookSet] = IMAGE_HOOKS
    __modelport_edit_hooks__: ClassVar[Hooks]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__modelport_edit_hooks__ = Hooks(cls, cls.__modelport_hooks__.present, EDIT_HOOKS)

    def generate_images(
        self, prompt: str, *, n: int = 1, size: str | None = None, config: RunnableConfig | None = None, **kwargs: Any
    ) -> ImageResult:
        """Return images of a prompt.

        Args:
            prompt: What they are to show.
            n: How many.
            size: Their size in the hook's words ("1024x1024"); given to the hook when it is not None.
            config: Its `timeout` holds for all hook calls together.
            **kwargs: For the hook.

        Raises:
            InputError: The prompt is no text, `n` no int of at least 1, or the class has no hook for it.
            KeywordError: A keyword that the hook does not take.
            HookError: The hook gave no image, or something that is none.
            ModelTimeoutError: The config's timeout passed.
            Exception: Whatever the hook raised, unchanged.
        """
        call = self._generate_call(self.__modelport_hooks__.answer, prompt, n, size, scope_of(config), kwargs)
        return run_images(call, n)

    async def agenerate_images(
        self, prompt: str, *, n: int = 1, size: str | None = None, config: RunnableConfig | None = None, **kwargs: Any
    ) -> ImageResult:
        """Return images of a prompt, on the running loop; see `generate_images`."""
        call = self._generate_call(self.__modelport_hooks__.async_answer, prompt, n, size, scope_of(config), kwargs)
        return await arun_images(call, n)

    def edit_images(
        self,
        images: Any,
        prompt: str,
        *,
        mask: Any = None,
        n: int = 1,
        size: str | None = None,
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> ImageResult:
        """Return edited images.

        Args:
            images: One or a list of: bytes, a `pathlib.Path`, an open file, a `data:` URL or base64 text, an `Image`, a
                PIL image. The hook gets `Image` values with their bytes.
            prompt: What to change.
            mask: Where to change it, in the same forms; given to the hook as an `Image`.
            n: How many results.
            size: As for `generate_images`.
            config: As for `generate_images`.
            **kwargs: For the hook.

        Raises:
            InputError: An image is none of these, or at a URL; also as for `generate_images`.
            Exception: As for `generate_images`.
        """
        scope = scope_of(config)
        hook = self._edit_hook(self.__modelport_edit_hooks__.answer)
        call = self._edit_call(hook, *_read_inputs(images, mask), _checked(prompt, n), size, scope, kwargs)
        return run_images(call, n)

    async def aedit_images(
        self,
        images: Any,
        prompt: str,
        *,
        mask: Any = None,
        n: int = 1,
        size: str | None = None,
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> ImageResult:
        """Return edited images, on the running loop; files are read in a thread. See `edit_images`."""
        scope = scope_of(config)
        hook = self._edit_hook(self.__modelport_edit_hooks__.async_answer)
        inputs = await call_in_worker(lambda: _read_inputs(images, mask))
        call = self._edit_call(hook, *inputs, _checked(prompt, n), size, scope, kwargs)
        return await arun_images(call, n)

    def _generate_call(
        self, hook: Hook | None, prompt: Any, n: Any, size: str | None, scope: Scope | None, kwargs: Mapping[str, Any]
    ) -> Call:
        if hook is None:
            raise self._no_hook("make", IMAGE_HOOKS.forms[0].example)
        own = kwargs if size is None else {**kwargs, "size": size}
        return Call(cast("EngineModel", self), _checked(prompt, n), scope=scope, kwargs=own)

    def _edit_hook(self, hook: Hook | None) -> Hook:
        if hook is None:
            raise self._no_hook("edit", EDIT_HOOKS.forms[2].example)
        return hook

    def _edit_call(
        self,
        hook: Hook,
        images: list[Image],
        mask: Image | None,
        prompt: str,
        size: str | None,
        scope: Scope | None,
        kwargs: Mapping[str, Any],
    ) -> Call:
        own: dict[str, Any] = {**kwargs, "prompt": prompt}
        if size is not None:
            own["size"] = size
        if mask is not None or "mask" in hook.names:
            own["mask"] = mask
        return Call(cast("EngineModel", self), images, scope=scope, kwargs=own, hooks=self.__modelport_edit_hooks__)

    def _no_hook(self, what: str, example: str) -> InputError:
        return InputError(f"{type(self).__name__} cannot {what} images: it has no hook for that; write {example}")


def _read_inputs(images: Any, mask: Any) -> tuple[list[Image], Image | None]:
    return input_images(images), None if mask is None else input_images([mask], "mask")[0]


def _checked(prompt: Any, n: Any) -> str:
    """Return the prompt.

    Raises:
        InputError: It is no text, or `n` is no int of at least 1.
    """
    if not isinstance(prompt, str):
        raise InputError(f"a prompt must be a str, not {type(prompt).__name__}", param="prompt")
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise InputError(f"n must be an int of at least 1, not {n!r}", param="n")
    return prompt
