"""Grading of one prediction by its instance's hidden tests, in a clean workspace at the base."""

from __future__ import annotations

import re
import shlex
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event

from aci.repository.user_repository import Repository
from aci.runtime.workspace import Workspace, WorkspaceOptions, open_workspace
from aci.testing.runner_probe import runner_probe
from aci.testing.suite_command import NoTestRunner
from aci.testing.suite_results import UNREAD, SuiteReport
from aci.testing.suite_run import SESSION, run_tests
from agent.config.settings import Settings
from extensions.lab.evaluation.expected_results import passes, unconfirmed
from extensions.lab.evaluation.grading_files import NOT_APPLIED, START, STOP, apply, test_patch_script
from extensions.lab.evaluation.grading_images import Registry, with_test_image
from extensions.lab.evaluation.grading_specs import GradingSpec, grading_spec
from extensions.lab.evaluation.patch_grade import GradingResult
from extensions.lab.evaluation.reference_pictures import picture_urls, without_pictures, write_pictures
from extensions.lab.instances.dataset_instances import Gold
from extensions.lab.instances.jobs import Instance
from trajectories.errors import UsageError
from trajectories.git_store.trees import Trees

NOT_RUN = 126, 127
"""Exit codes of a shell that cannot run or find a program."""
_NO_MODULE = re.compile(r"(?m)^\S+: No module named [\w.]+\s*\Z")
"""The last line of `python -m NAME` if the interpreter has no module NAME."""
_NEVER_RAN = "The test command ran no tests."
_ENDS = "[ ! -L {log} ] && [ -f {log} ] && head -c 400000 {log} && echo && echo ... && tail -c 400000 {log}"
"""A shell command that prints the beginning and end of a log that is too long; the first part contains the marker where
the tests' output starts."""
_RAN_TESTS = re.compile(
    r"(?im)^\s*[1-9]\d* (?:passing|specs?, \d+ failures?)\b|Executed ([1-9]\d*) of \1\b|^TOTAL: [1-9]\d* success"
    r"|^Tests: .*[1-9]\d* passed|^# pass [1-9]"
)
"""What runners print that name only failed tests."""
_LOG = "test_output.txt"
_PROBE_SECONDS = 60.0
_STATUS = {"xfailed": "XFAIL", "xpassed": "PASSED"}
"""Outcomes whose names differ in SWE-bench's log parsers."""


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """Options that all gradings of one `evaluate` command share. `timeout` is in seconds, for the tests of one
    instance."""

    settings: Settings
    repository: Callable[[Instance], Path]
    cancel: Event = field(default_factory=Event)
    say: Callable[[str], None] = lambda line: None
    timeout: float = 1800.0
    registry: Registry = field(default_factory=Registry)


def evaluate_one(gold: Gold, instance: Instance, patch: str, options: EvaluationContext) -> GradingResult:
    """Grade `patch` by the instance's tests; if it is empty, grade the base.

    Raises UsageError for an instance that cannot be evaluated, WorkspaceError if the machine fails, Cancelled.
    """
    began = time.monotonic()
    way = grading_spec(gold, instance, options.settings.test)
    if way.read and not _names(gold):
        raise UsageError(f"{gold.id} names no tests to judge by.", "Give it FAIL_TO_PASS, or a test command.")
    with (
        tempfile.TemporaryDirectory(prefix="swe-agent-evaluate-") as folder,
        Trees(Path(folder) / "trees.git") as trees,
    ):
        repository = Repository.open(options.repository(instance))
        base = repository.base(trees, instance.base or None)
        place = WorkspaceOptions(
            repository=repository,
            base=base,
            trees=trees,
            **options.settings.limits,
            serve=options.settings.serve,
            cancel=options.cancel,
            say=options.say,
        )
        way = replace(way, image=way.image or options.registry.image(instance, way, options.settings, options.say))
        place, activation = with_test_image(
            way, place, options.settings, str(gold.row.get("environment_setup_commit") or "")
        )
        workspace = open_workspace(options.settings.workspace, place)
        try:
            clean = _edited(workspace, way, base.tree)
            starts = _runner_starts(workspace, way, activation, clean)
            way = replace(way, before=(*activation, *way.before))
            attempt = _Attempt(gold, way, workspace, options.timeout, clean, starts)
            found = _grade(attempt, place, patch)
        finally:
            workspace.close()
    return replace(found, seconds=round(time.monotonic() - began, 3), workspace=options.settings.workspace)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The grading of one patch in `workspace`, with a limit of `timeout` seconds for the tests. The tree `clean` has
    the files without the patch."""

    gold: Gold
    way: GradingSpec
    workspace: Workspace
    timeout: float
    clean: str
    starts: bool
    """Whether the test runner started before the patch was applied."""

    @contextmanager
    def without_patch(self) -> Iterator[Workspace]:
        """Yield a workspace that the patched code has not run in, since it may have damaged the environment of its
        own."""
        workspace = self.workspace.fork(self.clean)
        try:
            yield workspace
        finally:
            workspace.close()


def _edited(workspace: Workspace, way: GradingSpec, tree: str) -> str:
    """Apply the edits of the instance's set-up, and return the tree with them."""
    if not way.edits:
        return tree
    workspace.run(f"cd {shlex.quote(workspace.root)} && {'; '.join(way.edits)}")
    return workspace.snapshot().tree


