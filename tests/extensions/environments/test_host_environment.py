"""Environments on this machine: when one is set up, and what is kept."""

from __future__ import annotations

import json
import os
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from aci.environments.environment_plan import HOME, VENV, Command, EnvironmentOptions, Plan
from aci.environments.environment_records import record_of
from aci.observation.activity_message import ActivityMessage
from aci.repository.disk_cache import cache_folder
from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions, open_workspace
from extensions.environments.environment import _key as image_key
from extensions.environments.environment import plan_for
from extensions.environments.host_environment import (
    FILES,
    MOST_ENVIRONMENTS,
    READY,
    HostPlace,
    HostSetup,
    _copies_nothing,
    _find_folder,
    _folder,
    _has_generated_code,
    _relocated,
    _remove_oldest,
    _setup_key,
    add_environment,
    needs_set_up,
)
from extensions.environments.setup_container import SetupResult
from tests.conftest import MakeRepo, git
from trajectories.errors import WorkspaceError
from trajectories.git_store.trees import EMPTY_TREE, Trees

PYTHON = {
    "pyproject.toml": '[project]\nname = "x"\nversion = "1"\ndependencies = ["surely-not-installed"]\n',
    "x.py": "",
}
SETTINGS = EnvironmentOptions(images={"python": "py", "node": "js"}, hosts=("pypi.org",))

MakeOptions = Callable[..., WorkspaceOptions]


