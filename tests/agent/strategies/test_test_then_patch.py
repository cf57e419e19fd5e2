"""The `test-then-patch` strategy: a failing test first, then the patch and its proof."""

from __future__ import annotations

import itertools
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from agent.config.settings import Settings
from agent.lifecycle.run_lifecycle import begin, reopen, solve
from agent.lifecycle.run_result import Result
from tests.agent.conftest import act, line
from tests.conftest import IMAGE
from trajectories.journal import read
from trajectories.records import Issue, Step
from trajectories.trajectory import Trajectory

pytestmark = pytest.mark.slow

CALC = "def add(a, b):\n    return a - b\n\n\ndef twice(a):\n    return a * 2\n"
TESTS = "import unittest\n\nfrom calc import twice\n\n\nclass TwiceTest(unittest.TestCase):\n" + (
    "    def test_twice(self):\n        self.assertEqual(twice(4), 8)\n"
)
FILES = {"calc.py": CALC, "tests/__init__.py": "", "tests/test_calc.py": TESTS, ".gitignore": "__pycache__/\n"}
ISSUE = "add() subtracts\n\nadd(2, 3) gives -1 but should give 5."


def add_test_text(*asserts: str, imports: str = "from calc import add") -> str:
    body = "".join(f"        {assertion}\n" for assertion in asserts)
    return f"import unittest\n\n{imports}\n\n\nclass AddTest(unittest.TestCase):\n    def test_add(self):\n{body}"


EXAMPLE, MORE = "self.assertEqual(add(2, 3), 5)", "self.assertEqual(add(40, 2), 42)"
NEW = "tests/test_add.py"
WRITE = act("edit", path=NEW, old="", new=add_test_text(EXAMPLE, MORE))
RED = act("run_tests", nodes=["tests.test_add"])
FIX = act("edit", path="calc.py", old="a - b", new="a + b")
ALL = act("run_tests")
SUBMIT = act("submit", summary="add() added nothing.")


@pytest.fixture
def run_strategy(
    tmp_path: Path, make_repo: Callable[..., Path]
) -> Callable[..., tuple[Result, list[Step], Trajectory]]:
    """Run the strategy with a scripted model to the end of the run; return the result, the steps and the trajectory."""

    def run_to_end(*lines: dict, files: dict[str, str] = FILES, issue: str = ISSUE, **settings: object):
        script = tmp_path / "script.jsonl"
        script.write_text("".join(json.dumps(line) + "\n" for line in lines))
        defaults = {"workspace": "local", "test": f"{shlex.quote(sys.executable)} -m unittest discover -s tests -t ."}
        chosen_settings = Settings(
            model=f"scripted:{script}",
            state=tmp_path / "state",
            retry_wait=0,
            **(defaults | settings),  # type: ignore[arg-type]
        )
        title, _, body = issue.partition("\n\n")
        directory = begin(Issue(title, body), Repository.open(make_repo(files)), chosen_settings)
        engine = reopen(directory, chosen_settings.state)
        steps: list[Step] = []
        try:
            running = solve(engine)
            while True:
                steps.append(next(running))
        except StopIteration as end:
            return end.value, steps, read(directory)
        finally:
            engine.close()

    return run_to_end


def notes(trajectory: Trajectory, kind: str) -> list[str]:
    return [note.text for note in trajectory.notes if note.kind == kind]


def proofs(steps: list[Step]) -> list[str]:
    return [step.observations[0].data["verdict"]["kind"] for step in steps if step.author == "proof"]


def test_correct_first_reply_takes_one_call(run_strategy) -> None:
    result, _steps, trajectory = run_strategy(line("All at once.", WRITE, RED, FIX, ALL, SUBMIT))
    assert (result.exit.kind, result.exit.code, result.spent.calls) == ("plausible", 6, 1)
    assert "+    return a + b" in result.patch.source
    assert NEW in result.patch.tests
    assert notes(trajectory, "phase") == ["localize", "reproduce", "prove"]
    assert result.exit.verdict.tests == ("tests.test_add.AddTest.test_add",)


