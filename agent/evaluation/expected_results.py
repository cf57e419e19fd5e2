"""Whether the tests that an instance names passed: data sets write a test's name as their runner printed it.

Known are pytest's node ids, also cut at the first space as SWE-bench's log parsers do, unittest's and Django's
`test_x (module.Class)`, dotted names, and a function's bare name, as sympy's runner prints it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from aci.report import Report, TestResult

_UNITTEST = re.compile(r"(\w+) \(([\w.]+)\)")
_PATH = re.compile(r"\[/(?!/)[^*]*/")


def passes(names: Iterable[str], report: Report) -> dict[str, bool]:
    """Of each name whether all tests that it may mean passed; one that means none did not.

    What fails as expected counts as passed, as in SWE-bench's harness; what is skipped does not, which there counts as
    nothing. Where only the exit code is known, it holds for all.
    """
    if report.granularity == "command":
        return dict.fromkeys(names, report.ok)
    known: dict[object, list[TestResult]] = defaultdict(list)
    for result in report.results:
        for key in _keys(result.id):
            known[key].append(result)
    return {name: _passed(known.get(name) or known.get(_dotted(name)) or ()) for name in names}


def _passed(meant: Iterable[TestResult]) -> bool:
    outcomes = [result.ok or result.outcome == "xfailed" for result in meant]
    return bool(outcomes) and all(outcomes)


def _keys(id: str) -> set[object]:
    """What a data set may call it: the whole, cut at a space, a path as parameter cut to its end, and its ends."""
    cut = id.split(maxsplit=1)[0] if id.strip() else id
    parts = _dotted(cut)
    return {id, cut, _PATH.sub("[/", cut), *(parts[at:] for at in range(len(parts)))}


def _dotted(name: str) -> tuple[str, ...]:
    """`a/b.py::C::test_x[1]`, `a.b.C.test_x[1]` and `test_x[1] (a.b.C)` as the same parts."""
    if match := _UNITTEST.fullmatch(name):
        test, holder = match.groups()
        name = holder if holder.endswith(f".{test}") else f"{holder}.{test}"
    head, bracket, option = name.partition("[")
    *parts, last = re.sub(r"\.py(?=::|:|$)", "", head).replace("::", ".").replace(":", ".").replace("/", ".").split(".")
    return (*parts, last + bracket + option)
