"""The lifecycle of a run: create, solve, deliver and close it. `fix`, `resume` and batches use this module.

An examiner may judge the outcome of a strategy. The extension examiner provides it by the plug-in kind
`agent.lifecycle.examiner`, whose `examined` asks for tests before a repair and judges its outcome by them. Before it,
`locate_first` of the kind `agent.lifecycle.locator` may let a model rank the likely places.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aci.observation.secret_masking import mask_secrets
from aci.proof.compiled_tests import with_base_tests
from aci.proof.run_audit import find_contamination, find_injections, missing_audit
from aci.repository.added_tests import extended_test_files
from aci.repository.patch import split_patch
from aci.repository.test_files import is_test
from aci.repository.user_repository import Repository
from agent.config.settings import Settings
from agent.config.workspace_choice import choose_workspace
from agent.conversation.model_requests import settle_recorded_replies
from agent.conversation.model_roles import assign_roles, has_examiner_model, validate_models
from agent.engine.branch import Branch
from agent.engine.engine import Engine, environment_facts, known_secrets
from agent.engine.proof_step import best_outcome, rejected_outcome
from agent.engine.run_hooks import check_hooks
from agent.engine.run_memory import run_memory
from agent.engine.strategy_prompts import load_prompts, prompt_hashes
from agent.engine.task import Task
from agent.engine.tool_servers import check_servers
from agent.engine.user_choices import assumptions
from agent.lifecycle.closing_text import closing_text
from agent.lifecycle.delivery import Publish, deliver, delivered_flags
from agent.lifecycle.merge_review import record_review, recorded_review
from agent.lifecycle.run_result import Result
from agent.lifecycle.user_change_detection import take_over_changes
from agent.limits.cancellation import CancellationToken
from agent.limits.rate_limiter import Limiter
from agent.run_state.attempt_outcome import Outcome
from agent.run_state.progress_event import ProgressEvent
from agent.run_state.proposed_tree import Proposal, proposal_note
from agent.run_state.run_ownership import open_registry, register, run_owner
from agent.run_state.run_settings import settings_of_own_run
from agent.run_state.strategy_traits import (
    is_about_failing_tests,
    is_apart,
    is_by_hand,
    is_repair,
    may_delegate,
    strategy_of,
)
from agent.run_state.turn_state import MAIN, turn_base_tree
from agent.version import __version__
from tools.base import Toolbox, metadata_of
from trajectories.errors import (
    Cancelled,
    ConfigError,
    LimitStop,
    ModelError,
    Refused,
    Stop,
    SweAgentError,
    TryLater,
    UsageError,
    WaitsForUser,
    WorkspaceError,
)
from trajectories.facts import Fact
from trajectories.git_store.git_commands import make_folder, sync_folder
from trajectories.git_store.trees import Trees
from trajectories.journal import Journal, encode, first_record, read, write_durably
from trajectories.outside_calls import describe_calls
from trajectories.page_picture import pages_of_tree
from trajectories.plugins import find, installed_module
from trajectories.records import Exit, Issue, Note, Patch, Run, Step, Turn, record_time
from trajectories.trajectory import Trajectory, replay_of
from trajectories.verdict import EARLIER_RULES, WHOLE, Verdict

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository
    from agent.config.settings import Settings
    from agent.engine.engine import Engine
    from agent.limits.cancellation import CancellationToken
    from agent.run_state.proposed_tree import Proposal
    from trajectories.records import Issue


Strategy = Callable[[Task], Generator[Step, None, Outcome]]

DONE = {"answered", "done", "undone", "written"}
"""Exits of turns that need no proof: an answer, a command, an undo, or written tests."""
WITHOUT_SERVERS = "The proof ran without them."
MAKE_ROOM = "Free space there and check that you have write access, or set SWE_AGENT_STATE to another folder."
NOT_INSTALLED = "No independent tests were written: the extension examiner is not installed."


def begin(
    issue: Issue,
    source: Repository,
    settings: Settings,
    rev: str | None = None,
    name: str = "",
    registry: Path | None = None,
    proposed: Proposal | None = None,
) -> Path:
    """Create a new run, write its first records and return its directory. By default, the name of the run is based on
    the current time. A `proposed` patch is stored with the records.

    The run is registered as the user's own in the state folder `registry`, which defaults to the state folder in the
    settings. If the creation of the run fails, no files remain.

    This also checks for problems that would make the run fail later, such as an unavailable model or a patch that could
    not be delivered.
    """
    strategy = strategy_of(settings)
    settings, keys = validate_models(settings, strategy)
    check_servers(settings)
    check_hooks(settings)
    prompts = load_prompts(strategy, settings.prompts)
    source.check_delivery(settings.apply, settings.branch)
    try:
        with new_folder(settings, name, registry) as directory:
            with Trees(directory / "trees.git") as trees:
                base = source.base(trees, rev, settings.copy_files)
                known = trees.files(base.tree)
                tree = proposed.tree(trees) if proposed else ""
                problems = tuple(proposed.problems(trees, tree)) if proposed else ()
            run = Run(
                id=directory.name,
                issue=_masked(issue, keys),
                repository=_as_text(source.root),
                base=base,
                settings=_with_test_path(settings, source, set(known)).recorded(),
                versions={"swe-agent": __version__, "python": sys.version.split()[0], **prompt_hashes(prompts)},
                prompts=prompts,
                tools=Toolbox().schemas(),
            )
            digest = register(directory, registry or settings.state, encode(run))
            journal = Journal(directory, digest)
            claims = journal.keep(proposed.claims) if proposed and proposed.claims else None
            notes = [proposal_note(proposed, tree, claims, problems)] if proposed else []
            journal.append(run, Turn("fix", strategy, assign_roles(settings, strategy)), *notes)
            journal.close()
    except OSError as error:
        raise WorkspaceError(f"A run cannot be stored in {settings.runs}: {error.strerror}.", MAKE_ROOM) from error
    return directory


def new_run_name() -> str:
    """Return a name for a run, based on the current time."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


