"""The display of a run: each step when it is done, live activity, then diff, proof and the run's folder.

On a terminal a step takes several lines, and the bottom lines are redrawn during the run; in a log a step is one line.
"""

from __future__ import annotations

import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.segment import Segment, Segments
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from aci.observation.untrusted_text import clean_text, one_line, strip_tags
from agent.console.activity_lines import FRAMES_PER_SECOND, Activities, LiveStatus, cost, step_label, thousands
from agent.console.rich_terminal import LOG_WIDTH, Rich, can_redraw, heartbeat
from agent.conversation.messages import describe, describe_result, first_line
from agent.engine.engine import Engine
from agent.engine.proof_step import ANSWER_TEXTS, verdict_of
from agent.lifecycle.delivery import is_in_clone
from agent.lifecycle.result_json import as_json
from agent.lifecycle.run_result import Result
from agent.limits.run_budget import UNPRICED_TOKENS
from agent.permissions.approvals import Answer
from agent.run_state.progress_event import ProgressEvent
from agent.run_state.proposed_tree import find_proposal
from agent.run_state.strategy_traits import NoFailingTest, is_about_failing_tests
from trajectories.errors import SweAgentError, UsageError
from trajectories.outcome_words import PART_LABELS, PART_SENTENCES, Tone, ending_of, run_ending
from trajectories.records import Exit, Reply, Spent, Step
from trajectories.trajectory import NOT_CHECKED, Trajectory
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from rich.live import Live

    from agent.permissions.approvals import Approval

FULL_INDEX = re.compile(r"^index ([0-9a-f]{10})[0-9a-f]{30}\.\.([0-9a-f]{10})[0-9a-f]{30}", re.MULTILINE)
FLAG = re.compile(r"--[a-z][a-z-]+")
MARK = {True: "[green]yes[/]", False: "[red]no[/]", None: "[dim]not checked[/]"}
COLOURS: dict[Tone, str] = {"good": "bold green", "warning": "bold yellow", "bad": "bold red", "neutral": "bold"}
NOTHING_TO_FIX = "[bold yellow]There is nothing to fix.[/]"
GIVE_TEST = "Give a test that shows the issue with --reproduce."
GET_EVIDENCE = "To get independent evidence, give a model that writes tests from the issue: --independent --model NAME."
THOUGHT_LINES = 2
MOST_NAMES = 10
UNPRICED = (
    "No price is known for a model of this run, so no budget in dollars limits it. The run may use {limit:,} tokens "
    "(option --max-tokens)."
)


