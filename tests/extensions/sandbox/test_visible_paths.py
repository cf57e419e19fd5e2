"""What a sandbox shows of the user's machine: tools and packages, and nothing else of the home."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from aci.host.project_python import ProjectPython
from extensions.sandbox.visible_paths import SYSTEM, SocketSearch, VisibleTools, own_interpreter, system_contents

PRIVATE = ("", "..", ".local", ".config", ".ssh")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "homes/me"
    folder.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def root(home: Path) -> Path:
    (home / "work/shop").mkdir(parents=True)
    return home / "work/shop"


def program(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def installation(prefix: Path, *names: str) -> Path:
    """Create a folder that looks like the installation of Python and Node.js, with these programs."""
    for name in names or ("python3", "node"):
        program(prefix / "bin" / name.replace("python3", "python3.12", name == "python3"))
    if "python3" in (names or ("python3",)):
        (prefix / "bin/python3").symlink_to("python3.12")
    for name in ("lib/python3.12/os.py", "lib/node_modules/npm/package.json", "package.json"):
        (prefix / name).parent.mkdir(parents=True, exist_ok=True)
        (prefix / name).write_text("")
    return prefix


def environment(folder: Path, python: Path) -> Path:
    """Create a virtual environment of an interpreter."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").symlink_to(python)
    (folder / "pyvenv.cfg").write_text(f"home = {python.parent}\n")
    return folder


def find_tools(root: Path, *folders: Path, python: Path | None = None, **variables: str) -> VisibleTools:
    """Return the tools for a user with these folders on the PATH."""
    variables = {"HOME": os.environ["HOME"], "PATH": os.pathsep.join(map(str, folders)), **variables}
    return VisibleTools(ProjectPython(python, "") if python else None, variables, root)


def shows(tools: VisibleTools, folder: Path) -> bool:
    """Return whether a folder is shown as a whole, or as a part of another one."""
    places = {*tools.shown, *tools.shown.values()}
    return any(each.resolve().is_relative_to(real) for each in (folder, folder.resolve()) for real in places)


# What is never shown


@pytest.mark.parametrize("is_link", [False, True])
@pytest.mark.parametrize("name", [*PRIVATE, "work"])
def test_only_programs_of_private_folders_are_shown(home: Path, root: Path, name: str, is_link: bool) -> None:
    installation(home / name)
    user = home
    if is_link:
        user = home.parents[1] / "link"
        user.symlink_to(home)
    folder = home.parent if name == ".." else user / name
    tools = find_tools(root, folder / "bin", HOME=str(user))
    assert not shows(tools, folder)
    assert (folder / "bin/node").resolve() in tools.shown.values()
    assert str(folder / "bin") in tools.variables["PATH"]


@pytest.mark.parametrize("name", ["", "tools", "../shop"])
def test_programs_of_the_checkout_are_not_shown(home: Path, root: Path, name: str) -> None:
    installation(root / name)
    program(home / "private/deploy")
    (root / name / "bin/go").symlink_to(home / "private/deploy")
    tools = find_tools(root, root / name / "bin")
    assert (tools.shown, tools.links, tools.variables["PATH"]) == ({}, {}, "")


def test_environment_of_the_checkout_cannot_name_other_files(home: Path, root: Path) -> None:
    """The folder of its interpreter is in the checkout, and has links to private files."""
    prefix = installation(root, "python3")
    (root / "bin/python3-key").symlink_to(program(home / ".ssh/id"))
    (root / "backend/.env").parent.mkdir()
    places = (prefix, root / "../shop", home / ".ssh/../work/shop", installation(root / "backend", "python3"))
    for number, folder in enumerate(places):
        venv = environment(home / f"envs/{number}", folder / "bin/python3")
        assert find_tools(root, python=venv).shown == {venv: venv}


def test_interpreter_must_have_its_library_beside_it(home: Path, root: Path) -> None:
    installation(home / "private/data")
    prefix = home / "private/fake"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin/python3.12").symlink_to(home / "private/data/id")
    (prefix / "lib").symlink_to(home / "private/data/lib")
    program(home / "private/data/id")
    venv = environment(root / ".venv", prefix / "bin/python3.12")
    assert find_tools(root, python=venv).shown == {venv: venv}


