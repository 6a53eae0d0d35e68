"""Models that do what no model should."""

# ruff: noqa: N818, SLOT000, SIM115, RSE102 - they misbehave

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from speaking import Model, chunk

from modelport import CustomLLM, EmbeddingModel, ImageModel

SECRET = "sk-" + "abcdefghijklmnopqrstuvwx123456"


class Unprintable(Exception):
    def __str__(self):
        raise ValueError("no text")


class Exiting(Exception):
    def __str__(self):
        raise SystemExit(1)


class Slippery(Exception):
    def __getattr__(self, name):
        raise RuntimeError("no attributes")


class Odd(Exception):
    def __init__(self, **facts):
        super().__init__("odd")
        vars(self).update(facts)


class NotAnException(BaseException):
    pass


def endless(n=0):
    return endless(n + 1)


def cause():
    try:
        open("/etc/hidden/" + SECRET)
    except OSError as error:
        raise RuntimeError("while reading") from error


RAISE: dict[str, Callable[[], Any]] = {
    "ValueError": lambda: ValueError("wrong value"),
    "Path": lambda: ValueError(f"cannot read {Path(__file__).resolve()}"),
    "Secret": lambda: ValueError(f"the key {SECRET} is refused"),
    "Traceback": lambda: ValueError(
        'Traceback (most recent call last):\n  File "/home/me/x.py", line 1, in f\n    1/0\nZeroDivisionError'
    ),
    "SystemExit": lambda: SystemExit(3),
    "KeyboardInterrupt": lambda: KeyboardInterrupt(),
    "CancelledError": lambda: asyncio.CancelledError(),
    "GeneratorExit": lambda: GeneratorExit(),
    "RecursionError": endless,
    "MemoryError": lambda: MemoryError(),
    "Unprintable": lambda: Unprintable("x"),
    "Exiting": lambda: Exiting("x"),
    "Slippery": lambda: Slippery("x"),
    "StopIteration": lambda: StopIteration("x"),
    "StopAsyncIteration": lambda: StopAsyncIteration("x"),
    "Group": lambda: ExceptionGroup("several", [ValueError("a"), TypeError("b")]),
    "BaseGroup": lambda: BaseExceptionGroup("several", [KeyboardInterrupt()]),
    "NotAnException": lambda: NotAnException("base"),
    "Cause": cause,
    "Class": lambda: ValueError,
    "Surrogate": lambda: ValueError("\ud800 \x00 \r\nx-evil: 1"),
    "Long": lambda: ValueError("x" * 3_000_000),
    "Status99": lambda: Odd(status_code=99),
    "Status200": lambda: Odd(status_code=200),
    "StatusTrue": lambda: Odd(status_code=True),
    "StatusHuge": lambda: Odd(status_code=10**30),
    "StatusText": lambda: Odd(status_code="404"),
    "Status418": lambda: Odd(status_code=418),
    "OddFacts": lambda: Odd(status_code=429, type=5, code=7, param=["x"], retry_after="soon", response=5),
    "NanRetry": lambda: Odd(status_code=429, retry_after=float("nan")),
    "InfRetry": lambda: Odd(status_code=503, retry_after=float("inf")),
    "NegativeRetry": lambda: Odd(status_code=429, retry_after=-5),
    "OddTexts": lambda: Odd(status_code=400, type="x\ud800", code="\r\nx: 1", param="y" * 100),
}


def misbehave(prompt: str) -> NoReturn:
    raise RAISE[prompt]()


class SyncCall(Model):
    def _call(self, prompt: str) -> str:
        misbehave(prompt)


class AsyncCall(Model):
    async def _acall(self, prompt: str) -> str:
        misbehave(prompt)


class LateCall(Model):
    async def _acall(self, prompt: str) -> str:
        await asyncio.sleep(0)
        misbehave(prompt)


class SyncStream(Model):
    def _stream(self, prompt: str) -> Iterator[str]:
        misbehave(prompt)
        yield "x"


class AsyncStream(Model):
    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        misbehave(prompt)
        yield "x"


class SyncDying(Model):
    def _stream(self, prompt: str) -> Iterator[str]:
        yield "first"
        misbehave(prompt)


class AsyncDying(Model):
    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        yield "first"
        await asyncio.sleep(0)
        misbehave(prompt)


