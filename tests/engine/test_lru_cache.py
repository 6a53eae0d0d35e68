"""An `LRUCache` keeps what a simple list of the last uses would keep, whatever is done to it."""

from __future__ import annotations

import copy
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import modelport
from modelport import Cache, LRUCache, ModelportError
from modelport.engine.memory_cache import process_cache

keys = st.sampled_from("abcdef")
operations = st.lists(
    st.one_of(
        st.tuples(st.just("set"), keys, st.binary(max_size=12)),
        st.tuples(st.just("get"), keys),
        st.tuples(st.just("clear")),
    ),
    max_size=60,
)


class Reference:
    """Is a list of (key, value), the least recently used first."""

    def __init__(self, max_entries, max_bytes):
        self.max_entries, self.max_bytes = max_entries, max_bytes
        self.uses = []

    def get(self, key):
        for place, (known, value) in enumerate(self.uses):
            if known == key:
                self.uses.append(self.uses.pop(place))
                return value
        return None

    def set(self, key, value):
        self.uses = [use for use in self.uses if use[0] != key]
        if len(value) <= self.max_bytes:
            self.uses.append((key, value))
        while len(self.uses) > self.max_entries or self.size_bytes > self.max_bytes:
            self.uses.pop(0)

    def clear(self):
        self.uses = []

    @property
    def size_bytes(self):
        return sum(len(value) for _, value in self.uses)


@given(st.integers(1, 4), st.integers(1, 30), operations)
@example(1, 1, [("set", "a", b""), ("set", "a", b"xx"), ("get", "a")])
@example(2, 30, [("set", "a", b"1"), ("set", "b", b"2"), ("get", "a"), ("set", "c", b"3"), ("get", "b"), ("get", "a")])
def test_it_keeps_what_the_list_of_last_uses_keeps(max_entries, max_bytes, todo):
    cache, reference = LRUCache(max_entries, max_bytes), Reference(max_entries, max_bytes)
    for name, *arguments in todo:
        assert getattr(cache, name)(*arguments) == getattr(reference, name)(*arguments)
        assert cache.entries == len(reference.uses) <= max_entries
        assert cache.size_bytes == reference.size_bytes <= max_bytes


def test_a_value_longer_than_the_bound_is_not_kept_and_drops_nothing_but_its_key():
    cache = LRUCache(max_bytes=4)
    cache.set("other", b"12")
    cache.set("long", b"1")
    cache.set("long", b"12345")
    assert cache.get("long") is None
    assert cache.get("other") == b"12"


def test_many_threads_leave_the_bounds_and_the_count_right():
    cache = LRUCache(max_entries=20, max_bytes=300)
    start = threading.Barrier(8)

    def work(seed):
        start.wait()
        for step in range(2_000):
            key = str((step * 7 + seed * 13) % 50)
            found = cache.get(key)
            assert found is None or found == key.encode() * (len(found) // len(key))
            cache.set(key, key.encode() * (step % 9))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    kept = [value for key in range(50) if (value := cache.get(str(key))) is not None]
    assert cache.entries == len(kept) <= 20
    assert cache.size_bytes == sum(map(len, kept)) <= 300


def test_a_pickle_carries_the_bounds_and_no_answer():
    cache = LRUCache(max_entries=3, max_bytes=70)
    cache.set("key", b"what nobody else may read")
    pickled = pickle.dumps(cache)
    assert b"nobody else" not in pickled
    again = pickle.loads(pickled)
    assert (again.max_entries, again.max_bytes, again.entries, again.size_bytes) == (3, 70, 0, 0)
    again.set("key", b"1")
    assert again.get("key") == b"1"


def test_copies_of_a_model_share_the_cache():
    cache = LRUCache()
    assert copy.copy(cache) is cache
    assert copy.deepcopy({"cache": cache})["cache"] is cache


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_goes_on_although_a_thread_of_the_parent_held_the_lock():
    cache = LRUCache(max_bytes=100)
    cache.set("key", b"value")
    held, release = threading.Event(), threading.Event()

    def hold():
        with cache._lock:
            cache._size_bytes = 77  # as between two steps of a change
            held.set()
            release.wait()
            cache._size_bytes = 5

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            cache.set("more", b"12")
            code = 0 if (cache.get("key"), cache.size_bytes) == (b"value", 7) else 2
        finally:
            os._exit(code)
    release.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert cache.size_bytes == 5


@pytest.mark.parametrize("bounds", [{"max_entries": 0}, {"max_bytes": -1}, {"max_entries": True}, {"max_bytes": 1.5}])
def test_a_bound_that_is_no_int_of_at_least_1_is_refused_by_name(bounds):
    ((name, value),) = bounds.items()
    with pytest.raises(ModelportError, match=rf"LRUCache\({name}=…\) must be an int of at least 1, not {value!r}"):
        LRUCache(**bounds)


def test_the_process_has_one_cache():
    assert process_cache() is process_cache()
    assert isinstance(process_cache(), LRUCache)


def test_it_never_blocks_and_a_cache_of_ones_own_is_taken_to_block():
    class Own(Cache):
        def get(self, key):
            return None

        def set(self, key, value):
            pass

        def clear(self):
            pass

    assert LRUCache.blocks is False
    assert Own().blocks is True
    assert modelport.Cache is Cache


def test_a_cache_without_its_methods_cannot_be_made():
    class Half(Cache):
        def get(self, key):
            return None

    with pytest.raises(TypeError, match="abstract"):
        Half()  # pyright: ignore[reportAbstractUsage]
