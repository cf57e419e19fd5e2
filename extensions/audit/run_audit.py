"""What the core asks of this extension: notes on the steps of a run, and on the image in which it works."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from extensions.audit import contamination
from extensions.audit.contamination import find_installed_copies
from extensions.audit.prompt_injection import find_injections
from trajectories.records import Step

if TYPE_CHECKING:
    from trajectories.git_store.trees import Trees

__all__ = ["find_contamination", "find_injections", "find_installed_copies"]


def find_contamination(
    steps: Iterable[Step], trees: Trees, base: str, searched: Callable[[str], Sequence[str]]
) -> tuple[str, ...]:
    """Return a sentence for each step that may have revealed the fix of the repository `base`."""
    return contamination.find_contamination(steps, contamination.package_names(trees, base), searched)
