"""Functions that probably need the same change as a patch, which the extension `code_search` finds.

No verdict depends on them."""

from __future__ import annotations

from trajectories.facts import Fact
from trajectories.git_store.trees import Trees
from trajectories.plugins import installed_module


def find_mirrors(trees: Trees, base: str, tree: str) -> tuple[Fact, ...]:
    """Return a fact for each function that the patch from the tree `base` to `tree` leaves unchanged."""
    module = installed_module("aci.proof.mirrors")
    return tuple(module.find_mirrors(trees, base, tree)) if module else ()
