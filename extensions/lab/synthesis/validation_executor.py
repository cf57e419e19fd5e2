"""The interface to executors, which validate candidates: one Protocol, with a module for each in `executors/`.

Only tests run in an executor. Drawing candidates, texts, requests to models and the files stay with the job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace
    from extensions.lab.instances.jobs import ExecutorOptions
    from extensions.lab.synthesis.candidate import Candidate
    from extensions.lab.synthesis.candidate_validation import BaseResults, Validation
    from extensions.lab.synthesis.source_repository import SourceRepository


WORKSPACE_SETTINGS = frozenset(
    {"workspace", "image", "setup", "test", "serve", "images", "registries", "certificates", "setup_env", "setup_time"}
    | {"browser"}
    | {"instructions", "memory", "processes", "disk", "cpus", "runtime", "read_only"}
)
"""The settings that other machines get for their workspaces. None of them is about a model."""


@dataclass(frozen=True, slots=True)
class ValidationInput:
    """What candidates are validated with.

    `workspace` is the open workspace on this machine in which `base` was measured. It holds the tree of the source and
    may be used until the executor is closed. `settings` are those of a workspace, from which a node makes its own.
    """

    workspace: Workspace
    source: SourceRepository
    base: BaseResults
    say: Callable[[str], None]
    settings: Mapping[str, Any] = field(default_factory=dict)


class ValidationExecutor(Protocol):
    """An executor, on this machine or elsewhere.

    The job calls `validate` and `is_repaired` from as many threads as there are workers. Both block until the result is
    known.
    """

    def start(self, given: ValidationInput) -> None:
        """Prepare the workers; called once, before the first candidate. Raises WorkspaceError."""
        ...

    def validate(self, candidate: Candidate) -> Validation:
        """Return the result of the candidate. Raises WorkspaceError if no worker can be used, and Cancelled."""
        ...

    def is_repaired(self, candidate: Candidate, validation: Validation, text: str) -> bool | None:
        """Return whether repair by templates solves the task with this issue text, None if several workers were lost
        with it. Raises as `validate` does."""
        ...

    def close(self) -> None:
        """End all workers. May be called before `start`."""
        ...


def open_executor(kind: str, options: ExecutorOptions) -> ValidationExecutor:
    """Open the executor named `kind` (a module of `executors/`). Raises UsageError for an unknown kind or option."""
    from trajectories.plugins import find

    opener: Callable[[ExecutorOptions], ValidationExecutor] = find(
        "extensions.lab.synthesis.executors", kind, "open", "engine"
    )
    return opener(options)
