"""Image models: as many images as were asked for, in whatever shape and however many at a time hooks give them."""

from __future__ import annotations

import base64
import io
import tempfile
from pathlib import Path
from typing import Any

from modelport.engine.memory_cache import LRUCache
from modelport.engine.tokens import counter_of
from modelport.models.handler_model import OfHandler
from modelport.testing.checks import CheckFailure, NotApplicable, expect, expect_equal
from modelport.testing.conditions import has_count
from modelport.testing.gates import patiently
from modelport.testing.guarantees.values import expect_hook_error
from modelport.testing.probe import HookCall, Probe
from modelport.testing.subject import Subject
from modelport.testing.value_ways import (
    EDITS,
    IMAGES,
    INPUT_IMAGE,
    PNG,
    ValueWay,
    check_values,
    image_of,
)
from modelport.values.errors import InputError, KeywordError
from modelport.values.images import Image, ImageResult
from modelport.values.usage import Usage

SOURCE = "modelport: ImageModel, as many images as were asked for"
ERRORS = "modelport guarantee 12 (errors), for image models"
USAGE = "modelport guarantee 8 (usage), for image models"
CACHE = "modelport guarantee 10 (cache), for image models"
DEADLINE = "modelport guarantee 7 (deadline), for image models"


class _Picture:
    """Is an image of PIL's kind."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def save(self, file: Any, format: str) -> None:
        """Write the image."""
        assert format == "PNG", "images are kept without loss"
        file.write(self._data)


def _numbered(call: HookCall, position: int) -> bytes:
    """Return an image that no other hook call gives."""
    return PNG + f"image {position} of a hook call".encode()


def _one_at_a_time(probe: Probe) -> None:
    probe.answer = lambda call: _numbered(call, len(probe.calls))


@check_values("answers", source=SOURCE, ways=IMAGES)
async def answers(subject: Subject, way: ValueWay) -> None:
    """`{way}` answers with an `ImageResult` that holds one image, with its bytes or its URL, and when it was made."""
    way.hook(subject)
    probe = subject.probe()
    async with patiently(f"`{way.name}`"):
        result = await way.answer(probe.model, subject.prompts[0])
    expect(isinstance(result, ImageResult), f"`{way.name}` gave {result!r:.200}, which is no ImageResult")
    expect_equal(len(result.images), 1, "the number of images")
    [image] = result.images
    expect(isinstance(image, Image) and bool(image.data or image.url), f"`{way.name}` gave {image!r:.200} as an image")
    expect(result.created > 0, f"the images were created at {result.created!r}")


@check_values("as-many", source=SOURCE, ways=IMAGES)
async def as_many(subject: Subject, way: ValueWay) -> None:
    """`{way}` with n=3 gives three images, in order, of a hook that gives one at a time: it is asked for the rest."""
    probe = way.probe(subject)
    _one_at_a_time(probe)
    async with patiently(f"`{way.name}`"):
        images = await way.results(probe.model, subject.prompts[0], n=3)
    expect_equal([image.data for image in images], [_numbered(probe.calls[0], one) for one in (1, 2, 3)], "the images")
    expect_equal(len(probe.calls), 3, "the number of hook calls")
    if way.hook(subject).takes("n"):
        expect_equal([call.keywords["n"] for call in probe.calls], [3, 2, 1], "`n` of the hook calls")


@check_values("extra-cut", source=SOURCE, ways=IMAGES)
async def extra_cut(subject: Subject, way: ValueWay) -> None:
    """`{way}` with n=2 gives two images of a hook that gives five, the first ones, by one hook call."""
    probe = way.probe(subject)
    probe.answer = lambda call: [_numbered(call, position) for position in range(5)]
    async with patiently(f"`{way.name}`"):
        images = await way.results(probe.model, subject.prompts[0], n=2)
    expect_equal([image.data for image in images], [_numbered(probe.calls[0], one) for one in (0, 1)], "the images")
    expect_equal(len(probe.calls), 1, "the number of hook calls")


@check_values("none", source=ERRORS, ways=IMAGES)
async def none(subject: Subject, way: ValueWay) -> None:
    """A hook that gives no image at all fails `{way}`, by an error that names it: nobody asks it for ever."""
    nothing: list[Any] = [[], None, b"", {"data": []}]
    for value in nothing:
        probe = way.probe(subject)
        probe.answer = lambda call, value=value: value
        await expect_hook_error(subject, way, probe, repr(value))
        expect_equal(len(probe.calls), 1, "the number of hook calls")


@check_values("wrong-result", source=ERRORS, ways=IMAGES)
async def wrong_result(subject: Subject, way: ValueWay) -> None:
    """A hook that gives something that is no image fails `{way}`, by an error that names it."""
    wrong: list[Any] = [7, object(), "a painting of a cat!", [b"\x89PNG", 7], {"image": "?"}]
    for value in wrong:
        probe = way.probe(subject)
        probe.answer = lambda call, value=value: value
        await expect_hook_error(subject, way, probe, repr(value))


@check_values("shapes", source=SOURCE, ways=IMAGES)
async def shapes(subject: Subject, way: ValueWay) -> None:
    """`{way}` gives `Image`s of bytes, base64, `data:` URLs, `Image`s, pictures and OpenAI's dicts alike."""
    image = image_of("a shape")
    assert image.data is not None, "it was made of bytes"
    item = {"b64_json": image.b64_json}
    forms: list[Any] = [
        image.data,
        bytearray(image.data),
        image.b64_json,
        image.data_url,
        image,
        _Picture(image.data),
        item,
        {"created": 7, "data": [item]},
        ImageResult([image]),
    ]
    for form in forms:
        for value in (form, [form]) if not isinstance(form, ImageResult) and "data" not in _keys(form) else (form,):
            probe = way.probe(subject)
            probe.answer = lambda call, value=value: value
            async with patiently(f"`{way.name}`"):
                given = await way.results(probe.model, subject.prompts[0])
            expect_equal(given, [image], f"what became of {value!r:.100}")
    probe = way.probe(subject)
    probe.answer = lambda call: "https://example.com/image.png"
    async with patiently(f"`{way.name}`"):
        given = await way.results(probe.model, subject.prompts[0])
    expect_equal(given, [Image(url="https://example.com/image.png")], "what became of a URL")


