"""One SQLite file for threads and processes, and what happens to it in the field."""

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


def _opened(path: Path | None, version: int = 1) -> Cache:
    return Cache(path, SCHEMA, version)


def _put(cache: Cache, key: str, value: bytes = b"1") -> None:
    with cache.writing() as write:
        write.execute("INSERT INTO things VALUES (?, ?)", (key, value))


def _keys(cache: Cache) -> list[str]:
    return [key for (key,) in cache.read("SELECT key FROM things ORDER BY key")]


def test_what_is_stored_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "things.sqlite"
    first = _opened(path)
    _put(first, "a")
    first.close()
    second = _opened(path)
    assert _keys(second) == ["a"]
    second.close()


def test_without_path_it_lives_in_memory() -> None:
    cache = _opened(None)
    _put(cache, "a")
    assert _keys(cache) == ["a"]
    assert cache.size() > 0
    cache.close()


def test_error_rolls_back(tmp_path: Path) -> None:
    cache = _opened(tmp_path / "things.sqlite")

    def half_way() -> None:
        with cache.writing() as write:
            write.execute("INSERT INTO things VALUES ('a', x'')")
            raise KeyError

    with pytest.raises(KeyError):
        half_way()
    _put(cache, "b")
    assert _keys(cache) == ["b"]
    cache.close()


def test_folder_may_be_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SWE_AGENT_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("SWE_AGENT_CACHE")
    assert cache_folder().name == "swe-agent"


@pytest.mark.parametrize(
    "content",
    [b"", b"a text\n" * 1000, b"SQLite format 3\0", bytes(5000), b"SQLite format 3\0" + bytes(range(256)) * 99],
)
def test_file_that_is_no_database_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "things.sqlite"
    path.write_bytes(content)
    cache = _opened(path)
    assert _keys(cache) == []
    _put(cache, "a")
    cache.close()
    again = _opened(path)
    assert _keys(again) == ["a"]
    again.close()


def test_another_version_is_begun_anew_and_old_one_removed(tmp_path: Path) -> None:
    path = tmp_path / "things.sqlite"
    old = _opened(path)
    _put(old, "a")
    old.close()
    new = _opened(path, version=2)
    assert _keys(new) == []
    _put(new, "b")
    new.close()
    assert [file.name for file in tmp_path.iterdir()] == ["things.1.sqlite"]
    again = _opened(path, version=2)
    assert _keys(again) == ["b"]
    again.close()


def test_who_has_old_file_open_goes_on_and_harms_nobody(tmp_path: Path) -> None:
    path = tmp_path / "things.sqlite"
    old = _opened(path)
    _put(old, "a")
    new = _opened(path, version=2)
    _put(new, "b")
    _put(old, "c")
    assert _keys(old) == ["a", "c"]
    old.close()
    _put(new, "d")
    third = _opened(path, version=2)
    assert _keys(third) == _keys(new) == ["b", "d"]
    for cache in (new, third):
        cache.close()


def test_other_files_in_folder_are_let_be(tmp_path: Path) -> None:
    for name in ("things.old.sqlite", "things.7.txt", "things.²³.sqlite", "thing.9.sqlite"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "things.sqlite").write_text("no database" * 99)
    cache = _opened(tmp_path / "things.sqlite")
    _put(cache, "a")
    cache.close()
    assert {file.name for file in tmp_path.iterdir() if file.read_bytes() == b"mine"} == {
        "things.old.sqlite",
        "things.7.txt",
        "things.²³.sqlite",
        "thing.9.sqlite",
    }


def test_folder_in_its_place_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "things.sqlite").mkdir()
    with pytest.raises(WorkspaceError, match="cannot be used") as raised:
        _opened(tmp_path / "things.sqlite")
    assert "SWE_AGENT_CACHE" in raised.value.fix


def test_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be used"):
        _opened(tmp_path / "file" / "things.sqlite")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_folder_that_may_not_be_written_is_one_clear_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(WorkspaceError, match="cannot be used"):
        _opened(tmp_path / "things.sqlite")
    tmp_path.chmod(0o700)


def test_full_disk_is_one_clear_error_and_nothing_is_lost(tmp_path: Path) -> None:
    cache = _opened(tmp_path / "things.sqlite")
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


def test_disk_that_takes_no_more_is_one_clear_error(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WRITES_TOO_MUCH, str(tmp_path / "things.sqlite")], capture_output=True, text=True
    )
    assert ended.stderr.splitlines()[-1].startswith("aci.repository.disk_cache.CacheUnusable: The cache")


