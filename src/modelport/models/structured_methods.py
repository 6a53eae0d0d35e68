"""How a model is asked for a structured output, and where in its answer that is: its text, or a tool call."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic_core import to_json

from modelport.models.strict_schemas import strict_schema
from modelport.runnables.json_reader import JsonReader
from modelport.values.errors import InputError, KeywordError
from modelport.values.messages import AIMessage, AIMessageChunk, HumanMessage, Message, ToolMessage
from modelport.values.prompt_values import tool_call_from

if TYPE_CHECKING:
    from modelport.engine.hooks import Hook, Hooks
    from modelport.models.schemas import OutputSchema

MethodName = Literal["json_schema", "function_calling", "json_mode"]
"""LangChain's names: a response format with the schema, one tool, a response format that only asks for JSON."""
METHODS: tuple[MethodName, ...] = get_args(MethodName)
_KEYWORD_OF: dict[MethodName, str] = {
    "json_schema": "response_format",
    "function_calling": "tools",
    "json_mode": "response_format",
}


class TextMethod:
    """Asks by `response_format`; the answer's text is the JSON."""

    def __init__(self, schema: OutputSchema, *, with_schema: bool, strict: bool | None) -> None:
        """Prepare.

        Args:
            schema: What is asked for.
            with_schema: Whether the model is told the schema; False: only that it must answer with JSON.
            strict: OpenAI's `strict`, when it is not None; True: with the strict form of the schema.
        """
        self.again = "Answer again with the corrected JSON object and nothing else."
        """What a model is told to do after a wrong answer."""
        if not with_schema:
            self.keywords: dict[str, Any] = {"response_format": {"type": "json_object"}}
            """What each call of the model gets."""
            return
        told: dict[str, Any] = {"name": schema.name}
        if schema.description:
            told["description"] = schema.description
        told["schema"] = strict_schema(schema.json_schema) if strict else schema.json_schema
        if strict is not None:
            told["strict"] = strict
        self.keywords = {"response_format": {"type": "json_schema", "json_schema": told}}

    def text_of(self, answer: Any) -> str:
        """Return what an answer says."""
        return answer.text if isinstance(answer, Message) else answer

    def value_of(self, answer: Any) -> Any:
        """Return the JSON in an answer.

        Raises:
            ValueError: There is none.
        """
        return json_in(self.text_of(answer))

    def follow(self) -> Callable[[Any], str]:
        """Return what gives the JSON text in each piece of one streamed answer."""
        return self.text_of

    def turns(self, answer: Any, problem: str) -> list[Message]:
        """Return the messages that show a model its wrong answer and say what is wrong with it."""
        return [answer if isinstance(answer, AIMessage) else AIMessage(answer), HumanMessage(problem)]


