"""The public names: they exist, are imported late, and have exact types for a program that uses the wheel."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import swe_agent

ROOT = Path(__file__).parents[2]
PROGRAM = """
from pathlib import Path

from swe_agent import Event, FixOptions, Issue, Result, Step, SweAgentError, Verdict, __version__, fix, start_fix
from swe_agent import Repository, begin, load_settings, reopen, solve


def diff(folder: Path, options: FixOptions) -> str:
    result: Result = fix("add() subtracts", repo=folder, **options)
    verdict: Verdict = result.verdict
    return verdict.kind + verdict.headline + result.patch.diff + __version__


def follow() -> Result:
    with start_fix(Issue("add()"), workspace="local", max_steps=3) as run:
        for event in run:
            print(text_of(event))
        return run.result()


def text_of(event: Event) -> str:
    return f"{event.author} {event.n}" if isinstance(event, Step) else event.text


try:
    directory = begin(Issue("add()"), Repository.open("."), settings := load_settings())
    with reopen(directory, settings.state) as engine:
        print([step.tree for step in solve(engine)])
except SweAgentError as error:
    print(error.message, error.fix, error.code)
"""
MISTAKES = """
import swe_agent

swe_agent.fix("add()", wrkspace="local")
swe_agent.fix("add()", workspace="vm")
swe_agent.nothing
"""


def test_names_for_type_checkers_are_those_at_runtime() -> None:
    tree = ast.parse((ROOT / "swe_agent" / "__init__.py").read_text("utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    typed = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert typed == swe_agent._MODULES  # type: ignore[attr-defined]
    assert sorted(typed) == dir(swe_agent)


@pytest.mark.parametrize("name", [name for name in dir(swe_agent) if name != "gym"])  # an extension's
def test_public_name_is_described(name: str) -> None:
    assert getattr(swe_agent, name) is not None
    assert name == "Event" or name.startswith("__") or getattr(swe_agent, name).__doc__


def test_unknown_name_is_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'swe_agent' has no attribute 'nothing'"):
        _ = swe_agent.nothing  # type: ignore[attr-defined]


def test_import_loads_nothing_heavy() -> None:
    code = "import sys\nfrom swe_agent import fix, __version__\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not set(loaded.split()) & {"docker", "git", "litellm", "pydantic", "textual", "typer", "agent.engine.engine"}


@pytest.fixture(scope="module")
def python_with_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python into which the wheel is installed, beside the packages that it requires."""
    folder = tmp_path_factory.mktemp("user")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    (site,) = folder.glob("venv/lib/python*/site-packages")
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(site)
    (site / "required.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "venv" / "bin" / "python"


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that finds the wheel, not this clone."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def check_types(python: Path, program: str) -> list[str]:
    """Return what mypy reports about a program, in its strictest form: no expression may be Any."""
    folder = python.parents[2]
    (folder / "program.py").write_text(program)
    command = [sys.executable, "-m", "mypy", "--strict", "--disallow-any-expr", "--python-executable", python]
    mypy = run(*command, "program.py", cwd=folder)
    assert mypy.stderr == ""
    return [line.partition("error: ")[2] for line in mypy.stdout.splitlines() if "error: " in line]


@pytest.mark.slow
def test_program_that_uses_library_has_exact_types(python_with_wheel: Path) -> None:
    assert check_types(python_with_wheel, PROGRAM) == []
    assert check_types(python_with_wheel, MISTAKES) == [
        'Unexpected keyword argument "wrkspace" for "fix"; did you mean "workspace"?  [call-arg]',
        'Argument "workspace" to "fix" has incompatible type "Literal[\'vm\']"; '
        "expected \"Literal['docker', 'sandbox', 'local']\"  [arg-type]",
        'Module has no attribute "nothing"  [attr-defined]',
    ]


@pytest.mark.slow
def test_command_of_wheel_starts_by_module_and_by_path(python_with_wheel: Path) -> None:
    (package,) = python_with_wheel.parents[1].glob("lib/python*/site-packages/swe_agent")
    for arguments in (("-m", "swe_agent"), (package,)):
        ended = run(python_with_wheel, *arguments, "--version", cwd=package.parents[1])
        assert (ended.stdout, ended.stderr) == (f"swe-agent {swe_agent.__version__}\n", "")