def test_harness_does_not_use_programs_of_the_environment(home: Path, root: Path) -> None:
    for place in (root / ".venv", home / "envs/shop"):
        venv = environment(place, Path("/usr/bin/python3"))
        program(venv / "bin/git")
        tools = find_tools(root, venv / "bin", Path("/usr/bin"), python=venv)
        assert tools.variables["PATH"] == f"{venv}/bin:/usr/bin"
        assert tools.path == "/usr/bin"
    (home / "link").symlink_to(home / "envs/shop")
    assert find_tools(root, home / "link/bin", Path("/bin"), python=home / "envs/shop").path == "/bin"


@pytest.mark.parametrize("name", PRIVATE)
def test_environment_cannot_name_a_folder_without_interpreter(home: Path, root: Path, name: str) -> None:
    python = program(home / name / "bin/python3")
    tools = find_tools(root, python=environment(root / ".venv", python))
    assert not shows(tools, python.parents[1])
    assert tools.variables["VIRTUAL_ENV"] == str(root / ".venv")


@pytest.mark.parametrize("name", ["", "..", "../..", "work", "work/shop"])
def test_environment_that_is_a_link_to_the_home_or_checkout_is_not_used(home: Path, root: Path, name: str) -> None:
    target = home / name
    environment(target, Path(sys.executable))
    (root / "env").symlink_to(target)
    tools = find_tools(root, python=root / "env")
    assert not shows(tools, target)
    assert "VIRTUAL_ENV" not in tools.variables


def test_other_files_beside_programs_are_not_shown(home: Path, root: Path) -> None:
    program(home / "bin/node")
    (home / "bin/password").write_text("")
    assert find_tools(root, home / "bin").shown == {home / "bin/node": home / "bin/node"}


# The project's Python


def test_environment_and_its_interpreter_are_shown(home: Path, root: Path) -> None:
    interpreter = installation(home / ".pyenv/versions/3.12.1", "python3")
    venv = environment(root / ".venv", interpreter / "bin/python3")
    program(venv / "bin/tox")
    tools = find_tools(root, python=venv)
    assert tools.shown == {venv: venv, interpreter: interpreter}
    assert tools.variables == {"VIRTUAL_ENV": str(venv), "PATH": str(venv / "bin")}


def test_environment_elsewhere_is_shown_in_place_of_the_link(home: Path, root: Path) -> None:
    target = environment(home / "envs/shop", Path("/usr/bin/python3"))
    (root / ".venv").symlink_to(target)
    tools = find_tools(root, python=root / ".venv")
    assert tools.shown[root / ".venv"] == target
    assert set(tools.shown.values()) == {target}


def test_interpreter_behind_two_links_is_shown(home: Path, root: Path) -> None:
    interpreter = installation(home / "python/cpython-3.12.1", "python3.12")
    (home / "python/cpython-3.12").symlink_to("cpython-3.12.1")
    venv = environment(root / ".venv", home / "python/cpython-3.12/bin/python3.12")
    tools = find_tools(root, python=venv)
    assert tools.shown[home / "python/cpython-3.12"] == tools.shown[interpreter] == interpreter


def test_user_packages_are_shown_only_without_environment(home: Path, root: Path) -> None:
    packages = home / ".local/lib/python3.12/site-packages"
    packages.mkdir(parents=True)
    tools = find_tools(root)
    assert tools.shown == {packages: packages}
    assert tools.variables["PYTHONUSERBASE"] == str(home / ".local")
    tools = find_tools(root, python=environment(root / ".venv", Path("/usr/bin/python3")))
    assert packages not in tools.shown


# pyenv


