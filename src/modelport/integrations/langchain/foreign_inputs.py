"""What a chain of LangChain's wants: messages, a text, or a dict of variables; read off its input schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.runnables import Runnable as LangChainRunnable
from langchain_core.runnables import RunnableGenerator, RunnableLambda, RunnableParallel, RunnableSequence
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.configurable import DynamicRunnable
from langchain_core.runnables.fallbacks import RunnableWithFallbacks

from modelport.integrations.langchain.foreign_calls import unbound
from modelport.integrations.langchain.messages import messages_to_langchain
from modelport.values.errors import InputError
from modelport.values.messages import Message

Schema = Mapping[str, Any]


class Reading(NamedTuple):
    """Is how a chain's input is made of a prompt, or of messages."""

    is_chat: bool
    """Whether it is made of messages; else of a text."""
    text: str | None = None
    """The variable that gets the text, of messages the last one's; None: there is none."""
    messages: str | None = None
    """The variable that gets the messages, those before the last one when there is a text too."""

    def input_of(self, argument: Any) -> Any:
        """Return the chain's input."""
        if not self.is_chat:
            return argument if self.text is None else {self.text: argument}
        given = cast("Sequence[Message]", argument)
        if self.messages is None:
            return messages_to_langchain(given)
        if self.text is None:
            return {self.messages: messages_to_langchain(given)}
        return {self.messages: messages_to_langchain(given[:-1]), self.text: given[-1].text}


def inner_model(value: Any) -> Any | None:
    """Return the model that a retry, fallbacks, a binding or a configurable one call with a call's keywords.

    None: it is a chain.
    """
    while True:
        if isinstance(value, RunnableBindingBase):
            value = cast("RunnableBindingBase[Any, Any]", value).bound
        elif isinstance(value, RunnableWithFallbacks):
            value = cast("RunnableWithFallbacks[Any, Any]", value).runnable
        elif isinstance(value, DynamicRunnable):
            value = cast("DynamicRunnable[Any, Any]", value).default
        else:
            return value if isinstance(value, (BaseLLM, BaseChatModel)) else None


def is_async_only(chain: Any) -> bool:
    """Tell whether a step of a chain has async code only: LangChain refuses to call such a chain synchronously."""
    chain = unbound(chain).model
    if isinstance(chain, RunnableSequence):
        return any(map(is_async_only, cast("RunnableSequence[Any, Any]", chain).steps))
    if isinstance(chain, RunnableParallel):
        return any(map(is_async_only, cast("RunnableParallel[Any]", chain).steps__.values()))
    if isinstance(chain, RunnableLambda):
        return hasattr(chain, "afunc") and not hasattr(chain, "func")  # pyright: ignore[reportUnknownArgumentType]
    return isinstance(chain, RunnableGenerator) and not hasattr(chain, "_transform")  # pyright: ignore[reportUnknownArgumentType]


def reading_of(chain: LangChainRunnable[Any, Any]) -> Reading:
    """Return how a chain's input is made.

    Raises:
        InputError: It has variables that nothing can be given to.
    """
    first: Any = chain
    while isinstance(first, RunnableSequence):
        first = cast("RunnableSequence[Any, Any]", first).first
    model = inner_model(first)
    if model is not None:
        return Reading(isinstance(model, BaseChatModel))
    schema = _schema_of(chain)
    if schema.get("type") == "object" or "properties" in schema:
        return _of_variables(chain, schema)
    return Reading(_takes_messages(schema))


def _schema_of(chain: LangChainRunnable[Any, Any]) -> Schema:
    try:
        schema = chain.get_input_jsonschema()
    except Exception:  # noqa: BLE001 - a type that has no schema: anything may come in
        return {}
    properties: Mapping[str, Schema] = schema.get("properties", {})
    # Steps that all get the whole input say so by this one name.
    return properties["root"] if list(properties) == ["root"] else schema


def _of_variables(chain: LangChainRunnable[Any, Any], schema: Schema) -> Reading:
    properties: Mapping[str, Schema] = schema.get("properties", {})
    required = set(cast("list[str]", schema.get("required", ())))
    listed = [name for name, one in properties.items() if _takes_messages(one)]
    texts = [name for name in properties if name not in listed and name in required]
    texts = texts or [name for name in properties if name not in listed][: 0 if listed else 1]
    many = [name for name in listed if name in required] or listed[:1]
    if len(texts) > 1 or len(many) > 1:
        raise InputError(
            f"{chain.get_name()} needs {', '.join(repr(name) for name in [*many, *texts])}, and a prompt gives one "
            f"text and one list of messages; fill in others by prompt.partial(…), or put a RunnableLambda before it"
        )
    return Reading(bool(many), texts[0] if texts else None, many[0] if many else None)


def _takes_messages(schema: Schema) -> bool:
    """Tell whether a value of a schema may be a list of messages."""
    if schema.get("type") == "array":
        return "$ref" in str(schema.get("items")) or "items" not in schema or not schema["items"]
    options: Sequence[Schema] = schema.get("anyOf", ())
    return any(_takes_messages(one) for one in options)
