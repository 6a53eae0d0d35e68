"""Chat prompts: message templates with `{variables}` that become messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, cast

from typing_extensions import override

from modelport.runnables.prompts import Prompt, Template
from modelport.values.errors import InputError
from modelport.values.messages import Message
from modelport.values.prompt_values import ChatPromptValue, message_from


class MessagesPlaceholder:
    """Stands for a list of messages that a call gives."""

    __slots__ = ("optional", "variable_name")

    def __init__(self, variable_name: str, *, optional: bool = False) -> None:
        """Name the variable.

        Args:
            variable_name: The variable that holds the messages.
            optional: True: no messages when the variable is missing.
        """
        self.variable_name = variable_name
        """The variable that holds the messages."""
        self.optional = optional
        """Whether the variable may be missing."""

    def __repr__(self) -> str:
        return f"MessagesPlaceholder({self.variable_name!r})"

    def messages(self, values: Mapping[str, Any]) -> list[Message]:
        """Return the messages among the values.

        Raises:
            InputError: The variable is no list of messages.
        """
        given = values.get(self.variable_name, []) if self.optional else values[self.variable_name]
        if isinstance(given, str) or not isinstance(given, Sequence):
            raise InputError(f"the variable {self.variable_name!r} must be a list of messages, not {given!r:.200}")
        return [message_from(one) for one in given]  # pyright: ignore[reportUnknownVariableType]


class _MessageTemplate:
    """Is one message with variables in its text."""

    __slots__ = ("_role", "template")

    def __init__(self, role: str, text: str) -> None:
        message_from((role, ""))  # an unknown role is an error when the prompt is made, not at its first call
        self._role = role
        self.template = Template(text)

    def messages(self, values: Mapping[str, Any]) -> list[Message]:
        return [message_from((self._role, self.template.format(values)))]


class _FixedMessage:
    """Is one message without variables."""

    __slots__ = ("_message",)

    def __init__(self, message: Message) -> None:
        self._message = message

    def messages(self, values: Mapping[str, Any]) -> list[Message]:
        return [self._message]


class ChatPromptTemplate(Prompt[ChatPromptValue]):
    """Is a list of message templates that becomes messages."""

    __slots__ = ("_parts", "messages")

    def __init__(
        self, messages: Sequence[Any], *, partial_variables: Mapping[str, Any] | None = None, name: str | None = None
    ) -> None:
        """Parse message templates.

        Args:
            messages: `(role, template)` pairs, messages, `MessagesPlaceholder`s, or texts (a human's).
            partial_variables: Values given beforehand.
            name: The name that events carry.

        Raises:
            InputError: One of them is none of these, or its template is malformed.
        """
        self.messages = list(messages)
        """What was given."""
        self._parts = [_part(message) for message in messages]
        super().__init__(_variables(self._parts), partial_variables, name)

    @classmethod
    def from_messages(cls, messages: Sequence[Any], **kwargs: Any) -> Self:
        """Return a prompt of message templates (the custom LLM guide)."""
        return cls(messages, **kwargs)

    @classmethod
    def from_template(cls, template: str, **kwargs: Any) -> Self:
        """Return a prompt of one human message."""
        return cls([("human", template)], **kwargs)

    @override
    def __repr__(self) -> str:
        return f"ChatPromptTemplate({self.messages!r})"

    def format_messages(self, **values: Any) -> list[Message]:
        """Return the messages with these variables filled in."""
        return self._fill(self._checked(values)).messages

    def partial(self, **values: Any) -> ChatPromptTemplate:
        """Return this prompt with some variables given beforehand."""
        return ChatPromptTemplate(self.messages, partial_variables={**self.partial_variables, **values}, name=self.name)

    @override
    def _variable_types(self) -> dict[str, tuple[Any, bool]]:
        types = super()._variable_types()
        for part in self._parts:
            if isinstance(part, MessagesPlaceholder) and part.variable_name not in self.partial_variables:
                types[part.variable_name] = (list[Message], not part.optional)
        return types

    @override
    def _fill(self, values: Mapping[str, Any]) -> ChatPromptValue:
        return ChatPromptValue([message for part in self._parts for message in part.messages(values)])


def _part(message: Any) -> Any:
    if isinstance(message, MessagesPlaceholder):
        return message
    if isinstance(message, str):
        return _MessageTemplate("human", message)
    if isinstance(message, tuple) and len(pair := cast("tuple[Any, ...]", message)) == 2:
        role, text = pair
        if role == "placeholder" and isinstance(text, str):
            return MessagesPlaceholder(text.strip("{}"), optional=True)
        if isinstance(text, str) and isinstance(role, str):
            return _MessageTemplate(role, text)
    if isinstance(message, Mapping):
        entry = cast("Mapping[str, Any]", message)
        if isinstance(entry.get("content"), str) and not entry.get("tool_calls"):
            return _MessageTemplate(entry.get("role", ""), entry["content"])
    return _FixedMessage(message_from(message))


def _variables(parts: Sequence[Any]) -> list[str]:
    names: dict[str, None] = {}
    for part in parts:
        if isinstance(part, MessagesPlaceholder) and not part.optional:
            names[part.variable_name] = None
        elif isinstance(part, _MessageTemplate):
            names.update(dict.fromkeys(part.template.variables))
    return list(names)
