"""Requests as templates: any JSON structure whose texts are Jinja2 templates, run in Jinja2's sandbox.

A text that is one expression and nothing else (`"{{ max_tokens }}"`) becomes its value, a number for a number; when
that is not given, or none, its entry is left out. In any other text every name must be given, and not none. In URLs
what is filled in is percent-encoded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, cast
from urllib.parse import quote

import msgspec

from modelport.values.errors import InputError, MissingExtraError

try:
    from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, Undefined, UndefinedError, meta, nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from markupsafe import Markup
except ImportError as error:
    raise MissingExtraError("a request by template", "providers") from error

CACHED_TEMPLATES = 256
"""How many compiled texts are kept."""
_EXPRESSION = re.compile(r"\s*\{\{-?(?P<expression>.*?)-?\}\}\s*", re.DOTALL)
_FAILURES = (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, MemoryError)


class _Left:
    """Is the value of an expression that has none: its entry is left out."""


LEFT_OUT = _Left()
"""What `fill` gives for a text that is one expression without a value."""


def _present(value: Any) -> Any:
    """Return what goes into a text, which is no place for "None".

    Raises:
        UndefinedError: There is no value.
    """
    if value is None:
        raise UndefinedError("what is filled in is none")
    return value


def _percent_encoded(value: Any) -> Any:
    """Return what goes into a URL; the filter `safe` lets a value in as it is; raises as `_present` does."""
    return value if isinstance(value, (Markup, Undefined)) else quote(str(_present(value)), safe="")


def _tojson(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _with_object_arguments(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return OpenAI's messages with the arguments of tool calls as objects, as Ollama wants them."""
    found: list[dict[str, Any]] = []
    for message in messages:
        calls = [
            {"function": {**call["function"], "arguments": msgspec.json.decode(call["function"]["arguments"])}}
            for call in message.get("tool_calls") or ()
        ]
        found.append({**message, "tool_calls": calls} if calls else message)
    return found


@lru_cache(maxsize=2)
def _environment(is_url: bool) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # requests are no HTML
        finalize=_percent_encoded if is_url else _present,
        keep_trailing_newline=True,
    )
    filters: dict[str, Any] = environment.filters
    filters.update(tojson=_tojson, with_object_arguments=_with_object_arguments)
    return environment


class TemplateText:
    """Is one compiled text."""

    __slots__ = ("_evaluate", "_is_expression", "names")

    def __init__(self, text: str, *, is_url: bool) -> None:
        environment = _environment(is_url)
        tree = environment.parse(text)
        self.names = frozenset(meta.find_undeclared_variables(tree))
        """The names that it uses."""
        single = None if is_url else _EXPRESSION.fullmatch(text)
        self._is_expression = single is not None and _is_one_expression(tree)
        self._evaluate: Callable[..., Any]
        if self._is_expression and single is not None:
            self._evaluate = environment.compile_expression(single["expression"], undefined_to_none=False)
        else:
            self._evaluate = environment.from_string(tree).render

    def fill(self, variables: Mapping[str, Any]) -> Any:
        """Return the value of a lone expression (`LEFT_OUT` when it has none), else the text filled in."""
        value = self._evaluate(variables)
        return LEFT_OUT if self._is_expression and (value is None or isinstance(value, Undefined)) else value


def _is_one_expression(tree: nodes.Template) -> bool:
    outputs = [node for node in tree.body if isinstance(node, nodes.Output)]
    if len(outputs) != 1 or len(tree.body) != 1:
        return False
    parts = [node for node in outputs[0].nodes if not _is_blank(node)]
    return len(parts) == 1 and not isinstance(parts[0], nodes.TemplateData)


def _is_blank(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.TemplateData) and not node.data.strip()


@lru_cache(maxsize=CACHED_TEMPLATES)
def compiled(text: str, is_url: bool = False) -> TemplateText:
    """Return a compiled text.

    Raises:
        ValueError: Its syntax is wrong.
    """
    try:
        return TemplateText(text, is_url=is_url)
    except TemplateSyntaxError as error:
        raise ValueError(f"{text!r:.100} is no template: {error.message} (line {error.lineno})") from None


def texts_in(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Yield the texts inside a JSON structure, each with its place (`body.messages[0].content`)."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for name, one in cast("Mapping[Any, Any]", value).items():
            yield from texts_in(one, f"{place}.{name}")
    elif isinstance(value, list):
        for index, one in enumerate(cast("list[Any]", value)):
            yield from texts_in(one, f"{place}[{index}]")


def fill(value: Any, variables: Mapping[str, Any], place: str, *, is_url: bool = False) -> Any:
    """Return a JSON structure with all of its texts filled in; entries without a value are left out.

    Args:
        value: The structure.
        variables: What the templates may use.
        place: Where it stands, for errors.
        is_url: Whether what is filled in is percent-encoded.

    Raises:
        InputError: A template uses a name that is not given, or fails.
    """
    if isinstance(value, str):
        return _filled(value, variables, place, is_url)
    if isinstance(value, Mapping):
        entries = cast("Mapping[str, Any]", value).items()
        filled = {name: fill(one, variables, f"{place}.{name}") for name, one in entries}
        return {name: one for name, one in filled.items() if one is not LEFT_OUT}
    if isinstance(value, list):
        items = [fill(one, variables, f"{place}[{index}]") for index, one in enumerate(cast("list[Any]", value))]
        return [one for one in items if one is not LEFT_OUT]
    return value


def _filled(text: str, variables: Mapping[str, Any], place: str, is_url: bool) -> Any:
    try:
        return compiled(text, is_url).fill(variables)
    except UndefinedError as error:
        raise InputError(f"{place}: {error.message}; give it with the call, or in defaults") from None
    except _FAILURES as error:
        raise InputError(f"{place}: the template failed: {type(error).__name__}: {error}"[:300]) from None
