"""A run as the engine records it, and the checks after a crash."""

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
)
from trajectories.verdict import Verdict

RUN = Path("state", "runs", "r")
TURNS = 4


@dataclass
class Acknowledged:
    """What was reported as written, which a crash must not lose, and what was pending."""

    records: list[Record] = field(default_factory=list)
    pending: tuple[Record, ...] = ()
    outputs: dict[int, bytes] = field(default_factory=dict)
    trees: list[str] = field(default_factory=list)
    patches: list[bytes] = field(default_factory=list)


def write_run(
    root: Path, seed: int, acknowledged: Acknowledged, on_acknowledge: Callable[[], object] = lambda: None
) -> None:
    """Record a run of a few turns in `root`. `on_acknowledge` is called after each acknowledgement."""
    rng = random.Random(seed)
    directory = root / RUN
    n, at = 0, 1_700_000_000.0

    def text() -> str:
        return "".join(rng.choice('ab ü\n"\\') for _ in range(rng.choice([3, 60, 700, 1500, 3000])))

    def append(*records: Record) -> None:
        acknowledged.pending = records
        journal.append(*records)
        acknowledged.records += records
        acknowledged.pending = ()
        on_acknowledge()

    for turn in range(TURNS):
        with Trees(directory / "trees.git") as trees, closing(Journal(directory)) as journal:
            base = Base("c" * 40, trees.write({"a.py": b"one\n"}, EMPTY_TREE))
            if not turn:
                append(Run("r", Issue("t", text()), "/r", base), Turn("fix", "react", at=at))
            else:
                append(Turn(text(), "build", at=at), *(Note("main", "message", text(), at=at) for _ in range(turn)))
            for _ in range(rng.randint(1, 3)):
                n, at = n + 1, at + rng.uniform(-50, 9)
                append(Hold("main", n, 1, "m", 0.1, 9, at=at))
                usage = Usage(9, 9)
                reply = Reply(text(), branch="main", ask=n, usage=usage, at=at)
                append(reply, Settle(f"main?{n}.1", usage, 0.1, "usage", at))
                output = text().encode()
                number = journal.keep(output)
                acknowledged.outputs[number] = output
                tree = trees.write({"a.py": text().encode()}, base.tree)
                acknowledged.trees.append(tree)
                append(Step("main", n, "", "coder", tree, n, observations=(Observation(text(), out=number),), at=at))
            patch = text().encode()
            acknowledged.patches.append(patch)
            try:
                write_durably(directory / "patch.diff", patch)
            except OSError as error:
                raise WorkspaceError(str(error)) from error  # as the engine reports it
            append(Exit("verified", 0, tree, Verdict("verified"), at=at))


def require(condition: bool, detail: object) -> None:
    if not condition:
        raise AssertionError(detail)


def check_run(root: Path, acknowledged: Acknowledged) -> None:
    """Acknowledged data is complete and in order, references resolve, and the run can be resumed."""
    directory = root / RUN
    if not acknowledged.records:
        try:
            first_record(read(directory), directory)
        except (UsageError, RunBroken) as error:
            require("There is no run" in error.message or "was not started" in error.message, error)
            return
    records = read(directory).records
    count = len(acknowledged.records)
    assert records[:count] == acknowledged.records, "a record is lost or changed"
    assert tuple(records[count:]) == acknowledged.pending[: len(records) - count], "a record that was never written"
    journal = Journal(directory)
    assert journal.trajectory.records == records
    with Trees(directory / "trees.git") as trees:
        for step in journal.trajectory.all_steps():
            assert trees.read(step.tree, "a.py")
            for observation in step.observations:
                assert observation.out
                assert journal.recall(observation.out)
        for number, output in acknowledged.outputs.items():
            assert journal.recall(number) == output
        assert trees.has(trees.write({"b.py": b"after the crash"}, EMPTY_TREE))
    if any(isinstance(record, Exit) for record in acknowledged.records):
        assert (directory / "patch.diff").read_bytes() in acknowledged.patches, "an incomplete patch"
    assert journal.trajectory.live_seconds() >= 0 <= journal.trajectory.turn_seconds()
    number = journal.keep(b"more")
    assert number not in acknowledged.outputs, "an output is overwritten"
    journal.append(Note("main", "life", "resumed"))
    journal.close()
    assert read(directory).records[:-1] == records
