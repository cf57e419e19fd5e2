"""The jobs of a batch, and the repository and settings of each."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aci.repository.user_repository import Repository
from agent.config.settings import NOWHERE, Settings, load_settings
from extensions.lab.instances.jobs import Instance, Job
from extensions.lab.instances.repository_clones import Repositories
from trajectories.errors import ConfigError, UsageError

RUN_ONLY_SETTINGS = {**NOWHERE, "reproduce": "", "function": "", "workload": "", "benchmark": ""}
"""Settings for a single run or repository, for which a batch ignores the user's values."""


@dataclass(frozen=True)
class JobPreparation:
    """Prepares jobs. `flags` holds the settings given on the command line; a row's image and test command apply unless
    the corresponding flag is given."""

    repositories: Repositories
    flags: Mapping[str, Any]
    state: Path
    _shared: dict[tuple[str, str], Settings] = field(default_factory=dict)
    """Settings shared by the instances with the same image and test command."""

    def jobs(self, instances: Sequence[Instance], repeats: int, done: Container[str] = ()) -> list[Job]:
        """Return a job for each repeat of each instance that is not done; a job's repository is added when it
        starts."""
        planned = (
            Job(instance, repeat, Path(), self._settings(instance.image, instance.test))
            for repeat in range(1, repeats + 1)
            for instance in instances
        )
        return [job for job in planned if job.run not in done]

    def __call__(self, job: Job) -> Job:
        """Return the job with its repository, and with settings from the repository's own `.swe-agent.toml`.

        Raises UsageError for an unusable repository, commit or settings file.
        """
        path = self.repositories.of(job.instance)
        of_repository = Repository.open(path).file(".swe-agent.toml", job.instance.base or "HEAD")
        settings = job.settings
        if of_repository:
            try:
                settings = self._load(of_repository, job.instance.image, job.instance.test)
            except ConfigError as error:
                raise UsageError(error.message, error.fix) from None
        return replace(job, repository=path, settings=settings)

    def _settings(self, image: str, test: str) -> Settings:
        if (image, test) not in self._shared:
            self._shared[image, test] = self._load(b"", image, test)
        return self._shared[image, test]

    def _load(self, of_repository: bytes, image: str, test: str) -> Settings:
        of_row = {name: value for name, value in (("image", image), ("test", test)) if value}
        given = {name: value for name, value in self.flags.items() if value is not None}
        settings = load_settings(of_repository, **(of_row | given), state=self.state)
        return settings.model_copy(update=RUN_ONLY_SETTINGS)
