"""An issue that turns on the signature of an installed dependency."""

from __future__ import annotations

import os
import venv
from pathlib import Path

import pytest

from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import SUBMIT, RunStrategy

pytestmark = pytest.mark.slow

KIT = "def send(data, *, tries=3):\n    return data * tries\n"
TEST = (
    "import unittest\n\nfrom calc import twice\n\n\nclass TwiceTest(unittest.TestCase):\n"
    "    def test_twice(self):\n        self.assertEqual(twice(4), 8)\n"
)
OLD_TEST = (
    "import unittest\n\nimport calc\n\n\nclass NameTest(unittest.TestCase):\n"
    "    def test_name(self):\n        self.assertEqual(calc.NAME, 'calc')\n"
)
CALC = "from tillkit import send\n\nNAME = 'calc'\n\n\ndef twice(a):\n    return send(a, 2)\n"
FILES = {"calc.py": CALC, "tests/__init__.py": "", "tests/test_name.py": OLD_TEST}


def test_model_reads_signature_of_dependency(
    run_strategy: RunStrategy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`symbols` knows the repository only."""
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    next((tmp_path / "venv").glob("lib/python*/site-packages")).joinpath("tillkit.py").write_text(KIT)
    monkeypatch.setenv("PATH", f"{tmp_path}/venv/bin{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "venv"))
    new_test = act("edit", path="tests/test_twice.py", old="", new=TEST)
    fix = act("edit", path="calc.py", old="send(a, 2)", new="send(a, tries=2)")
    answers = line("So.", new_test, fix, SUBMIT, contains="def send(data, *, tries=3)"), line("I do not know.")
    options = {"files": FILES, "issue": "twice() raises TypeError", "max_steps": 5}
    options["test"] = f"{tmp_path}/venv/bin/python -m unittest discover -s tests -t ."
    run = run_strategy("react", line("Look.", act("docs", name="tillkit.send"), n=1), *answers, **options)
    assert run.kind == "plausible"
    run = run_strategy("react", line("Look.", act("symbols", name="tillkit.send"), n=1), *answers, **options)
    assert not run.result.exit.verdict.complete
