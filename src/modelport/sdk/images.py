"""`image_generation`, `image_edit` and their async twins, by a model's `provider/name`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from modelport.engine.hooks import Hooks
from modelport.sdk.calling import ModelCall, given_only
from modelport.sdk.request import config_in, count_of, handler_request, own_keywords
from modelport.sdk.resilience import Resilient, Ways, is_resilient, resilient
from modelport.values.errors import InputError
from modelport.wire.image_request import ImageFormat
from modelport.wire.image_response import ImageResponse, image_response


def image_generation(
    prompt: str, model: str, *, n: int | None = None, response_format: ImageFormat | None = None, **given: Any
) -> ImageResponse:
    """Return images of a prompt, as OpenAI's images.

    Args:
        prompt: What they are to show.
        model: `provider/name`.
        n: How many; a model that gives fewer at a time is called again for the missing ones.
        response_format: How they come: base64, or addresses (`data:` URLs of what is here). A model that takes the
            parameter gets it too; nothing is downloaded here.
        **given: As for `completion`: `timeout`, `num_retries`, `fallbacks`, `api_key`, `api_base`, `config`, and
            `mock_response` (an address, or a whole response); all else (`size`, `quality`, …) goes to the model.

    Raises:
        ModelportError: One class per status, with the model's own exception as `__cause__`.
    """
    given = _checked(given, response_format)
    more: dict[str, Any] = {"n": n, "response_format": response_format}
    if is_resilient(given):
        return _attempts(model, given, *_generation(prompt, more)).answer()
    if "mock_response" in given:
        return _mocked(given["mock_response"], response_format)
    call, keywords = _asked(model, given, **more)
    return image_response(
        call.run(lambda: call.model.generate_images(prompt, **keywords)), response_format=response_format
    )


async def aimage_generation(
    prompt: str, model: str, *, n: int | None = None, response_format: ImageFormat | None = None, **given: Any
) -> ImageResponse:
    """Return images of a prompt, on the running loop; see `image_generation`."""
    given = _checked(given, response_format)
    more: dict[str, Any] = {"n": n, "response_format": response_format}
    if is_resilient(given):
        return await _attempts(model, given, *_generation(prompt, more)).aanswer()
    if "mock_response" in given:
        return _mocked(given["mock_response"], response_format)
    call, keywords = _asked(model, given, **more)
    return image_response(
        await call.arun(lambda: call.model.agenerate_images(prompt, **keywords)), response_format=response_format
    )


def image_edit(
    image: Any,
    prompt: str,
    model: str,
    *,
    mask: Any = None,
    n: int | None = None,
    response_format: ImageFormat | None = None,
    **given: Any,
) -> ImageResponse:
    """Return edited images, as OpenAI's images.

    Args:
        image: One or a list of: bytes, a `pathlib.Path`, an open file, a `data:` URL, base64 text.
        prompt: What to change.
        model: `provider/name`.
        mask: Where to change it, in the same forms.
        n: As for `image_generation`.
        response_format: As for `image_generation`.
        **given: As for `image_generation`.

    Raises:
        ModelportError: One class per status, with the model's own exception as `__cause__`.
    """
    given = _checked(given, response_format)
    more: dict[str, Any] = {"n": n, "response_format": response_format}
    if is_resilient(given):
        return _attempts(model, given, *_edit(image, prompt, {**more, "mask": mask})).answer()
    if "mock_response" in given:
        return _mocked(given["mock_response"], response_format)
    call, keywords = _asked(model, given, **more, edits=True)
    return image_response(
        call.run(lambda: call.model.edit_images(image, prompt, mask=mask, **keywords)), response_format=response_format
    )


async def aimage_edit(
    image: Any,
    prompt: str,
    model: str,
    *,
    mask: Any = None,
    n: int | None = None,
    response_format: ImageFormat | None = None,
    **given: Any,
) -> ImageResponse:
    """Return edited images, on the running loop; see `image_edit`."""
    given = _checked(given, response_format)
    more: dict[str, Any] = {"n": n, "response_format": response_format}
    if is_resilient(given):
        return await _attempts(model, given, *_edit(image, prompt, {**more, "mask": mask})).aanswer()
    if "mock_response" in given:
        return _mocked(given["mock_response"], response_format)
    call, keywords = _asked(model, given, **more, edits=True)
    return image_response(
        await call.arun(lambda: call.model.aedit_images(image, prompt, mask=mask, **keywords)),
        response_format=response_format,
    )


_Way = Callable[[str, dict[str, Any]], Any]


def _generation(prompt: str, more: Mapping[str, Any]) -> tuple[_Way, _Way]:
    asked: dict[str, Any] = {"prompt": prompt, **more}
    return (
        lambda name, own: image_generation(**asked | own, model=name),
        lambda name, own: aimage_generation(**asked | own, model=name),
    )


def _edit(image: Any, prompt: str, more: Mapping[str, Any]) -> tuple[_Way, _Way]:
    asked: dict[str, Any] = {"image": image, "prompt": prompt, **more}
    return (
        lambda name, own: image_edit(**asked | own, model=name),
        lambda name, own: aimage_edit(**asked | own, model=name),
    )


def _attempts(model: str, given: Mapping[str, Any], way: _Way, async_way: _Way) -> Resilient:
    return resilient(model, given, Ways(way, async_way))


def _checked(given: Mapping[str, Any], response_format: Any) -> dict[str, Any]:
    """Return the keywords that are given.

    Raises:
        InputError: `response_format` is not one of OpenAI's.
    """
    if response_format not in (None, "url", "b64_json"):
        raise InputError(
            f"response_format must be 'url' or 'b64_json', not {response_format!r}", param="response_format"
        )
    return given_only(given)


def _asked(
    model: str, given: Mapping[str, Any], *, n: int | None, response_format: ImageFormat | None, edits: bool = False
) -> tuple[ModelCall, dict[str, Any]]:
    """Return the model and the keywords of its call."""
    count, config = count_of(n), config_in(given)
    call = ModelCall("image", model, given)
    named = {name: value for name, value in (("n", n), ("response_format", response_format)) if value is not None}
    if call.target.source.is_handler:
        request = handler_request(call.target, None, {**given, **named}, also=("n",))
        return call, {"request": request, "n": count, "config": config}
    hooks: Hooks = call.model.__modelport_edit_hooks__ if edits else call.model.__modelport_hooks__
    own = {**own_keywords(call.model, given, called=[hooks.answer, hooks.async_answer]), "config": config}
    return call, image_keywords(call.model, own, n=count, response_format=response_format)


def image_keywords(
    model: Any, own: Mapping[str, Any], *, n: int, response_format: ImageFormat | None
) -> dict[str, Any]:
    """Return the keywords of an image model's call: `response_format` only when its hooks take that.

    Args:
        model: The model, which is no handler's.
        own: The call's other keywords.
        n: How many images are wanted.
        response_format: How they are to come.
    """
    keywords = {**own, "n": n}
    hooks: Hooks = model.__modelport_hooks__
    if response_format is not None and all(hook.takes("response_format") for hook in hooks.present.values()):
        keywords["response_format"] = response_format
    return keywords


def _mocked(value: Any, response_format: ImageFormat | None) -> ImageResponse:
    from modelport.sdk.mocks import mocked_images

    return image_response(mocked_images(value), response_format=response_format)