def test_failing_test_opens_gate(run_strategy) -> None:
    result, steps, trajectory = run_strategy(
        line("See it fail.", WRITE, RED, n=1), line("Fix it.", FIX, ALL, SUBMIT, n=2), max_steps=2
    )
    assert result.exit.kind == "plausible"
    assert [step.author for step in steps] == ["task", "coder", "coder", "proof"]
    assert notes(trajectory, "phase") == ["localize", "reproduce", "patch", "prove"]
    assert notes(trajectory, "gate")[0].startswith("Failing test: tests.test_add")


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (add_test_text("self.assertEqual(undefined(2, 3), 5)"), "test itself is wrong"),
        (add_test_text(EXAMPLE, imports="from calc import add, multiply"), "multiply"),
        ("import nowhere\n" + add_test_text(EXAMPLE), "nowhere"),
    ],
)
def test_test_failing_for_other_reason_is_returned(run_strategy, wrong: str, expected: str) -> None:
    result, steps, trajectory = run_strategy(
        line("See it fail.", act("edit", path=NEW, old="", new=wrong), RED, n=1),
        line("Ah.", act("shell", command=f"rm {NEW}"), WRITE, RED, n=2, contains="is not accepted"),
        line("Fix it.", FIX, ALL, SUBMIT, n=3),
    )
    assert result.exit.kind == "plausible", result.exit
    refused = [step.observations[0].text for step in steps if step.author == "task"][1]
    assert expected in refused
    assert notes(trajectory, "gate")[0] in refused


def test_wrong_test_is_returned_despite_other_edit(run_strategy) -> None:
    wrong = act("edit", path=NEW, old="", new=add_test_text("self.assertEqual(undefined(2, 3), 5)"))
    note = act("edit", path="CHANGES.md", old="", new="- add() adds.\n")
    result, steps, _ = run_strategy(
        line("See it fail.", note, wrong, RED, n=1),
        line("Ah.", act("shell", command=f"rm {NEW}"), WRITE, RED, FIX, ALL, SUBMIT, n=2, contains="is not accepted"),
    )
    assert result.exit.kind == "plausible", result.exit
    assert [step.author for step in steps] == ["task", "coder", "task", "coder", "proof"]


def test_test_with_missing_import_is_returned(run_strategy) -> None:
    wrong = act("edit", path=NEW, old="", new=add_test_text(EXAMPLE, MORE, imports="import calc"))
    _, steps, trajectory = run_strategy(
        line("See it fail.", wrong, RED, n=1),
        line("Ah.", act("undo"), WRITE, RED, FIX, ALL, SUBMIT, n=2, contains="name 'add' is not defined"),
    )
    assert proofs(steps) == ["plausible"]
    assert "the test itself is wrong" in notes(trajectory, "gate")[0]


RAISES = "import unittest\n\nfrom calc import half\n\n\nclass HalfTest(unittest.TestCase):\n    def test_half(self):\n"


@pytest.mark.parametrize(
    ("issue", "source", "test", "fixed_source"),
    [
        (
            "half() crashes on None\n\nhalf(None) should raise ValueError.",
            "def half(a):\n    return a / 2\n",
            "        with self.assertRaises(ValueError):\n            half(None)\n",
            "def half(a):\n    if a is None:\n        raise ValueError(a)\n    return a / 2\n",
        ),
        (
            "half() raises IOError\n\nhalf('x') raises `IOError`; it should return None.",
            "def half(a):\n    return open(a).read()\n",
            "        self.assertIsNone(half('nowhere'))\n",
            "def half(a):\n    try:\n        return open(a).read()\n    except OSError:\n        return None\n",
        ),
    ],
)
def test_test_may_fail_with_other_exception_than_issue_names(run_strategy, issue, source, test, fixed_source) -> None:
    fix = act("edit", path="calc.py", old=source, new=fixed_source)
    old = TESTS.replace("twice(4), 8", "callable(half), True").replace("twice", "half")
    _, steps, trajectory = run_strategy(
        line("See it fail.", act("edit", path=NEW, old="", new=RAISES + test), RED, n=1),
        line("Fix it.", fix, ALL, SUBMIT, n=2),
        files={**FILES, "calc.py": source, "tests/test_calc.py": old},
        issue=issue,
    )
    assert notes(trajectory, "gate")[0].startswith("Failing test: ")
    assert proofs(steps) == ["plausible"]


