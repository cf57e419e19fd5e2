"""Success of environment detection and set-up: a table of the base's own tests in each environment.

    python -m benchmarks.environments FOLDER...

Each folder is a repository. The user's settings apply: images of languages, registries, approved services.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions, open_workspace
from aci.testing.suite_run import run_tests
from agent.config.environment_options import environment_options, services
from agent.config.settings import Settings, load_settings
from extensions.environments.environment import environment_for, plan_for
from trajectories.errors import SweAgentError
from trajectories.git_store.trees import Trees


@dataclass(frozen=True, slots=True)
class Row:
    """Seconds to get the environment the `first` and the `second` time, and the summary of the tests."""

    repository: str
    commit: str
    source: str
    image: str
    commands: int
    first: float
    second: float
    tests: str

    def __str__(self) -> str:
        environment = f"{self.source} | {self.image} | {self.commands}"
        seconds = f"{self.first:.0f} | {self.second:.1f}"
        return f"| {self.repository} {self.commit[:8]} | {environment} | {seconds} | {self.tests} |"


def measure(folder: Path) -> Row:
    """Make the environment of the repository in `folder` twice, and run all tests of the repository in it."""
    source = Repository.open(folder)
    settings = load_settings(source.file(".swe-agent.toml") or b"")
    with tempfile.TemporaryDirectory(prefix="swe-agent-") as place, Trees(Path(place) / "trees.git") as trees:
        base = source.base(trees)
        options = WorkspaceOptions(
            source, base, trees, services=services(settings, source.name), say=lambda line: print(f"  {line}")
        )
        plan = plan_for(options, environment_options(settings))
        first, second = list(_make_environments(options, settings))
        chosen = WorkspaceOptions(source, base, trees, image=second[0], services=options.services, say=options.say)
        with closing(open_workspace("docker", chosen)) as workspace:
            report = run_tests(workspace, settings.test, timeout=settings.test_timeout)
        print(report.output.decode("utf-8", "replace")[-1500:])
    tests = f"`{report.command}`: {report.summary()}"
    return Row(folder.name, base.commit, plan.source, plan.image, len(plan.setup), first[1], second[1], tests)


def _make_environments(options: WorkspaceOptions, settings: Settings) -> Iterator[tuple[str, float]]:
    """Make the environment twice; yield its image and the seconds it took, each time."""
    for _ in range(2):
        began = time.monotonic()
        image = environment_for(options, environment_options(settings))
        yield image, time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    rows = []
    for folder in parser.parse_args().folders:
        print(f"{folder.name}:")
        try:
            rows.append(str(measure(folder.absolute())))
        except SweAgentError as error:
            rows.append(f"| {folder.name} | | | | | | {error.message} {error.fix} |")
        print(rows[-1], flush=True)
    print("\n| repository | found in | image | commands | s, first | s, again | tests |\n|---|---|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
