"""Matching of an instance's test names, which have the format of its data set's test runner, with test results.

The supported names are pytest's node ids (also cut at the first space, as by SWE-bench's log parsers), `test_x
(module.Class)` of unittest and Django, dotted names, and plain function names as printed by sympy's runner.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from aci.testing.suite_results import SuiteReport, TestResult

_UNITTEST = re.compile(r"(\w+) \(([\w.]+)\)")
_NAME = re.compile(r"::|\w+ \([\w.]+\)|^\w+(?:\.\w+)+$|^test\w*$")
"""Names of tests, as opposed to other words that a log parser takes for one."""
_SCRIPT = re.compile(r"^[^\s:]+\.[cm]?[jt]sx?$")
_PATH = re.compile(r"\[/(?!/)[^*]*/")


def passes(names: Iterable[str], report: SuiteReport) -> dict[str, bool]:
    """Return for each name whether all matching tests passed; False if no test matches.

    Expected failures count as passed, as in SWE-bench's harness. Skipped tests count as not passed, although that
    harness ignores them. If only the exit code is known, it applies to all names.
    """
    if report.granularity == "command":
        return dict.fromkeys(names, report.ok)
    return {name: _passed(results) for name, results in _matching(names, report).items()}


def _matching(names: Iterable[str], report: SuiteReport) -> dict[str, Sequence[TestResult]]:
    """Return the results that belong to each name."""
    known: dict[object, list[TestResult]] = defaultdict(list)
    for result in report.results:
        for key in _keys(result.id):
            known[key].append(result)
    return {name: known.get(name) or known.get(_dotted(name)) or () for name in names}


def unconfirmed(names: Iterable[str], report: SuiteReport) -> set[str]:
    """Return the names whose tests did not pass as the hooks of the test runner recorded, whatever its output says.

    If no hook recorded anything, or the hooks know none of the names, the output is all there is, and the result is
    empty. If a test session started and recorded no test, no name is confirmed. A name may also be the path of a
    JavaScript file, which represents all tests in it.
    """
    if report.granularity == "command":
        return set()
    by_path: dict[str, list[TestResult]] = defaultdict(list)
    for result in report.results:
        by_path[result.path].append(result)
    names = list(names)
    found = _matching([name for name in names if _NAME.search(name)], report)
    found |= {name: by_path.get(name, ()) for name in names if _SCRIPT.search(name)}
    if report.results and not any(found.values()):
        return set()
    return {name for name, results in found.items() if not _passed(results)}


def _passed(meant: Iterable[TestResult]) -> bool:
    outcomes = [result.ok or result.outcome == "xfailed" for result in meant]
    return bool(outcomes) and all(outcomes)


def _keys(id: str) -> set[object]:
    """Return the names that a data set may use for a test.

    These are the whole id, the id cut at the first space, the id in which a path parameter is reduced to its last
    component, and all trailing parts of the dotted name.
    """
    cut = id.split(maxsplit=1)[0] if id.strip() else id
    parts = _dotted(cut)
    return {id, cut, _PATH.sub("[/", cut), *(parts[at:] for at in range(len(parts)))}


def _dotted(name: str) -> tuple[str, ...]:
    """Return the parts of a name; they are the same for `a/b.py::C::test_x[1]`, `a.b.C.test_x[1]` and `test_x[1]
    (a.b.C)`."""
    if match := _UNITTEST.fullmatch(name):
        test, holder = match.groups()
        name = holder if holder.endswith(f".{test}") else f"{holder}.{test}"
    head, bracket, option = name.partition("[")
    *parts, last = re.sub(r"\.py(?=::|:|$)", "", head).replace("::", ".").replace(":", ".").replace("/", ".").split(".")
    return (*parts, last + bracket + option)
