"""Rendering of cases as a test file, for pytest or unittest, in the repository's style."""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from aci.runtime.target_function import Function
from extensions.testgen.case_names import case_name
from extensions.testgen.module_exerciser import CaseOutcome, format_assertion
from extensions.testgen.usage_mining import free_names

WIDTH, LONGEST_INLINE = 100, 60
RESULT = re.compile(r"\bresult\b")
HELPERS = {
    "islice": "from itertools import islice",
    "math": "import math",
    "asyncio": "import asyncio",
    "copy": "import copy",
}
HOOKS = ("test", "Test", "setup", "setUp", "teardown", "tearDown", "pytest_", "load_tests")
"""Prefixes of names that test runners look for in a test file."""
DOCSTRING = """\
\"\"\"Tests that pin today's behaviour of {what}, written by `swe-agent test`.

No one has confirmed that it is right: a failing test shows that the behaviour has changed, not
that it was right before.
\"\"\"
"""


@dataclass(frozen=True, slots=True)
class NamedTest:
    """A case and the name of its test."""

    __test__ = False

    name: str
    seen: CaseOutcome


def name_tests(found: Sequence[CaseOutcome]) -> list[NamedTest]:
    """Return the tests in the order of their subjects, each with a unique name."""
    ordered = sorted(found, key=lambda one: (one.case.about, one.kind, len(one.case.lines), one.case.call))
    stems = [(case_name(seen), seen) for seen in ordered]
    several = Counter(stem for stem, _ in stems)
    taken = {stem for stem, count in several.items() if count == 1}
    tests = []
    for stem, seen in stems:
        names = (f"{stem}_{number}" for number in range(1, len(stems) + len(taken) + 1))
        name = stem if several[stem] == 1 else next(one for one in names if one not in taken)
        taken.add(name)
        tests.append(NamedTest(name, seen))
    return tests


def render_tests(
    tests: Sequence[NamedTest], module: str, what: str, style: str, own_helpers: Collection[str] = ()
) -> str:
    """Return the text of the test file.

    `style` is pytest or unittest. `own_helpers` are names of `HELPERS`, or the package's, that the module binds to
    something else (see `rebound_helpers`).
    """
    what = re.sub(r"[^\w ./`:,()-]", "?", what)
    used = set().union(*(required_names(one.seen) for one in tests)) if tests else set()
    raises = any(one.seen.kind == "raised" for one in tests) or "pytest" in used
    used -= {"pytest"}
    inside = {name for name in used if name.startswith(HOOKS) or name in {*own_helpers, "result"}}
    used -= inside
    helpers = {name for name in used if name in HELPERS}
    package = module.partition(".")[0]
    own = sorted(name for name in used - helpers if not hasattr(builtins, name) or name in _shadowing(tests))
    imports = sorted(HELPERS[name] for name in helpers)
    imports = [one for one in imports if one.startswith("import")] + [one for one in imports if one.startswith("from")]
    if style == "unittest":
        imports.insert(0, "import unittest")
    groups = ["\n".join(imports)] if imports else []
    if style == "pytest" and raises:
        groups.append("import pytest")
    imported = [f"import {package}"] if package in used - helpers else []
    own = [name for name in own if name != package or not imported]
    if own:
        imported.append(_wrapped_import(module, own))
    if imported:
        groups.append("\n".join(imported))
    head = DOCSTRING.format(what=what) + "\n" + "\n\n".join(groups) + "\n"
    body = _pytest if style == "pytest" else _unittest

    def test_body(one: NamedTest, indent: str) -> str:
        # names that the runner would collect or that shadow a helper are imported only inside the test
        first = [f"from {module} import {name}" for name in sorted(inside & required_names(one.seen))]
        return textwrap.indent("\n".join([*first, body(one.seen)]), indent)

    if style == "pytest":
        return head + "".join(f"\n\ndef {one.name}():\n{test_body(one, '    ')}\n" for one in tests)
    text = "\n\n".join(f"    def {one.name}(self):\n{test_body(one, ' ' * 8)}" for one in tests)
    return f"{head}\n\nclass GeneratedTest(unittest.TestCase):\n{text}\n"


