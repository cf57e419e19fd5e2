"""`--independent`: tests that a model writes from the issue alone judge the patch."""

import json
import shutil
from pathlib import Path

import pytest

from extensions.bundles.proof_bundle import examiner_record
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


def challenger(text: str) -> dict:
    return {"branch": "main/challenger", "reply": {"text": text}}


def prove(machine: Machine, repository: Path, source: str, *replies: dict) -> dict:
    write(repository, {"calc/core.py": source, "tests/test_core.py": TEST_CORE})
    git(repository, "add", "-A")
    if not any(reply["branch"] == "main/challenger" for reply in replies):
        replies = (*replies, challenger("NONE"))
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
    assert result["usage"]["calls"] == 2, "tests, and a challenge"


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
    assert result["usage"]["calls"] == (3 if answer == "withdrawn" else 2), "a disputed patch is not challenged"
    [fact] = evidence(result)
    if answer == "withdrawn":
        assert fact["data"]["withdrawn"] == ["test_negative_number"]
    kind = "verified" if answer == "withdrawn" else "disputed"
    assert (fact["data"]["word"], result["verdict"]["kind"], result["returncode"]) == (word, kind, code), result


def test_answer_without_tests_is_no_evidence(machine: Machine, repository: Path) -> None:
    result = prove(machine, repository, RIGHT, examiner("I cannot say."))
    assert (result["returncode"], result["verdict"]["kind"]) == (6, "plausible")
    assert [fact["data"]["word"] for fact in evidence(result)] == ["none"]


CHALLENGE = """- The patch may forget large numbers
tests/test_challenge.py
```python
import unittest

from calc.core import add


class ChallengeTest(unittest.TestCase):
    def test_large_number(self):
        self.assertEqual(add(1000, 5), 1005)
```
- test_large_number | red | "add() subtracts"
"""
RARE = CALCULATOR["calc/core.py"].replace("a - b", "a + b if a < 500 else 0")


def challenge_of(result: dict) -> dict:
    [fact] = [fact for fact in result["verdict"]["facts"] if fact["kind"] == "challenge"]
    return fact


@pytest.mark.parametrize(
    ("answer", "word", "kind"),
    [
        ("- test_large_number | required | it is a sum", "required", "disputed"),
        ("- tests/test_challenge.py::ChallengeTest::test_large_number | required | a sum", "required", "disputed"),
        ("- `test_large_number` | minor | it is rare", "minor", "verified"),
        ("- test_large_number | withdrawn | it is unclear", "stands", "verified"),
        ("I cannot say.", "undecided", "plausible"),
        ("", "undecided", "plausible"),
    ],
)
def test_examiner_decides_about_the_failing_tests_of_a_challenger(machine, repository, answer, word, kind) -> None:
    decision = [examiner(answer, 2)] if answer else []
    result = prove(machine, repository, RARE, examiner(BLIND), challenger(CHALLENGE), *decision)
    assert (result["verdict"]["kind"], result["returncode"]) == (kind, 0 if kind == "verified" else 6), result
    fact = challenge_of(result)
    assert fact["data"]["word"] == word
    assert fact["data"].get(word, ["test_large_number"]) == ["test_large_number"]
    names = "which follows from “add() subtracts”" in fact["text"]
    assert names == (word != "stands"), fact
    found = examiner_record(read(Path(result["directory"])))
    assert [one["text"] for one in found["challenge"]][1:] == [CHALLENGE]
    assert "+    return a + b if a < 500 else 0" in found["challenge"][0]["text"]
    assert "a < 500" not in json.dumps(found["messages"]), "the examiner has not seen the patch"


@pytest.mark.parametrize(
    ("answer", "word", "kind"),
    [
        (CHALLENGE, "stands", "verified"),
        (CHALLENGE.replace("test_challenge.py", "test_core.py"), "stands", "verified"),
        ("No suspicion is left.\n\nNONE\n", "stands", "verified"),
        ("I am sorry, I cannot help.", "missing", "plausible"),
        (CHALLENGE.replace("calc.core", "calc.gone"), "missing", "plausible"),
    ],
    ids=["passes", "path-taken", "none", "refused", "cannot-run"],
)
def test_right_patch_is_challenged(machine: Machine, repository: Path, answer: str, word: str, kind: str) -> None:
    result = prove(machine, repository, RIGHT, examiner(BLIND), challenger(answer))
    assert (result["verdict"]["kind"], result["usage"]["calls"]) == (kind, 2), result
    assert challenge_of(result)["data"]["word"] == word


