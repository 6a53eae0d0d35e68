"""`modelport call`: one question, one answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelport.cli.names import complete_models

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
    from modelport.cli.question import Question, prompt_of

    text = prompt_of(prompt)
    addressed = Address(model=model, config=config, url=url, key=key, params=tuple(param or ())).find()
    given = {"stop": stop or None, "max_tokens": max_tokens, "temperature": temperature}
    given = {name: value for name, value in given.items() if value is not None}
    question = Question(addressed, text, system, given, as_json=as_json, usage=usage, output=output)
    raise typer.Exit(question.ask(addressed.kind(kind), streams=not (no_stream or as_json)))
