"""Which way of running tests an instance gets; what SWE-bench's package knows is asked where it is installed."""

from __future__ import annotations

from typing import Any

import pytest

from agent.evaluation.grading_files import START, STOP
from agent.evaluation.grading_specs import GradingSpec, grading_spec
from agent.instances.dataset_instances import Gold
from agent.instances.jobs import Instance
from trajectories.records import Issue

PATCH = "diff --git a/{0} b/{0}\n--- a/{0}\n+++ b/{0}\n@@ -1 +1 @@\n-1\n+2\n"
TESTS = PATCH.format("tests/test_a.py") + PATCH.format("tests/data.json")


def way(repo: str = "own/thing", version: str = "", tests: str = TESTS, test: str = "", **row: Any) -> GradingSpec:
    instance = Instance("a-1", repo, "", Issue("t", ""), version, row.get("image", ""), row.get("test", ""))
    return grading_spec(Gold("a-1", "", tests, (), (), row), instance, test)


def test_user_s_command_comes_before_row_s() -> None:
    assert way(test="make test", **{}).command == "make test"
    assert (
        grading_spec(Gold("a", "", TESTS, (), (), {}), Instance("a", "r/r", "", Issue("t", ""), test="x"), "y").command
        == "y"
    )


def test_row_s_own_command_is_taken_as_it_is_with_its_setup_and_image() -> None:
    instance = Instance("a-1", "own/thing", "", Issue("t", ""), image="img", test="pytest tests")
    found = grading_spec(Gold("a-1", "", TESTS, (), (), {"setup": "pip install x"}), instance)
    assert (found.command, found.nodes, found.read, found.image) == ("pytest tests", (), None, "img")
    assert found.setup is not None
    assert found.setup({}) == "pip install x"


def test_without_word_on_it_test_patch_s_files_are_run_as_repository_s_are() -> None:
    assert way() == GradingSpec(nodes=("tests/test_a.py", "tests/data.json"))


def test_files_that_tests_names_tell_are_run_too() -> None:
    gold = Gold("a-1", "", TESTS, ("tests/test_a.py::t",), ("tests/test_b.py::C::t[x.py::y]", "test_z", "m.C.t"), {})
    found = grading_spec(gold, Instance("a-1", "own/thing", "", Issue("t", "")))
    assert found.nodes == ("tests/test_a.py", "tests/data.json", "tests/test_b.py")


def test_install_config_is_spec_of_row_s_own() -> None:
    config = {"python": "3.9", "test_cmd": "pytest -rA", "packages": "requirements.txt", "reqs_path": ["r.txt"]}
    found = way(install_config=config)
    assert (found.command, found.nodes[0], found.python) == ("pytest -rA", "tests/test_a.py", "3.9")
    assert found.setup is not None
    assert "pytest==7" in found.setup({"r.txt": b"pytest==7\n"})


class TestOfficial:
    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("swebench")

    def test_pytest_s_words_are_read_and_only_tests_are_run(self) -> None:
        found = way("pallets/flask", "2.3")
        assert found.command == "pytest -rA tests/test_a.py"
        assert found.python == "3.11"
        assert found.read is not None
        log = f"PASSED a.py::no\n{START}\nPASSED a.py::t[x y]\nFAILED a.py::u - why\nXFAIL a.py::v\n{STOP}\n"
        assert found.read(log) == {"a.py::t[x": True, "a.py::u": False, "a.py::v": True}

    def test_sympy_s_own_runner_is_read(self) -> None:
        found = way("sympy/sympy", "1.12", PATCH.format("sympy/sets/tests/test_contains.py"))
        assert "bin/test -C --verbose sympy/sets/tests/test_contains.py" in found.command
        assert found.read is not None
        log = f"{START}\nsympy/sets/tests/test_contains.py[2]\ntest_as_set ok\ntest_issue F\n{STOP}\n"
        assert found.read(log) == {"test_as_set": True, "test_issue": False}

    def test_tox_is_left_out(self) -> None:
        assert way("sphinx-doc/sphinx", "4.1").command == "python -X dev -m pytest -rA tests/test_a.py"

    def test_django_s_tests_are_named_as_modules(self) -> None:
        found = way("django/django", "3.0", PATCH.format("tests/admin_views/tests.py"))
        assert found.command.endswith(" admin_views.tests")
        assert "export LANG=en_US.UTF-8" in found.before

    def test_what_it_does_not_know_is_run_as_repository_s_are(self) -> None:
        assert way("pallets/flask", "99").read is None
        assert way("pallets/flask", "2.3", test="make").command == "make"

    def test_other_languages_need_image(self) -> None:
        from swebench.harness.constants import MAP_REPO_VERSION_TO_SPECS_GO

        repo, versions = next(iter(MAP_REPO_VERSION_TO_SPECS_GO.items()))
        version = next(iter(versions))
        assert way(repo, version).read is None
        assert way(repo, version, image="img").read is not None
