"""The `run_tests` tool: runs the repository's tests and reports their status and a digest of the failures."""

from __future__ import annotations

import re
import shlex
import zlib
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from aci.observation.untrusted_text import clean_output
from aci.proof.evidence import innermost_file, missing_name
from aci.proof.proof_run import format_names
from aci.repository.test_files import is_test
from aci.runtime.snapshots import describe_submodule, submodule_missing_in
from aci.testing.command_files import PYTEST
from aci.testing.failure_digest import MOST_FAILURES, format_failures, has_more_output
from aci.testing.suite_run import SuiteReport, TestResult
from aci.testing.suite_run import run_tests as run
from tools.base import ConsentQuestion, Context, TextSource, ToolCall, tool
from trajectories.errors import RunBroken
from trajectories.git_store.trees import Trees
from trajectories.records import Observation

LONGEST = 3600
MOST_IDS = 8
MOST_KEPT, LONGEST_MESSAGE, SHORT_MESSAGE = 500, 1000, 100
"""Maximum number of failures kept for strategies; maximum number of characters of each of the first few failure
messages, and of each later one."""
SLOW, MOST_FOLDERS = 30.0, 3
"""Minimum number of seconds of a test run for which the slowest folders are reported; maximum number of folders that
are reported."""
MOST_NAMED = 64 << 20
"""Maximum size in bytes of the names of passing tests."""
NOTHING_CHOSEN = (0, 5)
"""Exit codes of a run that ended normally without running a test."""
NO_COLLECTION = "The runner stopped before it had collected any test. Remove the cause, or give another `command`."
LEAST_REPEATED = 30
"""Minimum number of characters of a line of output that is left out if the header quotes it."""
PLAIN_NODE = re.compile(r"[A-Za-z0-9_./:@=+,\[\]-]+")
NODES_REASON = "where the command takes names of tests depends on its runner"
_CHANGED: WeakKeyDictionary[Trees, dict[tuple[str, str], frozenset[str]]] = WeakKeyDictionary()


def ask_about_tests(call: ToolCall) -> ConsentQuestion:
    command = call.arguments["command"]
    nodes = call.arguments["nodes"] or [call.subtree] * bool(call.subtree and not command)
    is_plain = not command and all(map(PLAIN_NODE.fullmatch, nodes))
    command = command or call.find_test_command(nodes)
    subject = " ".join(filter(None, (command, shlex.join(nodes)))) if command else ""
    why = NODES_REASON if nodes and not is_plain else ""
    return ConsentQuestion("Run tests with this command on this machine?", subject, why=why)


@tool(result="tests", text=TextSource("program", "The output of the tests"), consent=ask_about_tests)
def run_tests(ctx: Context, nodes: list[str] | None = None, command: str = "", timeout: int = 600) -> Observation:
    """Run tests and wait; returns status, counts and each failure.

    Args:
        nodes: Test ids, files or folders; default: all tests.
        command: If not the repository's usual one.
        timeout: Seconds, at most 3600.
    """
    nodes = nodes or [ctx.subtree] * bool(ctx.subtree and not command)
    report = run(
        ctx.workspace,
        command or ctx.test_command,
        nodes or (),
        min(max(timeout, 1), LONGEST),
        on_output=ctx.show_output,
    )
    data = {
        "failed": list(report.failed),
        "passed": len(report.passed),
        "counts": report.counts,
        "code": report.code,
        "seconds": round(report.seconds, 3),
        "granularity": report.granularity,
        "failures": _failures([result for result in report.results if result.bad]),
        "complete": report.complete and not report.timed_out,
        "tree": ctx.workspace.snapshot().tree,
        "passing": keep_names(ctx, report.passed) if report.granularity == "test" else None,
    }
    head = [report.summary(), *report.notes, *_slowness_notes(report, timeout)]
    if _stopped_before_collection(report):
        head.insert(1, NO_COLLECTION)
    files, output = ctx.trees.files(ctx.base.tree), report.output.decode("utf-8", "replace")
    module, submodule = submodule_missing_in(ctx.workspace, files, output) if report.code else ("", "")
    head += [describe_submodule(f"The module {module}", submodule)] if submodule else []
    if nodes and report.granularity == "command" and not _stopped_before_collection(report):
        head.append("This command cannot be narrowed to the named tests, so all tests were run.")
    if nodes and report.granularity == "test" and not _stopped_before_collection(report):
        head += [f"No such test: {node}" for node in nodes[:MOST_IDS] if not _has_result(node, report)]
    if nodes and report.granularity == "test" and not report.results and report.code in NOTHING_CHOSEN:
        return Observation("\n".join(head), ok=False, data=data)
    if not report.results:
        output, out = ctx.show(report.output, "tests")
        header = "\n".join(head)
        lines = [line for line in output.split("\n") if len(line) < LEAST_REPEATED or line.strip() not in header]
        return Observation("\n".join([*head, *lines]).rstrip(), ok=report.ok, out=out, data=data)
    failed = [result for result in report.results if result.bad]
    if not failed and report.ok:
        return Observation("\n".join(head), data=data)
    known = _failed_before(ctx, [result for result in failed if not _is_requested(result, nodes or ())])
    head += [f"Already failed before the source was changed: {format_names(known)}."] if known else []
    lines, output = (
        [*head, *format_failures([result for result in failed if result.id not in known])],
        clean_output(report.output),
    )
    if failed and not has_more_output(output, "\n".join(lines)):
        return Observation("\n".join(lines), ok=report.ok, data=data)
    out = ctx.keep(output.encode())
    return Observation("\n".join([*lines, f"Full output: out:{out}"]), ok=report.ok, out=out, data=data)


