"""SWE-bench's constants in pip's words: what is installed, from which files."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from agent.evaluation.conda_requirements import pip_install_lines, repository_edits


def test_packages_come_first_then_pins_then_repository() -> None:
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


def test_lists_of_repository_are_read_with_those_they_name_and_without_itself() -> None:
    files = {
        "requirements/dev.txt": b"# by hand\n-r tests.txt\n-e .\npre-commit==2\n",
        "requirements/tests.txt": b"-r other.txt\npytest==7\ntypes-pkg_resources==0.1 ; os_name\n.[test]\n",
    }
    setup = pip_install_lines({"packages": "requirements.txt"}, files, ("absent.txt", "requirements/dev.txt"))
    body = setup.partition("END_OF_THE_LIST'\n")[2].partition("\nEND_OF_THE_LIST")[0]
    assert body.splitlines() == ["pytest==7", "types-setuptools", "pre-commit==2"]


def test_nothing_is_left_in_folder_for_temporary_files(tmp_path: Path) -> None:
    setup = pip_install_lines({"packages": "requirements.txt"}, {"r.txt": b"six\n"}, ("r.txt",))
    fake = 'python() { cat "$PIP_CONSTRAINT" >> seen; case "$*" in *-r*) cat "${5}" >> seen; false;; esac; }\n'
    (tmp_path / "tmp").mkdir()
    env = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path / "tmp")}
    ran = subprocess.run(["sh", "-c", fake + setup], cwd=tmp_path, env=env, check=False)
    assert ran.returncode == 1, "also where it fails"
    assert (tmp_path / "seen").read_text().splitlines()[-1] == "six"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_environment_of_conda_s_is_installed_as_far_as_pip_has_it() -> None:
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


def test_list_that_is_not_there_installs_nothing() -> None:
    lines = pip_install_lines({"packages": "requirements.txt"}, {}, ("requirements.txt",)).splitlines()
    assert len(lines) == 6


def test_only_what_changes_repository_is_edit() -> None:
    own = ["sed -i 's/pytest/pytest -rA/' tox.ini", "grep -q 'x>=2' setup.py && sed -i 's/x>=2/x<3/' setup.py"]
    others = ["apt-get update", "sed -i '/en_US.UTF-8/s/^# //g' /etc/locale.gen && locale-gen"]
    assert repository_edits({"pre_install": own + others}) == tuple(own)
    assert repository_edits({"pre_install": own[0]}) == (own[0],)
    assert repository_edits({}) == ()


@pytest.mark.parametrize("packages", ["requirements.txt", "environment.yml", "a 'b<2'"])
def test_lines_are_shell_s(packages: str) -> None:
    files = {"r.txt": b"a'b\n$(exit 9)\n", "e.yml": b"dependencies:\n  - a=1\n  - b >=2\n"}
    setup = pip_install_lines(
        {"packages": packages, "pip_packages": ["c;d"], "install": "true"}, files, ("r.txt",), ("e.yml",)
    )
    shell = f"python() {{ :; }}\n{setup}"
    assert subprocess.run(["sh", "-c", shell], check=False, capture_output=True).returncode == 0
