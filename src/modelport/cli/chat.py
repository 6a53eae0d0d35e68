"""`modelport chat`: a conversation in the terminal."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from modelport.cli.call import (
    ConfigOption,
    KeyOption,
    MaxTokensOption,
    ModelArgument,
    ParamOption,
    SystemOption,
    TemperatureOption,
    UrlOption,
)
from modelport.values.errors import InputError


def chat(
    model: ModelArgument,
    config: ConfigOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    param: ParamOption = None,
    system: SystemOption = None,
    max_tokens: MaxTokensOption = None,
    temperature: TemperatureOption = None,
    no_stats: Annotated[
        bool,
        typer.Option(
            "--no-stats", help="Leave out the tokens and the time after each answer.", rich_help_panel="The output"
        ),
    ] = False,
) -> None:
    """Talk with a model; it remembers what was said.

    Your own:    modelport chat my_models:MyLLM
    A provider:  modelport chat openai/gpt-4o-mini --system "Answer in rhymes."
    A config:    modelport chat shout --config config.yaml
    A server:    modelport chat shout --url http://127.0.0.1:4000/v1

    Inside it, /help shows the commands. Ctrl-C stops an answer, Ctrl-D leaves. Lines that are piped in are asked one
    after the other.
    """
    from modelport.cli.addresses import Address
    from modelport.cli.conversation import Conversation

    addressed = Address(model=model, config=config, url=url, key=key, params=tuple(param or ())).find()
    kind = addressed.kind()
    if kind != "chat":
        makes = "vectors" if kind == "embedding" else "images"
        raise InputError(f'{model!r} makes {makes} and cannot chat; ask it once: modelport call {model} "hello"')
    given = {"max_tokens": max_tokens, "temperature": temperature}
    given = {name: value for name, value in given.items() if value is not None}
    shows_stats = sys.stdout.isatty() and not no_stats
    raise typer.Exit(Conversation(addressed, model, system, given, shows_stats=shows_stats).run())
