"""Comparison of two runs: exact parts, masked parts, and the end of a comparison."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extensions.replay.run_comparison import MOST, compare_runs, mask_variable_parts
from trajectories.records import Action, Base, Issue, Note, Observation, Reply, Run, Step, Turn
from trajectories.trajectory import Trajectory
from trajectories.verdict import Verdict

A, B, C = "a" * 40, "b" * 40, "c" * 40
RUN = Run("r", Issue("title"), "/repo", Base(A, A))


def run(*records) -> Trajectory:
    return Trajectory([RUN, Turn("fix", "react"), *records])


def step(n: int, tree: str = A, text: str = "", ok: bool = True, branch: str = "main", command: str = "ls", **data):
    observations = (Observation(text, ok, data=data),)
    return Step(branch, n, "", "coder", tree, n, (Action("shell", {"command": command}),), observations)


def differences(left: Trajectory, right: Trajectory) -> list[tuple[str, str]]:
    return [(each.id, each.what) for each in compare_runs(left, right).differences]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ran 3 tests in 0.003s", "Ran 3 tests in 12.1s"),
        ("real\t0m0.003s", "real\t2m1.903s"),
        ("took 12 ms, then 3 seconds", "took 9 ms, then 4 seconds"),
        ("2026-11-21 13:16:22,123 INFO", "2027-01-01 00:00:00,000 INFO"),
        ("at 2026-11-21T13:16:22Z", "at 2026-11-21T13:16:23.5+01:00"),
        ("Sat Nov 21 13:16:22 UTC 2026", "Sun Nov 22 01:06:02 UTC 2026"),
        ("Mon, 21 Nov 2026 10:10:10 +0000", "Tue, 1 Dec 2026 10:10:11 +0000"),
        ("-rw-r--r-- 1 root root 12 Nov 21 13:16 a.py", "-rw-r--r-- 1 root root 12 Dec  1 09:01 a.py"),
        ("stamp 1763730000.12", "stamp 1763739999"),
        ("<object at 0x7f3abc12>", "<object at 0x55e1de00ffe0>"),
        ("/tmp/tmpab12cd34/x.py", "/tmp/tmpzz99zz99/x.py"),
        (
            "/tmp/swe-agent-local-ab_c/12345678/repo/calc.py:10:20",
            "/var/tmp/swe-agent-local-xy12/87654321/repo/calc.py:10:20",
        ),
        ("pid 123, listening on 127.0.0.1:4000", "pid 98765, listening on 127.0.0.1:40001"),
        ("http://localhost:8080/x port=8080", "http://localhost:9090/x port=9090"),
        ("[1] 4242", "[1] 77"),
        ("the whole is out:7", "the whole is out:12"),
    ],
)
def test_variable_parts_are_masked(one: str, other: str) -> None:
    assert mask_variable_parts(one) == mask_variable_parts(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3 passed", "4 passed"),
        ("calc.py:10:20: E1", "calc.py:11:20: E1"),
        ("lines 1-20 of 200", "lines 1-20 of 201"),
        ("0x1f", "0x2f"),
        ("version 3.11.7", "version 3.11.8"),
        ("exit code 1", "exit code 2"),
        ("/tmp/a/x.py", "/tmp/a/y.py"),
    ],
)
def test_other_numbers_and_names_are_compared(one: str, other: str) -> None:
    assert mask_variable_parts(one) != mask_variable_parts(other)


def test_trees_success_and_exit_codes_are_compared_exactly() -> None:
    left = run(step(1), step(2, code=0), step(3, text="x"), step(4, text="took 3 s"))
    right = run(step(1, B), step(2, B, code=1), step(3, B, ok=False, text="x"), step(4, B, text="took 4 s"))
    assert differences(left, right) == [
        ("main#1", "tree"),
        ("main#2", "exit"),
        ("main#3", "ok"),
    ]  # the tree is reported once
    assert compare_runs(left, right).same == 1


def test_each_step_of_replay_starts_from_recorded_tree() -> None:
    left, right = run(step(1), step(2)), [step(1, B), step(2, B)]
    assert differences(left, run(*right)) == [("main#1", "tree")]
    replay_note = Note("main", "replay", "Replay of r.", {"run": "r"})
    assert differences(left, run(replay_note, *right)) == [("main#1", "tree"), ("main#2", "tree")]


def test_text_differences_are_listed_separately() -> None:
    comparison = compare_runs(run(step(1, text="one")), run(step(1, text="two")))
    assert (comparison.same, comparison.first, [each.what for each in comparison.texts]) == (1, None, ["text"])


def test_branch_is_not_compared_after_different_action() -> None:
    left = run(step(1), step(2, command="ls -a"), step(3, C), step(1, B, branch="main/try-1"))
    right = run(step(1), step(2, command="pwd"), step(3, B), step(1, C, branch="main/try-1"))
    assert differences(left, right) == [("main#2", "action"), ("main/try-1#1", "tree")]


def test_step_of_only_one_run_is_missing() -> None:
    long, short = run(step(1), step(2), step(3)), run(step(1))
    assert differences(long, short) == [("main#2", "missing")]
    comparison = compare_runs(short, long)
    assert (comparison.first.left, comparison.first.right) == ("", "coder: shell {'command': 'ls'}")


def test_replies_are_compared_only_without_actions() -> None:
    def run_with_reply(text: str, *actions: Action) -> Trajectory:
        return run(
            Reply(text, actions, branch="main", ask=1),
            Step("main", 1, "", "coder", A, 1, actions, tuple(Observation("") for _ in actions)),
        )

    assert differences(run_with_reply("yes"), run_with_reply("no")) == [("main#1", "reply")]
    comparison = compare_runs(run_with_reply("so", Action("submit")), run_with_reply("or so", Action("submit")))
    assert (comparison.first, [each.what for each in comparison.texts]) == (None, ["reply"])


def test_proofs_are_compared_by_verdict() -> None:
    def run_with_proof(verdict: Verdict) -> Trajectory:
        observation = Observation("Proof.", verdict.verified, data={"verdict": asdict(verdict)})
        return run(Step("main", 1, "", "proof", A, None, (), (observation,)))

    one, other = Verdict("verified", red=True, green=True), Verdict("unproven", red=True, green=False)
    assert differences(run_with_proof(one), run_with_proof(one)) == []
    difference = compare_runs(run_with_proof(one), run_with_proof(other)).first
    assert difference.left.split("\n")[0] == "verified (fails without the patch: yes, passes with it: yes)"
    assert difference.right.split("\n")[0] == "unproven (fails without the patch: yes, passes with it: no)"


def test_verdict_of_an_earlier_version_is_compared_under_the_rules_of_today() -> None:
    parts = {"red": True, "green": True, "red_again": True, "no_loss": True}

    def run_with_proof(**verdict: object) -> Trajectory:
        observation = Observation("Proof.", True, data={"verdict": parts | verdict})
        return run(Step("main", 1, "", "proof", A, None, (), (observation,)))

    earlier = run_with_proof(kind="verified")
    assert differences(earlier, run_with_proof(kind="plausible", evidence="none")) == []
    assert differences(earlier, run_with_proof(kind="verified", evidence="blind tests")) == [("main#1", "ok")]


def test_long_text_is_shown_from_its_first_difference() -> None:
    left, right = "x" * 10_000 + "one", "x" * 10_000 + "two"
    (difference,) = compare_runs(run(step(1, text=left)), run(step(1, text=right))).texts
    assert len(difference.left) <= MOST + 2
    assert (difference.left[-3:], difference.right[-3:]) == ("one", "two")


LINES = st.sampled_from(
    ["ok", "", "ran 1.2s", "ran 3s", "at 0x7f001234", "at 0x7f", "10:11:12", "pid 5", "pid 77", "FAIL", "1s"]
)


@pytest.mark.slow
@given(st.lists(st.tuples(LINES, LINES) | LINES.map(lambda line: (line, line)), max_size=12), st.booleans())
def test_long_text_differs_in_lines_if_it_differs_as_whole(lines, long) -> None:
    filled = [("same line", "same line")] * (400 * long) + lines
    left, right = ("\n".join(side) for side in zip(*filled, strict=True)) if filled else ("", "")
    texts = compare_runs(run(step(1, text=left)), run(step(1, text=right))).texts
    assert bool(texts) == (mask_variable_parts(left) != mask_variable_parts(right))
    assert not texts or texts[0].left != texts[0].right


@st.composite
def trajectories(draw: st.DrawFn) -> Trajectory:
    """Runs whose steps are numbered from 1 in each branch."""
    steps: list[Step] = []
    for branch in draw(st.lists(st.sampled_from(["main", "main/a", "main/b"]), max_size=8)):
        n = 1 + sum(each.branch == branch for each in steps)
        tree, text, ok = draw(st.sampled_from([A, B])), draw(st.text(max_size=5)), draw(st.booleans())
        steps.append(step(n, tree, text, ok, branch, draw(st.sampled_from(["ls", "pwd"]))))
    return run(*steps)


@settings(max_examples=40)
@given(trajectories())
def test_run_equals_itself(trajectory: Trajectory) -> None:
    comparison = compare_runs(trajectory, trajectory)
    assert (comparison.same, comparison.first, comparison.texts) == (len(trajectory.all_steps()), None, ())


@settings(max_examples=40)
@given(trajectories(), trajectories())
def test_comparison_is_symmetric(left: Trajectory, right: Trajectory) -> None:
    forward, backward = compare_runs(left, right), compare_runs(right, left)
    assert {(each.id, each.what) for each in forward.differences} == {
        (each.id, each.what) for each in backward.differences
    }
    assert forward.same == backward.same


@settings(max_examples=40)
@given(st.text(), st.text())
def test_mask_variable_parts_accepts_any_text(one: str, other: str) -> None:
    assert isinstance(mask_variable_parts(f"{one} 13:16:22 0x7f3abc12 {other}"), str)


@pytest.mark.parametrize(
    ("end", "count"), [("one\n", 0), ("two\n", 1), ("one\nmore\n", 1)], ids=["same", "line", "more"]
)
def test_long_text_is_compared_line_by_line(end: str, count: int) -> None:
    def long(end: str, seconds: int) -> Trajectory:
        return run(step(1, text=f"took {seconds} s\n" * 1_000 + end))

    texts = compare_runs(long("one\n", 3), long(end, 4)).texts
    assert len(texts) == count
    assert not texts or ("one" in texts[0].left and end.split("\n")[-2] in texts[0].right)
