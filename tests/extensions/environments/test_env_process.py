"""`swe-agent env` as a process."""

import subprocess
from uuid import uuid4

import pytest

from tests.conftest import IMAGE, git
from tests.e2e.conftest import Machine, write

pytestmark = pytest.mark.slow


@pytest.fixture
def repository(tmp_path):
    """A repository without any configuration for swe-agent."""
    folder = write(
        tmp_path / "shop",
        {
            "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.8"\n',
            ".devcontainer.json": '{"image": "localhost:5000/x", "runArgs": ["--privileged"]}',
            "tests/test_shop.py": "import pytest\n",
        },
    )
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "A shop")
    return folder


@pytest.fixture
def user(machine: Machine) -> Machine:
    """A user with an image configured only for Python."""
    machine.workspace = "docker"
    machine.extra["SWE_AGENT_IMAGE"] = ""
    machine.run("config", "set", "images.python", IMAGE)
    return machine


def test_why_explains_each_part(user: Machine, repository) -> None:
    result = user.json("env", "why", "--repo", repository)
    assert result["returncode"] == 0
    assert (result["source"], result["image"], result["language"]) == ("the repository's own files", IMAGE, "python")
    assert [item["command"] for item in result["setup"]][1:] == ["pip install -e .", "pip install pytest"]
    assert all(item["why"] for item in result["setup"])
    assert {item.split(" ")[0] for item in result["refused"]} == {"runArgs", "image"}
    output = user.run("env", "why", "--repo", str(repository), "--plain").stdout
    assert "Refused: runArgs" in output
    assert IMAGE in output


def test_why_reports_named_image(user: Machine, repository) -> None:
    result = user.json("env", "why", "--repo", repository, "--image", "mine:1")
    assert result["image"] == "mine:1"
    assert result["setup"] == []
    assert "--image" in result["reasons"][0]


def test_unknown_command_and_folder_are_refused(user: Machine, tmp_path) -> None:
    assert user.run("env", "make").returncode == 2
    result = user.json("env", "why", "--repo", tmp_path / "nothing")
    assert result["returncode"] == 2
    assert result["error"]["fix"]


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("images.python3.9", "mine:9", 0),
        ("images", "mine:x", 2),
        ("setup_env.PIP_INDEX_URL", "https://pypi.example.com/simple", 0),
        ("setup_env.PYPI_TOKEN", "abcdef", 2),
        ("setup_env.PIP_INDEX_URL", "https://me:secret@pypi.example.com/simple", 2),
    ],
)
def test_config_set_accepts_entries_of_tables(user: Machine, name: str, value: str, code: int) -> None:
    completed = user.run("config", "set", name, value)
    assert completed.returncode == code
    assert user.run("config", "show").returncode == 0
    assert (value in (user.home / "config.toml").read_text()) == (code == 0)


def test_why_removes_control_characters(user: Machine, repository) -> None:
    (repository / ".devcontainer.json").write_text(
        '{"image": "python", "postCreateCommand": "echo \\u001b]0;owned\\u0007 \\u009b2J visible"}'
    )
    completed = user.run("env", "why", "--repo", str(repository), "--plain")
    assert "visible" in completed.stdout
    assert not {"\x1b", "\x07", "\x9b"} & set(completed.stdout + completed.stderr)


@pytest.mark.docker
@pytest.mark.timeout(300)
def test_fix_uses_result_of_setup(user: Machine, calculator, issue_file) -> None:
    user.workspace = "docker"
    site_packages = "$(python3 -c 'import site; print(site.getsitepackages()[0])')"
    helper = f"mkdir -p {site_packages}; echo N = 5 > {site_packages}/helper_x.py"
    (calculator / ".swe-agent.toml").write_text(f'image = "{IMAGE}"\nsetup = """{helper} # {uuid4()}"""\n')
    test = "import unittest\n\nfrom helper_x import N\n\nfrom calc.core import add\n\n\n"
    test += "class CoreTest(unittest.TestCase):\n    def test_add(self):\n"
    test += "        self.assertEqual([add(2, 3), add(0, 7), add(9, 1)], [N, 7, 10])\n"
    (calculator / "tests" / "test_core.py").write_text(test)
    del user.extra["SWE_AGENT_IMAGE"]
    completed = user.run(
        "fix", "--repo", str(calculator), "--issue-file", issue_file, "--strategy", "templates", timeout=280
    )
    assert completed.returncode == 6, completed.stderr
    assert "Plausible" in completed.stdout
    assert "Set-up 1/1" in completed.stderr


@pytest.mark.docker
def test_environment_is_built_once_and_reused(user: Machine, repository) -> None:
    (repository / ".swe-agent.toml").write_text(
        f'setup = """true {uuid4()} # \\u001b]0;owned\\u0007\\u009b2J visible"""\n'
    )
    completed = user.run("env", "build", "--repo", str(repository), "--image", IMAGE, "--plain", timeout=120)
    assert "visible" in completed.stderr
    assert not {"\x1b", "\x07", "\x9b"} & set(completed.stdout + completed.stderr)
    result = user.json("env", "build", "--repo", repository, "--image", IMAGE)
    try:
        assert result["returncode"] == 0
        assert result["built"].startswith("swe-agent-environment/")
        assert result["built"] in completed.stdout
        user.extra["SWE_AGENT_IMAGE"] = IMAGE  # named elsewhere, as for `fix`
        rebuilt = user.json("env", "build", "--repo", repository)
        assert rebuilt["built"] == result["built"]
        environments = user.json("env", "list")["environments"]
        assert result["built"] in [item["image"] for item in environments]
    finally:
        subprocess.run(["docker", "image", "rm", result["built"]], capture_output=True)
