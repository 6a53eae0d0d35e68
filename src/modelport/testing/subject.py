"""The model under check: a factory, sample prompts, and what the checks ask about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from modelport.engine.hooks import Hook, Hooks
from modelport.models.base import AuthoredModel
from modelport.testing.checks import NotApplicable
from modelport.testing.gates import in_thread
from modelport.testing.probe import Probe
from modelport.testing.probe_class import attach_probe, make_probe_class
from modelport.testing.ways import text_of

SAMPLE_PROMPTS = ("hello world", "The quick brown fox jumps", "Grüße, 世界 🌍!")
"""What models are asked when their author gives no prompts."""


class Sample(msgspec.Struct, frozen=True):
    """Is one prompt and the answer that the model gave to it."""

    prompt: Any
    """A sample prompt."""
    text: str
    """The text that `invoke` answered."""


class Subject:
    """Is the model under check."""

    def __init__(self, make: Callable[[], Any], prompts: Sequence[Any] | None = None) -> None:
        self.make = make
        """Makes a fresh model; one that is made only once is shared, never changed."""
        self.prompts = list(prompts or SAMPLE_PROMPTS)
        """What the model is asked; at least three, all different."""
        assert len(self.prompts) >= 3, "checks need at least three sample prompts"
        model = make()
        if not isinstance(model, AuthoredModel):
            raise TypeError(
                f"{model!r:.200} ({type(model).__name__}) is no model; checks take a callable that returns an "
                f"instance of an LLM or ChatModel subclass"
            )
        self.cls = type(model)
        """The author's class."""
        self.hooks: Hooks = self.cls.__modelport_hooks__
        """The hooks of the class."""
        self.is_chat = self.cls.__modelport_kind__ == "chat_model"
        """Whether it is a chat model."""
        self.max_concurrency: int | None = model.max_concurrency
        """The limit that the factory gives its models."""
        self._probe_class: type | None = None

    def probe(self) -> Probe:
        """Return a probe on a fresh model, with no limit of its own on concurrency."""
        if self._probe_class is None:
            self._probe_class = make_probe_class(self.cls)
        return attach_probe(self.make(), self._probe_class)

    def hook_for(self, way: str) -> Hook:
        """Return the hook that answers a way to call."""
        hooks = self.hooks
        table = {
            "invoke": hooks.answer,
            "ainvoke": hooks.async_answer,
            "stream": hooks.stream or hooks.answer,
            "astream": hooks.astream or hooks.async_answer,
            "batch": hooks.many or hooks.answer,
            "abatch": hooks.async_many or hooks.async_answer,
            "generate": hooks.many or hooks.answer,
            "agenerate": hooks.async_many or hooks.async_answer,
        }
        hook = table[way]
        assert hook is not None, "a class without hooks cannot be instantiated"
        return hook

    async def sample(self, at_least: int = 1) -> Sample:
        """Return a prompt and the answer to it, the longest among the sample prompts.

        Raises:
            NotApplicable: No answer has `at_least` characters.
        """
        model = self.make()
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
