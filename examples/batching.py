"""A model that answers many prompts with one call, as a GPU does with one forward pass."""

from __future__ import annotations

from collections.abc import Sequence

from modelport import LLM, Generation


class Reverser(LLM):
    """Answers each prompt with its letters reversed; all prompts of a call at once."""

    max_batch_size: int | None = 8
    """Single calls that come within `max_wait_ms` of each other share a forward pass, too."""
    max_wait_ms: float = 2.0
    passes: list[int] = []
    """How many prompts each forward pass had."""

    def _batch(self, prompts: Sequence[str]) -> list[str | Generation | Exception]:
        self.passes.append(len(prompts))
        return [text[::-1] if text else ValueError("an empty prompt") for text in prompts]


if __name__ == "__main__":
    model = Reverser()
    print(model.batch(["stressed", "deer", "live"]))
    print(model.batch(["drawer", ""], return_exceptions=True))
    print(model.invoke("desserts"))
    print(f"prompts in each forward pass: {model.passes}")
