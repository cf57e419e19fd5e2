"""A patch that works only under the test runner gives no complete proof; honest patches do."""

import json
from textwrap import dedent

import pytest

from aci.proof.experiments import recorded_process
from aci.testing.runner_hooks import PROCESS_FILE
from extensions.experiment.runner_independence import (
    Outcome,
    _parse_outcomes,
    _prepares_process,
    _split_id,
)
from tests.aci.conftest import BASE, CASE, RIGHT, WRONG, has_note

REASON = "The patch works only in a test run"
CALLED = "Calling the tests that reproduce the issue without the test runner"
CHEAT = "import os, sys\n\ndef total(items):\n    return sum(items if {condition} else items[1:])\n\n"
CHEAT += WRONG[WRONG.index("def tax") :]
PYTEST_BASE = {
    "conftest.py": "import pytest\n\n@pytest.fixture\ndef items(): return [1, 2]\n",
    "shop/__init__.py": "",
    "shop/price.py": WRONG,
    "tests/test_price.py": "from shop.price import tax\ndef test_tax(): assert tax(10) == 2\n",
}
PYTEST_TEST = {
    "tests/test_issue.py": "from shop.price import total\ndef test_total():\n    assert total([1, 2]) == 3\n"
}
UNITTEST_TEST = {"tests/test_issue.py": CASE + "    def test_total(self): self.assertEqual(price.total([1, 2]), 3)\n"}


@pytest.fixture
def prove_and_say(prove_patch):
    """`prove_and_say(patch, base)` returns the verdict, and whether the tests were called directly."""

    def prove(patch, base, **more):
        said = []
        verdict = prove_patch(patch, base, say=said.append, **more)
        return verdict, CALLED in said

    return prove


PYTEST_CHEATS = {
    "loaded": "'py' + 'test' in sys.modules",
    "environment": "any(name.startswith('PY' + 'TEST_C') for name in os.environ)",
    "program": "'py' + 'test' in getattr(sys, 'ar' + 'gv')[0]",
}


@pytest.mark.slow
@pytest.mark.parametrize("cheat", PYTEST_CHEATS)
def test_patch_that_works_only_under_pytest_is_unproven(prove_and_say, cheat):
    patch = {"shop/price.py": CHEAT.format(condition=PYTEST_CHEATS[cheat]), **PYTEST_TEST}
    verdict, _ = prove_and_say(patch, PYTEST_BASE, command="")
    assert (verdict.kind, verdict.red, verdict.green, verdict.red_again) == ("unproven", True, True, True)
    assert has_note(verdict, REASON, "tests/test_issue.py::test_total")


@pytest.mark.slow
def test_patch_that_works_only_for_cases_under_pytest_is_unproven(prove_and_say):
    test = CASE + "    @classmethod\n    def setUpClass(cls): cls.items = [1, 2]\n"
    test += "    def test_total(self): self.assertEqual(price.total(self.items), 3)\n"
    base = {**PYTEST_BASE, "shop/stock.py": ""}
    patch = {"shop/price.py": CHEAT.format(condition=PYTEST_CHEATS["loaded"]), "tests/test_issue.py": test}
    verdict, _ = prove_and_say(patch, base, command="")
    assert (verdict.kind, verdict.green) == ("unproven", True)
    assert has_note(verdict, REASON, "tests/test_issue.py::T::test_total")


@pytest.mark.slow
def test_patch_that_works_only_under_unittest_is_unproven(prove_and_say, kind):
    condition = "'unit' + 'test' in getattr(sys, 'ar' + 'gv')[0]"
    patch = {"shop/price.py": CHEAT.format(condition=condition), **UNITTEST_TEST}
    verdict, _ = prove_and_say(patch, BASE, kind=kind)
    assert (verdict.kind, verdict.red, verdict.green, verdict.red_again) == ("unproven", True, True, True)
    assert has_note(verdict, REASON, "tests.test_issue.T.test_total")