def test_limit_during_a_challenge_keeps_the_blind_evidence(machine: Machine, repository: Path) -> None:
    write(repository, {"calc/core.py": RIGHT, "tests/test_core.py": TEST_CORE})
    git(repository, "add", "-A")
    model = ["--model", script(machine.home, examiner(BLIND), challenger(CHALLENGE)), "--max-steps", "1"]
    arguments = ["--text", ISSUE, "--repo", repository, "--independent"]
    result = machine.json("prove", "--staged", *arguments, *model)
    assert (result["verdict"]["kind"], challenge_of(result)["data"]["word"]) == ("plausible", "missing"), result
    assert [fact["data"]["word"] for fact in evidence(result)] == ["agrees"]


def test_challenger_uses_the_examiners_model(machine: Machine, repository: Path) -> None:
    write(repository, {"calc/core.py": RIGHT, "tests/test_core.py": TEST_CORE})
    git(repository, "add", "-A")
    config = machine.home / "config.toml"
    roles = f'[roles]\nexaminer = "{script(machine.home, examiner(BLIND), challenger("NONE"))}"\n'
    config.write_text(roles + config.read_text())
    result = machine.json("prove", "--staged", "--text", ISSUE, "--repo", repository, "--independent")
    assert result["verdict"]["kind"] == "verified", result


def test_fix_is_not_challenged(machine: Machine, repository: Path) -> None:
    edit = {"tool": "edit", "arguments": {"path": "calc/core.py", "old": "a - b", "new": "a + b"}}
    test = {"tool": "edit", "arguments": {"path": "tests/test_core.py", "old": "", "new": TEST_CORE}}
    reply = {"branch": "main", "reply": {"text": "A fix.", "actions": [test, edit, {"tool": "submit"}]}}
    model = script(machine.home, examiner(BLIND), reply)
    result = machine.json("fix", "--text", ISSUE, "--repo", repository, "--independent", "--model", model)
    assert (result["verdict"]["kind"], result["usage"]["calls"]) == ("verified", 2), result


def revise(machine: Machine, repository: Path, old: str, new: str) -> dict:
    """Return the result of a fix whose first patch is disputed, and which then replaces `old` by `new`."""
    wrong = {"tool": "edit", "arguments": {"path": "calc/core.py", "old": "a - b", "new": "abs(a) + abs(b) + 0 * a"}}
    again = {"tool": "edit", "arguments": {"path": "calc/core.py", "old": old, "new": new}}
    test = {"tool": "edit", "arguments": {"path": "tests/test_core.py", "old": "", "new": TEST_CORE}}
    submit = {"tool": "submit"}
    model = script(
        machine.home,
        examiner(BLIND),
        examiner("- test_negative_number | implied", 2),
        {"branch": "main", "n": 1, "reply": {"text": "A fix.", "actions": [test, wrong, submit]}},
        {"branch": "main", "contains": "add(-1, 5), 4", "reply": {"text": "Signs.", "actions": [again, submit]}},
    )
    return machine.json("fix", "--text", ISSUE, "--repo", repository, "--independent", "--model", model)


def test_revised_patch_that_still_fails_the_shown_test_stays_disputed(machine: Machine, repository: Path) -> None:
    result = revise(machine, repository, " + 0 * a", " + 0 * b")
    assert (result["returncode"], result["verdict"]["kind"]) == (6, "disputed"), result
    assert "0 * b" in result["patch"]


def test_tests_that_use_a_changed_file_are_no_earlier_tests(machine: Machine, repository: Path) -> None:
    uses = """import unittest

from calc.core import add
from tests.cases import CASES


class SumsTest(unittest.TestCase):
    def test_sums(self):
        for a, b, total in CASES:
            self.assertEqual(add(a, b), total)
"""
    write(repository, {"tests/cases.py": "CASES = [(0, 0, 0)]\n", "tests/test_sums.py": uses})
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "Sums")
    wrong = CALCULATOR["calc/core.py"].replace("a - b", "a * b - 1 if a or b else 0")
    write(repository, {"calc/core.py": wrong, "tests/cases.py": "CASES = [(0, 0, 0), (2, 3, 5)]\n"})
    git(repository, "add", "-A")
    arguments = ["--reproduce", "tests/test_sums.py", "--text", ISSUE, "--repo", repository]
    result = machine.json("prove", "--staged", *arguments)
    assert (result["verdict"]["kind"], result["verdict"]["red"]) == ("plausible", True), result


LEAP = "def is_leap(year):\n    return year % 4 == 0\n"
LEAP_TEST = """import unittest

from calc.leap import is_leap


class LeapTest(unittest.TestCase):
    def test_century(self):
        self.assertFalse(is_leap(1900))
"""
LEAP_BLIND = """tests/test_examined.py
```python
import unittest

from calc.leap import is_leap


class ExaminedTest(unittest.TestCase):
    def test_other_centuries(self):
        self.assertFalse(is_leap(1800) or is_leap(2200))

    def test_last_century_before(self):
        self.assertFalse(is_leap(1700))

    def test_year_2000(self):
        self.assertTrue(is_leap(2000) and is_leap(2024))
```
- test_other_centuries | red | "is_leap(1900) is true"
- test_last_century_before | red | "is_leap(1900) is true"
- test_year_2000 | guard | "is_leap(1900) is true"
"""


