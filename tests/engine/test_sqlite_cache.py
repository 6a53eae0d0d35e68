"""A `SQLiteCache` holds for many threads and processes, is bounded, and survives killed writers."""

from __future__ import annotations

import copy
import gc
import logging
import os
import pickle
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from modelport import ModelportError, SQLiteCache
from modelport.engine import sqlite_cache

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
forks_with_threads = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")

WRITER = """
import sys
from modelport import SQLiteCache
path, name = sys.argv[1:]
cache = SQLiteCache(path, max_bytes=4_000_000, max_entries=50)
step = 0
while True:
    print(step, flush=True)
    key = f"{step % 80}"
    cache.set(key, f"{key}:{name}:{step}|".encode() * 20_000)
    found = cache.get(str((step * 7) % 80))
    step += 1
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "answers.sqlite"


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    times = [1_000_000.0]
    monkeypatch.setattr(sqlite_cache.time, "time", lambda: times[0])
    return times


def whole(value: bytes, key: str) -> bool:
    """Tell whether a writer's value is as it was set."""
    piece = value.split(b"|")[0]
    return piece.startswith(f"{key}:".encode()) and value == (piece + b"|") * 20_000


def test_what_is_set_is_found_by_this_and_other_openers(path):
    with SQLiteCache(path) as cache, SQLiteCache(str(path)) as other:
        assert cache.get("key") is None
        cache.set("key", b"\x00one")
        assert (cache.get("key"), other.get("key")) == (b"\x00one", b"\x00one")
        other.set("key", b"two")
        assert cache.get("key") == b"two"
        assert (cache.entries, cache.size_bytes) == (1, 3)
        cache.clear()
        assert (other.get("key"), other.entries, other.size_bytes) == (None, 0, 0)


def test_it_is_there_after_closing_and_opening_again(path):
    with SQLiteCache(path) as cache:
        cache.set("key", b"value")
    assert cache.get("key") == b"value", "a call after close opens the file anew"
    cache.close()
    with SQLiteCache(path) as cache:
        assert cache.get("key") == b"value"


def test_the_least_recently_used_go_first_when_there_are_too_many(path, clock):
    with SQLiteCache(path, max_entries=3) as cache:
        for key in "abc":
            clock[0] += 1
            cache.set(key, b"1")
        clock[0] += sqlite_cache.TOUCH_SECONDS
        assert cache.get("a") == b"1"
        clock[0] += 1
        cache.set("d", b"1")
        assert [cache.get(key) for key in "abcd"] == [b"1", None, b"1", b"1"]
        assert cache.entries == 3


def test_as_many_go_as_the_bytes_ask_for(path, clock):
    with SQLiteCache(path, max_bytes=10) as cache:
        for key in "abcd":
            clock[0] += 1
            cache.set(key, b"12")
        cache.set("e", b"1234567")
        assert [cache.get(key) for key in "abcde"] == [None, None, None, b"12", b"1234567"]
        assert cache.size_bytes == 9
        cache.set("d", b"12345678901")
        assert cache.get("d") is None, "a value longer than the bound is not kept, nor the one before it"
        assert cache.get("e") == b"1234567"


def test_a_read_writes_only_when_the_last_use_is_old(path, clock):
    def last_use():
        with sqlite3.connect(path) as connection:
            ((used_at,),) = connection.execute("SELECT used_at FROM entries").fetchall()
        connection.close()
        return used_at

    with SQLiteCache(path) as cache:
        cache.set("key", b"value")
        start = clock[0]
        clock[0] += sqlite_cache.TOUCH_SECONDS - 1
        cache.get("key")
        assert last_use() == start
        clock[0] += 2
        cache.get("key")
        assert last_use() == clock[0]


