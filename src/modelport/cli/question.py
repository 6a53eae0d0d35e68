"""One question of `modelport call`, and how its answer is printed."""

from __future__ import annotations

import asyncio
import base64
import binascii
import sys
import time
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

from modelport.cli import EXIT_FAILURE, EXIT_INTERRUPTED, asking
from modelport.cli.addresses import Addressed
from modelport.cli.terminal import printable
from modelport.registry.provider import Kind
from modelport.values.errors import InputError, ModelportError


def prompt_of(prompt: str | None) -> str:
    """Return what to ask: what was written, or what is piped in where nothing or `-` was.

    Raises:
        InputError: There is nothing.
    """
    if prompt is None and sys.stdin.isatty():
        raise InputError('there is no prompt; write one after the model (modelport call MODEL "hello"), or pipe one in')
    if prompt not in (None, "-"):
        return prompt
    text = sys.stdin.read()
    text = text.removesuffix("\n")
    if not text:
        raise InputError('there is no prompt: what was piped in is empty; write one: modelport call MODEL "hello"')
    return text


class Question:
    """Is one question, and how its answer is printed."""

    def __init__(
        self,
        addressed: Addressed,
        prompt: str,
        system: str | None,
        given: Mapping[str, Any],
        *,
        as_json: bool,
        usage: bool,
        output: Path | None,
    ) -> None:
        self._addressed = addressed
        self._prompt = prompt
        self._system = system
        self._given = given
        self._as_json = as_json
        self._usage = usage
        self._output = output
        self._begun = time.monotonic()

    def ask(self, kind: Kind, *, streams: bool) -> int:
        """Ask, print the answer, and return the exit status.

        Args:
            kind: What the model is asked for.
            streams: Whether to print an answer as it comes.

        Raises:
            InputError: An option does not fit the model.
        """
        self._refuse_what_does_not_fit(kind)
        work = {"chat": self._stream if streams else self._answer, "embedding": self._vectors, "image": self._images}
        try:
            asyncio.run(asking.unloading(self._addressed, work[kind]()))
        except KeyboardInterrupt:
            return EXIT_INTERRUPTED
        except ModelportError as error:
            if asking.is_mistake(error):
                raise
            print(f"modelport: {asking.failure_of(error)}", file=sys.stderr)
            return EXIT_FAILURE
        return 0

    def _refuse_what_does_not_fit(self, kind: str) -> None:
        """Say which options mean nothing to a kind of model, and which one it needs.

        Raises:
            InputError: There is one.
        """
        if self._output is not None and (kind != "image" or self._as_json):
            raise InputError("--output is where an image is saved; to save what is printed, write > FILE")
        if kind == "chat":
            return
        makes = "vectors" if kind == "embedding" else "images"
        named = [*(["system"] if self._system is not None else []), *self._given]
        if named:
            raise InputError(f"--{named[0].replace('_', '-')} is for models that answer; this one makes {makes}")
        if kind == "image" and self._output is None and not self._as_json:
            raise InputError("this model makes images; say where to save one: --output picture.png")

    def _messages(self) -> list[asking.Message]:
        said = [{"role": "user", "content": self._prompt}]
        return said if self._system is None else [{"role": "system", "content": self._system}, *said]

    async def _stream(self) -> None:
        shown = printable if sys.stdout.isatty() else str
        last, used = "", None
        async with aclosing(asking.chunks_of(self._addressed, self._messages(), self._given)) as chunks:
            async for chunk in chunks:
                used = getattr(chunk, "usage", None) or used
                text = "".join(choice.delta.content or "" for choice in chunk.choices)
                if text:
                    sys.stdout.write(shown(text))
                    sys.stdout.flush()
                    last = text[-1]
        if last != "\n":
            print(flush=True)
        self._say_usage(used)

    async def _answer(self) -> None:
        whole = await asking.answer_of(self._addressed, self._messages(), self._given)
        if self._as_json:
            self._print_json(whole)
        else:
            message = whole.choices[0].message
            text = message.content if message.content is not None else message.refusal or ""
            print(printable(text) if sys.stdout.isatty() else text)
        self._say_usage(whole.usage)

    async def _vectors(self) -> None:
        found = await asking.vectors_of(self._addressed, [self._prompt])
        if self._as_json:
            self._print_json(found)
        else:
            print("[" + ", ".join(map(repr, found.data[0].embedding)) + "]")
        self._say_usage(found.usage)

    async def _images(self) -> None:
        found = await asking.images_of(self._addressed, self._prompt)
        if self._as_json:
            self._print_json(found)
            return
        for number, image in enumerate(found.data):
            if image.url is not None and not image.url.startswith("data:"):
                print(image.url)
            else:
                print(self._saved(image, number))

    def _saved(self, image: Any, number: int) -> str:
        assert self._output is not None, "an image is not asked for without a place for it"
        encoded: str = image.b64_json or image.url.partition(",")[2]
        place = self._output if not number else self._output.with_stem(f"{self._output.stem}-{number + 1}")
        try:
            place.write_bytes(base64.b64decode(encoded))
        except (OSError, binascii.Error) as error:
            raise InputError(f"the image cannot be saved as {str(place)!r}: {error}") from None
        return f"saved {place}"

    def _print_json(self, found: Any) -> None:
        from modelport.wire.json_text import encode_json

        print(encode_json(found).decode())

    def _say_usage(self, used: Any) -> None:
        if not self._usage:
            return
        seconds = time.monotonic() - self._begun
        tokens = f"{used.prompt_tokens} + {getattr(used, 'completion_tokens', 0)} tokens" if used else "tokens unknown"
        print(f"{tokens} in {seconds:.1f} s", file=sys.stderr)
