"""`run_tests`: the repository's tests, with the true status and a digest of what failed."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from aci.digest import MOST_FAILURES, digest, says_more
from aci.evidence import innermost, missing_name
from aci.patch import is_test
from aci.testing import Report, TestResult
from aci.testing import run_tests as run
from aci.trial import some
from aci.view import clean
from tools.base import Context, tool
from trajectories.errors import RunBroken
from trajectories.records import Observation
from trajectories.trees import Trees

LONGEST = 3600
MOST_IDS = 8
MOST_KEPT, LONGEST_MESSAGE, SHORT_MESSAGE = 500, 1000, 100
"""Failures that are kept for strategies, and characters of the message of the first few and of the rest."""
SLOW, MOST_FOLDERS = 30.0, 3
"""Seconds from which on a run is told where its time went, and to how many folders."""
MOST_NAMED = 64 << 20
"""Bytes of the names of passing tests."""
NOTHING_CHOSEN = (0, 5)
"""Exit codes of a run that ended well and had no test."""
_CHANGED: WeakKeyDictionary[Trees, dict[tuple[str, str], frozenset[str]]] = WeakKeyDictionary()


@tool
def run_tests(ctx: Context, nodes: list[str] | None = None, command: str = "", timeout: int = 600) -> Observation:
    """Run tests and wait for their end; answers with true status, counts, and each failure's message.

    Args:
        nodes: pytest node ids, unittest names, files or folders; all tests when left out.
        command: If not the repository's usual one.
        timeout: Seconds, up to 3600.
    """
    nodes = nodes or [ctx.subtree] * bool(ctx.subtree and not command)
    report = run(ctx.workspace, command or ctx.test_command, nodes or (), min(max(timeout, 1), LONGEST))
    data = {
        "failed": list(report.failed),
        "passed": len(report.passed),
        "counts": report.counts,
        "code": report.code,
        "granularity": report.granularity,
        "failures": _failures([result for result in report.results if result.bad]),
        "complete": report.complete and not report.timed_out,
        "tree": ctx.workspace.snapshot().tree,
        "passing": keep_names(ctx, report.passed) if report.granularity == "test" else None,
    }
    head = [report.summary(), *report.notes, *_slow(report, timeout)]
    if nodes and report.granularity == "command":
        head.append("This command cannot be narrowed to what was named: everything was run.")
    if nodes and report.granularity == "test":
        head += [f"No such test: {node}" for node in nodes[:MOST_IDS] if not _ran(node, report)]
    if nodes and report.granularity == "test" and not report.results and report.code in NOTHING_CHOSEN:
        return Observation("\n".join(head), ok=False, data=data)
    if not report.results:
        output, out = ctx.show(report.output, "tests")
        return Observation("\n".join([*head, output]), ok=report.ok, out=out, data=data)
    failed = [result for result in report.results if result.bad]
    if not failed and report.ok:
        return Observation("\n".join(head), data=data)
    known = _failed_before(ctx, [result for result in failed if not _is_named(result, nodes or ())])
    head += [f"Failed before the source was changed, too: {some(known)}."] if known else []
    told, output = [*head, *digest([result for result in failed if result.id not in known])], clean(report.output)
    if failed and not says_more(output, "\n".join(told)):
        return Observation("\n".join(told), ok=report.ok, data=data)
    out = ctx.keep(output.encode())
    return Observation("\n".join([*told, f"The whole output is out:{out}."]), ok=report.ok, out=out, data=data)


def _failed_before(ctx: Context, failed: Sequence[TestResult]) -> list[str]:
    """Which of these failed alike in a run of this branch on the base's source; not what is new since the base."""
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
        if (result.id, result.error, clean(result.message)[:SHORT_MESSAGE]) in before and result.path not in touched
    ]


def _changed(ctx: Context, tree: str) -> frozenset[str]:
    """The paths in which a tree differs from the base; asked of git once, though each failing run asks for all trees.

    What two trees hold never changes, so it is known as long as the store that holds them is open.
    """
    known = _CHANGED.setdefault(ctx.trees, {})
    pair = ctx.base.tree, tree
    if pair not in known:
        known[pair] = frozenset(change.path for change in ctx.trees.changed(*pair))
    return known[pair]


def _is_named(result: TestResult, nodes: Sequence[str]) -> bool:
    """Whether the test itself, or all of its parameters, was asked for."""
    return any(result.id == node or result.id.startswith(f"{node}[") for node in nodes)


def _slow(report: Report, timeout: int) -> list[str]:
    """Where the time went, of a suite that takes long; what to do about one that did not end."""
    if report.seconds < SLOW and not report.timed_out:
        return []
    spent: dict[str, float] = {}
    for result in report.results:
        folder = result.path.rpartition("/")[0] or "."
        spent[folder] = spent.get(folder, 0.0) + result.seconds
    most = sorted(spent, key=lambda folder: -spent[folder])[:MOST_FOLDERS]
    longest = [f"{folder} {spent[folder]:.0f} s" for folder in most if spent[folder] >= 1]
    told = [f"Longest: {', '.join(longest)}."] if len(spent) > 1 and longest else []
    if report.timed_out and timeout < LONGEST:
        told.append(f"Name folders or tests, or give a timeout of up to {LONGEST} s: it is waited for.")
    return told


def keep_names(ctx: Context, names: Sequence[str]) -> int:
    """Tests' names as an output of the run, since a suite may have 50,000; `recall_names` reads them."""
    return ctx.keep(zlib.compress("\n".join(names).encode("utf-8", "surrogatepass"), 1))


def recall_names(data: bytes) -> list[str]:
    """What `keep_names` kept. Raises RunBroken for what it did not, or more than MOST_NAMED bytes: who wrote it is not
    known."""
    try:
        unpacking = zlib.decompressobj()
        names = unpacking.decompress(data, MOST_NAMED)
        if not unpacking.eof:
            raise ValueError
        return names.decode("utf-8", "surrogatepass").split("\n")
    except (zlib.error, ValueError):
        raise RunBroken("A recorded list of passing tests is damaged or too long.", "Begin a new run.") from None


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
