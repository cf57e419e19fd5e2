"""Tests with other expected values, which must fail: if one passes, something acts on the comparison.

Only literals count that a test compares for equality, in its function. Standard library only, for the target's own
Python (3.6 and later).
"""

import ast
import copy

from ..forked_sandbox import TimeUp, cpu_limit, run_forked
from .literal_variants import FIELDS, compile_node, find_function

MOST_TESTS, SECONDS = 20, 10.0
"""Maximum number of tests, and CPU seconds of each."""
PATIENCE = 30.0
"""Wall-clock seconds after which a silent child is killed."""
EQUAL = ("assertEqual", "assertListEqual", "assertDictEqual", "assertTupleEqual", "assertSetEqual")


def find_blind_tests(job):
    """Return the names of the tests that pass with other expected values, too."""
    found = []
    for name in job.spec["tests"][:MOST_TESTS]:
        test = job.tests.get(name)
        if test is not None and job.left() > 0:
            run_forked(_work(test, name), found.append, max(1.0, min(PATIENCE, job.left())))
    return found


def _work(test, name):
    def work(emit):
        if _change(test.function()):
            try:
                with cpu_limit(SECONDS):
                    if test.run()[0] == "passed":
                        emit(name)
            except TimeUp:
                pass

    return work


def _change(function):
    """Change the expected values of a test in this process; return whether there are any."""
    above, node = find_function(function.__code__) if function else ((), None)
    if node is None:
        return False
    node = copy.deepcopy(node)
    assigned = {}
    for part in ast.walk(node):
        if isinstance(part, ast.Assign) and len(part.targets) == 1 and isinstance(part.targets[0], ast.Name):
            assigned.setdefault(part.targets[0].id, []).append(part.value)
    expected = [one for sides in _compared(node) for one in _expected(sides, assigned)]
    changed = [one for literal in expected for one in _scalars(literal)[:1]]
    for literal in {id(one): one for one in changed}.values():
        field = FIELDS[type(literal).__name__]
        setattr(literal, field, _other(getattr(literal, field)))
    code = compile_node(node, above, function.__code__) if changed else None
    if code is None:
        return False
    function.__code__ = code
    return True


def _compared(function):
    """Yield the two sides of each comparison for equality that an assertion makes."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            test = node.test
            if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
                yield test.left, test.comparators[0]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in EQUAL and len(node.args) >= 2:
            yield node.args[0], node.args[1]


def _expected(sides, assigned):
    """Yield the literal among two sides, of which the other one is no literal; a variable that is assigned once counts
    as its value."""
    values = [assigned[one.id][0] if len(assigned.get(getattr(one, "id", ""), ())) == 1 else one for one in sides]
    literals = [one for one in values if _is_literal(one)]
    if len(literals) == 1:
        yield literals[0]


def _is_literal(node):
    try:
        ast.literal_eval(node)
        return True
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False


def _scalars(node):
    """Return the nodes of the numbers and strings in a literal."""
    found = [one for one in ast.walk(node) if type(one).__name__ in FIELDS]
    return [one for one in found if type(getattr(one, FIELDS[type(one).__name__])) in (bool, int, float, str)]


def _other(value):
    if type(value) is bool:
        return not value
    return value + "?" if type(value) is str else 3 * value + 17
