"""A user at a terminal, in this process: a clone, an issue on the fake GitHub server, a scripted model."""

from __future__ import annotations

import io
import json
import shutil
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.cli.commands.fix import command as fix
from agent.cli.commands.resume import command as resume
from agent.run_state.run_ownership import register
from tests.conftest import git
from tests.extensions.github.solve_runner import FILES, TEST, UNITTEST
from tests.github_server import Hub, Issue, Pull, Repo
from trajectories.errors import SweAgentError
from trajectories.journal import first_record, read

SUMMARY = "`add` subtracted its second argument. It now adds it."
EDIT = ("edit", {"path": "calc.py", "old": "return a - b", "new": "return a + b"})
SUBMIT = ("submit", {"summary": SUMMARY, "title": "Add instead of subtracting"})
SOLVED = (("edit", {"path": "tests/test_calc.py", "old": "", "new": TEST}), EDIT, ("run_tests", {}), SUBMIT)
COMMIT_TITLES = (
    "Words are loud",
    "Tests for words",
    "A calculator adds",
    "Empty words stay empty",
    "Ignore compiled files",
)
TOKEN = "t0ken-of-ada"


@dataclass
class TerminalUser:
    """A user whose `clone` has the server's `repo` as `origin`.

    `fix()` runs `swe-agent fix --issue URL --pr` in the clone; `resume()` resumes the latest run. Both return what
    `--json` prints, or the error.
    """

    folder: Path
    hub: Hub
    repo: Repo
    issue: Issue
    clone: Path
    base: str

    def fix(self, *actions: tuple[str, dict[str, Any]], **flags: Any) -> dict[str, Any]:
        script = self.folder / "script.jsonl"
        calls = [{"tool": tool, "arguments": arguments} for tool, arguments in actions or SOLVED]
        script.write_text(json.dumps({"reply": {"text": "Done.", "actions": calls, "usage": {"input_tokens": 50}}}))
        options = {"issue": self.issue.url, "repo": str(self.clone), "model": f"scripted:{script}", "test": UNITTEST}
        options |= {"pr": True, "workspace": "local", "max_tokens": 100_000, "max_steps": 1}
        return self.run_command(fix, **options | flags)

    def resume(self, **flags: Any) -> dict[str, Any]:
        return self.run_command(resume, run=self.runs[-1].name, **flags)

    def run_command(self, command: Any, **flags: Any) -> dict[str, Any]:
        output = io.StringIO()
        try:
            with redirect_stdout(output):
                command(**flags, json=True)
        except SweAgentError as error:
            return {"error": {"code": error.code, "message": error.message, "fix": error.fix}, "exit": error.code}
        return json.loads(output.getvalue())

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def runs(self) -> list[Path]:
        """Runs, oldest first."""
        return sorted((self.state / "runs").glob("*"), key=lambda run: first_record(read(run), run).at)

    @property
    def pulls(self) -> list[Pull]:
        return self.repo.pulls

    def git(self, *args: str) -> str:
        """Run git in the server's repository."""
        return git(self.repo.git, *args)

    def branches(self) -> list[str]:
        return self.git("for-each-ref", "--format=%(refname:short)", "refs/heads").split()

    def save_solved_run(self) -> None:
        """Save the latest run as it was before the first effect outside this machine."""
        journal = self.runs[-1] / "journal.jsonl"
        lines = journal.read_text().splitlines(keepends=True)
        end = next(at for at, line in enumerate(lines) if '"effect"' in line or '"type": "exit"' in line)
        journal.write_text("".join(lines[:end]))
        shutil.copytree(self.state, self.folder / "solved")

    def reset(self) -> None:
        """Restore the saved run, and the server as it was at the start."""
        shutil.rmtree(self.state, ignore_errors=True)
        if (self.folder / "solved").exists():
            shutil.copytree(self.folder / "solved", self.state)
            for run in (self.state / "runs").iterdir():
                register(run, self.state)
        self.hub.faults.clear()
        self.hub.requests.clear()
        for pull in self.pulls:
            del self.repo.numbered[pull.number]
        self.repo.archived, self.repo.permissions["ada"] = False, "write"
        for branch in set(self.branches()) - {"main"}:
            self.git("update-ref", "-d", f"refs/heads/{branch}")
        self.git("update-ref", "refs/heads/main", self.base)
        git(self.clone, "checkout", "-q", "-B", "main", self.base)
        for remote in git(self.clone, "remote").split():
            git(self.clone, "remote", "remove", remote)
        git(self.clone, "remote", "add", "origin", self.hub.clone_url(self.repo))

    def push_to_main(self, *files: tuple[str, str], title: str = "More") -> str:
        """Commit these files on the server's main branch and return the commit id."""
        other = self.folder / "other"
        shutil.rmtree(other, ignore_errors=True)
        git(self.folder, "clone", "-q", str(self.repo.git), str(other))
        for name, text in files:
            (other / name).parent.mkdir(parents=True, exist_ok=True)
            (other / name).write_text(text)
        git(other, "add", "-A")
        git(other, "commit", "-q", "-m", title)
        git(other, "push", "-q", "origin", "HEAD:main")
        git(self.clone, "fetch", "-q", str(self.repo.git), "main")
        return git(other, "rev-parse", "HEAD")


def create_user(folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> TerminalUser:
    """Create a calculator that subtracts: a repository on the server and a clone of ada's, who has write access."""
    source = folder / "source"
    source.mkdir()
    git(source, "init", "-q", "-b", "main")
    for title in COMMIT_TITLES:
        git(source, "commit", "-q", "--allow-empty", "-m", title)
    for name, text in FILES.items():
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text(text)
    git(source, "add", "-A")
    git(source, "commit", "-q", "-m", "A calculator")
    bare = folder / "calc.git"
    git(folder, "clone", "-q", "--bare", str(source), str(bare))
    repo = hub.repo("octo/calc", git=bare)
    issue = repo.issue("add() subtracts", "add(2, 3) gives -1 but should give 5.", author="mallory")
    clone = folder / "clone"
    git(folder, "clone", "-q", str(bare), str(clone))
    for name, value in hub.env(token=hub.token(TOKEN, "ada"), action=False).items():
        monkeypatch.setenv(name, value)
    for name, value in {"NAME": "Ada", "EMAIL": "ada@example.org"}.items():
        monkeypatch.setenv(f"GIT_AUTHOR_{name}", value)
    monkeypatch.setenv("SWE_AGENT_STATE", str(folder / "state"))
    monkeypatch.setenv("SWE_AGENT_ACCEPT", "plausible")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    user = TerminalUser(folder, hub, repo, issue, clone, git(bare, "rev-parse", "main"))
    user.reset()
    return user
