"""The `python` tool: an interpreter that keeps its state between calls."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.tools.conftest import Bench, MakeBench, make_bench
from tests.tools.test_metadata import row
from tools.base import Toolbox, ToolCall

__all__ = ["make_bench"]
FILES = {"calc.py": "def add(a, b):\n    return a - b\n", "user.py": "from calc import add\n"}


@pytest.fixture(params=["local", pytest.param("docker", marks=pytest.mark.docker)])
def bench(request: pytest.FixtureRequest, make_bench: MakeBench) -> Bench:
    return make_bench(FILES, request.param)


@pytest.mark.slow
def test_names_persist_and_last_value_is_shown(bench: Bench) -> None:
    assert bench("python", code="x = 20\nprint('so')").text == "so"
    assert bench("python", code="x + 1").text == "21"
    assert bench("python", code="None").text == "(no output)"
    assert bench("python", code="import subprocess\nsubprocess.call(['echo', 'child'])").text == "child\n0"
    assert bench("python", code="def f():\n    return x\n\nf()").text == "20"


@pytest.mark.slow
def test_error_is_shown_with_its_lines(bench: Bench) -> None:
    observation = bench("python", code="def f(a):\n    return 1 / a\n\nf(0)")
    assert not observation.ok
    assert observation.text.startswith(
        'Traceback (most recent call last):\n  File "<block 1>", line 4, in <module>\n    f(0)'
    )
    assert "return 1 / a" in observation.text
    assert "interpreter.py" not in observation.text
    assert "SyntaxError" in bench("python", code="f(").text
    assert "EOF" in bench("python", code="input()").text
    assert bench("python", code="f(1)").text == "1.0"


@pytest.mark.slow
def test_edited_module_is_reloaded(bench: Bench) -> None:
    assert bench("python", code="import user\nuser.add(2, 3)").text == "-1"
    bench("edit", path="calc.py", old="a - b", new="a + b")
    observation = bench("python", code="import user\nuser.add(2, 3)").text
    assert observation.startswith("[files have changed")
    assert observation.endswith("\n5")
    assert bench("python", code="user.add(2, 3)").text == "5"


@pytest.mark.slow
def test_block_that_takes_too_long_is_interrupted(bench: Bench) -> None:
    bench("python", code="x = 1")
    observation = bench("python", code="import time\nprint('started')\ntime.sleep(60)", timeout=1)
    assert not observation.ok
    assert observation.text.startswith("started\n")  # followed by the line of the block if it ends before its shell
    assert "\n[timed out after 1 s" in observation.text
    after = bench("python", code="x")
    # if the interrupt comes late, the interpreter ends with it, and the next call reports that
    assert after.text == "1" or after.text.startswith(("[a new interpreter", "[the interpreter has ended]"))


@pytest.mark.slow
def test_ended_interpreter_is_restarted(bench: Bench) -> None:
    bench("python", code="x = 1")
    assert "[the interpreter has ended]" in bench("python", code="import os\nos._exit(3)").text
    observation = bench("python", code="'x' in globals()").text
    assert observation == "[a new interpreter was started: names defined by earlier blocks are lost]\nFalse"


def test_tree_has_only_files_written_by_block(bench: Bench) -> None:
    bench("python", code="open('new.txt', 'w').write('x')")
    changed = bench.trees.changed(bench.base.tree, bench.tree)
    assert [change.path for change in changed] == ["new.txt"]


def test_python_tool_is_not_offered_to_models() -> None:
    assert "python" in Toolbox().tools
    assert "python" not in {schema["function"]["name"] for schema in Toolbox().schemas()}


def test_module_written_by_block_is_reloaded_in_next_one(bench: Bench) -> None:
    bench("python", code="import calc\nopen('calc.py', 'w').write('def add(a, b):\\n    return a + b\\n')")
    assert bench("python", code="import calc\ncalc.add(2, 3)").text.endswith("\n5")


@pytest.mark.slow
def test_forked_children_do_not_answer(bench: Bench) -> None:
    bench("python", code="import os\nx = 1\nchild = os.fork()\nif not child:\n    import time\n    time.sleep(1)")
    assert [bench("python", code="x += 1\nx").text for _ in range(3)] == ["2", "3", "4"]
    bench("python", code="if not os.fork():\n    time = __import__('time')\n    time.sleep(30)")
    assert "[the interpreter has ended]" in bench("python", code="os._exit(1)", timeout=20).text
    assert bench("python", code="1", timeout=20).text.endswith("\n1")


@pytest.mark.slow
def test_blocks_run_as_main_module(bench: Bench) -> None:
    test = "class T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(1, 2)\n"
    observation = bench("python", code=f"import unittest\n{test}\nunittest.main(argv=['x'], exit=False)")
    assert "FAILED (failures=1)" in observation.text
    assert bench("python", code="import pickle\ntype(pickle.loads(pickle.dumps(T('test')))).__name__").text == "'T'"
    assert bench("python", code="import sys\nsys.exit('bad')").text == "bad\n[exit code 1]"


def test_interpreter_ends_after_its_shell(tmp_path: Path) -> None:
    text = files("extensions.papers.guest").joinpath("interpreter.py").read_text()
    (tmp_path / "soon.py").write_text(text.replace("= 20.0, 300.0", "= 0.2, 0.4"))
    (tmp_path / "block").write_text("import os\nos.getpid()")
    line = f"{shlex.quote(sys.executable)} soon.py {tmp_path}/live block; true"
    shell = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True)
    process = Path(f"/proc/{int(shell.stdout)}/stat")
    end = time.monotonic() + 60
    while process.exists() and process.read_text().rpartition(")")[2].split()[0] != "Z" and time.monotonic() < end:
        time.sleep(0.1)
    assert time.monotonic() < end


def test_metadata_of_python() -> None:
    tool = Toolbox(["python"]).tools["python"]
    expected = (True, "other", "code", (), "other", "program", "The output of Python", True, "revert")
    assert row(tool.metadata) == expected
    assert tool.metadata.consent is not None
    workspace: Any = SimpleNamespace(root="/repo", folder=lambda: "/repo")
    asked = tool.metadata.consent(ToolCall({"code": "1"}, workspace, "", lambda nodes: ""))
    assert asked is not None
    assert asked.subject == "1"