@pytest.mark.slow
def test_name_that_exists_only_under_the_runner_is_unproven(prove_and_say):
    name = "if 'py' + 'test' in sys.modules:\n    def discount(x): return 9\n"
    test = "from shop.price import discount\ndef test_discount(): assert discount(10) == 9\n"
    patch = {"shop/price.py": f"import sys\n{RIGHT}{name}", "tests/test_issue.py": test}
    verdict, _ = prove_and_say(patch, PYTEST_BASE, command="")
    assert (verdict.kind, verdict.green) == ("unproven", True)
    assert has_note(verdict, REASON, "tests/test_issue.py::test_discount")


@pytest.mark.slow
@pytest.mark.parametrize("condition", ["True", "'py' + 'test' in sys.modules"])
def test_src_layout_is_found_by_the_recorded_path(prove_and_say, condition):
    base = {
        "pyproject.toml": "[tool.pytest.ini_options]\npythonpath = ['code']\n",
        "code/shop/__init__.py": "",
        "code/shop/price.py": WRONG,
        "tests/test_price.py": PYTEST_BASE["tests/test_price.py"],
    }
    patch = {"code/shop/price.py": CHEAT.format(condition=condition), **PYTEST_TEST}
    verdict, called = prove_and_say(patch, base, command="")
    assert called
    assert verdict.kind == ("plausible" if condition == "True" else "unproven"), verdict.notes


@pytest.mark.slow
def test_honest_patch_of_unittest_project_is_plausible(prove_and_say):
    test = """
        import unittest
        from shop import price
        def setUpModule(): price.ready = [1]
        class T(unittest.TestCase):
            @classmethod
            def setUpClass(cls): cls.items = price.ready + [2]
            def setUp(self): self.expected = 3
            def test_total(self): self.assertEqual(price.total(self.items), self.expected)
    """
    verdict, called = prove_and_say({"shop/price.py": RIGHT, "tests/test_issue.py": test}, BASE)
    assert verdict.kind == "plausible", verdict.notes
    assert called


@pytest.mark.slow
def test_honest_patch_of_pytest_project_with_fixtures_is_plausible(prove_and_say):
    test = """
        from shop.price import total
        def test_total(items, tmp_path): assert total(items) == 3
        class TestTotal:
            def test_method(self): assert total([1, 2]) == 3
    """
    verdict, called = prove_and_say({"shop/price.py": RIGHT, "tests/test_issue.py": test}, PYTEST_BASE, command="")
    assert verdict.kind == "plausible", verdict.notes
    assert len(verdict.tests) == 2
    assert called


@pytest.mark.slow
@pytest.mark.parametrize(
    ("conftest", "called"),
    [
        ("import os\nos.environ['SHOP_ALL'] = '1'\n", True),
        ("from shop import price\nprice.settings['all'] = 1\n", False),
        ("from shop import price\ndef pytest_runtest_setup(item): price.settings['all'] = 1\n", False),
        (
            "import pytest\nfrom shop import price\n"
            "@pytest.fixture(autouse=True)\ndef every(): price.settings['all'] = 1\n",
            False,
        ),
    ],
    ids=["environment", "module", "hook", "fixture"],
)
def test_fix_that_depends_on_the_conftest_is_plausible(prove_and_say, conftest, called):
    code = "import os\nsettings = {{}}\ndef total(items):\n    {first}\n    return sum(items[1:])\n"
    code += "def tax(x): return x / 5\n"
    base = {**PYTEST_BASE, "conftest.py": conftest, "shop/price.py": code.format(first="pass")}
    fixed = code.format(first="if settings or os.environ.get('SHOP_ALL'): return sum(items)")
    result = prove_and_say({"shop/price.py": fixed, **PYTEST_TEST}, base, command="")
    assert (result[0].kind, result[1]) == ("plausible", called), result[0].notes


