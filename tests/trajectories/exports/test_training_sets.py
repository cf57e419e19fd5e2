"""Training sets of runs built record by record: rows, pairs, groups and what is left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import pytest

from tests.trajectories.exports.random_runs import Made
from tests.trajectories.exports.run_builder import BASE, OPENING, PATCHED, SYSTEM, TOOLS, RunBuilder
from trajectories.errors import UsageError
from trajectories.exports import dpo, rloo, sft
from trajectories.records import Action, Note, Once, Turn, Verdict
from trajectories.trajectory import Message, RunView


def rows(export: Callable[[Sequence[RunView]], Iterator[str]], *runs: RunView) -> list[dict[str, Any]]:
    return [json.loads(line) for line in export(runs)]


def texts(messages: Sequence[Message]) -> list[str]:
    return [message["content"] for message in messages]


# Fine-tuning


def test_cheapest_proven_run_of_each_issue_is_exported() -> None:
    expensive = RunBuilder("dear").reply("Long.", "a", tokens=900).reply("So.").end()
    cheap = RunBuilder("cheap").reply("Quick.", "b", tokens=100).reply("Done.").end()
    wrong = RunBuilder("wrong").reply("No.", tokens=1).end("unproven")
    other = RunBuilder("other", "Sub is wrong.").reply("Else.", tokens=5000).end()
    exported = rows(sft.export, expensive, cheap, wrong, other)
    assert [row["run"] for row in exported] == ["cheap", "other"]
    assert texts(exported[0]["prompt"]) == ["You fix bugs.", "Add is wrong."]
    assert texts(exported[0]["completion"]) == ["Quick.", "did b", "Done."]
    assert (exported[0]["cost"], exported[0]["cost_in"]) == (200, "tokens")
    call = exported[0]["completion"][0]["tool_calls"][0]
    assert call == {"id": "1.b", "type": "function", "function": {"name": "shell", "arguments": {"command": "b"}}}
    assert json.loads(exported[0]["tools"]) == list(TOOLS)


def test_each_reply_is_trained_once_after_its_request() -> None:
    run = RunBuilder("r").reply("One.", "a").reply("Two.", "b").fold_output().reply("Three.").end()
    first, second = rows(sft.export, run)
    assert texts(first["completion"]) == ["One.", "did a", "Two."]
    assert texts(second["prompt"])[2:] == ["One.", "[folded]", "Two.", "did b"]
    assert texts(second["completion"]) == ["Three."]


def measurement(target: str, tree: str, cost: int, backend: str = "valgrind", status: str = "right") -> Once:
    name = f"baseline {target}" if tree == BASE else f"judge {target} {tree}"
    return Once("main", name, {"status": status, "cost": cost, "backend": backend, "tree": tree})


def measured_run(name: str, cost: int, tokens: int, backend: str = "valgrind") -> RunView:
    """A run on two functions, one left unchanged; of its candidates one is rejected though faster and one is wrong."""
    builder = RunBuilder(name).reply("Faster.", tokens=tokens)
    builder.add(measurement("a.py:f", BASE, 1000, backend), measurement("b.py:g", BASE, 50, backend))
    builder.add(measurement("a.py:f", "c" * 40, 1, backend), measurement("b.py:g", PATCHED, 7, status="wrong"))
    return builder.add(measurement("a.py:f", PATCHED, cost, backend)).end("faster")


def test_fastest_run_is_chosen_by_counted_instructions() -> None:
    (row,) = rows(sft.export, measured_run("slow", 500, 1), measured_run("quick", 400, 9999))
    assert (row["run"], row["cost"], row["cost_in"]) == ("quick", 450, "instructions")


def test_costs_of_different_counters_are_not_compared() -> None:
    one, two = measured_run("one", 500, 1), measured_run("two", 400, 9999, backend="perf")
    assert [row["run"] for row in rows(sft.export, one, two)] == ["one"]
    assert [row["cost_in"] for row in rows(rloo.export, one, two)] == ["tokens", "tokens"]


def test_partly_unknown_tokens_are_not_compared() -> None:
    """A run of three replies with the usage of one is not the cheapest."""
    partly_known = (
        RunBuilder("unknown")
        .reply("One.", "a", tokens=None)
        .reply("Two.", "b", tokens=None)
        .reply("So.", tokens=15)
        .end()
    )
    known = RunBuilder("known").reply("One.", "a", tokens=900).reply("So.", tokens=900).end()
    (row,) = rows(sft.export, partly_known, known)
    assert (row["run"], row["cost"], row["cost_in"]) == ("known", 1800, "tokens")
    assert [(row["cost"], row["cost_in"]) for row in rows(rloo.export, partly_known, known)] == [
        (3, "steps"),
        (2, "steps"),
    ]


REPLAYED = Note("main", "replay", "Replay of r.", {"run": "r"})
FORKED = Note("main", "forked", "Forked from r@main#1.", {"run": "r", "step": "main#1"})


@pytest.mark.parametrize(
    "run",
    [
        RunBuilder("open").reply("One.").build(),
        RunBuilder("stopped").reply("One.").end("interrupted"),
        RunBuilder("unproven").reply("One.").end("unproven"),
        RunBuilder("no model").end(),
        RunBuilder("session").reply("One.").add(Turn("More.", "build")).end(),
        RunBuilder("replay").reply("One.").add(REPLAYED).end(),
        RunBuilder("fork").reply("One.").add(FORKED).reply("Two.").end(),
    ],
    ids=lambda run: str(run.name),
)
def test_unusable_run_is_not_exported(run: RunView) -> None:
    with pytest.raises(UsageError, match="None of these runs"):
        rows(sft.export, run)


def outcome(branch: str, kind: Any, tree: str = PATCHED, ended: str = "") -> Once:
    return Once(branch, "outcome", {"tree": tree, "verdict": asdict(Verdict(kind)), "exit": ended})


def test_attempts_are_exported_separately() -> None:
    """Only the proven attempt and its branches are trained on; a failed attempt is the rejected answer."""
    run = RunBuilder("r").reply("Right.", branch="main/a").reply("Look over.", branch="main/a/review")
    run.reply("Wrong.", branch="main/b").reply("Cut short.", branch="main/c")
    run.add(outcome("main/a", "verified"), outcome("main/b", "unproven"), outcome("main/c", "none", BASE, "error"))
    material = run.end()
    assert [texts(row["completion"]) for row in rows(sft.export, material)] == [["Right."], ["Look over."]]
    (pair,) = rows(dpo.export, material)
    assert (texts(pair["chosen"]), texts(pair["rejected"])) == (["Right."], ["Wrong."])
    assert [row["branch"] for row in rows(rloo.export, material)] == ["main/a", "main/b"]


# Pairs


def test_pair_has_common_prompt_and_two_completions() -> None:
    good = RunBuilder("good").reply("One.", "a").reply("Two.", "b").fold_output().reply("Three.").end()
    bad = RunBuilder("bad").reply("No.").end("not_found", BASE)
    (row,) = rows(dpo.export, bad, good)
    assert texts(row["prompt"]) == ["You fix bugs.", "Add is wrong."]
    assert texts(row["chosen"]) == ["One.", "did a", "Two.", "did b", "Three."], "outputs are not folded"
    assert texts(row["rejected"]) == ["No."]
    assert (row["kind"], row["run"], row["rejected_run"]) == ("correctness", "good", "bad")


def test_reverted_steps_are_exported_unchanged() -> None:
    builder = Made()
    builder.say("Solve it.")
    for command in ("look", "rm -rf tests"):
        builder.ask("", [Action("shell", {"command": command}, command)], [f"did {command}"])
    builder.say("The tests were gone: your changes were reverted.", author="safety", back_to=2)
    builder.ask("", [Action("shell", {"command": "fix"}, "fix")], ["did fix"])
    builder.ask("Done.", [])
    builder.end("verified", verdict=Verdict("verified"))
    other = Made("other")
    other.say("Solve it.")
    other.ask("No.", [])
    other.end("unproven", 6)
    row, _ = rows(rloo.export, builder.material(), other.material())
    contents = [message.get("tool_call_id") or message["content"] for message in row["completion"]]
    reverted = "The tests were gone: your changes were reverted."
    assert contents == ["", "look", "", "rm -rf tests", reverted, "", "fix", "Done."]
    calls = [call["id"] for message in row["completion"] for call in message.get("tool_calls", ())]
    assert calls == ["look", "rm -rf tests", "fix"]
    assert texts(row["prompt"]) == ["You fix bugs.", "Solve it."]


def test_both_runs_of_pair_have_same_prompt() -> None:
    """One verified run was given a hint of an earlier run; different workspace folders are no difference."""

    def run(name: str, kind: str, folder: str, hint: str = "") -> RunView:
        builder = RunBuilder(name).start_with(f"Fix {folder}/calc.py.{hint}").add(Once("main", "root", folder))
        return builder.reply("So.").end(kind)

    hinted, good = run("helped", "verified", "/tmp/1", " Line 3 was wrong."), run("good", "verified", "/tmp/2")
    bad = run("bad", "unproven", "/tmp/3")
    (row,) = rows(dpo.export, hinted, good, bad)
    assert (row["run"], row["rejected_run"], texts(row["prompt"])[1]) == ("good", "bad", "Fix /tmp/2/calc.py.")
    with pytest.raises(UsageError):
        rows(dpo.export, hinted, bad)


def test_pairs_are_made_of_runs_with_same_prompt() -> None:
    good = [RunBuilder(f"g{n}").start_with(f"Prompt {n}.").reply("Yes.").end() for n in (1, 2)]
    bad = [RunBuilder(f"b{n}").start_with(f"Prompt {n}.").reply("No.").end("unproven") for n in (2, 1)]
    assert [(row["run"], row["rejected_run"]) for row in rows(dpo.export, *good, *bad)] == [("g1", "b1"), ("g2", "b2")]


def test_efficiency_pairs_are_made_where_nothing_failed() -> None:
    runs = [RunBuilder(str(n)).reply("Yes.", tokens=n).end() for n in (100, 200, 300)]
    pairs = [(row["kind"], row["run"], row["rejected_run"]) for row in rows(dpo.export, *runs)]
    assert pairs == [("efficiency", "100", "300"), ("efficiency", "100", "200")]
    kinds = [row["kind"] for row in rows(dpo.export, *runs, RunBuilder("bad").reply("No.").end("unproven"))]
    assert kinds == ["correctness"] * 3, "fewer than nine pairs allow no efficiency pair"


def test_one_efficiency_pair_is_made_per_nine_correctness_pairs() -> None:
    runs = []
    for number in range(20):
        runs += [
            RunBuilder(f"good{number}", f"Issue {number}").reply("Yes.", tokens=100).end(),
            RunBuilder(f"slow{number}", f"Issue {number}").reply("Yes.", tokens=200 + number).end(),
            RunBuilder(f"bad{number}", f"Issue {number}").reply("No.").end("unproven"),
        ]
    kinds = [row["kind"] for row in rows(dpo.export, *runs)]
    assert (kinds.count("correctness"), kinds.count("efficiency")) == (40, 4)
    fast = [row for row in rows(dpo.export, *runs) if row["kind"] == "efficiency"]
    assert [row["rejected_run"] for row in fast] == ["slow19", "slow18", "slow17", "slow16"]
    assert (fast[0]["chosen_cost"], fast[0]["rejected_cost"]) == (100, 219)
    assert kinds.index("efficiency") == 9


def test_runs_of_similar_cost_are_no_pair() -> None:
    runs = [RunBuilder(str(n)).reply("Yes.", tokens=100 + n).end() for n in (0, 4)]
    kinds = [row["kind"] for row in rows(dpo.export, *runs, RunBuilder("bad").reply("No.").end("unproven"))]
    assert kinds == ["correctness", "correctness"]


def test_each_run_is_in_minimal_number_of_pairs() -> None:
    good = [RunBuilder(f"g{n}").reply("Yes.").end() for n in range(2)]
    bad = [RunBuilder(f"b{n}").reply("No.").end("unproven") for n in range(3)]
    pairs = [(row["run"], row["rejected_run"]) for row in rows(dpo.export, *good, *bad)]
    assert pairs == [("g0", "b0"), ("g1", "b1"), ("g0", "b2")]


@pytest.mark.parametrize(
    "other",
    [
        RunBuilder("prompt", prompt="You guess.").reply("No.").end("unproven"),
        RunBuilder("tools", tools=()).reply("No.").end("unproven"),
        RunBuilder("issue", "Else.").reply("No.").end("unproven"),
        RunBuilder("proven").reply("Yes.", tokens=101).end(),
        RunBuilder("error").reply("No.").end("error"),
    ],
    ids=lambda run: str(run.name),
)
def test_runs_without_common_prompt_or_difference_are_no_pair(other: RunView) -> None:
    with pytest.raises(UsageError, match="a proven run and another with the same prompt that failed or cost more"):
        rows(dpo.export, RunBuilder("good").reply("Yes.").end(), other)


# Groups


def test_group_has_rewards_and_advantages() -> None:
    runs = [
        RunBuilder("slow").reply("Yes.", tokens=2000).end(),
        RunBuilder("fast").reply("Yes.", tokens=1000).end(),
        RunBuilder("wrong").reply("No.", "a").end("unproven"),
        RunBuilder("empty").reply("No.", "a").end("limit", BASE),
        RunBuilder("mute").reply("No.", "a", error="not JSON").end("stuck", ""),
    ]
    exported = rows(rloo.export, *runs)
    assert [row["reward"] for row in exported] == [1.0, 1.693147, 0.0, -0.5, -1.5]
    assert exported[0]["advantage"] == pytest.approx(1.0 - (1.693147 - 0.5 - 1.5) / 4)
    assert sum(row["advantage"] for row in exported) == pytest.approx(0, abs=1e-5)
    assert len({row["group"] for row in exported}) == 1
    assert [row["proven"] for row in exported] == [True, True, False, False, False]
    assert (exported[0]["cost"], exported[0]["cost_in"]) == (2000, "tokens")


def test_group_of_one_has_no_advantage() -> None:
    single_runs = [RunBuilder("a").reply("Yes.").end(), RunBuilder("b", "Else.").reply("Yes.").end()]
    with pytest.raises(UsageError, match="No issue has two completed runs"):
        rows(rloo.export, *single_runs)


def test_repeated_run_counts_once() -> None:
    good, bad = RunBuilder("good").reply("Yes.").end(), RunBuilder("bad").reply("No.", "a").end("unproven")
    assert [(row["run"], row["advantage"]) for row in rows(rloo.export, good, bad, good)] == [("good", 1), ("bad", -1)]


# Values in a table


@pytest.mark.parametrize("export", [sft.export, rloo.export, dpo.export], ids=["sft", "rloo", "dpo"])
def test_numbers_that_json_lacks_are_text(export: Callable[[Sequence[RunView]], Iterator[str]]) -> None:
    builder = Made("strange")
    builder.say("Solve it.")
    builder.ask("", [Action("shell", {"command": float("nan"), "most": [float("-inf"), 1.5]}, "1")])
    builder.ask("Done.", [])
    builder.end("verified", verdict=Verdict("verified"))
    other = Made("other")
    other.say("Solve it.")
    other.ask("No.", [])
    other.end("unproven", 6)
    line = next(export([builder.material(), other.material()]))
    row = json.loads(line, parse_constant=pytest.fail)
    reply = row.get("completion", row.get("chosen"))[0]
    assert reply["tool_calls"][0]["function"]["arguments"] == {"command": "NaN", "most": ["-Infinity", 1.5]}


def test_pictures_are_replaced_by_text() -> None:
    picture = {"role": "user", "content": [{"type": "text", "text": "See."}, {"type": "image_url", "image_url": {}}]}
    run = RunBuilder("r")
    run.conversations["main"] = [SYSTEM, OPENING, picture]
    (row,) = rows(sft.export, run.reply("Seen.").end())
    assert texts(row["prompt"])[-1] == "See.\n[picture]"


@pytest.mark.parametrize("export", [sft.export, rloo.export, dpo.export], ids=["sft", "rloo", "dpo"])
def test_every_row_has_same_columns(export: Callable[[Sequence[RunView]], Iterator[str]]) -> None:
    runs = [RunBuilder(str(n)).reply("Yes.", *commands).end() for n, commands in enumerate([(), ("a",), ("b", "c")])]
    runs += [RunBuilder("other", "Else.").reply("Yes.", "a").end(), RunBuilder("bad").reply("No.").end("unproven")]
    columns = [{name: type(value) for name, value in row.items()} for row in rows(export, *runs)]
    assert len(columns) > 1
    assert all(row_columns == columns[0] for row_columns in columns)
