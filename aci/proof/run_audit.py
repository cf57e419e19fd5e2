"""Notes on a finished trajectory, which the extension `audit` makes: copied fixes and texts that try to instruct the
agent. They change no verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aci.observation.text_source import TextSource
from trajectories.plugins import extension_packages, installed_module
from trajectories.records import Issue, Step

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace
    from trajectories.git_store.trees import Trees

KIND = "aci.proof.run_audit"
NOT_INSTALLED = "The run was not searched for copied fixes and prompt injections: the extension audit is not installed."


def missing_audit() -> tuple[str, ...]:
    """Return a sentence if the extension is not installed."""
    return () if extension_packages(KIND) else (NOT_INSTALLED,)


def find_contamination(
    steps: Iterable[Step], trees: Trees, base: str, searched: Callable[[str], Sequence[str]]
) -> tuple[str, ...]:
    """Return a sentence for each step that may have revealed the fix of the repository `base`; none without the
    extension.

    `searched` returns the arguments of a tool that hold commands or paths.
    """
    module = installed_module(KIND)
    return tuple(module.find_contamination(steps, trees, base, searched)) if module else ()


def find_installed_copies(workspace: Workspace, trees: Trees, tree: str, checkout: Path) -> tuple[str, ...]:
    """Return a sentence for each copy of the repository's package that the image has outside the repository, whose
    work tree on this machine is `checkout`."""
    module = installed_module(KIND)
    return tuple(module.find_installed_copies(workspace, trees, tree, checkout)) if module else ()


def find_injections(steps: Iterable[Step], issue: Issue, source_of: Callable[[str], TextSource]) -> tuple[str, ...]:
    """Return a sentence for each text that tries to instruct the agent, with its source, but without quoting it.

    `source_of` returns whose text a tool returns; the harness's own text is not searched.
    """
    module = installed_module(KIND)
    return tuple(module.find_injections(steps, issue, source_of)) if module else ()
