"""Crashes of a process that records a run: what is written, and what must remain of it.

python -m tests.trajectories.crash_model WAY SEED..    in a process without other threads
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

from tests.trajectories.recorded_run import RUN, Acknowledged, check_run, require, write_run
from tests.trajectories.unreliable_disk import Crash, Disk
from trajectories.errors import SweAgentError, TryLater, WorkspaceError
from trajectories.git_store.git_commands import objects_environment
from trajectories.journal import Journal, read
from trajectories.records import (
    Note,
    Record,
    Reply,
    Run,
    Turn,
)

MEMORY = Path("/dev/shm")
"""Temporary files in memory, where a sync costs nothing."""


# A loss of power


def power(folder: Path, seed: int) -> None:
    rng = random.Random(seed)
    objects_environment(folder)  # creates files once per process
    probe = Disk(folder / "whole", folder / "none", 0, seed)
    probe.root.mkdir()
    with probe.patched_os():
        write_run(probe.root, seed, Acknowledged())
    stop = rng.choice([rng.randint(1, probe.events), *rng.choices(probe.journal_syncs, k=2)])
    disk = Disk(folder / "disk", folder / "image", stop, seed)
    disk.root.mkdir()
    acknowledged = Acknowledged()
    try:
        with disk.patched_os():
            write_run(disk.root, seed, acknowledged)
    except Crash:
        check_run(disk.image, acknowledged)
    else:
        raise AssertionError("the crash did not happen")


# Processes: killed, disk full, no rights, two at once


def kill(folder: Path, seed: int) -> None:
    """The writer is killed at a random moment after some acknowledgements."""
    rng = random.Random(seed)
    read_end, write_end = os.pipe()
    writer = _start_process(
        lambda: write_run(folder, seed, Acknowledged(), on_acknowledge=lambda: os.write(write_end, b"."))
    )
    os.close(write_end)
    acknowledgements = 0
    for _ in range(rng.randint(0, 12)):
        acknowledgements += len(os.read(read_end, 1))
    for _ in range(rng.randint(0, 30_000)):
        pass
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    acknowledgements += len(os.read(read_end, 1_000))
    os.close(read_end)
    complete = Acknowledged()
    (folder / "whole").mkdir()
    write_run(folder / "whole", seed, complete)  # the same records: their times come from the seed
    records = []
    if (folder / RUN / "journal.jsonl").exists():
        records = read(folder / RUN).records
    minimum = _batches(complete.records)[acknowledgements] if acknowledgements else 0
    assert len(records) >= minimum, "an acknowledged record is lost"
    acknowledged = Acknowledged(_without_start_time(complete.records)[: len(records)], (), {}, [], complete.patches)
    assert _without_start_time(records) == acknowledged.records
    acknowledged.records = records
    check_run(folder, acknowledged)


def _without_start_time(records: list[Record]) -> list[Record]:
    """The start time of a run, in its first line, comes from the clock."""
    return [Run(r.id, r.issue, r.repository, r.base, at=0.0) if isinstance(r, Run) else r for r in records]


def _batches(records: list[Record]) -> list[int]:
    """How many records there are after each acknowledgement: records of one append are acknowledged together."""
    ends, turns = [0], 0
    at = 0
    while at < len(records):
        count = 1
        if isinstance(records[at], Run | Reply):
            count = 2
        elif isinstance(records[at], Turn):
            turns += 1
            count = 1 + turns
        at += count
        ends.append(at)
    return ends


def full(folder: Path, seed: int) -> None:
    """A file may not grow beyond a limit: the error says so, no acknowledged record is lost, and the process can
    continue once the limit is raised."""
    rng = random.Random(seed)
    acknowledged = Acknowledged()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (rng.randint(0, 9_000), hard))
    try:
        write_run(folder, seed, acknowledged)
    except WorkspaceError as error:
        require("File too large" in error.message, error)
    except OSError as error:  # from the store's first files, for which the engine raises WorkspaceError
        require(not acknowledged.records, error)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    check_run(folder, acknowledged)


def small(folder: Path, seed: int) -> None:
    """The same on a full file system."""
    disk = folder / "disk"
    disk.mkdir()

    def mount(*options: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "none", disk], check=True)

    acknowledged = Acknowledged()
    mount(f"size={4 * random.Random(seed).randint(10, 60)}k")
    try:
        try:
            write_run(disk, seed, acknowledged)
        except WorkspaceError as error:
            require("No space left on device" in error.message, error)
        except OSError as error:
            require(not acknowledged.records, error)
        mount("remount", "size=10m")
        check_run(disk, acknowledged)
    finally:
        subprocess.run(["umount", disk], check=True)


def readonly(folder: Path, seed: int) -> None:
    """A run of another user, with some or all files unreadable: clear errors, and it is read as far as rights allow."""
    rng = random.Random(seed)
    acknowledged = Acknowledged()
    write_run(folder, seed, acknowledged)
    run = folder / RUN
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    if rng.random() < 0.3:
        (run / "journal.jsonl").chmod(0o600)
    before = (run / "journal.jsonl").read_bytes()

    def other_user() -> None:
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
            require(isinstance(error, WorkspaceError), error)
            require("cannot be written: " in error.message and "writable" in error.fix, error)
        else:
            assert os.geteuid() != 65534, "it was written"
        try:
            read(run)
        except WorkspaceError as error:
            require("cannot be read: Permission denied." in error.message, error)

    _run_process(other_user)
    if os.geteuid() == 0:
        assert (run / "journal.jsonl").read_bytes() == before
        check_run(folder, acknowledged)


def writers(folder: Path, seed: int) -> None:
    """Two processes write to the same run: one at a time has it, the other gets an error, and no record is lost."""
    rng = random.Random(seed)
    write_run(folder, seed, Acknowledged())
    first = len(read(folder / RUN).records)
    rounds = rng.randint(5, 15)

    def append_notes(name: str) -> Callable[[], None]:
        def append_until_done() -> None:
            written = 0
            while written < rounds:
                try:
                    journal = Journal(folder / RUN)
                except TryLater as error:
                    require(error.message == "Another process is working on the run r.", error)
                    continue
                for _ in range(random.Random(written).randint(1, 3)):
                    journal.append(Note("main", name, str(written)), Note("main", name, "and"))
                    written += 1
                journal.close()

        return append_until_done

    children = [_start_process(append_notes(name)) for name in ("left", "right")]
    assert [os.waitpid(each, 0)[1] for each in children] == [0, 0]
    notes = read(folder / RUN).records[first:]
    for name in ("left", "right"):
        numbers = [
            int(note.text) for note in notes if isinstance(note, Note) and note.kind == name and note.text != "and"
        ]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= rounds


def _start_process(work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException:  # noqa: BLE001 - the exit status reports the failure
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def _run_process(work: Callable[[], None]) -> None:
    assert os.waitpid(_start_process(work), 0)[1] == 0


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
        except Exception:  # noqa: BLE001 - the failures of all seeds are reported
            failed[seed] = traceback.format_exc()
        finally:
            shutil.rmtree(folder)
    sys.stdout.write(json.dumps(failed))


if __name__ == "__main__":
    main(*sys.argv[1:])