@contextmanager
def new_folder(settings: Settings, name: str = "", registry: Path | None = None) -> Iterator[Path]:
    """Create the folder of a new run, which is registered before its first record is written.

    The folder is removed if the context raises.
    """
    directory = settings.runs / (name or new_run_name())
    make_folder(settings.runs)
    open_registry(registry or settings.state)
    directory.mkdir(mode=0o700)  # an existing folder belongs to another run
    try:
        sync_folder(settings.runs)
        yield directory
    except BaseException:  # including KeyboardInterrupt; re-raised below
        shutil.rmtree(directory, ignore_errors=True)
        raise


def _masked(issue: Issue, keys: tuple[str, ...]) -> Issue:
    """Mask secrets that the user may have pasted into the issue."""
    secrets = (*known_secrets(os.environ), *keys)

    def mask(text: str) -> str:
        return mask_secrets(text, secrets)

    comments = (replace(each, body=mask(each.body), about=mask(each.about)) for each in issue.comments)
    past = (replace(each, title=mask(each.title), text=mask(each.text)) for each in issue.past)
    issue = replace(issue, title=mask(issue.title), body=mask(issue.body), attachments=mask(issue.attachments))
    return replace(issue, labels=tuple(map(mask, issue.labels)), comments=tuple(comments), past=tuple(past))


def _as_text(root: Path) -> str:
    try:
        str(root).encode()
    except UnicodeEncodeError:
        raise UsageError(f"The path of {str(root)!a} is not UTF-8.", "Move or rename the folder.") from None
    return str(root)


def _with_test_path(settings: Settings, source: Repository, known: set[str]) -> Settings:
    """Return the settings, with the full path of the reproduction test if it exists only in the working tree."""
    file, mark, node = settings.reproduce.partition("::")
    if file in known or not (source.root / file).is_file() or not file:
        return settings
    return settings.model_copy(update={"reproduce": f"{source.root / file}{mark}{node}"})


def reopen(
    directory: Path,
    state: Path,
    notify: Callable[[ProgressEvent], object] = lambda _: None,
    limiter: Limiter | None = None,
    parent: CancellationToken | None = None,
    trusted: Path | None = None,
    workspace: str | None = None,
    registry: Path | None = None,
) -> Engine:
    """Open one of the user's own runs on disk, with the settings that `settings_of_own_run` returns, and return the
    engine of the run.

    Cancelling `parent` cancels the engine. Runs in the folder `trusted` count as the user's own without being
    registered; `workspace` replaces the recorded workspace. The run is registered in the state folder `registry`, which
    defaults to `state`.

    Raises TryLater if another process is using the run, UsageError for a replay and for a run that is not the user's.
    """
    trajectory = read(directory)
    first_record(trajectory, directory)
    if of := replay_of(trajectory):
        raise UsageError(
            f"{directory.name} is a replay of {of}: it cannot be resumed.",
            f"Replay it again: `swe-agent replay {of}`.",
        )
    if (
        directory.resolve().parent != (trusted and trusted.resolve())
        and run_owner(directory, registry or state) != "user"
    ):
        raise UsageError(
            f"{directory} was not created by you on this computer.",
            f"`swe-agent resume {directory}` continues a copy of it under your own settings.",
        )
    settings = settings_of_own_run(trajectory, state, workspace=workspace)
    return Engine(directory, settings, notify, limiter, parent, registry)


