"""Fixtures that need a repository or a workspace: real git, real shells, real containers."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from aci.repository.user_repository import Repository
from aci.runtime.posix_workspace import PosixWorkspace
from aci.runtime.sandbox_availability import SANDBOX
from aci.runtime.workspace import WorkspaceOptions, open_workspace
from aci.workspaces import local
from agent.run_state.run_ownership import register
from tests.sampling import sampled_tests
from trajectories.git_store.trees import Trees
from trajectories.plugins import installed_module

IMAGE = os.environ.get("SWE_AGENT_TEST_IMAGE") or os.environ.get("SWE_AGENT_IMAGE") or "swe-agent-base:latest"
NO_PLUGINS = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"
COMMIT_TIME = "1700000000 +0000"  # equal files give equal commits, so equal base images

MakeRepo = Callable[[Mapping[str, str | bytes]], Path]
OpenWorkspace = Callable[..., PosixWorkspace]


def git(folder: Path, *args: str) -> str:
    """Return the output of git in `folder`, with a fixed identity and time, and no configuration of this machine."""
    assert "--global" not in args, "as root, git would replace the null device"
    identity = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in _IDENTITY.items()}
    env = {**os.environ, **identity, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    return subprocess.run(
        ["git", "-C", str(folder), *args], env=env, check=True, capture_output=True, text=True
    ).stdout.strip()


_IDENTITY = {"NAME": "A Tester", "EMAIL": "tester@example.com", "DATE": COMMIT_TIME}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests of the sandbox if there is none here, and run a sample of the slow tests if there is a seed."""
    sandbox = installed_module(SANDBOX)
    lacks_sandbox = sandbox is None or sandbox.unavailable_reason()
    left_out = {item for item in items if item.get_closest_marker("sandbox")} if lacks_sandbox else set()
    if os.environ.get("SWE_AGENT_TEST_SEED"):
        left_out |= set(items) - set(sampled_tests(items))
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True, scope="session")
def python_without_plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run targets with the Python that runs the tests, whatever this machine has, and without its pytest plugins.

    Loading them takes half a second in each of the many small test runs. A sandbox, which does not show the environment
    of the tests, uses the system's Python.
    """
    prefix = tmp_path_factory.mktemp("python")
    folder = prefix / "bin"
    folder.mkdir()
    (prefix / "lib").symlink_to(Path(sys.prefix, "lib"))  # swe-agent looks here for what is installed
    own = shlex.quote(sys.executable)
    program = f'#!/bin/sh\nexport {NO_PLUGINS}=1\n[ ! -x {own} ] || exec {own} "$@"\nexec /usr/bin/python3 "$@"\n'
    for name in ("python", "python3"):
        (folder / name).write_text(program)
        (folder / name).chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
        yield


@pytest.fixture(autouse=True, scope="session")
def own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Store the runs of the user outside the home of the user who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWE_AGENT_STATE", str(tmp_path_factory.mktemp("user-state")))
        yield


@pytest.fixture(autouse=True, scope="session")
def without_examiner() -> Iterator[None]:
    """Ask no examiner: scripted models write no blind tests. The tests of the examiner ask one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWE_AGENT_INDEPENDENT", "false")
        yield


@pytest.fixture(scope="session")
def user_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Paths of new folders, one for each test; `tmp_path` is slower, as it lists all folders of the session."""
    folder = tmp_path_factory.mktemp("users")
    return (folder / str(number) for number in count())


@pytest.fixture(autouse=True)
def own_config(user_folders: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration file outside the home of the user who runs the tests, as the cache is."""
    folder = next(user_folders)
    folder.mkdir()
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(folder / "config.toml"))
    monkeypatch.setenv("SWE_AGENT_CACHE", str(folder / "cache"))
    return folder / "config.toml"


@pytest.fixture
def make_repo(tmp_path: Path) -> MakeRepo:
    """`make_repo({"a.py": "x = 1\\n"})` returns the path of a new repository with one commit of these files."""
    made = 0

    def make(files: Mapping[str, str | bytes]) -> Path:
        nonlocal made
        made += 1
        return committed(tmp_path / f"repo{made}", files)

    return make


def committed(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Create a repository at `root` with one commit of these files, and return its path."""
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    for name, content in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    git(root, "add", "-A", "-f")
    git(root, "commit", "-q", "--allow-empty", "-m", "The first commit")
    return root


def write_program(path: Path, code: str) -> None:
    """Write a program for the Python that runs the tests; in a line with `#!`, its path must not contain blanks."""
    source = path.with_name(f"{path.name}.py")
    source.write_text(code)
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(source))} "$@"\n')
    path.chmod(0o755)


def copy_run(source: Path, target: Path, journal: bytes | None = None) -> None:
    """Copy a run, with this journal if given, and register the copy as the user's own run in the same state folder."""
    shutil.copytree(source, target)
    cut_run(target, journal or (source / "journal.jsonl").read_bytes())


def cut_run(run: Path, journal: bytes) -> None:
    """Replace a run's journal by an earlier state, as a killed process leaves it."""
    (run / "journal.jsonl").write_bytes(journal)
    register(run, run.parent.parent)


@pytest.fixture
def open_ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenWorkspace]:
    """`open_ws("local", repo, rev=None, cancel=…)` opens a workspace at the base. It is closed after the test.

    Its `options` hold repository, base and trees. Locally `python` is the one that runs the tests.
    """
    opened: list[tuple[PosixWorkspace, Trees]] = []

    def open(kind: str, repo: Path, rev: str | None = None, **more: Any) -> PosixWorkspace:
        if kind == "local" and not opened:
            monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
            monkeypatch.setenv(NO_PLUGINS, "1")  # the plugins take a second in each test run of a target
            monkeypatch.setattr(local, "KEPT", (*local.KEPT, NO_PLUGINS))
        trees = Trees(tmp_path / f"trees{len(opened)}.git")
        repository = Repository.open(repo)
        options = WorkspaceOptions(
            repository, repository.base(trees, rev), trees, **{"image": IMAGE, "say": print, **more}
        )
        workspace = open_workspace(kind, options)
        assert isinstance(workspace, PosixWorkspace)
        opened.append((workspace, trees))
        return workspace

    yield open
    for workspace, trees in opened:
        workspace.close()
        trees.close()


@pytest.fixture(
    params=[
        "local",
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("sandbox", marks=pytest.mark.sandbox),
    ]
)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of workspace."""
    return str(request.param)
