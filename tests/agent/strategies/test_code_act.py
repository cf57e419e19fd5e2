"""`code-act`. The cases, written before it:

1. A model that calls no tools, only writes blocks: names last from block to block, what is imported and edited is read
   anew, and it comes to a verified patch. React, with the same replies, sees no action at all.
2. Only the first block of a reply is run; a reply without a block is told so.
3. What the proof is against comes back, and is mended.
4. A model that is of no use.
"""

from __future__ import annotations

import pytest

from tests.agent.conftest import line
from tests.agent.strategies.conftest import ModelTable, Solved

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
MEND = block(
    "python",
    TEST.replace("{two}", "5")
    + "\nassert source.count('a - b') == 1\nopen('calc.py', 'w').write(source.replace('a - b', 'a + b'))",
)
TRY = block("py", "import calc\ncalc.add(2, 3)")
SHELL = block("bash", "git status --short")
SUBMIT = block("submit", "A sum was a difference. It adds now.")


@pytest.mark.slow
def test_blocks_are_actions(solved: Solved) -> None:
    lines = [line(text, n=n) for n, text in enumerate((LOOK, MEND, TRY, SHELL, SUBMIT), 1)]
    ended = solved("code-act", *lines)
    assert (ended.kind, ended.answer("add(-1, -2)")) == ("verified", -3)
    seen = [step.observations[0].text for step in ended.steps if step.reply is not None]
    assert seen[0] == "-1"
    assert seen[2].endswith("5")
    assert "files have changed" in seen[2]
    assert seen[3] == " M calc.py\n?? tests/test_signs.py"
    actions = [action.tool for step in ended.steps for action in step.actions]
    assert actions == ["python", "python", "python", "shell", "submit"]
    assert solved("react", *lines, max_steps=8).kind != "verified"


def test_only_first_block_is_run(solved: Solved) -> None:
    two = f"{block('bash', 'echo one')}\n{block('bash', 'echo two')}"
    lines = line(two, n=1), line("I am done.", n=2), line("Hm.", contains="had no block of code")
    ended = solved("code-act", *lines, max_steps=3)
    assert [step.observations[0].text for step in ended.steps if step.reply == 1] == ["one"]
    assert ended.result.exit.code == 1


@pytest.mark.slow
def test_what_proof_is_against_comes_back(solved: Solved) -> None:
    loses = MEND.replace("'a + b')", "'a + b').replace('a * 2', 'a * 3')")
    again = "now = open('calc.py').read()\nopen('calc.py', 'w').write(now.replace('a * 3', 'a * 2'))"
    mends = block("python", again)
    lines = [line(text, n=n) for n, text in enumerate((LOOK, loses, SUBMIT, mends, SUBMIT), 1)]
    ended = solved("code-act", *lines)
    assert (ended.kind, ended.answer("add(-1, -2)")) == ("verified", -3)
    assert sum(step.author == "proof" for step in ended.steps) == 2


def test_useless_model_comes_to_end(solved: Solved) -> None:
    ended = solved("code-act", line("Well."), max_steps=30)
    assert ended.result.exit.code == 1
    assert ended.result.spent.calls <= 30


@pytest.mark.slow
def test_what_blocks_printed_is_folded_where_window_is_small(solved: Solved) -> None:
    noise = "import random\nfor _ in range(150):\n    print([random.random() for _ in range(3)])"
    lines = [line(block("python", f"{noise}\n{n}"), n=n) for n in range(1, 13)]
    tables = {"scripted": ModelTable(context=15_000, max_output=500)}
    ended = solved("code-act", *lines, *(line(text) for text in (SUBMIT,)), max_steps=20, models=tables)
    assert "cannot be made shorter" not in ended.result.exit.message
    assert sum(step.reply is not None for step in ended.steps) > 12
