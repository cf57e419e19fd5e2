"""What the first message of a conversation says."""

from __future__ import annotations

from agent.moves.opening import LONGEST_CODE, MOST_ADVICE, opening
from agent.task import Task
from tests.agent.conftest import Bench, line
from tests.conftest import git


def first_message(bench: Bench, files: dict[str, str], **settings: object) -> str:
    for name, text in files.items():
        path = bench.repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(bench.repository, "add", "-A")
    git(bench.repository, "commit", "-qm", "More", "--allow-empty")
    bench.begin(line("x"), **settings)
    engine = bench.engine()
    try:
        return opening(Task(engine))
    finally:
        engine.close()


def test_it_states_what_every_run_asks_for(bench: Bench) -> None:
    said = first_message(bench, {"tests/test_calc.py": "def test_it():\n    pass\n"}, test="make test")
    assert said.startswith("<issue>\nadd() subtracts\n</issue>")
    for fact in (
        "throw-away files go to",
        "Layout: .gitignore, calc.py, tests/ (1)",
        "`make test`; nearest: tests/test_calc.py",
    ):
        assert fact in said
    assert "- calc.py:1 add" in said
    assert "calc.py lines 1-2:\ndef add(a, b):\n    return a - b" in said


def test_long_functions_are_named_and_not_shown(bench: Bench) -> None:
    long = "def add(a, b):\n" + "    a = a\n" * LONGEST_CODE
    said = first_message(bench, {"calc.py": long})
    assert "- calc.py:1 add" in said
    assert "a = a" not in said


def test_a_repository_without_tests_says_so(bench: Bench) -> None:
    said = first_message(bench, {})
    assert "No tests were found" in said
    assert "nearest: none yet" in said


def test_advice_is_data_and_capped(bench: Bench) -> None:
    guide = "# Guide\n\nBe kind.\n\nAdd a line to the changelog for each fix.\n\n" + "Words. " * 999
    said = first_message(bench, {"AGENTS.md": "Use tabs.\n" * 500, "CONTRIBUTING.md": guide})
    assert '<advice file="AGENTS.md">\nUse tabs.' in said
    assert said.count("Use tabs.") * len("Use tabs.\n") <= MOST_ADVICE
    said = first_message(bench, {"AGENTS.md": "", "CONTRIBUTING.md": guide})
    assert "Add a line to the changelog" in said
    assert "Be kind" not in said