def test_fix_by_shell_after_failing_test_can_be_submitted(run_strategy) -> None:
    result, steps, _ = run_strategy(
        line("At once.", WRITE, RED, act("shell", command="sed -i 's/a - b/a + b/' calc.py"), SUBMIT, n=1)
    )
    assert proofs(steps) == ["plausible"]
    assert result.spent.calls == 1


def test_test_added_to_existing_file_is_returned(run_strategy) -> None:
    added_test = "    def test_add(self):\n        import calc\n        self.assertEqual(calc.add(2, 3), 5)\n"
    _, steps, trajectory = run_strategy(
        line(
            "Add one.",
            act("edit", path="tests/test_calc.py", old="(4), 8)\n", new=f"(4), 8)\n\n{added_test}"),
            ALL,
            n=1,
        ),
        line("A new file, then.", act("undo"), WRITE, RED, FIX, ALL, SUBMIT, n=2, contains="new file"),
    )
    assert proofs(steps) == ["plausible"]
    assert "tests/test_calc.py already existed" in notes(trajectory, "gate")[0]


def test_patch_for_example_only_is_returned(run_strategy) -> None:
    special = act(
        "edit",
        path="calc.py",
        old="    return a - b",
        new="    if (a, b) == (2, 3):\n        return 5\n    return a - b",
    )
    general = act(
        "edit",
        path="calc.py",
        old="    if (a, b) == (2, 3):\n        return 5\n    return a - b",
        new="    return a + b",
    )
    result, steps, _ = run_strategy(
        line("The example.", act("edit", path=NEW, old="", new=add_test_text(EXAMPLE)), special, ALL, SUBMIT, n=1),
        line(
            "In general.",
            general,
            act("edit", path=NEW, old=EXAMPLE, new=f"{EXAMPLE}\n        {MORE}"),
            ALL,
            SUBMIT,
            n=2,
            contains="not shown to be general. Test other values, and solve the general case",
        ),
    )
    assert proofs(steps) == ["unproven", "plausible"]
    assert result.exit.kind == "plausible"


def test_unchanged_patch_for_example_only_ends_unproven(run_strategy) -> None:
    special = act(
        "edit",
        path="calc.py",
        old="    return a - b",
        new="    if (a, b) == (2, 3):\n        return 5\n    return a - b",
    )
    result, steps, _ = run_strategy(
        line("The example.", act("edit", path=NEW, old="", new=add_test_text(EXAMPLE)), special, SUBMIT, n=1),
        line("It is right.", SUBMIT),
        rounds=2,
    )
    assert proofs(steps) == ["unproven"]
    assert (result.exit.kind, result.exit.code) == ("unproven", 6)


def test_edited_test_is_restored_and_proves_nothing(run_strategy) -> None:
    wrong_test_files = {
        **FILES,
        "tests/test_calc.py": TESTS.replace("twice", "add").replace("add(4), 8", "add(2, 3), 5"),
    }
    easy = act("edit", path="tests/test_calc.py", old="add(2, 3), 5", new="add(2, 3), -1")
    result, steps, _ = run_strategy(
        line(
            "Make it pass.", easy, act("edit", path="calc.py", old="def add", new="# fine\ndef add"), ALL, SUBMIT, n=1
        ),
        line("It is right.", SUBMIT, n=2, contains="the changes to tests/test_calc.py do not count"),
        files=wrong_test_files,
        rounds=1,
    )
    assert proofs(steps) == ["unproven"]
    assert result.exit.code == 6
    assert "tests/test_calc.py" not in result.patch.diff


def test_broken_test_is_reported_with_its_failure(run_strategy) -> None:
    broken = act("edit", path="calc.py", old="a * 2", new="add(a, 3)")
    result, steps, _ = run_strategy(
        line("Both.", WRITE, FIX, broken, act("run_tests", nodes=["tests.test_add"]), SUBMIT, n=1),
        line("Ah.", act("edit", path="calc.py", old="add(a, 3)", new="a * 2"), ALL, SUBMIT, n=2, contains="7 != 8"),
    )
    assert proofs(steps) == ["unproven", "plausible"]
    proof_text = next(step for step in steps if step.author == "proof").observations[0].text
    assert "lost: tests.test_calc.TwiceTest.test_twice" in proof_text
    assert result.exit.kind == "plausible"


