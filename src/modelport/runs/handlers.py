"""Callback handlers with LangChain's method names and payloads; authors override what they want to hear."""

from __future__ import annotations

from typing import Any


class BaseCallbackHandler:
    """Hears of runs; every method gets `run_id`, `parent_run_id`, `tags` and more as keywords.

    In an async call these methods run inline, on the loop: set `blocking = True` on a handler that blocks, and they
    run in a thread instead.
    """

    raise_error: bool = False
    """True: an exception of this handler breaks the call. False: it is logged once."""
    blocking: bool = False
    """True: in async calls this handler runs in a thread."""
    ignore_llm: bool = False
    """True: hear nothing of text models."""
    ignore_chat_model: bool = False
    """True: hear nothing of chat models."""
    ignore_chain: bool = False
    """True: hear nothing of chains, prompts and parsers."""
    ignore_retry: bool = False
    """True: hear nothing of retries."""

    def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], **kwargs: Any) -> Any:
        """Hear that a text model starts; `invocation_params`, `options`, `metadata`, `name` are keywords."""

    def on_chat_model_start(self, serialized: dict[str, Any], messages: list[list[Any]], **kwargs: Any) -> Any:
        """Hear that a chat model starts; not overridden, `on_llm_start` hears of it with flattened messages."""
        raise NotImplementedError

    def on_llm_new_token(self, token: str, *, chunk: Any = None, **kwargs: Any) -> Any:
        """Hear one non-empty piece of text, just before the consumer gets it."""

    def on_llm_end(self, response: Any, **kwargs: Any) -> Any:
        """Hear a model's whole answer (`LLMResult`); `llm_output["cancelled"]` says that it was cut short."""

    def on_llm_error(self, error: BaseException, **kwargs: Any) -> Any:
        """Hear that a model failed; `response` has what was produced before."""

    def on_chain_start(self, serialized: dict[str, Any], inputs: Any, **kwargs: Any) -> Any:
        """Hear that a chain, prompt or parser starts (`run_type` says which)."""

    def on_chain_end(self, outputs: Any, **kwargs: Any) -> Any:
        """Hear what a chain, prompt or parser gave."""

    def on_chain_error(self, error: BaseException, **kwargs: Any) -> Any:
        """Hear that a chain, prompt or parser failed."""

    def on_retry(self, retry_state: Any, **kwargs: Any) -> Any:
        """Hear that a failed call is made again."""


class AsyncCallbackHandler(BaseCallbackHandler):
    """Hears of runs with `async def` methods; in sync calls they run on the background loop, in order."""

    async def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], **kwargs: Any) -> None:
        """Hear that a text model starts."""

    async def on_chat_model_start(self, serialized: dict[str, Any], messages: list[list[Any]], **kwargs: Any) -> Any:
        """Hear that a chat model starts; not overridden, `on_llm_start` hears of it."""
        raise NotImplementedError

    async def on_llm_new_token(self, token: str, *, chunk: Any = None, **kwargs: Any) -> None:
        """Hear one non-empty piece of text, just before the consumer gets it."""

    async def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        """Hear a model's whole answer."""

    async def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
        """Hear that a model failed."""

    async def on_chain_start(self, serialized: dict[str, Any], inputs: Any, **kwargs: Any) -> None:
        """Hear that a chain, prompt or parser starts."""

    async def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        """Hear what a chain, prompt or parser gave."""

    async def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
        """Hear that a chain, prompt or parser failed."""

    async def on_retry(self, retry_state: Any, **kwargs: Any) -> None:
        """Hear that a failed call is made again."""
