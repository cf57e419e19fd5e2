"""A run's record under crashes: what is written, a disk that forgets what was not synced, and what must be left of it.

python -m tests.trajectories.crash_model WAY SEED..    each in a process of its own that nobody else's threads are in
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.trajectories.recorded_run import RUN, Acknowledged, check, need, write
from tests.trajectories.unreliable_disk import Crash, Disk
from trajectories.errors import SweAgentError, TryLater, WorkspaceError
from trajectories.git_store.read_only_store import objects_environment
from trajectories.journal import Journal, read
from trajectories.records import (
    Note,
    Record,
    Reply,
    Run,
    Turn,
)

MEMORY = Path("/dev/shm")
"""Where a sync costs nothing: what it does to a disk is what we say."""


# A loss of power


def power(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    objects_environment(folder)  # makes files once a process
    counting = Disk(folder / "whole", folder / "none", 0, seed)
    counting.root.mkdir()
    with counting.watched():
        write(counting.root, seed, Acknowledged())
    stop = chance.choice([chance.randint(1, counting.events), *chance.choices(counting.appended, k=2)])
    disk = Disk(folder / "disk", folder / "image", stop, seed)
    disk.root.mkdir()
    done = Acknowledged()
    try:
        with disk.watched():
            write(disk.root, seed, done)
    except Crash:
        check(disk.image, done)
    else:
        raise AssertionError("the crash did not come")


# Processes: killed, without room, without rights, two at once


def kill(folder: Path, seed: int) -> None:
    """The writer is killed after some acknowledgements, at whatever it is doing then."""
    chance = random.Random(seed)
    out, told = os.pipe()
    writer = _forked(lambda: write(folder, seed, Acknowledged(), tell=lambda: os.write(told, b".")))
    os.close(told)
    heard = 0
    for _ in range(chance.randint(0, 12)):
        heard += len(os.read(out, 1))
    for _ in range(chance.randint(0, 30_000)):
        pass
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    heard += len(os.read(out, 1_000))
    os.close(out)
    whole = Acknowledged()
    (folder / "whole").mkdir()
    write(folder / "whole", seed, whole)  # the same records, for the times in them are no clock's
    found = []
    if (folder / RUN / "journal.jsonl").exists():
        found = read(folder / RUN).records
    told_of = _batches(whole.records)[heard] if heard else 0
    assert len(found) >= told_of, "an acknowledged record is lost"
    done = Acknowledged(_timeless(whole.records)[: len(found)], (), {}, [], whole.patches)
    assert _timeless(found) == done.records
    done.records = found
    check(folder, done)


def _timeless(records: list[Record]) -> list[Record]:
    """A run's first line says when it was begun."""
    return [Run(r.id, r.issue, r.repository, r.base, at=0.0) if isinstance(r, Run) else r for r in records]


def _batches(records: list[Record]) -> list[int]:
    """How many records there are after each acknowledgement: those written together are told of together."""
    ends, turns = [0], 0
    at = 0
    while at < len(records):
        together = 1
        if isinstance(records[at], Run | Reply):
            together = 2
        elif isinstance(records[at], Turn):
            turns += 1
            together = 1 + turns
        at += together
        ends.append(at)
    return ends


def full(folder: Path, seed: int) -> None:
    """A file may not grow beyond some size: the sentence says so, nothing that was acknowledged is lost, and when there
    is room again the same process goes on."""
    chance = random.Random(seed)
    done = Acknowledged()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (chance.randint(0, 9_000), hard))
    try:
        write(folder, seed, done)
    except WorkspaceError as error:
        need("File too large" in error.message, error)
    except OSError as error:  # of the store's first files, which `begin` puts into a sentence
        need(not done.records, error)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    check(folder, done)


def small(folder: Path, seed: int) -> None:
    """The same on a file system that is really full."""
    disk = folder / "disk"
    disk.mkdir()

    def mounted(*options: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "none", disk], check=True)

    done = Acknowledged()
    mounted(f"size={4 * random.Random(seed).randint(10, 60)}k")
    try:
        try:
            write(disk, seed, done)
        except WorkspaceError as error:
            need("No space left on device" in error.message, error)
        except OSError as error:
            need(not done.records, error)
        mounted("remount", "size=10m")
        check(disk, done)
    finally:
        subprocess.run(["umount", disk], check=True)


def readonly(folder: Path, seed: int) -> None:
    """A run that somebody else owns, in parts or whole: a sentence, and it can be read as far as rights go."""
    chance = random.Random(seed)
    done = Acknowledged()
    write(folder, seed, done)
    run = folder / RUN
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    if chance.random() < 0.3:
        (run / "journal.jsonl").chmod(0o600)
    before = (run / "journal.jsonl").read_bytes()

    def stranger() -> None:
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        else:
            for path in (run / "journal.jsonl", run / "lock", run / "out", run):
                path.chmod(0o500)
        try:
            journal = Journal(run)
            journal.append(Note("main", "phase", "mine"))
        except SweAgentError as error:
            need(isinstance(error, WorkspaceError), error)
            need("cannot be written: " in error.message and "writable" in error.fix, error)
        else:
            assert os.geteuid() != 65534, "it was written"
        try:
            read(run)
        except WorkspaceError as error:
            need("cannot be read: Permission denied." in error.message, error)

    _apart(stranger)
    if os.geteuid() == 0:
        assert (run / "journal.jsonl").read_bytes() == before
        check(folder, done)


def writers(folder: Path, seed: int) -> None:
    """Two processes want the same run: one at a time has it, the other is told, and neither's records are lost."""
    chance = random.Random(seed)
    write(folder, seed, Acknowledged())
    first = len(read(folder / RUN).records)
    rounds = chance.randint(5, 15)

    def writing(name: str) -> Callable[[], None]:
        def work() -> None:
            wrote = 0
            while wrote < rounds:
                try:
                    journal = Journal(folder / RUN)
                except TryLater as error:
                    need(error.message == "Another process is working on the run r.", error)
                    continue
                for _ in range(random.Random(wrote).randint(1, 3)):
                    journal.append(Note("main", name, str(wrote)), Note("main", name, "and"))
                    wrote += 1
                journal.close()

        return work

    working = [_forked(writing(name)) for name in ("left", "right")]
    assert [os.waitpid(each, 0)[1] for each in working] == [0, 0]
    notes = read(folder / RUN).records[first:]
    for name in ("left", "right"):
        said = [int(note.text) for note in notes if isinstance(note, Note) and note.kind == name and note.text != "and"]
        assert said == list(range(len(said)))
        assert len(said) >= rounds


def _forked(work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException:  # noqa: BLE001 - the parent sees that it failed
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def _apart(work: Callable[[], None]) -> None:
    assert os.waitpid(_forked(work), 0)[1] == 0


WAYS: dict[str, Callable[[Path, int], None]] = {
    "power": power, "kill": kill, "full": full, "small": small, "readonly": readonly, "writers": writers,
}  # fmt: skip


def main(way: str, *seeds: str) -> None:
    failed = {}
    for seed in map(int, seeds):
        folder = Path(tempfile.mkdtemp(prefix="crash-", dir=MEMORY if MEMORY.is_dir() else None))
        folder.chmod(0o755)
        try:
            WAYS[way](folder, seed)
        except Exception:  # noqa: BLE001 - told of all seeds
            failed[seed] = traceback.format_exc()
        finally:
            shutil.rmtree(folder)
    sys.stdout.write(json.dumps(failed))


if __name__ == "__main__":
    main(*sys.argv[1:])
