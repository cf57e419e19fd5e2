"""Examples of a module's use, found in documents, docstrings, tests and the package's code."""

from __future__ import annotations

import pytest

from extensions.testgen.module_exerciser import Case, ExampleRecord
from extensions.testgen.usage_examples import as_expression, usage_examples, with_other_texts, written_arguments

OFFERS = {
    "module": "pkg.tree",
    "shared": ["Node"],
    "functions": [],
    "classes": [
        {
            "name": "Node",
            "params": [{"name": "kind", "kind": 1}, {"name": "text", "kind": 1}],
            "methods": [{"name": "find", "params": [{"name": "kind", "kind": 1}, {"name": "deep", "kind": 3}]}],
        }
    ],
}
KNOWN = {"Node", "pkg", "len", "str"}


def found(**files: str) -> list[tuple[tuple[str, ...], str]]:
    data = {name.replace("__", "/").replace("_py", ".py"): text.encode() for name, text in files.items()}
    return [(case.lines, case.call) for case in usage_examples(data, OFFERS, KNOWN, lambda: False)]


def test_example_has_only_the_assignments_that_it_needs() -> None:
    doc = '"""\n>>> a = Node(1, "a")\n>>> b = Node(2, "b")\n>>> b.find(1)\n>>> len(b.find(2))\n1\n"""\n'
    assert (("b = Node(2, 'b')",), "len(b.find(2))") in found(pkg__tree_py=f"{doc}class Node: pass\n")


def test_names_in_documents_are_those_that_a_test_can_import() -> None:
    text = """
    >>> import pkg
    >>> from pkg.tree import Node as N
    >>> from pkg import parse, Node
    >>> tree = parse("a b")
    >>> tree.find(N)
    >>> pkg.Node(1, "x")
    >>> unknown(3)
    >>> Node (
    """
    examples = usage_examples({"docs/use.rst": text.encode()}, OFFERS, KNOWN, lambda: False)
    assert [(case.lines, case.call) for case in examples] == [
        ((), "Node(1, 'x')"),
        (("tree = pkg.parse('a b')",), "tree.find(Node)"),
        ((), "pkg.parse('a b')"),
    ]


def test_calls_in_blocks_and_assertions_of_tests_are_examples() -> None:
    test = (
        "import pkg\n\n\ndef test_find(fixture):\n    tree = pkg.parse('a')\n    for one in [1]:\n"
        "        assert tree.find(one) == 1\n    with open('x'):\n        self.assertEqual(tree.find(2), 1)\n"
        "    fixture.call()\n"
    )
    calls = [call for _, call in found(tests__test_tree_py=test)]
    assert "tree.find(2)" in calls
    assert "pkg.parse('a')" in calls
    assert not any("fixture" in call or "one" in call for call in calls)


def test_arguments_in_code_are_written_under_importable_names() -> None:
    code = (
        "from . import kinds as K, tree\nfrom .tree import Node\n\n\ndef f(x):\n"
        "    x.find(K.Word, deep=True)\n    x.find(tree.Node)\n"
        "    x.find((K.Word, 'a'))\n    x.find(x)\n    Node(1, x)\n"
    )
    assert written_arguments({"src/pkg/rules.py": code.encode()}, OFFERS, KNOWN, lambda: False) == {
        ("find", "kind", "pkg.kinds.Word"),
        ("find", "deep", "True"),
        ("find", "kind", "Node"),
        ("find", "kind", "(pkg.kinds.Word, 'a')"),
        ("Node", "kind", "1"),
    }


@pytest.mark.parametrize("deep", [" + ".join(["'a'"] * 3000), "pkg" + ".find(1)" * 1500], ids=["strings", "chain"])
def test_deeply_nested_code_is_skipped(deep: str) -> None:
    test = f"import pkg\n\ndef test_first():\n    pkg.parse('a')\n\ndef test_deep():\n    x = {deep}\n    pkg.find(x)\n"
    seen = found(tests__test_a_py=test, tests__test_b_py="import pkg\ndef test_b():\n    pkg.parse('b')\n")
    # Python 3.11 cannot parse the whole file.
    assert seen in ([((), f"pkg.parse('{name}')") for name in names] for names in ("ab", "b"))
    files = {"pkg/a.py": f"f = {deep}\nf.find({deep})\n".encode(), "pkg/b.py": b"f.find(2)\n"}
    assert ("find", "kind", "2") in written_arguments(files, OFFERS, KNOWN, lambda: False)


def test_files_are_skipped_when_time_is_up() -> None:
    times = iter([False, True, False, True])
    files = {f"pkg/{name}.py": f">>> Node(1, '{name}')\n".encode() for name in "ab"}
    documents = {path.replace(".py", ".md"): data for path, data in files.items()}
    calls = [case.call for case in usage_examples(documents, OFFERS, KNOWN, lambda: next(times))]
    assert calls == ["Node(1, 'a')"]
    code = {path: data.removeprefix(b">>> ") for path, data in files.items()}
    arguments = written_arguments(code, OFFERS, KNOWN, lambda: next(times))
    assert arguments == {("Node", "kind", "1"), ("Node", "text", "'a'")}


def test_examples_that_make_objects_get_texts_of_other_examples() -> None:
    parse, split = Case(("text = 'a b'",), "pkg.parse(text)"), Case((), "pkg.split('c; d')")
    records = [ExampleRecord(parse, (), (("Node", "[0]"),)), ExampleRecord(split, (), ())]
    assert with_other_texts([parse, split], records) == [Case((), "pkg.parse('c; d')")]


def test_case_becomes_one_expression() -> None:
    assert as_expression(Case(("a = f(1)", "b = a[0]"), "b.c + a")) == "f(1)[0].c + f(1)"
    assert as_expression(Case(("a = 1 + 2", "x = 3"), "a * sum(x for x in 'a')")) == "(1 + 2) * sum((x for x in 'a'))"


def test_assignment_to_several_names_is_an_assignment_to_each() -> None:
    test = "import pkg\n\n\ndef test_find():\n    a = b = pkg.parse('a')\n    b.find(2)\n"
    assert (("b = pkg.parse('a')",), "b.find(2)") in found(tests__test_tree_py=test)
