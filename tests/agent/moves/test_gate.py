"""Which red tests show an issue."""

import pytest

from agent.moves.gate import wrong_reason

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
    "red",
    [
        failure("AssertionError", "assert 1 == 2"),
        failure("TypeError", at="src/frob.py"),
        failure("Failed", "Failed: DID NOT RAISE <class 'ValueError'>"),
        failure("AttributeError", "type object 'Widget' has no attribute 'spin'", missing="spin"),
        failure("NameError", "name 'x' is not defined in TypeError", at="src/frob.py"),
        failure("ImportError", "cannot import name 'frobnicate'", missing="frobnicate"),
        failure("", "FAIL"),
    ],
)
def test_reasons_that_can_be_the_issues(red: dict[str, str]) -> None:
    assert wrong_reason(red, ISSUE if red["error"] != "ImportError" else "add frobnicate") == ""


@pytest.mark.parametrize(
    ("red", "said"),
    [
        (failure("NameError", "NameError: name 'frob' is not defined"), "test itself is wrong: NameError: name 'frob'"),
        (failure("SyntaxError", "E   SyntaxError: invalid syntax"), "test itself is wrong"),
        (
            failure("ModuleNotFoundError", "No module named 'nowhere'", missing="nowhere"),
            "only because nowhere is missing",
        ),
        (failure("AttributeError", "no attribute 'sp1n'", missing="sp1n"), "of which the issue does not speak"),
        (failure("", "fixture 'client' not found"), "does not get to the issue"),
        (failure("KeyError", "KeyError: 'a'"), "speaks of TypeError"),
    ],
)
def test_reasons_that_are_another_matter(red: dict[str, str], said: str) -> None:
    assert said in wrong_reason(red, ISSUE)