class SyncHandler(CustomLLM):
    def completion(self, *args, **kwargs):
        misbehave(kwargs["messages"][-1]["content"])

    def streaming(self, *args, **kwargs):
        yield chunk("first")
        misbehave(kwargs["messages"][-1]["content"])


class AsyncHandler(CustomLLM):
    async def acompletion(self, *args, **kwargs):
        misbehave(kwargs["messages"][-1]["content"])

    async def astreaming(self, *args, **kwargs):
        yield chunk("first")
        misbehave(kwargs["messages"][-1]["content"])


class Text(str):
    def __str__(self):
        raise ValueError("no text")


ANSWERS: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "5": lambda: 5,
    "nan": lambda: float("nan"),
    "bytes": lambda: b"bytes",
    "list": lambda: ["a"],
    "dict": lambda: {"a": 1},
    "object": lambda: object(),
    "class": lambda: str,
    "exception": lambda: ValueError("returned"),
    "generator": lambda: (one for one in "ab"),
    "function": lambda: print,
}


class SyncNonsense(Model):
    def _call(self, prompt: str) -> str:
        return ANSWERS[prompt]()


class AsyncNonsense(Model):
    async def _acall(self, prompt: str) -> str:
        return ANSWERS[prompt]()


class SyncNonsenseStream(Model):
    def _stream(self, prompt: str) -> Iterator[str]:
        yield ANSWERS[prompt]()


class AsyncNonsenseStream(Model):
    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        yield ANSWERS[prompt]()


class NoStream(Model):
    def _stream(self, prompt: str) -> Iterator[str]:
        return ANSWERS[prompt]()


class NonsenseHandler(CustomLLM):
    def completion(self, *args, **kwargs):
        return ANSWERS[kwargs["messages"][-1]["content"]]()

    def streaming(self, *args, **kwargs):
        yield ANSWERS[kwargs["messages"][-1]["content"]]()


class AsyncNonsenseHandler(CustomLLM):
    async def acompletion(self, *args, **kwargs):
        return ANSWERS[kwargs["messages"][-1]["content"]]()

    async def astreaming(self, *args, **kwargs):
        yield ANSWERS[kwargs["messages"][-1]["content"]]()


class Surrogates(Model):
    async def _acall(self, prompt: str) -> str:
        return "a\ud800\x00b"


class Empty(Model):
    def _stream(self, prompt: str) -> Iterator[str]:
        yield from ()


class AsyncEmpty(Model):
    async def _astream(self, prompt: str) -> AsyncIterator[str]:
        return
        yield


VALUES: dict[str, Callable[[], Any]] = {
    **ANSWERS,
    "empty": list,
    "texts": lambda: ["a"],
    "nothings": lambda: [None],
    "nans": lambda: [[float("nan")]],
    "infinities": lambda: [[float("inf"), 10**400]],
    "ragged": lambda: [[1.0], [[2.0]]],
    "too many": lambda: [[1.0]] * 3,
    "no image": lambda: [b"no image"],
    "pairs": lambda: [(99, 1.0)],
    "odd pairs": lambda: [("a", "b")],
}


def give(name: str) -> Any:
    if name in RAISE:
        raise RAISE[name]()
    return VALUES[name]()


class SyncVectors(EmbeddingModel):
    def _embed(self, texts: Any) -> Any:
        return give(texts[0])


class AsyncVectors(EmbeddingModel):
    async def _aembed(self, texts: Any) -> Any:
        return give(texts[0])


class SyncPictures(ImageModel):
    def _generate_images(self, prompt: Any, **kwargs: Any) -> Any:
        return give(prompt)


class AsyncPictures(ImageModel):
    async def _agenerate_images(self, prompt: Any, **kwargs: Any) -> Any:
        return give(prompt)


class ValuesHandler(CustomLLM):
    def embedding(self, *args: Any, **kwargs: Any) -> Any:
        return give(kwargs["input"][0])

    def image_generation(self, *args: Any, **kwargs: Any) -> Any:
        return give(kwargs["prompt"])

    async def _arerank(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        return give(query)


class Echo(Model):
    async def _acall(self, prompt: str) -> str:
        return prompt


class SyncEcho(Model):
    def _call(self, prompt: str) -> str:
        return prompt
