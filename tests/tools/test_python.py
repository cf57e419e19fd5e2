"""A Python interpreter that stays."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import pytest

from tests.tools.conftest import Bench, MakeBench
from tools.base import Toolbox

FILES = {"calc.py": "def add(a, b):\n    return a - b\n", "user.py": "from calc import add\n"}


@pytest.fixture(params=["local", pytest.param("docker", marks=pytest.mark.docker)])
def bench(request: pytest.FixtureRequest, make_bench: MakeBench) -> Bench:
    return make_bench(FILES, request.param)


@pytest.mark.slow
def test_names_last_and_last_value_is_shown(bench: Bench) -> None:
    assert bench("python", code="x = 20\nprint('so')").text == "so"
    assert bench("python", code="x + 1").text == "21"
    assert bench("python", code="None").text == "(no output)"
    assert bench("python", code="import subprocess\nsubprocess.call(['echo', 'child'])").text == "child\n0"
    assert bench("python", code="def f():\n    return x\n\nf()").text == "20"


def test_what_goes_wrong_is_shown_with_its_lines(bench: Bench) -> None:
    seen = bench("python", code="def f(a):\n    return 1 / a\n\nf(0)")
    assert not seen.ok
    assert seen.text.startswith('Traceback (most recent call last):\n  File "<block 1>", line 4, in <module>\n    f(0)')
    assert "return 1 / a" in seen.text
    assert "interpreter.py" not in seen.text
    assert "SyntaxError" in bench("python", code="f(").text
    assert "EOF" in bench("python", code="input()").text
    assert bench("python", code="f(1)").text == "1.0"


def test_what_was_edited_is_imported_anew(bench: Bench) -> None:
    assert bench("python", code="import user\nuser.add(2, 3)").text == "-1"
    bench("edit", path="calc.py", old="a - b", new="a + b")
    seen = bench("python", code="import user\nuser.add(2, 3)").text
    assert seen.startswith("[files have changed")
    assert seen.endswith("\n5")
    assert bench("python", code="user.add(2, 3)").text == "5"


@pytest.mark.slow
def test_block_that_takes_too_long_is_ended(bench: Bench) -> None:
    bench("python", code="x = 1")
    seen = bench("python", code="import time\nprint('begun')\ntime.sleep(60)", timeout=1)
    assert not seen.ok
    assert seen.text.startswith("begun\n")  # and where the block was, if it ends before its shell does
    assert "\n[timed out after 1 s" in seen.text
    after = bench("python", code="x")
    # where the interrupt comes late, the interpreter ends with it, and the next call says so
    assert after.text == "1" or after.text.startswith(("[a new interpreter", "[the interpreter has ended]"))


def test_interpreter_that_ends_is_begun_anew(bench: Bench) -> None:
    bench("python", code="x = 1")
    assert "[the interpreter has ended]" in bench("python", code="import os\nos._exit(3)").text
    seen = bench("python", code="'x' in globals()").text
    assert seen == "[a new interpreter was started: names that earlier blocks defined are gone]\nFalse"


def test_what_block_writes_is_in_tree_and_nothing_else_is(bench: Bench) -> None:
    bench("python", code="open('new.txt', 'w').write('x')")
    changed = bench.trees.changed(bench.base.tree, bench.tree)
    assert [one.path for one in changed] == ["new.txt"]


def test_models_are_not_told_of_it() -> None:
    assert "python" in Toolbox().tools
    assert "python" not in {schema["function"]["name"] for schema in Toolbox().schemas()}


def test_what_block_writes_after_its_import_is_read_by_next(bench: Bench) -> None:
    bench("python", code="import calc\nopen('calc.py', 'w').write('def add(a, b):\\n    return a + b\\n')")
    assert bench("python", code="import calc\ncalc.add(2, 3)").text.endswith("\n5")


@pytest.mark.slow
def test_forked_children_do_not_answer(bench: Bench) -> None:
    bench("python", code="import os\nx = 1\nchild = os.fork()\nif not child:\n    import time\n    time.sleep(1)")
    assert [bench("python", code="x += 1\nx").text for _ in range(3)] == ["2", "3", "4"]
    bench("python", code="if not os.fork():\n    time = __import__('time')\n    time.sleep(30)")
    assert "[the interpreter has ended]" in bench("python", code="os._exit(1)", timeout=20).text
    assert bench("python", code="1", timeout=20).text.endswith("\n1")


def test_blocks_are_main_module(bench: Bench) -> None:
    test = "class T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(1, 2)\n"
    seen = bench("python", code=f"import unittest\n{test}\nunittest.main(argv=['x'], exit=False)")
    assert "FAILED (failures=1)" in seen.text
    assert bench("python", code="import pickle\ntype(pickle.loads(pickle.dumps(T('test')))).__name__").text == "'T'"
    assert bench("python", code="import sys\nsys.exit('bad')").text == "bad\n[exit code 1]"


def test_it_ends_some_time_after_its_shell(tmp_path: Path) -> None:
    text = files("aci.guest").joinpath("interpreter.py").read_text()
    (tmp_path / "soon.py").write_text(text.replace("= 20.0, 300.0", "= 0.2, 0.4"))
    (tmp_path / "block").write_text("import os\nos.getpid()")
    line = f"{sys.executable} soon.py {tmp_path}/live block; true"
    told = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True)
    process = Path(f"/proc/{int(told.stdout)}/stat")
    end = time.monotonic() + 60
    while process.exists() and process.read_text().rpartition(")")[2].split()[0] != "Z" and time.monotonic() < end:
        time.sleep(0.1)
    assert time.monotonic() < end
