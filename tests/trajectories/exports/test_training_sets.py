"""Training sets of runs that are made up here, record by record: what is in them, and what is left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import pytest

from tests.trajectories.exports.random_runs import Made
from tests.trajectories.exports.run_builder import BASE, OPENING, PATCHED, SYSTEM, TOOLS, Making
from trajectories.errors import UsageError
from trajectories.exports import dpo, rloo, sft
from trajectories.records import Action, Note, Once, Turn, Verdict
from trajectories.run_data import Message, RunView


def rows(export: Callable[[Sequence[RunView]], Iterator[str]], *runs: RunView) -> list[dict[str, Any]]:
    return [json.loads(line) for line in export(runs)]


def texts(messages: Sequence[Message]) -> list[str]:
    return [message["content"] for message in messages]


# Fine-tuning


def test_cheapest_proven_run_of_each_issue() -> None:
    dear = Making("dear").asks("Long.", "a", tokens=900).asks("So.").ends()
    cheap = Making("cheap").asks("Quick.", "b", tokens=100).asks("Done.").ends()
    wrong = Making("wrong").asks("No.", tokens=1).ends("unproven")
    other = Making("other", "Sub is wrong.").asks("Else.", tokens=5000).ends()
    found = rows(sft.export, dear, cheap, wrong, other)
    assert [row["run"] for row in found] == ["cheap", "other"]
    assert texts(found[0]["prompt"]) == ["You mend.", "Add is wrong."]
    assert texts(found[0]["completion"]) == ["Quick.", "did b", "Done."]
    assert (found[0]["cost"], found[0]["cost_in"]) == (200, "tokens")
    call = found[0]["completion"][0]["tool_calls"][0]
    assert call == {"id": "1.b", "type": "function", "function": {"name": "shell", "arguments": {"command": "b"}}}
    assert json.loads(found[0]["tools"]) == list(TOOLS)


def test_each_reply_is_learned_once_behind_what_it_was_asked_with() -> None:
    run = Making("r").asks("One.", "a").asks("Two.", "b").folds().asks("Three.").ends()
    first, second = rows(sft.export, run)
    assert texts(first["completion"]) == ["One.", "did a", "Two."]
    assert texts(second["prompt"])[2:] == ["One.", "[folded]", "Two.", "did b"]
    assert texts(second["completion"]) == ["Three."]


def judged(target: str, tree: str, cost: int, backend: str = "valgrind", status: str = "right") -> Once:
    name = f"baseline {target}" if tree == BASE else f"judge {target} {tree}"
    return Once("main", name, {"status": status, "cost": cost, "backend": backend, "tree": tree})


def counted(name: str, cost: int, tokens: int, backend: str = "valgrind") -> RunView:
    """Two functions, one left alone; one candidate was better and refused, another one wrong."""
    making = Making(name).asks("Faster.", tokens=tokens)
    making.adds(judged("a.py:f", BASE, 1000, backend), judged("b.py:g", BASE, 50, backend))
    making.adds(judged("a.py:f", "c" * 40, 1, backend), judged("b.py:g", PATCHED, 7, status="wrong"))
    return making.adds(judged("a.py:f", PATCHED, cost, backend)).ends("faster")


def test_fastest_by_instructions_where_they_were_counted() -> None:
    (row,) = rows(sft.export, counted("slow", 500, 1), counted("quick", 400, 9999))
    assert (row["run"], row["cost"], row["cost_in"]) == ("quick", 450, "instructions")


def test_what_two_counters_say_is_not_compared() -> None:
    one, two = counted("one", 500, 1), counted("two", 400, 9999, backend="perf")
    assert [row["run"] for row in rows(sft.export, one, two)] == ["one"]
    assert [row["cost_in"] for row in rows(rloo.export, one, two)] == ["tokens", "tokens"]


def test_tokens_that_are_not_all_known_are_not_compared() -> None:
    """A run of three replies with the usage of one of them is not the cheapest."""
    partly = (
        Making("unknown").asks("One.", "a", tokens=None).asks("Two.", "b", tokens=None).asks("So.", tokens=15).ends()
    )
    known = Making("known").asks("One.", "a", tokens=900).asks("So.", tokens=900).ends()
    (row,) = rows(sft.export, partly, known)
    assert (row["run"], row["cost"], row["cost_in"]) == ("known", 1800, "tokens")
    assert [(row["cost"], row["cost_in"]) for row in rows(rloo.export, partly, known)] == [(3, "steps"), (2, "steps")]


REPLAYED = Note("main", "replay", "Replay of r.", {"run": "r"})
FORKED = Note("main", "forked", "Forked from r@main#1.", {"run": "r", "step": "main#1"})


@pytest.mark.parametrize(
    "run",
    [
        Making("open").asks("One.").open(),
        Making("stopped").asks("One.").ends("interrupted"),
        Making("unproven").asks("One.").ends("unproven"),
        Making("no model").ends(),
        Making("session").asks("One.").adds(Turn("More.", "build")).ends(),
        Making("replay").asks("One.").adds(REPLAYED).ends(),
        Making("fork").asks("One.").adds(FORKED).asks("Two.").ends(),
    ],
    ids=lambda run: str(run.name),
)
def test_what_nothing_is_learned_from(run: RunView) -> None:
    with pytest.raises(UsageError, match="None of these runs"):
        rows(sft.export, run)


def outcome(branch: str, kind: Any, tree: str = PATCHED, ended: str = "") -> Once:
    return Once(branch, "outcome", {"tree": tree, "verdict": asdict(Verdict(kind)), "exit": ended})


def test_attempts_are_answers_of_their_own() -> None:
    """Only the proven one is learned from, with the conversations under it; what failed beside it is a worse answer."""
    run = Making("r").asks("Right.", branch="main/a").asks("Look over.", branch="main/a/review")
    run.asks("Wrong.", branch="main/b").asks("Cut short.", branch="main/c")
    run.adds(outcome("main/a", "verified"), outcome("main/b", "unproven"), outcome("main/c", "none", BASE, "error"))
    material = run.ends()
    assert [texts(row["completion"]) for row in rows(sft.export, material)] == [["Right."], ["Look over."]]
    (pair,) = rows(dpo.export, material)
    assert (texts(pair["chosen"]), texts(pair["rejected"])) == (["Right."], ["Wrong."])
    assert [row["branch"] for row in rows(rloo.export, material)] == ["main/a", "main/b"]


# Pairs


def test_pair_has_one_beginning_and_two_ends() -> None:
    good = Making("good").asks("One.", "a").asks("Two.", "b").folds().asks("Three.").ends()
    bad = Making("bad").asks("No.").ends("not_found", BASE)
    (row,) = rows(dpo.export, bad, good)
    assert texts(row["prompt"]) == ["You mend.", "Add is wrong."]
    assert texts(row["chosen"]) == ["One.", "did a", "Two.", "did b", "Three."], "outputs are whole, as they were read"
    assert texts(row["rejected"]) == ["No."]
    assert (row["kind"], row["run"], row["rejected_run"]) == ("correctness", "good", "bad")


def test_what_safety_net_took_back_is_told_as_it_was() -> None:
    made = Made()
    made.say("Solve it.")
    for command in ("look", "rm -rf tests"):
        made.ask("", [Action("shell", {"command": command}, command)], [f"did {command}"])
    made.say("The tests were gone: what you did was taken back.", author="safety", back_to=2)
    made.ask("", [Action("shell", {"command": "mend"}, "mend")], ["did mend"])
    made.ask("Done.", [])
    made.end("verified", verdict=Verdict("verified"))
    other = Made("other")
    other.say("Solve it.")
    other.ask("No.", [])
    other.end("unproven", 6)
    row, _ = rows(rloo.export, made.material(), other.material())
    told = [message.get("tool_call_id") or message["content"] for message in row["completion"]]
    back = "The tests were gone: what you did was taken back."
    assert told == ["", "look", "", "rm -rf tests", back, "", "mend", "Done."]
    calls = [call["id"] for message in row["completion"] for call in message.get("tool_calls", ())]
    assert calls == ["look", "rm -rf tests", "mend"]
    assert texts(row["prompt"]) == ["You mend.", "Solve it."]


def test_both_of_pair_had_same_opening() -> None:
    """The better one was told what an earlier run had come to; folders of a workspace are no difference."""

    def run(name: str, kind: str, folder: str, told: str = "") -> RunView:
        making = Making(name).opens(f"Mend {folder}/calc.py.{told}").adds(Once("main", "root", folder))
        return making.asks("So.").ends(kind)

    helped, good = run("helped", "verified", "/tmp/1", " Line 3 was wrong."), run("good", "verified", "/tmp/2")
    bad = run("bad", "unproven", "/tmp/3")
    (row,) = rows(dpo.export, helped, good, bad)
    assert (row["run"], row["rejected_run"], texts(row["prompt"])[1]) == ("good", "bad", "Mend /tmp/2/calc.py.")
    with pytest.raises(UsageError):
        rows(dpo.export, helped, bad)


def test_pairs_are_made_among_those_told_alike() -> None:
    good = [Making(f"g{n}").opens(f"Prompt {n}.").asks("Yes.").ends() for n in (1, 2)]
    bad = [Making(f"b{n}").opens(f"Prompt {n}.").asks("No.").ends("unproven") for n in (2, 1)]
    assert [(row["run"], row["rejected_run"]) for row in rows(dpo.export, *good, *bad)] == [("g1", "b1"), ("g2", "b2")]


def test_pairs_for_being_fast_where_nothing_failed() -> None:
    runs = [Making(str(n)).asks("Yes.", tokens=n).ends() for n in (100, 200, 300)]
    pairs = [(row["kind"], row["run"], row["rejected_run"]) for row in rows(dpo.export, *runs)]
    assert pairs == [("efficiency", "100", "300"), ("efficiency", "100", "200")]
    kinds = [row["kind"] for row in rows(dpo.export, *runs, Making("bad").asks("No.").ends("unproven"))]
    assert kinds == ["correctness"] * 3, "fewer than nine have no tenth"


def test_nine_pairs_for_being_right_to_one_for_being_fast() -> None:
    runs = []
    for number in range(20):
        runs += [
            Making(f"good{number}", f"Issue {number}").asks("Yes.", tokens=100).ends(),
            Making(f"slow{number}", f"Issue {number}").asks("Yes.", tokens=200 + number).ends(),
            Making(f"bad{number}", f"Issue {number}").asks("No.").ends("unproven"),
        ]
    kinds = [row["kind"] for row in rows(dpo.export, *runs)]
    assert (kinds.count("correctness"), kinds.count("efficiency")) == (40, 4)
    fast = [row for row in rows(dpo.export, *runs) if row["kind"] == "efficiency"]
    assert [row["rejected_run"] for row in fast] == ["slow19", "slow18", "slow17", "slow16"]
    assert (fast[0]["chosen_cost"], fast[0]["rejected_cost"]) == (100, 219)
    assert kinds.index("efficiency") == 9


def test_what_costs_about_same_is_no_pair() -> None:
    runs = [Making(str(n)).asks("Yes.", tokens=100 + n).ends() for n in (0, 4)]
    kinds = [row["kind"] for row in rows(dpo.export, *runs, Making("bad").asks("No.").ends("unproven"))]
    assert kinds == ["correctness", "correctness"]


def test_each_is_in_pair_and_no_more_than_that() -> None:
    good = [Making(f"g{n}").asks("Yes.").ends() for n in range(2)]
    bad = [Making(f"b{n}").asks("No.").ends("unproven") for n in range(3)]
    pairs = [(row["run"], row["rejected_run"]) for row in rows(dpo.export, *good, *bad)]
    assert pairs == [("g0", "b0"), ("g1", "b1"), ("g0", "b2")]


@pytest.mark.parametrize(
    "other",
    [
        Making("prompt", prompt="You guess.").asks("No.").ends("unproven"),
        Making("tools", tools=()).asks("No.").ends("unproven"),
        Making("issue", "Else.").asks("No.").ends("unproven"),
        Making("proven").asks("Yes.", tokens=101).ends(),
        Making("error").asks("No.").ends("error"),
    ],
    ids=lambda run: str(run.name),
)
def test_what_is_no_pair(other: RunView) -> None:
    with pytest.raises(UsageError, match="a proven run and another with the same prompt that failed or cost more"):
        rows(dpo.export, Making("good").asks("Yes.").ends(), other)


# Groups


def test_rewards_and_advantages_of_group() -> None:
    runs = [
        Making("slow").asks("Yes.", tokens=2000).ends(),
        Making("fast").asks("Yes.", tokens=1000).ends(),
        Making("wrong").asks("No.", "a").ends("unproven"),
        Making("empty").asks("No.", "a").ends("limit", BASE),
        Making("mute").asks("No.", "a", error="not JSON").ends("stuck", ""),
    ]
    found = rows(rloo.export, *runs)
    assert [row["reward"] for row in found] == [1.0, 1.693147, 0.0, -0.5, -1.5]
    assert found[0]["advantage"] == pytest.approx(1.0 - (1.693147 - 0.5 - 1.5) / 4)
    assert sum(row["advantage"] for row in found) == pytest.approx(0, abs=1e-5)
    assert len({row["group"] for row in found}) == 1
    assert [row["proven"] for row in found] == [True, True, False, False, False]
    assert (found[0]["cost"], found[0]["cost_in"]) == (2000, "tokens")


def test_group_of_one_has_no_advantage() -> None:
    alone = [Making("a").asks("Yes.").ends(), Making("b", "Else.").asks("Yes.").ends()]
    with pytest.raises(UsageError, match="No issue has two completed runs"):
        rows(rloo.export, *alone)


def test_run_that_is_named_twice_counts_once() -> None:
    good, bad = Making("good").asks("Yes.").ends(), Making("bad").asks("No.", "a").ends("unproven")
    assert [(row["run"], row["advantage"]) for row in rows(rloo.export, good, bad, good)] == [("good", 1), ("bad", -1)]


# What a table can hold


@pytest.mark.parametrize("export", [sft.export, rloo.export, dpo.export], ids=["sft", "rloo", "dpo"])
def test_numbers_that_json_does_not_have_are_text(export: Callable[[Sequence[RunView]], Iterator[str]]) -> None:
    made = Made("strange")
    made.say("Solve it.")
    made.ask("", [Action("shell", {"command": float("nan"), "most": [float("-inf"), 1.5]}, "1")])
    made.ask("Done.", [])
    made.end("verified", verdict=Verdict("verified"))
    other = Made("other")
    other.say("Solve it.")
    other.ask("No.", [])
    other.end("unproven", 6)
    line = next(export([made.material(), other.material()]))
    row = json.loads(line, parse_constant=pytest.fail)
    reply = row.get("completion", row.get("chosen"))[0]
    assert reply["tool_calls"][0]["function"]["arguments"] == {"command": "NaN", "most": ["-Infinity", 1.5]}


def test_pictures_are_told_of() -> None:
    picture = {"role": "user", "content": [{"type": "text", "text": "See."}, {"type": "image_url", "image_url": {}}]}
    run = Making("r")
    run.talks["main"] = [SYSTEM, OPENING, picture]
    (row,) = rows(sft.export, run.asks("Seen.").ends())
    assert texts(row["prompt"])[-1] == "See.\n[picture]"


@pytest.mark.parametrize("export", [sft.export, rloo.export, dpo.export], ids=["sft", "rloo", "dpo"])
def test_every_row_has_same_columns(export: Callable[[Sequence[RunView]], Iterator[str]]) -> None:
    runs = [Making(str(n)).asks("Yes.", *commands).ends() for n, commands in enumerate([(), ("a",), ("b", "c")])]
    runs += [Making("other", "Else.").asks("Yes.", "a").ends(), Making("bad").asks("No.").ends("unproven")]
    columns = [{name: type(value) for name, value in row.items()} for row in rows(export, *runs)]
    assert len(columns) > 1
    assert all(each == columns[0] for each in columns)
