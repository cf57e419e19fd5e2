"""The findings of an optimization: functions that are hot, faster versions, refused ones with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from agent.patch_checks.findings import Finding, clean_findings

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from agent.lifecycle.run_result import Result
    from trajectories.facts import Fact


def optimization_findings(engine: Engine, ended: Result) -> list[Finding]:
    """Return the findings of a run of `optimize`, in the order of RULES, with secrets masked."""
    from trajectories.errors import UsageError

    lines: dict[tuple[str, str], int] = {}

    def line(path: str, name: str) -> int:
        from aci.runtime.target_function import Target

        if (path, name) not in lines:
            try:
                function = Target(path, name).find(engine.trees.read(engine.run.base.tree, path))
                lines[path, name] = function.lineno
            except (OSError, UsageError, SyntaxError, ValueError):
                lines[path, name] = 0
        return lines[path, name]

    found = _of_optimization(ended.verdict.facts, ended.candidates, ended.verdict.kind == "faster", line)
    return clean_findings(found, engine.secrets)


def _of_optimization(
    facts: Iterable[Fact], candidates: Iterable[Mapping[str, Any]], is_faster: bool, line: Callable[[str, str], int]
) -> Iterator[Finding]:
    """Yield the findings; `line` returns the line of a function, from its path and name."""
    known: dict[str, list[Fact]] = {}
    for fact in facts:
        if "function" in fact.data:
            known.setdefault(str(fact.data["function"]), []).append(fact)
    refused: dict[str, list[str]] = {}
    for one in candidates:
        known.setdefault(str(one["function"]), [])
        if one["status"] != "right":
            why = "; ".join(map(str, one.get("why", ())[:3]))
            refused.setdefault(str(one["function"]), []).append(f"{one['what']}: {one['status']}: {why}")
    for function, about in known.items():
        path, _, name = function.rpartition(":")
        at = path, line(path, name)
        gain = next((fact for fact in about if is_faster and "instructions" in fact.data), None)
        shown = gain or next((fact for fact in about if fact.kind == "slow_function"), None) or next(iter(about), None)
        text = shown.text.removeprefix(f"{function}: ") if shown else ""
        if gain:
            yield Finding("faster-function", f"{name}: {text}", *at)
        else:
            yield Finding("hot-function", f"{name} is hot, and was not made faster. {text}".rstrip(), *at)
        for why in refused.get(function, ()):
            yield Finding("refused-candidate", f"{name}: {why}", *at)
