"""The model under check: a factory, sample prompts, and what the checks ask about it."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from modelport.engine.hooks import Hook, Hooks
from modelport.engine.memory_cache import LRUCache
from modelport.models.base import AuthoredModel
from modelport.runnables.base import Runnable
from modelport.testing.checks import TEXT, CheckFailure, NotApplicable
from modelport.testing.faces import Face, Through
from modelport.testing.gates import in_thread, patiently
from modelport.testing.probe import Probe, RawProbe
from modelport.testing.probe_class import attach_probe, make_probe_class
from modelport.testing.raw import MissingHook, RawFace, hook_by_itself
from modelport.testing.ways import BATCHES, WAYS, text_of

SAMPLE_PROMPTS = ("hello world", "The quick brown fox jumps", "Grüße, 世界 🌍!")
"""What models are asked when their author gives no prompts."""


_FRAMEWORKS = frozenset({"stop", "run_manager", "include_stop", "n", "max_tokens", "tools", "response_format"})


def own_keyword(hook: Hook) -> str | None:
    """Return a keyword that reaches the hook and means nothing to the framework; None: it takes none."""
    if hook.takes_any:
        return "modelport_check"
    return min(hook.names - _FRAMEWORKS, default=None)


def no_model(value: Any) -> TypeError:
    """Return the error about something that is no model."""
    return TypeError(
        f"{value!r:.200} ({type(value).__name__}) is no model; checks take a callable that returns an instance of an "
        f"LLM, ChatModel, EmbeddingModel or ImageModel subclass, or a handler"
    )


class Sample(msgspec.Struct, frozen=True):
    """Is one prompt and the answer that the model gave to it."""

    prompt: Any
    """A sample prompt."""
    text: str
    """The text that `invoke` answered."""


class Subject:
    """Is the model under check."""

    def __init__(
        self,
        make: Callable[[], Any],
        prompts: Sequence[Any] | None = None,
        through: Through | None = None,
        *,
        raw: bool = False,
    ) -> None:
        self.make = make
        """Makes a fresh model; one that is made only once is shared, never changed."""
        self.prompts = list(prompts or SAMPLE_PROMPTS)
        """What the model is asked; at least three, all different."""
        assert len(self.prompts) >= 3, "checks need at least three sample prompts"
        self.through = through
        """Makes the runnable that is called in the model's place; None: the model is called itself."""
        self.raw = raw
        """Whether the author's hooks are called as they are, without the framework around them."""
        model = make()
        if not isinstance(model, AuthoredModel):
            raise no_model(model)
        if through is not None and not isinstance(model, Runnable):
            raise TypeError(f"{type(model).__name__} is no runnable, so nothing can be made of it to call it `through`")
        self.cls = type(model)
        """The author's class."""
        self.hooks: Hooks = self.cls.__modelport_hooks__
        """The hooks of the class."""
        self.is_chat = self.cls.__modelport_kind__ == "chat_model"
        """Whether it is a chat model."""
        self.about = self.cls.__modelport_kind__ if self.cls.__modelport_kind__ in ("embedding", "image") else TEXT
        """What kind of model it is: text, embedding or image."""
        self.max_concurrency: int | None = model.max_concurrency
        """The limit that the factory gives its models."""
        self.is_batching = model.max_batch_size is not None and self.hooks.many is not None and not raw
        """Whether single answers go through the batch hook."""
        self.is_cached = model.cache is not None and model.cache is not False
        """Whether equal calls find the answer of the first."""
        self._probe_class: type | None = None
        self._hooks_of_one: dict[str, Hook] = {}
        if through is not None:
            Face(model, through).runnable()

    def fresh(self) -> Any:
        """Return a model that has answered nothing: of a cached one, a copy with an empty `LRUCache` of its own."""
        model = self.make()
        if self.is_cached:
            model = copy.copy(model)
            model.cache = LRUCache()
        return model

    def face_of(self, model: Any) -> Any:
        """Return what the checks call in place of a model; the model itself when they go through nothing."""
        if self.raw:
            return RawFace(model)
        return model if self.through is None else Face(model, self.through)

    def reference(self) -> Any:
        """Return a fresh model whose `invoke` gives what other ways to call are compared with."""
        model = self.fresh()
        return RawFace(model) if self.raw else model

    def probe(self, model: Any = None) -> Probe:
        """Return a probe on a copy of a model, of a fresh one when None."""
        model = self.fresh() if model is None else model
        # A handler's models have classes of their own, whose state they are given.
        cls: type = model.__class__
        if self._probe_class is None or not issubclass(self._probe_class, cls):
            self._probe_class = make_probe_class(cls)
        probe = attach_probe(model, self._probe_class, RawProbe() if self.raw else Probe())
        probe.face = self.face_of(probe.model)
        return probe

    def hook_for(self, way: str) -> Hook:
        """Return the hook that answers one input by a way to call.

        Raises:
            MissingHook: In raw mode, when the author wrote none for it.
        """
        if self.raw:
            return hook_by_itself(self.cls, way)
        if way in self._hooks_of_one:
            return self._hooks_of_one[way]
        hooks = self.hooks
        answer = hooks.many if self.is_batching else hooks.answer
        async_answer = hooks.async_many if self.is_batching else hooks.async_answer
        table = {
            "invoke": answer,
            "ainvoke": async_answer,
            "stream": hooks.stream or answer,
            "astream": hooks.astream or async_answer,
            "batch": hooks.many or answer,
            "abatch": hooks.async_many or async_answer,
            "generate": hooks.many or answer,
            "agenerate": hooks.async_many or async_answer,
        }
        hook = table[way]
        assert hook is not None, "a class without hooks cannot be instantiated"
        return hook

    def missing_hook(self, way: str) -> str | None:
        """Return, in raw mode, what is missing for a way to call, None when nothing is."""
        way = way.replace("-", "_")
        if not self.raw or way not in WAYS:
            return None
        try:
            hook_by_itself(self.cls, way)
        except MissingHook as missing:
            return str(missing)
        return None

    async def learn_hooks(self) -> None:
        """Find out which hook answers a batch of one through the face: the runnable chooses, and need not batch it."""
        if self.through is None or self.hooks.many is None or self._hooks_of_one:
            return
        for way in BATCHES:
            probe = self.probe()
            # When it fails, the checks will say so.
            with contextlib.suppress(Exception, CheckFailure):
                async with patiently(f"`{way}`"):
                    await WAYS[way].results(probe.face, self.prompts[0])
            if probe.calls:
                self._hooks_of_one[way] = probe.calls[0].hook

    async def sample(self, at_least: int = 1) -> Sample:
        """Return a prompt and the answer to it, the longest among the sample prompts.

        Raises:
            NotApplicable: No answer has `at_least` characters.
        """
        model = self.reference()
        samples = [
            Sample(prompt, text_of(await in_thread(lambda prompt=prompt: model.invoke(prompt))))
            for prompt in self.prompts
        ]
        longest = max(samples, key=lambda sample: len(sample.text))
        if len(longest.text) < at_least:
            raise NotApplicable(
                f"no sample prompt is answered with {at_least} characters or more; give `prompts` that are"
            )
        return longest