def test_third_round_can_succeed(run_strategy) -> None:
    def attempt(number: int, old: str, new: str) -> dict:
        return line(f"Try {number}.", act("edit", path="calc.py", old=old, new=new), SUBMIT, n=number)

    result, steps, _ = run_strategy(
        line("Wrong.", WRITE, RED, act("edit", path="calc.py", old="a - b", new="b - a"), SUBMIT, n=1),
        attempt(2, "b - a", "a * b"),
        attempt(3, "a * b", "a + b"),
    )
    assert proofs(steps) == ["unproven", "unproven", "plausible"]
    assert result.spent.calls == 3


def test_run_without_correct_patch_ends_with_best_patch(run_strategy) -> None:
    result, steps, _ = run_strategy(
        line("Wrong.", WRITE, RED, act("edit", path="calc.py", old="a - b", new="b - a"), SUBMIT, n=1),
        line("I am sure.", SUBMIT),
    )
    assert proofs(steps) == ["unproven"]
    assert (result.exit.kind, result.exit.code) == ("unproven", 6)
    assert "b - a" in result.patch.source


def test_model_that_only_views_gets_hint_and_ends_stuck(run_strategy) -> None:
    result, steps, _ = run_strategy(line("Looking.", act("view", path="calc.py")))
    assert (result.exit.kind, result.exit.code) == ("stuck", 1)
    assert [step.author for step in steps].count("hint") == 1


def test_model_may_say_that_no_fix_is_needed(run_strategy) -> None:
    why = "It is as documented."
    lines = [line("No.", act("submit"), n=1), line("So.", act("submit", summary=why), n=2), line("Not asked.", n=3)]
    result, steps, _ = run_strategy(*lines)
    assert (result.exit.kind, result.exit.code, bool(result.patch)) == ("not_found", 1, False)
    assert result.exit.message == f"The model says: {why}"
    assert "submit again and explain why" in next(s for s in steps if s.reply is not None).observations[0].text


def test_fix_after_submit_without_change_counts(run_strategy) -> None:
    nothing = act("submit", summary="Nothing is wrong.")
    lines = [line("No.", nothing, n=1), line("Yes.", WRITE, RED, act("edit", path="calc.py", old="a - b", new="a + b"),
                                             SUBMIT, n=2)]  # fmt: skip
    result, _, _ = run_strategy(*lines)
    assert result.exit.kind == "plausible"


def test_alternation_between_two_states_is_reported(run_strategy) -> None:
    forth = act("edit", path="calc.py", old="a - b", new="a + b")
    back = act("edit", path="calc.py", old="a + b", new="a - b")
    lines = [line("Forth.", forth, n=number) if number % 2 else line("Back.", back, n=number) for number in range(1, 9)]
    result, steps, _ = run_strategy(*lines)
    hints = [step for step in steps if step.author == "hint"]
    assert "You alternate between" in hints[0].observations[0].text
    assert result.exit.kind == "stuck"


def test_submit_after_failing_tests_in_same_reply_does_not_count(run_strategy) -> None:
    _result, steps, _ = run_strategy(
        line("Hopeful.", WRITE, act("edit", path="calc.py", old="a - b", new="b - a"), ALL, SUBMIT, n=1),
        line(
            "Right.", act("edit", path="calc.py", old="b - a", new="a + b"), ALL, SUBMIT, n=2, contains="Not submitted"
        ),
    )
    assert proofs(steps) == ["plausible"]


def test_given_reproduction_skips_gate(run_strategy, tmp_path: Path) -> None:
    given = tmp_path / "test_given.py"
    given.write_text(add_test_text(EXAMPLE))
    result, _steps, trajectory = run_strategy(line("Right.", FIX, SUBMIT), reproduce=str(given))
    assert result.exit.kind == "plausible", result.exit
    assert notes(trajectory, "phase") == ["localize", "patch", "prove"]


def test_previously_failing_test_does_not_block_submit(run_strategy) -> None:
    old = TESTS + "\n    def test_old(self):\n        self.assertEqual(twice(1), 3)\n"
    result, steps, _ = run_strategy(
        line("At once.", WRITE, RED, FIX, ALL, SUBMIT, n=1), files={**FILES, "tests/test_calc.py": old}
    )
    assert proofs(steps) == ["plausible"]
    assert result.spent.calls == 1


