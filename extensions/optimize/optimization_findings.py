"""The findings of an optimization: functions that are hot, faster versions, refused ones with the reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from agent.patch_checks.findings import Finding, clean_findings

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from agent.lifecycle.run_result import Result

_TARGET = re.compile(r"(?P<function>(?P<path>[^:\n]+\.py):(?P<name>[\w.]+)): (?P<text>.+)")
_GAIN = re.compile(r"[\d,]+ -> [\d,]+ instructions")


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

    said = [*ended.verdict.notes, *ended.word.splitlines()]
    found = _of_optimization(said, ended.candidates, ended.verdict.kind == "faster", line)
    return clean_findings(found, engine.secrets)


def _of_optimization(
    said: Iterable[str], candidates: Iterable[Mapping[str, Any]], is_faster: bool, line: Callable[[str, str], int]
) -> Iterator[Finding]:
    """Yield the findings; `line` returns the line of a function, from its path and name."""
    texts: dict[str, list[str]] = {}
    for match in filter(None, map(_TARGET.fullmatch, said)):
        texts.setdefault(match["function"], []).append(match["text"])
    refused: dict[str, list[str]] = {}
    for one in candidates:
        texts.setdefault(str(one["function"]), [])
        if one["status"] != "right":
            why = "; ".join(map(str, one.get("why", ())[:3]))
            refused.setdefault(str(one["function"]), []).append(f"{one['what']}: {one['status']}: {why}")
    for function, lines in texts.items():
        path, _, name = function.rpartition(":")
        at = path, line(path, name)
        if gain := next((text for text in lines if is_faster and _GAIN.match(text)), ""):
            yield Finding("faster-function", f"{name}: {gain}", *at)
        else:
            more = f" {lines[0]}" if lines else ""
            yield Finding("hot-function", f"{name} is hot, and was not made faster.{more}", *at)
        for text in refused.get(function, ()):
            yield Finding("refused-candidate", f"{name}: {text}", *at)
