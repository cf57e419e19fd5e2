"""The gate for reproduction tests: failures that show the issue and failures with another cause."""

import pytest

from aci.proof.failure_reason import wrong_reason
from agent.phases.reproduction_gate import _source
from trajectories.git_store.trees import Change

ISSUE = "frobnicate() raises TypeError for None, and there should be a `Widget.spin`"


def failure(error: str, message: str = "", missing: str = "", at: str = "tests/test_new.py") -> dict[str, str]:
    return {
        "id": "tests/test_new.py::test_it",
        "path": "tests/test_new.py",
        "error": error,
        "at": at,
        "missing": missing,
    } | {"message": message or f"{error}: it failed"}


@pytest.mark.parametrize(
    "failed",
    [
        failure("AssertionError", "assert 1 == 2"),
        failure("TypeError", at="src/frob.py"),
        failure("Failed", "Failed: DID NOT RAISE <class 'ValueError'>"),
        failure("AttributeError", "type object 'Widget' has no attribute 'spin'", missing="spin"),
        failure("NameError", "name 'x' is not defined in TypeError", at="src/frob.py"),
        failure("ImportError", "cannot import name 'frobnicate'", missing="frobnicate"),
        failure("", "FAIL"),
        failure("KeyError", at="src/frob.py"),
        failure("KeyError", "KeyError: 'a'"),
        failure("RanTooLong"),
        failure("CalledProcessError", "subprocess.CalledProcessError: Command returned non-zero exit status 1."),
    ],
)
def test_failure_related_to_issue_is_accepted(failed: dict[str, str]) -> None:
    assert wrong_reason(failed, ISSUE if failed["error"] != "ImportError" else "add frobnicate") == ""


@pytest.mark.parametrize(
    ("failed", "message"),
    [
        (failure("NameError", "NameError: name 'frob' is not defined"), "test itself is wrong: NameError: name 'frob'"),
        (failure("SyntaxError", "E   SyntaxError: invalid syntax"), "test itself is wrong"),
        (
            failure("ModuleNotFoundError", "No module named 'nowhere'", missing="nowhere"),
            "only because nowhere is missing",
        ),
        (failure("AttributeError", "no attribute 'sp1n'", missing="sp1n"), "which the issue does not mention"),
        (failure("", "fixture 'client' not found"), "before it reaches the issue"),
        (failure("ImportError", "cannot import name 'hould'", missing="hould"), "only because hould is missing"),
        (failure("NameError", "NameError: name 'frobnicate' is not defined", missing="frobnicate"), "itself is wrong"),
        (failure("NameError", "NameError: name 're' is not defined", missing="re"), "itself is wrong"),
    ],
)
def test_unrelated_failure_is_rejected(failed: dict[str, str], message: str) -> None:
    assert message in wrong_reason(failed, f"{ISSUE} (re: all of it)", known={"frobnicate"})


def test_error_named_by_issue_may_be_raised_in_test() -> None:
    failed = failure("SyntaxError", "SyntaxError: invalid syntax (<unknown>, line 1)")
    assert wrong_reason(failed, "ast.parse(render(x)) raises SyntaxError") == ""
    assert wrong_reason(failure("NameError", "name 'spin' is not defined", missing="spin"), ISSUE) == ""


@pytest.mark.parametrize(
    ("status", "path", "source"),
    [
        ("M", "calc.py", True),
        ("D", "calc.py", True),
        ("A", "shop/vat.py", True),
        ("M", "shop/rates.toml", True),
        ("A", "try_it.py", False),
        ("M", "CHANGES.md", False),
        ("A", "changes/12.bugfix", False),
        ("M", "LICENSE", False),
        ("M", "tests/test_calc.py", False),
        ("M", "conftest.py", False),
    ],
)
def test_source_changes_are_recognized(status: str, path: str, source: bool) -> None:
    assert _source(Change(status, path)) is source
