"""The `code-act` strategy: blocks of code as actions, and repair after a failed proof."""

from __future__ import annotations

import pytest

from tests.agent.conftest import line
from tests.agent.strategies.conftest import ModelTable, RunStrategy

FENCE = "```"


def block(language: str, text: str) -> str:
    return f"So.\n\n{FENCE}{language}\n{text}\n{FENCE}\nThat is it."


TEST = """\
from pathlib import Path
Path("tests/test_signs.py").write_text('''import unittest

from calc import add


class SignsTest(unittest.TestCase):
    def test_signs(self):
        self.assertEqual(add(2, 3), {two})
        self.assertEqual(add(-2, 3), 1)
''')"""
LOOK = block("python", "import calc\nsource = open('calc.py').read()\ncalc.add(2, 3)")
FIX = block(
    "python",
    TEST.replace("{two}", "5")
    + "\nassert source.count('a - b') == 1\nopen('calc.py', 'w').write(source.replace('a - b', 'a + b'))",
)
TRY = block("py", "import calc\ncalc.add(2, 3)")
SHELL = block("bash", "git status --short")
SUBMIT = block("submit", "A sum was a difference. It adds now.")


@pytest.mark.slow
def test_code_blocks_run_as_actions(run_strategy: RunStrategy) -> None:
    lines = [line(text, n=n) for n, text in enumerate((LOOK, FIX, TRY, SHELL, SUBMIT), 1)]
    run = run_strategy("code-act", *lines)
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)
    outputs = [step.observations[0].text for step in run.steps if step.reply is not None]
    assert outputs[0] == "-1"
    assert outputs[2].endswith("5")
    assert "files have changed" in outputs[2]
    assert outputs[3] == " M calc.py\n?? tests/test_signs.py"
    actions = [action.tool for step in run.steps for action in step.actions]
    assert actions == ["python", "python", "python", "shell", "submit"]
    assert not run_strategy("react", *lines, max_steps=8).result.exit.verdict.complete


@pytest.mark.slow
def test_only_first_block_is_run(run_strategy: RunStrategy) -> None:
    two = f"{block('bash', 'echo one')}\n{block('bash', 'echo two')}"
    lines = line(two, n=1), line("I am done.", n=2), line("Hm.", contains="contained no code block")
    run = run_strategy("code-act", *lines, max_steps=3)
    assert [step.observations[0].text for step in run.steps if step.reply == 1] == ["one"]
    assert run.result.exit.code == 1


@pytest.mark.slow
def test_failed_proof_is_reported_and_fixed(run_strategy: RunStrategy) -> None:
    breaking = FIX.replace("'a + b')", "'a + b').replace('a * 2', 'a * 3')")
    repair_source = "now = open('calc.py').read()\nopen('calc.py', 'w').write(now.replace('a * 3', 'a * 2'))"
    repair = block("python", repair_source)
    lines = [line(text, n=n) for n, text in enumerate((LOOK, breaking, SUBMIT, repair, SUBMIT), 1)]
    run = run_strategy("code-act", *lines)
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)
    assert sum(step.author == "proof" for step in run.steps) == 2


def test_run_with_useless_model_ends(run_strategy: RunStrategy) -> None:
    run = run_strategy("code-act", line("Well."), max_steps=30)
    assert run.result.exit.code == 1
    assert run.result.spent.calls <= 30


@pytest.mark.slow
def test_output_of_blocks_is_folded_in_small_window(run_strategy: RunStrategy) -> None:
    noise = "import random\nfor _ in range(150):\n    print([random.random() for _ in range(3)])"
    lines = [line(block("python", f"{noise}\n{n}"), n=n) for n in range(1, 13)]
    tables = {"scripted": ModelTable(context=15_000, max_output=500)}
    run = run_strategy("code-act", *lines, *(line(text) for text in (SUBMIT,)), max_steps=20, models=tables)
    assert "cannot be made shorter" not in run.result.exit.message
    assert sum(step.reply is not None for step in run.steps) > 12
