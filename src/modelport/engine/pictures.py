"""Reading images: what image hooks return, and what callers give to be edited."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from modelport.engine.reading import hint_for, shown
from modelport.values.errors import HookError, InputError
from modelport.values.images import Image, ImageResult, image_of_bytes, image_of_text
from modelport.values.usage import usage_from

_EXPECTED = (
    "bytes, base64 text, an http(s) or data URL, an Image, a PIL image, OpenAI's dict or object, or a list of these"
)


def read_images(value: Any, _: Any, label: str) -> ImageResult:
    """Return the images that a hook gave.

    Args:
        value: One image or a list of them, in any of the shapes that the error names; or OpenAI's whole response.
        label: `Class._hook`, for the error.

    Raises:
        HookError: It is something else, or holds no image.
    """
    facts = _facts_of(value)
    given = facts.get("images", value)
    many = cast("Sequence[Any]", given) if isinstance(given, (list, tuple)) else [given]
    if not many:
        raise HookError(f"{label} gave no image; it must give at least one of the images that it is asked for")
    created = facts.get("created")
    return ImageResult(
        [_image_from_hook(one, label) for one in many],
        created if isinstance(created, int) else 0,
        usage_from(facts.get("usage")),
    )


def _facts_of(value: Any) -> dict[str, Any]:
    """Return the parts of a whole response (ours, or OpenAI's dict or object); nothing for anything else."""
    if isinstance(value, ImageResult):
        return {"images": value.images, "created": value.created, "usage": value.usage}
    if isinstance(value, Mapping):
        response = cast("Mapping[str, Any]", value)
        images, created, usage = (response.get(name) for name in ("data", "created", "usage"))
    elif hasattr(value, "created"):
        images, created, usage = getattr(value, "data", None), value.created, getattr(value, "usage", None)
    else:
        return {}
    return {"images": images, "created": created, "usage": usage} if isinstance(images, (list, tuple)) else {}


def _image_from_hook(value: Any, label: str) -> Image:
    try:
        image = _image_of(value)
    except Exception as error:
        raise HookError(f"{label} gave {shown(value)} that cannot be saved as PNG: {type(error).__name__}") from error
    if image is None:
        raise HookError(f"{label} gave {shown(value)} as an image; it must give {_EXPECTED}{hint_for(value)}")
    return image


def _image_of(value: Any) -> Image | None:
    """Return the image that a value stands for; None when it is none."""
    if isinstance(value, Image):
        return _image_of_parts(value.data, value.url, value.revised_prompt, value.mime_type)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return image_of_bytes(bytes(cast("bytes", value)))
    if isinstance(value, str):
        return image_of_text(value)
    if isinstance(value, Mapping):
        part = cast("Mapping[str, Any]", value).get
        return _image_of_parts(part("b64_json"), part("url"), part("revised_prompt"))
    if callable(getattr(value, "save", None)):
        buffer = io.BytesIO()
        value.save(buffer, format="PNG")
        return image_of_bytes(buffer.getvalue())
    return _image_of_parts(*(getattr(value, name, None) for name in ("b64_json", "url", "revised_prompt")))


def _image_of_parts(data: Any, url: Any, revised_prompt: Any, mime_type: str | None = None) -> Image | None:
    revised = revised_prompt if isinstance(revised_prompt, str) else None
    if isinstance(data, (bytes, bytearray)):
        return image_of_bytes(bytes(data), mime_type, revised)
    text = data or url
    return image_of_text(text, revised) if isinstance(text, str) else None


def input_images(value: Any, param: str = "image") -> list[Image]:
    """Return the images that a caller gives to be edited, each with its bytes; files are read here.

    Args:
        value: One or a list of: bytes, a `pathlib.Path`, an open file, a `data:` URL or base64 text, an `Image`, a PIL
            image. A text is never taken for a path: it may come from a client.
        param: The request's field, for the error.

    Raises:
        InputError: There is none, or it is something else, or at a URL, or cannot be read.
    """
    many = cast("Sequence[Any]", value) if isinstance(value, (list, tuple)) else [value]
    if not many:
        raise InputError(f"there is no {param} to edit; give at least one", param=param)
    return [_input_image(one, param) for one in many]


def _input_image(value: Any, param: str) -> Image:
    try:
        image = _image_of(_content_of(value))
    except Exception as error:
        raise InputError(f"the {param} ({shown(value)}) cannot be read: {error}", param=param) from error
    if image is None:
        hint = "; for a file, give pathlib.Path(…)" if isinstance(value, str) else ""
        raise InputError(
            f"the {param} is {shown(value)} that is no image; give bytes, a pathlib.Path, an open file, a data URL or "
            f"base64 text, an Image or a PIL image{hint}",
            param=param,
        )
    if image.data is None:
        raise InputError(f"the {param} is at a URL, and URLs are not fetched; give its bytes", param=param)
    return image


def _content_of(value: Any) -> Any:
    """Return the bytes of a path or an open file, all else as it is."""
    if isinstance(value, os.PathLike):
        return Path(cast("os.PathLike[str]", value)).read_bytes()
    return value.read() if callable(getattr(value, "read", None)) else value
