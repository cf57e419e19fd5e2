"""Checks of the project: layers, lock files, and imports without side effects."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import TypeGuard

import grimp
import networkx
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from agent.engine.engine import Engine
from agent.engine.task import Task

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("swe_agent", "extensions", "agent", "tools", "aci", "trajectories")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
NEEDS_EXTRA = ROOT / "extensions" / "lab" / "gym" / "gymnasium_env.py"  # subclasses what an optional package defines
GUEST_MODULES = [path for path in MODULES if "guest" in path.relative_to(ROOT).parts]
EXAMPLES = sorted(issue.parent for issue in (ROOT / "examples").glob("*/ISSUE.md"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
# Guest modules may import only these, as a target repository has nothing else.
TARGET_PACKAGES = sys.stdlib_module_names | {"pytest", "_pytest", "django", "tblib"}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=90,
    )


# Layers


def test_files_are_short() -> None:
    limits = dict.fromkeys(MODULES, 600) | {ROOT / "agent" / "engine" / "loop.py": 120}
    lengths = {relative(path): len(path.read_text("utf-8").splitlines()) for path in limits}
    assert not {name: length for name, length in lengths.items() if length > limits[ROOT / name]}


def test_core_is_small_enough_for_one_person() -> None:
    """The core is all but `extensions`, with its programs for workspaces and its prompts."""
    core = [path for name in PACKAGES if name != "extensions" for path in (ROOT / name).rglob("*.*")]
    texts = [path for path in core if path.suffix in (".py", ".txt", ".cjs", ".sh")]
    assert sum(len(path.read_text("utf-8").splitlines()) for path in texts) <= 55_000
    assert len(list((ROOT / "agent").glob("*/__init__.py"))) <= 20
    assert len(list((ROOT / "aci").glob("*/__init__.py"))) <= 18


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
def test_git_tracks_no_ignored_file() -> None:
    assert run("git", "ls-files", "--cached", "--ignored", "--exclude-standard").stdout == ""


GIT = ROOT / "trajectories" / "git_store" / "git_commands.py"
STARTERS = {"subprocess", "pty", "asyncio"}


def imported_names(tree: ast.AST) -> set[str]:
    """Return the modules that a module imports, and the names that it imports from them."""
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    froms = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level)
    return names | {f"{node.module}.{alias.name}" for node in froms for alias in node.names}


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_git_is_started_by_one_module(path: Path) -> None:
    """An option of git that protects the user cannot be forgotten at another place."""
    text = path.read_text("utf-8")
    if path == GIT or "git" not in text:
        return
    tree = ast.parse(text)
    names = imported_names(tree)
    assert not {name for name in names if name == "git" or name.startswith("git.")}, "see repository_search.py"
    if STARTERS & {name.split(".")[0] for name in names}:
        commands = (node.elts for node in ast.walk(tree) if isinstance(node, (ast.List, ast.Tuple)) and node.elts)
        assert not [ast.unparse(words[0]) for words in commands if ast.unparse(words[0]) == "'git'"]


@pytest.mark.slow
def test_import_contracts_hold() -> None:
    result = run(Path(sys.executable).with_name("lint-imports"), "--no-cache")
    assert result.returncode == 0, result.stdout


@pytest.mark.slow
def test_no_module_imports_itself_through_others() -> None:
    """Imports inside functions and for types count too."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    imports = ((name, other) for name in graph.modules for other in graph.find_modules_directly_imported_by(name))
    cycles = [sorted(part) for part in networkx.strongly_connected_components(networkx.DiGraph(imports))]
    assert not [cycle for cycle in cycles if len(cycle) > 1]


