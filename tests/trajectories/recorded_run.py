"""A run as an engine records it, and what must be left of it after a crash."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from trajectories.errors import RunBroken, UsageError, WorkspaceError
from trajectories.git_store.trees import EMPTY_TREE, Trees
from trajectories.journal import Journal, first_record, read, write_durably
from trajectories.records import (
    Base,
    Exit,
    Hold,
    Issue,
    Note,
    Observation,
    Record,
    Reply,
    Run,
    Settle,
    Step,
    Turn,
    Usage,
    Verdict,
)

RUN = Path("state", "runs", "r")
TURNS = 4


@dataclass
class Acknowledged:
    """What was reported as written, which a crash may not take, and what was on its way."""

    records: list[Record] = field(default_factory=list)
    coming: tuple[Record, ...] = ()
    outputs: dict[int, bytes] = field(default_factory=dict)
    trees: list[str] = field(default_factory=list)
    patches: list[bytes] = field(default_factory=list)


def write(root: Path, seed: int, done: Acknowledged, tell: Callable[[], object] = lambda: None) -> None:
    """A run of a few turns, as an engine records it, into `root`. `tell` is called after each acknowledgement."""
    chance = random.Random(seed)
    directory = root / RUN
    n, at = 0, 1_700_000_000.0

    def text() -> str:
        return "".join(chance.choice('ab ü\n"\\') for _ in range(chance.choice([3, 60, 700, 1500, 3000])))

    def append(*records: Record) -> None:
        done.coming = records
        journal.append(*records)
        done.records += records
        done.coming = ()
        tell()

    for turn in range(TURNS):
        with Trees(directory / "trees.git") as trees, closing(Journal(directory)) as journal:
            base = Base("c" * 40, trees.write({"a.py": b"one\n"}, EMPTY_TREE))
            if not turn:
                append(Run("r", Issue("t", text()), "/r", base), Turn("fix", "react", at=at))
            else:
                append(Turn(text(), "build", at=at), *(Note("main", "message", text(), at=at) for _ in range(turn)))
            for _ in range(chance.randint(1, 3)):
                n, at = n + 1, at + chance.uniform(-50, 9)
                append(Hold("main", n, 1, "m", 0.1, 9, at=at))
                usage = Usage(9, 9)
                reply = Reply(text(), branch="main", ask=n, usage=usage, at=at)
                append(reply, Settle(f"main?{n}.1", usage, 0.1, "usage", at))
                output = text().encode()
                number = journal.keep(output)
                done.outputs[number] = output
                tree = trees.write({"a.py": text().encode()}, base.tree)
                done.trees.append(tree)
                append(Step("main", n, "", "coder", tree, n, observations=(Observation(text(), out=number),), at=at))
            patch = text().encode()
            done.patches.append(patch)
            try:
                write_durably(directory / "patch.diff", patch)
            except OSError as error:
                raise WorkspaceError(str(error)) from error  # as who calls it says in a sentence
            append(Exit("verified", 0, tree, Verdict("verified"), at=at))


def need(holds: bool, what: object) -> None:
    if not holds:
        raise AssertionError(what)


def check(root: Path, done: Acknowledged) -> None:
    """What was acknowledged is there whole and in order, what names something finds it, and the run can go on."""
    directory = root / RUN
    if not done.records:
        try:
            first_record(read(directory), directory)
        except (UsageError, RunBroken) as error:
            need("There is no run" in error.message or "was not started" in error.message, error)
            return
    found = read(directory).records
    kept = len(done.records)
    assert found[:kept] == done.records, "a record is lost, or changed"
    assert tuple(found[kept:]) == done.coming[: len(found) - kept], "a record that nobody wrote"
    journal = Journal(directory)
    assert journal.trajectory.records == found
    with Trees(directory / "trees.git") as trees:
        for step in journal.trajectory.all_steps():
            assert trees.read(step.tree, "a.py")
            for seen in step.observations:
                assert seen.out
                assert journal.recall(seen.out)
        for number, output in done.outputs.items():
            assert journal.recall(number) == output
        assert trees.has(trees.write({"b.py": b"after the crash"}, EMPTY_TREE))
    if any(isinstance(record, Exit) for record in done.records):
        assert (directory / "patch.diff").read_bytes() in done.patches, "half a patch"
    assert journal.trajectory.live_seconds() >= 0 <= journal.trajectory.turn_seconds()
    number = journal.keep(b"more")
    assert number not in done.outputs, "an output is written over"
    journal.append(Note("main", "life", "resumed"))
    journal.close()
    assert read(directory).records[:-1] == found