def _runner_starts(workspace: Workspace, way: GradingSpec, activation: Sequence[str], clean: str) -> bool:
    """Whether the test runner is seen to start; false if the command does not name it. Call this before the patch is
    applied: with `--workspace local`, the patched code can remove the runner from this machine."""
    probe = runner_probe(way.command)
    if probe is None:
        return False
    # Bytecode of a file that the patch changes could be used for the changed file.
    lines = [f"cd {shlex.quote(workspace.root)}", "export PYTHONDONTWRITEBYTECODE=1", *activation, probe.command]
    code, log = _run(workspace, "\n".join(lines), _PROBE_SECONDS)
    workspace.restore(clean)
    return code != 124 and not _is_missing(code, log)


def _grade(attempt: _Attempt, place: WorkspaceOptions, patch: str) -> GradingResult:
    gold, way, workspace = attempt.gold, attempt.way, attempt.workspace
    applied, said = apply(workspace, patch, attempt.clean)
    if not applied:
        return GradingResult(gold.id, resolved=False, applied=False, log=said)
    pictures = picture_urls(gold.row)
    write_pictures(workspace, pictures, str(gold.row.get("repo", "")))
    tests = test_patch_script(place.base.commit, without_pictures(gold.test_patch, pictures))
    found = (_by_log if way.read else _by_hooks)(attempt, tests)
    return replace(found, log=said + found.log, script=_script(way, workspace.root, tests))


def _script(way: GradingSpec, root: str, tests: str) -> str:
    """Return a script that runs the tests; it can be run again by hand with the patch applied."""
    end = f"code=$?\necho '{STOP}'\n[ $code != 126 ] && [ $code != 127 ] || exit $code\n"
    command = f"echo '{START}'\n{way.command}\n{end}" if way.read else ""
    return "\n".join(["#!/bin/bash", f"cd {shlex.quote(root)}", *way.before, f"{tests}{command}"])


def _by_log(attempt: _Attempt, tests: str) -> GradingResult:
    """Grade by the tests' output; what the hooks of the test runner do not confirm has not passed, since the code under
    test can print anything."""
    gold, way, timeout = attempt.gold, attempt.way, attempt.timeout
    assert way.read is not None

    def run(workspace: Workspace) -> SuiteReport:
        script = _script(way, workspace.root, tests)
        return run_tests(workspace, _written(workspace, script)[0], (), timeout, each=timeout)

    def is_missing(workspace: Workspace, code: int) -> bool:
        return _is_missing(code, _test_output(_read_log(workspace, f"{workspace.harness}/{_LOG}")))

    workspace = attempt.workspace
    report = run(workspace)
    code, log = 124 if report.timed_out else report.code, _read_log(workspace, f"{workspace.harness}/{_LOG}")
    if error := _error_of(code, timeout):
        return GradingResult(gold.id, resolved=False, applied=True, error=error, log=log)
    if report.is_unread:  # nothing would confirm what the output says
        return GradingResult(gold.id, resolved=False, applied=True, error=UNREAD.text, infrastructure=True, log=log)
    passed = way.read(log)
    output = _test_output(log)
    if not passed and is_missing(workspace, code) and not attempt.starts:
        with attempt.without_patch() as clean:
            is_missing_there = is_missing(clean, run(clean).code)
        if is_missing_there:
            return GradingResult(gold.id, resolved=False, applied=True, error=_NEVER_RAN, infrastructure=True, log=log)
    names = _names(gold)
    by_default = way.fail_only and bool(_RAN_TESTS.search(output))
    doubtful = unconfirmed(names, report)
    if any(passed.get(name, by_default) for name in names) and _is_silenced(report, run, attempt):
        doubtful = set(names)
    if forged := sorted(name for name in doubtful if passed.get(name)):
        log += f"The output says that these tests passed, but the test runner does not: {', '.join(forged)}\n"
    return _result(gold, {name: passed.get(name, by_default) and name not in doubtful for name in names}, log)


def _is_silenced(report: SuiteReport, run: Callable[[Workspace], SuiteReport], attempt: _Attempt) -> bool:
    """Whether the hooks of the test runner recorded nothing with the patch, and do without it.

    Then the patch ended the runner before they started, as one of the runner itself or of a module that it loads can.
    """
    if report.granularity != "command":
        return False
    with attempt.without_patch() as clean:
        return run(clean).granularity != "command"


