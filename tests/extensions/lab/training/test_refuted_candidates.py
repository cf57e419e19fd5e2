"""Attempts that the run itself refuted are neither chosen nor rewarded in training sets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import pytest

from extensions.lab.exports import dpo, rloo, sft
from extensions.lab.training.candidate_groups import select_candidates
from tests.extensions.lab.exports.run_builder import RunBuilder
from trajectories.records import Note, Observation, Once, Step
from trajectories.trajectory import RunView
from trajectories.verdict import Verdict

CHEAT, RIGHT, SAME = "c" * 40, "e" * 40, "f" * 40
"""Trees of a patch that other attempts' tests refute, of a right one, and of the first one with other tests."""


def rows(export: Callable[[Sequence[RunView]], Iterator[str]], run: RunView) -> list[dict[str, Any]]:
    return [json.loads(line) for line in export([run])]


def compared_run(*later: Note | Step, first: str = "", second: str = "", with_same: bool = False) -> RunView:
    """A run with several verified attempts, whose fixes are general as `first` and `second` say, and what the run finds
    out about them later."""
    builder = RunBuilder("r")
    attempts = {"main/try-1": (CHEAT, first), "main/try-2": (RIGHT, second)}
    for branch, (tree, generality) in (attempts | ({"main/try-3": (SAME, first)} if with_same else {})).items():
        verdict = asdict(Verdict("verified", generality=generality))  # type: ignore[arg-type]
        builder.reply(f"By {branch}.", "a", branch=branch)
        builder.add(Once(branch, "outcome", {"tree": tree, "verdict": verdict, "exit": ""}))
    return builder.add(*later).end(tree=RIGHT)


def score(tree: str, against: str, *alike: str) -> Note:
    return Note("main", "score", "A score.", {"tree": tree, "against": against, "alike": list(alike)})


REFUTED = "It fails tests of another attempt that the other passes: t.py::test_seven."


@pytest.mark.parametrize(
    "run",
    [
        compared_run(score(RIGHT, "", "try-2"), score(CHEAT, REFUTED, "try-1")),
        compared_run(
            Step(
                "main",
                1,
                "",
                "proof",
                CHEAT,
                None,
                (),
                (Observation("", data={"verdict": asdict(Verdict("unproven"))}),),
            )
        ),
        compared_run(first="examples only"),
    ],
    ids=["tests of another attempt", "later proof", "generality"],
)
def test_refuted_attempt_is_not_rewarded(run: RunView) -> None:
    (pair,) = rows(dpo.export, run)
    assert (pair["chosen"][0]["content"], pair["rejected"][0]["content"]) == ("By main/try-2.", "By main/try-1.")
    group = rows(rloo.export, run)
    assert [(row["branch"], row["reward"], row["proven"]) for row in group] == [
        ("main/try-1", 0.0, False),
        ("main/try-2", 1.0, True),
    ]
    assert [row["branch"] for row in rows(sft.export, run)] == ["main/try-2"]


def test_attempt_with_the_same_patch_as_a_refuted_one_is_not_rewarded() -> None:
    run = compared_run(score(RIGHT, "", "try-2"), score(CHEAT, REFUTED, "try-1", "try-3"), with_same=True)
    assert [(row["branch"], row["reward"]) for row in rows(rloo.export, run)] == [
        ("main/try-1", 0.0),
        ("main/try-2", 1.0),
        ("main/try-3", 0.0),
    ]


def test_last_experiment_with_an_attempt_counts() -> None:
    run = compared_run(score(CHEAT, REFUTED, "try-1"), score(CHEAT, "", "try-1"))
    assert all(candidate.proven for group in select_candidates([run]).groups.values() for candidate in group)


def test_choice_of_a_model_does_not_withdraw_what_tests_showed() -> None:
    chosen = Note("main", "vote", "The selector chooses it.", {"tree": CHEAT, "against": ""})
    run = compared_run(score(CHEAT, REFUTED, "try-1"), chosen)
    proven = {one.tree: one.proven for group in select_candidates([run]).groups.values() for one in group}
    assert proven[RIGHT]
    assert not proven[CHEAT]


def test_undecided_generality_is_left_out_beside_a_general_fix() -> None:
    assert not select_candidates([compared_run(first="undecided", second="undecided")]).left_out
    selection = select_candidates([compared_run(first="undecided", second="shown")])
    assert selection.left_out == [("r try-1", "whether the fix is general was not shown")]
