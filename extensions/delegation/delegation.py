"""Helpers: bounded conversations beside the main one, each with a context of its own, that report to the model.

A helper is a branch of the run: its steps are recorded, its requests draw on the run's budget and steps, and a resumed
run repeats none of them. Based on OpenCode's `task` tool and on the subagents of Claude Code.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from aci.observation.output_text import shorten
from aci.repository.tree_merge import MergeResult, merge_trees
from agent.conversation.model_roles import SENIOR
from agent.engine.loop import is_answer, is_submission, loop
from agent.engine.permission_checks import Scope
from agent.prompts.quotation import framed_issue
from extensions.delegation.agent_roster import agents_of_turn, role_of_agent, schema_with_agents
from tools.base import HelperReport
from trajectories.errors import GivenUp, ModelError, Stuck, UsageError
from trajectories.records import Step

if TYPE_CHECKING:
    from agent.engine.branch import Branch
    from extensions.delegation.agent_files import Agent

MOST_REPLIES = 20
"""Maximum number of replies of a helper before it must report."""
MOST_QUESTIONS = 5
"""Maximum number of questions to the senior in a run."""
LONGEST_REPORT = 6_000
"""Maximum number of characters of a report, and of the diff of changes that could not be merged."""
START = """You are the helper of another agent, which sees only your last message. Do this task and nothing else:

{task}

{rule} You have {most} replies.
When you are done, answer in words, without a tool call: what you found or did, with paths and lines, in few words."""
AGENT = "Do it as the agent {name}, whose instructions are from {where}:\n\n{text}"
READ_ONLY = "You may read and run anything; changes to files are reverted."
MAY_CHANGE = "You may change files."
ONLY_TOOLS = "You may use only these tools: {tools}. Changes to files are {end}."
REPORT_NOW = "You have no replies left. Report now, in words, what you found or did and what remains."
STOPPED = "The helper stopped without a report: {} Do the task yourself, or delegate a smaller one."
QUESTION = """Another agent works on this issue and asks you one question. You have no tools. Answer it in few
words, with code where that is clearer; say what you cannot know.

{issue}

Its changes so far:
{changes}