def test_rounds_are_bounded(run_strategy) -> None:
    texts = ["b - a", "a * b", "a // b", "b"]
    lines = [
        line(f"Try {n}.", act("edit", path="calc.py", old=old, new=new), SUBMIT, n=n)
        for n, (old, new) in enumerate(itertools.pairwise(texts), 2)
    ]
    first = line("Wrong.", WRITE, RED, act("edit", path="calc.py", old="a - b", new="b - a"), SUBMIT, n=1)
    result, steps, _ = run_strategy(first, *lines)
    assert proofs(steps) == ["unproven"] * 3
    assert result.exit.code == 6


def test_old_test_contradicting_issue_ends_unproven_at_once(run_strategy) -> None:
    old = TESTS.replace("import twice", "import add, twice") + (
        "\n    def test_minus(self):\n        self.assertEqual(add(9, 4), 5)\n"
    )
    files = {**FILES, "tests/test_calc.py": old}
    submit_naming_test = act("submit", summary="add() subtracted. test_minus asserts just that.")
    result, steps, trajectory = run_strategy(line("Against it.", WRITE, RED, FIX, submit_naming_test), files=files)
    assert proofs(steps) == ["unproven"]
    assert (result.exit.code, result.spent.calls) == (6, 1)
    assert "contradicts test_minus" in notes(trajectory, "summary")[-1]
    assert result.word == "add() subtracted. test_minus asserts just that."


@pytest.mark.docker
def test_example_of_issue_is_a_draft_of_the_test(run_strategy) -> None:
    result, steps, trajectory = run_strategy(
        line("The test fails as it should.", FIX, ALL, SUBMIT),
        workspace="docker",
        image=IMAGE,
        test="python3 -m unittest discover -s tests -t .",
    )
    draft = next(step for step in steps if step.author == "reproduction")
    assert "assertEqual(add(2, 3), 5)" in draft.actions[0].arguments["new"]
    said = next(step for step in steps if "made from the issue's example" in step.observations[0].text)
    assert "Today: -1." in said.observations[0].text
    assert notes(trajectory, "gate")[0].startswith("Failing test: ")
    assert "+        self.assertEqual(add(2, 3), 5)" in result.patch.tests
    assert result.exit.verdict.red
    assert result.exit.verdict.green


def test_python_runner_is_used_where_the_detected_command_reports_no_test(run_strategy) -> None:
    """A command of the model is not: it could leave out the test that the patch breaks."""
    files = FILES | {"Makefile": "test:\n\t@echo done\n"}
    breaks = act("edit", path="calc.py", old="a * 2", new="a * 3")
    narrow = act("run_tests", command=f"{shlex.quote(sys.executable)} -m unittest discover -s tests -t . -k AddTest")
    result, _, _ = run_strategy(line("All.", WRITE, FIX, breaks, narrow, SUBMIT), files=files, test="", rounds=1)
    assert (result.exit.kind, result.exit.verdict.no_loss) == ("unproven", False)
    fixed, _, _ = run_strategy(line("All.", WRITE, FIX, SUBMIT), files=files, test="", rounds=1)
    assert fixed.exit.kind == "plausible"
    assert any("The detected test command reports no test." in note for note in fixed.exit.verdict.notes)


def test_loss_that_only_an_exit_code_shows_is_not_replaced(run_strategy) -> None:
    suite = f"env -i {shlex.quote(sys.executable)} -I -m unittest discover -s tests -t . -p test_calc.py"
    files = FILES | {"Makefile": f"test:\n\t@{suite}\n"}
    breaks = act("edit", path="calc.py", old="a * 2", new="a * 3")
    result, _, _ = run_strategy(line("All.", WRITE, FIX, breaks, SUBMIT), files=files, test="", rounds=1)
    assert (result.exit.kind, result.exit.verdict.no_loss) == ("unproven", False)
    assert not any("reports no test" in note for note in result.exit.verdict.notes)


def test_model_is_not_asked_to_fix_what_no_patch_changes(run_strategy) -> None:
    """The repository has no other tests, so it is unknown whether the patch breaks anything."""
    files = {name: text for name, text in FILES.items() if name != "tests/test_calc.py"}
    result, steps, _ = run_strategy(line("All.", WRITE, FIX, SUBMIT), files=files)
    assert (result.exit.verdict.red_again, result.exit.verdict.no_loss) == (True, None)
    assert (result.spent.calls, len(proofs(steps))) == (1, 1)
