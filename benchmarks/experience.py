"""Precision of the experience bank: its first three entries for related bugs, planted one after the other.

    python -m benchmarks.experience [--json]

For each bug in turn, places are located in the repository's current state, the bank is queried as a run would query
it, and the bug's fix becomes an entry as if a run had proven it. An entry is a hit if it belongs to the bug's family.
For comparison: the three most similar entries without a threshold, each part of the similarity alone, and the three
newest entries. No model is used.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from aci.localization.issue_localization import HistoryBase, localize_issue
from aci.repository.file_blobs import TreeBlobs
from benchmarks._planted import BUGS, FILES, Bug
from extensions.memory.experience_bank import Bank, Entry, ExperienceQuery, rank_entries
from extensions.memory.run_lessons import experience_query, lesson_of_turn
from trajectories.git_store.git_commands import QUIET, decode, environment, git
from trajectories.git_store.trees import EMPTY_TREE, Trees
from trajectories.records import Base, Exit, Issue, Run, Turn
from trajectories.trajectory import Trajectory
from trajectories.verdict import Verdict

Ranking = Callable[[Bank, ExperienceQuery], list[Entry]]
TOP = 3


def rank_all(bank: Bank, question: ExperienceQuery) -> list[Entry]:
    """The three most similar entries, without a threshold."""
    return [one.entry for one in rank_entries(bank.entries(), question, TOP, 0.001)]


RANKINGS: dict[str, Ranking] = {
    "bank": lambda bank, q: [one.entry for one in bank.find(q, TOP)],
    "always three": rank_all,
    "words alone": lambda bank, q: rank_all(bank, ExperienceQuery(q.words)),
    "places alone": lambda bank, q: rank_all(bank, ExperienceQuery(places=q.places)),
    "newest three": lambda bank, _: bank.entries()[:TOP],
}


def measured(folder: Path, bugs: Sequence[Bug] = BUGS) -> dict[str, dict[str, float]]:
    """By ranking: `precision` of the entries shown; `recall`, the share of the relevant entries (at most three) that
    are shown; and `false`, how often an entry is shown for a bug without related entries."""
    results: dict[str, list[tuple[int, int, int, bool]]] = {name: [] for name in RANKINGS}
    families: dict[str, str] = {}
    bank = Bank(folder / "bank")
    repository = folder / "shop"
    with Trees(folder / "trees.git") as trees:
        tree = trees.write({path: text.encode() for path, text in FILES.items()}, EMPTY_TREE)
        commit = _commit(repository, FILES, "The shop")
        for number, bug in enumerate(bugs):
            issue = Issue(bug.title, bug.body)
            question = experience_query(
                issue, _places(trees, tree, issue, HistoryBase(repository / ".git", commit)), number
            )
            relevant = sum(family == bug.family for family in families.values()) if bug.family else 0
            for name, ranking in RANKINGS.items():
                first = ranking(bank, question)
                right = sum(bool(bug.family) and families[entry.id] == bug.family for entry in first)
                results[name].append((right, len(first), min(relevant, TOP), bool(bug.family)))
            tree, entry = _solve(trees, tree, bug, issue, number)
            commit = _commit(repository, {bug.path: trees.read(tree, bug.path).decode()}, f"Change {bug.path}")
            families[entry.id] = bug.family
            bank.add(entry)
    return {name: _figures(rows) for name, rows in results.items()}


def _commit(folder: Path, files: Mapping[str, str], message: str) -> str:
    """Commit these files in the repository, and return the commit."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    author = ("-c", "user.name=Shop", "-c", "user.email=shop@example.org", "-c", "commit.gpgSign=false")
    for words in (("init", "-q"), ("add", "-A"), (*author, "commit", "-qm", message)):
        git("-C", str(folder), *words, env=environment(QUIET))
    return decode(git("-C", str(folder), "rev-parse", "HEAD", env=environment(QUIET))).strip()


def _places(trees: Trees, tree: str, issue: Issue, before: HistoryBase) -> list[str]:
    hits = localize_issue(TreeBlobs(trees, tree), issue, before, 10).places
    return [f"{hit.path}:{hit.name}" for hit in hits.functions] + [hit.path for hit in hits.files]


def _solve(trees: Trees, tree: str, bug: Bug, issue: Issue, number: int) -> tuple[str, Entry]:
    """The tree with the bug fixed, and the entry of a run that proved the fix."""
    text = trees.read(tree, bug.path).decode()
    assert text.count(bug.old) == 1, bug.title
    fixed = trees.write({bug.path: text.replace(bug.old, bug.new).encode()}, tree)
    run = Run(f"run-{number:02}", issue, "/shop", Base(f"{number:040x}", tree), at=number)
    end = Exit("verified", 0, fixed, Verdict("verified", red=True, green=True, red_again=True, no_loss=True), at=number)
    entry = lesson_of_turn(Trajectory([run, Turn("fix", "test-then-patch"), end]), trees, number)
    assert entry is not None
    return fixed, replace(entry, accepted=True)


def _figures(rows: Sequence[tuple[int, int, int, bool]]) -> dict[str, float]:
    related = [row for row in rows if row[3] and row[2]]
    alone = [row for row in rows if not row[2]]
    right, shown, could = (sum(row[n] for row in related) for n in range(3))
    return {
        "precision": round(right / shown, 3) if shown else 0.0,
        "recall": round(right / could, 3) if could else 0.0,
        "full": round(_mean([row[0] / TOP for row in related if row[2] == TOP]), 3),
        "false": round(_mean([float(row[1] > 0) for row in alone]), 3),
        "bugs": len(rows),
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="swe-agent-experience-") as folder:
        figures = measured(Path(folder))
    if options.json:
        print(json.dumps(figures))
        return 0
    print(f"{len(BUGS)} bugs. precision: of the entries shown; full: precision@3 where three entries are relevant;")
    print("recall: of the relevant entries; false: bugs without related entries for which an entry was shown.\n")
    for name, row in figures.items():
        print(
            f"{name:13}",
            "  ".join(f"{figure} {row[figure]:.2f}" for figure in ("precision", "full", "recall", "false")),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
