"""kill -9 while a verified patch is applied, committed to a branch, or applied in a session: nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import git
from tests.e2e.conftest import Machine, answer, call

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

COUNT = 60


def files_of(root: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(root)): file.read_bytes()
        for file in root.rglob("*")
        if file.is_file() and ".git" not in file.relative_to(root).parts
    }


@pytest.fixture
def ended(machine: Machine, calculator: Path, issue_file: str) -> tuple[Path, Path]:
    """The repository, with an edit of the user's, and a run that changed many of its files."""
    for n in range(COUNT):
        (calculator / f"data-{n:02d}.txt").write_text("old\n" * 20_000)
    git(calculator, "add", "-A")
    git(calculator, "commit", "-qm", "Data")
    edit = f"for n in $(seq -w 0 {COUNT - 1}); do sed -i '1s/old/new/' data-$n.txt; echo added > added-$n.txt; done"
    model = machine.script(
        answer("Edit.", call("shell", command=edit), branch="main", n=1),
        answer("Done.", call("submit"), branch="main", n=2),
    )
    command = ("fix", "--repo", str(calculator), "--issue-file", issue_file, "--model", model, "--strategy", "react")
    result = machine.json(*command)
    assert f"data-{COUNT - 1}.txt" in result["patch"], result["stderr"]
    (calculator / "data-00.txt").write_text("old\n" * 20_000 + "the user's\n")
    return calculator, Path(result["directory"])


def kill_family(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all its descendants, as when a machine is switched off."""
    process.send_signal(signal.SIGSTOP)
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    family = [process.pid]
    for pid in family:
        family += [child for child, parent in parents.items() if parent == pid]
    for pid in family:
        os.kill(pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
@pytest.mark.parametrize("with_children", [False, True])
def test_killed_apply_is_finished_by_resume(
    machine: Machine, ended: tuple[Path, Path], share: float, with_children: bool
) -> None:
    root, run = ended
    before = files_of(root)
    awaited = root / f"data-{int(share * (COUNT - 1)):02d}.txt"
    process = subprocess.Popen(
        machine.command("resume", run.name, "--apply"), env=machine.environment, cwd=machine.home,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while process.poll() is None and awaited.stat().st_size and not awaited.read_bytes().startswith(b"new"):
        time.sleep(0.0005)
    kill_family(process) if with_children else process.kill()
    process.wait()
    resumed = machine.run("resume", run.name, "--apply")
    assert resumed.returncode in (0, 6), resumed.stderr
    after = files_of(root)
    assert set(after) == set(before) | {f"added-{n:02d}.txt" for n in range(COUNT)}
    assert after["data-00.txt"] == b"new\n" + before["data-00.txt"][4:]
    assert all(after[f"data-{n:02d}.txt"].startswith(b"new\nold\n") for n in range(COUNT))
    assert not list((root / ".git").glob("swe-agent*"))
    again = machine.run("resume", run.name, "--apply")
    assert "already contains the patch" in (run / "journal.jsonl").read_text(), again.stderr


DIE_AT_WRITE = """
import os, signal
from pathlib import Path
replace, left = Path.replace, {written} + 1
def replace_or_die(path, target):
    global left
    left -= path.name.startswith(".swe-agent-")
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(path, target)
Path.replace = replace_or_die
"""
"""A program that kills itself when it has written this number of the user's files, and the bytes of the next one."""


@pytest.mark.parametrize("written", [1, COUNT, 2 * COUNT - 1])
def test_another_run_names_the_interrupted_apply(
    machine: Machine, ended: tuple[Path, Path], issue_file: str, written: int
) -> None:
    root, run = ended
    before = files_of(root)
    python, option, code, *arguments = machine.command("resume", run.name, "--apply")
    command = [python, option, DIE_AT_WRITE.format(written=written) + code, *arguments]
    died = subprocess.run(command, env=machine.environment, cwd=machine.home, capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    after = files_of(root)
    assert (
        len([name for name in after.keys() - before.keys() if name.rpartition("/")[2].startswith(".swe-agent-")]) == 1
    )
    assert len([name for name, data in after.items() if before.get(name) != data]) == written + 1
    model = machine.script(answer("Done.", call("submit")))
    refused = machine.run(
        "fix", "--repo", str(root), "--issue-file", issue_file, "--model", model, "--apply", "--strategy", "react"
    )
    assert refused.returncode == 2
    assert f"resume {run.name} --apply" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert machine.run("resume", run.name, "--apply").returncode in (0, 6)
    assert all(files_of(root)[f"data-{n:02d}.txt"].startswith(b"new\nold\n") for n in range(COUNT))


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.8, 0.9, 1.0])
def test_killed_branch_is_finished_by_resume(machine: Machine, ended: tuple[Path, Path], share: float) -> None:
    root, run = ended
    before = files_of(root)
    started = time.monotonic()
    assert machine.run("resume", run.name, "--branch", "first").returncode in (0, 6)
    seconds = time.monotonic() - started
    process = subprocess.Popen(
        machine.command("resume", run.name, "--branch", "second"), env=machine.environment, cwd=machine.home,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        process.wait(seconds * share)
    except subprocess.TimeoutExpired:
        process.kill()
    process.wait()
    made = subprocess.run(["git", "rev-parse", "-q", "--verify", "refs/heads/second"], cwd=root, capture_output=True)
    if made.returncode:
        assert machine.run("resume", run.name, "--branch", "second").returncode in (0, 6)
    assert git(root, "rev-parse", "second^{tree}") == git(root, "rev-parse", "first^{tree}")
    assert files_of(root) == before
    assert "missing" not in git(root, "fsck", "--full")