@pytest.fixture
def make_options(make_repo: MakeRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeOptions]:
    """`make_options(files, …)` returns options of a workspace; no environment is active, and set-up is refused."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX", "UV_PROJECT_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    with Trees(tmp_path / "trees.git") as trees:

        def make(files: dict[str, str | bytes], **more: object) -> WorkspaceOptions:
            repository = Repository.open(make_repo(files))
            options = WorkspaceOptions(repository, repository.base(trees), trees)
            return replace(options, **{"may_set_up": lambda *asked: False, "say": print, **more})  # type: ignore[arg-type]

        yield make


def environments() -> list[Path]:
    """Return the folders of all environments."""
    return list((cache_folder() / "host-environments").glob("*"))


def test_project_with_environment_needs_none(make_options: MakeOptions) -> None:
    options = make_options({**PYTHON, ".gitignore": ".venv\n"}, may_set_up=lambda *asked: pytest.fail("nothing to ask"))
    venv = options.repository.root / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").symlink_to(sys.executable)
    (venv / "pyvenv.cfg").touch()
    assert add_environment(options, SETTINGS, "sandbox") is options
    assert environments() == []


@pytest.mark.parametrize("files", [{"package.json": "{}"}, {"README": ""}, {"pyproject.toml": "[project"}])
def test_other_projects_get_no_environment(make_options: MakeOptions, files: dict[str, str | bytes]) -> None:
    asked: list[object] = []
    options = make_options(files, may_set_up=lambda *question: asked.append(question))
    assert add_environment(options, SETTINGS, "sandbox") is options
    assert not needs_set_up(options, SETTINGS, "sandbox")
    assert asked == []


def test_user_is_asked_and_may_refuse(make_options: MakeOptions) -> None:
    asked: list[tuple[str, Sequence[str], Sequence[str]]] = []
    said: list[str] = []

    def refuse(where: str, commands: Sequence[str], hosts: Sequence[str]) -> bool:
        asked.append((where, commands, hosts))
        return False

    options = make_options(PYTHON, say=said.append, may_set_up=refuse)
    assert add_environment(options, SETTINGS, "sandbox") is options
    ((where, commands, hosts),) = asked
    assert (where, hosts) == ("a sandbox on this machine", ("pypi.org",))
    assert any(command.startswith("pip install") for command in commands)
    assert said == ["No environment was set up, so tests may not run."]
    assert environments() == []


def test_complete_environment_is_used_again(make_options: MakeOptions) -> None:
    options = make_options(PYTHON)
    folder = _folder(plan_for(options, SETTINGS), options, SETTINGS)
    assert folder.is_relative_to(cache_folder())
    (folder / FILES / "venv").mkdir(parents=True)
    assert add_environment(options, SETTINGS, "sandbox") is options, "it is not complete"
    assert needs_set_up(options, SETTINGS, "sandbox")
    (folder / READY).touch()
    assert not needs_set_up(options, SETTINGS, "sandbox")
    os.utime(folder / READY, (1, 1))
    found = add_environment(options, SETTINGS, "sandbox")
    assert found == replace(options, environment=folder / FILES / "venv")
    assert (folder / READY).stat().st_mtime > 1, "the time of the last use"


def test_own_folder_depends_on_base_and_settings(make_options: MakeOptions) -> None:
    options = make_options(PYTHON)
    plan = Plan("", "py", "python", (Command("pip install .", ""),))
    keys = [
        _folder(plan, options, SETTINGS),
        _folder(plan, replace(options, base=replace(options.base, tree=EMPTY_TREE)), SETTINGS),
        _folder(plan, replace(options, base=replace(options.base, commit="0" * 40)), SETTINGS),
        _folder(plan, make_options(PYTHON), SETTINGS),
        _folder(replace(plan, setup=(Command("pip install x", ""),)), options, SETTINGS),
        _folder(plan, options, replace(SETTINGS, hosts=())),
        _folder(plan, options, replace(SETTINGS, set_up_environment={"A": "1"})),
    ]
    assert len(set(keys)) == len(keys)
    assert _folder(plan, options, replace(SETTINGS, seconds=1.0)) == keys[0]


def test_clones_share_images_but_no_environment_on_this_machine(make_options: MakeOptions, tmp_path: Path) -> None:
    options = make_options(PYTHON)
    git(tmp_path, "clone", "-q", str(options.repository.root), "other")
    repository = Repository.open(tmp_path / "other")
    clone = replace(options, repository=repository, base=repository.base(options.trees))
    plan = plan_for(options, SETTINGS)
    assert clone.base == options.base
    assert plan_for(clone, SETTINGS) == plan
    assert image_key(plan, "sha256:1", clone, SETTINGS) == image_key(plan, "sha256:1", options, SETTINGS)
    assert _folder(plan, clone, SETTINGS) != _folder(plan, options, SETTINGS)


def ready(options: WorkspaceOptions) -> Path:
    """Make a complete environment for these options without a set-up, and return its folder."""
    plan = plan_for(options, SETTINGS)
    folder = _folder(plan, options, SETTINGS)
    (folder / FILES / "venv").mkdir(parents=True)
    made = {"setup": _setup_key(plan, options, SETTINGS, "sandbox"), "commit": options.base.commit}
    (folder / READY).write_text(json.dumps(made))
    return folder


def change(options: WorkspaceOptions, path: str, text: str, committed: bool = True) -> WorkspaceOptions:
    """Return options for the repository after a change of a file."""
    root = options.repository.root
    (root / path).write_text(text)
    if committed:
        git(root, "add", "-A")
        git(root, "commit", "-qm", "change")
    return replace(options, base=options.repository.base(options.trees))


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize(
    ("path", "text", "is_used"),
    [
        ("x.py", "X = 1\n", True),
        ("README", "x", True),
        ("pyproject.toml", PYTHON["pyproject.toml"] + 'description = "y"\n', False),
        ("requirements-test.txt", "six\n", False),
        ("x.c", "int x;\n", False),
    ],
)
def test_environment_is_used_for_later_states_with_the_same_inputs(
    make_options: MakeOptions, committed: bool, path: str, text: str, is_used: bool
) -> None:
    options = make_options(PYTHON)
    folder = ready(options)
    later = change(change(options, path, text, committed), "note", "y", committed)
    assert needs_set_up(later, SETTINGS, "sandbox") is not is_used
    found = add_environment(later, SETTINGS, "sandbox").environment
    assert found == (folder / FILES / "venv" if is_used else None)


def test_environment_of_other_branch_is_not_used(make_options: MakeOptions) -> None:
    options = make_options(PYTHON)
    root = options.repository.root
    git(root, "checkout", "-qb", "other")
    ready(change(options, "x.py", "X = 1\n"))
    git(root, "checkout", "-q", "-")
    assert needs_set_up(change(options, "x.py", "X = 2\n"), SETTINGS, "sandbox")


def test_environment_with_copy_of_code_is_used_for_its_commit_only(make_options: MakeOptions) -> None:
    options = make_options({**PYTHON, ".swe-agent.toml": 'setup = "pip install ."\n'})
    plan = Plan("the user's settings", "py", "python", (Command("pip install .", ""),))
    folder = _folder(plan, options, SETTINGS)
    folder.mkdir(parents=True)
    made = {"setup": _setup_key(plan, options, SETTINGS, "sandbox"), "commit": options.base.commit}
    (folder / READY).write_text(json.dumps(made))
    assert _find_folder(plan, options, SETTINGS, "sandbox") == folder
    assert _find_folder(plan, change(options, "x.py", "X = 1\n"), SETTINGS, "sandbox") != folder


@pytest.mark.parametrize("showed", [True, False])
def test_environment_is_used_for_later_commits_if_set_up_showed_that_it_builds_nothing(
    make_options: MakeOptions, showed: bool
) -> None:
    options = make_options({**PYTHON, "django.po": ""})
    folder = ready(options)
    record = record_of(_setup_key(plan_for(options, SETTINGS), options, SETTINGS, "sandbox"), options, showed)
    (folder / READY).write_text(record)
    assert needs_set_up(change(options, "x.py", "X = 1\n"), SETTINGS, "sandbox") is not showed


@pytest.mark.parametrize(
    ("command", "copies_nothing"),
    [
        ("python3 -m venv /e/venv", True),
        ("python3 -m venv '/a user/e'/venv", True),
        ("python3 -m venv /e/venv && cp *.py /e/venv/lib", False),
        ("pip install -e '.[test]'", True),
        ("pip install -e ./plugin", False),
        ("pip install --no-build-isolation -e .", True),
        ("pip install 'pytest<8' six", True),
        ("""pip install "mock; python_version < '3.3'" 'a >= 1'""", True),
        ("pip install .", False),
        ("pip install './x[test]' six", False),
        ("pip install packages/core", False),
        ("pip install sub/", False),
        ("pip install core-1.0.tar.gz", False),
        ("pip install 'core @ file:packages/core'", False),
        ("pip install six && make", False),
        ("pip install six\nmake", False),
        ("pip install six; make", False),
        ("make", False),
    ],
)
def test_commands_that_copy_code_of_the_repository(command: str, copies_nothing: bool) -> None:
    assert _copies_nothing(command, {}, ()) is copies_nothing


@pytest.mark.parametrize(
    ("text", "copies_nothing"),
    [
        ("# test tools\nsix==1.0 \\\n    --hash=sha256:0\npytest[x] ; python_version < '4'\n-e .[test]\n", True),
        ("-r base.txt\n-c ../constraints.txt\n", True),
        ("-r unknown.txt\n", False),
        ("-r test.txt\n", False),
        ("-r plugin.txt\n", False),
        (".\n", False),
        ("./plugin\n", False),
        ("-e ./plugin\n", False),
        ("core @ file:packages/core\n", False),
        ("--find-links wheels\n", False),
    ],
)
def test_requirement_files_that_copy_code_of_the_repository(text: str, copies_nothing: bool) -> None:
    """Nested files must be among those that decide what is installed."""
    files = {"reqs/test.txt": text.encode(), "reqs/base.txt": b"six\n", "constraints.txt": b"six<2\n"}
    files |= {"reqs/plugin.txt": b"./plugin\n"}
    command = "pip install -r reqs/test.txt"
    assert _copies_nothing(command, files | {"reqs/unknown.txt": b"six\n"}, tuple(files)) is copies_nothing
    assert not _copies_nothing(command, files, ()), "the file is no input"


@pytest.mark.parametrize(
    ("names", "has_code"), [([], False), (["x.egg-info/PKG-INFO", "src/x.egg-info/a"], False), (["x/a.so"], True)]
)
def test_generated_files_other_than_metadata_are_code(tmp_path: Path, names: list[str], has_code: bool) -> None:
    with tarfile.open(tmp_path / "generated.tar", "w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    assert _has_generated_code(tmp_path / "generated.tar") is has_code
    assert _has_generated_code(tmp_path / "missing.tar"), "unknown"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"setup": 1, "commit": 2}'])
def test_unreadable_record_of_environment_is_ignored(make_options: MakeOptions, text: str) -> None:
    options = make_options(PYTHON)
    (ready(options) / READY).write_text(text)
    assert needs_set_up(change(options, "x.py", "X = 1\n"), SETTINGS, "sandbox")


def test_plan_is_moved_to_another_folder() -> None:
    setup = (Command(f"python3 -m venv {VENV} && {VENV}/bin/pip install {VENV}/x", "why", True), Command("make", ""))
    plan = Plan("source", "py", "python", setup, paths=(f"{VENV}/bin", "/usr/bin"), reasons=("why",))
    moved = _relocated(plan, Path("/home/a user/env"))
    new = "'/home/a user/env'/venv"
    assert moved.setup == (
        Command(f"python3 -m venv {new} && {new}/bin/pip install {new}/x", "why", True),
        Command("make", ""),
    )
    assert moved.paths == ("/home/a user/env/venv/bin", "/usr/bin")
    assert replace(moved, setup=plan.setup, paths=plan.paths) == plan
    assert HOME not in str(moved)


def test_environments_that_were_used_last_are_kept(tmp_path: Path) -> None:
    for number in range(MOST_ENVIRONMENTS + 2):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / READY).touch()
        os.utime(tmp_path / str(number) / READY, (1000 - number, 1000 - number))
    (tmp_path / "unfinished").mkdir()
    _remove_oldest(tmp_path)
    left = {folder.name for folder in tmp_path.iterdir()}
    assert left == {*map(str, range(MOST_ENVIRONMENTS - 1)), "unfinished"}, "there is room for one more"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["local", pytest.param("sandbox", marks=pytest.mark.sandbox)])
def test_set_up_runs_once_and_its_files_are_in_each_workspace(
    make_options: MakeOptions, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    if kind == "local":
        monkeypatch.setattr(
            "extensions.environments.host_environment.sandbox_error", lambda: WorkspaceError("none", "")
        )
    asked: list[tuple[str, Sequence[str], Sequence[str]]] = []
    said: list[str] = []
    files = {"pyproject.toml": "", "x.py": "", ".gitignore": "made.py\n"}
    yes = {"may_set_up": lambda *question: asked.append(question) or True, "say": said.append}
    options = make_options(files, **yes)
    python = 'python3 -m venv --without-pip "$VIRTUAL_ENV"'
    settings = EnvironmentOptions(images={"python": "py"}, setup=f"{python} && echo NUMBER=7 > made.py")
    found = add_environment(options, settings, kind)
    assert add_environment(options, settings, kind) == found
    assert found.environment
    assert len([line for line in said if line.startswith("Set-up 1/")]) == 1
    activities = [line for line in said if isinstance(line, ActivityMessage)]
    assert "base's tests" in activities[-1], "the tests are not shown as a part of the set-up commands"
    assert [hosts for _, _, hosts in asked] == ([()] if kind == "local" else [])
    assert not (options.repository.root / "made.py").exists(), "set-up ran in a clone"
    record = json.loads((found.environment.parent.parent / READY).read_text())
    assert "serves_later_commits" not in record, "the user's commands may copy code"
    with closing(open_workspace(kind, found)) as workspace, closing(workspace.fork(options.base.tree)) as fork:
        for each in (workspace, fork):
            ran = each.run("python -c 'import made, sys; print(made.NUMBER, sys.prefix)'")
            assert ran.text.split() == ["7", str(found.environment)]


@pytest.mark.parametrize(
    ("own_command", "made", "is_free"),
    [
        pytest.param("", "", True, id="nothing is built"),
        pytest.param("", "build/x.so", False, id="build folder"),
        pytest.param("python3 -m venv --without-pip $VIRTUAL_ENV && cp *.py $VIRTUAL_ENV", "", False, id="copy"),
        pytest.param("true", "", False, id="user's command"),
    ],
)
def test_record_says_whether_set_up_copied_or_built_code(
    make_options: MakeOptions, monkeypatch: pytest.MonkeyPatch, own_command: str, made: str, is_free: bool
) -> None:
    monkeypatch.setattr("extensions.environments.host_environment.sandbox_error", lambda: WorkspaceError("none", ""))
    files = {**PYTHON, "django.po": "", ".gitignore": "build\n", "reqs/base.txt": "six\n"}
    options = make_options(files, may_set_up=lambda *asked: True, say=lambda line: None)

    def run(place: HostPlace, command: str, *rest: object, **options: object) -> SetupResult:
        if made and command.startswith("pip install -e"):
            place.workspace.run(f"mkdir -p build && touch {made}")
        text = place.workspace.run(command).text if command.startswith("git") else ""
        return SetupResult(command, 0, text, 0.0)

    monkeypatch.setattr(HostPlace, "run", run)
    monkeypatch.setattr(HostSetup, "_test_and_repair", lambda *_: None)
    settings = replace(SETTINGS, setup=own_command)
    environment = add_environment(options, settings, "local").environment
    assert environment
    record = json.loads((environment.parent.parent / READY).read_text())
    assert record.get("serves_later_commits", False) is is_free


def test_set_up_without_isolation_needs_a_yes(make_options: MakeOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extensions.environments.host_environment.sandbox_error", lambda: WorkspaceError("none", ""))
    said: list[str] = []
    options = make_options(PYTHON, say=said.append)
    default = WorkspaceOptions(options.repository, options.base, options.trees, say=said.append)
    for each in (options, default):
        assert add_environment(each, SETTINGS, "local") is each
    assert said == ["No environment was set up, so tests may not run."] * 2
    assert environments() == []


def test_cache_in_the_repository_is_not_used(make_options: MakeOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart of the sandbox would follow links that set-up put in place of the folder's parents."""
    said: list[str] = []
    options = make_options(PYTHON, say=said.append, may_set_up=lambda *asked: pytest.fail("nothing to ask"))
    monkeypatch.setenv("SWE_AGENT_CACHE", str(options.repository.root / ".cache"))
    assert add_environment(options, SETTINGS, "sandbox") is options
    assert said == [f"No environment was set up, since the cache, {cache_folder()}, is in the repository."]