def solve(engine: Engine, publish: Publish | None = None) -> Generator[Step, None, Result]:
    """Yield the run's steps as they are taken and return the result. `publish` opens the pull request that the
    settings request.

    If the run stops for a reason that a resume cannot fix, that reason is recorded as its exit. Interrupts and
    infrastructure errors are raised, and the run stays resumable.
    """
    if engine.trajectory.exit is not None:
        return result(engine)
    check_servers(engine.settings)
    with engine.at_work():
        try:
            engine.events.publish()
            engine.hooks.start(engine.resumed, lambda: engine.cancel.stopped)
            engine.journal.append(Note("main", "life", "resumed" if engine.resumed else "begun"))
            settle_recorded_replies(engine)
            if not is_by_hand(engine.trajectory.turns[-1].strategy):
                confirm_test_command(engine)
            yield from _solve_turn(engine, publish)
        except (SweAgentError, OSError) as error:
            engine.events.error(error)
            raise
    return result(engine)


def confirm_test_command(engine: Engine) -> None:
    """Ask, once, whether a documented test command may run without isolation. Raises Cancelled."""

    def say(text: str) -> None:
        engine.report("say", MAIN, text)

    engine.settings = engine.base_instructions.confirm(engine.settings, engine.approve, engine.cancel, say)


def _solve_turn(engine: Engine, publish: Publish | None) -> Generator[Step, None, None]:
    """Run the current turn until its exit record."""
    branch = Branch(engine)
    outcome: Outcome | None = None
    stop: Stop | ModelError | UsageError | None = None
    name = engine.trajectory.turns[-1].strategy
    if engine.delegates and engine.settings.delegate and may_delegate(name):
        helpers = installed_module("agent.engine.helpers")
        branch.delegation = helpers.Delegation(branch) if helpers else None
    try:
        strategy: Strategy = find("agent.strategies", name, "solve", "strategy")
        if questions := installed_module("agent.lifecycle.setup_question"):
            engine.workspaces.propose_steps = questions.step_proposals(branch)
        yield from branch.take_up(talks=bool(find("agent.strategies", name, "ROLES", "strategy")))
        if not is_apart(name):
            yield from take_over_changes(branch)
        if locator := installed_module("agent.lifecycle.locator"):
            yield from locator.locate_first(branch)
        outcome = yield from _with_examiner(branch, strategy(Task(branch)))
        if engine.settings.merge_review:
            record_review(branch, outcome)
        yield from run_memory().write_lesson(branch, outcome)
    except Cancelled:
        if is_by_hand(name):
            stop = Cancelled("The command was stopped before its end.", "Enter it again to repeat it.")
        elif engine.cancel.stopped or not engine.cancel.expired:
            raise
        else:
            stop = LimitStop(
                f"The run has used its {engine.settings.max_time:g} seconds.", "Give more with --max-time."
            )
    except Stop as error:
        stop = error
    except UsageError as error:
        if not is_by_hand(name):
            raise
        stop = error
    except Refused as error:
        raise ConfigError(
            error.message, f"{error.fix} Then continue with `swe-agent resume {engine.run.id}`."
        ) from error
    except ModelError as error:
        if error.retryable:
            fix = f"{error.fix} Continue with `swe-agent resume {engine.run.id}`.".strip()
            raise TryLater(error.message, fix) from error
        stop = error
    if outcome is None:
        outcome = _best(engine)
    _finish(engine, outcome, stop, publish)


def _with_examiner(branch: Branch, repair: Generator[Step, None, Outcome]) -> Generator[Step, None, Outcome]:
    """Yield the steps of a strategy's `repair` and of the examiner, and return the outcome that the examiner judged."""
    if not _is_examined(branch):
        return (yield from repair)
    if module := installed_module("agent.lifecycle.examiner"):
        judged: Outcome = yield from module.examined(branch, repair)
        return judged
    return _without_examiner((yield from repair))


