"""LiteLLM's `litellm.integrations.custom_logger`: the base of its callbacks and proxy hooks.

Classes of it load and can be used by their own code; nothing here calls them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from modelport.integrations.litellm.names import also_offered

__all__ = ["CustomLogger"]


class CustomLogger:
    """Is the base of callbacks: every method does nothing, or hands on what it got."""

    def __init__(self, message_logging: bool = True, **kwargs: Any) -> None:
        self.message_logging = message_logging
        """Whether messages may be logged."""

    def log_pre_api_call(self, model: str, messages: Any, kwargs: Any) -> None:
        """Do nothing before a call."""

    def log_post_api_call(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Do nothing after a call."""

    def log_stream_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Do nothing for a chunk."""

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Do nothing for an answer."""

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Do nothing for an error."""

    async def async_log_pre_api_call(self, model: str, messages: Any, kwargs: Any) -> None:
        """Do nothing before a call."""

    async def async_log_stream_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Do nothing for a chunk."""

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Do nothing for an answer."""

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Do nothing for an error."""

    async def async_pre_call_hook(self, user_api_key_dict: Any, cache: Any, data: Any, call_type: str) -> Any:
        """Return None: the request stays as it is."""

    async def async_moderation_hook(self, data: Any, user_api_key_dict: Any, call_type: str) -> Any:
        """Return None: the request is let through."""

    async def async_post_call_success_hook(self, data: Any, user_api_key_dict: Any, response: Any) -> Any:
        """Return the answer as it is."""
        return response

    async def async_post_call_failure_hook(
        self, request_data: Any, original_exception: Exception, user_api_key_dict: Any, traceback_str: str | None = None
    ) -> Any:
        """Return None: the error stays as it is."""

    async def async_post_call_streaming_hook(self, user_api_key_dict: Any, response: str) -> Any:
        """Return the text as it is."""
        return response

    async def async_post_call_streaming_iterator_hook(
        self, user_api_key_dict: Any, response: Any, request_data: Any
    ) -> AsyncIterator[Any]:
        """Yield the chunks as they are."""
        async for item in response:
            yield item


def __getattr__(name: str) -> Any:
    return also_offered(__name__, name)
