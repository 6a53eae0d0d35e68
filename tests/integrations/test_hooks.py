"""What LiteLLM's proxy hooks and callbacks import: their classes load and do what their code needs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from modelport.integrations.litellm._logging import verbose_logger, verbose_proxy_logger
from modelport.integrations.litellm.caching import dual_cache
from modelport.integrations.litellm.caching.dual_cache import DualCache
from modelport.integrations.litellm.integrations.custom_logger import CustomLogger
from modelport.integrations.litellm.litellm_core_utils.litellm_logging import Logging
from modelport.integrations.litellm.llms.base import BaseLLM
from modelport.integrations.litellm.proxy._types import UserAPIKeyAuth
from modelport.registry.loader import load_object
from modelport.registry.provider import is_handler

if TYPE_CHECKING:
    import pytest

HOOK = """
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy.proxy_server import DualCache, UserAPIKeyAuth
from litellm._logging import verbose_proxy_logger

class MyHook(CustomLogger):
    async def async_pre_call_hook(self, user_api_key_dict: UserAPIKeyAuth, cache: DualCache, data: dict, call_type):
        verbose_proxy_logger.debug("called")
        data["user"] = user_api_key_dict.user_id
        return data

hook = MyHook()
"""


async def test_a_hooks_file_loads_and_runs(tmp_path: Any) -> None:
    (tmp_path / "my_hook.py").write_text(HOOK)
    hook = load_object("my_hook.hook", tmp_path)
    changed = await hook.async_pre_call_hook(UserAPIKeyAuth(user_id="me"), DualCache(), {}, "completion")
    assert changed == {"user": "me"}


async def test_the_base_of_hooks_changes_nothing() -> None:
    base = CustomLogger()
    assert await base.async_pre_call_hook(None, None, {}, "completion") is None
    assert await base.async_moderation_hook({}, None, "completion") is None
    assert await base.async_post_call_success_hook({}, None, "answer") == "answer"
    assert await base.async_post_call_streaming_hook(None, "text") == "text"
    assert await base.async_post_call_failure_hook({}, ValueError(), None) is None

    async def chunks() -> Any:
        yield 1
        yield 2

    assert [chunk async for chunk in base.async_post_call_streaming_iterator_hook(None, chunks(), {})] == [1, 2]
    events = ["log_stream_event", "log_success_event", "log_failure_event", "log_post_api_call"]
    for name in events:
        arguments: list[Any] = [{}, None, 0, 1]
        assert getattr(base, name)(*arguments) is None
        if not name.endswith("call"):
            assert await getattr(base, f"async_{name}")(*arguments) is None
    assert base.log_pre_api_call("m", [], {}) is None
    assert await base.async_log_pre_api_call("m", [], {}) is None


async def test_the_cache_keeps_counts_and_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(dual_cache.time, "monotonic", lambda: now[0])
    cache = DualCache(default_in_memory_ttl=60)
    cache.set_cache("a", 1)
    await cache.async_set_cache("b", 2, ttl=5)
    assert await cache.async_increment_cache("a", 2) == 3
    assert cache.increment_cache("new", 1.5) == 1.5
    now[0] += 5
    assert (cache.get_cache("a"), await cache.async_get_cache("b")) == (3, None)
    cache.delete_cache("a")
    await cache.async_delete_cache("new")
    assert (cache.get_cache("a"), cache.get_cache("new")) == (None, None)
    cache.set_cache("c", 1)
    cache.flush_cache()
    assert cache.get_cache("c") is None


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dual_cache, "MAX_ENTRIES", 2)
    cache = DualCache()
    for key in "abc":
        cache.set_cache(key, key)
        cache.get_cache("a")
    assert [cache.get_cache(key) for key in "abc"] == ["a", None, "c"]


def test_who_calls_has_litellms_fields_and_any_other() -> None:
    fields: dict[str, Any] = {"api_key": "hash", "user_id": "me", "max_budget": 3}
    caller = UserAPIKeyAuth(**fields)
    assert (caller.user_id, caller.team_id, caller["max_budget"]) == ("me", None, 3)


def test_loggers_have_litellms_names() -> None:
    assert verbose_logger is logging.getLogger("LiteLLM")
    assert verbose_proxy_logger is logging.getLogger("LiteLLM Proxy")


def test_the_logging_object_takes_what_handlers_do_with_it() -> None:
    logged = Logging()
    logged.model_call_details["x"] = 1
    assert logged.pre_call(input="x", api_key="y", additional_args={}) is None
    assert logged.post_call(original_response="x") is None


def test_a_class_of_base_llm_with_a_handlers_method_is_a_handler() -> None:
    class Old(BaseLLM):
        def completion(self, *args: Any, **kwargs: Any) -> str:
            return "old"

    assert is_handler(Old())
    assert not is_handler(BaseLLM())
