"""Tests that run again in the same process: with other expected values they must fail, and often repeated they must
always pass.

If a test passes with other values, something acts on the comparison. Only literals count that a test compares for
equality, in its function.
Standard library only, for the target's own Python (3.6 and later).
"""

import ast
import copy
import os
import random
import time
from functools import partial

from .base_version import restore_base
from .forked_sandbox import TimeUp, cpu_limit, run_forked
from .literal_variants import FIELDS, compile_node, find_function

MOST_TESTS, SECONDS = 20, 10.0
"""Maximum number of tests, and CPU seconds of each."""
REPEATED, REPEATED_SECONDS, BASE_SECONDS, LEAST_FAILED = 20, 1.0, 5.0, 2
"""Maximum number of repetitions of a test, seconds for those of all tests (also on the base), and the
number of failures that count."""
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
    tests of the base; they count only if they always pass there.
    """
    found = _fail_sometimes(job, job.spec["tests"], lambda: None)
    others = _fail_sometimes(job, job.spec["others"], lambda: None)
    on_base = _outcomes(job, others, partial(restore_base, job), BASE_SECONDS)
    return found + [name for name in others if len(on_base[name]) == REPEATED and all(on_base[name])]


def _fail_sometimes(job, names, prepare):
    """Return the names of the tests that pass at first, and that fail and then pass again."""
    found = _outcomes(job, names, prepare, REPEATED_SECONDS)
    return [
        name
        for name, passed in found.items()
        if passed[:1] == [True] and passed.count(False) >= LEAST_FAILED and True in passed[passed.index(False) :]
    ]


def _outcomes(job, names, prepare, seconds):
    """Return whether each test passed in each run; all tests have the same number of runs, in so many seconds."""
    passed, end = {name: [] for name in names[:MOST_TESTS] if name in job.tests}, time.monotonic() + seconds
    for number in range(REPEATED):
        for name, outcomes in passed.items():
            if len(outcomes) == number and outcomes[:1] != [False] and time.monotonic() < end:
                run_forked(partial(_repeat, job.tests[name], prepare), outcomes.append, PATIENCE)
    return passed


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
    assigned = _assigned_once(node)
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


def _assigned_once(function):
    """Return the values of the variables that are assigned once and used once, so that nothing else depends on them."""
    names = [part for part in ast.walk(function) if isinstance(part, ast.Name)]
    counts = {}
    for name in names:
        counts[name.id] = counts.get(name.id, 0) + 1
    found = {}
    for part in ast.walk(function):
        targets = part.targets if isinstance(part, ast.Assign) else ()
        if len(targets) == 1 and isinstance(targets[0], ast.Name) and counts[targets[0].id] == 2:
            found[targets[0].id] = part.value
    return found


def _certain_nodes(node):
    """Yield the nodes below a node, without those in statements that may handle a failed assertion."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.Try, ast.With, ast.AsyncWith)):
            yield child
            yield from _certain_nodes(child)


def _compared(function):
    """Yield each comparison for equality that an assertion makes, with its two sides."""
    for node in _certain_nodes(function):
        if isinstance(node, ast.Assert):
            test = node.test
            if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
                yield test, (test.left, test.comparators[0])
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in EQUAL and len(node.args) >= 2:
            yield node, (node.args[0], node.args[1])


def _expected(sides, assigned):
    """Yield the literal among two sides, of which the other one is no literal; a variable in `assigned` counts as its
    value."""
    values = [assigned.get(getattr(one, "id", ""), one) for one in sides]
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
