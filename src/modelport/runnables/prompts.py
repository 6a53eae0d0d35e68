"""Prompts: templates with `{variables}` that become a text or messages."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self, cast

from typing_extensions import override

from modelport.runnables.base import Out, Runnable
from modelport.runnables.observed import aobserve, observe
from modelport.runs.config import RunnableConfig
from modelport.runs.scope import scope_of
from modelport.values.errors import InputError
from modelport.values.prompt_values import StringPromptValue

_FORMATTER = string.Formatter()


class Template:
    """Is one f-string-like text: `{name}` stands for a variable, `{{` for a brace."""

    __slots__ = ("_parts", "text", "variables")

    def __init__(self, text: str) -> None:
        """Parse a template.

        Raises:
            InputError: The braces do not match, or a variable has no name.
        """
        self.text = text
        """The template as it was given."""
        try:
            parsed = list(_FORMATTER.parse(text))
        except ValueError as error:
            raise InputError(
                f"the template {text!r:.200} is malformed: {error}; write {{{{ for a literal brace"
            ) from None
        self._parts: list[tuple[str, str | None, str, str | None]] = []
        for literal, field, spec, conversion in parsed:
            if field is not None and not field.isidentifier():
                raise InputError(
                    f"the template {text!r:.200} has a variable {field!r}, no name; write {{{{ for a literal brace"
                )
            self._parts.append((literal, field, spec or "", conversion))
        self.variables: tuple[str, ...] = tuple(dict.fromkeys(part[1] for part in self._parts if part[1] is not None))
        """The names that it needs, in order."""

    def format(self, values: Mapping[str, Any]) -> str:
        """Return the text with values in place of variables; all of them must be there."""
        pieces: list[str] = []
        for literal, field, spec, conversion in self._parts:
            pieces.append(literal)
            if field is not None:
                value = values[field]
                if conversion is not None:
                    value = _FORMATTER.convert_field(value, conversion)
                pieces.append(format(value, spec) if spec or type(value) is not str else value)
        return "".join(pieces)


class Prompt(Runnable[Any, Out]):
    """Is the part that prompts share: which variables they need, and checking that they are there."""

    __slots__ = ("input_variables", "name", "partial_variables")
    __modelport_kind__: ClassVar[str] = "prompt"

    def __init__(self, variables: Sequence[str], partial_variables: Mapping[str, Any] | None, name: str | None) -> None:
        self.partial_variables: dict[str, Any] = dict(partial_variables or {})
        """Values given beforehand; a call's own win."""
        self.input_variables = [variable for variable in variables if variable not in self.partial_variables]
        """The names that a call has to give."""
        self.name = name
        """The name that events carry; the class's name when None."""

    @property
    @override
    def scopes_its_code(self) -> bool:
        return True

    @property
    @override
    def InputType(self) -> Any:
        from modelport.runnables.schemas import object_schema

        return object_schema("PromptInput", self._variable_types())

    def _variable_types(self) -> dict[str, tuple[Any, bool]]:
        """Return each variable's type, and whether a call has to give it."""
        return dict.fromkeys(self.input_variables, (str, True))

    def format_prompt(self, **values: Any) -> Out:
        """Return the prompt value with these variables filled in."""
        return self._fill(self._checked(values))

    def _fill(self, values: Mapping[str, Any]) -> Out:
        raise NotImplementedError

    def _checked(self, value: Any) -> Mapping[str, Any]:
        """Return all values of a call.

        Raises:
            InputError: A variable is missing; the message names it and the ones given.
        """
        if not isinstance(value, Mapping):
            if len(self.input_variables) != 1:
                raise InputError(
                    f"{self.get_name()} needs a dict with {_names(self.input_variables)}, not {value!r:.200}"
                )
            value = {self.input_variables[0]: value}
        given = cast("Mapping[str, Any]", value)
        values = {**self.partial_variables, **given} if self.partial_variables else given
        for variable in self.input_variables:
            if variable not in values:
                raise InputError(
                    f"{self.get_name()} misses the variable {variable!r}; given: {_names(values)}; "
                    f"write {{{{{variable}}}}} for literal braces"
                )
        return values

    @override
    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        scope = scope_of(config)
        if scope is None or not scope.listeners:
            return self._fill(self._checked(input))
        return observe(self, "prompt", scope, input, lambda _: self._fill(self._checked(input)))

    @override
    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        scope = scope_of(config)
        if scope is None or not scope.listeners:
            return self._fill(self._checked(input))

        async def work(_: Any) -> Out:
            return self._fill(self._checked(input))

        return await aobserve(self, "prompt", scope, input, work)


def _names(names: Any) -> str:
    return ", ".join(repr(name) for name in names) or "nothing"


class PromptTemplate(Prompt[StringPromptValue]):
    """Is a template that becomes one text."""

    __slots__ = ("_template",)

    def __init__(
        self,
        template: str,
        *,
        input_variables: Sequence[str] | None = None,
        partial_variables: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        """Parse a template.

        Args:
            template: The text with `{variables}`.
            input_variables: Accepted for LangChain's sake; the template says which there are.
            partial_variables: Values given beforehand.
            name: The name that events carry.
        """
        self._template = Template(template)
        super().__init__(self._template.variables, partial_variables, name)

    @classmethod
    def from_template(cls, template: str, **kwargs: Any) -> Self:
        """Return a prompt of a template."""
        return cls(template, **kwargs)

    @property
    def template(self) -> str:
        """The text with `{variables}`."""
        return self._template.text

    @override
    def __repr__(self) -> str:
        return f"PromptTemplate({self.template!r})"

    def format(self, **values: Any) -> str:
        """Return the text with these variables filled in."""
        return self._template.format(self._checked(values))

    def partial(self, **values: Any) -> PromptTemplate:
        """Return this prompt with some variables given beforehand."""
        return PromptTemplate(self.template, partial_variables={**self.partial_variables, **values}, name=self.name)

    @override
    def _fill(self, values: Mapping[str, Any]) -> StringPromptValue:
        return StringPromptValue(self._template.format(values))
