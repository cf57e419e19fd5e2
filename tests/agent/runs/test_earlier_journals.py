"""Runs of earlier versions are read and resumed.

`tests/trajectories/journals/` holds them as they were written, except for their paths: `react` of commit f640bac,
`models` of ed175f6, `batches` of 168075b, `session` of 3a51697. All are of the same repository, with a scripted model.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.lifecycle.run_lifecycle import reopen
from agent.lifecycle.run_result import Result
from agent.run_state.run_ownership import record_answer
from agent.runs.run_lookup import open_own_run
from tests.agent.scripted_turns import finish_solving
from tests.conftest import committed, cut_run
from trajectories.git_store.trees import Trees
from trajectories.journal import read
from trajectories.records import VERSION

JOURNALS = Path(__file__).parents[2] / "trajectories" / "journals"
NAMES = ("react", "models", "batches", "session")
REPOSITORY = {
    "calc.py": "def add(a, b):\n    return a - b\n\n\ndef double(a):\n    return a * 2\n",
    "tests/__init__.py": "",
    "tests/test_calc.py": "import unittest\n\nfrom calc import double\n\n\nclass TestDouble(unittest.TestCase):\n"
    "    def test_double(self):\n        self.assertEqual(double(2), 4)\n",
    ".gitignore": "*.pyc\n",
}


@dataclass
class EarlierRun:
    """A run of an earlier version, among the runs of this one."""

    state: Path
    directory: Path

    @property
    def lines(self) -> list[bytes]:
        return (self.directory / "journal.jsonl").read_bytes().splitlines(keepends=True)

    def truncate(self, line_count: int) -> None:
        cut_run(self.directory, b"".join(self.lines[:line_count]))

    def resume(self, directory: Path | None = None) -> Result:
        engine = reopen(directory or self.directory, self.state)
        try:
            return finish_solving(engine)
        finally:
            engine.close()


@pytest.fixture
def earlier(tmp_path: Path) -> Callable[[str], EarlierRun]:
    def install_run(name: str) -> EarlierRun:
        home = tmp_path / "ada"
        home.mkdir()
        committed(home / "calc", REPOSITORY)
        script = JOURNALS / name / "script.jsonl"
        shutil.copy(script if script.exists() else JOURNALS / "script.jsonl", home / "script.jsonl")
        journal = (JOURNALS / name / "journal.jsonl").read_text().replace("/home/ada", str(home))
        directory = tmp_path / "state" / "runs" / json.loads(journal.partition("\n")[0])["id"]
        directory.mkdir(parents=True)
        (directory / "journal.jsonl").write_text(journal)
        (directory / "out").mkdir()
        for output in (JOURNALS / name).glob("out/*"):
            shutil.copy(output, directory / "out")
        with Trees(directory / "trees.git") as trees:
            trees.add_pack((JOURNALS / name / "trees.pack").read_bytes())
        record_answer(tmp_path / "state", is_users=True)
        return EarlierRun(tmp_path / "state", directory)

    return install_run


@pytest.mark.parametrize("name", NAMES)
def test_earlier_run_is_read(earlier, name):
    run = earlier(name)
    assert b'"version":' not in run.lines[0].replace(b'"swe-agent":', b"")
    before = run.lines
    material = open_own_run(run.directory)
    trajectory = material.trajectory
    assert trajectory.run.version == VERSION
    assert len(trajectory.records) == len(before)
    assert trajectory.exit.kind == ("undone" if name == "session" else "plausible")
    assert material.spent.calls == (4 if name == "session" else 3)
    assert run.lines == before, "reading does not change the journal"
    for step in trajectory.all_steps():
        assert material.trees.has(step.tree)
        for observation in step.observations:
            assert observation.out is None or material.output(observation.out)
    material.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_earlier_run_is_resumed_from_its_last_reply(earlier, name):
    run = earlier(name)
    ended = read(run.directory).exit
    last = max(at for at, line in enumerate(run.lines) if line.endswith(b'"type":"settle"}\n'))
    run.truncate(last + 1)
    resumed = run.resume()
    assert resumed.ended
    assert (resumed.exit.tree, resumed.exit.kind) == (ended.tree, "answered" if name == "session" else "plausible")
    journal = read(run.directory)
    assert journal.records[last + 1].data == {"version": VERSION}, "later lines are of this version"
    assert sum("version" in note.data for note in journal.notes) == 1
