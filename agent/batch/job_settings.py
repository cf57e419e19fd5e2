"""What is to be done in a batch: an attempt each, and for each its repository and its own settings."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aci.repository import Repository
from agent.batch.place import Instance, Job
from agent.batch.repositories import Repositories
from agent.settings import NOWHERE, Settings, load_settings
from trajectories.errors import ConfigError, UsageError

OFF = {**NOWHERE, "reproduce": "", "function": "", "workload": "", "benchmark": ""}
"""Settings that are of one run and one repository: no batch heeds the user's."""


@dataclass(frozen=True)
class Preparing:
    """`flags` are those of the command line; what a row names (image, test) counts where no flag does."""

    repositories: Repositories
    flags: Mapping[str, Any]
    state: Path
    _shared: dict[tuple[str, str], Settings] = field(default_factory=dict)
    """Instances of an image and a test command share their settings: there may be many of them."""

    def jobs(self, instances: Sequence[Instance], repeats: int, done: Container[str] = ()) -> list[Job]:
        """All attempts that are not done; their repositories are named when they are begun."""
        planned = (
            Job(instance, repeat, Path(), self._settings(instance.image, instance.test))
            for repeat in range(1, repeats + 1)
            for instance in instances
        )
        return [job for job in planned if job.run not in done]

    def __call__(self, job: Job) -> Job:
        """The job with its repository, and with what the repository's own `.swe-agent.toml` names.

        Raises UsageError for a repository, a commit or a file that cannot be used.
        """
        path = self.repositories.of(job.instance)
        of_repository = Repository.open(path).file(".swe-agent.toml", job.instance.base or "HEAD")
        settings = job.settings
        if of_repository:
            try:
                settings = self._loaded(of_repository, job.instance.image, job.instance.test)
            except ConfigError as error:
                raise UsageError(error.message, error.fix) from None
        return replace(job, repository=path, settings=settings)

    def _settings(self, image: str, test: str) -> Settings:
        if (image, test) not in self._shared:
            self._shared[image, test] = self._loaded(b"", image, test)
        return self._shared[image, test]

    def _loaded(self, of_repository: bytes, image: str, test: str) -> Settings:
        of_row = {name: value for name, value in (("image", image), ("test", test)) if value}
        given = {name: value for name, value in self.flags.items() if value is not None}
        settings = load_settings(of_repository, **(of_row | given), state=self.state)
        return settings.model_copy(update=OFF)
