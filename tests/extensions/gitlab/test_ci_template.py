"""The job for GitLab's CI: its script runs as a runner would run it, against the fake server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import git
from tests.extensions.github.solve_runner import UNITTEST
from tests.extensions.github.terminal_user import EDIT, SOLVED, SUBMIT
from tests.extensions.gitlab.test_merge_request import User, user, write_script

__all__ = ["user"]
ROOT = Path(__file__).parents[3]
TEMPLATE = yaml.safe_load((ROOT / "examples" / "gitlab" / "swe-agent.yml").read_text("utf-8"))
JOB = TEMPLATE["swe-agent"]


def run_job(user: User, actions) -> subprocess.CompletedProcess[str]:
    programs = user.folder / "bin"
    programs.mkdir()
    program = programs / "swe-agent"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "import swe_agent; swe_agent.main()" "$@"\n')
    program.chmod(0o755)
    kept = {
        name: os.environ[name] for name in ("HOME", "LANG", "GITLAB_TOKEN", "SWE_AGENT_STATE") if name in os.environ
    }
    variables = {name: str(value) for name, value in JOB["variables"].items()}
    environment = (
        kept
        | variables
        | {
            "PATH": f"{programs}:{Path(sys.executable).parent}:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "CI": "true",
            "GITLAB_CI": "true",
            "CI_SERVER_URL": user.gitlab.url,
            "CI_JOB_TOKEN": "job",
            "CI_JOB_URL": f"{user.project.url}/-/jobs/7",
            "ISSUE_URL": user.issue.url,
            "SWE_AGENT_MODEL": f"scripted:{write_script(user.folder, actions)}",
            "SWE_AGENT_WORKSPACE": "local",
            "SWE_AGENT_TEST": UNITTEST,
            "SWE_AGENT_ACCEPT": "plausible",
            "SWE_AGENT_MAX_STEPS": "1",
            "SWE_AGENT_INDEPENDENT": "false",
        }
    )
    git(user.clone, "checkout", "-q", "--detach")
    git(user.clone, "remote", "set-url", "origin", f"{user.project.url}.git".replace("://", "://gitlab-ci-token:job@"))
    script = "\n".join(JOB["script"])
    command = ["bash", "-eo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=user.clone, env=environment, capture_output=True, text=True, timeout=100)


@pytest.mark.slow
def test_job_opens_a_merge_request_and_says_so_on_the_issue(user: User) -> None:
    done = run_job(user, SOLVED)
    assert done.returncode == 0, done.stderr
    assert user.request.title == "Draft: Add instead of subtracting"
    [note] = user.issue.notes
    assert f"{user.request.url} has a patch that is plausible." in note.body
    assert f"[Job]({user.project.url}/-/jobs/7)" in note.body
    assert "glpat" not in done.stdout + done.stderr


@pytest.mark.slow
def test_job_without_a_proven_patch_may_fail_and_says_why(user: User) -> None:
    done = run_job(user, (EDIT, SUBMIT))
    assert done.returncode in JOB["allow_failure"]["exit_codes"], done.stderr
    assert not user.project.merge_requests
    assert "No merge request was opened, because the patch is " in user.issue.notes[0].body


def run_script(tmp_path: Path, lines: list[str], **programs: str) -> int:
    """Return the exit code of a script with these programs, given as shell code, in front of the PATH."""
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{Path(sys.executable).parent}:/usr/bin:/bin", "TMPDIR": str(tmp_path)}
    command = ["bash", "-eo", "pipefail", "-c", "\n".join(lines)]
    return subprocess.run(command, env=environment, capture_output=True, timeout=60).returncode


@pytest.mark.parametrize("programs", [{"python3": "exit 1"}, {"python3": "exit 0", "pip": "exit 1"}])
def test_failed_installation_fails_the_job(tmp_path: Path, programs: dict[str, str]) -> None:
    code = run_script(tmp_path, JOB["before_script"], **programs)
    assert code == 5
    assert code not in JOB["allow_failure"]["exit_codes"]
    assert not [entry for entry in tmp_path.iterdir() if entry.is_dir()]


def test_exit_code_is_kept_without_a_result(tmp_path: Path) -> None:
    assert run_script(tmp_path, JOB["script"], **{"swe-agent": "exit 75"}) == 75


def test_job_runs_only_for_people_on_protected_branches() -> None:
    [rule] = JOB["rules"]
    assert "$CI_COMMIT_REF_PROTECTED" in rule["if"]
    assert "merge_request" not in rule["if"]
    assert "GITLAB_TOKEN" not in str(TEMPLATE)
