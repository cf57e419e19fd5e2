"""All templates together: expected changes are among the candidates, and each candidate is new and parses."""

from __future__ import annotations

import ast
from itertools import islice

import pytest

from extensions.experiment.evaluator.spectrum import Spectrum
from extensions.experiment.source.source_file import Source
from extensions.repair.analysis.suspicious_statements import Suspect
from extensions.repair.candidate_order import order_candidates

pytestmark = pytest.mark.slow

SAMPLE = '''\
import math


class Stack:
    """A stack."""

    LIMIT = 10

    def push(self, item: int, *more: int, **named) -> bool:
        """Push."""
        seen = set()
        for one in (item, *more):
            if one in seen or len(self.items) > self.LIMIT:
                continue
            self.items.append(one); seen.add(one)
        total = sum(x * 2 for x in self.items if x > 0) // 2
        while total > 1 and not self.full:
            total -= 1
        try:
            label = f"{total!r} of {named['a']}"
        except KeyError as error:
            raise ValueError(label) from error
        return self.items[-1:] == [item] if more else math.floor(total) <= 3
'''


def candidates(data: bytes, most: int = 20_000) -> list[bytes]:
    source = Source("a.py", data)
    suspected = [Suspect("a.py", line, 1.0 / line) for line in range(1, data.count(b"\n") + 2)]
    ordered = order_candidates([source], suspected, Spectrum((), (), {}))
    return [candidate.apply(data) for candidate in islice(ordered, most)]


def test_every_candidate_is_new_and_parses() -> None:
    texts = candidates(SAMPLE.encode(), 6000)
    assert len(texts) > 3000
    assert SAMPLE.encode() not in texts
    assert all(parses(text) for text in texts)


def parses(data: bytes) -> bool:
    try:
        ast.parse(data)
    except SyntaxError:
        return False
    return True


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("if a < b:", "if a <= b:"),
        ("return a + b", "return a - b"),
        ("return f(a, b)", "return f(b, a)"),
        ("return a[b]", "return a[b - 1]"),
        ("return f(a)", "return a"),
        ("a ^= b", "a &= b"),
        ("return any(a)", "return all(a)"),
        ("for x in a:", "for x in a[b:]:"),
        ("if a and b:", "if a or b:"),
        ("if a:", "if not a:"),
        ("while True:", "while a:"),
        ("if a.next is None:", "if a is None or a.next is None:"),
        ("return False", "return True"),
        ("return []", "return [a]"),
        ("a = b", "a = max(a, b)"),
        ("return a.first", "return a.second"),
        ("return a", "return a ** 2"),
        ("break", "continue"),
        ("raise a", "return b"),
    ],
)
def test_expected_change_is_candidate(before: str, after: str) -> None:
    body = f"{before}\n            b = a" if before.endswith(":") else before
    code = f"def f(a, b):\n    a.second()\n    for z in b:\n        {body}\n"
    assert code.replace(before, after).encode() in candidates(code.encode())


@pytest.mark.parametrize(
    "lines",
    [["if a is None:", "    return None"], ["seen.add(a)"], ["a = b"], ["b.append(b)"]],
)
def test_statements_are_inserted(lines: list[str]) -> None:
    code = "def f(a, b):\n    seen = set()\n    b.append(a)\n    return g(a)\n"
    new = "".join(f"    {line}\n" for line in lines)
    assert code.replace("    return g", f"{new}    return g").encode() in candidates(code.encode())
