"""Tests that are called directly, in a process without a test runner and its traces."""

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

PYTHON = os.environ.get("SWE_AGENT_TEST_PYTHON") or sys.executable
IMPORT_PATH = "import json, sys; print(json.dumps(sys.path[1:]))"
PROGRAM = Path(__file__).parents[4] / "extensions" / "experiment" / "guest" / "direct_calls.py"


@pytest.fixture
def call(tmp_path):
    """`call(files, *tests)` returns the answers by position; a test is a list of file, module and names."""

    def call(files, *tests):
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(dedent(text), encoding="utf-8")
        job = {
            "program": "/shop/main.py",
            "folder": str(tmp_path),
            "path": [str(tmp_path), *json.loads(subprocess.check_output([PYTHON, "-c", IMPORT_PATH]))],
            "environment": {"SHOP": "1"},
            "tests": [[str(tmp_path / file), module, names.split("."), False] for file, module, names in tests],
        }
        text = f"{PROGRAM.read_text()}\nmain({json.dumps(job)!r})\n"
        done = subprocess.run([PYTHON, "-"], input=text.encode(), capture_output=True, timeout=60, check=True)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        return {answer.pop("test"): answer for answer in answers}

    return call


PASSED = {"error": "", "message": "", "line": 0}


def test_functions_and_classes_of_pytest(call):
    text = """
        def test_ok(): pass
        def test_bad():
            helper()
        def helper():
            raise KeyError("a")
        class TestA:
            def test_method(self): assert 1 == 2, "no"
        class TestB:
            def setup_method(self): self.a = 1
            def test_method(self): assert self.a
        def test_fixture(tmp_path): pass
        async def test_later(): pass
        def test_many(): yield
        def test_exit(): raise SystemExit(3)
        test_value = 3
    """
    names = ["ok", "bad", "TestA.test_method", "TestB.test_method", "later", "many", "exit", "value"]
    tests = [("tests/test_a.py", "", name if "." in name else f"test_{name}") for name in names]
    assert call({"tests/test_a.py": text}, *tests) == {
        0: PASSED,
        1: {"error": "KeyError", "message": "'a'", "line": 6},
        2: {"error": "AssertionError", "message": "no", "line": 8},
        6: {"error": "SystemExit", "message": "3", "line": 15},
    }


def test_methods_of_unittest(call):
    text = """
        import unittest
        def setUpModule(): T.ready = [1]
        class T(unittest.TestCase):
            @classmethod
            def setUpClass(cls): cls.ready = cls.ready + [2]
            def setUp(self):
                self.ready.append(3)
                self.addCleanup(self.ready.clear)
            def test_ok(self): self.assertEqual(self.ready, [1, 2, 3])
            def test_bad(self): self.assertEqual(1, 2)
            def test_skip(self): self.skipTest("later")
            @unittest.skip("no")
            def test_skipped(self): pass
            @unittest.expectedFailure
            def test_expected(self): self.fail()
        class Own(unittest.TestCase):
            def run(self, result=None): return super().run(result)
            def test_ok(self): pass
    """
    names = ["T.test_ok", "T.test_bad", "T.test_skip", "T.test_skipped", "T.test_expected", "Own.test_ok"]
    tests = [("tests/test_a.py", "tests.test_a", name) for name in names]
    assert call({"tests/test_a.py": text, "tests/__init__.py": ""}, *tests) == {
        0: PASSED,
        1: {"error": "AssertionError", "message": "1 != 2", "line": 11},
    }


def test_import_error_is_the_failure_of_each_test(call):
    answers = call({"test_a.py": "\nimport nowhere\n"}, ("test_a.py", "", "test_x"), ("test_a.py", "test_a", "test_y"))
    failed = {"error": "ModuleNotFoundError", "message": "No module named 'nowhere'", "line": 2}
    assert answers == {0: failed, 1: failed}


def test_other_module_of_the_same_name_is_not_called(call):
    files = {"a/test_x.py": "def test_ok(): assert 0\n", "b/test_x.py": "def test_ok(): pass\n"}
    assert call(files, ("a/test_x.py", "", "test_ok"), ("b/test_x.py", "", "test_ok"))[0]["error"] == "AssertionError"
    assert 1 not in call(files, ("a/test_x.py", "", "test_ok"), ("b/test_x.py", "", "test_ok"))


def test_process_has_no_trace_of_a_runner(call):
    text = """
        import os, sys, traceback
        def test_process():
            frames = {os.path.basename(frame.filename) for frame in traceback.extract_stack()}
            names = sorted(name for name in sys.modules if name in ("pytest", "_pytest", "unittest", "pluggy"))
            assert not 1, repr([sys.argv, sorted(set(os.environ) - {"LC_CTYPE"}), names, sorted(frames)])
    """
    message = call({"test_a.py": text}, ("test_a.py", "", "test_process"))[0]["message"]
    assert message == "[['/shop/main.py'], ['SHOP'], [], ['<stdin>', '_.py']]"


def test_output_of_tests_does_not_mix_with_answers(call):
    text = "import os\ndef test_loud():\n    print('x')\n    os.write(1, b'y')\n    os.system('echo z')\n"
    assert call({"test_a.py": text}, ("test_a.py", "", "test_loud")) == {0: PASSED}


def test_message_that_cannot_be_made_is_empty(call):
    text = "class E(Exception):\n    def __str__(self): raise ValueError\ndef test_e(): raise E\n"
    text += "def test_long(): raise Exception('x' * 9999)\n"
    answers = call({"test_a.py": text}, ("test_a.py", "", "test_e"), ("test_a.py", "", "test_long"))
    assert answers[0] == {"error": "E", "message": "", "line": 3}
    assert len(answers[1]["message"]) == 2000