class Console:
    """The console of a run: progress goes to stderr, the result to stdout; with `json` stdout gets exactly one
    object."""

    def __init__(self, json: bool = False, plain: bool = False, out: bool = False) -> None:
        colour: dict[str, Any] = {"no_color": True, "color_system": None} if plain else {}
        self.json = json
        self.out = Rich(highlight=False, **colour)
        self.progress = self.out if out else Rich(stderr=True, highlight=False, **colour)
        self.started = time.monotonic()
        self._is_live = can_redraw(self.progress, plain or out)
        self._engine: Engine | None = None
        self._activities = Activities()
        self._live: Live | None = None
        self._is_asking = False
        self._has_warned = False

    def heartbeat(self) -> AbstractContextManager[None]:
        """Return a context in which a line says what is being done whenever nothing else is shown for a while."""
        return heartbeat(self._show_activity)

    def _show_activity(self) -> None:
        """Show the activity that started last; an earlier one may be what it is a part of."""
        if self._is_asking:
            return
        branch, doing = max(self._activities.current(), key=lambda each: each[1].since)
        self._line(branch, "", doing.what, f"({self._activities.seconds(doing):.0f}s)")

    @contextmanager
    def watching(self, engine: Engine) -> Iterator[None]:
        """Show the cost at each step, and on a terminal the live activity, for the duration of this context."""
        self._engine = engine
        if not self._is_live:
            yield
            return
        from rich.live import Live

        status, rate = LiveStatus(engine, self._activities), FRAMES_PER_SECOND / 2
        live = Live(status, console=self.progress, transient=True, refresh_per_second=rate, redirect_stdout=False)
        with live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    def choose(self, asked: Approval, is_stopped: Callable[[], bool]) -> Answer:
        """Ask a multiple-choice question at the terminal, without the live lines, and return the answer."""
        from agent.run_state.terminal_question import choose

        self._is_asking = True
        if self._live:
            self._live.stop()
        try:
            index, words = choose(f"Question: {asked.title}", asked.choices, is_stopped)
        finally:
            self._is_asking = False
            if self._live:
                self._live.start(refresh=True)
        return Answer(index is not None or bool(words), chosen=None if index is None else (index,), reason=words)

    def heading(self, trajectory: Trajectory) -> None:
        run = trajectory.run
        if run is None:
            return
        turn = trajectory.turns[-1]
        model = turn.models.get("coder", "no model")
        self.progress.print(f"[bold]{escape_markup(run.issue.title)}[/]", soft_wrap=True)
        self.progress.print(
            f"[dim]{escape_markup(run.repository)} at {escape_markup(run.base)} · {escape_markup(turn.strategy)} · "
            f"{escape_markup(model)} · {escape_markup(run.settings['workspace'])} · run {escape_markup(run.id)}[/]",
            soft_wrap=True,
        )

    def happening(self, event: ProgressEvent) -> None:
        self._activities.happening(event)
        if event.kind in ("say", "phase", "candidate", "summary"):
            self._line(event.branch, event.kind if event.kind != "say" else "", event.text)

    def step(self, step: Step) -> None:
        """Show the author and the result of a step, with the run's cost so far if a model was asked."""
        self._activities.step(step)
        if self._is_live:
            self._print_step(step)
        else:
            self._print_line(step)
        self._warn_unpriced()

    def _print_line(self, step: Step) -> None:
        done = "; ".join(describe(action) for action in step.actions)
        seen = _result_line(step)
        self._line(step.branch, step.author, f"{done} → {seen}" if done else seen, self._cost(step))

    def _warn_unpriced(self) -> None:
        """Say once that no budget in dollars limits the run, if a model's price is unknown."""
        if self._has_warned or self._engine is None or self._engine.ledger.spent.dollars is not None:
            return
        self._has_warned = True
        limit = self._engine.settings.max_tokens or UNPRICED_TOKENS
        self.progress.print(f"[yellow]{UNPRICED.format(limit=limit)}[/]", soft_wrap=True)

    def _print_step(self, step: Step) -> None:
        """Show a step on a terminal: a heading with the cost so far, the thought, and a line for each action."""
        width = self.progress.width
        head = Text.assemble(
            (f"{time.monotonic() - self.started:7.1f}s ", "dim"), (step_label(clean_text(step.branch), step.n), "cyan")
        )
        head.append(f" {clean_text(step.author)}" if step.author != "coder" else "")
        paid = self._cost(step)
        if paid and head.cell_len + len(paid) < width:
            head.append(f"{paid:>{width - head.cell_len}}", style="dim")
        self.progress.print(head, soft_wrap=True)
        reply = self._engine.trajectory.replies.get((step.branch, step.reply)) if self._engine and step.reply else None
        for line in self._thought(reply):
            self.progress.print(line, soft_wrap=True)
        for line in _action_lines(step):
            line.truncate(width, overflow="ellipsis")
            self.progress.print(line, soft_wrap=True)

    def _thought(self, reply: Reply | None) -> list[Text]:
        """Return the start of the model's text, in lines that fit."""
        width = self.progress.width - 2
        said = one_line(reply.text) if reply else ""
        lines = Text(said[: (THOUGHT_LINES + 1) * width]).wrap(self.progress, width)
        shown = [Text(f"  {line.plain.rstrip()}", style="dim") for line in lines[:THOUGHT_LINES]]
        if len(lines) > THOUGHT_LINES:
            shown[-1].truncate(width + 1)
            shown[-1].append("…")
        return [line for line in shown if line.plain.strip()]

    def _cost(self, step: Step) -> str:
        """Return the run's cost so far; empty for steps without a model request."""
        if step.reply is None or self._engine is None or not (spent := self._engine.ledger.spent).calls:
            return ""
        return cost(spent, short=True)

    def _line(self, branch: str, who: str, text: str, end: str = "") -> None:
        line = Text()
        line.append(f"{time.monotonic() - self.started:7.1f}s ", style="dim")
        line.append(f"{clean_text(branch)} " if branch != "main" else "", style="magenta")
        line.append(f"{clean_text(who)} " if who else "", style="cyan")
        line.append(one_line(text))
        width = max(40, self.progress.width) if self.progress.is_terminal else LOG_WIDTH
        line.truncate(max(20, width - len(end) - 1), overflow="ellipsis")
        line.append(f" {end}" if end else "", style="dim")
        self.progress.print(line, soft_wrap=True)

    def result(self, result: Result, error: SweAgentError | None = None) -> None:
        """Show the result of a run, for a program or a person."""
        if self.json:
            from json import dumps

            answer = as_json(result, error) | ({"effects": list(result.effects)} if result.effects else {})
            sys.stdout.write(dumps(answer) + "\n")
            return
        if result.patch:
            shown = FULL_INDEX.sub(r"index \1..\2", clean_text(f"{result.patch.diff}.")[:-1])
            if self.out.is_terminal:
                self.out.print(Syntax(shown.rstrip(), "diff", background_color="default", word_wrap=True))
            else:  # a file or pipe may be applied as a patch: keep lines, tabs and trailing blanks unchanged
                ended = shown if shown.endswith("\n") else f"{shown}\n"
                self.out.print(Segments([Segment(ended)]), soft_wrap=True, end="")
        if result.word:
            self.out.print(Text(clean_text(result.word)))
        steps = self._engine.trajectory.all_steps() if self._engine else []
        last = steps[-1].id if steps else ""
        self.ending(result.exit, result.directory, last, nothing_to_fix=isinstance(error, NoFailingTest))
        self._pages(result)
        self._review(result.review or {})
        for effect in result.effects:
            self.out.print(escape_markup(effect), soft_wrap=True)
        if result.spent.calls:
            self.out.print(f"[dim]{self._usage_text(result.spent)}[/]")
        if error is not None:
            self.out.print(f"[red]{escape_markup(error.message)}[/] {escape_markup(error.fix)}", soft_wrap=True)

    def delivery_hint(self, engine: Engine, result: Result) -> None:
        """Show how to get the patch of a run that has ended, unless it was delivered, or given by the user."""
        is_undelivered = result.ended and result.patch and not result.effects
        if self.json or not is_undelivered or find_proposal(engine.trajectory):
            return
        with suppress(UsageError):  # the repository is gone
            option = "--pr" if is_in_clone(engine) else "--branch NAME" if engine.repository.bare else "--apply"
            what = "open a pull request with" if option == "--pr" else "apply"
            self.out.print(f"To {what} the patch: swe-agent resume {result.run} {option}", soft_wrap=True)

    def _usage_text(self, spent: Spent) -> str:
        """Return the run's usage. Reservations of requests whose outcome is unknown count as spent."""
        calls = "1 call" if spent.calls == 1 else f"{spent.calls} calls"
        held = f", up to {thousands(self._held())} more" if self._held() else ""
        money = "price unknown" if spent.dollars is None else f"${spent.dollars:.4f}"
        return f"{calls}, {spent.input_tokens:,} tokens in, {spent.output_tokens:,} out{held}, {money}"

    def _held(self) -> int:
        if self._engine is None:
            return 0
        trajectory = self._engine.trajectory
        return sum(hold.tokens for name, hold in trajectory.holds.items() if name not in trajectory.settles)

    def ending(
        self,
        exit: Exit,
        directory: Path | None,
        last: str = "",
        untrusted: bool = False,
        nothing_to_fix: bool = False,
        trajectory: Trajectory | None = None,
    ) -> None:
        """Show how a run ended, or that there was nothing to fix.

        If a limit ended the run after its `last` step, the message says how to continue with a higher limit. The result
        of an `untrusted` run is shown as a claim. `trajectory` is that of the run, by default of the engine.
        """
        trajectory = trajectory or (self._engine.trajectory if self._engine else None)
        ending = run_ending(trajectory, exit) if trajectory else ending_of(exit)
        if untrusted:
            self.out.print(f"[bold yellow]Claimed: {escape_markup(exit.kind)}.[/] {NOT_CHECKED}")
        elif nothing_to_fix:
            self.out.print(NOTHING_TO_FIX)
        else:
            self.out.print(f"[{COLOURS[ending.tone]}]{escape_markup(ending.headline)}[/]", soft_wrap=True)
        if trajectory and find_proposal(trajectory) and exit.kind == "unproven" and not exit.verdict.red:
            self.out.print(GIVE_TEST)
        if exit.kind == "plausible" and _may_have_examiner(trajectory, exit):
            self.out.print(GET_EVIDENCE, soft_wrap=True)
        if exit.message:
            flag = FLAG.search(exit.fix) if exit.kind in ("limit", "budget") and last else None
            fix = exit.fix
            if flag is not None and directory is not None:  # only a fork can have a higher limit
                fix = f"`swe-agent fork {directory.name}@{last} {flag[0]} N` continues with more."
            self.out.print(f"{escape_markup(exit.message)} {escape_markup(fix)}", soft_wrap=True)
        if exit.verdict.kind != "none":
            self._proof(exit.verdict, "claimed proof" if untrusted else "proof")
        if directory is None:
            return
        if not untrusted and (directory / "proof.sh").exists():
            command = f"sh {shlex.quote(str(directory / 'proof.sh'))}"
            self.out.print(f"Repeat the proof in a checkout of the base: {escape_markup(command)}", soft_wrap=True)
        self.out.print(f"[dim]The run is in {escape_markup(directory)} ({exit.seconds:.1f} s).[/]", soft_wrap=True)

    def _pages(self, result: Result) -> None:
        """Show the pages that the patch changes, each with the picture of the difference."""
        from trajectories.page_picture import picture_file

        for page in result.pages:
            colour = "yellow" if page.unasked else "dim"
            self.out.print(f"[{colour}]· {escape_markup(page.summary)}[/]", soft_wrap=True)
            number = page.pictures.get("difference")
            if number is not None and (file := picture_file(result.directory, number)):
                self.out.print(f"[dim]  {escape_markup(file)}[/]", soft_wrap=True)

    def _review(self, review: Mapping[str, Any]) -> None:
        """Show what a reviewer may ask to take out of the patch."""
        findings, notes = review.get("findings", ()), review.get("notes", ())
        if findings or notes:
            self.out.print("[bold]Before merging[/]")
        elif review:
            self.out.print("[dim]Before merging: nothing was found that the fix does not need.[/]")
        for one in findings:
            where = f"{one['path']}:{one['line']}"
            line = f"[yellow]· {escape_markup(where)} {one['kind']}:[/] {escape_markup(one['text'])}"
            self.out.print(line, soft_wrap=True)
        for note in notes:
            self.out.print(f"[dim]· {escape_markup(note)}[/]", soft_wrap=True)

    def _proof(self, verdict: Verdict, title: str) -> None:
        if any(getattr(verdict, part) is not None for part in PART_SENTENCES):
            table = Table(title, "", box=None, pad_edge=False)
            for part, meaning in PART_SENTENCES.items():
                if (
                    verdict.kind != "faster" or getattr(verdict, part) is not None
                ):  # a speed-up has no test that fails before it
                    table.add_row(meaning, _mark(verdict, part))
            self.out.print(table)
        named = "\n".join(verdict.notes)
        shown = tuple(test for test in verdict.tests if test not in named)
        for title, names in (("shown by", shown), ("lost", verdict.lost), ("flaky, left out", verdict.flaky)):
            for line in _listed(title, names):
                self.out.print(escape_markup(line), soft_wrap=True)
        for note in verdict.notes:
            self.out.print(f"[dim]· {escape_markup(note)}[/]", soft_wrap=True)