def _keys(form: Any) -> Any:
    return form if isinstance(form, dict) else ()  # pyright: ignore[reportUnknownVariableType]


@check_values("no-hook", source=ERRORS, ways=IMAGES)
async def no_hook(subject: Subject, way: ValueWay) -> None:
    """`{way}` of a class without a hook for it is an `InputError` that names the class and the hook to write."""
    if way.hook_of(subject.cls) is not None:
        raise NotApplicable(f"the class has a hook for `{way.name}`")
    if issubclass(subject.cls, OfHandler):
        raise NotApplicable("a handler has methods, not hooks; handler:*:not-implemented looks at those")
    wanted = f"_{way.name.removeprefix('a')}"
    try:
        async with patiently(f"`{way.name}`"):
            await way.answer(subject.make(), subject.prompts[0])
    except InputError as error:
        helps = subject.cls.__name__ in str(error) and wanted in str(error)
        expect(helps, f"the message does not name the class and `{wanted}`: {str(error)!r}")
        return
    raise CheckFailure(f"`{way.name}` answered without a hook")


async def _expect_refusal(way: ValueWay, probe: Probe, what: str, ask: Any) -> None:
    """Fail unless a call is an `InputError` and calls no hook."""
    try:
        async with patiently(f"`{way.name}`"):
            result = await ask()
    except InputError:
        expect(not probe.calls, f"a hook was called for {what}")
        return
    raise CheckFailure(f"`{way.name}` gave {result!r:.200} for {what}")


@check_values("wrong-input", source=ERRORS, ways=IMAGES)
async def wrong_input(subject: Subject, way: ValueWay) -> None:
    """`{way}` refuses a prompt that is no text, and an `n` below 1, before any hook is called."""
    prompts: list[Any] = [7, None, ["a prompt"]]
    for prompt in prompts:
        probe = way.probe(subject)
        await _expect_refusal(way, probe, repr(prompt), lambda: way.answer(probe.model, prompt))  # noqa: B023
    numbers: list[Any] = [0, -1, True, "2", 1.5]
    for n in numbers:
        probe = way.probe(subject)
        await _expect_refusal(way, probe, f"n={n!r}", lambda: way.answer(probe.model, "x", n=n))  # noqa: B023


async def _edit(way: ValueWay, model: Any, images: Any, **kwargs: Any) -> Any:
    """Edit some images, whatever is given as such."""

    def ask(method: Any, text: Any, **more: Any) -> Any:
        return method(images, text, **more)

    return await way._replace(ask=ask).answer(model, "x", **kwargs)


@check_values("wrong-images", source=ERRORS, ways=EDITS)
async def wrong_images(subject: Subject, way: ValueWay) -> None:
    """`{way}` refuses what is no image, and one at a URL, before any hook is called: it fetches nothing."""
    wrong: list[Any] = [[], 7, b"", "no such file.png", "https://example.com/image.png", Path("no such file.png")]
    for images in wrong:
        probe = way.probe(subject)
        await _expect_refusal(way, probe, repr(images), lambda: _edit(way, probe.model, images))  # noqa: B023
        if images == [] or not way.hook(subject).takes("mask"):
            continue
        probe = way.probe(subject)
        ask = lambda: _edit(way, probe.model, INPUT_IMAGE, mask=images)  # noqa: B023, E731
        await _expect_refusal(way, probe, f"the mask {images!r}", ask)


