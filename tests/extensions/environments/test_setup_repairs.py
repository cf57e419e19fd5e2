"""Repairs of set-up commands, from recorded output of real tools."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from extensions.environments.setup_container import SetupResult
from extensions.environments.setup_repairs import REPAIRS, Failure, Repair, find_repair
from extensions.environments.setup_run import _failed

INSTALL = "pip install -e ."
TEST = "python3 -m pytest -q"


def repair_for(
    output: str, command: str = INSTALL, imports: tuple[str, ...] = (), tried: tuple[str, ...] = ()
) -> Repair:
    repair = find_repair(Failure(command, output, imports=imports), tried)
    assert repair, output
    return repair


@pytest.mark.parametrize(
    ("output", "package"),
    [
        ("src/x.c:3:10: fatal error: Python.h: No such file or directory\n", "python3-dev"),
        ("  fatal error: 'ffi.h' file not found", "libffi-dev"),
        ("fatal error: libxml/xmlversion.h: No such file or directory", "libxml2-dev"),
        ("Error: pg_config executable not found.", "libpq-dev"),
        ("/bin/sh: 1: mysql_config: not found", "default-libmysqlclient-dev"),
        ("error: command 'gcc' failed: No such file or directory", "build-essential"),
        ('cgo: C compiler "gcc" not found: exec: "gcc": executable file not found in $PATH', "build-essential"),
        ("error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory", "build-essential"),
        ("unable to execute 'swig': No such file or directory", "swig"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'git'", "git"),
        ("error: can't find Rust compiler", "rustc cargo"),
        ("../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc']]", "build-essential"),
        (
            "The virtual environment was not created successfully because ensurepip is not\navailable.",
            "python3-venv python3-pip",
        ),
    ],
)
def test_missing_system_package_is_installed(output: str, package: str) -> None:
    repair = repair_for(output)
    assert f"--no-install-recommends {package} &&" in repair.first[0]
    assert package in repair.what


def test_other_python_version_needs_other_image() -> None:
    assert repair_for("ERROR: Package 'x' requires a different Python: 3.12.1 not in '<3.11,>=3.7'").other_image


@pytest.mark.parametrize(
    ("command", "again"),
    [
        ("pip install 'a' left-pad==1.0 b", "pip install 'a' left-pad b"),
        ("pip install 'left-pad[x]==1.0'", "pip install 'left-pad[x]'"),
    ],
)
def test_unavailable_pin_is_removed_from_command(command: str, again: str) -> None:
    assert repair_for("ERROR: No matching distribution found for left-pad==1.0", command).again == again


def test_unavailable_pin_is_removed_from_requirements_file() -> None:
    repair = repair_for("ERROR: No matching distribution found for left-pad==1.0", "pip install -r reqs/test.txt")
    assert repair.first[0].startswith("sed -E -i")
    assert repair.again == "pip install -r reqs/test.txt"


def test_undeclared_build_requirement_is_installed_without_isolation() -> None:
    repair = repair_for("Getting requirements to build wheel\nModuleNotFoundError: No module named 'numpy'")
    assert repair.first[0].startswith("pip install numpy")
    assert repair.again == "pip install --no-build-isolation -e ."


def test_missing_module_is_installed_only_if_tests_import_it() -> None:
    error = "E   ModuleNotFoundError: No module named 'responses'"
    assert find_repair(Failure(TEST, error)) is None
    repair = repair_for(error, TEST, ("responses",))
    assert repair.first == ("pip install responses",)
    assert "responses" in repair.what
    assert find_repair(Failure(TEST, "No module named 'x; touch /pwned'", imports=("y",))) is None


@pytest.mark.parametrize(
    ("output", "package"),
    [
        ("ERROR: usage: pytest\npytest: error: unrecognized arguments: --cov=x --cov-report", "pytest-cov"),
        ("pytest: error: unrecognized arguments: -n", "pytest-xdist"),
        ("pytest: error: unrecognized arguments: --random-order", "pytest-random-order"),
        ("ERROR: Unknown config option: asyncio_mode\n", "pytest-asyncio"),
        ("ImportError: Error importing plugin \"pytest_django\": No module named 'pytest_django'", "pytest-django"),
        ("E       fixture 'mocker' not found", "pytest-mock"),
        ("async def functions are not natively supported.", "pytest-asyncio"),
        ("/usr/bin/python3: No module named pytest", "pytest"),
        ("E   ModuleNotFoundError: No module named 'yaml'", "PyYAML"),
    ],
)
def test_missing_pytest_plugin_is_installed(output: str, package: str) -> None:
    assert repair_for(output, TEST).first == (f"pip install {package}",)


PIP = "#!/bin/sh\ncase $2 in good*) echo $2 >> done;; *) exit 1;; esac\n"


@pytest.mark.parametrize("folder", ["", "sub", "my own"])
@pytest.mark.parametrize(
    ("lines", "installed", "code"),
    [("bad\n# no\n\n-e .\ngood==1 # why\nbad\n", "good==1\n", 0), ("bad\nworse\n", "", 1), ("", "", 1)],
)
def test_some_lines_of_requirements_file_may_fail_but_not_all(
    tmp_path: Path, folder: str, lines: str, installed: str, code: int
) -> None:
    (target := tmp_path / folder).mkdir(exist_ok=True)
    (target / "list.txt").write_text(lines)
    (target / "done").touch()
    (tmp_path / "pip").write_text(PIP)
    (tmp_path / "pip").chmod(0o755)
    cd = f"cd {shlex.quote(folder)} && " if folder else ""
    repair = repair_for("error: metadata-generation-failed", f"{cd}pip install -r list.txt")
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    result = subprocess.run(["sh", "-ec", repair.again], cwd=tmp_path, env=env, capture_output=True)
    assert (result.returncode, (target / "done").read_text()) == (code, installed)


def test_required_plugins_are_installed_by_valid_names() -> None:
    output = "ERROR: Missing required plugins: --index-url, -e, pytest-cov>=2.0, x;y, pytest-xdist\n"
    assert repair_for(output, TEST).first == ("pip install 'pytest-cov>=2.0' pytest-xdist",)
    assert find_repair(Failure(TEST, "Missing required plugins: --index-url, -e")) is None


def test_name_of_plugin_is_never_guessed() -> None:
    output = "ImportError: Error importing plugin \"internal_plugin\": No module named 'internal_plugin'"
    assert find_repair(Failure(TEST, output)) is None


def test_failing_editable_install_becomes_regular_install() -> None:
    assert (
        repair_for("ERROR: Project file has a bad backend", "pip install -e '.[test]'").again == "pip install '.[test]'"
    )


@pytest.mark.parametrize(
    ("command", "output", "again"),
    [
        (
            "npm ci --no-audit",
            "npm ERR! `npm ci` can only install packages when in sync",
            "npm install --no-audit --no-fund --legacy-peer-deps",
        ),
        ("npm install", "npm ERR! code ERESOLVE", "npm install --legacy-peer-deps"),
        (
            "npm ci --no-audit",
            "npm ERR! code E404\nnpm ERR! 404 Not Found - GET https://registry.npmjs.org/a/-/a-1.1.tgz",
            "npm install --no-package-lock --no-audit --no-fund",
        ),
        (
            "cd web && npm ci --no-audit --no-fund",
            "npm ERR! `npm ci` can only install packages when in sync",
            "cd web && npm install --no-audit --no-fund --legacy-peer-deps",
        ),
        (
            "cd 'my web' && npm ci --no-audit --no-fund",
            "npm ERR! code ETARGET",
            "cd 'my web' && npm install --no-package-lock --no-audit --no-fund",
        ),
        (
            "yarn install --frozen-lockfile",
            "error Your lockfile needs to be updated, but yarn was run with `--frozen-lockfile`.",
            "yarn install",
        ),
    ],
)
def test_lock_file_mismatch_is_relaxed(command: str, output: str, again: str) -> None:
    assert repair_for(output, command).again == again


def test_no_repair_is_tried_twice() -> None:
    failure = Failure(INSTALL, "fatal error: Python.h: No such file or directory")
    tried: list[str] = []
    while repair := find_repair(failure, tried):
        tried.append(repair.what)
    assert 1 <= len(tried) == len(set(tried)) <= len(REPAIRS)


def test_unknown_failure_has_no_repair() -> None:
    assert find_repair(Failure("make deps", "it did not work")) is None


def test_failed_repair_is_shown_with_the_first_failure() -> None:
    first = SetupResult("npm ci", 1, "npm error code 1\nnpm error grunt: not found\n", 1.0)
    error = _failed(first, ["the script is skipped"], SetupResult("npm ci --ignore-scripts", 1, "No such file\n", 1.0))
    assert "Tried: the script is skipped." in error.message
    assert error.message.endswith("The last lines after the repair:\nNo such file\n")
    assert "after the repair" not in _failed(first, [], first).message
