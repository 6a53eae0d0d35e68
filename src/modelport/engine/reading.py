"""Reading what hooks return and yield: str, bytes, generations, messages; anything else is the author's mistake."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

from modelport.values.errors import HookError
from modelport.values.generations import Generation, GenerationChunk
from modelport.values.messages import AIMessage, AIMessageChunk, ChatGeneration, ChatGenerationChunk, text_of
from modelport.values.usage import usage_from


def read_piece(value: Any, label: str) -> GenerationChunk:
    """Make a piece of what a hook gave; a piece in the right form is returned as it is.

    Args:
        value: What the hook returned or yielded (not bytes: those are decoded before).
        label: `Class._hook`, for the error.

    Raises:
        HookError: The value is something else.
    """
    if isinstance(value, (GenerationChunk, Generation)) and not isinstance(value.text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise HookError(f"{label} gave a {type(value).__name__} whose text is {shown(value.text)}; it must be a str")
    if isinstance(value, GenerationChunk):
        return _with_info(value) if value.generation_info else value
    if isinstance(value, str):
        return GenerationChunk(value)
    if isinstance(value, ChatGeneration):
        return _piece_of_message(value.message)
    if isinstance(value, Generation):
        piece = GenerationChunk(
            value.text, value.finish_reason, value.usage, value.logprobs, value.tool_calls, value.generation_info
        )
        return _with_info(piece) if piece.generation_info else piece
    if isinstance(value, AIMessage):
        return _piece_of_message(value)
    foreign = _read_foreign(value)
    if foreign is not None:
        return foreign
    raise HookError(_wrong(value, label))


def _with_info(piece: GenerationChunk) -> GenerationChunk:
    """Read LangChain's `generation_info` into the piece's own fields; what the author set himself wins."""
    info = piece.generation_info or {}
    finish_reason = piece.finish_reason or info.get("finish_reason") or info.get("stop_reason")
    usage = piece.usage or usage_from(info.get("usage") or info.get("token_usage") or info.get("usage_metadata"))
    logprobs = piece.logprobs if piece.logprobs is not None else info.get("logprobs")
    if isinstance(piece, ChatGenerationChunk):
        return ChatGenerationChunk(
            piece.text, finish_reason, usage, logprobs, piece.tool_calls, piece.generation_info, message=piece.message
        )
    return GenerationChunk(piece.text, finish_reason, usage, logprobs, piece.tool_calls, piece.generation_info)


def _piece_of_message(message: AIMessage) -> ChatGenerationChunk:
    chunk = message if isinstance(message, AIMessageChunk) else chunk_of_message(message)
    facts = message.response_metadata
    return ChatGenerationChunk(
        chunk.text,
        facts.get("finish_reason"),
        usage_from(message.usage_metadata or facts.get("token_usage")),
        facts.get("logprobs"),
        chunk.tool_call_chunks or chunk.tool_calls or None,
        message=chunk,
    )


def chunk_of_message(message: AIMessage) -> AIMessageChunk:
    """Return a whole message as one chunk."""
    return AIMessageChunk(
        content=message.content,
        name=message.name,
        id=message.id,
        additional_kwargs=message.additional_kwargs,
        tool_calls=message.tool_calls,
        usage_metadata=message.usage_metadata,
        response_metadata=message.response_metadata,
    )


def _read_foreign(value: Any) -> GenerationChunk | None:
    """Read LangChain's own generations and messages by their attributes."""
    message = getattr(value, "message", value)
    if getattr(message, "type", None) in ("ai", "AIMessageChunk") and hasattr(message, "content"):
        fragments: list[dict[str, Any]] = getattr(message, "tool_call_chunks", None) or []
        chunk = AIMessageChunk(
            content=message.content,
            # LangChain parses fragments into half tool calls: the fragments are the truth.
            tool_calls=[] if fragments else list(getattr(message, "tool_calls", None) or []),
            usage_metadata=getattr(message, "usage_metadata", None),
            response_metadata=dict(getattr(message, "response_metadata", None) or {}),
            tool_call_chunks=[dict(one) for one in fragments],
        )
        return _piece_of_message(chunk)
    if hasattr(value, "generation_info") and isinstance(getattr(value, "text", None), str):
        return _with_info(GenerationChunk(value.text, generation_info=value.generation_info))
    return None


def _wrong(value: Any, label: str) -> str:
    what = "yielded" if label.endswith("stream") else "returned"
    expected = (
        "str, bytes, GenerationChunk or AIMessageChunk" if what == "yielded" else "str, bytes, Generation or AIMessage"
    )
    is_stream = inspect.isgenerator(value) or inspect.isasyncgen(value)
    hint = "; a hook that yields is `_stream` or `_astream`" if is_stream else hint_for(value)
    return f"{label} {what} {shown(value)}; it must give {expected}{hint}"


def hint_for(value: Any) -> str:
    """Return what the author of a hook that returned such a value may have forgotten."""
    if inspect.iscoroutine(value):
        value.close()
        return "; is an `await` missing, or should the hook be the async one?"
    return "; is a `return` missing?" if value is None else ""


def shown(value: Any) -> str:
    """Return what an error says of a wrong value: its type, and the value where it can hold no secret."""
    if value is None:
        return "None"
    if isinstance(value, (bool, int, float)):
        return f"{value!r} ({type(value).__name__})"
    return f"a value of type {cast('type[Any]', type(value)).__name__}"


def text_of_input(argument: Any) -> str:
    """Return a prompt, or the texts of messages joined, as token counting sees them."""
    if isinstance(argument, str):
        return argument
    if len(argument) == 1 and (content := argument[0].content).__class__ is str:
        return content
    return "\n".join(
        [content if (content := message.content).__class__ is str else text_of(content) for message in argument]
    )


def iterator_of(value: Any, label: str) -> Iterator[Any]:
    """Return the iterator of what a sync streaming hook gave.

    Raises:
        HookError: It cannot be iterated, or is a whole text.
    """
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        raise HookError(f"{label} returned {shown(value)}; it must yield pieces of text")
    return iter(value)


def async_iterator_of(value: Any, label: str) -> AsyncIterator[Any]:
    """Return the async iterator of what an async streaming hook gave.

    Raises:
        HookError: It cannot be iterated with `async for`.
    """
    if not hasattr(value, "__aiter__"):
        if inspect.iscoroutine(value):
            value.close()
        raise HookError(f"{label} returned {shown(value)}; it must be an `async def` that yields")
    return value.__aiter__()


def single_result(value: Any, label: str) -> Any:
    """Return the one result of a batch of one; an exception in the slot is raised.

    Raises:
        HookError: The hook returned no list of one.
    """
    result = results_of(value, 1, label)[0]
    if isinstance(result, BaseException):
        raise result
    return result


def results_of(value: Any, count: int, label: str) -> list[Any]:
    """Return a batch hook's results.

    Raises:
        HookError: It returned no list, or not one result per prompt.
    """
    if not isinstance(value, (list, tuple)):
        raise HookError(f"{label} returned {type(value).__name__}; it must return a list with one result per prompt")
    results = list(cast("list[Any]", value))
    if len(results) != count:
        raise HookError(f"{label} returned {len(results)} results for {count} prompts; it must return one per prompt")
    return results