def test_damage_found_while_it_is_used_is_mended_once(tmp_path: Path) -> None:
    cache = _opened(tmp_path / "things.sqlite")
    _put(cache, "a")
    asked = 0

    def work() -> list[str]:
        nonlocal asked
        asked += 1
        if keys := _keys(cache):
            raise Damaged(keys)
        return keys

    assert cache.run_repairing(work) == []
    assert asked == 2
    cache.close()


def test_damage_that_stays_is_one_clear_error() -> None:
    cache = _opened(None)

    def work() -> None:
        raise Damaged("again")

    with pytest.raises(WorkspaceError, match="again"):
        cache.run_repairing(work)
    cache.close()


def test_what_another_process_removed_is_made_again_without_losing_rest(tmp_path: Path) -> None:
    cache = _opened(tmp_path / "things.sqlite")
    _put(cache, "a")
    asked = 0

    def work() -> list[str]:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise EntryEvicted("b")
        return _keys(cache)

    assert cache.run_repairing(work) == ["a"]
    cache.close()


def test_two_that_find_damage_go_on_with_same_file(tmp_path: Path) -> None:
    one, other = _opened(tmp_path / "things.sqlite"), _opened(tmp_path / "things.sqlite")

    def mended(cache: Cache) -> str:
        state = iter([Damaged("now")])

        def work() -> str:
            for error in state:
                raise error
            return "done"

        return cache.run_repairing(work)

    assert mended(one) == mended(other) == "done"
    _put(one, "a")
    assert _keys(other) == ["a"]
    for cache in (one, other):
        cache.close()


@pytest.mark.slow
def test_flipped_bytes_never_crash(tmp_path: Path) -> None:
    path = tmp_path / "things.sqlite"
    cache = _opened(path)
    for n in range(300):
        _put(cache, f"key {n}", add_checksum(b"value " * n, f"key {n}"))
    cache.close()
    whole = path.read_bytes()
    for seed in range(60):
        chance = random.Random(seed)
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 5, 200))):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        for file in tmp_path.iterdir():
            file.unlink()
        path.write_bytes(damaged)
        _read_all_or_begin_anew(path)


def _read_all_or_begin_anew(path: Path) -> None:
    cache = _opened(path)

    def work() -> None:
        for key, value in cache.read("SELECT key, value FROM things"):
            n = int(str(key).partition(" ")[2])
            assert remove_checksum(value, str(key)) == b"value " * n

    def tolerant() -> None:
        try:
            work()
        except ValueError as error:  # a key whose bytes were hit
            raise Damaged from error

    cache.run_repairing(tolerant)
    cache.close()


@pytest.mark.parametrize("length", [1, 100, 4096, 5000, 20_000])
def test_file_that_was_cut_is_read_or_begun_anew(tmp_path: Path, length: int) -> None:
    path = tmp_path / "things.sqlite"
    cache = _opened(path)
    for n in range(300):
        _put(cache, f"key {n}", add_checksum(b"value " * n, f"key {n}"))
    cache.close()
    path.write_bytes(path.read_bytes()[:length])
    _read_all_or_begin_anew(path)


def test_seal_says_of_what_it_is() -> None:
    data = add_checksum(b"data", "this")
    assert remove_checksum(data, "this") == b"data"
    for other, what in (
        (data, "that"),
        (data[:-1], "this"),
        (b"", "this"),
        (None, "this"),
        ("text", "this"),
        (7, "this"),
    ):
        with pytest.raises(Damaged):
            remove_checksum(other, what)


def test_threads_share_it(tmp_path: Path) -> None:
    cache = _opened(tmp_path / "things.sqlite")
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
def test_processes_that_open_it_at_once_lose_nothing(tmp_path: Path, before: str) -> None:
    path = tmp_path / "things.sqlite"
    if before == "another version":
        _opened(path, version=2).close()
    elif before == "a text":
        path.write_text("a text" * 1000)
    processes = [subprocess.Popen([sys.executable, "-c", OPENS, str(path), str(n), "1"]) for n in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    cache = _opened(path)
    assert len(_keys(cache)) == 80
    cache.close()


def test_lock_that_is_not_let_go_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aci.repository.disk_cache.BUSY", 0.05)
    path = tmp_path / "things.sqlite"
    cache = _opened(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(WorkspaceError, match="locked"):
        _put(cache, "a")
    other.close()
    _put(cache, "b")
    assert _keys(cache) == ["b"]
    cache.close()
