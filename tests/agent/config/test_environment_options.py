"""Source of each environment option, as reported before set-up and in the list of environments."""

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

REPOSITORY_FILE = b'image = "theirs"\nsetup = "make"\n'


def test_option_in_repository_file_is_attributed_to_it() -> None:
    assert option_source(load_settings(REPOSITORY_FILE), REPOSITORY_FILE) == {"image": REPOSITORY, "setup": REPOSITORY}
    assert option_source(load_settings(), b"") == {}


def test_option_without_other_source_is_attributed_to_flag() -> None:
    assert option_source(load_settings(REPOSITORY_FILE, image="mine"), REPOSITORY_FILE) == {
        "image": "--image",
        "setup": REPOSITORY,
    }
    assert option_source(load_settings(image="mine"), b"\xff no toml") == {"image": "--image"}


def test_users_file_and_environment_are_reported_as_sources(own_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_config.write_text('image = "mine"\n')
    assert option_source(load_settings(REPOSITORY_FILE), REPOSITORY_FILE) == {
        "image": str(own_config),
        "setup": REPOSITORY,
    }
    monkeypatch.setenv("SWE_AGENT_SETUP", "true")
    assert option_source(load_settings(REPOSITORY_FILE), REPOSITORY_FILE) == {
        "image": str(own_config),
        "setup": "$SWE_AGENT_SETUP",
    }
    recorded = load_settings(REPOSITORY_FILE)
    own_config.write_text('image = "another since"\n')
    assert option_source(recorded, REPOSITORY_FILE)["image"] == "--image", (
        "the user's file may have changed since the resumed run was recorded"
    )


@pytest.fixture
def output_of(machine, calculator, issue_file) -> Iterator[Callable[..., str]]:  # noqa: F811
    """`output_of("fix", "--image", …)` runs a command on a repository whose set-up was never built."""
    marker = f"requested by {uuid4()}"
    (calculator / ".swe-agent.toml").write_text(f"setup = ': {marker}'\n")
    git(calculator, "add", "-A")
    git(calculator, "commit", "-qm", "Set-up")
    machine.workspace = "docker"

    def output_of(verb: str, *more: str) -> str:
        source_options = ("--repo", str(calculator), "--issue-file", issue_file, "--plain")
        completed = machine.run(verb, *source_options, *more, timeout=200)
        return re.sub(r"\s+", " ", completed.stdout + completed.stderr)

    yield output_of
    image = machine.json("env", "build", "--repo", str(calculator), "--image", IMAGE)["built"]
    key = image.partition("/")[2].partition(":")[0]
    for name in ("swe-agent-base/*", "swe-agent-environment/*"):  # a base is built from an environment
        listed = ["docker", "images", "-q", "--filter", f"label=swe-agent.environment={key}"]
        listed += ["--filter", f"reference={name}"]
        ids = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split()
        subprocess.run(["docker", "image", "rm", "-f", *dict.fromkeys(ids)], check=False, capture_output=True)


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.timeout(300)
@pytest.mark.parametrize("verb", ["fix", "locate"])
def test_run_reports_source_of_its_image(output_of, machine, issue_file, verb) -> None:  # noqa: F811
    Path(issue_file).write_text("# It adds wrong\n\n```python\nfrom calc.core import add\nassert add(2, 3) == 5\n```\n")
    more = ("--run",) if verb == "locate" else ()
    machine.extra["SWE_AGENT_IMAGE"] = ""
    assert f"The image {IMAGE} is named by --image." in output_of(verb, *more, "--image", IMAGE)
