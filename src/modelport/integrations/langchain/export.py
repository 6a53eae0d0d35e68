"""`to_langchain`: a modelport model as a genuine LangChain object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast, overload

from modelport.integrations.langchain.face_classes import face_class
from modelport.integrations.langchain.faces import HELD
from modelport.integrations.langchain.foreign_object import langchain_model_of
from modelport.models.base import AuthoredModel
from modelport.models.handler import CustomLLM
from modelport.models.llm import LLM
from modelport.values.errors import InputError

if TYPE_CHECKING:
    from langchain_core import language_models as langchain

    from modelport.models.chat import ChatModel


@overload
def to_langchain(model: LLM, as_chat: Literal[False] | None = None) -> langchain.LLM: ...
@overload
def to_langchain(model: ChatModel | CustomLLM, as_chat: Literal[True] | None = None) -> langchain.BaseChatModel: ...
@overload
def to_langchain(model: Any, as_chat: Literal[True]) -> langchain.BaseChatModel: ...
@overload
def to_langchain(model: Any, as_chat: Literal[False]) -> langchain.LLM: ...
@overload
def to_langchain(model: Any, as_chat: bool | None = None) -> langchain.LLM | langchain.BaseChatModel: ...
def to_langchain(model: Any, as_chat: bool | None = None) -> Any:
    """Return a LangChain model that answers by this one, with all its guarantees.

    Its class is LangChain's, made once for each modelport class, and has the model's name and fields: events, prints
    and traces are those of the same model written for LangChain, and `configurable_fields`, `bind`, `with_retry`,
    caches and serialization work. Setting a field changes the face only; `model` stays as it is.

    Beside the hook's own keywords its calls take `stop`, `include_stop`, `max_tokens`, `n`, `timeout` and
    `first_token_timeout`; `stop`, `max_tokens` and `timeout` are fields too, where the author has none of that name.

    Args:
        model: An `LLM`, a `ChatModel`, or a handler with chat methods (`CustomLLM`).
        as_chat: True: a chat model, which a text model answers by its `chat_template`. False: a text model, of whose
            prompt a chat model gets one human message. None: what the model is.

    Raises:
        InputError: It is no such model.
        MissingExtraError: langchain-core is not installed.
    """
    found = _model_of(model)
    if as_chat in (None, found.__modelport_kind__ == "chat_model") and (was := langchain_model_of(found)) is not None:
        return was
    is_chat = found.__modelport_kind__ == "chat_model" if as_chat is None else as_chat
    return face_class(type(found), as_chat=is_chat)(**{HELD: found})


def _model_of(value: Any) -> AuthoredModel:
    if isinstance(value, AuthoredModel) and value.__modelport_kind__ in ("llm", "chat_model"):
        return value
    if isinstance(value, type):
        name = cast("type[Any]", value).__name__
        raise InputError(f"to_langchain takes a model, not the class {name}; write to_langchain({name}(…))")
    if isinstance(value, CustomLLM):
        from modelport.models.handler_models import HandlerModels

        return HandlerModels(value).model("chat")
    raise InputError(
        f"to_langchain takes an LLM, a ChatModel or a CustomLLM handler, not {_kind(value)}; embedding models go "
        f"through to_langchain_embeddings"
    )


def _kind(value: Any) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"