@check_values("inputs", source=SOURCE, ways=EDITS)
async def inputs(subject: Subject, way: ValueWay) -> None:
    """Whatever `{way}` is given as an image or a mask, bytes, a path, a file, base64, the hook gets `Image`s."""
    image = Image(INPUT_IMAGE, mime_type="image/png")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.png"
        path.write_bytes(INPUT_IMAGE)
        text = base64.b64encode(INPUT_IMAGE).decode()
        forms: list[Any] = [INPUT_IMAGE, path, io.BytesIO(INPUT_IMAGE), text, image.data_url, image, [image, path]]
        for form in forms:
            probe = way.probe(subject)
            masked = way.hook(subject).takes("mask")
            async with patiently(f"`{way.name}`"):
                await _edit(way, probe.model, form, **({"mask": path} if masked else {}))
            call = probe.calls[0]
            count = len(form) if isinstance(form, list) else 1  # pyright: ignore[reportUnknownArgumentType]
            expect_equal(call.argument, [image] * count, f"the images that the hook was given for {form!r:.100}")
            expect_equal(call.keywords.get("mask"), image if masked else None, "the mask that the hook was given")
            expect_equal(call.keywords.get("prompt"), "x", "the prompt that the hook was given")


@check_values("size", source=SOURCE, ways=IMAGES)
async def size(subject: Subject, way: ValueWay) -> None:
    """The `size` of `{way}` reaches a hook that takes it, and is a `TypeError` for one that does not."""
    probe = way.probe(subject)
    try:
        async with patiently(f"`{way.name}`"):
            await way.answer(probe.model, subject.prompts[0], size="64x64")
    except KeywordError as error:
        expect(not way.hook(subject).takes("size"), f"a hook that takes `size` was refused it: {error}")
        return
    expect_equal(probe.calls[0].keywords.get("size"), "64x64", "the `size` that the hook was given")


@check_values("one-deadline", source=DEADLINE, ways=IMAGES)
async def one_deadline(subject: Subject, way: ValueWay) -> None:
    """The `timeout` of one `{way}` holds for all its hook calls together."""
    probe = way.probe(subject)
    _one_at_a_time(probe)
    async with patiently(f"`{way.name}`"):
        await way.answer(probe.model, subject.prompts[0], {"timeout": 3600.0}, n=3)
    deadlines = {manager.deadline for call in probe.calls for manager in call.managers}
    expect(len(deadlines) == 1 and None not in deadlines, f"the hook calls have the deadlines {deadlines}")


@check_values("usage", source=USAGE, ways=IMAGES)
async def usage(subject: Subject, way: ValueWay) -> None:
    """`{way}` always tells usage: the tokens of its prompt, counted by the class where it counts, and the total."""
    probe = way.probe(subject)
    async with patiently(f"`{way.name}`"):
        result = await way.answer(probe.model, subject.prompts[0])
    told: Usage | None = result.usage
    fits = told is not None and told.prompt_tokens > 0
    fits = fits and told.total_tokens == told.prompt_tokens + told.completion_tokens  # pyright: ignore[reportOptionalMemberAccess]
    expect(fits, f"usage is {told}")


@check_values("usage-counted", source=USAGE, ways=IMAGES, applies=[has_count])
async def usage_counted(subject: Subject, way: ValueWay) -> None:
    """Where the class has `_count_tokens`, the usage of `{way}` is its count of the prompt."""
    probe = way.probe(subject)
    count = counter_of(probe.model)
    async with patiently(f"`{way.name}`"):
        result = await way.answer(probe.model, subject.prompts[0])
    assert count is not None, "the check applies to classes that count"
    expect_equal(result.usage.prompt_tokens, count(subject.prompts[0]), "the number of prompt tokens")


@check_values("authors-usage", source=USAGE, ways=IMAGES)
async def authors_usage(subject: Subject, way: ValueWay) -> None:
    """Usage that a hook gives with its images is what `{way}` tells, added up over its hook calls."""
    probe = way.probe(subject)
    probe.answer = lambda call: ImageResult([image_of("x")], usage=Usage(11, 7, 18))
    async with patiently(f"`{way.name}`"):
        result = await way.answer(probe.model, subject.prompts[0], n=2)
    expect_equal(result.usage, Usage(22, 14, 36), "usage")


@check_values("cache-several", source=CACHE, ways=IMAGES)
async def cache_several(subject: Subject, way: ValueWay) -> None:
    """With a cache, the images of one `{way}` are still different ones, and an equal call finds all of them."""
    probe = way.probe(subject)
    probe.model.cache = LRUCache()
    _one_at_a_time(probe)
    async with patiently(f"`{way.name}`"):
        images = await way.results(probe.model, subject.prompts[0], n=2)
        again = await way.results(probe.model, subject.prompts[0], n=2)
    expect(len(images) == 2 and images[0] != images[1], f"`{way.name}` with n=2 gave one image twice: {images}")
    expect_equal(again, images, "the images of the second call")
    expect_equal(len(probe.calls), 2, "the number of hook calls for two equal calls with n=2")