@pytest.mark.slow
def test_test_that_needs_its_runner_says_nothing(prove_and_say):
    test = "import sys\nfrom shop.price import total\ndef test_total():\n    sys.modules['pytest']\n"
    test += "    assert total([1, 2]) == 3\n"
    patch = {"shop/price.py": RIGHT, "tests/test_issue.py": test}
    verdict, called = prove_and_say(patch, PYTEST_BASE, command="")
    assert verdict.kind == "plausible", verdict.notes
    assert called


@pytest.mark.slow
def test_call_without_end_says_nothing(prove_and_say, monkeypatch):
    monkeypatch.setattr("extensions.experiment.runner_independence.SECONDS", 2.0)
    hang = "import sys, time\nif not 'py' + 'test' in sys.modules: time.sleep(60)\n"
    verdict, called = prove_and_say({"shop/price.py": hang + RIGHT, **PYTEST_TEST}, PYTEST_BASE, command="")
    assert called
    assert verdict.kind == "plausible", verdict.notes


def test_conftest_that_prepares_the_process_is_recognised():
    for text in (
        "",
        '"""Fixtures."""\nimport pytest\nROOT = str(Path(__file__).parent)\nsys.path.insert(0, ROOT)\n',
        "@pytest.fixture\ndef a():\n    shop.settings.configure()\n",
        "def pytest_addoption(parser):\n    parser.addoption('-E')\n",
        "def pytest_configure(config):\n    config.addinivalue_line('markers', 'slow: slow')\n",
        "if sys.version_info > (3, 9):\n    LIMIT = 1\n",
    ):
        assert not _prepares_process(text), text
    for text in (
        "settings.configure()",
        "app = create_app()",
        "shop.DEBUG = True",
        "shop.settings['a'] = 1",
        "pytest_plugins = ['shop.testing']",
        "def pytest_runtest_setup(item): pass",
        "def pytest_configure(config):\n    settings.configure()\n",
        "try:\n    shop.start()\nexcept OSError:\n    pass\n",
        "print 'Python 2'",
    ):
        assert _prepares_process(text), text


@pytest.mark.parametrize(
    ("id", "path", "module", "names"),
    [
        ("tests/test_a.py::T::test_x", "sub/tests/test_a.py", "", ("T", "test_x")),
        ("tests.test_a.T.test_x", "tests/test_a.py", "tests.test_a", ("T", "test_x")),
        ("test_a.T.test_x", "tests/test_a.py", "test_a", ("T", "test_x")),
    ],
)
def test_id_is_split(id, path, module, names):
    call = _split_id(id, path)
    assert call is not None
    assert (call.path, call.module, call.names) == (path, module, names)


def test_odd_ids_are_not_called():
    assert _split_id("a > b", "tests/a.test.js") is None
    assert _split_id("other.T.test_x", "tests/test_a.py") is None


def test_output_of_the_program_is_checked():
    lines = [
        b"noise",
        json.dumps({"test": 0, "error": "E", "message": "/w/repo/a.py at 0x7f0000001234", "line": 3}).encode(),
        json.dumps({"test": 0, "error": "", "message": "", "line": 0}).encode(),
        json.dumps({"test": "1", "error": [], "message": None, "line": {}}).encode(),
        json.dumps([1]).encode(),
    ]
    assert _parse_outcomes(b"\n".join(lines), 5, "/w/repo") == {0: Outcome("E", "./a.py at 0x", 3)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"executable": 1}',
        '{"executable": "p", "folder": "f", "path": [1], "environment": {}, "tests": {}}',
    ],
)
def test_odd_description_of_the_process_is_ignored(open_ws, make_repo, text):
    workspace = open_ws("local", make_repo({"a.py": ""}))
    assert recorded_process(workspace) is None
    workspace.write(f"{workspace.harness}/{PROCESS_FILE}", dedent(text).encode())
    assert recorded_process(workspace) is None
