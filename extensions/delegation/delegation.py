"""Helpers: bounded conversations beside the main one, each with a context of its own, that report to the model.

A helper is a branch of the run: its steps are recorded, its requests draw on the run's budget and steps, and a resumed
run repeats none of them. Based on OpenCode's `task` tool and on the subagents of Claude Code.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from aci.observation.output_text import shorten
from aci.repository.tree_merge import MergeResult, merge_trees
from agent.conversation.model_roles import SENIOR
from agent.engine.loop import is_answer, is_submission, loop
from agent.engine.permission_checks import Scope
from agent.prompts.quotation import framed_issue
from tools.base import HelperReport
from trajectories.errors import GivenUp, ModelError, Stuck, UsageError
from trajectories.records import Step

if TYPE_CHECKING:
    from agent.engine.branch import Branch

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
READ_ONLY = "You may read and run anything; changes to files are reverted."
MAY_CHANGE = "You may change files."
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

    def run(self, number: int, task: str, changes: bool) -> HelperReport:
        """Have a helper do the task of action `number` of the current reply. Raises the stops of the run's limits."""
        caller = self._branch
        name = f"helper-{len(caller.steps) + 1}-{number + 1}"
        caller.engine.report("phase", caller.name, f"delegate to {name}")
        if not changes:
            reader = caller.beside(name)
            reader.tree = caller.workspace.snapshot().tree  # with the changes of the reply's earlier actions
            return self._talk(reader, task, READ_ONLY, Scope(nothing=True, because="a helper only reads"))
        helper = caller.fork(name)
        with closing(helper.place):
            report = self._talk(helper, task, MAY_CHANGE, caller.scope)
        return self._merge(helper, report)

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

    def _talk(self, helper: Branch, task: str, rule: str, scope: Scope) -> HelperReport:
        helper.scope, helper.needs_test = scope, False
        self._steps.append(helper.say(START.format(task=task, rule=rule, most=MOST_REPLIES)))
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