def _may_have_examiner(trajectory: Trajectory | None, exit: Exit) -> bool:
    """Whether an examiner could judge the patch, and has not: there is an issue."""
    issue = trajectory.run.issue if trajectory and trajectory.run else None
    has_issue = issue is not None and bool(issue.text.strip()) and not is_about_failing_tests(issue)
    return has_issue and not any(fact.kind == "independent" for fact in exit.verdict.facts)


def _listed(title: str, names: Sequence[str]) -> list[str]:
    """Return a title and the names, one in each line if there are several."""
    if len(names) < 2:
        return [f"{title}: {name}" for name in names]
    more = [f"  and {len(names) - MOST_NAMES} more"] if len(names) > MOST_NAMES else []
    return [f"{title}:", *(f"  {name}" for name in names[:MOST_NAMES]), *more]


def _mark(verdict: Verdict, part: str) -> str:
    """Return the result of a part of the proof; an unknown loss is a warning."""
    if part == "no_loss" and verdict.no_loss is None and verdict.red is not None:
        return "[yellow]unknown[/]"
    scope = f", {escape_markup(verdict.compared)}" if part == "no_loss" and verdict.no_loss and verdict.compared else ""
    return MARK[getattr(verdict, part)] + scope


def escape_markup(text: object) -> str:
    """Escape text for a line of markup."""
    return escape(clean_text(str(text)))


