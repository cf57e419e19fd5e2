"""Tests that run again in the same process: with other expected values they must fail, and often repeated they must
always pass.

If a test passes with other values, something acts on the comparison. Only literals count that a test compares for
equality, in its function. Standard library only, for the target's own
Python (3.6 and later).
"""

import ast
import copy
import os
import random
import time
from functools import partial

from ..forked_sandbox import TimeUp, cpu_limit, run_forked
from .base_version import restore_base
from .literal_variants import FIELDS, compile_node, find_function

MOST_TESTS, SECONDS = 20, 10.0
"""Maximum number of tests, and CPU seconds of each."""
REPEATED, REPEATED_SECONDS, LEAST_FAILED = 20, 1.0, 2
"""Maximum number of repetitions of a test, seconds for those of all tests, and the number of failures that count."""
PATIENCE = 30.0
"""Wall-clock seconds after which a silent child is killed."""
REACHED = "_swe_agent_reached"
EQUAL = ("assertEqual", "assertListEqual", "assertDictEqual", "assertTupleEqual", "assertSetEqual")


def find_blind_tests(job):
    """Return the names of the tests that pass with other expected values, too."""
    found = []
    for name in job.spec["tests"][:MOST_TESTS]:
        test = job.tests.get(name)
        if test is not None and job.left() > 0:
            run_forked(_work(test, name), found.append, max(1.0, min(PATIENCE, job.left())))
    return found


def find_flaky_tests(job):
    """Return the names of the tests that sometimes pass and sometimes fail, if they are quick enough to be repeated.

    Each run is a fork of the same process, with another state of the random number generator. `others` in the job are
    tests of the base; they do not count if they also fail sometimes there.
    """
    found = _fail_sometimes(job, job.spec["tests"], lambda: None)
    others = _fail_sometimes(job, job.spec["others"], lambda: None)
    on_base = _fail_sometimes(job, others, partial(restore_base, job))
    return found + [name for name in others if name not in on_base]


def _fail_sometimes(job, names, prepare):
    """Return the names of the tests that pass at first and fail later; each test has the same number of runs."""
    passed, end = {name: [] for name in names[:MOST_TESTS] if name in job.tests}, time.monotonic() + REPEATED_SECONDS
    for number in range(REPEATED):
        for name, outcomes in passed.items():
            if len(outcomes) == number and outcomes[:1] != [False] and time.monotonic() < end:
                run_forked(partial(_repeat, job.tests[name], prepare), outcomes.append, PATIENCE)
    return [
        name for name, outcomes in passed.items() if outcomes[:1] == [True] and outcomes.count(False) >= LEAST_FAILED
    ]


def _repeat(test, prepare, emit):
    prepare()
    random.seed(os.urandom(8))
    try:
        with cpu_limit(SECONDS):
            emit(test.run()[0] == "passed")
    except TimeUp:
        pass


def _work(test, name):
    def work(emit):
        reached = []
        if _change(test.function(), lambda: reached.append(1)):
            try:
                with cpu_limit(SECONDS):
                    if test.run()[0] == "passed" and reached:
                        emit(name)
            except TimeUp:
                pass

    return work


class _Marked(ast.NodeTransformer):
    """Puts a call of REACHED before each statement with a comparison that counts."""

    def __init__(self, comparisons):
        self._comparisons = {id(one) for one in comparisons}

    def _mark(self, node):
        if not any(id(part) in self._comparisons for part in ast.walk(node)):
            return node
        return [ast.copy_location(ast.parse(REACHED + "()").body[0], node), node]

    visit_Assert = visit_Expr = _mark  # noqa: N815


def _change(function, mark):
    """Change the expected values of a test in this process, and let it call `mark` where it compares them; return
    whether there are any."""
    above, node = find_function(function.__code__) if function else ((), None)
    if node is None:
        return False
    node = copy.deepcopy(node)
    assigned = {}
    for part in ast.walk(node):
        if isinstance(part, ast.Assign) and len(part.targets) == 1 and isinstance(part.targets[0], ast.Name):
            assigned.setdefault(part.targets[0].id, []).append(part.value)
    changed, comparisons = {}, []
    for comparison, sides in _compared(node):
        scalars = [one for literal in _expected(sides, assigned) for one in _scalars(literal)[:1]]
        changed.update((id(one), one) for one in scalars)
        comparisons += [comparison] if scalars else []
    for literal in changed.values():
        field = FIELDS[type(literal).__name__]
        setattr(literal, field, _other(getattr(literal, field)))
    code = compile_node(_Marked(comparisons).visit(node), above, function.__code__) if changed else None
    if code is None:
        return False
    function.__globals__[REACHED] = mark
    function.__code__ = code
    return True


def _compared(function):
    """Yield each comparison for equality that an assertion makes, with its two sides."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            test = node.test
            if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
                yield test, (test.left, test.comparators[0])
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in EQUAL and len(node.args) >= 2:
            yield node, (node.args[0], node.args[1])


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
