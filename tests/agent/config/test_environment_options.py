"""Who named the image, told where it is used: before set-up, and in the list of environments."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from agent.config.named_environment import option_source
from agent.config.settings import REPOSITORY, load_settings
from tests.conftest import IMAGE, git
from tests.e2e.conftest import calculator, issue_file, machine  # noqa: F401  (fixtures)

THEIRS = b'image = "theirs"\nsetup = "make"\n'


def test_repository_named_what_its_file_says() -> None:
    assert option_source(load_settings(THEIRS), THEIRS) == {"image": REPOSITORY, "setup": REPOSITORY}
    assert option_source(load_settings(), b"") == {}


def test_flag_named_what_nobody_else_says() -> None:
    assert option_source(load_settings(THEIRS, image="mine"), THEIRS) == {"image": "--image", "setup": REPOSITORY}
    assert option_source(load_settings(image="mine"), b"\xff no toml") == {"image": "--image"}


def test_users_file_and_environment_are_told(own_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_config.write_text('image = "mine"\n')
    assert option_source(load_settings(THEIRS), THEIRS) == {"image": str(own_config), "setup": REPOSITORY}
    monkeypatch.setenv("SWE_AGENT_SETUP", "true")
    assert option_source(load_settings(THEIRS), THEIRS) == {"image": str(own_config), "setup": "$SWE_AGENT_SETUP"}
    recorded = load_settings(THEIRS)
    own_config.write_text('image = "another since"\n')
    assert option_source(recorded, THEIRS)["image"] == "--image", (
        "of a run that is resumed, the user's file may tell no more"
    )


@pytest.fixture
def said(machine, calculator, issue_file) -> Iterator[Callable[..., str]]:  # noqa: F811
    """`said("fix", "--image", …)`: what the command says; its repository asks for a set-up that was never made."""
    own = f"asked for by {uuid4()}"
    (calculator / ".swe-agent.toml").write_text(f"setup = ': {own}'\n")
    git(calculator, "add", "-A")
    git(calculator, "commit", "-qm", "Set-up")
    machine.workspace = "docker"

    def said(verb: str, *more: str) -> str:
        where = ("--repo", str(calculator), "--issue-file", issue_file, "--plain")
        done = machine.run(verb, *where, *more, timeout=200)
        return re.sub(r"\s+", " ", done.stdout + done.stderr)

    yield said
    made = machine.json("env", "build", "--repo", str(calculator), "--image", IMAGE)["built"]
    key = made.partition("/")[2].partition(":")[0]
    for name in ("swe-agent-base/*", "swe-agent-environment/*"):  # a base is made of the environment, and goes first
        listed = ["docker", "images", "-q", "--filter", f"label=swe-agent.environment={key}"]
        listed += ["--filter", f"reference={name}"]
        ids = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split()
        subprocess.run(["docker", "image", "rm", "-f", *dict.fromkeys(ids)], check=False, capture_output=True)


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.timeout(300)
@pytest.mark.parametrize("verb", ["fix", "locate"])
def test_run_says_who_named_its_image(said, machine, issue_file, verb) -> None:  # noqa: F811
    Path(issue_file).write_text("# It adds wrong\n\n```python\nfrom calc.core import add\nassert add(2, 3) == 5\n```\n")
    more = ("--run",) if verb == "locate" else ()
    machine.extra["SWE_AGENT_IMAGE"] = ""
    assert f"The image {IMAGE} is named by --image." in said(verb, *more, "--image", IMAGE)
