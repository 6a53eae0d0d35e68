"""Chat templates in Jinja2, as model repositories publish them (`tokenizer_config.json`, `chat_template.jinja`).

They see what Hugging Face's `apply_chat_template` gives them: `messages`, `add_generation_prompt` (true), `bos_token`,
`eos_token`, `tools` and `documents` (none), `raise_exception`, `strftime_now`, `tojson` without HTML escapes, the tags
`break`, `continue` and `generation`. They run in Jinja2's sandbox: no attribute with an underscore, no change of what
they are given, no endless `range`. A template is still the author's program, never a caller's: it can be slow.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn, cast

from modelport.values.errors import InputError, MissingExtraError
from modelport.values.messages import AIMessage, Message, ToolMessage

try:
    from jinja2 import TemplateError, TemplateSyntaxError, nodes
    from jinja2.exceptions import SecurityError
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment
except ImportError as error:
    raise MissingExtraError("a Jinja2 chat_template", "templates") from error

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.parser import Parser
    from jinja2.runtime import Context

CACHED_TEMPLATES = 64
"""How many compiled templates are kept."""
MAX_PRODUCT = 1_000_000
"""How many items a repeated text or list may have, and how many bits a power."""


class _Refusal(Exception):  # noqa: N818 - what a template says of the messages, not a failure of it
    """Carries what a template's `raise_exception` says."""


class _GenerationTag(Extension):
    """Knows `{% generation %}…{% endgeneration %}`, which marks answers for training and prints what it contains."""

    tags = {"generation"}  # noqa: RUF012 - the attribute is Jinja2's

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """Return the nodes inside of the tag."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Environment(ImmutableSandboxedEnvironment):
    """Is Jinja2's sandbox, with a bound on powers and repetitions: `**` and `*` would compute them at any length."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Return a product or a power.

        Raises:
            SecurityError: It would be too long.
        """
        size = 0
        if operator == "*":
            for many, times in ((left, right), (right, left)):
                if isinstance(many, (str, list, tuple)) and isinstance(times, int):
                    size = len(cast("Sequence[Any]", many)) * times
        elif isinstance(left, int) and isinstance(right, int):
            size = left.bit_length() * right
        if size > MAX_PRODUCT:
            raise SecurityError(f"the result of {operator} would be longer than {MAX_PRODUCT}")
        return super().call_binop(context, operator, left, right)

    def unsafe_undefined(self, obj: Any, attribute: str) -> NoReturn:
        """Refuse an attribute at once; Jinja2's own would print as nothing.

        Raises:
            SecurityError: Always.
        """
        raise SecurityError(f"access to attribute {attribute!r} of {type(obj).__name__!r} object is unsafe")


def _raise_exception(message: str) -> NoReturn:
    raise _Refusal(message)


def _strftime_now(format: str) -> str:
    return datetime.now().strftime(format)  # noqa: DTZ005 - the local date, as published templates expect


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


@lru_cache(maxsize=1)
def _environment() -> _Environment:
    environment = _Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # prompts are no HTML
        extensions=[_GenerationTag, loopcontrols],
    )
    environment.filters["tojson"] = _tojson
    names: dict[str, Any] = environment.globals
    names.update(raise_exception=_raise_exception, strftime_now=_strftime_now)
    return environment


@lru_cache(maxsize=CACHED_TEMPLATES)
def compiled(template: str) -> Template:
    """Return a compiled template.

    Raises:
        InputError: Its syntax is wrong; the message names the line.
    """
    try:
        return _environment().from_string(template)
    except TemplateSyntaxError as error:
        raise InputError(f"chat_template is no Jinja2 template: {error.message} (line {error.lineno})") from error


def render(template: str, messages: Sequence[tuple[Message, str]], bos_token: str, eos_token: str) -> str:
    """Return the prompt that a template makes of messages, each given with its text.

    Raises:
        InputError: The template's syntax is wrong, it refuses these messages, or it fails.
    """
    ready = compiled(template)
    try:
        return ready.render(
            messages=[_entry(message, text) for message, text in messages],
            tools=None,
            documents=None,
            add_generation_prompt=True,
            bos_token=bos_token,
            eos_token=eos_token,
        )
    except _Refusal as error:
        raise InputError(f"chat_template refuses these messages: {error}", param="messages") from None
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise InputError(f"chat_template failed{_line_of(error)}: {what:.300}", param="messages") from error
    except (MemoryError, RecursionError) as error:
        raise InputError(f"chat_template failed: {type(error).__name__}", param="messages") from error


def _entry(message: Message, text: str) -> dict[str, Any]:
    """Return a message as templates expect it: OpenAI's dict, but with tool call arguments as a dict."""
    entry: dict[str, Any] = {"role": message.role, "content": text}
    if message.name:
        entry["name"] = message.name
    if isinstance(message, ToolMessage):
        entry["tool_call_id"] = message.tool_call_id
    if isinstance(message, AIMessage) and message.tool_calls:
        entry["tool_calls"] = [
            {
                "id": call.get("id"),
                "type": "function",
                "function": {"name": call.get("name"), "arguments": call.get("args") or {}},
            }
            for call in message.tool_calls
        ]
    return entry


def _line_of(error: BaseException) -> str:
    """Return ` in line 3`, when the error came out of a template's line."""
    trace, line = error.__traceback__, ""
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = f" in line {trace.tb_lineno}"
        trace = trace.tb_next
    return line
