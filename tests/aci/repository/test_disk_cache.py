"""The SQLite cache file that threads and processes share: versions, damage, full disks and locks."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from aci.repository.disk_cache import Cache, Damaged, EntryEvicted, add_checksum, cache_folder, remove_checksum
from trajectories.errors import WorkspaceError

SCHEMA = "CREATE TABLE things (key TEXT PRIMARY KEY, value BLOB NOT NULL)"


def _open_cache(path: Path | None, version: int = 1) -> Cache:
    return Cache(path, SCHEMA, version)


def _put(cache: Cache, key: str, value: bytes = b"1") -> None:
    with cache.writing() as write:
        write.execute("INSERT INTO things VALUES (?, ?)", (key, value))


def _keys(cache: Cache) -> list[str]:
    return [key for (key,) in cache.read("SELECT key FROM things ORDER BY key")]


def test_stored_entries_survive_reopening(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "things.sqlite"
    first = _open_cache(path)
    _put(first, "a")
    first.close()
    second = _open_cache(path)
    assert _keys(second) == ["a"]
    second.close()


def test_cache_without_path_is_in_memory() -> None:
    cache = _open_cache(None)
    _put(cache, "a")
    assert _keys(cache) == ["a"]
    assert cache.size() > 0
    cache.close()


def test_error_rolls_back_transaction(tmp_path: Path) -> None:
    cache = _open_cache(tmp_path / "things.sqlite")

    def fail_after_insert() -> None:
        with cache.writing() as write:
            write.execute("INSERT INTO things VALUES ('a', x'')")
            raise KeyError

    with pytest.raises(KeyError):
        fail_after_insert()
    _put(cache, "b")
    assert _keys(cache) == ["b"]
    cache.close()


def test_cache_folder_is_set_by_environment_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SWE_AGENT_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("SWE_AGENT_CACHE")
    assert cache_folder().name == "swe-agent"


@pytest.mark.parametrize(
    "content",
    [b"", b"a text\n" * 1000, b"SQLite format 3\0", bytes(5000), b"SQLite format 3\0" + bytes(range(256)) * 99],
)
def test_file_that_is_no_database_is_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "things.sqlite"
    path.write_bytes(content)
    cache = _open_cache(path)
    assert _keys(cache) == []
    _put(cache, "a")
    cache.close()
    reopened = _open_cache(path)
    assert _keys(reopened) == ["a"]
    reopened.close()


def test_new_version_starts_empty_and_removes_old_file(tmp_path: Path) -> None:
    path = tmp_path / "things.sqlite"
    old = _open_cache(path)
    _put(old, "a")
    old.close()
    new = _open_cache(path, version=2)
    assert _keys(new) == []
    _put(new, "b")
    new.close()
    assert [file.name for file in tmp_path.iterdir()] == ["things.1.sqlite"]
    reopened = _open_cache(path, version=2)
    assert _keys(reopened) == ["b"]
    reopened.close()


def test_old_version_stays_usable_while_open(tmp_path: Path) -> None:
    path = tmp_path / "things.sqlite"
    old = _open_cache(path)
    _put(old, "a")
    new = _open_cache(path, version=2)
    _put(new, "b")
    _put(old, "c")
    assert _keys(old) == ["a", "c"]
    old.close()
    _put(new, "d")
    third = _open_cache(path, version=2)
    assert _keys(third) == _keys(new) == ["b", "d"]
    for cache in (new, third):
        cache.close()


def test_other_files_in_folder_are_not_touched(tmp_path: Path) -> None:
    for name in ("things.old.sqlite", "things.7.txt", "things.²³.sqlite", "thing.9.sqlite"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "things.sqlite").write_text("no database" * 99)
    cache = _open_cache(tmp_path / "things.sqlite")
    _put(cache, "a")
    cache.close()
    assert {file.name for file in tmp_path.iterdir() if file.read_bytes() == b"mine"} == {
        "things.old.sqlite",
        "things.7.txt",
        "things.²³.sqlite",
        "thing.9.sqlite",
    }


def test_folder_at_cache_path_is_reported(tmp_path: Path) -> None:
    (tmp_path / "things.sqlite").mkdir()
    with pytest.raises(WorkspaceError, match="cannot be used") as raised:
        _open_cache(tmp_path / "things.sqlite")
    assert "SWE_AGENT_CACHE" in raised.value.fix


def test_cache_path_below_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be used"):
        _open_cache(tmp_path / "file" / "things.sqlite")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_read_only_folder_is_reported(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(WorkspaceError, match="cannot be used"):
        _open_cache(tmp_path / "things.sqlite")
    tmp_path.chmod(0o700)


def test_full_cache_is_reported_and_entries_are_not_lost(tmp_path: Path) -> None:
    cache = _open_cache(tmp_path / "things.sqlite")
    _put(cache, "a")
    cache.read("PRAGMA max_page_count = 20")
    with pytest.raises(WorkspaceError, match="full"):
        _put(cache, "large", bytes(1_000_000))
    _put(cache, "b")
    assert _keys(cache) == ["a", "b"]
    cache.close()


WRITES_TOO_MUCH = """
import resource, signal, sys
from pathlib import Path
from aci.repository.disk_cache import Cache
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
cache = Cache(Path(sys.argv[1]), "CREATE TABLE things (key TEXT, value BLOB)", 1)
def work():
    with cache.writing() as write:
        write.execute("INSERT INTO things VALUES ('a', ?)", (bytes(5_000_000),))
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
cache.run_repairing(work)
"""


def test_file_size_limit_is_reported(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-c", WRITES_TOO_MUCH, str(tmp_path / "things.sqlite")], capture_output=True, text=True
    )
    assert process.stderr.splitlines()[-1].startswith("aci.repository.disk_cache.CacheUnusable: The cache")


def test_damage_found_in_use_is_repaired_once(tmp_path: Path) -> None:
    cache = _open_cache(tmp_path / "things.sqlite")
    _put(cache, "a")
    calls = 0

    def work() -> list[str]:
        nonlocal calls
        calls += 1
        if keys := _keys(cache):
            raise Damaged(keys)
        return keys

    assert cache.run_repairing(work) == []
    assert calls == 2
    cache.close()


def test_persistent_damage_is_reported() -> None:
    cache = _open_cache(None)

    def work() -> None:
        raise Damaged("again")

    with pytest.raises(WorkspaceError, match="again"):
        cache.run_repairing(work)
    cache.close()


def test_evicted_entry_is_retried_without_losing_others(tmp_path: Path) -> None:
    cache = _open_cache(tmp_path / "things.sqlite")
    _put(cache, "a")
    calls = 0

    def work() -> list[str]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise EntryEvicted("b")
        return _keys(cache)

    assert cache.run_repairing(work) == ["a"]
    cache.close()


def test_two_caches_that_find_damage_share_new_file(tmp_path: Path) -> None:
    first, second = _open_cache(tmp_path / "things.sqlite"), _open_cache(tmp_path / "things.sqlite")

    def run_with_damage(cache: Cache) -> str:
        state = iter([Damaged("now")])

        def work() -> str:
            for error in state:
                raise error
            return "done"

        return cache.run_repairing(work)

    assert run_with_damage(first) == run_with_damage(second) == "done"
    _put(first, "a")
    assert _keys(second) == ["a"]
    for cache in (first, second):
        cache.close()


@pytest.mark.slow
def test_flipped_bytes_never_crash(tmp_path: Path) -> None:
    path = tmp_path / "things.sqlite"
    cache = _open_cache(path)
    for n in range(300):
        _put(cache, f"key {n}", add_checksum(b"value " * n, f"key {n}"))
    cache.close()
    intact = path.read_bytes()
    for seed in range(60):
        rng = random.Random(seed)
        damaged = bytearray(intact)
        for _ in range(rng.choice((1, 5, 200))):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        for file in tmp_path.iterdir():
            file.unlink()
        path.write_bytes(damaged)
        _read_all_or_start_empty(path)


def _read_all_or_start_empty(path: Path) -> None:
    cache = _open_cache(path)

    def work() -> None:
        for key, value in cache.read("SELECT key, value FROM things"):
            n = int(str(key).partition(" ")[2])
            assert remove_checksum(value, str(key)) == b"value " * n

    def read_all() -> None:
        try:
            work()
        except ValueError as error:  # a key with flipped bytes
            raise Damaged from error

    cache.run_repairing(read_all)
    cache.close()


@pytest.mark.parametrize("length", [1, 100, 4096, 5000, 20_000])
def test_truncated_file_is_read_or_replaced(tmp_path: Path, length: int) -> None:
    path = tmp_path / "things.sqlite"
    cache = _open_cache(path)
    for n in range(300):
        _put(cache, f"key {n}", add_checksum(b"value " * n, f"key {n}"))
    cache.close()
    path.write_bytes(path.read_bytes()[:length])
    _read_all_or_start_empty(path)


def test_checksum_covers_value_and_key() -> None:
    data = add_checksum(b"data", "this")
    assert remove_checksum(data, "this") == b"data"
    for stored, key in (
        (data, "that"),
        (data[:-1], "this"),
        (b"", "this"),
        (None, "this"),
        ("text", "this"),
        (7, "this"),
    ):
        with pytest.raises(Damaged):
            remove_checksum(stored, key)


def test_threads_share_cache(tmp_path: Path) -> None:
    cache = _open_cache(tmp_path / "things.sqlite")
    threads = [threading.Thread(target=_put, args=(cache, f"{n:02}")) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _keys(cache) == [f"{n:02}" for n in range(20)]
    cache.close()


OPENS = """
import sys
from pathlib import Path
from aci.repository.disk_cache import Cache
cache = Cache(Path(sys.argv[1]), "CREATE TABLE things (key TEXT PRIMARY KEY, value BLOB)", int(sys.argv[3]))
for n in range(20):
    with cache.writing() as write:
        write.execute("INSERT INTO things VALUES (?, x'')", (f"{sys.argv[2]} {n}",))
"""


@pytest.mark.parametrize("before", ["nothing", "another version", "a text"])
def test_processes_that_open_cache_at_once_lose_nothing(tmp_path: Path, before: str) -> None:
    path = tmp_path / "things.sqlite"
    if before == "another version":
        _open_cache(path, version=2).close()
    elif before == "a text":
        path.write_text("a text" * 1000)
    processes = [subprocess.Popen([sys.executable, "-c", OPENS, str(path), str(n), "1"]) for n in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    cache = _open_cache(path)
    assert len(_keys(cache)) == 80
    cache.close()


def test_lock_timeout_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aci.repository.disk_cache.BUSY", 0.05)
    path = tmp_path / "things.sqlite"
    cache = _open_cache(path)
    second = sqlite3.connect(path, isolation_level=None)
    second.execute("BEGIN IMMEDIATE")
    with pytest.raises(WorkspaceError, match="locked"):
        _put(cache, "a")
    second.close()
    _put(cache, "b")
    assert _keys(cache) == ["b"]
    cache.close()
