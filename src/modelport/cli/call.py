"""`modelport call`: one question, one answer."""

from __future__ import annotations

import asyncio
import base64
import binascii
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelport.cli import EXIT_FAILURE, EXIT_INTERRUPTED, asking
from modelport.cli.names import complete_models
from modelport.values.errors import InputError, ModelportError

if TYPE_CHECKING:
    from modelport.cli.addresses import Addressed

ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="my_models:MyLLM, path/to/my_models.py:MyLLM, provider/model, or a name of --config or --url.",
        autocompletion=complete_models,
        show_default=False,
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", metavar="FILE", help="MODEL is a name in this config.yaml.", rich_help_panel="Which model"
    ),
]
UrlOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="MODEL is a model of this OpenAI-compatible server: http://host/v1.",
        rich_help_panel="Which model",
    ),
]
KeyOption = Annotated[
    str | None,
    typer.Option(
        metavar="KEY",
        envvar="MODELPORT_KEY",
        show_envvar=True,
        help="The key for the server or provider.",
        rich_help_panel="Which model",
    ),
]
ParamOption = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        "-p",
        metavar="NAME=VALUE",
        help="A field of the model's class, or else a parameter of the call; ${NAME} is from the environment. "
        "May be repeated.",
        rich_help_panel="Which model",
    ),
]
SystemOption = Annotated[
    str | None,
    typer.Option("--system", "-s", metavar="TEXT", help="What the model is told first.", rich_help_panel="The answer"),
]
MaxTokensOption = Annotated[
    int | None,
    typer.Option(metavar="NUMBER", help="The longest answer, in tokens.", rich_help_panel="The answer"),
]
TemperatureOption = Annotated[
    float | None,
    typer.Option(metavar="NUMBER", help="How much chance there is in the answer.", rich_help_panel="The answer"),
]


def call(
    model: ModelArgument,
    prompt: Annotated[
        str | None,
        typer.Argument(metavar="PROMPT", help="What to ask; '-' or nothing reads it from a pipe.", show_default=False),
    ] = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    param: ParamOption = None,
    system: SystemOption = None,
    stop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT", help="Where the answer ends, before it. May be repeated.", rich_help_panel="The answer"
        ),
    ] = None,
    max_tokens: MaxTokensOption = None,
    temperature: TemperatureOption = None,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="What to ask a model that does several things for: chat, embedding or image.",
            rich_help_panel="The answer",
        ),
    ] = None,
    no_stream: Annotated[
        bool, typer.Option("--no-stream", help="Print the answer when it is whole.", rich_help_panel="The output")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print OpenAI's object instead of the text.", rich_help_panel="The output")
    ] = False,
    usage: Annotated[
        bool, typer.Option("--usage", help="Say the tokens and the time, on stderr.", rich_help_panel="The output")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where an image is saved.", rich_help_panel="The output"),
    ] = None,
) -> None:
    """Ask a model one question; the answer is printed as it comes.

    Your own:    modelport call my_models:MyLLM "hello"
    A provider:  modelport call openai/gpt-4o-mini "hello"
    A config:    modelport call shout "hello" --config config.yaml
    A server:    modelport call shout "hello" --url http://127.0.0.1:4000/v1
    A pipe:      cat letter.txt | modelport call openai/gpt-4o -s "Sum up."

    Ctrl-C stops the model. The exit status is 0, or 1 when the model failed, 2 when the question was wrong.
    """
    from modelport.cli.addresses import Address

    text = _prompt_of(prompt)
    addressed = Address(model=model, config=config, url=url, key=key, params=tuple(param or ())).find()
    chosen = addressed.kind(kind)
    given = {"stop": stop or None, "max_tokens": max_tokens, "temperature": temperature}
    given = {name: value for name, value in given.items() if value is not None}
    asked = _Asked(addressed, text, system, given, as_json=as_json, usage=usage, output=output)
    work = {
        "chat": asked.answer if no_stream or as_json else asked.stream,
        "embedding": asked.vectors,
        "image": asked.images,
    }[chosen]
    asked.refuse_what_does_not_fit(chosen)
    raise typer.Exit(_run(addressed, work))


def _prompt_of(prompt: str | None) -> str:
    if prompt is None and sys.stdin.isatty():
        raise InputError('there is no prompt; write one after the model (modelport call MODEL "hello"), or pipe one in')
    if prompt not in (None, "-"):
        return prompt
    text = sys.stdin.read()
    text = text.removesuffix("\n")
    if not text:
        raise InputError('there is no prompt: what was piped in is empty; write one: modelport call MODEL "hello"')
    return text


def _run(addressed: Addressed, work: Callable[[], Coroutine[Any, Any, None]]) -> int:
    try:
        asyncio.run(asking.unloading(addressed, work()))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except ModelportError as error:
        if asking.is_mistake(error):
            raise
        print(f"modelport: {asking.failure_of(error)}", file=sys.stderr)
        return EXIT_FAILURE
    return 0


class _Asked:
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

    def refuse_what_does_not_fit(self, kind: str) -> None:
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

    async def stream(self) -> None:
        shown = asking.printable if sys.stdout.isatty() else str
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

    async def answer(self) -> None:
        whole = await asking.answer_of(self._addressed, self._messages(), self._given)
        if self._as_json:
            self._print_json(whole)
        else:
            message = whole.choices[0].message
            text = message.content if message.content is not None else message.refusal or ""
            print(asking.printable(text) if sys.stdout.isatty() else text)
        self._say_usage(whole.usage)

    async def vectors(self) -> None:
        found = await asking.vectors_of(self._addressed, [self._prompt])
        if self._as_json:
            self._print_json(found)
        else:
            print("[" + ", ".join(map(repr, found.data[0].embedding)) + "]")
        self._say_usage(found.usage)

    async def images(self) -> None:
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
