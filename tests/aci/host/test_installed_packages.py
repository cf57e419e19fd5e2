"""Whether the Python on the PATH has the packages of a project."""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.host.project_python import has_packages

PROJECT = b'[project]\nname = "x"\ndependencies = ["Six>=1", "tomli; python_version < \'3.11\'"]\n'


@pytest.fixture(autouse=True)
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python on the PATH with pytest and six, and a user package."""
    program = tmp_path / "venv/bin/python3"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    for name in (
        "venv/lib/python3.12/site-packages/pytest-8.0.dist-info",
        "venv/lib/python3.12/site-packages/six-1.dist-info",
        "venv/lib/python3.12/site-packages/~ip-23.1.dist-info",
        "venv/lib/python3.12/site-packages/-info",
    ):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / ".local/lib/python3.12/site-packages/my_own.egg-info").mkdir(parents=True)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("commands", "files", "expected"),
    [
        (["python3 -m venv /x", "pip install pytest"], {}, True),
        (["pip install 'pytest>=7' six"], {}, True),
        (["pip install pytest attrs"], {}, False),
        (["pip install My.Own"], {}, True),
        (["pip install -r a.txt"], {"a.txt": b"# tests\npytest>=8  # runner\n\nsix\n"}, True),
        (["pip install -r a.txt"], {"a.txt": b"-r b.txt\n"}, False),
        (["pip install -r a.txt"], {}, False),
        (["pip install -r a.txt"], {"a.txt": b"six @ https://example.org/six.zip\n"}, False),
        (["pip install -e ."], {"pyproject.toml": PROJECT}, True),
        (["pip install -e ."], {"pyproject.toml": PROJECT.replace(b"Six", b"attrs")}, False),
        (["pip install -e '.[tests]'"], {"pyproject.toml": PROJECT}, False),
        (["pip install -e ."], {"pyproject.toml": b"[project"}, False),
        (["pip install -e ."], {"setup.py": b""}, False),
        (["pip install -e ."], {"pyproject.toml": b'[project]\ndynamic = ["dependencies"]\n'}, False),
        (["make deps"], {}, False),
        (["pip install 'x"], {}, False),
    ],
)
def test_packages_of_commands_are_looked_up(commands: list[str], files: dict[str, bytes], expected: bool) -> None:
    assert has_packages(commands, files) is expected
