"""What a server answered: bytes as they came, the JSON in them, and the events of a stream."""

from __future__ import annotations

import json
from typing import Any, cast

from modelport.testing.checks import CheckFailure

SHOWN_CHARACTERS = 160
"""How much of a body a finding quotes."""


class Answer:
    """Is one answer as it came.

    Args:
        request: What was asked, in short: `POST /chat/completions`.
        status: The status.
        headers: Header names in lower case, and their values.
        body: The body's bytes.
    """

    def __init__(self, request: str, status: int, headers: dict[str, str], body: bytes) -> None:
        self.request = request
        """What was asked, in short."""
        self.status = status
        """The HTTP status."""
        self.headers = headers
        """Header names in lower case, and their values."""
        self.body = body
        """The body's bytes."""

    @property
    def text(self) -> str:
        """The body as text; what is not UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")

    @property
    def content_type(self) -> str:
        """The media type, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def json(self) -> Any:
        """The body's value; None when it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def object(self) -> dict[str, Any]:
        """The body's object.

        Raises:
            CheckFailure: It is no JSON object.
        """
        value = object_of(self.json)
        if value is None:
            raise CheckFailure(f"{self.shown}: no JSON object", "answer with a JSON object")
        return value

    @property
    def shown(self) -> str:
        """The answer in short, for a finding."""
        text = " ".join(self.text.split())
        cut = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
        return f"{self.request} → {self.status} {cut or '(no body)'}"


class Streamed(Answer):
    """Is an answer whose body is a stream of events.

    Args:
        ended: Whether the body ended; False when it was still open some seconds after `[DONE]`.
    """

    def __init__(self, request: str, status: int, headers: dict[str, str], body: bytes, *, ended: bool = True) -> None:
        super().__init__(request, status, headers, body)
        self.ended = ended
        """Whether the body ended by itself."""

    @property
    def data(self) -> list[str]:
        """What every `data:` line says, read leniently: in UTF-8, and however lines are made into events."""
        lines = self.text.replace("\r\n", "\n").split("\n")
        return [line.removeprefix("data:").removeprefix(" ") for line in lines if line.startswith("data:")]

    @property
    def chunks(self) -> list[dict[str, Any]]:
        """The data lines that are JSON objects with choices."""
        parsed = [object_of(_parsed(one)) for one in self.data]
        return [one for one in parsed if one is not None and isinstance(one.get("choices"), list)]

    def entries(self, index: int = 0) -> list[dict[str, Any]]:
        """Return what the chunks say of one choice."""
        return [
            entry for chunk in self.chunks for entry in objects_of(chunk["choices"]) if entry.get("index", 0) == index
        ]

    def pieces(self, index: int = 0) -> list[str]:
        """Return the pieces of one choice's text, of a chat or a completion; empty ones are left out."""
        texts: list[Any] = []
        for entry in self.entries(index):
            delta = object_of(entry.get("delta"))
            texts.append(entry.get("text") if delta is None else delta.get("content"))
        return [text for text in texts if isinstance(text, str) and text]

    def joined(self, index: int = 0) -> str:
        """Return one choice's text."""
        return "".join(self.pieces(index))

    def reasons(self, index: int = 0) -> list[Any]:
        """Return one choice's finish reasons that are not null."""
        reasons = [entry.get("finish_reason") for entry in self.entries(index)]
        return [reason for reason in reasons if reason is not None]


def object_of(value: Any) -> dict[str, Any] | None:
    """Return a value that is a JSON object; None for any other."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def objects_of(value: Any) -> list[dict[str, Any]]:
    """Return the JSON objects in a value that is a list; none of any other."""
    items = cast("list[Any]", value) if isinstance(value, list) else []
    return [one for one in map(object_of, items) if one is not None]


def _parsed(data: str) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def text_of(value: Any, index: int = 0) -> str | None:
    """Return the text of a whole answer's choice, of a chat or a completion; None when there is none."""
    for choice in choices_of(value):
        if choice.get("index", 0) == index:
            message = object_of(choice.get("message"))
            text = choice.get("text") if message is None else message.get("content")
            return text if isinstance(text, str) else None
    return None


def choices_of(value: Any) -> list[dict[str, Any]]:
    """Return a whole answer's choices, as far as they are objects."""
    return objects_of((object_of(value) or {}).get("choices"))
