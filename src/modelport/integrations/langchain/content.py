"""Content blocks: LangChain's standard ones (v1, v0), Anthropic's and OpenAI's, read as OpenAI's content parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

Part = dict[str, Any]
"""One of OpenAI's content parts: `{"type": "text" | "image_url" | "input_audio" | "file" | …, …}`."""

CALLS = frozenset(
    {"tool_call", "tool_call_chunk", "invalid_tool_call", "server_tool_call", "tool_use", "function_call"}
)
"""Blocks of an answer that repeat what its `tool_calls` say."""
THOUGHTS = frozenset({"reasoning", "thinking", "redacted_thinking"})
"""Blocks of an answer that are no part of what it says."""


def parts_of(content: str | Sequence[Any]) -> str | list[Part]:
    """Return a content's parts as OpenAI has them; a text, and a block of an unknown kind, as it is."""
    return content if isinstance(content, str) else [part_of(block) for block in content]


def part_of(block: Any) -> Part:
    """Return one content block as OpenAI's content part."""
    if isinstance(block, str):
        return {"type": "text", "text": block}
    given = dict(cast("Mapping[str, Any]", block))
    read = _READERS.get(given.get("type", ""))
    part = read(given) if read is not None else None
    return part if part is not None else given


def answer_of(content: str | Sequence[Any]) -> tuple[str | list[Part], str]:
    """Return what an answer's content says, and what it thinks; tool calls are left out.

    What is only texts is joined to one: models answer with a text, and read it so in a history.
    """
    if isinstance(content, str):
        return content, ""
    parts: list[Part] = []
    thoughts: list[str] = []
    for block in content:
        given = cast("Part", {"type": "text", "text": block} if isinstance(block, str) else block)
        kind = given.get("type", "")
        if kind in THOUGHTS:
            thoughts.append(str(given.get("reasoning") or given.get("thinking") or ""))
        elif kind not in CALLS:
            parts.append(part_of(given))
    if all(part.get("type") == "text" for part in parts):
        return "".join(str(part.get("text", "")) for part in parts), "".join(thoughts)
    return parts, "".join(thoughts)


def _text(block: Part) -> Part:
    return {"type": "text", "text": block.get("text", "")}


def _image(block: Part) -> Part | None:
    url = _url_of(block, "image/jpeg")
    return None if url is None else {"type": "image_url", "image_url": {"url": url}}


def _audio(block: Part) -> Part | None:
    data = _data_of(block)
    if data is None:
        return None
    kind = str(block.get("mime_type") or "audio/wav").rpartition("/")[2]
    return {"type": "input_audio", "input_audio": {"data": data, "format": "mp3" if kind == "mpeg" else kind}}


def _file(block: Part) -> Part | None:
    extras: Any = block.get("extras") or block.get("metadata") or {}
    name = block.get("filename") or extras.get("filename") or block.get("title")
    named = {"filename": name} if name else {}
    if block.get("file_id") or block.get("source_type") == "id":
        return {"type": "file", "file": {"file_id": block.get("file_id") or block.get("id"), **named}}
    data = _url_of(block, "application/pdf") if _data_of(block) is not None else None
    return None if data is None else {"type": "file", "file": {"file_data": data, **named}}


def _plain(block: Part) -> Part | None:
    text = block.get("text")
    return None if text is None else {"type": "text", "text": text}


def _data_of(block: Part) -> str | None:
    """Return a block's base64 data: v1 calls it `base64`, v0 `data`, Anthropic has it in `source`."""
    source: Any = block.get("source") or {}
    return block.get("base64") or block.get("data") or source.get("data")


def _url_of(block: Part, usual_kind: str) -> str | None:
    source: Any = block.get("source") or {}
    data = _data_of(block)
    if data is None:
        return block.get("url") or source.get("url")
    kind = block.get("mime_type") or source.get("media_type") or usual_kind
    return f"data:{kind};base64,{data}"


def _own(block: Part) -> Part | None:
    value = block.get("value")
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else None


_READERS = {
    "text": _text,
    "image": _image,
    "audio": _audio,
    "file": _file,
    "document": _file,
    "text-plain": _plain,
    "non_standard": _own,
}
