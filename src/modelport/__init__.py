"""modelport: write one method, get every face that people call models through.

Names are loaded on first use: `import modelport` imports neither pydantic nor a web framework.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from modelport._version import __version__

if TYPE_CHECKING:
    from modelport.engine.cache import Cache as Cache
    from modelport.engine.loop_local import loop_local as loop_local
    from modelport.engine.memory_cache import LRUCache as LRUCache
    from modelport.engine.sqlite_cache import SQLiteCache as SQLiteCache
    from modelport.gateway import create_app as create_app
    from modelport.gateway.openai_client import to_async_openai_client as to_async_openai_client
    from modelport.gateway.openai_client import to_openai_client as to_openai_client
    from modelport.models.chat import ChatModel as ChatModel
    from modelport.models.embedding import EmbeddingModel as EmbeddingModel
    from modelport.models.handler import CustomLLM as CustomLLM
    from modelport.models.image import ImageModel as ImageModel
    from modelport.models.llm import LLM as LLM
    from modelport.registry.providers import get_llm_provider as get_llm_provider
    from modelport.registry.providers import register as register
    from modelport.runnables.base import Runnable as Runnable
    from modelport.runnables.branch import RunnableBranch as RunnableBranch
    from modelport.runnables.chat_prompts import ChatPromptTemplate as ChatPromptTemplate
    from modelport.runnables.chat_prompts import MessagesPlaceholder as MessagesPlaceholder
    from modelport.runnables.function import RunnableLambda as RunnableLambda
    from modelport.runnables.json_parser import JsonOutputParser as JsonOutputParser
    from modelport.runnables.parallel import RunnableParallel as RunnableParallel
    from modelport.runnables.parsers import StrOutputParser as StrOutputParser
    from modelport.runnables.passthrough import RunnablePassthrough as RunnablePassthrough
    from modelport.runnables.prompts import PromptTemplate as PromptTemplate
    from modelport.runnables.sequence import RunnableSequence as RunnableSequence
    from modelport.runs.config import RunnableConfig as RunnableConfig
    from modelport.runs.handlers import AsyncCallbackHandler as AsyncCallbackHandler
    from modelport.runs.handlers import BaseCallbackHandler as BaseCallbackHandler
    from modelport.runs.llm_run import AsyncCallbackManagerForLLMRun as AsyncCallbackManagerForLLMRun
    from modelport.runs.llm_run import CallbackManagerForLLMRun as CallbackManagerForLLMRun
    from modelport.sdk import acompletion as acompletion
    from modelport.sdk import aembedding as aembedding
    from modelport.sdk import aimage_edit as aimage_edit
    from modelport.sdk import aimage_generation as aimage_generation
    from modelport.sdk import arerank as arerank
    from modelport.sdk import atext_completion as atext_completion
    from modelport.sdk import completion as completion
    from modelport.sdk import embedding as embedding
    from modelport.sdk import image_edit as image_edit
    from modelport.sdk import image_generation as image_generation
    from modelport.sdk import rerank as rerank
    from modelport.sdk import text_completion as text_completion
    from modelport.values.errors import CustomLLMError as CustomLLMError
    from modelport.values.errors import ModelportError as ModelportError
    from modelport.values.errors import ModelTimeoutError as ModelTimeoutError
    from modelport.values.generations import Generation as Generation
    from modelport.values.generations import GenerationChunk as GenerationChunk
    from modelport.values.generations import LLMResult as LLMResult
    from modelport.values.messages import AIMessage as AIMessage
    from modelport.values.messages import AIMessageChunk as AIMessageChunk
    from modelport.values.messages import HumanMessage as HumanMessage
    from modelport.values.messages import SystemMessage as SystemMessage
    from modelport.values.messages import ToolMessage as ToolMessage
    from modelport.values.prompt_values import ChatPromptValue as ChatPromptValue
    from modelport.values.usage import Usage as Usage

_MODULE_OF_NAME = {
    "LLM": "models.llm",
    "ChatModel": "models.chat",
    "EmbeddingModel": "models.embedding",
    "ImageModel": "models.image",
    "Generation": "values.generations",
    "GenerationChunk": "values.generations",
    "LLMResult": "values.generations",
    "Usage": "values.usage",
    "SystemMessage": "values.messages",
    "HumanMessage": "values.messages",
    "AIMessage": "values.messages",
    "AIMessageChunk": "values.messages",
    "ToolMessage": "values.messages",
    "ChatPromptValue": "values.prompt_values",
    "CallbackManagerForLLMRun": "runs.llm_run",
    "AsyncCallbackManagerForLLMRun": "runs.llm_run",
    "BaseCallbackHandler": "runs.handlers",
    "AsyncCallbackHandler": "runs.handlers",
    "RunnableConfig": "runs.config",
    "Runnable": "runnables.base",
    "RunnableSequence": "runnables.sequence",
    "RunnableLambda": "runnables.function",
    "PromptTemplate": "runnables.prompts",
    "ChatPromptTemplate": "runnables.chat_prompts",
    "MessagesPlaceholder": "runnables.chat_prompts",
    "StrOutputParser": "runnables.parsers",
    "JsonOutputParser": "runnables.json_parser",
    "RunnableParallel": "runnables.parallel",
    "RunnablePassthrough": "runnables.passthrough",
    "RunnableBranch": "runnables.branch",
    "Cache": "engine.cache",
    "LRUCache": "engine.memory_cache",
    "SQLiteCache": "engine.sqlite_cache",
    "CustomLLM": "models.handler",
    "register": "registry.providers",
    "get_llm_provider": "registry.providers",
    "completion": "sdk",
    "acompletion": "sdk",
    "text_completion": "sdk",
    "atext_completion": "sdk",
    "embedding": "sdk",
    "aembedding": "sdk",
    "image_generation": "sdk",
    "aimage_generation": "sdk",
    "image_edit": "sdk",
    "aimage_edit": "sdk",
    "rerank": "sdk",
    "arerank": "sdk",
    "create_app": "gateway",
    "to_openai_client": "gateway.openai_client",
    "to_async_openai_client": "gateway.openai_client",
    "loop_local": "engine.loop_local",
    "ModelportError": "values.errors",
    "ModelTimeoutError": "values.errors",
    "CustomLLMError": "values.errors",
}

__all__ = ["__version__", *sorted(_MODULE_OF_NAME)]  # noqa: PLE0604  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF_NAME.get(name)
    if module is None:
        raise AttributeError(f"module 'modelport' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"modelport.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF_NAME})
