"""`run_tests`: the repository's tests, with the true status and a digest of what failed."""

from __future__ import annotations

from collections.abc import Sequence

from aci.digest import MOST_FAILURES, digest, says_more
from aci.evidence import innermost, missing_name
from aci.testing import Report, TestResult
from aci.testing import run_tests as run
from aci.view import clean
from tools.base import Context, tool
from trajectories.records import Observation

LONGEST = 3600
MOST_IDS = 8
MOST_KEPT, LONGEST_MESSAGE, SHORT_MESSAGE = 500, 1000, 100
"""Failures that are kept for strategies, and characters of the message of the first few and of the rest."""
NOTHING_CHOSEN = (0, 5)
"""Exit codes of a run that ended well and had no test."""


@tool
def run_tests(ctx: Context, nodes: list[str] | None = None, command: str = "", timeout: int = 600) -> Observation:
    """Run tests and wait for their end; answers with true status, counts, and each failure's message.

    Args:
        nodes: pytest node ids, unittest names, files or folders; all tests when left out.
        command: If not the repository's usual one.
        timeout: Seconds.
    """
    report = run(ctx.workspace, command or ctx.test_command, nodes or (), min(max(timeout, 1), LONGEST))
    data = {
        "failed": list(report.failed),
        "passed": len(report.passed),
        "counts": report.counts,
        "code": report.code,
        "granularity": report.granularity,
        "failures": _failures([result for result in report.results if result.bad]),
    }
    head = [report.summary(), *report.notes]
    if nodes and report.granularity == "command":
        head.append("This command cannot be narrowed to what was named: everything was run.")
    if nodes and report.granularity == "test":
        head += [f"No such test: {node}" for node in nodes[:MOST_IDS] if not _ran(node, report)]
    if nodes and report.granularity == "test" and not report.results and report.code in NOTHING_CHOSEN:
        return Observation("\n".join(head), ok=False, data=data)
    if not report.results:
        output, out = ctx.show(report.output)
        return Observation("\n".join([*head, output]), ok=report.ok, out=out, data=data)
    failed = [result for result in report.results if result.bad]
    if not failed and report.ok:
        return Observation("\n".join(head), data=data)
    told, output = [*head, *digest(failed)], clean(report.output)
    if failed and not says_more(output, "\n".join(told)):
        return Observation("\n".join(told), ok=report.ok, data=data)
    out = ctx.keep(output.encode())
    return Observation("\n".join([*told, f"The whole output is out:{out}."]), ok=report.ok, out=out, data=data)


def _failures(failed: Sequence[TestResult]) -> list[dict[str, str]]:
    """Failures as strategies judge them: where each is, what was raised, and the name that the test itself lacks."""
    return [
        {
            "id": result.id,
            "path": result.path or _file(result.id.partition("::")[0]),
            "error": result.error,
            "at": innermost(result),
            "missing": missing_name(result),
            "message": clean(result.message)[: LONGEST_MESSAGE if number < MOST_FAILURES else SHORT_MESSAGE],
        }
        for number, result in enumerate(failed[:MOST_KEPT])
    ]


def _file(name: str) -> str:
    """The file of a module that unittest could not load."""
    return name if "/" in name or name.endswith(".py") else f"{name.replace('.', '/')}.py"


def _ran(node: str, report: Report) -> bool:
    """Whether a result belongs to what was asked for."""
    name = node.rstrip("/").removeprefix("./")
    return name in ("", ".") or any(
        result.id.startswith(name) or result.path.startswith(name) or result.id.endswith(name)
        for result in report.results
    )