def test_a_read_waits_for_no_writer(path, clock):
    other = sqlite3.connect(path, isolation_level=None)
    with SQLiteCache(path) as cache:
        cache.set("key", b"value")
        other.execute("BEGIN IMMEDIATE")
        clock[0] += sqlite_cache.TOUCH_SECONDS + 1
        assert cache.get("key") == b"value"
    other.close()


def test_many_threads_at_once(path):
    with SQLiteCache(path, max_entries=20) as cache:
        start = threading.Barrier(8)

        def work(seed):
            start.wait()
            for step in range(40):
                key = str((step + seed * 5) % 30)
                cache.set(key, key.encode() * 100)
                found = cache.get(str(step % 30))
                assert found in (None, str(step % 30).encode() * 100)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        kept = [value for key in range(30) if (value := cache.get(str(key)))]
        assert cache.entries == len(kept) == 20
        assert cache.size_bytes == sum(map(len, kept))


def test_many_threads_that_open_one_new_file_at_once_make_it_once(path):
    start = threading.Barrier(8)

    def work(number):
        start.wait()
        with SQLiteCache(path) as cache:
            cache.set(str(number), b"1")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    with SQLiteCache(path) as cache:
        assert cache.entries == 8


@pytest.mark.timeout(120)
def test_killed_writers_leave_a_whole_file_and_whole_values(path):
    """Two processes write in a loop and are killed at random moments, round after round."""
    chance, rows = random.Random(), []
    for number in range(24):
        writers = [
            subprocess.Popen([sys.executable, "-c", WRITER, str(path), f"{number}.{one}"], stdout=subprocess.PIPE)
            for one in range(2)
        ]
        for writer in writers:
            assert writer.stdout is not None
            for _ in range(chance.randrange(1, 20)):
                writer.stdout.readline()
        for _ in range(chance.randrange(1_000_000)):
            pass  # the kill must not keep step with what the writers print
        for writer in writers:
            writer.kill()
        for writer in writers:
            assert writer.wait() == -signal.SIGKILL
            assert writer.stdout is not None
            writer.stdout.close()
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = connection.execute("SELECT key, value FROM entries").fetchall()
        totals = connection.execute("SELECT entries, size_bytes FROM totals").fetchone()
        connection.close()
        assert all(whole(value, key) for key, value in rows)
        assert totals == (len(rows), sum(len(value) for _, value in rows))
        assert totals[0] <= 50
        assert totals[1] <= 4_000_000
    assert rows
    with SQLiteCache(path) as cache:
        cache.set("after", b"goes on")
        assert cache.get("after") == b"goes on"


@needs_fork
@forks_with_threads
def test_a_forked_child_opens_its_own_handles_and_both_go_on(path):
    cache = SQLiteCache(path)
    cache.set("parent", b"1")
    before = set(cache._connections._idle)
    assert before
    child = os.fork()
    if child == 0:
        code = 1
        try:
            assert cache.get("parent") == b"1"
            cache.set("child", b"2")
            assert not before & set(cache._connections._idle)
            cache.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert cache.get("child") == b"2"
    cache.close()


@needs_fork
@forks_with_threads
def test_a_fork_in_the_middle_of_another_threads_work_blocks_neither(path):
    cache = SQLiteCache(path)
    busy, go_on = threading.Event(), threading.Event()

    def work():
        with cache._connections.one() as connection:
            connection.execute("SELECT 1")
            busy.set()
            go_on.wait()

    thread = threading.Thread(target=work)
    thread.start()
    busy.wait()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            cache.set("child", b"2")
            code = 0 if cache.get("child") == b"2" else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    go_on.set()
    thread.join()
    assert cache.get("child") == b"2"
    cache.close()


def test_only_the_owner_may_read_it(path):
    with SQLiteCache(path) as cache:
        cache.set("key", b"value")
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {path.name: 0o600, f"{path.name}-wal": 0o600, f"{path.name}-shm": 0o600}


def make_text(path):
    path.write_bytes(b"my diary, which is no database at all\n" * 100)


