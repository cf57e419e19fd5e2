"""The solving job from an errand to its handover, with real runs in a local workspace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agent.conftest import act, line
from tests.agent.github.solving import FILES, TEST, Job
from tests.conftest import git

MEND = act("edit", path="calc.py", old="a - b", new="a + b")
SHOW = act("edit", path="tests/test_calc.py", old="", new=TEST)
SUBMIT = act("submit", summary="add() subtracted its second argument. Now it adds it.")


@pytest.fixture
def job(tmp_path: Path, make_repo: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "outputs"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    return Job(tmp_path, make_repo(FILES))


def test_a_proven_patch_is_handed_over_with_what_was_wrong_and_done(job):
    assert job.run(job.errand(), line("Red, then mend.", SHOW, MEND, SUBMIT)) == 0
    outcome, diff = job.told
    assert (outcome.exit, outcome.result["verdict"]["kind"]) == (0, "verified")
    assert (outcome.cause, outcome.change) == ("add() subtracted its second argument.", "Now it adds it.")
    assert "+    return a + b" in diff
    assert "tests/test_calc.py" in diff
    assert outcome.base == job.head


def follow(job: Job, *lines: dict, **more) -> int:
    """On the branch of the pull request, after its run."""
    _, diff = job.told
    (job.folder / "patch").write_text(diff)
    git(job.repository, "apply", str(job.folder / "patch"))
    git(job.repository, "add", "-A")
    git(job.repository, "commit", "-qm", "Mend add()")
    parent = Path(job.outputs["folder"])
    parent.rename(job.folder / "parent")
    errand = job.errand(kind="follow-up", number=8, branch="swe-agent/issue-7", request="Also add double().", **more)
    return job.run(errand, *lines, parent=job.folder / "parent")


def test_a_follow_up_goes_on_with_the_run_of_the_pull_request(job):
    assert job.run(job.errand(), line("Red, then mend.", SHOW, MEND, SUBMIT)) == 0
    double = act("edit", path="calc.py", old="", new="x")
    double = act("edit", path="double.py", old="", new="def double(a):\n    return 2 * a\n")
    assert follow(job, line("Add.", double, n=2), line("Added double().", n=3)) == 0
    outcome, diff = job.told
    print(outcome)
    assert "calc.py" not in diff
    assert "double.py" in diff
    assert outcome.exit == 0
