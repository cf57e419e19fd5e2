"""A person at a terminal, in this process: a clone, an issue on the stand-in for GitHub, a scripted model."""

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
from tests.agent.github.solve_runner import FILES, TEST, UNITTEST
from tests.conftest import git
from tests.github_server import Hub, Issue, Pull, Repo
from trajectories.errors import SweAgentError
from trajectories.journal import first_record, read

SUMMARY = "`add` subtracted its second argument. It now adds it."
EDIT = ("edit", {"path": "calc.py", "old": "return a - b", "new": "return a + b"})
SUBMIT = ("submit", {"summary": SUMMARY, "title": "Add instead of subtracting"})
SOLVED = (("edit", {"path": "tests/test_calc.py", "old": "", "new": TEST}), EDIT, ("run_tests", {}), SUBMIT)
LOG = ("Words are loud", "Tests for words", "A calculator adds", "Empty words stay empty", "Ignore compiled files")
TOKEN = "t0ken-of-ada"


@dataclass
class Person:
    """`fix()` says `swe-agent fix --issue URL --pr` in `clone`, whose `origin` is `repo` on the hub, `resume()` goes on
    with the latest run; both return what `--json` prints, also for an error before there is a run."""

    folder: Path
    hub: Hub
    repo: Repo
    issue: Issue
    clone: Path
    base: str

    def fix(self, *actions: tuple[str, dict[str, Any]], **flags: Any) -> dict[str, Any]:
        script = self.folder / "script.jsonl"
        said = [{"tool": tool, "arguments": arguments} for tool, arguments in actions or SOLVED]
        script.write_text(json.dumps({"reply": {"text": "So.", "actions": said, "usage": {"input_tokens": 50}}}))
        given = {"issue": self.issue.url, "repo": str(self.clone), "model": f"scripted:{script}", "test": UNITTEST}
        given |= {"pr": True, "workspace": "local", "max_tokens": 100_000, "max_steps": 1}
        return self.told(fix, **given | flags)

    def resume(self, **flags: Any) -> dict[str, Any]:
        return self.told(resume, run=self.runs[-1].name, **flags)

    def told(self, command: Any, **flags: Any) -> dict[str, Any]:
        said = io.StringIO()
        try:
            with redirect_stdout(said):
                command(**flags, json=True)
        except SweAgentError as error:
            return {"error": {"code": error.code, "message": error.message, "fix": error.fix}, "exit": error.code}
        return json.loads(said.getvalue())

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def runs(self) -> list[Path]:
        """Oldest first; two of one second have names in any order."""
        return sorted((self.state / "runs").glob("*"), key=lambda run: first_record(read(run), run).at)

    @property
    def pulls(self) -> list[Pull]:
        return self.repo.pulls

    def git(self, *args: str) -> str:
        """In the repository on the server."""
        return git(self.repo.git, *args)

    def branches(self) -> list[str]:
        return self.git("for-each-ref", "--format=%(refname:short)", "refs/heads").split()

    def keep_solved(self) -> None:
        """Keep the latest run as it was when all was done but what leaves the machine."""
        journal = self.runs[-1] / "journal.jsonl"
        lines = journal.read_text().splitlines(keepends=True)
        end = next(at for at, line in enumerate(lines) if '"effect"' in line or '"type": "exit"' in line)
        journal.write_text("".join(lines[:end]))
        shutil.copytree(self.state, self.folder / "solved")

    def begin_anew(self) -> None:
        """With the solved run, and a server where nothing has happened."""
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

    def publish(self, *files: tuple[str, str], title: str = "More") -> str:
        """A commit on the server's main branch with these files."""
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


def begun(folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Person:
    """A calculator that subtracts, on the hub and in a clone of Ada's, who may write."""
    made = folder / "made"
    made.mkdir()
    git(made, "init", "-q", "-b", "main")
    for title in LOG:
        git(made, "commit", "-q", "--allow-empty", "-m", title)
    for name, text in FILES.items():
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_text(text)
    git(made, "add", "-A")
    git(made, "commit", "-q", "-m", "A calculator")
    bare = folder / "calc.git"
    git(folder, "clone", "-q", "--bare", str(made), str(bare))
    repo = hub.repo("octo/calc", git=bare)
    issue = repo.issue("add() subtracts", "add(2, 3) gives -1 but should give 5.", author="mallory")
    clone = folder / "clone"
    git(folder, "clone", "-q", str(bare), str(clone))
    for name, value in hub.env(token=hub.token(TOKEN, "ada"), action=False).items():
        monkeypatch.setenv(name, value)
    for name, value in {"NAME": "Ada", "EMAIL": "ada@example.org"}.items():
        monkeypatch.setenv(f"GIT_AUTHOR_{name}", value)
    monkeypatch.setenv("SWE_AGENT_STATE", str(folder / "state"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    person = Person(folder, hub, repo, issue, clone, git(bare, "rev-parse", "main"))
    person.begin_anew()
    return person
