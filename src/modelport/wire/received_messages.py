"""From OpenAI's messages and chat completions back to generations: the answers of other servers and of handlers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from modelport.values.generations import Generation, ToolCall
from modelport.values.messages import AIMessage, ChatGeneration, text_of
from modelport.values.shares import shared_out
from modelport.values.usage import Usage
from modelport.wire.checks import shown
from modelport.wire.completion import ChatCompletion
from modelport.wire.json_text import encode_json
from modelport.wire.received import (
    BadResponseError,
    by_index,
    decode_response,
    field_of,
    items_of,
    list_of,
    text_or_none,
    usage_in,
)
from modelport.wire.streamed_choice import TEXT_BESIDE

_OTHER_NAMES = {"reasoning_content": "reasoning"}
"""What some servers call a text beside the content."""


def decode_chat_completion(raw: bytes | str) -> ChatCompletion:
    """Return the chat completion in a body; keys that OpenAI does not have are kept.

    Raises:
        BadResponseError: The body is no JSON object, or has no choices.
    """
    body = decode_response(raw)
    list_of(body, "choices")
    return ChatCompletion.model_validate(body)


def generations_of(completion: Any) -> list[Generation]:
    """Return the choices of a chat completion, in order of their index.

    Each carries the prompt's tokens and its share of the answer's, so that they add up again.

    Args:
        completion: A `ChatCompletion`, a dict, or LiteLLM's own object; `choices[i]` is read by `message_in`.

    Raises:
        BadResponseError: There is no list of choices.
    """
    choices = by_index(list_of(completion, "choices"))
    texts = [text_in(message_in(choice)) for choice in choices] if len(choices) > 1 else [""] * len(choices)
    usages = usage_of_each(usage_in(completion), texts)
    return [_generation(choice, usage) for choice, usage in zip(choices, usages, strict=True)]


def usage_of_each(usage: Usage | None, texts: Sequence[str]) -> list[Usage | None]:
    """Return the usage of each of a request's choices: all have the prompt's tokens, and share the answer's by length.

    A choice with text and no tokens would count as one whose tokens nobody gave.
    """
    if usage is None or len(texts) <= 1:
        return [usage] * len(texts)
    prompt = usage.prompt_tokens
    parts = shared_out(usage.completion_tokens, [len(text.encode("utf-8", "surrogatepass")) for text in texts])
    return [Usage(prompt, part, prompt + part, usage.estimated) for part in parts]


def message_in(choice: Any, names: Sequence[str] = ("message", "delta")) -> Any:
    """Return what a choice says: its message or delta, whichever is there; or the text of a text completion's choice.

    None of them is an empty answer, as a filter's is.
    """
    for name in names:
        if (message := field_of(choice, name)) is not None:
            return message
    text = field_of(choice, "text")
    return {"content": text} if isinstance(text, str) else None


def texts_beside(message: Any) -> dict[str, Any]:
    """Return a message's or delta's texts beside its content, by the names that our messages have them under."""
    found: dict[str, Any] = {}
    for name in TEXT_BESIDE:
        text = field_of(message, name) or field_of(message, _OTHER_NAMES.get(name, name))
        if isinstance(text, str) and text:
            found[name] = text
    return found


def text_in(message: Any) -> str:
    """Return the text of a message's or delta's content; some servers give a list of parts.

    Raises:
        BadResponseError: It is something else.
    """
    content = field_of(message, "content", "")
    if not isinstance(content, (str, list)):
        raise BadResponseError(f"a message's 'content' must be a text, got {shown(content)}")
    return text_of(cast("str | list[Any]", content))


def call_as_dict(call: Any) -> dict[str, Any]:
    """Return a tool call, or a piece of one, as OpenAI's dict."""
    function = field_of(call, "function")
    return {
        "id": text_or_none(field_of(call, "id")),
        "function": {"name": text_or_none(field_of(function, "name")), "arguments": field_of(function, "arguments")},
    }


def _generation(choice: Any, usage: Usage | None) -> Generation:
    message = message_in(choice)
    text = text_in(message)
    finish_reason = text_or_none(field_of(choice, "finish_reason"))
    logprobs = field_of(choice, "logprobs")
    calls = _tool_calls(message)
    beside = texts_beside(message)
    if not beside:
        return Generation(text, finish_reason, usage, logprobs, calls or None)
    metadata = {"finish_reason": finish_reason, "logprobs": logprobs}
    said = AIMessage(
        text,
        additional_kwargs=beside,
        tool_calls=calls,
        usage_metadata=usage.to_usage_metadata() if usage is not None else None,
        response_metadata={name: value for name, value in metadata.items() if value is not None},
    )
    return ChatGeneration(text, finish_reason, usage, logprobs, calls or None, message=said)


def _tool_calls(message: Any) -> list[ToolCall]:
    calls = items_of(message, "tool_calls")
    older = field_of(message, "function_call")
    if not calls and older is not None:
        calls = [{"function": older}]
    return [_tool_call(call_as_dict(call)) for call in calls]


def _tool_call(call: dict[str, Any]) -> ToolCall:
    """Return LangChain's flat tool call; arguments that are no JSON object stay a text, which the engine tells of."""
    function: dict[str, Any] = call["function"]
    arguments = function["arguments"]
    if not isinstance(arguments, dict):
        text = arguments if isinstance(arguments, str) else encode_json(arguments).decode() if arguments else ""
        try:
            arguments = decode_response(text or "{}")
        except BadResponseError:
            arguments = text
    return {"name": function["name"] or "", "args": arguments, "id": call["id"], "type": "tool_call"}
