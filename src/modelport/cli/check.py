"""`modelport check`: whether a model, or a server, keeps what it promises."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelport.cli import EXIT_FAILURE, EXIT_INTERRUPTED
from modelport.cli.names import complete_checks
from modelport.values.errors import InputError

if TYPE_CHECKING:
    from modelport.cli.check_targets import Listed, ModelTarget, ServerTarget
    from modelport.testing import CheckResult

_MODEL, _SERVER, _OUTPUT = "A model", "A server", "The output"
_CTRL_C = "stopped by Ctrl-C"


TargetArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="TARGET",
        help="A class, an instance, a handler, or a function that makes one: my_models:MyLLM, "
        "path/to/my_models.py:MyLLM; or a server: http://host/v1.",
        show_default=False,
    ),
]
OnlyOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CHECK",
        help="Only these: a group (stop), an id, or a pattern ('stop:*:cut'). May be repeated.",
        autocompletion=complete_checks,
    ),
]
PromptsOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT",
        help="What the model is asked, in place of the kit's prompts; give three or more.",
        rich_help_panel=_MODEL,
    ),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        min=0.1,
        help="How long one answer may take. (default: 10 of a model, 30 of a server)",
    ),
]
KeyOption = Annotated[
    str | None,
    typer.Option(metavar="KEY", envvar="MODELPORT_KEY", help="The server's key.", rich_help_panel=_SERVER),
]
ServerModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Which of the server's models is asked. (default: the first that it lists)",
        rich_help_panel=_SERVER,
    ),
]


def check(
    target: TargetArgument = None,
    only: OnlyOption = None,
    list_checks: Annotated[bool, typer.Option("--list", help="Print the checks and what they say; run none.")] = False,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            metavar="NAME=VALUE",
            help="A field that the class is made with; ${NAME} is from the environment. May be repeated.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    prompt: PromptsOption = None,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw", help="Switch the guarantees off: see what your own code does without them.", rich_help_panel=_MODEL
        ),
    ] = False,
    key: KeyOption = None,
    model: ServerModelOption = None,
    timeout: TimeoutOption = None,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Print each check, and why it does not apply.", rich_help_panel=_OUTPUT),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON document instead.", rich_help_panel=_OUTPUT)
    ] = False,
    junit: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write JUnit XML too, for a CI system.", rich_help_panel=_OUTPUT),
    ] = None,
) -> None:
    """Check whether a model, or a server, keeps what it promises.

    Your model:   modelport check my_models:MyLLM
    With fields:  modelport check my_models:MyLLM -p n=3 -p 'api_key=${MY_KEY}'
    One thing:    modelport check my_models:MyLLM --only stop --only 'usage:*'
    Any server:   modelport check http://127.0.0.1:4000/v1 --model shout
    In CI:        modelport check my_models:MyLLM --junit report.xml

    The exit status is 0 when all checks pass that apply, 1 when one fails, 2 when TARGET or an option is wrong.

    Ctrl-C ends the checks and shows what was seen until then.
    """
    if target is None:
        if not list_checks:
            raise InputError(
                "there is nothing to check; name a model (modelport check my_models:MyLLM) or a server "
                "(modelport check http://host/v1)"
            )
        _list_all(only or [], as_json=as_json)
        return
    if target.lower().startswith(("http://", "https://")):
        chosen = _server(target, {"--param": param, "--prompt": prompt, "--raw": raw}, key, model, timeout)
    else:
        chosen = _model(target, {"--model": model}, param or [], prompt or [], timeout, raw=raw)
    checks = chosen.checks()
    from modelport.cli.check_targets import chosen_ids

    ids = chosen_ids(checks, only or [])
    if list_checks:
        _print_list([one for one in checks if ids is None or one.id in ids], as_json=as_json)
        return
    if junit is not None:
        _must_be_writable(junit)
    raise typer.Exit(_run(chosen, target, ids, checks, raw=raw, as_json=as_json, junit=junit, verbose=verbose))


def _server(
    target: str, others: Mapping[str, object], key: str | None, model: str | None, timeout: float | None
) -> ServerTarget:
    from modelport.cli.addresses import check_url
    from modelport.cli.check_targets import ServerTarget

    check_url(target)
    for option, given in others.items():
        if given:
            raise InputError(f"{option} is for models; {target} is a server")
    return ServerTarget(target.rstrip("/"), key, model, timeout)


def _model(
    target: str,
    others: Mapping[str, object],
    params: Sequence[str],
    prompts: Sequence[str],
    timeout: float | None,
    *,
    raw: bool,
) -> ModelTarget:
    from modelport.cli.addresses import is_import_path
    from modelport.cli.check_targets import ModelTarget

    for option, given in others.items():
        if given is not None:
            raise InputError(f"{option} is for servers; {target!r} is a model")
    if not is_import_path(target):
        raise InputError(
            f"{target!r} is neither an import path (my_models:MyLLM, path/to/my_models.py:MyLLM) nor a server's "
            f"address (http://host/v1)"
        )
    if prompts and (len(prompts) < 3 or len(set(prompts)) < len(prompts)):
        raise InputError(f"the checks need at least three different prompts, not {len(set(prompts))}")
    return ModelTarget(target, tuple(params), tuple(prompts), raw, timeout)


def _run(
    chosen: ModelTarget | ServerTarget,
    target: str,
    ids: list[str] | None,
    checks: Sequence[Listed],
    *,
    raw: bool,
    as_json: bool,
    junit: Path | None,
    verbose: bool,
) -> int:
    from modelport.cli.check_progress import progress_on
    from modelport.cli.findings import answers_nothing
    from modelport.cli.terminal import console_on

    begun, count, ended = time.monotonic(), len(checks if ids is None else ids), ""
    # What a model prints while it is checked must not end up among the results.
    with contextlib.redirect_stdout(sys.stderr), progress_on(console_on(sys.stderr), count) as progress:
        results = progress.results

        def note(result: CheckResult) -> None:
            progress.note(result)
            if ids is None and answers_nothing(results, checks):
                raise _EnoughSeen

        try:
            _run_checks(chosen, ids, note)
        except _EnoughSeen:
            ended = "it answers in no way, so there is nothing else to see"
        except KeyboardInterrupt:
            if as_json or not results:
                return EXIT_INTERRUPTED
            ended, junit = _CTRL_C, None
    seconds = time.monotonic() - begun
    if junit is not None:
        from modelport.cli.junit import junit_xml

        junit.write_bytes(junit_xml(results, target, progress.seconds))
    if as_json:
        from modelport.cli.check_json import json_report

        print(json_report(results, target, seconds, progress.seconds, raw=raw))
    else:
        from modelport.cli.report import print_report

        if raw:
            print("raw: what the author's own code does, without the guarantees around it\n")
        print_report(console_on(sys.stdout), results, seconds, every=verbose)
    if ended:
        print(f"modelport: {count - len(results)} of {count} checks were not run: {ended}", file=sys.stderr)
    if ended == _CTRL_C:
        return EXIT_INTERRUPTED
    return EXIT_FAILURE if any(one.outcome == "fail" for one in results) else 0


class _EnoughSeen(Exception):  # noqa: N818 - no error: the rest would say the same
    """Ends the checks of a model that answers nothing."""


def _run_checks(chosen: ModelTarget | ServerTarget, ids: list[str] | None, note: Callable[[CheckResult], None]) -> None:
    try:
        chosen.run(ids, note)
    except TypeError as error:
        # What the kit says of a factory that makes no model.
        raise InputError(str(error)) from error


def _list_all(only: Sequence[str], *, as_json: bool) -> None:
    from modelport.cli.check_targets import ModelTarget, ServerTarget, chosen_ids

    checks = [*ModelTarget("").checks(), *ServerTarget("").checks()]
    ids = chosen_ids(checks, only)
    _print_list([one for one in checks if ids is None or one.id in ids], as_json=as_json)


def _print_list(checks: Sequence[Listed], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([{"id": one.id, "sentence": one.sentence} for one in checks], indent=2, ensure_ascii=False))
        return
    from rich.padding import Padding
    from rich.text import Text

    from modelport.cli.terminal import NAME, console_on

    console = console_on(sys.stdout)
    for one in checks:
        console.print(Text(one.id, style=NAME))
        console.print(Padding(Text(one.sentence), (0, 0, 0, 4)))


def _must_be_writable(file: Path) -> None:
    try:
        with file.open("ab"):
            pass
    except OSError as error:
        raise InputError(f"--junit: {str(file)!r} cannot be written: {error.strerror or error}") from None
