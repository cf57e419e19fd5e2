from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.reproduction.issue_examples import split_examples


def steps(body: str) -> list[tuple[str, str]]:
    return [(piece.text, piece.shown) for piece in split_examples("", body) if piece.kind == "step"]


def kinds(body: str) -> list[str]:
    return [piece.kind for piece in split_examples("", body)][1:]


def test_interactive_session_has_output_of_each_statement() -> None:
    body = "Bad:\n\n    >>> import a\n    >>> for x in a:\n    ...     x()\n    >>> a.b(1)\n    2\n\nIt should be 3."
    assert steps(body) == [("import a", ""), ("for x in a:\n    x()", ""), ("a.b(1)", "2")]
    assert kinds(body) == ["words", "step", "step", "step", "words"]


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        (">>>import a\n>>>a.f(1)\n2", [("import a", ""), ("a.f(1)", "2")]),
        (">>> f('''a\nb''')\n3", [("f('''a\nb''')", "3")]),
        (">>> f([1,\n    2])\n3\n>>> 4", [("f([1,\n    2])", "3"), ("4", "")]),
        (">>> for x in y:\n...    x()\n1\n>>> 4", [("for x in y:\n   x()", "1"), ("4", "")]),
    ],
    ids=["no blank", "string of several lines", "open bracket", "loop"],
)
def test_session_as_people_paste_it(session: str, expected: list[tuple[str, str]]) -> None:
    assert steps(f"```\n{session}\n```") == expected


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("$ python -c 'import a; print(a.f(1))'\n2", [("import a", ""), ("print(a.f(1))", "2")]),
        ('python3 -W error -c "\nimport a\na.f(1)\n"\nKeyError: 1', [("import a", ""), ("a.f(1)", "KeyError: 1")]),
        ("$ python -c 'f(1)'\n2\n$ python -c 'f(2)'\n3", [("f(1)", "2"), ("f(2)", "3")]),
        ("$ python -c 'f(1)", []),
        ("$ python -c ", []),
    ],
    ids=["one line", "several lines", "two commands", "not closed", "empty"],
)
def test_command_with_code(block: str, expected: list[tuple[str, str]]) -> None:
    assert steps(f"```sh\n{block}\n```") == expected


@pytest.mark.parametrize("text", [">>> f([\n" + "1,\n" * 8000, "```sh\npython -c 'x\n" + "a\n" * 8000 + "```"])
def test_reading_of_long_open_statement_ends(text: str) -> None:
    assert steps(text) == []


def test_traceback_is_output_of_its_statement() -> None:
    body = '```\n>>> f()\nTraceback (most recent call last):\n  File "a.py", line 1, in f\nKeyError: 1\n```'
    assert steps(body)[0][1].endswith("KeyError: 1")


def test_cells_end_at_blank_line_or_rule() -> None:
    body = "```julia\nIn [1]: from a import *\n        x = 1\n\nIn [2]: f(x)   \nOut[2]: 4\n\nIt should be 5.\n\n"
    body += "In [3]: g(x)\n---------\nKeyError: 1\n```"
    assert steps(body) == [("from a import *", ""), ("x = 1", ""), ("f(x)", "4"), ("g(x)", "---------\nKeyError: 1")]
    assert kinds(body) == ["step", "step", "step", "words", "step"]


def test_cell_output_without_mark_is_no_input() -> None:
    assert steps("```\nIn [1]: print(x)\nNone\n```") == [("print(x)", "None")]


def test_comments_belong_to_their_statement() -> None:
    found = split_examples("", "```python\na = f(1)  # fails\n# with 2 it works\ng(a)\n```")
    assert [(piece.text, piece.comment) for piece in found[1:]] == [("a = f(1)", "fails"), ("g(a)", "")]


def test_statements_in_one_line_are_separate() -> None:
    assert steps("```\nimport a; a.b()\n```") == [("import a", ""), ("a.b()", "")]


def test_block_that_is_no_code_is_output() -> None:
    body = "```py\nf()\n```\ngives\n```\n{'a': 1}\n```\nand\n```sh\nls(1)\n```"
    assert kinds(body) == ["step", "words", "output", "words", "output"]


def test_value_after_returns_is_output() -> None:
    assert kinds("```py\nf()\n```\nreturns\n```\nA()\n```\n#### Expected Output\n```\nA(1)\n```") == [
        *("step", "words", "output", "words", "output"),
    ]


def test_test_function_is_opened() -> None:
    body = "```py\nimport a\ndef test_it():\n    b = a.c()\n    assert b\ndef test_with(x):\n    pass\n```"
    assert [text for text, _ in steps(body)][:3] == ["import a", "b = a.c()", "assert b"]
    assert steps(body)[3][0].startswith("def test_with")


def test_code_without_fence_is_found() -> None:
    assert steps("This fails:\nfrom a import b\n\nb(\n    1)\nand that is all.") == [
        ("from a import b", ""),
        ("b(\n    1)", ""),
    ]


@pytest.mark.parametrize("body", ["", "```", "```py\nf(\n```", ">>> f(\n", "In [1]: (\n", " >>> a\n>>> b"])
def test_broken_examples_have_no_steps(body: str) -> None:
    assert all(text.strip() in ("a", "b") for text, _ in steps(body))


@pytest.mark.slow
@given(
    st.lists(st.sampled_from(["```", "```py\n", ">>> ", "In [1]: ", "Out[1]: ", "f(1)", "\n", "    ", "# x", "é", ";"]))
)
def test_any_text_is_split(parts: list[str]) -> None:
    split_examples("", "".join(parts))


def test_test_case_is_followed_by_its_run() -> None:
    code = "import unittest\nclass A(unittest.TestCase):\n    def test_a(self): pass\nclass B(TestCase):\n    x = 1\n"
    steps = [piece.text for piece in split_examples("", f"```python\n{code}```") if piece.kind == "step"]
    assert steps[-2:] == [
        "unittest.defaultTestLoader.loadTestsFromTestCase(A).debug()",
        "class B(TestCase):\n    x = 1",
    ]


def test_test_case_with_expected_failure_is_not_run() -> None:
    code = "class A(TestCase):\n    @unittest.expectedFailure\n    def test_a(self): pass"
    assert steps(f"```python\nimport unittest\n{code}\n```")[1:] == [(code, "")]


@pytest.mark.parametrize("head", ["if __name__ == '__main__':", "def test_it():"])
def test_opened_block_keeps_its_comments(head: str) -> None:
    body = f"```python\nfrom a import f\n\n{head}\n    f('1')  # should be 2\n    f(2)  # should be 3\n```"
    found = [(piece.text, piece.comment) for piece in split_examples("", body) if piece.kind == "step"]
    assert found[1:] == [("f('1')", "should be 2"), ("f(2)", "should be 3")]


def test_string_of_several_lines_in_opened_block_is_unchanged() -> None:
    body = '```python\nif __name__ == \'__main__\':\n    f("""a\n    b""")\n```'
    assert steps(body) == [("f('a\\n    b')", "")]
