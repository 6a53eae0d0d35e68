"""Guarantee 11, secrets: they are in nothing that is printed, logged, told or raised."""

from __future__ import annotations

import copy
import logging
import traceback
from typing import Any

from modelport.models.secrets import known_secrets
from modelport.testing.checks import CheckFailure, check, check_each_way, expect
from modelport.testing.conditions import called_directly, has_secrets
from modelport.testing.gates import patiently
from modelport.testing.recorder import RecordingHandler
from modelport.testing.subject import Subject
from modelport.testing.ways import WAYS
from modelport.values.errors import HookError

SOURCE = "modelport guarantee 11 (secrets); custom LLM guide, checklist: secrets are SecretStr"


def expect_none(text: str, secrets: list[str], where: str) -> None:
    """Fail when one of the secrets stands in a text."""
    found = [secret for secret in secrets if secret in text]
    expect(not found, f"{len(found)} of the model's secrets stand in {where}", "see what prints it")


@check("secrets:print:repr", source=SOURCE, applies=[called_directly, has_secrets])
async def in_repr(subject: Subject) -> None:
    """The model's repr shows no secret."""
    model = subject.make()
    expect_none(repr(model), known_secrets(model), "repr(model)")


@check("secrets:print:str", source=SOURCE, applies=[called_directly, has_secrets])
async def in_str(subject: Subject) -> None:
    """`print(model)` shows no secret, also when `_identifying_params` gives one away."""
    model = subject.make()
    expect_none(str(model), known_secrets(model), "str(model)")


@check_each_way("secrets:{way}:events", source=SOURCE, applies=[has_secrets])
async def in_events(subject: Subject, way: str) -> None:
    """No event of `{way}` carries a secret: neither the start's parameters nor the end."""
    probe, record = subject.probe(), RecordingHandler()
    probe.script = ["an answer"]
    async with patiently(f"`{way}`"):
        await WAYS[way].text(probe.face, subject.prompts[0], {"callbacks": [record]})
    secrets = known_secrets(probe.model)
    for event in record.events:
        expect_none(repr((event.payload, event.facts)), secrets, f"the event {event.name}")


@check("secrets:errors:construction", source=SOURCE, applies=[called_directly, has_secrets])
async def in_construction_errors(subject: Subject) -> None:
    """Errors of construction carry no value of a field, in no link of their chain."""
    model = subject.make()
    secrets = known_secrets(model)
    fields = {name: getattr(model, name) for name in subject.cls.author_fields()}
    wrong = [
        {**fields, "no_such_field_of_this_class": secrets[0]},
        {**fields, "max_concurrency": secrets[0]},
        {**fields, "tags": {"secret": secrets[0]}},
    ]
    for arguments in wrong:
        try:
            subject.cls(**arguments)
        except (TypeError, ValueError) as error:
            expect_none(whole_text(error), secrets, "an error of construction")
        else:
            raise CheckFailure(f"wrong arguments were accepted: {sorted(arguments)}")


def whole_text(error: BaseException) -> str:
    """Return an exception with all that it came from, and what `errors()` of pydantic's would tell."""
    lines = "".join(traceback.format_exception_only(error))
    details: Any = getattr(error, "errors", None)
    lines += repr(details()) if callable(details) else ""
    for cause in (error.__cause__, error.__context__):
        lines += whole_text(cause) if cause is not None else ""
    return lines


@check_each_way("secrets:{way}:hook-error", source=SOURCE, applies=[has_secrets])
async def in_hook_errors(subject: Subject, way: str) -> None:
    """The error about a hook's wrong result does not show a secret that the result holds, in `{way}`."""
    probe = subject.probe()
    secrets = known_secrets(probe.model)
    probe.script = ["an answer"]
    probe.replace = lambda value: {"api_key": secrets[0], "answer": value}
    try:
        async with patiently(f"`{way}`"):
            await WAYS[way].text(probe.face, subject.prompts[0])
    except HookError as error:
        expect_none(whole_text(error), secrets, f"the HookError of `{way}`")
        return
    raise CheckFailure("a dict was accepted as an answer")


class _Lines(logging.Handler):
    """Collects what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.text += record.getMessage() + repr(record.exc_info) + "\n"


@check("secrets:log:lines", source=SOURCE, applies=[has_secrets])
async def in_log(subject: Subject) -> None:
    """Nothing that the framework logs while a call succeeds, fails or is given up shows a secret."""
    probe, lines = subject.probe(), _Lines()
    secrets = known_secrets(probe.model)
    logger = logging.getLogger("modelport")
    level = logger.level
    logger.addHandler(lines)
    logger.setLevel(logging.DEBUG)
    try:
        await WAYS["invoke"].text(probe.face, subject.prompts[0])
        record = _Failing(secrets[0])
        await WAYS["invoke"].text(probe.face, subject.prompts[1], {"callbacks": [record]})
    finally:
        logger.removeHandler(lines)
        logger.setLevel(level)
    expect_none(lines.text, secrets, "the log")


class _Failing(RecordingHandler):
    """Fails at every start, with a secret in its message."""

    def __init__(self, secret: str) -> None:
        super().__init__()
        self._secret = secret

    def add(self, event: str, payload: Any, /, run_id: Any = None, **facts: Any) -> None:
        """Fail."""
        raise ValueError(f"cannot send with key {self._secret}")


@check("secrets:copy:deepcopy", source=SOURCE, applies=[called_directly, has_secrets])
async def in_copies(subject: Subject) -> None:
    """A copy of the model keeps its secrets, and keeps them hidden."""
    model = subject.make()
    secrets = known_secrets(model)
    twin = copy.deepcopy(model)
    expect(known_secrets(twin) == secrets, "the copy lost its secrets")
    expect_none(repr(twin) + str(twin), secrets, "the copy's printing")
