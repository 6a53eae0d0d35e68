"""OpenAI's text completion: the whole answer to a text request, and each piece of a streamed one."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import msgspec

from modelport.wire.completion import CompletionUsage, now_seconds
from modelport.wire.objects import WireObject, always


def new_text_completion_id() -> str:
    """Return an id that no other answer has."""
    return f"cmpl-{uuid4().hex}"


class TextChoice(WireObject, kw_only=True):
    """Is one of the answers, or a piece of one."""

    text: str = always("")
    """The text, or the piece of it."""
    index: int = always(0)
    """Which answer, from 0: the n of the first prompt, then those of the second, …"""
    logprobs: Any = always(None)
    """`{"tokens", "token_logprobs", "top_logprobs", "text_offset"}`, when they were asked for."""
    finish_reason: str | None = always(None)
    """Why it ended: stop, length, content_filter; null in a piece that is not the last."""


class TextCompletion(WireObject, kw_only=True):
    """Is the answer to a text request; a streamed one is many of these with the same id."""

    id: str = msgspec.field(default_factory=new_text_completion_id)
    """Names this answer."""
    object: str = always("text_completion")
    """OpenAI's name of this type."""
    created: int = msgspec.field(default_factory=now_seconds)
    """When the answer was made, in seconds since 1970."""
    model: str | None = always(None)
    """The name that the client asked for."""
    choices: list[TextChoice] = msgspec.field(default_factory=list[TextChoice])
    """The answers, or pieces of them."""
    usage: CompletionUsage | None = None
    """The tokens that all answers took."""
    system_fingerprint: str | None = None
    """Names the state of the server that answered."""
