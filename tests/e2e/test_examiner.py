"""`--independent`: tests that a model writes from the issue alone judge the patch."""

import json
from pathlib import Path

import pytest

from agent.evidence.proof_bundle import examiner_record
from tests.conftest import git
from tests.e2e.conftest import CALCULATOR, ISSUE, TEST_CORE, Machine, write
from trajectories.journal import read

pytestmark = pytest.mark.slow
RIGHT = CALCULATOR["calc/core.py"].replace("a - b", "a + b")
LITERAL = CALCULATOR["calc/core.py"].replace("return a - b", "return 5 if (a, b) == (2, 3) else a - b")
HALF = CALCULATOR["calc/core.py"].replace("a - b", "abs(a) + abs(b)")
BLIND = """tests/test_examined.py
```python
import unittest

from calc.core import add, double


class ExaminedTest(unittest.TestCase):
    def test_other_numbers(self):
        self.assertEqual(add(7, 4), 11)

    def test_negative_number(self):
        self.assertEqual(add(-1, 5), 4)

    def test_double(self):
        self.assertEqual(double(6), 12)

    def test_zero_on_the_right(self):
        self.assertEqual(add(3, 0), 3)
```
- test_other_numbers | red | "add(2, 3) gives -1 but should give 5."
- test_negative_number | red | "add() subtracts"
- test_double | red | "add() subtracts"
- test_zero_on_the_right | guard | "add() subtracts"
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = write(tmp_path / "calculator", CALCULATOR)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "A calculator")
    return folder


def script(folder: Path, *replies: dict) -> str:
    path = folder / "script.jsonl"
    path.write_text("".join(json.dumps(reply) + "\n" for reply in replies))
    return f"scripted:{path}"


def examiner(text: str, number: int = 1) -> dict:
    return {"branch": "main/examiner", "n": number, "reply": {"text": text}}


def prove(machine: Machine, repository: Path, source: str, *replies: dict) -> dict:
    write(repository, {"calc/core.py": source, "tests/test_core.py": TEST_CORE})
    git(repository, "add", "-A")
    model = script(machine.home, *replies)
    return machine.json("prove", "--staged", "--text", ISSUE, "--repo", repository, "--independent", "--model", model)


def evidence(result: dict) -> list[dict]:
    return [fact for fact in result["verdict"]["facts"] if fact["kind"] == "independent"]


def test_right_patch_has_independent_evidence(machine: Machine, repository: Path) -> None:
    result = prove(machine, repository, RIGHT, examiner(BLIND))
    assert (result["returncode"], result["verdict"]["kind"]) == (0, "verified"), result
    assert result["verdict"]["evidence"] == "blind tests"
    [fact] = evidence(result)
    assert fact["data"] | {"against": [], "withdrawn": []} == fact["data"]
    assert (fact["data"]["word"], fact["data"]["red"], fact["data"]["guards"]) == ("agrees", 3, 1)
    assert result["usage"]["calls"] == 1


def test_bundle_would_hold_the_tests_and_how_they_were_made(machine: Machine, repository: Path) -> None:
    result = prove(machine, repository, RIGHT, examiner(BLIND))
    found = examiner_record(read(Path(result["directory"])))
    assert [one["text"] for one in found["messages"]][1:] == [BLIND]
    assert "add(2, 3) gives -1" in found["messages"][0]["text"]
    assert len(found["blind tests"]) == 64
    assert len(found["blind test results"]["results"]) == 4
    assert found["verdict"]["evidence"] == "blind tests"


def test_tests_that_change_their_answer_wrongly_dispute_the_patch(machine: Machine, repository: Path) -> None:
    wrong = CALCULATOR["calc/core.py"].replace("a - b", "a + b if (a, b) == (2, 3) else a * b")
    result = prove(machine, repository, wrong, examiner(BLIND))
    assert (result["returncode"], result["verdict"]["kind"]) == (6, "disputed"), result
    [fact] = evidence(result)
    assert fact["data"]["word"] == "disputed"
    assert "test_other_numbers" in fact["data"]["against"]
    assert "test_zero_on_the_right fails, which follows from “add() subtracts”" in fact["text"]


@pytest.mark.parametrize(("answer", "code", "word"), [("implied", 6, "disputed"), ("withdrawn", 0, "agrees")])
def test_single_failing_test_needs_a_second_look(machine, repository, answer, code, word) -> None:
    second = examiner(f"- test_negative_number | {answer} | so it is", 2)
    result = prove(machine, repository, HALF, examiner(BLIND), second)
    assert result["usage"]["calls"] == 2
    [fact] = evidence(result)
    if answer == "withdrawn":
        assert fact["data"]["withdrawn"] == ["test_negative_number"]
    kind = "verified" if answer == "withdrawn" else "disputed"
    assert (fact["data"]["word"], result["verdict"]["kind"], result["returncode"]) == (word, kind, code), result


def test_answer_without_tests_is_no_evidence(machine: Machine, repository: Path) -> None:
    result = prove(machine, repository, RIGHT, examiner("I cannot say."))
    assert (result["returncode"], result["verdict"]["kind"]) == (6, "plausible")
    assert [fact["data"]["word"] for fact in evidence(result)] == ["none"]


WRONG_TEST = """import unittest

from calc.core import add


class OldTest(unittest.TestCase):
    def test_old_sum(self):
        self.assertEqual(add(9, 4), 5)
