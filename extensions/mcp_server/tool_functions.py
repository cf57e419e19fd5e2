"""The tools of the MCP server as plain functions, which call what the commands of the same names call."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.limits.cancellation import CancellationToken
from extensions.mcp_server import tool_arguments as arguments
from extensions.mcp_server.server_options import ServerOptions
from trajectories.errors import Cancelled, ConfigError, SweAgentError, UsageError
from trajectories.git_store.git_commands import encode
from trajectories.records import Issue

if TYPE_CHECKING:
    from aci.graph.code_graph import Graph
    from aci.repository.user_repository import Repository
    from agent.config.settings import Settings
    from agent.engine.engine import Engine
    from agent.run_state.progress_event import ProgressEvent
    from agent.run_state.proposed_tree import Proposal

MOST_FAILED, LONGEST_OUTPUT = 50, 4_000
"""Maximum numbers of failed tests, and of characters of the end of the output, in an answer of `run_tests`."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool. `say` is given what is being done, from any thread; setting `cancel` stops the work. `secrets`
    are those that the work used; the answer must not show them."""

    server: ServerOptions
    cancel: CancellationToken = field(default_factory=CancellationToken)
    say: Callable[[str], None] = lambda text: None
    secrets: list[str] = field(default_factory=list)

    def notify(self, event: ProgressEvent) -> None:
        if event.starts_activity or event.kind == "say":
            self.say(event.text)


def locate(call: ToolCall, given: arguments.Locate) -> dict[str, Any]:
    from aci.localization.issue_localization import HistoryBase, localize_issue

    source, issue = call.server.open_repository(given.repository), _issue(given.issue)
    before = HistoryBase(source.git_dir, source.commit())
    with source.blobs() as blobs:
        return localize_issue(blobs, issue, before, given.top, call.say).as_json()


def locate_with_model(call: ToolCall, given: arguments.Locate) -> dict[str, Any]:
    from aci.localization.issue_localization import HistoryBase, localize_issue
    from trajectories.plugins import extension_module

    by_model = extension_module("agent.cli.model_localization", "Localization with a model", "code_search")
    source, issue = call.server.open_repository(given.repository), _issue(given.issue)
    settings, before = call.server.settings(source, **by_model.SETTINGS), HistoryBase(source.git_dir, source.commit())
    if not settings.model:
        raise ConfigError("This server has no model.", "Call locate; the server's user names a model with --model.")
    with source.blobs() as blobs:
        found = localize_issue(blobs, issue, before, given.top, call.say)
    return _run(
        call, issue, source, settings, answer=lambda engine, run: by_model.answer_json(engine, found, given.top, run)
    )


def graph(call: ToolCall, given: arguments.Graph) -> dict[str, Any]:
    from aci.graph.symbol_context import look_up_context
    from aci.localization.issue_localization import query_tree_graph

    source = call.server.open_repository(given.repository)
    with source.blobs() as blobs:
        found, more = query_tree_graph(
            blobs, given.name, lambda graph: look_up_context(graph, given.name, given.depth), call.say
        )
    return {"name": given.name, "found": [one.as_json() for one in found], "more": [one.as_json() for one in more]}


def symbols(call: ToolCall, given: arguments.Symbols) -> dict[str, Any]:
    from aci.localization.issue_localization import query_tree_graph

    source = call.server.open_repository(given.repository)
    with source.blobs() as blobs:
        return {"symbols": query_tree_graph(blobs, given.name, lambda graph: _definitions(graph, given.name), call.say)}


def _definitions(graph: Graph, name: str) -> list[dict[str, Any]]:
    """Return the definitions of a name, or all those in a file. Raises UsageError for an unknown name."""
    from aci.graph.outline import Location
    from aci.graph.symbol_context import describe_place, look_up_places

    places = look_up_places(graph, name)
    if all(place.symbol < 0 for place in places):
        outlines = [(place.path, graph.outline(place.path).symbols) for place in places]
        places = tuple(Location(path, number) for path, symbols in outlines for number in range(len(symbols)))
    return [describe_place(graph, place).as_json() for place in places]


def run_tests(call: ToolCall, given: arguments.RunTests) -> dict[str, Any]:
    import shlex
    from dataclasses import replace
    from functools import partial

    from aci.observation.untrusted_text import clean_output
    from aci.testing.failure_digest import format_failures
    from aci.testing.suite_command import detect_command
    from aci.testing.suite_run import run_tests
    from agent.config.workspace_choice import choose_workspace
    from agent.engine.base_workspace import open_base, open_in_environment
    from agent.engine.permission_checks import may_set_up
    from agent.permissions.approvals import Approval
    from agent.permissions.decisions import allow_unless_denied

    source = call.server.open_repository(given.repository)
    settings = choose_workspace(call.server.settings(source), call.say)
    with open_base(source, None, settings, call.say) as (options, environment):
        approve = partial(allow_unless_denied, permissions=settings.permissions)
        options = replace(
            options, cancel=call.cancel, may_set_up=lambda *asked: may_set_up(approve, call.cancel, *asked)
        )
        with closing(open_in_environment(settings.workspace, options, environment)) as workspace:
            command = environment.test or detect_command(workspace, nodes=given.tests)
            if settings.workspace == "local":
                line = " ".join(filter(None, (command, shlex.join(given.tests))))
                question = Approval("command", "Run the tests on this machine?", line)
                answer = approve(question)
                if not answer.yes:
                    raise UsageError(f"The tests were not run. {answer.reason}", "The server's user sets the rules.")
            call.say(f"running {command}")
            report = run_tests(workspace, command, given.tests, settings.test_timeout)
    call.cancel.check()
    failed = [result for result in report.results if result.bad]
    return {
        "ok": report.ok,
        "summary": report.summary(),
        "command": command,
        "counts": report.counts,
        "failed": [result.id for result in failed[:MOST_FAILED]],
        "failures": "\n".join(format_failures(failed)),
        "output": "" if report.results else clean_output(report.output)[-LONGEST_OUTPUT:],
        "complete": report.complete and not report.timed_out,
        "notes": list(report.notes),
        "seconds": round(report.seconds, 3),
    }


def prove(call: ToolCall, given: arguments.Prove) -> dict[str, Any]:
    from aci.repository.patch import read_patch
    from agent.inputs.patch_input import check_isolation, proposal_from_diff

    diff = read_patch(encode(given.patch))
    source = call.server.open_repository(given.repository)
    issue, commit = _issue(given.issue) if given.issue.strip() else Issue(""), source.commit()
    settings = call.server.settings(
        source, commit, strategy="proposed-patch", model="", merge_review=True, independent=False
    )
    check_isolation(settings, staged=False)
    name, other_base = "a patch of an MCP client", "Make the patch on the commit that is checked out."
    proposal = proposal_from_diff(source, commit, diff, name, other_base)
    return _run(call, issue, source, settings, commit, proposal)


def optimize(call: ToolCall, given: arguments.Optimize) -> dict[str, Any]:
    from aci.runtime.target_function import parse_target

    source, target = call.server.open_repository(given.repository), parse_target(given.function)
    target.check(source.file(target.path))
    settings = call.server.settings(source, strategy="optimize", function=str(target), workload="", benchmark="")
    issue = Issue(f"Make {target} faster", "The workload is the tests.")
    return _run(call, issue, source, settings)


def fix(call: ToolCall, given: arguments.Fix) -> dict[str, Any]:
    from agent.run_state.strategy_traits import FAILING_TESTS

    source = call.server.open_repository(given.repository)
    issue = _issue(given.issue) if given.issue.strip() else FAILING_TESTS
    return _run(call, issue, source, call.server.settings(source))


def _issue(text: str) -> Issue:
    """Return the issue that a client passes on, which the user of the server may not have read."""
    from dataclasses import replace

    from agent.inputs.issue_input import from_text

    return replace(from_text(text), trust="stranger")


def _run(
    call: ToolCall,
    issue: Issue,
    source: Repository,
    settings: Settings,
    rev: str | None = None,
    proposal: Proposal | None = None,
    answer: Callable[[Engine, dict[str, Any]], dict[str, Any]] = lambda engine, run: run,
) -> dict[str, Any]:
    """Solve a new run with what is left of the server's budget, and return what `fix --json` prints, or the `answer`
    that is made of it.

    Errors before the run is open are raised; one that stops the run is part of the answer. A run that is cancelled can
    be resumed.
    """
    from agent.lifecycle.result_json import as_json
    from agent.lifecycle.run_lifecycle import open_new_run, result, solve

    limits = call.server.budget.left() if settings.model else {}
    settings = settings.model_copy(update=limits)
    with open_new_run(issue, source, settings, rev, call.notify, proposal, call.cancel) as engine:
        call.secrets.extend(engine.secrets)
        try:
            for _ in solve(engine):
                pass
            document = as_json(result(engine))
        except SweAgentError as error:
            if isinstance(error, Cancelled):
                error.fix = f"Continue with `swe-agent resume {engine.run.id}`."
            document = as_json(result(engine), error)
        finally:
            call.secrets.extend(engine.secrets)  # with the keys of models that it has used since
            trajectory = engine.trajectory
            call.server.budget.book(engine.ledger.spent, trajectory.holds.values(), trajectory.settles)
        document = answer(engine, document)
    return {name: value for name, value in document.items() if name != "directory"}
