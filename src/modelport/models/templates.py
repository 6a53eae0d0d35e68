"""Chat templates: how a text model sees a list of messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from modelport.values.errors import InputError
from modelport.values.messages import Message
from modelport.values.prompt_values import flatten_messages


def last(messages: Sequence[Message]) -> str:
    """Return the last message's text; the ones before it are not seen."""
    return messages[-1].text if messages else ""


CHAT_TEMPLATES: dict[str, Callable[[Sequence[Message]], str]] = {"last": last}
"""The named chat templates."""


def apply_chat_template(template: str | None, messages: Sequence[Message]) -> str:
    r"""Return the prompt of messages; without a template `System: …\nHuman: …`.

    Raises:
        InputError: No template has that name.
    """
    if template is None:
        return flatten_messages(messages)
    apply = CHAT_TEMPLATES.get(template)
    if apply is None:
        raise InputError(f"{template!r} is no chat template; known: {', '.join(sorted(CHAT_TEMPLATES))}")
    return apply(messages)
