"""The test file for an issue's example, in the style of the repository's tests."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from aci.repository.test_files import choose_test_path, is_test
from extensions.reproduction.django_set_up import SET_UP

if TYPE_CHECKING:
    from aci.repository.file_blobs import Blobs
    from extensions.reproduction.issue_failures import Failure

Style = Literal["pytest", "unittest"]
COLLECTED = re.compile(r"(?:as|import|,) *(?:test|Test)\w*|\bpytest_\w+")
"""Matches imports of names that a test runner would collect from the module."""

LIMITED = """\
def give_up(number, frame):
    raise AssertionError("It does not end within {seconds} s.")

signal.signal(signal.SIGALRM, give_up)
signal.alarm({seconds})
try:
{step}
finally:
    signal.alarm(0)"""
"""A statement that may take MOST_SECONDS."""
MOST_SECONDS = 10
MOST_READ = 30
LONGEST_NAME = 60


def choose_place(blobs: Blobs, source: str) -> tuple[str, Style]:
    """Return the path of a new test file for a source file, and the style of the tests beside it.

    The example reported the source file, so the name counts only if there is such a file.
    """
    files = {file.path: file for file in blobs.files()}
    source = source if source in files else ""
    path = choose_test_path(files, source or "issue.py", "issue" if source else "")
    folder = path.rpartition("/")[0]
    beside = [one for one in files if is_test(one) and one.endswith(".py") and one.rpartition("/")[0] == folder]
    read = blobs.read([files[one].id for one in sorted(beside)[:MOST_READ]])
    texts = [data.decode("utf-8", "replace") for data in read if data]
    unittest = sum("TestCase)" in text and not re.search(r"^def test|import pytest", text, re.M) for text in texts)
    return path, "unittest" if 2 * unittest > len(texts) else "pytest"


def render_test(title: str, steps: Sequence[str], failure: Failure, style: Style) -> str:
    """Return a test file whose only test runs the steps and checks the last one. The imports may need Django's set-up,
    which is put before them."""
    set_up = SET_UP if set(SET_UP) <= set(steps) else ()
    before = [step for step in steps[:-1] if step not in set_up]
    imports = [step for step in before if re.match(r"(?:from|import) ", step) and not COLLECTED.search(step)]
    own = ["import unittest"] if style == "unittest" else ["import pytest"] if failure.form == "raises" else []
    own += ["import signal"] if failure.form == "ends" else []
    body = [step for step in before if step not in imports]
    body.append(_check(steps[-1], failure, style))
    used = set(re.findall(r"\w+", "\n".join(body)))
    lines = [*own, *set_up, *merge_imports(imports, used)]
    head = "\n".join(sorted(lines, key=lambda one: "__future__" not in one))
    name = name_of_test(title)
    if style == "pytest":
        return f"{head}\n\n\ndef {name}():\n{_indented(body, 4)}\n".lstrip()
    return f"{head}\n\n\nclass IssueTest(unittest.TestCase):\n    def {name}(self):\n{_indented(body, 8)}\n"


def tests_as_written(steps: Sequence[str]) -> str:
    """Return the definitions of an example as a test file, if some are tests that only a runner can call, since they
    have parameters or decorators; otherwise "". Also "" if the example does more than define names: the tests may need
    it."""
    kinds = ast.Import | ast.ImportFrom | ast.Assign | ast.FunctionDef | ast.ClassDef
    nodes = [ast.parse(step).body[0] for step in steps]
    tests = [node for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test")]
    if not any(node.args.args or node.decorator_list for node in tests):
        return ""
    if not all(isinstance(node, kinds) for node in nodes):
        return ""
    own = ["import pytest"] if re.search(r"\bpytest\.", "\n".join(steps)) and "import pytest" not in steps else []
    lines = sorted([*own, *dict.fromkeys(steps)], key=lambda step: not step.startswith("from __future__"))
    return "\n\n\n".join(lines) + "\n"


def merge_imports(imports: Sequence[str], used: Collection[str]) -> list[str]:
    """Return sorted import statements, with one for all names of a module that are used."""
    modules: dict[str, set[str]] = {}
    plain = set()
    for statement in imports:
        for node in ast.parse(statement).body:
            if isinstance(node, ast.ImportFrom):
                modules.setdefault(f"{'.' * node.level}{node.module or ''}", set()).update(
                    ast.unparse(name)
                    for name in node.names
                    if (name.asname or name.name) in used or node.module == "__future__"
                )
            else:
                plain.add(ast.unparse(node))
    found = [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(modules.items()) if names]
    return [*sorted(plain), *found]


def name_of_test(title: str) -> str:
    """Return a name of a test from the title of the issue."""
    words = re.sub(r"\W+", "_", title.encode("ascii", "ignore").decode().lower()).strip("_")
    return f"test_{words[:LONGEST_NAME].rpartition('_')[0] if len(words) > LONGEST_NAME else words or 'issue'}"


def _indented(body: Sequence[str], width: int) -> str:
    """Indent statements; one with strings of several lines or with tabs is written anew."""
    return "\n".join(textwrap.indent(_single_lined(step), " " * width) for step in body)


def _single_lined(step: str) -> str:
    tree = ast.parse(step)
    strings = [node for node in ast.walk(tree) if isinstance(node, ast.Constant | ast.JoinedStr)]
    is_kept = "\t" not in step and all(node.end_lineno == node.lineno for node in strings)
    return step if is_kept else ast.unparse(tree)


def _check(step: str, failure: Failure, style: Style) -> str:
    if failure.form == "raises":
        how = "pytest.raises" if style == "pytest" else "self.assertRaises"
        return f"with {how}({failure.expected}):\n{textwrap.indent(_single_lined(step), '    ')}"
    if failure.form == "ends":
        return LIMITED.format(seconds=MOST_SECONDS, step=textwrap.indent(_single_lined(step), "    "))
    value = shown_expression(step)
    if failure.form == "asserts" or value is None:
        return step
    if failure.form == "runs":
        return value
    if failure.form == "text":
        value = f"repr({value})"
    plain = value if _is_primary(value) else f"({value})"
    if style == "unittest":
        name = "assertIs" if failure.form == "is" else "assertEqual"
        return f"self.{name}({value}, {failure.expected})"
    expected = failure.expected if _is_primary(failure.expected) else f"({failure.expected})"
    return f"assert {plain} {'is' if failure.form == 'is' else '=='} {expected}"


def shown_expression(step: str) -> str | None:
    """Return the expression that a statement shows: itself, or what it prints; None if it is no expression."""
    tree = ast.parse(step)
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        return None
    match tree.body[0].value:
        case ast.Call(ast.Name("print"), [shown], []) if not isinstance(shown, ast.Starred):
            return ast.get_source_segment(step, shown)
    return step


def _is_primary(text: str) -> bool:
    node = ast.parse(text.strip(), mode="eval").body
    return isinstance(
        node, ast.Call | ast.Subscript | ast.Attribute | ast.Name | ast.Constant | ast.List | ast.Dict | ast.Set
    )


def expand_stars(steps: Sequence[str], stars: Mapping[int, frozenset[str]]) -> list[str]:
    """Return the steps with star imports replaced by imports of the names that other steps use."""
    names = [node for step in steps for node in ast.walk(ast.parse(step)) if isinstance(node, ast.Name)]
    used = {node.id for node in names} - {node.id for node in names if isinstance(node.ctx, ast.Store)}
    found = []
    for n, step in enumerate(steps):
        if n not in stars:
            found.append(step)
        elif starred := sorted(used & stars[n]):
            found.append(step.partition("*")[0] + ", ".join(starred))
        else:
            found.append("pass")
    return found
