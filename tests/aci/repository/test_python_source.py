from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.repository.python_source import definitions, undefined_names

SOURCE = """\
@decorated
class A:
    def f(self):
        if True:
            def inner():
                pass
            return inner

    async def g(self):
        return [
            1,
        ]


def h(): pass
"""


@pytest.mark.parametrize("broken", ["", "print 'python 2'\n"])
def test_definitions_are_found_with_and_without_syntax_tree(broken: str) -> None:
    spans = [
        (definition.name, definition.kind, definition.header, definition.end)
        for definition in definitions(SOURCE + broken)
    ]
    assert spans == [
        ("A", "class", 2, 12),
        ("A.f", "def", 3, 7),
        ("A.f.inner", "def", 5, 6),
        ("A.g", "def", 9, 12),
        ("h", "def", 15, 15),
    ]
    assert definitions(SOURCE)[0].line == 1


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import os\nprint(os.name, missing)\n", {"missing": 2}),
        ("def f(a):\n    return [b for b in a if c]\n", {"c": 2}),
        ("class A:\n    x = 1\n    def f(self):\n        return x\n", {"x": 4}),
        ("def f():\n    global z\n    z = 1\n\nprint(z)\n", {}),
        ("try:\n    import a\nexcept ImportError as error:\n    print(error)\n", {}),
        ("from a import *\nprint(anything)\n", {}),
        ("def f(:\n", {}),
        ("print(__file__, __name__, len)\n", {}),
        ("match x:\n    case {'a': y}:\n        print(y)\n", {"x": 1}),
    ],
)
def test_undefined_names_are_found(source: str, names: dict[str, int]) -> None:
    assert undefined_names(source) == names


@given(st.text(st.sampled_from("def class(): \n\tab#@'=é\0"), max_size=120))
def test_any_text_is_accepted(source: str) -> None:
    undefined_names(source)
    lines = source.count("\n") + 1
    assert all(
        1 <= definition.line <= definition.header <= definition.end <= lines for definition in definitions(source)
    )
