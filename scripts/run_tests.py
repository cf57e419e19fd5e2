"""Runner for the tiers of the test suite. It prints the duration of the tests and its limit.

python scripts/run_tests.py quick|rest|all|sandbox|failed [PATH ..] [PYTEST OPTION ..]

`quick` runs the tests that are marked neither `slow` nor `docker`, `rest` a sample of the others, `all` both, `sandbox`
those of the sandbox, and `failed` those that failed in the previous run, one at a time. With paths of packages or
modules, it runs the tests that import them directly or through one other module, and those whose folder or file has
their name. Paths below `tests` are passed to pytest unchanged. Write options of pytest that take a value in one word:
`-kNAME`.
Exits with the exit status of pytest.
"""

from __future__ import annotations

import argparse
import ast
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("swe_agent", "extensions", "agent", "aci", "tools", "trajectories", "benchmarks", "tests")
MARKS = {
    "quick": ["-m", "not (slow or docker)"],
    "rest": ["-m", "slow or docker", "--timeout=400"],
    "all": ["--timeout=400"],
    "sandbox": ["-m", "sandbox", "-pno:cacheprovider"],
    "failed": ["--last-failed", "--last-failed-no-failures=none", "--timeout=400"],
}
LIMITS = {"quick": "6 min, without coverage", "rest": "22 min", "all": "28 min", "sandbox": "3 min", "failed": "1 min"}
WORKERS = (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1) + 2
"""Two more than the number of cores, since many tests wait for a container or another process."""
MEMORY = Path("/dev/shm")
SPACE = 8 << 30
"""Bytes that must be free in that file system and in memory."""
USAGE = 2


def main() -> int:
    epilog = "More arguments are paths of packages, modules or tests, and options of pytest."
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], epilog=epilog)
    parser.add_argument("tier", choices=MARKS)
    parser.add_argument("--workers", help=f"default: {WORKERS}; 1 for `failed`")
    options, others = parser.parse_known_args()
    is_rerun = options.tier == "failed"
    paths = [each for each in others if not each.startswith("-")]
    pytest_options = [each for each in others if each.startswith("-")]
    seed = "all" if is_rerun else os.environ.get("SWE_AGENT_TEST_SEED") or seed_from_commit()
    os.environ["SWE_AGENT_TEST_SEED"] = seed
    if _has_space():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))  # on disk, fsync and rmdir take a third of the time
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # without .pyc files every process compiles all modules again
    if sys.version_info >= (3, 12):
        os.environ.setdefault("COVERAGE_CORE", "sysmon")
    print(f"Slow tests and long matrices are sampled with SWE_AGENT_TEST_SEED={seed}.", flush=True)
    workers = options.workers or str(1 if is_rerun else WORKERS)
    command = [sys.executable, "-m", "pytest", *MARKS[options.tier], "--numprocesses", workers]
    try:
        tests = find_tests(paths)
    except ValueError as error:
        print(error, file=sys.stderr)
        return USAGE
    started = time.monotonic()
    process = subprocess.Popen([*command, "--durations", "20", *pytest_options, *tests], cwd=ROOT)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # pytest receives it too, and cleans up
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    code = process.wait()
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    limit = "" if paths else f" The limit on two quiet cores is {LIMITS[options.tier]}."
    print(f"The tests took {minutes} min {seconds} s.{limit}")
    return code


def seed_from_commit() -> str:
    """Return a seed that changes with the commit; 0 outside of a repository."""
    try:
        command = ["git", "-C", ROOT, "rev-parse", "--short=8", "HEAD"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "0"
    return str(int(result.stdout.strip() or "0", 16))


def _has_space() -> bool:
    """Return whether temporary folders can be in memory: it has enough space and allows running programs."""
    if not (MEMORY.is_dir() and os.access(MEMORY, os.W_OK)):
        return False
    filesystem = os.statvfs(MEMORY)
    lines = Path("/proc/meminfo").read_text().splitlines()
    available = next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")), 0)
    free = min(filesystem.f_bavail * filesystem.f_frsize, available)
    return free >= SPACE and not filesystem.f_flag & os.ST_NOEXEC


def find_tests(paths: list[str]) -> list[str]:
    """Return the test files for these packages and modules. Raises ValueError for a path without tests."""
    found: dict[str, None] = {}
    for path in paths:
        file = (ROOT / path).resolve()
        if not file.exists() or not file.is_relative_to(ROOT):
            raise ValueError(f"{path} does not exist.")
        if file.is_relative_to(ROOT / "tests"):
            tests = [str(file.relative_to(ROOT))]
        else:
            tests = _tests_of(file.relative_to(ROOT), _imports())
        if not tests:
            raise ValueError(f"No test imports {path}.")
        found.update(dict.fromkeys(tests))
    return list(found)


@cache
def _imports() -> dict[str, set[str]]:
    """Return the names that each module of the project imports."""
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    return {_module(file): set(_imported(file)) for file in files}


def _tests_of(path: Path, imports: dict[str, set[str]]) -> list[str]:
    if path.name == "__init__.py":
        path = path.parent
    wanted = {_module(ROOT / path)}

    def imports_wanted(module: str) -> bool:
        return any(name == each or name.startswith(f"{each}.") for name in imports[module] for each in wanted)

    wanted |= {module for module in imports if imports_wanted(module) and not module.endswith("conftest")}
    nearest = next((each for each in (path, *path.parents[:-1]) if (ROOT / "tests" / each).is_dir()), path)
    pattern = "test_*.py" if nearest == path else f"test_{path.stem}.py"
    same_name = set((ROOT / "tests" / nearest).rglob(pattern))  # for tools and strategies, which are loaded by name
    tests = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(file.relative_to(ROOT)) for file in tests if file in same_name or imports_wanted(_module(file))]


def _module(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _imported(file: Path) -> Iterator[str]:
    """Yield the names that a file imports anywhere in it, as `a.b` and `a.b.c` for `from a.b import c`."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


if __name__ == "__main__":
    sys.exit(main())
