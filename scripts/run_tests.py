"""Run the tests of `make test` and `make test-all`, and say how long they took beside the limit.

python scripts/run_tests.py quick|all|rest [--coverage] [PATH ..]

`quick` runs the tests that are not marked `slow`, `rest` those that are, `all` both. With paths of packages or modules,
it runs the tests that import them, or that import a module which does. Exits as pytest does.
"""

from __future__ import annotations

import argparse
import ast
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("swe_agent", "agent", "aci", "tools", "trajectories")
MARKS = {"quick": ["-m", "not slow"], "rest": ["-m", "slow"], "all": []}
LIMITS = {"quick": 6, "rest": 22, "all": 28}
"""Minutes on two quiet cores."""
WORKERS = (os.cpu_count() or 1) + 1
"""One more than there are cores, since many tests wait for a container or another process."""
MEMORY = Path("/dev/shm")
SPACE = 8 << 30
"""Bytes that must be free there."""
NO_TESTS = 5
"""pytest's exit code where nothing was collected."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tier", choices=MARKS)
    parser.add_argument("paths", nargs="*", help="packages or modules, such as agent/models")
    parser.add_argument("--coverage", choices=["begin", "end", "whole"], help="measure it: first, last or only part")
    parser.add_argument("--workers", default=str(WORKERS))
    given, more = parser.parse_known_intermixed_args()
    seed = os.environ.setdefault("SWE_AGENT_TEST_SEED", _commit())
    if _has_space():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))  # a third of the time went into fsync and rmdir
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # compiling every test and every command anew takes minutes
    if sys.version_info >= (3, 12):
        os.environ.setdefault("COVERAGE_CORE", "sysmon")
    print(f"Long matrices are sampled with SWE_AGENT_TEST_SEED={seed}.", flush=True)
    command = [sys.executable, "-m", "pytest", *MARKS[given.tier], "--numprocesses", given.workers, "--durations", "20"]
    command += _coverage(given.coverage) if given.coverage else []
    if given.paths:
        files = _tests_of(given.paths)
        if not files:
            print(f"No test imports {' or '.join(given.paths)}.", file=sys.stderr)
            return NO_TESTS
        command += files
    started = time.monotonic()
    code = subprocess.run([*command, *more], cwd=ROOT, check=False).returncode
    seconds = time.monotonic() - started
    took = f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    limit = "" if given.coverage == "begin" else f" The limit on two quiet cores is {LIMITS[given.tier]} min."
    print(f"The tests took {took}.{limit}")
    return code


def _has_space() -> bool:
    """Whether the tests' folders can be in memory: there is room, and programs may be run there."""
    if not (MEMORY.is_dir() and os.access(MEMORY, os.W_OK)):
        return False
    about = os.statvfs(MEMORY)
    return about.f_bavail * about.f_frsize >= SPACE and not about.f_flag & os.ST_NOEXEC


def _commit() -> str:
    """A seed that changes with the commit, and can be given again."""
    done = subprocess.run(
        ["git", "-C", ROOT, "rev-parse", "--short=8", "HEAD"], capture_output=True, text=True, check=False
    )
    return str(int(done.stdout.strip() or "0", 16))


def _coverage(part: str) -> list[str]:
    """The floor holds for the whole, so it is checked at its end."""
    options = ["--cov"]
    options += ["--cov-append"] if part == "end" else []
    return [*options, *(["--cov-report", "", "--cov-fail-under", "0"] if part == "begin" else ["--cov-report", "term"])]


def _tests_of(paths: list[str]) -> list[str]:
    """The files of tests that import one of these packages or modules, or a module that imports one."""
    wanted = {path.strip("/").removesuffix(".py").replace("/", ".") for path in paths}

    def concerns(names: set[str]) -> bool:
        return any(name == each or name.startswith(f"{each}.") for name in names for each in wanted)

    sources = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    imports = {_module(file): set(_imported(file)) for file in [*sources, ROOT / "swe_agent.py"]}
    wanted |= {name for name, names in imports.items() if concerns(names)}
    tests = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(file.relative_to(ROOT)) for file in tests if concerns(set(_imported(file)))]


def _module(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _imported(file: Path) -> Iterator[str]:
    """Names of modules that a file imports anywhere, as `a.b` and `a.b.c` for `from a.b import c`."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


if __name__ == "__main__":
    sys.exit(main())