class ToolMethod:
    """Asks by one tool; the arguments of its call are the JSON."""

    def __init__(self, schema: OutputSchema, *, strict: bool | None, takes_choice: bool) -> None:
        """Prepare.

        Args:
            schema: What is asked for.
            strict: As for `TextMethod`.
            takes_choice: Whether the hooks take `tool_choice`, so that the model can be told to call the tool.
        """
        self.name = schema.name
        """The tool's name."""
        self.again = f"Call the tool {schema.name!r} again with corrected arguments."
        """What a model is told to do after a wrong answer."""
        parameters = strict_schema(schema.json_schema) if strict else schema.json_schema
        told = {key: value for key, value in parameters.items() if key not in ("title", "description")}
        function: dict[str, Any] = {"name": schema.name, "parameters": told}
        if schema.description:
            function["description"] = schema.description
        if strict is not None:
            function["strict"] = strict
        self.keywords: dict[str, Any] = {"tools": [{"type": "function", "function": function}]}
        """What each call of the model gets."""
        if takes_choice:
            self.keywords["tool_choice"] = {"type": "function", "function": {"name": schema.name}}

    def _arguments_of(self, answer: AIMessage) -> Any:
        calls = [tool_call_from(call) for call in _calls_of(answer)]
        return next((call.get("args") for call in calls if call.get("name") == self.name), None)

    def text_of(self, answer: AIMessage) -> str:
        """Return what an answer says: the tool call's arguments, or its text without one."""
        arguments = self._arguments_of(answer)
        if arguments is None:
            return answer.text
        return arguments if isinstance(arguments, str) else to_json(arguments).decode()

    def value_of(self, answer: AIMessage) -> Any:
        """Return the arguments of the tool's first call.

        Raises:
            ValueError: The tool was not called, or its arguments are no JSON.
        """
        arguments = self._arguments_of(answer)
        if arguments is None:
            others = [str(tool_call_from(call).get("name")) for call in _calls_of(answer)]
            called = f"only {', '.join(others)} were" if others else "no tool was"
            raise ValueError(f"the tool {self.name!r} was not called; {called}")
        return json_in(arguments) if isinstance(arguments, str) else arguments

    def follow(self) -> Callable[[Any], str]:
        """Return what gives the JSON text in each piece of one streamed answer."""
        index: list[Any] = []

        def text_in(piece: Any) -> str:
            if not isinstance(piece, AIMessageChunk) or not piece.tool_call_chunks:
                # A call that comes whole.
                return self.text_of(piece) if not index and piece.tool_calls else ""
            if not index:
                index.extend(call.get("index") for call in piece.tool_call_chunks if call.get("name") == self.name)
            ours = [call for call in piece.tool_call_chunks if index and call.get("index") == index[0]]
            return "".join(call.get("args") or "" for call in ours)

        return text_in

    def turns(self, answer: AIMessage, problem: str) -> list[Message]:
        """Return the messages that show a model its wrong answer and say what is wrong with it."""
        calls = _calls_of(answer)
        if not calls:
            return [answer, HumanMessage(problem)]
        # Every call must have its result, or OpenAI's API refuses the conversation.
        results = [ToolMessage(problem, tool_call_id=call.get("id") or "", status="error") for call in calls]
        return [answer, *results]


def _calls_of(answer: AIMessage) -> list[dict[str, Any]]:
    """Return all tool calls of an answer, also those whose arguments are no JSON object."""
    return [*answer.tool_calls, *answer.invalid_tool_calls]


Method = TextMethod | ToolMethod


def json_in(text: str) -> Any:
    """Return the JSON in a text, which may have prose or a fence around it.

    Raises:
        ValueError: There is none, or it ends too early.
    """
    reader = JsonReader()
    reader.feed(text)
    try:
        return reader.value() if reader.is_complete else reader.rest()
    except ValueError as error:
        raise ValueError(f"it is no JSON ({error})") from error


def method_for(
    cls: type, hooks: Hooks, schema: OutputSchema, wanted: MethodName | None, strict: bool | None
) -> TextMethod | ToolMethod:
    """Return how a class's models are asked: as `wanted`, else by the best that all of its answering hooks support.

    Raises:
        InputError: There is no such method.
        KeywordError: The hooks do not support it; without `wanted`, they support none.
    """
    if wanted is not None and wanted not in METHODS:
        near = difflib.get_close_matches(str(wanted), METHODS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"{wanted!r} is no method of with_structured_output; known: {', '.join(METHODS)}{hint}")
    answering = _answering(hooks)
    order: Sequence[MethodName] = ("json_schema", "function_calling") if wanted is None else (wanted,)
    for name in order:
        if all(_KEYWORD_OF[name] in hook.supports for hook in answering):
            if name == "function_calling":
                takes_choice = all(hook.takes("tool_choice") for hook in answering)
                return ToolMethod(schema, strict=strict, takes_choice=takes_choice)
            return TextMethod(schema, with_schema=name == "json_schema", strict=strict)
    keywords = [_KEYWORD_OF[name] for name in order]
    either = " or ".join(f"`{keyword}`" for keyword in keywords)
    lacking = [hook.label for hook in answering if keywords[0] not in hook.supports]
    raise KeywordError(
        f"{cls.__name__} can give no structured output{f' by {wanted!r}' if wanted else ''}: not all of its hooks take "
        f"{either}; add a parameter `{keywords[0]}=None` to {', '.join(lacking)}, hand it to what generates, or list "
        f"{keywords[0]!r} in the class's `supports`",
        param=keywords[0],
    )


def _answering(hooks: Hooks) -> list[Hook]:
    """Return the hooks that some way to call goes to, each once."""
    ways = (hooks.answer, hooks.async_answer, hooks.stream, hooks.astream, hooks.many, hooks.async_many)
    return list(dict.fromkeys(hook for hook in ways if hook is not None))
