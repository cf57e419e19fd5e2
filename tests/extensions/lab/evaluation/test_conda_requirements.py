"""Conversion of SWE-bench's environment constants to pip commands."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from extensions.lab.evaluation.conda_requirements import pip_install_lines, repository_edits


def test_packages_are_installed_before_pins_and_repository() -> None:
    spec = {
        "packages": "'numpy==1.19.2' scipy=1.5 pytorch",
        "pip_packages": ["mpmath==1.3.0", "typing_extensions<5"],
        "pre_install": ["apt-get install -y graphviz"],
        "install": "python -m pip install -e .[test]",
    }
    lines = pip_install_lines(spec, {}).splitlines()
    assert lines[0] == "set -e"
    assert lines[-4:] == [
        "python -m pip install numpy==1.19.2 'scipy==1.5.*' torch",
        "python -m pip install mpmath==1.3.0 'typing_extensions<5'",
        "( apt-get install -y graphviz ) || true",
        "python -m pip install -e .[test]",
    ]


def test_requirement_files_are_merged_without_repository_itself() -> None:
    files = {
        "requirements/dev.txt": b"# by hand\n-r tests.txt\n-e .\npre-commit==2\n",
        "requirements/tests.txt": b"-r other.txt\npytest==7\ntypes-pkg_resources==0.1 ; os_name\n.[test]\n",
    }
    setup = pip_install_lines({"packages": "requirements.txt"}, files, ("absent.txt", "requirements/dev.txt"))
    body = setup.partition("END_OF_THE_LIST'\n")[2].partition("\nEND_OF_THE_LIST")[0]
    assert body.splitlines() == ["pytest==7", "types-setuptools", "pre-commit==2"]


def test_failed_install_leaves_no_temporary_files(tmp_path: Path) -> None:
    setup = pip_install_lines({"packages": "requirements.txt"}, {"r.txt": b"six\n"}, ("r.txt",))
    fake = 'python() { cat "$PIP_CONSTRAINT" >> seen; case "$*" in *-r*) cat "${5}" >> seen; false;; esac; }\n'
    (tmp_path / "tmp").mkdir()
    env = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path / "tmp")}
    process = subprocess.run(["sh", "-c", fake + setup], cwd=tmp_path, env=env, check=False)
    assert process.returncode == 1, "the install should fail here"
    assert (tmp_path / "seen").read_text().splitlines()[-1] == "six"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_conda_environment_is_installed_as_far_as_pip_can() -> None:
    text = b"""\
name: x
channels:
  - conda-forge
dependencies:
  - python=3.10
  - numpy=1.22  # pinned
  - libnetcdf
  - iris
  - pip
  - pip:
      - numbagg>=0.1
"""
    setup = pip_install_lines(
        {"packages": "environment.yml"}, {"ci/environment.yml": text}, (), ("ci/environment.yml",)
    )
    assert "--only-binary :all: 'numpy==1.22.*' scitools-iris 'numbagg>=0.1' || for name in" in setup


def test_missing_requirement_file_installs_nothing() -> None:
    lines = pip_install_lines({"packages": "requirements.txt"}, {}, ("requirements.txt",)).splitlines()
    assert len(lines) == 6


def test_only_commands_that_change_repository_are_edits() -> None:
    repository_commands = [
        "sed -i 's/pytest/pytest -rA/' tox.ini",
        "grep -q 'x>=2' setup.py && sed -i 's/x>=2/x<3/' setup.py",
    ]
    system_commands = ["apt-get update", "sed -i '/en_US.UTF-8/s/^# //g' /etc/locale.gen && locale-gen"]
    assert repository_edits({"pre_install": repository_commands + system_commands}) == tuple(repository_commands)
    assert repository_edits({"pre_install": repository_commands[0]}) == (repository_commands[0],)
    assert repository_edits({}) == ()


@pytest.mark.parametrize("packages", ["requirements.txt", "environment.yml", "a 'b<2'"])
def test_install_lines_are_valid_shell(packages: str) -> None:
    files = {"r.txt": b"a'b\n$(exit 9)\n", "e.yml": b"dependencies:\n  - a=1\n  - b >=2\n"}
    setup = pip_install_lines(
        {"packages": packages, "pip_packages": ["c;d"], "install": "true"}, files, ("r.txt",), ("e.yml",)
    )
    shell = f"python() {{ :; }}\n{setup}"
    assert subprocess.run(["sh", "-c", shell], check=False, capture_output=True).returncode == 0