def _test_output(log: str) -> str:
    return log.rpartition(START)[2].partition(STOP)[0]


def _by_hooks(attempt: _Attempt, tests: str) -> GradingResult:
    """Grade by the results that swe-agent's test runner hooks record."""
    gold, way, timeout = attempt.gold, attempt.way, attempt.timeout
    code, log = _run(attempt.workspace, _script(way, attempt.workspace.root, tests), timeout)
    if error := _error_of(code, timeout):
        return GradingResult(gold.id, resolved=False, applied=True, error=error, log=log)

    def run(workspace: Workspace) -> SuiteReport:
        for line in way.before:
            workspace.run(line, session=SESSION)
        return run_tests(workspace, way.command, way.nodes, timeout, each=timeout)

    def run_without_patch(workspace: Workspace) -> SuiteReport:
        _run(workspace, _script(way, workspace.root, tests), timeout)
        return run(workspace)

    try:
        report = run(attempt.workspace)
    except NoTestRunner as gone:
        with attempt.without_patch() as clean:
            run_without_patch(clean)  # raises the error again if it is not the patch that removed the runner
        result = _result(gold, dict.fromkeys(_names(gold), False), f"{log}{gone.message}\n")
        return replace(result, resolved=False)
    log += f"$ {report.command}\n{START}\n{_output(report)}\n"
    log += "".join(f"{_STATUS.get(result.outcome, result.outcome.upper())} {result.id}\n" for result in report.results)
    log += f"{STOP}\n{report.summary()}\n"
    if report.timed_out:
        return GradingResult(gold.id, resolved=False, applied=True, error=_error_of(124, timeout), log=log)
    if report.is_unread and report.granularity == "command":  # only an exit code is known
        return GradingResult(gold.id, resolved=False, applied=True, error=UNREAD.text, infrastructure=True, log=log)
    names = _names(gold)
    missing = not report.results and not attempt.starts and _is_missing(report.code, _output(report))
    if missing:
        with attempt.without_patch() as clean:
            without = run_without_patch(clean)
        missing = _is_missing(without.code, _output(without))
    if not report.results and (missing or (report.granularity == "test" and report.code in (0, 5))):
        return GradingResult(gold.id, resolved=False, applied=True, error=_NEVER_RAN, infrastructure=missing, log=log)
    if report.ok and _is_silenced(report, run_without_patch, attempt):
        log += "The test runner recorded no result, as it does without the patch.\n"
        report = replace(report, code=1)
    if not names:
        return GradingResult(gold.id, resolved=report.ok, applied=True, log=log)
    return _result(gold, passes(names, report), log)


def _is_missing(code: int, output: str) -> bool:
    """Return whether the program that runs the tests seems not to exist. A patch can cause the same, so the run without
    it decides."""
    return code in NOT_RUN or (code == 1 and bool(_NO_MODULE.search(output)))


def _output(report: SuiteReport) -> str:
    return report.output.decode("utf-8", "replace")


def _run(workspace: Workspace, script: str, timeout: float) -> tuple[int, str]:
    """Return the exit code of a script and its whole output, which may exceed a session's limit."""
    line, log = _written(workspace, script)
    ran = workspace.run(line, timeout)
    return 124 if ran.timed_out else ran.code, _read_log(workspace, log)


def _written(workspace: Workspace, script: str) -> tuple[str, str]:
    """Write a script into the workspace; return a shell line that runs it, and the file with its output."""
    place, log = f"{workspace.harness}/eval.sh", f"{workspace.harness}/{_LOG}"
    workspace.write(place, script.encode("utf-8", "surrogateescape"))
    shell = '"$(command -v bash || command -v sh)"'
    return f"{shell} {shlex.quote(place)} > {shlex.quote(log)} 2>&1", log


def _read_log(workspace: Workspace, log: str) -> str:
    try:
        said = workspace.read(log)
    except (OSError, UsageError):
        said = workspace.run(_ENDS.format(log=shlex.quote(log))).output
    return said.decode("utf-8", "replace")


def _error_of(code: int, timeout: float) -> str:
    if code == NOT_APPLIED:
        return "The instance's test patch does not apply to its base."
    return f"The tests did not end within {timeout:.0f} s." if code == 124 else ""


def _names(gold: Gold) -> Sequence[str]:
    return (*gold.fail_to_pass, *gold.pass_to_pass)


def _result(gold: Gold, passed: Mapping[str, bool], log: str) -> GradingResult:
    f2p, p2p = gold.fail_to_pass, gold.pass_to_pass
    return GradingResult(
        gold.id,
        resolved=all(passed[name] for name in _names(gold)),
        applied=True,
        f2p_ok=tuple(name for name in f2p if passed[name]),
        f2p_failed=tuple(name for name in f2p if not passed[name]),
        p2p_ok=tuple(name for name in p2p if passed[name]),
        p2p_failed=tuple(name for name in p2p if not passed[name]),
        log=log,
    )