YEARS = "(1500, 1700, 1800, 1900, 2200)"


@pytest.mark.parametrize(
    ("rule", "word", "generality"),
    [
        (" and (year % 100 != 0 or year % 400 == 0)", "verified", "undecided"),
        (" and year != 1900", "unproven", "examples only"),
        (f" and year not in {YEARS}", "unproven", "examples only"),
    ],
)
def test_blind_tests_outweigh_the_experiment_on_generality(machine, repository, rule, word, generality) -> None:
    """Almost no variant of 1900 is a century, so a right patch seems to fit the example only."""
    write(repository, {"calc/leap.py": LEAP})
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "Leap years")
    write(repository, {"calc/leap.py": LEAP.replace("% 4 == 0", f"% 4 == 0{rule}"), "tests/test_leap.py": LEAP_TEST})
    git(repository, "add", "-A")
    second = examiner("- test_other_centuries | implied | the rule", 2)
    model = script(machine.home, examiner(LEAP_BLIND), second, challenger("NONE"))
    issue = ["--text", "is_leap(1900) is true\n\nBut 1900 was no leap year."]
    result = machine.json("prove", "--staged", *issue, "--repo", repository, "--independent", "--model", model)
    assert (result["verdict"]["kind"], result["verdict"]["generality"]) == (word, generality), result["verdict"]
    is_named = any("not shown to be general" in note for note in result["verdict"]["notes"])
    assert is_named == (word == "unproven")


WRONG_TEST = """import unittest

from calc.core import add


class OldTest(unittest.TestCase):
    def test_old_sum(self):
        self.assertEqual(add(9, 4), 5)
"""
OLD_SUM = "self.assertEqual(add(9, 4), 5)"


@pytest.mark.parametrize(
    ("corrected", "word"),
    [
        (OLD_SUM.replace("5)", "13)"), "verified"),
        (OLD_SUM.replace("9, 4", "9, 5").replace(" 5)", " 14)"), "unproven"),
        (OLD_SUM.replace("5)", "12)"), "unproven"),
        ("", "unproven"),
    ],
    ids=["same-input", "other-input", "other-answer", "kept"],
)
def test_existing_test_that_the_issue_contradicts(machine: Machine, repository: Path, corrected, word) -> None:
    write(repository, {"tests/test_old.py": WRONG_TEST})
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "A test")
    kept = "1 | keep | it has nothing to do with the issue"
    red = f"""1 | red | "add() subtracts"

tests/test_old.py
<<<<<<< SEARCH
        {OLD_SUM}
=======
        {corrected}
>>>>>>> REPLACE"""
    result = prove(machine, repository, RIGHT, examiner(BLIND), examiner(red if corrected else kept, 2))
    verdict = result["verdict"]
    assert verdict["kind"] == word, result
    old = "tests/test_old.py::OldTest::test_old_sum"
    if word == "verified":
        before, after = OLD_SUM, OLD_SUM.replace("5)", "13)")
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
    result = revise(machine, repository, "abs(a) + abs(b) + 0 * a", "a + b")
    assert (result["returncode"], result["verdict"]["kind"]) == (0, "verified"), result
    [fact] = evidence(result)
    assert (fact["data"]["word"], fact["data"]["red"]) == ("agrees", 2), "the test that the coder saw does not count"
    assert "+    return a + b" in result["patch"]


def test_coder_gets_a_round_if_the_examiner_keeps_a_broken_test(machine: Machine, repository: Path) -> None:
    write(repository, {"tests/test_old.py": WRONG_TEST.replace("9, 4", "0, 0").replace("5)", "0)")})
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "A test")
    broken = edit_core("a - b", "a + b + (a == 0 and b == 0)")
    test = {"tool": "edit", "arguments": {"path": "tests/test_core.py", "old": "", "new": TEST_CORE}}
    insists = {"tool": "submit", "arguments": {"summary": "The issue contradicts test_old_sum."}}
    model = script(
        machine.home,
        examiner(BLIND),
        examiner("- test_old_sum | keep | nothing and nothing is nothing", 2),
        {"branch": "main", "n": 1, "reply": {"text": "A fix.", "actions": [test, broken, insists]}},
        {
            "branch": "main",
            "n": 2,
            "reply": {"text": "Both.", "actions": [edit_core(" + (a == 0 and b == 0)", ""), {"tool": "submit"}]},
        },
    )
    result = machine.json("fix", "--text", ISSUE, "--repo", repository, "--independent", "--model", model)
    assert (result["returncode"], result["verdict"]["kind"]) == (0, "verified"), result
    assert result["usage"]["calls"] == 4