"""
CORRECTED = WRONG_TEST.replace("5)", "13)")


@pytest.mark.parametrize(
    ("corrected", "word"),
    [
        (CORRECTED, "verified"),
        (CORRECTED.replace("9, 4", "9, 5").replace("13", "14"), "unproven"),
        (CORRECTED.replace("13", "12"), "unproven"),
        ("", "unproven"),
    ],
    ids=["same-input", "other-input", "other-answer", "kept"],
)
def test_existing_test_that_the_issue_contradicts(machine: Machine, repository: Path, corrected, word) -> None:
    write(repository, {"tests/test_old.py": WRONG_TEST})
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "A test")
    kept = "- test_old_sum | keep | it has nothing to do with the issue"
    red = f'tests/test_corrected.py\n```python\n{corrected}```\n- test_old_sum | red | "add() subtracts"'
    result = prove(machine, repository, RIGHT, examiner(BLIND), examiner(red if corrected else kept, 2))
    verdict = result["verdict"]
    assert (verdict["kind"], result["usage"]["calls"]) == (word, 2), result
    old = "tests/test_old.py::OldTest::test_old_sum"
    if word == "verified":
        before, after = "self.assertEqual(add(9, 4), 5)", "self.assertEqual(add(9, 4), 13)"
        assert verdict["contradicted"] == [f"{old}: it asserts `{before}`; by the issue, `{after}` (“add() subtracts”)"]
    else:
        assert verdict["lost"] == [old]


def test_examiner_needs_a_model(machine: Machine, repository: Path) -> None:
    write(repository, {"calc/core.py": RIGHT})
    git(repository, "add", "-A")
    result = machine.run("prove", "--staged", "--text", ISSUE, "--repo", repository, "--independent")
    assert result.returncode == 3
    assert "--independent needs a model" in result.stderr


def test_coder_sees_one_failing_input_of_a_disputed_patch(machine: Machine, repository: Path) -> None:
    wrong = {"tool": "edit", "arguments": {"path": "calc/core.py", "old": "a - b", "new": "abs(a) + abs(b) + 0 * a"}}
    right = {"tool": "edit", "arguments": {"path": "calc/core.py", "old": "abs(a) + abs(b) + 0 * a", "new": "a + b"}}
    test = {"tool": "edit", "arguments": {"path": "tests/test_core.py", "old": "", "new": TEST_CORE}}
    submit = {"tool": "submit"}
    model = script(
        machine.home,
        examiner(BLIND),
        examiner("- test_negative_number | implied", 2),
        {"branch": "main", "n": 1, "reply": {"text": "A fix.", "actions": [test, wrong, submit]}},
        {"branch": "main", "contains": "add(-1, 5), 4", "reply": {"text": "Signs.", "actions": [right, submit]}},
    )
    result = machine.json("fix", "--text", ISSUE, "--repo", repository, "--independent", "--model", model)
    assert (result["returncode"], result["verdict"]["kind"]) == (0, "verified"), result
    [fact] = evidence(result)
    assert (fact["data"]["word"], fact["data"]["red"]) == ("agrees", 2), "the test that the coder saw does not count"
    assert "+    return a + b" in result["patch"]


def test_disputed_patch_stays_disputed_if_the_coder_insists(machine: Machine, repository: Path) -> None:
    wrong = {"tool": "edit", "arguments": {"path": "calc/core.py", "old": "a - b", "new": "abs(a) + abs(b) + 0 * a"}}
    test = {"tool": "edit", "arguments": {"path": "tests/test_core.py", "old": "", "new": TEST_CORE}}
    model = script(
        machine.home,
        examiner(BLIND),
        examiner("- test_negative_number | implied", 2),
        {"branch": "main", "n": 1, "reply": {"text": "A fix.", "actions": [test, wrong, {"tool": "submit"}]}},
        {"branch": "main", "reply": {"text": "It is right.", "actions": [{"tool": "submit"}]}},
    )
    result = machine.json("fix", "--text", ISSUE, "--repo", repository, "--independent", "--model", model)
    assert (result["returncode"], result["verdict"]["kind"]) == (6, "disputed"), result
    assert result["usage"]["calls"] == 4


def test_coder_never_sees_the_tests(machine: Machine, repository: Path) -> None:
    edit = {"tool": "edit", "arguments": {"path": "calc/core.py", "old": "a - b", "new": "a + b"}}
    test = {"tool": "edit", "arguments": {"path": "tests/test_core.py", "old": "", "new": TEST_CORE}}
    look = {"tool": "search", "arguments": {"pattern": "ExaminedTest"}}
    model = script(
        machine.home,
        examiner(BLIND),
        {"branch": "main", "n": 1, "reply": {"text": "I look and fix.", "actions": [look, test, edit]}},
        {"branch": "main", "reply": {"text": "Done.", "actions": [{"tool": "submit"}]}},
    )
    result = machine.json("fix", "--text", ISSUE, "--repo", repository, "--independent", "--model", model)
    assert result["returncode"] == 0, result
    assert [fact["data"]["word"] for fact in evidence(result)] == ["agrees"]
    journal = Path(result["directory"], "journal.jsonl").read_text()
    records = [json.loads(line) for line in journal.splitlines()]
    mine = [one for one in records if one.get("branch") == "main" and one.get("type") in ("step", "reply")]
    assert mine
    assert "test_negative_number" not in json.dumps(mine) + result["patch"], "the coder searches and finds no test"
    names = [(one["type"], one.get("branch"), one.get("name")) for one in records]
    digest = names.index(("once", "main", "blind tests"))
    first = next(at for at, one in enumerate(records) if (one["type"], one.get("branch")) == ("hold", "main"))
    assert digest < first, "the hash is recorded before the coder's first request"
