"""Two instances of the file in one: changes of other functions that are planted together, as in SWE-smith."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from json import loads
from random import Random
from typing import Any

from aci.repository.proposed_patch import tree_of_diff
from aci.repository.tree_merge import merge_trees
from extensions.lab.synthesis.candidate import Candidate
from extensions.lab.synthesis.issue_text import find_leaks
from extensions.lab.synthesis.source_repository import SourceRepository

KIND = "combine"
PARTNERS = 10
"""Number of earlier instances that an instance is combined with."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Instance:
    """A row of the file and the tree with its change."""

    row: Row
    tree: str


def generate(source: SourceRepository, random: Random) -> Iterator[Candidate | None]:
    """Yield pairs of the instances that the file has by then, and None when all were tried."""
    known: list[_Instance] = []
    pairs: list[tuple[_Instance, _Instance]] = []
    seen = 0
    while True:
        new, seen = source.instances[seen:], len(source.instances)
        for row in new:
            if row["kind"] != KIND:
                tree = tree_of_diff(source.repository, source.trees, source.commit, row["mutation_patch"])
                instance = _Instance(row, tree)
                pairs += [(other, instance) for other in random.sample(known, min(PARTNERS, len(known)))]
                known.append(instance)
        candidate = None
        while pairs and candidate is None:
            candidate = _combine(source, *pairs.pop(random.randrange(len(pairs))))
        yield candidate


def _combine(source: SourceRepository, first: _Instance, second: _Instance) -> Candidate | None:
    """Return both changes together; None if they concern the same function or lines, or a text names the other's
    place."""
    one, other = first.row, second.row
    if _share_place(one["symbols"], other["symbols"]) or one["problem_statement"] == other["problem_statement"]:
        return None
    if _names_place(one["problem_statement"], other["symbols"]) or _names_place(
        other["problem_statement"], one["symbols"]
    ):
        return None
    trees, base = source.trees, source.tree
    merged = merge_trees(trees, base, first.tree, second.tree)
    if merged.conflicts:
        return None
    present = trees.files(merged.tree)
    paths = [change.path for change in trees.changed(base, merged.tree)]
    text = _text(one["problem_statement"], other["problem_statement"])
    return Candidate(
        KIND,
        "+".join(sorted([one["kind"], other["kind"]])),
        {path: trees.read(merged.tree, path) if path in present else None for path in paths},
        (*one["symbols"], *other["symbols"]),
        must_fail=frozenset(loads(one["FAIL_TO_PASS"]) + loads(other["FAIL_TO_PASS"])),
        write_text=lambda failures: text,
    )


def _share_place(symbols: list[str], others: list[str]) -> bool:
    """Return whether a function, or one inside of it, is in both lists."""
    pairs = [pair for one in symbols for other in others for pair in ((one, other), (other, one))]
    return any(one == other or one.startswith(f"{other}.") for one, other in pairs)


def _names_place(text: str, symbols: list[str]) -> bool:
    """Return whether a text names one of the other's functions; the file may be the same."""
    return bool(find_leaks(text, [f":{symbol.partition(':')[2]}" for symbol in symbols], ""))


def _text(one: str, other: str) -> str:
    titles = " / ".join(text.partition("\n")[0] for text in (one, other))
    return f"{titles}\n\n## First problem\n\n{one.strip()}\n\n## Second problem\n\n{other.strip()}\n"