def _is_examined(branch: Branch) -> bool:
    """Whether the examiner is asked. Other strategies than repairs have none, nor have runs without a model or an
    issue."""
    issue, settings = branch.turn.issue, branch.engine.settings
    if not settings.independent or not has_examiner_model(settings) or not is_repair(branch.turn.strategy):
        return False
    return bool(issue.text.strip()) and not is_about_failing_tests(issue)


def _without_examiner(outcome: Outcome) -> Outcome:
    """Return the outcome of a repair that the examiner should have judged, which might have disputed it."""
    verdict = outcome.verdict
    if not verdict.complete:
        return outcome
    facts = (Fact("doubt", NOT_INSTALLED), *verdict.facts)
    return replace(outcome, verdict=replace(verdict, kind="unproven", evidence="", facts=facts))


def _best(engine: Engine) -> Outcome:
    """Return the best outcome of the current turn so far."""
    base = turn_base_tree(engine.trajectory, engine.run.base.tree)
    return best_outcome(engine.trajectory, engine.trees, base)


def _finish(engine: Engine, outcome: Outcome, stop: SweAgentError | None, publish: Publish | None) -> None:
    """Write and deliver the patch, store its lessons, then write the exit record."""
    tree = without_edited_tests(engine, outcome.tree)
    began = turn_base_tree(engine.trajectory, engine.run.base.tree)
    patch = split_patch(engine.trees, engine.run.base.tree, tree)
    rejected = _rejected_by_hook(engine, patch) if outcome.tree != began else ""
    outcome = rejected_outcome(outcome, rejected)
    write_result_files(engine, patch, outcome.verdict.commands)
    changed = bool(patch) and (tree != began or outcome.verdict.kind != "none")
    exit = Exit(
        kind=_kind(outcome, changed, stop),
        code=_code(engine.settings.accept, outcome, changed, stop),
        tree=tree,
        verdict=_with_sources(engine, outcome.verdict),
        message=stop.message if stop else "",
        fix=stop.fix if stop else "",
        seconds=engine.clock.seconds,
    )
    if rejected:
        engine.report("say", MAIN, "The patch is not delivered, since a hook rejected it.")
    elif len(engine.trajectory.turns) == 1:
        deliver(engine, result(engine, exit), publish)
    exit = replace(exit, at=record_time())
    run_memory().store_lessons(engine, exit)
    engine.journal.append(exit)


def _rejected_by_hook(engine: Engine, patch: Patch) -> str:
    """Return why the user's hooks reject the final patch, as a sentence; "" if they do not, or if the user made the
    turn's changes."""
    if not patch or is_by_hand(engine.trajectory.turns[-1].strategy):
        return ""
    return engine.hooks.reject_patch(patch.tree, lambda: patch.diff, lambda: engine.cancel.stopped)


def without_edited_tests(engine: Engine, tree: str) -> str:
    """Return the tree with the base's own tests restored, unless the user allowed changing them (`--update-tests`).
    Files to which only tests were added are kept, and so is code whose own tests are restored."""
    base = engine.run.base.tree
    if engine.settings.update_tests or tree == base:
        return tree
    extended = extended_test_files(engine.trees, base, tree)
    edited = [
        change.path
        for change in engine.trees.changed(base, tree)
        if change.status != "A" and is_test(change.path) and change.path not in extended
    ]
    tree = engine.trees.overlay(tree, base, edited) if edited else tree
    return with_base_tests(engine.trees, base, tree)


def _with_sources(engine: Engine, verdict: Verdict) -> Verdict:
    """Return the verdict with facts on places outside the repository where the model may have read the fix, on possible
    prompt injections, and on tools outside the workspace."""
    steps = engine.trajectory.all_steps()
    read = find_contamination(steps, engine.trees, engine.run.base.tree, lambda tool: metadata_of(tool).searched)
    injected = find_injections(steps, engine.run.issue, lambda tool: metadata_of(tool).text)
    calls = describe_calls(steps)
    outside = (f"{calls} {WITHOUT_SERVERS}",) if calls else ()
    engine.workspaces.finish_search()
    said = (*missing_audit(), *read, *injected, *outside, *assumptions(engine.trajectory.of_turn))
    facts = (*environment_facts(engine.trajectory), *(Fact("limit", text) for text in said))
    return replace(verdict, facts=(*verdict.facts, *facts))


