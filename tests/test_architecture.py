"""The house itself: its floors, what is locked, what is shipped, and that importing does no work."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HOUSE = Path(__file__).resolve().parent.parent
FLOORS = ("agent", "tools", "aci", "trajectories")
MODULES = sorted(path for floor in FLOORS for path in (HOUSE / floor).rglob("*.py"))
INSIDE = [path for path in MODULES if "guest" in path.parts]
EXAMPLES = sorted(issue.parent for issue in (HOUSE / "examples").glob("*/ISSUE.md"))
PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))["project"]
# What a target repository has of its own: the plug-ins we put into it stand on nothing else.
AT_THE_TARGET = sys.stdlib_module_names | {"pytest", "_pytest", "django"}


def relative(path: Path) -> str:
    return path.relative_to(HOUSE).as_posix()


def run(*command: str | Path, cwd: Path = HOUSE, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=90,
    )


# Floors


def test_files_are_short() -> None:
    limits = dict.fromkeys([HOUSE / "swe_agent.py", *MODULES], 450) | {HOUSE / "agent" / "engine" / "loop.py": 120}
    lengths = {relative(path): len(path.read_text("utf-8").splitlines()) for path in limits}
    assert not {name: length for name, length in lengths.items() if length > limits[HOUSE / name]}


@pytest.mark.skipif(not (HOUSE / ".git").exists(), reason="not a clone")
def test_nothing_is_kept_that_git_ignores() -> None:
    assert run("git", "ls-files", "--cached", "--ignored", "--exclude-standard").stdout == ""


def test_import_contracts_hold() -> None:
    result = run(Path(sys.executable).with_name("lint-imports"), "--no-cache")
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("path", INSIDE, ids=relative)
def test_what_runs_in_target_needs_nothing_of_ours_and_no_new_python(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 7))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    }
    own = {"_swe_agent_guest"} if path.name == "site_hook.py" else set()  # copied beside the package, not into it
    assert imported <= AT_THE_TARGET | own, "of ours only by relative imports"


@pytest.mark.slow
def test_importing_everything_says_and_writes_nothing(tmp_path: Path) -> None:
    names = [relative(path)[:-3].replace("/", ".").removesuffix(".__init__") for path in MODULES if path not in INSIDE]
    code = f"import importlib\nfor name in {['swe_agent', *names]}: importlib.import_module(name)"
    home = {name: str(tmp_path) for name in ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    result = run(sys.executable, "-W", "error", "-c", code, cwd=tmp_path, PYTHONPATH=str(HOUSE), **home)
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


# What is locked


def locked(name: str) -> dict[str, list[Requirement]]:
    """The pinned requirements of a lock file by canonical name; a name may be there once for each range of Pythons."""
    found: dict[str, list[Requirement]] = {}
    for entry in re.split(r"\n(?=\S)", (HOUSE / name).read_text("utf-8")):
        pinned, *hashes = re.split(r"\s*\\\n\s*", entry.strip())
        if pinned.startswith("#"):
            continue
        assert hashes, f"{pinned} has no hash"
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line) for line in hashes), pinned
        requirement = Requirement(pinned)
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def pins(requirement: Requirement) -> list[str]:
    return [specifier.version for specifier in requirement.specifier if specifier.operator == "=="]


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("requirements.lock", PROJECT["dependencies"]),
        ("requirements-dev.lock", PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]),
    ],
)
def test_locks_are_up_to_date_with_project(lock: str, wanted: list[str]) -> None:
    have = locked(lock)
    for text in wanted:
        requirement = Requirement(text)
        assert any(s.operator in ("<", "<=", "==", "~=") for s in requirement.specifier), f"{text} has no upper bound"
        candidates = have.get(canonicalize_name(requirement.name), [])
        assert candidates, f"{lock} lacks {text}: run `make lock`"
        for candidate in candidates:
            assert all(version in requirement.specifier for version in pins(candidate)), f"{candidate}: run `make lock`"


def test_both_locks_agree() -> None:
    tools = locked("requirements-dev.lock")
    for name, candidates in locked("requirements.lock").items():
        assert list(map(pins, candidates)) == list(map(pins, tools[name]))


# What is shipped


def test_wheel_holds_door_and_four_floors(tmp_path: Path) -> None:
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (entry_points,) = (archive.read(name).decode() for name in names if name.endswith("entry_points.txt"))
    inside = {name for name in names if ".dist-info/" not in name}
    assert {name.split("/")[0] for name in inside} == {"swe_agent.py", *FLOORS}
    shipped = {relative(path) for floor in FLOORS for path in (HOUSE / floor).rglob("*") if path.is_file()}
    assert {name for name in shipped if "__pycache__" not in name} <= inside
    assert "swe-agent = swe_agent:main" in entry_points


# Examples


def test_there_are_three_examples() -> None:
    assert [path.name for path in EXAMPLES] == ["invoices", "planner", "textreport"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example_fails_where_its_issue_says_and_nowhere_else(example: Path) -> None:
    result = run(sys.executable, "-m", "unittest", cwd=example, PYTHONDONTWRITEBYTECODE="1")
    failed = re.findall(r"^(?:FAIL|ERROR): (\w+)", result.stderr, re.MULTILINE)
    (ran,) = map(int, re.findall(r"^Ran (\d+) tests", result.stderr, re.MULTILINE))
    assert 2 <= len(failed) <= 5
    assert ran >= 25
