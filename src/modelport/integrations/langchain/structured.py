"""`with_structured_output` of a LangChain face: LangChain's own parsers behind what the model is asked by."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

from modelport.values.errors import InputError, KeywordError

METHODS = ("json_schema", "function_calling", "json_mode")
"""How a model may be asked for an object."""


def structured_chat(
    face: Any,
    schema: Any,
    *,
    include_raw: bool,
    method: str | None,
    strict: bool | None,
    **kwargs: Any,
) -> Runnable[LanguageModelInput, Any]:
    """Return a chat model whose answers are objects; see `ChatFace.with_structured_output`."""
    method = chosen_method(face.__modelport_class__, method)
    noted = {"kwargs": {"method": method, "strict": strict}, "schema": schema}
    if method == "function_calling":
        name = convert_to_openai_tool(schema)["function"]["name"]
        asked = face.bind_tools([schema], tool_choice=name, strict=strict, ls_structured_output_format=noted, **kwargs)
        parser: Any = (
            PydanticToolsParser(tools=[schema], first_tool_only=True)
            if _is_model(schema)
            else JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)
        )
    else:
        asked = face.bind(
            response_format=response_format(schema, method, strict), ls_structured_output_format=noted, **kwargs
        )
        parser = PydanticOutputParser(pydantic_object=schema) if _is_model(schema) else JsonOutputParser()
    return with_raw(asked, parser) if include_raw else asked | parser


def structured_text(
    face: Any, schema: Any, *, include_raw: bool, method: str | None, strict: bool | None, **kwargs: Any
) -> Runnable[LanguageModelInput, Any]:
    """Return a text model whose answers are objects; its tool calls are nothing that LangChain's text models have."""
    method = chosen_method(face.__modelport_class__, method, known=("json_schema", "json_mode"))
    asked = face.bind(response_format=response_format(schema, method, strict), **kwargs)
    parser: Any = PydanticOutputParser(pydantic_object=schema) if _is_model(schema) else JsonOutputParser()
    return with_raw(asked, parser) if include_raw else asked | parser


def chosen_method(cls: Any, method: str | None, known: tuple[str, ...] = METHODS) -> str:
    """Return how a model of this class is asked: as the caller says, else by the first keyword that its hooks support.

    Raises:
        KeywordError: The hooks do not support the keyword, or none.
        InputError: There is no such method.
    """
    keywords = {"json_schema": "response_format", "json_mode": "response_format", "function_calling": "tools"}
    hooks = cls.__modelport_hooks__.present.values()
    if method is not None and method not in known:
        raise InputError(f"{method!r} is no method of structured output; use one of: {', '.join(known)}")
    for one in (method,) if method is not None else known:
        if any(keywords[one] in hook.supports for hook in hooks):
            return one
    wanted = keywords[method] if method is not None else " nor ".join(dict.fromkeys(keywords[one] for one in known))
    raise KeywordError(
        f"{cls.__name__} cannot be asked for objects: its hooks do not name {wanted}, and `supports` does not list it",
        param=wanted if method is not None else None,
    )


def response_format(schema: Any, method: str, strict: bool | None) -> dict[str, Any]:
    """Return OpenAI's `response_format` of a schema."""
    if method == "json_mode":
        return {"type": "json_object"}
    described = convert_to_json_schema(schema, strict=strict)
    name = described.pop("title", None) or "answer"
    json_schema: dict[str, Any] = {"name": name, "schema": described}
    if (description := described.pop("description", None)) is not None:
        json_schema["description"] = description
    if strict is not None:
        json_schema["strict"] = strict
    return {"type": "json_schema", "json_schema": json_schema}


def with_raw(asked: Runnable[Any, Any], parser: Runnable[Any, Any]) -> Runnable[LanguageModelInput, Any]:
    """Return what gives `{"raw", "parsed", "parsing_error"}`: a parser's failure is told, not raised."""
    parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=_none)
    failed = RunnablePassthrough.assign(parsed=_none)
    return RunnableMap(raw=asked) | parsed.with_fallbacks([failed], exception_key="parsing_error")


def _none(_: Mapping[str, Any]) -> None:
    return None


def _is_model(schema: Any) -> bool:
    return isinstance(schema, type) and is_basemodel_subclass(schema)
