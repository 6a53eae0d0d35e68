"""What `raw=True` looks at: which checks say something about the author's code, and how a failure there is mended."""

from __future__ import annotations

from fnmatch import fnmatch

_OWN = "the framework has it, not the author's code"

_NOT_RAW: dict[str, str] = {
    "cache:*": "a cache is the framework's",
    "deadline:*": "deadlines are the framework's: a plain caller sets none",
    "compose:*": "retries, fallbacks and the like are the framework's",
    "choices:*": "several choices of one call are the framework's",
    "identity:*": "equality, copies and attributes are the framework's",
    "secrets:*": "what is printed, told and logged is the framework's; see checklist:secrets:typed",
    "embedding:*": "it looks at what the framework makes of a hook's vectors",
    "image:*": "it looks at what the framework makes of a hook's images",
    "handler:*": "it looks at how the framework calls a handler, and at the SDK around it",
    "errors:*:unknown-*": _OWN,
    "errors:construct:*": _OWN,
    "cancel:*:timeout-event": "deadlines are the framework's: a plain caller sets none",
    "derive:any:single-loop": "`single_loop` is the framework's",
    "derive:*:nested-*": "it calls the model by the framework from inside of its hook",
    "batch:*:limit-of-*": "limits are the framework's",
    "batch:*invoke:*": "the framework puts single calls together",
    "batch:*stream:*": "the framework puts single calls together, and limits open streams",
    "batch:*:one-hook-call": "`max_batch_size` is the framework's",
    "batch:*:in-order": "it holds each hook call up until the next has ended; see batch:batch:concurrent",
    "parity:*:prompt-value": _OWN,
    "parity:*:message-forms": _OWN,
}
"""Which checks do not look at the author's code, and why; all others do, unless they put answers in its place."""

SCRIPTED = (
    "the check puts an answer of its own in place of the author's, which shows only what the framework makes of it"
)

_MENDS: dict[str, str] = {
    "derive:answers": "write the hook for it, or let modelport derive it: without `raw` every way to call works",
    "derive:*": "call nothing that blocks in an async hook",
    "parity:*": "make the hooks answer alike",
    "stop:*": "end the answer at the first of `stop` in every hook",
    "batch:concurrent": "answer many prompts at the same time, or in one `_batch` call",
    "batch:*": "catch each prompt's failure by itself and put it into its slot",
    "usage:max-tokens-own": "end the answer at `max_tokens` in the hook",
    "usage:*": "report the tokens by `run_manager.report_usage(…)`, or give a Generation with `usage` and "
    "`finish_reason`",
    "order:own-runs": "tell the tokens of each prompt to its own run",
    "order:*": "call `run_manager.on_llm_new_token(piece, chunk=chunk)` before each `yield`",
    "cancel:task": "write the async hook, which a cancel reaches",
    "cancel:*": "close what the hook holds open in a `finally`",
    "threads:*": "keep what belongs to one call in the hook's variables, not on the model nor in a module",
    "unicode:*": "give whole characters",
}
_CALL = "; or call the model by modelport, which keeps this for any hook"
_AUTHORS_ALONE = ("checklist", "printing", "parity", "threads")
"""Areas where modelport cannot help: the author alone can."""


_NOT_OF_HANDLERS = ("order:*:own-tokens", "order:*:joined-tokens", "order:*:own-runs", "order:*:authors-token*")


def why_not_raw(check_id: str, *, of_handler: bool = False) -> str | None:
    """Return why a check says nothing about the author's own code, None when it does."""
    if of_handler and any(fnmatch(check_id, pattern) for pattern in _NOT_OF_HANDLERS):
        return "a handler is given no callbacks"
    return next((reason for pattern, reason in _NOT_RAW.items() if fnmatch(check_id, pattern)), None)


def raw_mend(topic: str) -> str | None:
    """Return how a failure of the author's own code is mended; None: the check knows best."""
    area = topic.partition(":")[0]
    mend = next((text for pattern, text in _MENDS.items() if fnmatch(topic, pattern)), None)
    if mend is None or area in _AUTHORS_ALONE or topic == "derive:answers":
        return mend
    return mend + _CALL
