"""How an instance's tests are run and read: by its own row, by SWE-bench's constants, or as the repository's are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent.batch.instances import Gold
from agent.batch.place import Instance
from agent.evaluation.applying import files

Read = Callable[[str], dict[str, bool]]
"""Names of tests, and whether they passed, from what they printed."""


@dataclass(frozen=True, slots=True)
class Way:
    """`command` is empty where it is for us to find out. It runs the files of the test patch, and is narrowed to
    `nodes` where it does not name them itself. `read` is None where our own hooks tell what came of each test.

    `setup` are shell lines that install what tests need, in an environment of `python`, a version; without them it is
    derived from the repository's files. `edits` change the repository before anything else does, as the set-up of
    SWE-bench's images did; `before` is run before the command.
    """

    command: str = ""
    nodes: tuple[str, ...] = ()
    read: Read | None = None
    python: str = ""
    setup: str = ""
    edits: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    image: str = ""


def way_of(gold: Gold, instance: Instance, test: str = "") -> Way:
    """How the instance is tested, `test` being the user's own command. Its row's `test` is taken as it is."""
    row: dict[str, Any] = gold.row
    setup = row.get("setup") if isinstance(row.get("setup"), str) else ""
    if command := test or instance.test:
        return Way(command=command, setup=str(setup or ""), image=instance.image)
    return Way(nodes=files(gold.test_patch), setup=str(setup or ""), image=instance.image)
