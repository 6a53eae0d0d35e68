"""`from_langchain`: LangChain's models, embeddings and chains as models of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast, overload

from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.runnables import Runnable as LangChainRunnable
from pydantic import BaseModel

from modelport.integrations.langchain.faces import HELD
from modelport.integrations.langchain.foreign_calls import bound_configs, unbound
from modelport.integrations.langchain.foreign_classes import class_for
from modelport.models.base import AuthoredModel
from modelport.values.errors import InputError

if TYPE_CHECKING:
    from modelport.models.chat import ChatModel
    from modelport.models.embedding import EmbeddingModel
    from modelport.models.llm import LLM


@overload
def from_langchain(model: BaseLLM, **fields: Any) -> LLM: ...
@overload
def from_langchain(model: BaseChatModel, **fields: Any) -> ChatModel: ...
@overload
def from_langchain(model: Embeddings, **fields: Any) -> EmbeddingModel: ...
@overload
def from_langchain(model: Any, **fields: Any) -> Any: ...
def from_langchain(model: Any, **fields: Any) -> Any:
    """Return the model of a LangChain object; it has every face, and keeps the guarantees that LangChain's does not.

    What `to_langchain` made of a model of ours is that model again.

    Args:
        model: A text model (`LLM`, `BaseLLM`), a chat model, embeddings, a binding of a model, or a chain
            (`prompt | chat | parser`, a `RunnableLambda` …). A chain whose input is messages becomes a chat model; any
            other a text model, which gives the text as the chain's one variable.
        **fields: Our framework's fields: `max_concurrency`, `cache`, `chat_template`, … With `max_batch_size` a text
            model's own `_generate` gets so many prompts at once.

    Raises:
        InputError: It is none of these.
        TypeError: A field is none of the framework's; the message names the nearest.
        ValueError: A field's value is wrong; the message names the field.
    """
    known: Any = getattr(model, HELD, None)
    if isinstance(known, AuthoredModel):
        return known.with_params(**fields) if fields else known
    made = model_or_none(model, fields)
    if made is None:
        what = f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"
        raise InputError(
            f"from_langchain takes an instance of LangChain's LLM, BaseChatModel, Embeddings or Runnable, not {what}"
        )
    return made


def model_or_none(value: Any, fields: Mapping[str, Any]) -> Any | None:
    """Return the model of a LangChain object; None: it is none that can answer."""
    if isinstance(value, type):
        return None
    inner = unbound(value).model
    if isinstance(inner, (BaseLLM, BaseChatModel)):
        made = class_for(value, batches=fields.get("max_batch_size") is not None)
        return made(langchain_model=value, **{**_fields_of(value), **fields})
    if isinstance(value, Embeddings):
        from modelport.integrations.langchain.foreign_embeddings import embedding_class_for

        return embedding_class_for(value)(langchain_model=value, **fields)
    if isinstance(value, LangChainRunnable):
        from modelport.integrations.langchain.foreign_chains import chain_model

        return chain_model(cast("LangChainRunnable[Any, Any]", value), {**_fields_of(value), **fields})
    return None


def _fields_of(value: Any) -> dict[str, Any]:
    """Return our fields for what a LangChain object says of its runs: its own name, tags and metadata."""
    inner = unbound(value).model
    tags: list[str] = list(getattr(inner, "tags", None) or ()) if isinstance(inner, BaseModel) else []
    metadata: dict[str, Any] = dict(getattr(inner, "metadata", None) or {}) if isinstance(inner, BaseModel) else {}
    metadata.pop("lc_versions", None)
    name: Any = getattr(inner, "name", None)
    callbacks: Any = None
    for config in bound_configs(value):
        tags += config.get("tags") or ()
        metadata.update(config.get("metadata") or {})
        name = config.get("run_name") or name
        callbacks = config.get("callbacks") or callbacks
    found: dict[str, Any] = {"name": name, "tags": tags, "metadata": metadata, "callbacks": callbacks}
    return {key: one for key, one in found.items() if one}