@pytest.mark.parametrize(
    ("local", "named", "used"),
    [
        ("", "", "3.11.9"),
        ("3.12.1\n", "", "3.12.1"),
        ("3.11.9\n", "3.12.1", "3.12.1"),
        ("# ours\n3.12.1:system", "", "3.12.1"),
    ],
)
def test_version_of_pyenv_is_used_instead_of_shims(home: Path, root: Path, local: str, named: str, used: str) -> None:
    for version in ("3.11.9", "3.12.1"):
        installation(home / ".pyenv/versions" / version, "python3")
    program(home / ".pyenv/shims/python3")
    (home / ".pyenv/version").write_text("3.11.9\n")
    if local:
        (root / ".python-version").write_text(local)
    tools = find_tools(root, home / ".pyenv/shims", Path("/usr/bin"), PYENV_VERSION=named)
    prefix = home / ".pyenv/versions" / used
    assert list(tools.shown) == [prefix]
    assert tools.variables["PATH"] == f"{prefix}/bin:/usr/bin"


@pytest.mark.parametrize("text", ["..", "../../..", "/", "", "3.9", "../../.ssh"])
def test_version_file_cannot_lead_out_of_pyenv(home: Path, root: Path, text: str) -> None:
    installation(home, "python3")
    installation(home / ".ssh", "python3")
    (home / ".pyenv/versions").mkdir(parents=True)
    (root / ".python-version").write_text(text)
    assert find_tools(root).shown == {}


# Other tools


def test_installation_of_a_program_is_shown_with_the_links_to_it(home: Path, root: Path) -> None:
    prefix = installation(home / ".nvm/versions/node/v22.1.0", "node", "npm")
    (home / "bin").mkdir()
    (home / "bin/node").symlink_to(prefix / "bin/node")
    tools = find_tools(root, home / "bin", home / "games")
    assert tools.shown == {prefix: prefix}
    assert tools.links == {home / "bin/node": str(prefix / "bin/node")}
    assert tools.variables["PATH"] == str(home / "bin")


def test_credentials_are_not_shown_with_caches(home: Path, root: Path) -> None:
    for name in (".cargo/registry", ".cargo/git", "go/pkg/mod", ".rustup"):
        (home / name).mkdir(parents=True)
    (home / ".cargo/credentials.toml").write_text("")
    tools = find_tools(root, GOMODCACHE=str(home / "go/pkg/mod"))
    assert set(tools.shown) == {home / name for name in (".cargo/registry", ".cargo/git", "go/pkg/mod", ".rustup")}
    assert tools.variables["CARGO_HOME"] == str(home / ".cargo")


# The system


def test_every_sandbox_shows_only_the_system(home: Path) -> None:
    with ExitStack() as stack:
        words, _ = system_contents().command("plain", stack)
    bound = {words[at + 2]: words[at + 1] for at, word in enumerate(words) if word == "--ro-bind"}
    allowed = (*SYSTEM, "/etc", "/proc", str(own_interpreter().parents[1]))
    assert [path for path in bound if not any(Path(path).is_relative_to(folder) for folder in allowed)] == []
    assert bound["/proc/sys"] == "/proc/sys"
    assert {"/", "/etc", "/home", "/root", "/run", "/var", str(home)}.isdisjoint(bound)
    assert {"/etc/passwd", "/etc/shadow", "/etc/ssl/private", "/etc/ssh"}.isdisjoint(bound)
    assert not {"--bind", "--dev-bind"} & set(words)


def test_search_finds_sockets_and_pipes(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/file").write_text("")
    os.mkfifo(tmp_path / "lib/pipe")
    with SocketSearch({Path("/packages"): tmp_path}) as search:
        assert search.found() == {Path("/packages/lib/pipe"): tmp_path / "lib/pipe"}


def test_search_ends_with_its_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = program(tmp_path / "bin/find")
    find.write_text(f"#!/bin/sh\necho $$ > '{tmp_path}/started'\nexec sleep 1000\n")
    os.mkfifo(tmp_path / "started")
    monkeypatch.setenv("PATH", f"{find.parent}{os.pathsep}{os.environ['PATH']}")
    with SocketSearch({Path("/packages"): tmp_path}):
        pid = int((tmp_path / "started").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
