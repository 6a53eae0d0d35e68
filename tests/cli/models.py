"""Models that the command line is pointed at, written into a folder of their own by `written`."""

from __future__ import annotations

from pathlib import Path

MODELS = '''
import time
from modelport import LLM, ChatModel, CustomLLM, EmbeddingModel, ImageModel
from pydantic import SecretStr


class Shout(LLM):
    """Shouts."""

    def _call(self, prompt: str) -> str:
        return prompt.upper() + "!"


class Echo(LLM):
    """Echoes."""

    n: int
    """How many characters."""
    key: SecretStr | None = None
    """A secret."""

    def _stream(self, prompt: str):
        yield from prompt[: self.n]


class Last(Shout):
    """Has a chat template."""

    chat_template: str | None = "last"


class Talker(ChatModel):
    """Says what it was told."""

    def _stream(self, messages, top_p: float | None = None):
        said = " | ".join(f"{type(one).__name__.removesuffix('Message')}: {one.text}" for one in messages)
        for word in said.split(" "):
            yield word + " "
        if top_p is not None:
            yield f"top_p={top_p}"


class Endless(LLM):
    """Answers until it is stopped."""

    def _stream(self, prompt: str):
        try:
            while True:
                yield "more "
                time.sleep(0.01)
        finally:
            with open("closed", "w") as file:
                file.write("closed")


class Broken(LLM):
    """Fails."""

    def _stream(self, prompt: str):
        yield "so far "
        raise ValueError("boom")


class Loaded(LLM):
    """Holds something."""

    def _load(self) -> None:
        print("loaded")

    def _unload(self) -> None:
        print("unloaded")

    def _call(self, prompt: str) -> str:
        return prompt


class Colourful(LLM):
    """Would steer a terminal."""

    def _call(self, prompt: str) -> str:
        return "\\x1b[31mred\\x07"


class Vectors(EmbeddingModel):
    """Measures."""

    def _embed(self, texts: list[str]) -> list[list[float]]:
        return [[float(len(text)), 0.5] for text in texts]


class Pictures(ImageModel):
    """Paints."""

    def _generate_images(self, prompt: str) -> list[bytes]:
        return [b"\\x89PNG\\r\\n\\x1a\\n" + prompt.encode()]


class Far(ImageModel):
    """Paints elsewhere."""

    def _generate_images(self, prompt: str) -> list[str]:
        return ["https://pictures.example/1.png"]


class Handler(CustomLLM):
    """Is a handler."""

    def completion(self, model, messages, **kwargs):
        return messages[-1]["content"][::-1]


def make_echo(n: int = 2) -> Echo:
    return Echo(n=n)


shout = Shout()
'''


def written(folder: Path) -> Path:
    """Write `my_models.py` and a config into a folder, and return it."""
    (folder / "my_models.py").write_text(MODELS)
    (folder / "config.yaml").write_text(
        "models:\n"
        "  shout: {use: 'my_models:Last'}\n"
        "  short: {use: 'my_models:Echo', params: {n: 3}}\n"
        "  mock-*: {use: mock/*}\n"
        "  vectors: {use: 'my_models:Vectors'}\n"
        "aliases: {loud: shout}\n"
        "server: {keys: [sk-1]}\n"
    )
    return folder
