"""The source of the image, as commands report it before set-up."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.conftest import IMAGE, git


@pytest.fixture
def output_of(machine, calculator, issue_file) -> Iterator[Callable[..., str]]:
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
def test_run_reports_source_of_its_image(output_of, machine, issue_file, verb) -> None:
    Path(issue_file).write_text("# It adds wrong\n\n```python\nfrom calc.core import add\nassert add(2, 3) == 5\n```\n")
    more = ("--run",) if verb == "locate" else ()
    machine.extra["SWE_AGENT_IMAGE"] = ""
    assert f"The image {IMAGE} is named by --image." in output_of(verb, *more, "--image", IMAGE)
