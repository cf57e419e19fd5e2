"""`locate --log`: the places and commits that an error log leads to, and a bisection with a test that fails."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trajectories.errors import UsageError

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository
    from agent.config.settings import Settings
    from extensions.code_search.bisection import Bisection, Range
    from extensions.code_search.log_localization import LogLocalization

SHORT_ID = 12
WORKING_TREE = "the working tree"


@dataclass(frozen=True, slots=True)
class LogOptions:
    """The options of `locate` that concern a log."""

    log: Path | None
    good: str | None
    reproduce: str | None
    test: str | None
    base: str | None
    workspace: str | None
    image: str | None
    top: int

    def check(self, other: object) -> None:
        """Raise UsageError if options are missing, or if `other`, an option for an issue or a patch, was given."""
        if self.log is None:
            name = "--good" if self.good else "--reproduce" if self.reproduce else "--test"
            raise UsageError(f"{name} was given without a log.", "Give the error log with --log F.")
        if other:
            raise UsageError("--log and an issue or a patch were both given.", "Choose one.")
        if (self.reproduce or self.test) and not self.good:
            name = "--reproduce" if self.reproduce else "--test"
            raise UsageError(f"{name} needs a commit without the error.", "Give it with --good REV.")


def locate_log(given: LogOptions, repo: str | None, json: bool, plain: bool, verbose: bool) -> int:
    """Print what the log leads to; return 1 if a bisection was asked for and found no single commit."""
    from aci.localization.issue_localization import HistoryBase
    from agent.console.rich_terminal import clean_printer, console, plain_waiting, waiting
    from agent.inputs.issue_input import log_from, repository_for
    from agent.run_state.terminal_question import confirm
    from extensions.code_search.error_log import read_error_log
    from extensions.code_search.log_localization import commits_since, localize_log

    assert given.log
    say = clean_printer(console(plain, stderr=True))
    text = log_from(given.log)
    source = repository_for(None, repo, confirm, say, waiting=plain_waiting)
    before = HistoryBase(source.git_dir, source.commit(given.base))
    good = source.commit(given.good) if given.good else ""
    since = commits_since(before, good) if good else []
    with waiting("Reading the log and the repository", plain or json) as progress:
        log = read_error_log(text)
        with source.blobs(given.base) as blobs:
            found = localize_log(blobs, log, before, since, given.top, progress.print)
    bisection = _bisect(source, given, good, since, plain or json) if given.reproduce or given.test else None
    if json:
        from json import dumps

        import typer

        document = found.as_json(verbose) | ({"bisect": _bisection_json(source, bisection)} if bisection else {})
        typer.echo(dumps(document))
    else:
        _show(source, given, log.title, found, bisection, plain, verbose)
    return 1 if bisection and not bisection.first_bad else 0


def _bisect(source: Repository, given: LogOptions, good: str, since: Sequence[str], plain: bool) -> Bisection:
    """Find the commit that made the test fail. Raises UsageError if it does not fail at the base or does not pass at
    the good commit."""
    from agent.config.settings import load_settings
    from agent.config.workspace_choice import choose_workspace
    from agent.console.rich_terminal import clean_printer, console, waiting
    from agent.inputs.issue_input import reproduction_from

    say = clean_printer(console(plain, stderr=True))
    own = source.file(".swe-agent.toml", given.base) or b""
    settings = load_settings(own, workspace=given.workspace, image=given.image, test=given.test)
    settings = choose_workspace(settings, say)
    node = reproduction_from(given.reproduce, source.root) or ""
    left: list[Range] = []
    with waiting("Searching for the commit", plain) as progress:
        show = clean_printer(progress)

        def step(rest: Range) -> None:
            left[:] = [rest]
            show(f"{rest.left} commits are left.")

        try:
            return _search(source, given, settings, node, good, step, show)
        except KeyboardInterrupt:
            if left:
                bad, start = left[0].bad[:SHORT_ID], left[0].good[:SHORT_ID]
                say(f"Interrupted with {left[0].left} commits left. Continue with --base {bad} --good {start}.")
            raise


def _search(
    source: Repository,
    given: LogOptions,
    settings: Settings,
    node: str,
    good: str,
    step: Callable[[Range], object],
    show: Callable[[str], None],
) -> Bisection:
    from aci.history.git_log import GitLog
    from aci.runtime.workspace import HARNESS_SESSION
    from aci.testing.suite_command import detect_command
    from agent.cli.code_permission import check_may_run
    from agent.engine.base_workspace import open_base, open_in_environment
    from agent.phases.user_reproduction import free_path
    from extensions.code_search.bisection import Bisection, Outcome, TestRunner, bisect, outcome_of

    check_may_run([], settings, given.workspace, "test")
    with (
        open_base(source, given.base, settings, show) as (options, environment),
        closing(open_in_environment(settings.workspace, options, environment)) as opened,
    ):
        trees, bad = options.trees, options.base.commit
        file, mark, name = node.partition("::")
        content = Path(file).read_bytes() if Path(file).is_absolute() else None
        if content is not None:
            file = free_path(set(trees.files(options.base.tree)), Path(file).name)
        own = f"{file}{mark}{name}"
        command = settings.test or environment.test or detect_command(opened, HARNESS_SESSION, [own] if own else ())
        check_may_run([f"{command} {shlex.quote(own)}" if own else command], settings, given.workspace, "test")
        runner = TestRunner(opened, command, own, settings.test_timeout)
        now = options.base.tree if source.bare else source.base(trees).tree
        test_tree = now if file in trees.files(now) else options.base.tree

        def with_test(tree: str) -> str:
            """Return a tree with the test as it is now, or at the base if it was deleted, so that older commits have
            it, and also the commits with which an interrupted search continues."""
            if content is not None:
                return trees.write({file: content}, tree)
            return trees.overlay(tree, test_tree, [file]) if file in trees.files(test_tree) else tree

        shown = node or command
        failing = runner.run(with_test(options.base.tree))
        if (outcome := outcome_of(failing)) != "bad":
            where = given.base or WORKING_TREE
            raise UsageError(f"{shown} {_verb(outcome)} at {where}.", "Give a test that fails there with --reproduce.")

        def test(commit: str) -> Outcome:
            found = outcome_of(runner.run(with_test(source.base(trees, commit).tree)), failing)
            show(f"{commit[:SHORT_ID]} is {found}." if found != "skip" else f"{commit[:SHORT_ID]} cannot be tested.")
            return found

        if (outcome := test(good)) != "good":
            verb = "also fails" if outcome == "bad" else _verb(outcome)
            raise UsageError(f"{shown} {verb} at {good[:SHORT_ID]}.", "Give another commit with --good.")
        if source.base(trees, bad).tree == options.base.tree or (outcome := test(bad)) == "bad":
            return bisect(GitLog(source.git_dir), good, bad, test, step)
        if outcome == "good":
            return Bisection((WORKING_TREE,), ((bad, "good"),))
        found = bisect(GitLog(source.git_dir), good, bad, test, step)
        # Without a result at HEAD, the uncommitted changes may also be the cause.
        return Bisection((WORKING_TREE, *found.candidates), ((bad, outcome), *found.tested))


def _verb(outcome: str) -> str:
    return "passes" if outcome == "good" else "gives no result"


def _subjects(source: Repository, ids: Sequence[str]) -> dict[str, str]:
    from aci.history.git_log import GitLog

    known = [id for id in ids if id != WORKING_TREE]
    found = GitLog(source.git_dir).read(known) if known else ()
    return {one.id: one.message.decode("utf-8", "replace").partition("\n")[0] for one in found}


def _bisection_json(source: Repository, found: Bisection) -> dict[str, Any]:
    subjects = _subjects(source, found.candidates)
    return {
        "first_bad": found.first_bad or None,
        "candidates": [{"commit": id, "subject": subjects.get(id, "")} for id in found.candidates],
        "tested": [{"commit": commit, "outcome": outcome} for commit, outcome in found.tested],
    }


def _show(
    source: Repository,
    given: LogOptions,
    title: str,
    found: LogLocalization,
    bisection: Bisection | None,
    plain: bool,
    verbose: bool,
) -> None:
    from aci.observation.untrusted_text import one_line
    from agent.console.rich_terminal import console
    from extensions.code_search.localization_output import SHOWN_REASONS, print_places

    def add(text: str) -> None:
        out.print(one_line(text), markup=False, highlight=False, soft_wrap=True)

    out = console(plain)
    if bisection:
        subjects = _subjects(source, bisection.candidates)
        single = "The test fails since" if bisection.first_bad else "The test fails since one of"
        named = [f"{id[:SHORT_ID]} {subjects[id]}" if id in subjects else id for id in bisection.candidates]
        add(f"{single}: {'; '.join(named)}")
        out.print()
    add("Named in the log:" if found.named else "The log names no file of the repository.")
    for one in found.named:
        where = f"{one.path}:{one.line}" if one.line else one.path
        out.print("  ", end="")
        add(f"{where} {one.name} — line {one.log_line} of the log")
    if given.good:
        out.print()
        add(f"Commits since {given.good}:" if found.commits else f"No commit since {given.good} matches the log.")
    for commit in found.commits:
        out.print("  ", end="")
        add(f"{commit.commit[:SHORT_ID]} {commit.subject} — {'; '.join(commit.why[:SHOWN_REASONS])}")
    out.print()
    where = f"{source.name} at {source.describe_source(given.base)}"
    print_places(found.likely, one_line(title), where, "No other place matches.", plain, verbose)