def _failed_before(ctx: Context, failed: Sequence[TestResult]) -> list[str]:
    """Return the tests that failed in the same way in an earlier run on the base's source code; tests in changed files
    are excluded."""
    runs = [seen.data for step in ctx.steps for seen in step.observations if "failed" in seen.data]
    trees = dict.fromkeys(str(data["tree"]) for data in runs if data.get("tree"))
    changes = {tree: _changed(ctx, tree) for tree in trees}
    as_it_was = {tree for tree, changed in changes.items() if all(map(is_test, changed))}
    before = {
        (each["id"], each["error"], each["message"][:SHORT_MESSAGE])
        for data in runs
        if data.get("tree") in as_it_was
        for each in data.get("failures", ())
    }
    touched = {path for changed in changes.values() for path in changed}
    return [
        result.id
        for result in failed
        if (result.id, result.error, clean_output(result.message)[:SHORT_MESSAGE]) in before
        and result.path not in touched
    ]


def _changed(ctx: Context, tree: str) -> frozenset[str]:
    """Return the paths in which a tree differs from the base.

    Each failing test run compares all trees with the base, so git's answers are cached. Trees never change, so the
    cache is valid as long as their store is open.
    """
    known = _CHANGED.setdefault(ctx.trees, {})
    pair = ctx.base.tree, tree
    if pair not in known:
        known[pair] = frozenset(change.path for change in ctx.trees.changed(*pair))
    return known[pair]


def _is_requested(result: TestResult, nodes: Sequence[str]) -> bool:
    """Return whether the test was requested, either by its own id or by the id of its parametrized test."""
    return any(result.id == node or result.id.startswith(f"{node}[") for node in nodes)


def _stopped_before_collection(report: SuiteReport) -> bool:
    """Return whether the runner ended before it had collected any test."""
    is_runner = report.granularity == "test" or PYTEST.search(report.command) is not None
    return is_runner and not (report.results or report.timed_out or report.code in NOTHING_CHOSEN)


def _slowness_notes(report: SuiteReport, timeout: int) -> list[str]:
    """Return how the time of a slow suite was spent, and what to do about a run that timed out."""
    if report.seconds < SLOW and not report.timed_out:
        return []
    spent: dict[str, float] = {}
    for result in report.results:
        folder = result.path.rpartition("/")[0] or "."
        spent[folder] = spent.get(folder, 0.0) + result.seconds
    most = sorted(spent, key=lambda folder: -spent[folder])[:MOST_FOLDERS]
    longest = [f"{folder} {spent[folder]:.0f} s" for folder in most if spent[folder] >= 1]
    lines = [f"Slowest: {', '.join(longest)}."] if len(spent) > 1 and longest else []
    if report.timed_out and timeout < LONGEST:
        lines.append(f"Name folders or tests, or set a timeout of up to {LONGEST} s.")
    return lines


def keep_names(ctx: Context, names: Sequence[str]) -> int:
    """Store the names of tests as an output of the run, because a suite may have 50,000 tests; read them with
    `recall_names`."""
    return ctx.keep(zlib.compress("\n".join(names).encode("utf-8", "surrogatepass"), 1))


def recall_names(data: bytes) -> list[str]:
    """Return the names that `keep_names` stored. Raises RunBroken if the data is damaged or decompresses to more than
    MOST_NAMED bytes; this is checked because someone else may have written the record."""
    try:
        unpacking = zlib.decompressobj()
        names = unpacking.decompress(data, MOST_NAMED)
        if not unpacking.eof:
            raise ValueError
        return names.decode("utf-8", "surrogatepass").split("\n")
    except (zlib.error, ValueError):
        raise RunBroken("A recorded list of passing tests is damaged or too long.", "Start a new run.") from None


def _failures(failed: Sequence[TestResult]) -> list[dict[str, str]]:
    """Return the details of failures that strategies use, such as the place, the exception, and the missing name if
    there is one."""
    return [
        {
            "id": result.id,
            "path": result.path or _file(result.id.partition("::")[0]),
            "error": result.error,
            "at": innermost_file(result),
            "missing": missing_name(result),
            "message": clean_output(result.message)[: LONGEST_MESSAGE if number < MOST_FAILURES else SHORT_MESSAGE],
        }
        for number, result in enumerate(failed[:MOST_KEPT])
    ]


def _file(name: str) -> str:
    """Return the file of a module that unittest could not load."""
    return name if "/" in name or name.endswith(".py") else f"{name.replace('.', '/')}.py"


def _has_result(node: str, report: SuiteReport) -> bool:
    """Return whether the report has a result for a requested node."""
    name = node.rstrip("/").removeprefix("./")
    return name in ("", ".") or any(
        result.id.startswith(name) or result.path.startswith(name) or result.id.endswith(name)
        for result in report.results
    )
