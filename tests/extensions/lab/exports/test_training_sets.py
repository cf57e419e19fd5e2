"""Training sets of runs built record by record: rows, pairs, groups and what is excluded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import pytest

from extensions.lab.exports import dpo, rloo, sft
from extensions.lab.training.candidate_groups import select_candidates
from tests.extensions.lab.exports.random_runs import Made
from tests.extensions.lab.exports.run_builder import BASE, OPENING, PATCHED, SYSTEM, TOOLS, RunBuilder
from trajectories.errors import UsageError
from trajectories.records import Action, Exit, Note, Observation, Once, Step, Turn
from trajectories.trajectory import Message, RunView
from trajectories.verdict import Verdict


def rows(export: Callable[[Sequence[RunView]], Iterator[str]], *runs: RunView) -> list[dict[str, Any]]:
    return [json.loads(line) for line in export(runs)]


def texts(messages: Sequence[Message]) -> list[str]:
    return [message["content"] for message in messages]


# Fine-tuning


def test_cheapest_proven_run_of_each_issue_is_exported() -> None:
    expensive = RunBuilder("dear").reply("Long.", "a", tokens=900).reply("So.").end()
    cheap = RunBuilder("cheap").reply("Quick.", "b", tokens=100).reply("Done.").end()
    wrong = RunBuilder("wrong").reply("No.", tokens=1).end("unproven")
    other = RunBuilder("other", "Sub is wrong.").reply("Else.", tokens=5000).end(tree="e" * 40)
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


def failed_run(issue: str = "Add is wrong.") -> RunView:
    return RunBuilder("failed", issue).reply("No.", "a", tokens=7).end("unproven")


def test_earlier_turns_can_be_masked() -> None:
    run = RunBuilder("r").reply("One.", "a").reply("Two.", "b").fold_output().reply("Three.", "c").reply("Done.").end()
    (row,) = [json.loads(line) for line in sft.rows(select_candidates([run]), last_turn=True)]
    assert texts(row["completion"]) == ["Done."]
    assert texts(row["prompt"])[2:] == ["One.", "[folded]", "Two.", "did b", "Three.", "did c"]


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
    assert [row["cost_in"] for row in rows(rloo.export, one, two, failed_run())] == ["tokens"] * 3


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
    group = rows(rloo.export, partly_known, known, failed_run())
    assert [(row["cost"], row["cost_in"]) for row in group] == [(3, "steps"), (2, "steps"), (1, "steps")]


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


def test_weaker_verdict_is_never_preferred_for_its_cost() -> None:
    cheat = RunBuilder("cheat").reply("Yes.", "a", tokens=100).end("plausible", tree="c" * 40)
    dear = RunBuilder("dear").reply("Yes.", "b", tokens=4000).end(tree="d" * 40)
    cheap = RunBuilder("cheap").reply("Yes.", "c", tokens=1000).end(tree="e" * 40)
    wrong = RunBuilder("wrong").reply("No.", "d").end("unproven")
    rewarded = {row["run"]: row["reward"] for row in rows(rloo.export, cheat, dear, cheap, wrong)}
    assert rewarded == {"cheat": 1.0, "dear": 1.0, "cheap": 2.0, "wrong": 0.0}
    [chosen] = rows(sft.export, cheat, dear, cheap)
    assert (chosen["run"], chosen["verdict"], chosen["generality"]) == ("cheap", "verified", "")
    pairs = [(row["run"], row["rejected_run"]) for row in rows(dpo.export, cheat, dear, cheap)]
    assert pairs == [("cheap", "dear")]


def test_group_of_one_has_no_advantage() -> None:
    single_runs = [RunBuilder("a").reply("Yes.").end(), RunBuilder("b", "Else.").reply("Yes.").end()]
    with pytest.raises(UsageError, match="No two runs of the same issue with the same prompt"):
        rows(rloo.export, *single_runs)


def test_group_has_one_prompt() -> None:
    """Runs of one issue with different first messages are not compared."""
    runs = [
        RunBuilder(f"{prompt} {kind}").start_with(prompt).reply("So.", "a", tokens=tokens).end(kind)
        for prompt, kind, tokens in (("Fix it.", "verified", 10), ("With a hint.", "unproven", 1))
    ]
    with pytest.raises(UsageError, match="with the same prompt"):
        rows(rloo.export, *runs)
    runs.append(RunBuilder("other").start_with("Fix it.").reply("No.", "a").end("unproven"))
    exported = rows(rloo.export, *runs)
    assert [(row["run"], row["repeats"], row["pass_rate"]) for row in exported] == [
        ("Fix it. verified", 2, 0.5), ("other", 2, 0.5)
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["verified", "unproven"])
def test_group_without_difference_is_left_out(kind: str) -> None:
    alike = [RunBuilder(f"{kind} {n}", "Always so.").reply("So.", "a", tokens=n).end(kind) for n in (1, 2)]
    differing = [RunBuilder("good").reply("Yes.").end(), failed_run()]
    selection = select_candidates([*alike, *differing])
    assert [json.loads(line)["run"] for line in rloo.rows(selection)] == ["good", "failed"]
    reason = "all runs with its prompt are proven" if kind == "verified" else "no run with its prompt is proven"
    assert selection.left_out == [(f"{kind} {n}", reason) for n in (1, 2)]


def test_episode_is_left_out_until_it_is_graded() -> None:
    ungraded, failed, solved = (RunBuilder(name).reply("Yes.") for name in ("ungraded", "failed", "solved"))
    for run in (ungraded, failed, solved):
        run.records[1] = Turn("Add is wrong.", "episode")
    ungraded.add(Note("main", "score", "0.5", {"share": 0.5}))
    runs = [ungraded.end("unproven")]
    for run, resolved in ((failed, False), (solved, True)):
        run.end("unproven")
        runs.append(run.add(Note("main", "score", "", {"reward": float(resolved), "resolved": resolved})).build())
    selection = select_candidates(runs)
    assert selection.left_out == [("ungraded", "an episode that was not graded")]
    assert [row["reward"] for row in map(json.loads, rloo.rows(selection))] == [0.0, 1.0]


def test_group_of_measured_functions_is_kept_although_all_are_proven() -> None:
    exported = rows(rloo.export, measured_run("slow", 800, 1), measured_run("quick", 400, 1))
    assert [row["cost_in"] for row in exported] == ["instructions"] * 2
    assert exported[1]["reward"] > exported[0]["reward"] == 1.0


def test_same_issue_text_and_same_patch_are_trained_once() -> None:
    first = RunBuilder("first", "Add is wrong.").reply("One.", tokens=10).end()
    again = RunBuilder("again", "add   is wrong.").reply("Two.", tokens=20).end(tree="e" * 40)
    copied = RunBuilder("copied", "Another text.").reply("Three.", tokens=5).end()
    selection = select_candidates([first, again, copied])
    assert [json.loads(line)["run"] for line in sft.rows(selection)] == ["first"]
    assert dict(selection.left_out) == {
        "again": "a cheaper run of the same issue text, or one with a stronger verdict, was used",
        "copied": "another run with the same patch was used",
    }


def test_runs_of_two_batches_can_have_the_same_name() -> None:
    """Their instance names them, and one of them is left out."""
    first = RunBuilder("django__django-1", at=1.0).reply("Long.", tokens=900).end()
    second = RunBuilder("django__django-1", at=2.0).reply("Short.", tokens=10).end()
    selection = select_candidates([first, second])
    assert [texts(json.loads(line)["completion"]) for line in sft.rows(selection)] == [["Short."]]
    assert [candidate.tokens for candidate in selection.used.values()] == [10]
    assert len(selection.left_out) == 1


def test_columns_tell_difficulty_consistency_and_cost() -> None:
    runs = [
        RunBuilder("a").reply("Yes.", "x", tokens=10).reply("Done.", tokens=20).end(),
        RunBuilder("b").reply("Yes.", tokens=50).end(),
        RunBuilder("c").reply("No.", tokens=1).end("unproven", "e" * 40),
    ]
    row, *_ = rows(rloo.export, *runs)
    names = ("run", "repeats", "pass_rate", "consistency", "steps", "tokens", "dollars")
    assert [row[name] for name in names] == ["a", 3, 0.6667, 0.6667, 2, 30, 0.0]


def test_questions_are_no_candidates() -> None:
    """The conversation of the role that changed files is exported; helpers only count in its cost."""
    for ended in ("answered", ""):  # runs of earlier versions do not mark questions
        run = RunBuilder("r").reply("Look at calc.py.", branch="main/plan-1-1", tokens=5)
        run.reply("Fixed.", "a", branch="main/fix", tokens=100).reply("Yes.", branch="main/review-1-1", tokens=7)
        for branch in ("main/plan-1-1", "main/review-1-1"):
            run.add(outcome(branch, "none", BASE, ended))
        (row,) = rows(sft.export, run.end())
        assert (row["branch"], texts(row["completion"]), row["cost"]) == ("main/fix", ["Fixed."], 112)
        group = rows(rloo.export, run.end(), RunBuilder("bad").reply("No.", "a", branch="main/fix").end("unproven"))
        assert [(row["run"], row["proven"]) for row in group] == [("r", True), ("bad", False)]


@pytest.mark.parametrize("is_chosen", [True, False])
def test_work_beside_attempts_has_its_own_verdict(is_chosen: bool) -> None:
    """A second opinion in an attempt does not hide the conversation that it was asked about."""
    run = RunBuilder("r").reply("First.", "a")
    run.add(Step("main", 2, "", "proof", PATCHED, observations=(proof_observation("verified"),)))
    run.reply("Second.", "b", branch="main/another").add(outcome("main/another", "unproven", "e" * 40))
    exported = run.end("verified" if is_chosen else "unproven", PATCHED if is_chosen else "e" * 40)
    assert [(row["branch"], texts(row["completion"])) for row in rows(sft.export, exported)] == [
        ("main", ["First."])
    ]  # fmt: skip


def proof_observation(kind: Any) -> Observation:
    return Observation("Proof", data={"verdict": asdict(Verdict(kind))})


def test_repeated_run_counts_once() -> None:
    good, bad = RunBuilder("good").reply("Yes.").end(), RunBuilder("bad").reply("No.", "a").end("unproven")
    assert [(row["run"], row["advantage"]) for row in rows(rloo.export, good, bad, good)] == [("good", 1), ("bad", -1)]


# Sessions


def session(is_applied: bool = True, again: str = "Add is wrong.") -> RunView:
    """A turn that the user undid, and the same request once more."""
    run = RunBuilder("s").reply("A guess.", "a")
    run.add(Exit("unproven", 6, PATCHED), Turn("/undo", "undo"), Exit("undone", 0, BASE), Turn(again, "build"))
    run.conversations["main"] = [run.system, {"role": "user", "content": again}]
    run.reply("Read first.", "b").reply("Fixed.")
    run.add(Note("main", "done", "Applied.", {"effect": "apply 1"} if is_applied else {"effect": "commit 1"}))
    return run.end("unproven")


def test_applied_turn_is_preferred_to_undone_turn_if_user_allows() -> None:
    (row,) = [json.loads(line) for line in dpo.rows(select_candidates([session()], with_sessions=True))]
    assert (row["kind"], texts(row["prompt"])) == ("session", ["You fix bugs.", "Add is wrong."])
    assert (texts(row["chosen"]), texts(row["rejected"])) == (["Read first.", "did b", "Fixed."], ["A guess."])
    pair = rows(dpo.export, RunBuilder("good").reply("Yes.").end(), failed_run())[0]
    assert {name: type(value) for name, value in pair.items()} == {name: type(value) for name, value in row.items()}
    with pytest.raises(UsageError):
        rows(dpo.export, session())


@pytest.mark.parametrize("run", [session(is_applied=False), session(again="Add is wrong, look at calc.py.")])
def test_turns_without_preference_or_common_prompt_are_no_pair(run: RunView) -> None:
    with pytest.raises(UsageError):
        list(dpo.rows(select_candidates([run], with_sessions=True)))


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
    runs.append(RunBuilder("other", "Else.").reply("Yes.", "a").end(tree="e" * 40))
    runs.append(RunBuilder("bad").reply("No.").end("unproven"))
    columns = [{name: type(value) for name, value in row.items()} for row in rows(export, *runs)]
    assert len(columns) > 1
    assert all(row_columns == columns[0] for row_columns in columns)