def _kind(outcome: Outcome, changed: bool, stop: SweAgentError | None) -> str:
    if outcome.verdict.kind in WHOLE:
        return outcome.verdict.kind
    if isinstance(stop, Stop):
        return stop.kind
    if stop is not None:
        return "error"
    return outcome.exit or ("unproven" if changed else "not_found")


def _code(accept: str, outcome: Outcome, changed: bool, stop: SweAgentError | None) -> int:
    """Return the exit code of a finished run or turn; 0 for a plausible patch only if the user accepts those."""
    if outcome.verdict.is_accepted(accept) or (stop is None and outcome.exit in DONE):
        return 0
    if changed and not isinstance(stop, (Cancelled, WaitsForUser)):
        return 6
    return stop.code if stop else 1


def _with_current_code(accept: str, exit: Exit) -> Exit:
    """Return the exit of a run that was verified under the rules of 0.2 with the code of its verdict today."""
    if EARLIER_RULES not in exit.verdict.conditions or exit.kind != exit.verdict.kind:
        return exit
    return replace(exit, code=0 if exit.verdict.is_accepted(accept) else 6)


def _candidates(trajectory: Trajectory) -> list[dict[str, Any]]:
    """Return the candidates of `optimize`: the last notes on each function's group."""
    groups = [note.data["group"] for note in trajectory.notes if note.kind == "score" and "function" in note.data]
    return list({(each["function"], each["tree"]): each for group in groups for each in group}.values())


def result(engine: Engine, coming: Exit | None = None) -> Result:
    """Return the run's current result, even if it has not ended; `coming` is an exit that is about to be recorded."""
    trajectory = engine.trajectory
    exit = trajectory.exit or coming
    if exit:
        exit = _with_current_code(engine.settings.accept, exit)
    else:
        outcome = _best(engine)
        tree = without_edited_tests(engine, outcome.tree)
        exit = Exit("open", Cancelled.code, tree, outcome.verdict, seconds=engine.clock.seconds)
    done = [record for record in trajectory.of_turn if isinstance(record, Note) and record.kind == "done"]
    began = turn_base_tree(trajectory, engine.run.base.tree)
    return Result(
        run=engine.run.id,
        directory=engine.journal.directory,
        exit=exit,
        patch=split_patch(engine.trees, engine.run.base.tree, exit.tree),
        spent=engine.ledger.spent,
        steps=len(trajectory.all_steps()),
        ended=trajectory.exit is not None,
        effects=tuple(note.text for note in done),
        flagged=delivered_flags(done),
        pull=next((str(note.data["url"]) for note in reversed(done) if "url" in note.data), ""),
        word=closing_text(engine, exit, began),
        pages=tuple(pages_of_tree(trajectory, exit.tree)),
        began=began,
        review=recorded_review(trajectory),
        candidates=tuple(_candidates(trajectory)),
    )


def write_result_files(engine: Engine, patch: Patch, commands: Sequence[str]) -> None:
    """Write `patch.diff`, and `proof.sh` if the verdict has commands that repeat the proof and the extension `bundles`,
    which makes the script, is installed. Raises WorkspaceError."""
    folder = engine.journal.directory
    scripts = installed_module("agent.lifecycle.proof_script") if commands else None
    try:
        write_durably(folder / "patch.diff", patch.diff.encode("utf-8", "surrogateescape"))
        if scripts:
            script: str = scripts.script_of_run(engine, folder / "patch.diff", commands)
            write_durably(folder / "proof.sh", script.encode("utf-8", "surrogateescape"))
        else:
            (folder / "proof.sh").unlink(missing_ok=True)  # an existing script belongs to an earlier turn's patch
    except OSError as error:
        raise WorkspaceError(
            f"The patch cannot be written: {error.strerror}.", "Free space on the disk, then resume."
        ) from error


def open_new_run(
    issue: Issue,
    source: Repository,
    settings: Settings,
    rev: str | None,
    notify: Callable[[ProgressEvent], object],
    proposed: Proposal | None = None,
    parent: CancellationToken | None = None,
) -> Engine:
    """Create a run at `rev` and open it; `notify` is called with its progress, from the choice of the workspace on.
    Cancelling `parent` cancels the run."""
    chosen = choose_workspace(settings, lambda text: notify(ProgressEvent("say", "main", text)))
    return reopen(begin(issue, source, chosen, rev, proposed=proposed), chosen.state, notify, parent=parent)