def _is_stored(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def test_no_name_of_a_module_is_assigned_twice() -> None:
    """The later value would silently hold for functions above it too."""
    found: dict[str, list[str]] = {}
    for path in MODULES:
        body = ast.parse(path.read_bytes()).body
        targets = (target for node in body if isinstance(node, ast.Assign) for target in node.targets)
        stored = (name for target in targets for name in ast.walk(target) if _is_stored(name))
        names = Counter(name.id for name in stored)
        if twice := [name for name, count in names.items() if count > 1]:
            found[relative(path)] = twice
    assert not found


def public_names(owner: type) -> list[str]:
    """Return the names of the public methods and properties of a class."""
    return [name for each in owner.__mro__[:-1] for name in vars(each) if not name.startswith("_")]


def test_interface_of_strategies_is_small() -> None:
    assert len(public_names(Task)) <= 15
    assert len(public_names(Engine)) <= 10


def is_kit(path: Path, module: str) -> bool:
    """Whether a guest module of an extension imports one of another package by its whole name (`guest_programs.py`)."""
    return path.is_relative_to(ROOT / "extensions") and ".guest." in module


@pytest.mark.parametrize("path", GUEST_MODULES, ids=relative)
def test_guest_modules_need_only_old_python_and_no_own_package(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 7))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level and not is_kit(path, node.module or "")
            else []
        )
    }
    allowed = {"_swe_agent_guest"} if path.name == "site_hook.py" else set()  # copied beside the package, not into it
    assert imported <= TARGET_PACKAGES | allowed, "guest modules import each other only relatively"


@pytest.mark.slow
def test_importing_all_modules_prints_and_writes_nothing(tmp_path: Path) -> None:
    names = [
        relative(path)[:-3].replace("/", ".").removesuffix(".__init__")
        for path in MODULES
        if path not in [*GUEST_MODULES, NEEDS_EXTRA]
    ]
    code = f"import importlib\nfor name in {names}: importlib.import_module(name)"
    home = {name: str(tmp_path) for name in ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    result = run(sys.executable, "-W", "error", "-c", code, cwd=tmp_path, PYTHONPATH=str(ROOT), **home)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_help_imports_no_heavy_package() -> None:
    code = (
        "import atexit, sys, swe_agent\nsys.argv = ['swe-agent', '--help']\n"
        "atexit.register(lambda: print(sorted(sys.modules), file=sys.stderr))\nswe_agent.main()"
    )
    result = run(sys.executable, "-c", code)
    assert result.returncode == 0
    loaded = set(ast.literal_eval(result.stderr))
    assert not loaded & {"docker", "git", "litellm", "networkx", "pydantic", "rank_bm25", "textual", "tree_sitter"}


# Lock files


def locked_requirements(name: str) -> dict[str, list[Requirement]]:
    """Return the pinned requirements of a lock file by name; a name can occur once for each range of Pythons."""
    requirements: dict[str, list[Requirement]] = {}
    for entry in re.split(r"\n(?=\S)", (ROOT / name).read_text("utf-8")):
        pinned, *hashes = re.split(r"\s*\\\n\s*", entry.strip())
        if pinned.startswith("#"):
            continue
        assert hashes, f"{pinned} has no hash"
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line) for line in hashes), pinned
        requirement = Requirement(pinned)
        requirements.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return requirements


def pins(requirement: Requirement) -> list[str]:
    return [specifier.version for specifier in requirement.specifier if specifier.operator == "=="]


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("requirements.lock", PROJECT["dependencies"]),
        ("requirements-dev.lock", PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]),
        ("requirements-docs.lock", PYPROJECT["dependency-groups"]["docs"]),
    ],
)
def test_locks_are_up_to_date_with_project(lock: str, wanted: list[str]) -> None:
    requirements = locked_requirements(lock)
    for text in wanted:
        requirement = Requirement(text)
        assert any(s.operator in ("<", "<=", "==", "~=") for s in requirement.specifier), f"{text} has no upper bound"
        candidates = requirements.get(canonicalize_name(requirement.name), [])
        assert candidates, f"{lock} lacks {text}: run `make lock`"
        for candidate in candidates:
            assert all(version in requirement.specifier for version in pins(candidate)), f"{candidate}: run `make lock`"


def test_both_locks_agree() -> None:
    development = locked_requirements("requirements-dev.lock")
    for name, candidates in locked_requirements("requirements.lock").items():
        assert list(map(pins, candidates)) == list(map(pins, development[name]))


# Examples


def test_there_are_three_examples() -> None:
    assert [path.name for path in EXAMPLES] == ["invoices", "planner", "textreport"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example_has_two_to_five_failing_tests(example: Path) -> None:
    result = run(sys.executable, "-m", "unittest", cwd=example, PYTHONDONTWRITEBYTECODE="1")
    failed = re.findall(r"^(?:FAIL|ERROR): (\w+)", result.stderr, re.MULTILINE)
    (count,) = map(int, re.findall(r"^Ran (\d+) tests", result.stderr, re.MULTILINE))
    assert 2 <= len(failed) <= 5
    assert count >= 25
