"""Sampling of slow tests and long test matrices, by a seed that `make` derives from the commit and prints."""

from __future__ import annotations

import os
import random
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import pytest

SEED = os.environ.get("SWE_AGENT_TEST_SEED") or "0"
"""A number or text; with `all`, every case and test runs."""
SLOW_CASES = 12
"""One in so many cases of a module's slow parametrized tests runs, and at least one."""
SLOW_TESTS = 6
"""One in so many of the other slow tests of a module runs, and at least one."""
QUICK_CASES = 4
"""One in so many cases of a quick parametrized test runs, and at least two, if it has at least as many."""
DOCKER_TESTS = 6
"""One in so many of the other tests of a module that need Docker runs, and at least one."""
Case = TypeVar("Case")
Group = TypeVar("Group", bound=Hashable)


def sample(cases: Sequence[Case], count: int) -> list[Case]:
    """Return `count` random cases in their original order, or all if there are fewer."""
    if SEED == "all":
        return list(cases)
    chosen = sorted(random.Random(SEED).sample(range(len(cases)), min(count, len(cases))))
    return [cases[at] for at in chosen]


def sampled_tests(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return all quick tests but a sample of long matrices, and a sample of those of each module that are slow or need
    Docker."""
    kept: list[pytest.Item] = []
    for (kind, *_), tests in _grouped((_sampling_group(item), item) for item in items).items():
        count = {
            "slow cases": -(-len(tests) // SLOW_CASES),
            "slow tests": -(-len(tests) // SLOW_TESTS),
            "docker tests": -(-len(tests) // DOCKER_TESTS),
            "quick cases": max(2, -(-len(tests) // QUICK_CASES)) if len(tests) >= QUICK_CASES else len(tests),
        }.get(kind, len(tests))
        kept += sample(tests, count) if count < len(tests) else tests
    return kept


def _sampling_group(item: pytest.Item) -> tuple[str, ...]:
    name, bracket, _ = item.name.partition("[")
    if item.get_closest_marker("slow"):
        return ("slow cases" if bracket else "slow tests", str(item.path))
    if item.get_closest_marker("docker"):
        return ("docker tests", str(item.path))
    return ("quick cases", str(item.path), name) if bracket else ("quick tests",)


def _grouped(pairs: Iterable[tuple[Group, Case]]) -> dict[Group, list[Case]]:
    groups: dict[Group, list[Case]] = {}
    for group, case in pairs:
        groups.setdefault(group, []).append(case)
    return groups
