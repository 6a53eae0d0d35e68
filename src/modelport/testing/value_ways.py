"""The ways to call models that give no text: embedding models and image models."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, cast

from modelport.engine.hooks import Hook
from modelport.testing.checks import CheckCode, Condition, NotApplicable, check
from modelport.testing.gates import in_thread
from modelport.testing.probe import HookCall, Probe
from modelport.testing.subject import Subject
from modelport.values.images import Image

PNG = b"\x89PNG\r\n\x1a\n"
"""How a PNG begins: an image model is asked to edit one that is not much longer."""
INPUT_IMAGE = PNG + b"an image to edit"
"""The image that is edited."""
LENGTH = 3
"""How many numbers a scripted vector has, unless the call says."""


class ValueWay(NamedTuple):
    """Is one way to call a model whose answers are vectors or images, with one text at a time."""

    name: str
    """The method's name."""
    about: str
    """embedding or image."""
    is_async: bool
    """Whether it is called on an event loop."""
    ask: Callable[..., Any]
    """Takes `(method, text, **kwargs)`; calls the method, and returns what it returns."""
    read: Callable[[Any], list[Any]]
    """Returns the vectors, or the images, of what it returned."""
    hook_of: Callable[[Any], Hook | None]
    """Returns which hook of a class answers."""

    async def answer(self, model: Any, text: Any, config: Any = None, **kwargs: Any) -> Any:
        """Return what the model gives for a text; sync ways run in a thread of their own."""
        method = getattr(model, self.name)
        if self.is_async:
            return await self.ask(method, text, config=config, **kwargs)
        return await in_thread(lambda: self.ask(method, text, config=config, **kwargs))

    async def results(self, model: Any, text: Any, config: Any = None, **kwargs: Any) -> list[Any]:
        """Return the vectors, or the images, that the model gives for a text."""
        return self.read(await self.answer(model, text, config, **kwargs))

    def hook(self, subject: Subject) -> Hook:
        """Return the hook that answers.

        Raises:
            NotApplicable: The class has none.
        """
        hook = self.hook_of(subject.cls)
        if hook is None:
            raise NotApplicable(f"the class has no hook for `{self.name}`")
        return hook

    def probe(self, subject: Subject) -> Probe:
        """Return a probe whose hooks answer what `expected` tells, once per text; there are no limits on calls."""
        self.hook(subject)
        probe = subject.probe()
        probe.answer = scripted_answer
        probe.model.max_concurrency = None
        if self.about == "embedding":
            probe.model.dimensions = None
        return probe

    def expected(self, text: str) -> list[Any]:
        """Return the vectors, or the images, that a probe's hooks answer for a text."""
        return [vector_of(text)] if self.about == "embedding" else [image_of(text)]


def scripted_answer(call: HookCall) -> Any:
    """Return a vector for each text, or the bytes of one image, that tell the texts apart."""
    if call.hook.is_batch:
        return [vector_of(text, call.keywords.get("dimensions")) for text in call.argument]
    return image_of(call.keywords.get("prompt", call.argument)).data


def vector_of(text: str, length: int | None = None) -> list[float]:
    """Return a vector that no other text has."""
    return [float(zlib.crc32(f"{position} {text}".encode())) for position in range(length or LENGTH)]


def image_of(text: str) -> Image:
    """Return an image that no other text has."""
    return Image(PNG + base64.b64encode(text.encode()), mime_type="image/png")


def is_vector(value: Any) -> bool:
    """Tell whether a value is what callers get as a vector."""
    if not isinstance(value, list) or not value:
        return False
    return all(type(one) is float and math.isfinite(one) for one in cast("list[Any]", value))


def _ask_query(method: Any, text: Any, **kwargs: Any) -> Any:
    return method(text, **kwargs)


def _ask_list(method: Any, text: Any, **kwargs: Any) -> Any:
    return method([text] if isinstance(text, str) else text, **kwargs)


def _ask_edit(method: Any, text: Any, **kwargs: Any) -> Any:
    return method(INPUT_IMAGE, text, **kwargs)


def _vectors(value: Any) -> list[Any]:
    return list(getattr(value, "embeddings", value))


def _only(value: Any) -> list[Any]:
    return [value]


def _images(value: Any) -> list[Any]:
    return list(value.images)


def _from(table: str, name: str) -> Callable[[Any], Hook | None]:
    def hook_of(cls: Any) -> Hook | None:
        return getattr(getattr(cls, table), name)

    return hook_of


def _ways() -> Iterable[ValueWay]:
    hooks, edits = "__modelport_hooks__", "__modelport_edit_hooks__"
    for name, ask, read in (
        ("embed", _ask_list, _vectors),
        ("embed_documents", _ask_list, _vectors),
        ("embed_query", _ask_query, _only),
    ):
        yield ValueWay(name, "embedding", False, ask, read, _from(hooks, "many"))
        yield ValueWay(f"a{name}", "embedding", True, ask, read, _from(hooks, "async_many"))
    for name, ask, table in (("generate_images", _ask_query, hooks), ("edit_images", _ask_edit, edits)):
        yield ValueWay(name, "image", False, ask, _images, _from(table, "answer"))
        yield ValueWay(f"a{name}", "image", True, ask, _images, _from(table, "async_answer"))


VALUE_WAYS = {way.name: way for way in _ways()}
"""All of them, by name."""
EMBEDS = ("embed", "aembed", "embed_documents", "aembed_documents", "embed_query", "aembed_query")
"""The ways to embed."""
LISTS = ("embed", "aembed", "embed_documents", "aembed_documents")
"""The ways to embed several texts."""
RESULTS = ("embed", "aembed")
"""The ways to embed that tell usage."""
GENERATES = ("generate_images", "agenerate_images")
"""The ways to make images."""
EDITS = ("edit_images", "aedit_images")
"""The ways to edit images."""
IMAGES = (*GENERATES, *EDITS)
"""The ways to get images."""
SEPARATE = ("embed", "aembed", "embed_query", "aembed_query", *IMAGES)
"""The ways that are not another one by a shorter name: what is about hook calls is looked at by these."""
ASYNC_VALUES = tuple(name for name in SEPARATE if VALUE_WAYS[name].is_async)
"""Of those, the async ones."""
SYNC_VALUES = tuple(name for name in SEPARATE if not VALUE_WAYS[name].is_async)
"""Of those, the sync ones."""

ValueCheckCode = Callable[[Subject, ValueWay], Any]


def check_values(
    variant: str, *, source: str, ways: Iterable[str] = SEPARATE, applies: Iterable[Condition] = ()
) -> Callable[[ValueCheckCode], ValueCheckCode]:
    """Register one check for each way; `{way}` in the docstring stands for it. The ids are `kind:way:variant`."""

    def register(code: ValueCheckCode) -> ValueCheckCode:
        for name in ways:
            way = VALUE_WAYS[name]
            one = _for_way(code, way)
            one.__doc__ = (code.__doc__ or "").replace("{way}", name)
            check(f"{way.about}:{name.replace('_', '-')}:{variant}", source=source, applies=applies)(one)
        return code

    return register


def _for_way(code: ValueCheckCode, way: ValueWay) -> CheckCode:
    async def run(subject: Subject) -> None:
        await code(subject, way)

    return run
