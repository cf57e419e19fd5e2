"""Grading specifications: how the tests of an instance run, with or without SWE-bench's package."""

from __future__ import annotations

from typing import Any

import pytest

from extensions.lab.evaluation.grading_files import START, STOP
from extensions.lab.evaluation.grading_specs import GradingSpec, grading_spec
from extensions.lab.instances.dataset_instances import Gold
from extensions.lab.instances.jobs import Instance
from trajectories.records import Issue

PATCH = "diff --git a/{0} b/{0}\n--- a/{0}\n+++ b/{0}\n@@ -1 +1 @@\n-1\n+2\n"
TESTS = PATCH.format("tests/test_a.py") + PATCH.format("tests/data.json")


def build_spec(
    repo: str = "own/thing", version: str = "", tests: str = TESTS, test: str = "", **row: Any
) -> GradingSpec:
    instance = Instance("a-1", repo, "", Issue("t", ""), version, row.get("image", ""), row.get("test", ""))
    return grading_spec(Gold("a-1", "", tests, (), (), row), instance, test)


def test_users_command_overrides_command_of_row() -> None:
    assert build_spec(test="make test", **{}).command == "make test"
    assert (
        grading_spec(Gold("a", "", TESTS, (), (), {}), Instance("a", "r/r", "", Issue("t", ""), test="x"), "y").command
        == "y"
    )


def test_row_command_is_used_with_its_setup_and_image() -> None:
    instance = Instance("a-1", "own/thing", "", Issue("t", ""), image="img", test="pytest tests")
    spec = grading_spec(Gold("a-1", "", TESTS, (), (), {"setup": "pip install x"}), instance)
    assert (spec.command, spec.nodes, spec.read, spec.image) == ("pytest tests", (), None, "img")
    assert spec.setup is not None
    assert spec.setup({}) == "pip install x"


def test_files_of_test_patch_are_run_by_default() -> None:
    assert build_spec() == GradingSpec(nodes=("tests/test_a.py", "tests/data.json"))


def test_files_in_test_names_are_run_too() -> None:
    gold = Gold("a-1", "", TESTS, ("tests/test_a.py::t",), ("tests/test_b.py::C::t[x.py::y]", "test_z", "m.C.t"), {})
    spec = grading_spec(gold, Instance("a-1", "own/thing", "", Issue("t", "")))
    assert spec.nodes == ("tests/test_a.py", "tests/data.json", "tests/test_b.py", "m.py", "m/C.py")


@pytest.mark.parametrize("name", ["test_x (tests.shop.CartTest)", "tests.shop.CartTest.test_x"])
def test_files_of_unittest_names_are_run_too(name: str) -> None:
    spec = grading_spec(Gold("a-1", "", "", (name,), (), {}), Instance("a-1", "own/thing", "", Issue("t", "")))
    assert spec.nodes == ("tests.py", "tests/shop.py", "tests/shop/CartTest.py")


def test_install_config_of_row_is_used_as_spec() -> None:
    config = {"python": "3.9", "test_cmd": "pytest -rA", "packages": "requirements.txt", "reqs_path": ["r.txt"]}
    spec = build_spec(install_config=config)
    assert (spec.command, spec.nodes[0], spec.python) == ("pytest -rA", "tests/test_a.py", "3.9")
    assert spec.setup is not None
    assert "pytest==7" in spec.setup({"r.txt": b"pytest==7\n"})


class TestOfficial:
    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("swebench.harness.test_spec", reason="swebench 4 is not installed")

    def test_pytest_output_is_parsed_between_markers(self) -> None:
        spec = build_spec("pallets/flask", "2.3")
        assert spec.command == "pytest -rA tests/test_a.py"
        assert spec.python == "3.11"
        assert spec.read is not None
        log = f"PASSED a.py::no\n{START}\nPASSED a.py::t[x y]\nFAILED a.py::u - why\nXFAIL a.py::v\n{STOP}\n"
        assert spec.read(log) == {"a.py::t[x": True, "a.py::u": False, "a.py::v": True}

    def test_output_of_sympy_runner_is_parsed(self) -> None:
        spec = build_spec("sympy/sympy", "1.12", PATCH.format("sympy/sets/tests/test_contains.py"))
        assert "bin/test -C --verbose sympy/sets/tests/test_contains.py" in spec.command
        assert spec.read is not None
        log = f"{START}\nsympy/sets/tests/test_contains.py[2]\ntest_as_set ok\ntest_issue F\n{STOP}\n"
        assert spec.read(log) == {"test_as_set": True, "test_issue": False}

    def test_tox_is_removed_from_command(self) -> None:
        assert build_spec("sphinx-doc/sphinx", "4.1").command == "python -X dev -m pytest -rA tests/test_a.py"

    def test_django_tests_are_named_as_modules(self) -> None:
        spec = build_spec("django/django", "3.0", PATCH.format("tests/admin_views/tests.py"))
        assert spec.command.endswith(" admin_views.tests")
        assert "export LANG=en_US.UTF-8" in spec.before

    def test_unknown_version_uses_test_command_of_repository(self) -> None:
        assert build_spec("pallets/flask", "99").read is None
        assert build_spec("pallets/flask", "2.3", test="make").command == "make"

    def test_other_languages_need_image(self) -> None:
        from swebench.harness.constants import MAP_REPO_VERSION_TO_SPECS_GO

        repo, versions = next(iter(MAP_REPO_VERSION_TO_SPECS_GO.items()))
        version = next(iter(versions))
        assert build_spec(repo, version).read is None
        assert build_spec(repo, version, image="img").read is not None