The question:
{question}"""
CONFLICTS = "Not merged, since you changed the same places: {}. The helper's changes to these files:\n{}"


class Delegation:
    """The helpers of a branch, which run one after the other while an action of the branch waits."""

    def __init__(self, branch: Branch) -> None:
        self._branch = branch
        self._steps: list[Step] = []

    def take_steps(self) -> Sequence[Step]:
        """Return the steps of helpers since the last call, for the front end."""
        steps, self._steps = self._steps, []
        return steps

    @cached_property
    def _agents(self) -> dict[str, Agent]:
        return {agent.name: agent for agent in agents_of_turn(self._branch)}

    def offer(self, schemas: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the schemas of tools, with the agents of the turn in that of `delegate`."""
        named = [(schema["function"]["name"], schema) for schema in schemas]
        return [
            schema_with_agents(schema, tuple(self._agents.values())) if name == "delegate" else schema
            for name, schema in named
        ]

    def run(self, number: int, task: str, changes: bool, agent: str = "") -> HelperReport:
        """Have a helper do the task of action `number` of the current reply, as the agent of this name if there is one.
        Raises UsageError for an agent that cannot be used, and the stops of the run's limits."""
        caller = self._branch
        chosen = self._agent(agent) if agent else None
        role = role_of_agent(caller, chosen) if chosen else caller.role
        tools = chosen.tools if chosen else caller.scope.tools
        name = f"helper-{len(caller.steps) + 1}-{number + 1}"
        caller.engine.report("phase", caller.name, f"delegate to {name}{f', the agent {agent}' if agent else ''}")
        if not changes:
            reader = caller.beside(name, role)
            reader.tree = caller.workspace.snapshot().tree  # with the changes of the reply's earlier actions
            scope = Scope(nothing=True, because="a helper only reads", tools=tools)
            return self._talk(reader, task, _rule(changes, tools), scope, chosen)
        helper = caller.fork(name, role)
        with closing(helper.place):
            report = self._talk(helper, task, _rule(changes, tools), replace(caller.scope, tools=tools), chosen)
        return self._merge(helper, report)

    def _agent(self, name: str) -> Agent:
        """Return the agent of this name, with those of its tools that the caller may use. Raises UsageError."""
        agent = self._agents.get(name)
        if agent is None:
            others = ", ".join(self._agents) or "there is none"
            raise UsageError(f"There is no agent {name[:40]!r}.", f"Name one ({others}), or none.")
        own = self._branch.scope.tools
        tools = tuple(tool for tool in agent.tools if tool in own) if agent.tools and own else agent.tools or own
        if not tools and agent.tools:
            raise UsageError(f"The agent {name} has none of the tools that may be used here.", "Do the task yourself.")
        return replace(agent, tools=tools)

    def ask_senior(self, number: int, question: str) -> HelperReport:
        """Ask the model of the role `senior` the question of action `number` of the current reply. Raises UsageError if
        the run's questions are used up, and the stops of the run's limits."""
        caller, engine = self._branch, self._branch.engine
        senior = caller.beside(f"{SENIOR}-{len(caller.steps) + 1}-{number + 1}", SENIOR)
        asked = [name for name in engine.trajectory.steps if name.rpartition("/")[2].startswith(f"{SENIOR}-")]
        if len(set(asked) - {senior.name}) >= MOST_QUESTIONS:
            raise UsageError(f"The senior was asked {MOST_QUESTIONS} times in this run.", "Decide yourself.")
        changes = engine.trees.diff(caller.turn.base.tree, caller.workspace.snapshot().tree)
        given = {
            "issue": framed_issue(caller.turn.issue),
            "changes": shorten(changes, LONGEST_REPORT, "the caller's branch") or "none",
            "question": question,
        }
        self._steps.append(senior.say(QUESTION.format(**given)))
        try:
            reply = senior.ask(tools=False)
        except ModelError as stop:
            return HelperReport(f"The senior did not answer: {stop.message} Decide yourself.", ok=False)
        self._steps.append(senior.step(reply, ()))
        return HelperReport(shorten(reply.text.strip(), LONGEST_REPORT, "the senior's branch"))

    def _talk(self, helper: Branch, task: str, rule: str, scope: Scope, agent: Agent | None) -> HelperReport:
        helper.scope, helper.needs_test = scope, False
        start = START.format(task=task, rule=rule, most=MOST_REPLIES)
        if agent is not None:
            about = {"agent": agent.name, "where": agent.where, "sha256": agent.sha256, "role": helper.role}
            helper.note("agent", f"{agent.name} from {agent.where}, {agent.sha256[:12]}", aloud=False, **about)
            start += "\n\n" + AGENT.format(name=agent.name, where=agent.where, text=agent.text)
        self._steps.append(helper.say(start))
        try:
            last = self._work(helper)
        except (Stuck, GivenUp, ModelError) as stop:
            return HelperReport(STOPPED.format(stop.message), ok=False)
        return HelperReport(shorten(self._text(helper, last), LONGEST_REPORT, "the helper's branch"))

    def _work(self, helper: Branch) -> Step:
        """Run the helper until it answers in words, and return that step."""

        def is_done(step: Step) -> bool:
            replies = sum(each.reply is not None for each in helper.steps)
            return is_answer(step) or is_submission(step) or replies >= MOST_REPLIES

        steps = loop(helper, is_done, nudge=())
        while True:
            try:
                self._steps.append(next(steps))
            except StopIteration as end:
                last: Step = end.value
                break
        if is_answer(last) or is_submission(last):
            return last
        self._steps.append(helper.say(REPORT_NOW))
        reply = helper.ask(tools=False)
        self._steps.append(helper.step(reply, ()))
        return self._steps[-1]

    def _text(self, helper: Branch, last: Step) -> str:
        """Return the text of the helper's last reply, or the summary that it submitted."""
        submitted = [str(seen.data["summary"]) for seen in last.observations if seen.data.get("submitted")]
        reply = helper.engine.trajectory.replies[helper.name, last.reply or 0]
        return reply.text.strip() or next(iter(submitted), "") or "The helper reports nothing."

    def _merge(self, helper: Branch, report: HelperReport) -> HelperReport:
        """Merge the helper's changes into the caller's files, and add what was changed to the report."""
        caller, trees = self._branch, self._branch.engine.trees
        if helper.tree == helper.start:
            return HelperReport(report.report, ("The helper changed no files.",), report.ok)
        ours = caller.workspace.snapshot().tree
        merged = merge_trees(trees, helper.start, ours, helper.tree)
        caller.workspace.restore(merged.tree)
        notes = [f"Merged: {', '.join(change.path for change in trees.changed(ours, merged.tree)) or 'nothing'}."]
        if merged.conflicts:
            notes.append(CONFLICTS.format(", ".join(map(str, merged.conflicts)), self._diff(helper, merged)))
        return HelperReport(report.report, tuple(notes), report.ok and not merged.conflicts)

    def _diff(self, helper: Branch, merged: MergeResult) -> str:
        trees = helper.engine.trees
        only = trees.overlay(helper.start, helper.tree, merged.paths)
        return shorten(trees.diff(helper.start, only), LONGEST_REPORT, "the helper's branch")


def _rule(changes: bool, tools: Sequence[str]) -> str:
    """Return what a helper is told that it may do; `tools` are the only ones it may call, or empty."""
    if tools:
        return ONLY_TOOLS.format(tools=", ".join(tools), end="kept" if changes else "reverted")
    return MAY_CHANGE if changes else READ_ONLY
