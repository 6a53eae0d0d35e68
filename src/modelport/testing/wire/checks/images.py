"""Images."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from modelport.testing.checks import NotApplicable, expect
from modelport.testing.wire.answers import Answer, object_of, objects_of
from modelport.testing.wire.asking import OMIT, Images
from modelport.testing.wire.judging import SPEC, expect_refused, expect_shape, expect_taken, refused_politely
from modelport.testing.wire.registry import wire_check
from modelport.testing.wire.server import Server

SOURCE = SPEC.format("ImagesResponse")
REQUEST = SPEC.format("CreateImageRequest")


@wire_check("wire-image:whole:answers", source=SOURCE)
async def answers(server: Server) -> None:
    """A prompt is answered with 200 and an image: an address, or base64."""
    await Images(server).right_body()
    answer = await Images(server).first_answer()
    expect(_images(answer), f"{answer.shown}: no image", "answer with a list of images")


@wire_check("wire-image:whole:shape", source=SOURCE)
async def shape(server: Server) -> None:
    """The answer has the shape of OpenAI's schema."""
    answer = await _one(server)
    for kind in ("wrong", "null", "absent"):
        expect_shape([answer.json], "ImagesResponse", kind)


@wire_check("wire-image:whole:one-form", source=SPEC.format("Image"))
async def one_form(server: Server) -> None:
    """Each image has an address, or data that is base64."""
    for image in _images(await _one(server)):
        right = isinstance(image.get("url"), str) or _is_base64(image.get("b64_json"))
        expect(right, f"an image is {image!r:.120}", "give `url` or `b64_json`")


@wire_check("wire-image:whole:count", source=f"{REQUEST}.n")
async def count(server: Server) -> None:
    """`n: 2` gives two images, or is refused with an error object; it is never ignored."""
    await _one(server)
    answer = await Images(server).ask(n=2)
    if refused_politely(answer):
        return
    expect_taken(answer, "n is 2", "give n images, or refuse n with 400")
    found = len(_images(answer))
    expect(found == 2, f"n is 2, there are {found} images", "give n images, or refuse n with 400")


@wire_check("wire-image:request:no-prompt", source=f"{REQUEST}.required")
async def no_prompt(server: Server) -> None:
    """A request without prompt is a 400."""
    await _one(server)
    expect_refused(await Images(server).ask(prompt=OMIT))


async def _one(server: Server) -> Answer:
    """The right answer to a prompt; raises NotApplicable when there is none."""
    await Images(server).right_body()
    answer = await Images(server).first_answer()
    if not _images(answer):
        raise NotApplicable(f"a right request has no image: {answer.shown}")
    return answer


def _images(answer: Answer) -> list[dict[str, Any]]:
    return objects_of((object_of(answer.json) or {}).get("data"))


def _is_base64(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(base64.b64decode(value, validate=True))
    except binascii.Error:
        return False
