"""`swe-agent env` as a user runs it."""

import subprocess

import pytest

from tests.conftest import IMAGE, git
from tests.e2e.conftest import Machine, write

pytestmark = pytest.mark.slow


@pytest.fixture
def repository(tmp_path):
    """A repository that nobody has configured anything for."""
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
    """Somebody with no image configured but one for Python."""
    machine.extra["SWE_AGENT_IMAGE"] = ""
    machine.run("config", "set", "images.python", IMAGE)
    return machine


def test_why_tells_each_part_and_builds_nothing(user: Machine, repository) -> None:
    told = user.json("env", "why", "--repo", repository)
    assert told["returncode"] == 0
    assert (told["source"], told["image"], told["language"]) == ("the repository's own files", IMAGE, "python")
    assert [one["command"] for one in told["setup"]][1:] == ["pip install -e .", "pip install pytest"]
    assert all(one["why"] for one in told["setup"])
    assert {one.split(" ")[0] for one in told["refused"]} == {"runArgs", "image"}
    shown = user.run("env", "why", "--repo", str(repository), "--plain").stdout
    assert "Refused: runArgs" in shown
    assert IMAGE in shown


def test_named_image_is_told_by_its_name(user: Machine, repository) -> None:
    told = user.json("env", "why", "--repo", repository, "--image", "mine:1")
    assert told["image"] == "mine:1"
    assert told["setup"] == []
    assert "--image" in told["reasons"][0]


def test_what_is_not_known_is_said(user: Machine, tmp_path) -> None:
    assert user.run("env", "make").returncode == 2
    told = user.json("env", "why", "--repo", tmp_path / "nothing")
    assert told["returncode"] == 2
    assert told["error"]["fix"]


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
def test_tables_of_settings_are_set_by_entry(user: Machine, name: str, value: str, code: int) -> None:
    done = user.run("config", "set", name, value)
    assert done.returncode == code
    assert user.run("config", "show").returncode == 0
    assert (value in (user.home / "config.toml").read_text()) == (code == 0)


def test_why_does_not_drive_terminal(user: Machine, repository) -> None:
    (repository / ".devcontainer.json").write_text(
        '{"image": "python", "postCreateCommand": "echo \\u001b]0;owned\\u0007 \\u009b2J visible"}'
    )
    done = user.run("env", "why", "--repo", str(repository), "--plain")
    assert "visible" in done.stdout
    assert not {"\x1b", "\x07", "\x9b"} & set(done.stdout + done.stderr)


@pytest.mark.docker
@pytest.mark.timeout(300)
def test_fix_works_in_what_set_up_made(user: Machine, calculator, issue_file) -> None:
    user.workspace = "docker"
    where = "$(python3 -c 'import site; print(site.getsitepackages()[0])')"
    helper = f"mkdir -p {where}; echo N = 5 > {where}/helper_x.py"
    (calculator / ".swe-agent.toml").write_text(f'image = "{IMAGE}"\nsetup = """{helper} # {calculator}"""\n')
    test = "import unittest\n\nfrom helper_x import N\n\nfrom calc.core import add\n\n\n"
    test += "class CoreTest(unittest.TestCase):\n    def test_add(self):\n"
    test += "        self.assertEqual([add(2, 3), add(0, 7), add(9, 1)], [N, 7, 10])\n"
    (calculator / "tests" / "test_core.py").write_text(test)
    del user.extra["SWE_AGENT_IMAGE"]
    done = user.run(
        "fix", "--repo", str(calculator), "--issue-file", issue_file, "--strategy", "templates", timeout=280
    )
    assert done.returncode == 0, done.stderr
    assert "Set-up 1/1" in done.stderr


@pytest.mark.docker
def test_built_once_then_found(user: Machine, repository) -> None:
    (repository / ".swe-agent.toml").write_text(
        f'setup = """true {repository} # \\u001b]0;owned\\u0007\\u009b2J visible"""\n'
    )
    done = user.run("env", "build", "--repo", str(repository), "--image", IMAGE, "--plain", timeout=120)
    assert "visible" in done.stderr
    assert not {"\x1b", "\x07", "\x9b"} & set(done.stdout + done.stderr)
    told = user.json("env", "build", "--repo", repository, "--image", IMAGE)
    try:
        assert told["returncode"] == 0
        assert told["built"].startswith("swe-agent-environment/")
        assert told["built"] in done.stdout
        user.extra["SWE_AGENT_IMAGE"] = IMAGE  # as `fix` has it: named by something else
        again = user.json("env", "build", "--repo", repository)
        assert again["built"] == told["built"]
        listed = user.json("env", "list")["environments"]
        assert told["built"] in [one["image"] for one in listed]
    finally:
        subprocess.run(["docker", "image", "rm", told["built"]], capture_output=True)
