"""The benchmark of verdicts of `optimize`: its corpus, how cases are read, what is counted, and one run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aci.runtime.target_function import parse_target
from benchmarks.optimize_verdicts import (
    CASES,
    FILES,
    KINDS,
    SUBJECT,
    TESTS,
    Row,
    counted_differences,
    judge,
    main,
    read_cases,
    summary,
)
from extensions.optimize import candidate_benchmark
from extensions.optimize.measurement.equivalence import Answer
from tests.slow_function import SLOW
from trajectories.errors import UsageError

KNOWN = {case["name"]: case for case in read_cases(CASES)}
RUN_TESTS = """\
import sys
case = __import__("json").load(sys.stdin)
for version in sys.argv[1:]:
    module = type(sys)("subject")
    module.__file__ = case["file"]
    sys.modules["subject"] = module
    exec(compile(case[version], "subject.py", "exec"), module.__dict__)
    names = {}
    exec(compile(case["test_subject.py"], "test_subject.py", "exec"), names)
    for name in [name for name in names if name.startswith("test_")]:
        names[name]()
"""
TEST = """\
from subject import unique


def test_unique():
    assert unique([1, 2, 3, 2, 3]) == [1, 2, 3]
    assert unique(list(range(60)) * 2) == list(range(60))
"""


def row(kind: str, accepted: bool, differing: int = 0, seconds: float = 10.0) -> Row:
    return Row("a", kind, accepted, "" if accepted else "wrong", differing, 2.0, seconds, seconds / 2)


def test_corpus_has_distinct_names() -> None:
    assert len(json.loads(CASES.read_text())) == len(KNOWN) >= 20


@pytest.mark.parametrize("name", KNOWN)
def test_all_versions_define_function_and_differ(name: str) -> None:
    case = KNOWN[name]
    assert case["why_wrong"]
    assert case["cheat"]
    target = parse_target(case["function"])
    versions = [case[file] for file in (SUBJECT, *FILES[2:])]
    assert len(set(versions)) == 4
    for text in versions:
        target.find(text.encode())


@pytest.mark.parametrize("name", KNOWN)
def test_all_versions_pass_tests(name: str, tmp_path: Path) -> None:
    versions = [SUBJECT, *(f"{kind}.py" for kind in KINDS)]
    (tmp_path / TESTS).write_text(KNOWN[name][TESTS])
    case = {**KNOWN[name], "file": str(tmp_path / SUBJECT)}
    ran = subprocess.run(
        [sys.executable, "-c", RUN_TESTS, *versions],
        input=json.dumps(case),
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def write_case(folder: Path, without: str = "") -> None:
    folder.mkdir()
    (folder / "case.json").write_text(json.dumps({"function": "subject.py:f"}))
    for file in FILES:
        if file != without:
            (folder / file).write_text(f"# {file}\n")


def test_cases_of_folder_are_read(tmp_path: Path) -> None:
    write_case(tmp_path / "one")
    write_case(tmp_path / "two")
    cases = read_cases(tmp_path)
    assert [case["name"] for case in cases] == ["one", "two"]
    assert cases[0]["right.py"] == "# right.py\n"


def test_unusable_cases_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="has no case"):
        read_cases(tmp_path / "empty")
    write_case(tmp_path / "one", without="wrong.py")
    with pytest.raises(UsageError, match=r"wrong\.py"):
        read_cases(tmp_path)
    (tmp_path / "list.json").write_text('[{"name": "a", "function": "subject.py:f"}]')
    with pytest.raises(UsageError, match=r"has no cheat\.py"):
        read_cases(tmp_path / "list.json")


def test_unknown_names_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--only", "absent"], ["--candidates", "absent"]):
        with pytest.raises(SystemExit):
            main(words)
        assert "there is no absent; choose from" in capsys.readouterr().err


def test_all_differing_calls_are_counted() -> None:
    before = [Answer("returned", n, call=f"f({n})") for n in range(30)]
    after = [Answer("returned", n if n < 5 else -1, call=f"f({n})") for n in range(30)]
    with counted_differences() as counts:
        described = candidate_benchmark.describe_differences(before, after)
        candidate_benchmark.describe_differences(before[:1], after[:1])
    assert len(described) < 25
    assert counts[-1] == 25


def test_table_has_rates_and_margins() -> None:
    rows = [
        row("right", True),
        row("right", False, 3),
        row("wrong", False, 40),
        row("wrong", False, 2),
        row("cheat", False),
    ]
    *table, last = summary(rows)
    assert table[2:] == [
        "| right | 2 | 1 | 9%-91% | 3, 3 |",
        "| wrong | 2 | 0 | 0%-66% | 2, 21 |",
        "| cheats | 1 | 0 | 0%-79% | - |",
    ]
    assert last == (
        "right accepted 1/2, wrong accepted 0/2, cheats accepted 0/1, median seconds per run 10 (5 of processor time)"
    )


def test_interrupted_benchmark_is_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_case(tmp_path / "a")
    done = [{**vars(row(kind, kind == "right"))} for kind in KINDS]
    (tmp_path / "rows.json").write_text(json.dumps(done))
    assert main([str(tmp_path), "--json", str(tmp_path / "rows.json")]) == 0
    assert "right accepted 1/1, wrong accepted 0/1, cheats accepted 0/1" in capsys.readouterr().out
    done[2]["is_accepted"] = True
    (tmp_path / "rows.json").write_text(json.dumps(done))
    assert main([str(tmp_path), "--json", str(tmp_path / "rows.json")]) == 1


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")
def test_wrong_candidate_is_refused_with_number_of_calls() -> None:
    texts = {SUBJECT: SLOW, TESTS: TEST, "wrong.py": "def unique(items):\n    return sorted(set(items))\n"}
    judged = judge({"name": "unique", "function": "subject.py:unique", **texts}, "wrong")
    assert not judged.is_accepted, judged
    assert "wrong: unique(" in judged.why
    assert judged.differing > 0
    assert judged.ratio == 0.0