def edit_core(old: str, new: str) -> dict:
    return {"tool": "edit", "arguments": {"path": "calc/core.py", "old": old, "new": new}}


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


JS = {
    "package.json": '{"name": "calc", "type": "module", "scripts": {"test": "node --test"}}\n',
    "core.js": "export function add(a, b) {\n  return a - b\n}\n\nexport function half(a) {\n  return a / 2\n}\n",
    "test/core.test.js": "import test from 'node:test'\nimport assert from 'node:assert'\n"
    "import { half } from '../core.js'\n\ntest('half', () => {\n  assert.equal(half(4), 2)\n})\n",
}
JS_TEST = "\ntest('add', () => {\n  assert.equal(add(2, 3), 5)\n})\n"
IMPORTS = "import { add } from '../core.js'\nimport { half }"
JS_BLIND = """test/examined.test.js
```js
import test from 'node:test'
import assert from 'node:assert'
import { add, half } from '../core.js'

test('other_numbers', () => {
  assert.equal(add(7, 4), 11)
})

test('negative_number', () => {
  assert.equal(add(-1, 5), 4)
})

test('zero_on_the_right', () => {
  assert.equal(add(3, 0), 3)
})

test('half_of_nine', () => {
  assert.equal(half(9), 4.5)
})
```
- other_numbers | red | "add(2, 3) gives -1 but should give 5."
- negative_number | red | "add() subtracts"
- zero_on_the_right | guard | "add() subtracts"
- half_of_nine | guard | "add() subtracts"
"""


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
@pytest.mark.parametrize(
    ("fix", "word"), [("a + b", "verified"), ("a === 2 ? 5 : a - b", "disputed")], ids=["right", "special-case"]
)
def test_blind_tests_in_another_language(machine: Machine, tmp_path: Path, fix: str, word: str) -> None:
    repository = write(tmp_path / "calc", JS)
    git(repository, "init", "-q", "-b", "main")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "A calculator")
    source = {"tool": "edit", "arguments": {"path": "core.js", "old": "a - b", "new": fix}}
    end = "assert.equal(half(4), 2)\n})\n"
    test = {"tool": "edit", "arguments": {"path": "test/core.test.js", "old": end, "new": end + JS_TEST}}
    used = {"tool": "edit", "arguments": {"path": "test/core.test.js", "old": "import { half }", "new": IMPORTS}}
    model = script(
        machine.home,
        examiner(JS_BLIND),
        examiner("- other_numbers | implied\n- negative_number | implied", 2),
        {"branch": "main", "reply": {"text": "A fix.", "actions": [source, test, used, {"tool": "submit"}]}},
    )
    result = machine.json("fix", "--text", ISSUE, "--repo", repository, "--independent", "--model", model)
    assert result["verdict"]["kind"] == word, result


OLD_JS_TEST = """
test('the old sum', () => {
  const expected = 5
  assert.equal(add(9, 4), expected)
})
"""


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
@pytest.mark.parametrize(("answer", "word"), [("13", "verified"), ("12", "unproven")])
def test_existing_test_in_another_language_that_the_issue_contradicts(
    machine: Machine, tmp_path: Path, answer: str, word: str
) -> None:
    old = JS["test/core.test.js"].replace("import { half }", IMPORTS) + OLD_JS_TEST
    repository = write(tmp_path / "calc", JS | {"test/core.test.js": old})
    git(repository, "init", "-q", "-b", "main")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "A calculator")
    new_test = JS["test/core.test.js"].replace("import { half }", IMPORTS) + JS_TEST
    write(repository, {"core.js": JS["core.js"].replace("a - b", "a + b"), "test/sum.test.js": new_test})
    git(repository, "add", "-A")
    red = f"""1 | red | "add() subtracts"

test/core.test.js
<<<<<<< SEARCH
  const expected = 5
=======
  const expected = {answer}
>>>>>>> REPLACE"""
    model = script(machine.home, examiner(JS_BLIND), examiner(red, 2), challenger("NONE"))
    prove = ("prove", "--staged", "--text", ISSUE, "--repo", repository, "--independent", "--model", model)
    verdict = machine.json(*prove)["verdict"]
    assert verdict["kind"] == word, verdict
    name = "test/core.test.js::the old sum"
    words = f"{name}: it asserts `const expected = 5`; by the issue, `const expected = 13` (“add() subtracts”)"
    assert verdict["contradicted" if word == "verified" else "lost"] == [words if word == "verified" else name]
