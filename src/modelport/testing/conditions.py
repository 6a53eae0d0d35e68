"""Why a check does not apply to a model: conditions that the checks share."""

from __future__ import annotations

from modelport.engine.tokens import counter_of
from modelport.models.secrets import known_secrets
from modelport.testing.subject import Subject


def called_directly(subject: Subject) -> str | None:
    """Demand that the model itself is called: what is checked belongs to no runnable made of it."""
    if subject.raw:
        return "the framework has it, not the author's code"
    return None if subject.through is None else "it is about the model itself, which is called through a runnable"


def deterministic(subject: Subject) -> str | None:
    """Demand equal answers to equal calls."""
    return None if subject.cls.deterministic else "the class says `deterministic = False`"


def unlimited(subject: Subject) -> str | None:
    """Demand that no `max_concurrency` of the model holds calls back."""
    limit = subject.max_concurrency
    return None if limit is None else f"the model's max_concurrency is {limit}"


def has_stream(subject: Subject) -> str | None:
    """Demand a streaming hook."""
    return None if subject.hooks.stream is not None else "the class has no streaming hook"


def has_no_stream(subject: Subject) -> str | None:
    """Demand that streams are made of one answer."""
    return None if subject.hooks.stream is None else "the class has a streaming hook"


def has_sync_stream(subject: Subject) -> str | None:
    """Demand a sync streaming hook that answers async callers too."""
    hook = subject.hooks.astream
    fits = hook is not None and not hook.is_async
    return None if fits else "no async caller is answered by a sync streaming hook"


def has_async_stream(subject: Subject) -> str | None:
    """Demand a native async streaming hook."""
    return None if "_astream" in subject.hooks.present else "the class has no `_astream`"


def has_batch(subject: Subject) -> str | None:
    """Demand a batch hook."""
    return None if subject.hooks.many is not None else "the class has no batch hook"


def has_no_batch(subject: Subject) -> str | None:
    """Demand that many prompts are answered by many hook calls."""
    return None if subject.hooks.many is None else "the class answers many prompts by one hook call"


def has_secrets(subject: Subject) -> str | None:
    """Demand a field with a secret."""
    found = known_secrets(subject.make())
    return None if found else "the model has no field with a secret (SecretStr)"


def has_count(subject: Subject) -> str | None:
    """Demand a `_count_tokens`."""
    found = counter_of(subject.make())
    return None if found is not None else "the class has no `_count_tokens`"


def has_no_count(subject: Subject) -> str | None:
    """Demand that tokens are estimated."""
    found = counter_of(subject.make())
    return None if found is None else "the class has a `_count_tokens`"


def framework_cuts_tokens(subject: Subject) -> str | None:
    """Demand that `max_tokens` is the framework's business: a count of the class, or hooks that do not support it."""
    if counter_of(subject.make()) is not None:
        return None
    if any("max_tokens" in hook.supports for hook in subject.hooks.present.values()):
        return "the hook does `max_tokens` itself, and the class has no `_count_tokens`"
    return None


def framework_fans_out(subject: Subject) -> str | None:
    """Demand that n choices are the framework's business."""
    if any("n" in hook.supports for hook in subject.hooks.present.values()):
        return "the hook does `n` itself"
    return None


def is_chat(subject: Subject) -> str | None:
    """Demand a chat model."""
    return None if subject.is_chat else "it is a text model"


def is_shared_loop(subject: Subject) -> str | None:
    """Demand that async hooks run on the caller's loop."""
    return None if not subject.hooks.single_loop else "the class says `single_loop = True`"


def is_single_loop(subject: Subject) -> str | None:
    """Demand that async hooks are bound to one loop."""
    return None if subject.hooks.single_loop else "the class does not say `single_loop = True`"