def make_short_text(path):
    path.write_bytes(b"hi")


def make_other_database(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE entries (id)")
    connection.commit()
    connection.close()


def make_newer_version(path):
    SQLiteCache(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 7")
    connection.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (make_text, "is no cache file"),
        (make_short_text, "is no cache file"),
        (make_other_database, "another program's database"),
        (make_newer_version, "has version 7, and this modelport reads version 1"),
    ],
)
def test_a_file_that_is_something_else_is_refused_by_its_path_and_left_as_it_is(path, make, message):
    make(path)
    before = path.read_bytes()
    with pytest.raises(ModelportError, match=message) as caught:
        SQLiteCache(path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ModelportError, match=r"the folder of the cache .* does not exist"):
        SQLiteCache(tmp_path / "missing" / "cache.sqlite")


def test_a_path_that_is_a_folder_is_refused(tmp_path):
    with pytest.raises(ModelportError, match="cannot be opened"):
        SQLiteCache(tmp_path)


def test_an_empty_file_becomes_a_cache(path):
    path.touch()
    with SQLiteCache(path) as cache:
        cache.set("key", b"value")
        assert cache.get("key") == b"value"


def test_a_damaged_file_breaks_no_call_and_is_told_of_once(path, caplog):
    with SQLiteCache(path) as cache:
        cache.set("key", b"secret answer")
    path.write_bytes(b"secret answer" * 1000)
    with caplog.at_level(logging.WARNING, "modelport.cache"):
        for _ in range(3):
            assert cache.get("key") is None
            cache.set("key", b"secret answer")
        assert (cache.entries, cache.size_bytes) == (0, 0)
    assert [record.getMessage() for record in caplog.records] == [
        f"the cache {str(path)!r} could not be read: InputError",
        f"the cache {str(path)!r} could not be written: InputError",
    ]


def test_a_file_that_is_locked_for_too_long_breaks_no_call(path, monkeypatch, caplog):
    monkeypatch.setattr(sqlite_cache, "BUSY_SECONDS", 0.01)
    other = sqlite3.connect(path, isolation_level=None)
    with SQLiteCache(path) as cache:
        cache.set("key", b"before")
        other.execute("BEGIN IMMEDIATE")
        cache.set("key", b"after")
        assert cache.get("key") == b"before"
        with pytest.raises(ModelportError, match="could not be cleared"):
            cache.clear()
        other.execute("ROLLBACK")
        cache.set("key", b"after")
        assert cache.get("key") == b"after"
    other.close()
    assert "could not be written: OperationalError" in caplog.text


def test_a_disk_that_is_full_breaks_no_call_and_leaves_the_entry_as_it_was(path, caplog):
    with SQLiteCache(path) as cache:
        cache.set("key", b"before")
        with cache._connections.one() as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages + 1}")  # SQLite then answers as on a full disk
        cache.set("key", b"after" * 10_000)
        assert cache.get("key") == b"before"
    assert "could not be written: OperationalError" in caplog.text


def test_a_pickle_and_a_copy_are_the_same_file(path):
    with SQLiteCache(path, max_bytes=1000, max_entries=5) as cache:
        cache.set("key", b"value")
        assert copy.deepcopy(cache) is cache
        with pickle.loads(pickle.dumps(cache)) as again:
            assert (again.path, again.max_bytes, again.max_entries) == (str(path), 1000, 5)
            assert again.get("key") == b"value"


def test_a_forgotten_cache_closes_its_handles(path):
    cache = SQLiteCache(path)
    cache.set("key", b"value")
    (connection,) = cache._connections._idle
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        del cache
        gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_a_process_that_ends_without_closing_says_nothing(path):
    code = "import sys; from modelport import SQLiteCache; c = SQLiteCache(sys.argv[1]); c.set('key', b'1')"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code, str(path)], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
    assert [file.name for file in path.parent.iterdir()] == [path.name], "the write-ahead log was folded in"
