"""`run_tests`: the repository's tests, with the true status and a digest of what failed."""

from __future__ import annotations

from collections.abc import Sequence

from aci.evidence import innermost, missing_name
from aci.testing import Report, TestResult
from aci.testing import run_tests as run
from aci.view import clean, cut_lines
from tools.base import Context, tool
from trajectories.records import Observation

LONGEST = 3600
MOST_FAILURES, MOST_IDS, MOST_LINES, MOST_FRAMES = 12, 8, 12, 3
LONGEST_LINE = 300
LONGEST_MESSAGE = 1000


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
        "failures": [_failure(result) for result in report.results if result.bad][:MOST_FAILURES],
    }
    head = [report.summary(), *report.notes]
    if nodes and report.granularity == "command":
        head.append("This command cannot be narrowed to what was named: everything was run.")
    if nodes and report.granularity == "test":
        head += [f"No such test: {node}" for node in nodes[:MOST_IDS] if not _ran(node, report)]
    if not report.results:
        output, out = ctx.show(report.output)
        return Observation("\n".join([*head, output]), ok=report.ok, out=out, data=data)
    failed = [result for result in report.results if result.bad]
    if not failed and report.ok:
        return Observation("\n".join(head), data=data)
    out = ctx.keep(clean(report.output).encode())
    text = "\n".join([*head, *_digest(failed), f"The whole output is out:{out}."])
    return Observation(text, ok=report.ok, out=out, data=data)


def _failure(result: TestResult) -> dict[str, str]:
    """A failure as strategies judge it: where it is, what was raised, and the name that the test itself lacks."""
    return {
        "id": result.id,
        "path": result.path or result.id.partition("::")[0],
        "error": result.error,
        "at": innermost(result),
        "missing": missing_name(result),
        "message": clean(result.message)[:LONGEST_MESSAGE],
    }


def _ran(node: str, report: Report) -> bool:
    """Whether a result belongs to what was asked for."""
    name = node.rstrip("/").removeprefix("./")
    return name in ("", ".") or any(
        result.id.startswith(name) or result.path.startswith(name) or result.id.endswith(name)
        for result in report.results
    )


def _digest(failed: Sequence[TestResult]) -> list[str]:
    """Failures with where and why; those with one and the same message together."""
    groups: dict[tuple[str, str], list[TestResult]] = {}
    for result in failed:
        groups.setdefault((result.message, result.trace[-1] if result.trace else ""), []).append(result)
    shown = []
    for (message, _), results in list(groups.items())[:MOST_FAILURES]:
        shown += [f"{result.outcome.upper()} {result.id}" for result in results[:MOST_IDS]]
        if len(results) > MOST_IDS:
            shown.append(f"… {len(results) - MOST_IDS} more tests with this message")
        shown += [f"  at {frame}" for frame in results[0].trace[-MOST_FRAMES:]]
        shown += _message(message)
    rest = list(groups.values())[MOST_FAILURES:]
    if rest:
        shown.append(f"… {sum(map(len, rest))} more failures")
    return shown


def _message(message: str) -> list[str]:
    """The first lines of a message, indented; its last too, where a diff or an exception ends."""
    lines = [f"  {cut_lines(line, LONGEST_LINE)}" for line in clean(message).split("\n") if line.strip()]
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[: MOST_LINES - 3], f"  … {len(lines) - MOST_LINES + 1} lines", *lines[-2:]]