def rebound_helpers(data: bytes, module: str) -> set[str]:
    """Return the names of `HELPERS`, and that of the package, that a module binds to something else."""
    package = module.partition(".")[0]
    helpers = HELPERS | {package: f"import {package}"}
    found = set()
    for node in _top_level_nodes(ast.parse(data)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for one in node.names:
                name = one.asname or one.name.split(".")[0]
                if ast.unparse(type(node)(**{**vars(node), "names": [one]})) != helpers.get(name):
                    found.add(name)
        elif isinstance(node, Function | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and _stores(node):
            found.add(node.id)
    return found & set(helpers)


def _top_level_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the descendants of a node, except those inside functions and classes."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, Function | ast.ClassDef):
            yield from _top_level_nodes(child)


def required_names(seen: CaseOutcome) -> set[str]:
    """Return the names that a test of the case has to import."""
    used = free_names(seen.case) - {"self"}
    if seen.kind == "raised":
        return used | {seen.name}
    bound = {"result"}
    for line in seen.case.lines:
        bound |= {node.id for node in ast.walk(ast.parse(line)) if isinstance(node, ast.Name) and _stores(node)}
    for one in seen.asserts:
        tree = ast.parse(format_assertion(*one), mode="eval")
        used |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - bound
    return used


def _stores(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _shadowing(tests: Sequence[NamedTest]) -> set[str]:
    """Return the names under test, which must be imported even if a builtin has the same name."""
    return {one.seen.case.about.split(".")[0] for one in tests}


def _wrapped_import(module: str, names: Sequence[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in names) + ")"


def _pytest(seen: CaseOutcome) -> str:
    if not seen.case.call:
        return "\n".join(seen.case.lines)
    if seen.kind == "raised":
        return "\n".join([*seen.case.lines, f"with pytest.raises({seen.name}):", f"    {seen.case.call}"])
    return "\n".join([*_before(seen), *(f"assert {_condition(*one)}" for one in _inlined(seen))])


def _condition(kind: str, expression: str, text: str) -> str:
    """Return an assertion as a person writes it: a comparison is asserted itself."""
    if kind == "is" and text in ("True", "False") and isinstance(_node(expression), ast.Compare | ast.BoolOp):
        return expression[1:-1] if text == "True" else f"not {expression}"
    return format_assertion(kind, expression, text)


def _node(expression: str) -> ast.expr:
    return ast.parse(expression, mode="eval").body


def _unittest(seen: CaseOutcome) -> str:
    if not seen.case.call:
        return "\n".join(seen.case.lines)
    if seen.kind == "raised":
        return "\n".join([*seen.case.lines, f"with self.assertRaises({seen.name}):", f"    {seen.case.call}"])
    return "\n".join([*_before(seen), *(_unittest_assertion(*one) for one in _inlined(seen))])


def _before(seen: CaseOutcome) -> list[str]:
    """Return the statements before the assertions; a value that is asserted only once is not assigned to a variable."""
    lines = list(seen.case.lines)
    uses = any(RESULT.search(expression) for _, expression, _ in seen.asserts)
    if _is_inline(seen):
        return lines
    return [*lines, f"result = {seen.case.call}" if uses else seen.case.call]


def _is_inline(seen: CaseOutcome) -> bool:
    uses = [len(RESULT.findall(expression)) for _, expression, _ in seen.asserts]
    return uses == [1] and len(seen.case.call) < LONGEST_INLINE


def _inlined(seen: CaseOutcome) -> Iterable[tuple[str, str, str]]:
    if _is_inline(seen):
        ((kind, expression, text),) = seen.asserts
        is_whole = expression == "result" and kind in ("isa", "nan", "close")
        call = seen.case.call if is_whole or _is_primary(seen.case.call) else f"({seen.case.call})"
        return [(kind, RESULT.sub(lambda _: call, expression), text)]
    return seen.asserts


def _is_primary(call: str) -> bool:
    return isinstance(_node(call), ast.Call | ast.Subscript | ast.Attribute | ast.Name)


def _unittest_assertion(kind: str, expression: str, text: str) -> str:
    """Return the assertion as a unittest method call."""
    if kind == "nan":
        return f"self.assertTrue(math.isnan({expression}))"
    if kind == "close":
        return f"self.assertTrue(math.isclose({expression}, {text}))"
    if kind == "isa":
        return f"self.assertIsInstance({expression}, {text})"
    word = {"True": "True", "False": "False", "None": "None"}.get(text if kind == "is" else "")
    if word == "None":
        return f"self.assertIsNone({expression})"
    return f"self.assert{'Is' if kind == 'is' else 'Equal'}({expression}, {text})"