def _result_line(step: Step) -> str:
    """Return the result of a step in one line."""
    if step.author == "proof":
        verdict = verdict_of(step)
        if verdict.red is None and verdict.green is None:  # the proof checked for regressions only
            return first_line(step.observations[0].text)
        parts = (f"{words}: {ANSWER_TEXTS[getattr(verdict, part)]}" for part, words in PART_LABELS.items())
        general = f", general: {verdict.generality}" if verdict.generality else ""
        return f"{verdict.kind} ({', '.join(parts)}{general})"
    if step.actions and step.observations:
        last = step.observations[-1]
        return describe_result(replace(last, text=strip_tags(last.text)))
    text = "\n".join(observation.text for observation in reversed(step.observations))
    return first_line(strip_tags(text))


def _action_lines(step: Step) -> list[Text]:
    """Return one line per action with its result; for a step without actions, one line with the step's result."""
    if not step.actions:
        return [Text(f"  {_result_line(step)}")] if step.observations else []
    lines = []
    for number, action in enumerate(step.actions):
        seen = step.observations[number] if number < len(step.observations) else None
        mark = ("✓", "green") if seen and seen.ok else ("✗", "red") if seen else ("·", "dim")
        result = describe_result(seen) if seen else "not run"
        lines.append(Text.assemble("  ", mark, f" {clean_text(describe(action))}", (f" → {result}", "dim")))
    return lines
