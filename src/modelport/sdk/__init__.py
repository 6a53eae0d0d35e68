"""The SDK: `completion("provider/model")` and its like, for registered models and handlers.

Names are loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelport.sdk.chat import acompletion as acompletion
    from modelport.sdk.chat import completion as completion
    from modelport.sdk.embeddings import aembedding as aembedding
    from modelport.sdk.embeddings import embedding as embedding
    from modelport.sdk.images import aimage_edit as aimage_edit
    from modelport.sdk.images import aimage_generation as aimage_generation
    from modelport.sdk.images import image_edit as image_edit
    from modelport.sdk.images import image_generation as image_generation
    from modelport.sdk.ranks import arerank as arerank
    from modelport.sdk.ranks import rerank as rerank
    from modelport.sdk.text import atext_completion as atext_completion
    from modelport.sdk.text import text_completion as text_completion

MODULE_OF_NAME = {
    "completion": "chat",
    "acompletion": "chat",
    "text_completion": "text",
    "atext_completion": "text",
    "embedding": "embeddings",
    "aembedding": "embeddings",
    "image_generation": "images",
    "aimage_generation": "images",
    "image_edit": "images",
    "aimage_edit": "images",
    "rerank": "ranks",
    "arerank": "ranks",
}
"""The SDK's functions, by the module that has them."""


def __getattr__(name: str) -> Any:
    module = MODULE_OF_NAME.get(name)
    if module is None:
        raise AttributeError(f"module 'modelport.sdk' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"modelport.sdk.{module}"), name)
    globals()[name] = value
    return value
