"""Graphs of phases, read from a file: the role and tools of each phase, its prompt, and the phase that follows.

Task graphs with edges for failures follow CodeR (arXiv 2406.01304); roles with their own tools follow MAGIS (arXiv
2403.17927) and MetaGPT (arXiv 2308.00352).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from string import Template
from typing import TYPE_CHECKING

from aci.observation.untrusted_text import quote_text
from aci.runtime.workspace import HARNESS_SESSION
from agent.candidates.attempt_summary import cut
from agent.candidates.cross_test_matrix import new_tests, run_reported_tests
from agent.candidates.role_questions import LETTERS, Question, ask_roles, is_yes, parse_letter, parse_score
from agent.conversation.model_roles import roles_of
from agent.engine.loop import NUDGED, is_answer, is_submission, loop
from agent.engine.permission_checks import Scope
from agent.engine.proof_step import verdict_text
from agent.engine.task import Task
from agent.phases.user_reproduction import given_tests
from agent.prompts.opening_prompt import describe_workspace, facts, likely_sources, name_places, places
from agent.prompts.quotation import framed_issue
from agent.run_state.attempt_outcome import Outcome
from extensions.papers.edit_diagnostics import EditDiagnostics
from extensions.papers.file_summaries import keep_summaries
from extensions.papers.graph_file import COMPUTED_NAMES, END, GRAPH, PROMPT_NAMES, Phase, read_graph, read_graphs
from extensions.papers.graph_queries import run_searches
from extensions.papers.history_prompt import history_prompt
from extensions.papers.place_fusion import fuse_places
from extensions.papers.place_search import search_places
from extensions.papers.recalled_code import recalled_output
from extensions.papers.work_parts import MOST_PARTS, parse_parts, work_on_parts
from trajectories.errors import Stuck
from trajectories.records import Observation

if TYPE_CHECKING:
    from trajectories.records import Step

MOST_SAID, MOST_WEIGHED, MOST_PATCH = 6_000, 600, 12_000
"""Maximum number of characters shown of an answer, of a comment on a rated answer, and of a patch."""
NO_ROUND = Observation("Not run: no rounds are left.", ok=False)
AGAIN = {
    "work": "$failed\n\nFix it and submit again; if the patch is correct as it is, submit it unchanged and say why.",
    "judgement": (
        "Changes made because of your answer:\n$since\n\nResults of running it now:\n$proof\n\n"
        "Judge it again: look or try as before, then answer in words, and end with a line that contains only yes or no."
    ),
}
"""The default of `Phase.again`, by the `asks` value of the phase."""
WHICH = "Which plan fits this issue? Answer in one line that contains only its letter."
RAN = "Its code was run here. It printed:"
LEFT = "Others have changed the files."
OTHERS = "\n\nThis question is asked {count} times; this is number {at}. Answer with something that the others miss."
ANSWER = "That was the last round. Answer now, in words, without a tool call."
NO_JUDGEMENT = "The {role} gave no answer, so it did not judge the patch."
BROKEN = (
    "These tests that you wrote passed before and fail now:\n{tests}\n"
    "The files are restored to the state in which they passed. Continue so that all of them pass."
)


@dataclass
class _GraphProgress:
    """The progress of a run through its graph. `said` holds the texts that prompts may refer to by name."""

    task: Task
    given: Sequence[str]
    said: dict[str, str]
    visit_counts: dict[str, int] = field(default_factory=dict)
    workers: dict[str, Task] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    """The last answers of phases in words, in full: `said` cuts long ones."""

    anchors: tuple[str, Sequence[str]] = "", ()
    """The tree to revert to, and the tests written during the work that pass with it."""

    def words(self, prompt: str, part: str = "") -> str:
        """Return a prompt with its placeholders replaced by earlier answers, retrieved history, the current patch, and
        the description of a part of the work."""
        task = self.task
        self.said |= history_prompt(task.branch, prompt, self.said)
        patch = self.changed(task.turn.base.tree)
        wanted = COMPUTED_NAMES.keys() & Template(prompt).get_identifiers()
        sought = {name: COMPUTED_NAMES[name](task, self.given) for name in sorted(wanted)}
        return Template(prompt).safe_substitute(self.said, **sought, patch=patch or "(none yet)", part=part).strip()

    def changed(self, tree: str) -> str:
        """Return the diff from a tree to the current one."""
        return quote_text(cut(self.task.trees.diff(tree, self.task.tree), MOST_PATCH))


def choose_graph(task: Task, role: str) -> Generator[Step, None, str]:
    """Return the name of the graph that a role chooses for the issue; the strategy's own if there is no choice, as for
    a user's graph without `when`, or if the answer names none.

    A manager who chooses one of several prepared plans follows CodeR (arXiv 2406.01304).
    """
    graphs = read_graphs(task.turn.prompts, roles_of(task.turn.strategy))
    offered = [name for name, graph in graphs.items() if graph.when]
    if GRAPH not in offered or len(offered) == 1:
        return GRAPH
    choices = [f"{letter}. {graphs[name].when}" for letter, name in zip(LETTERS, offered, strict=False)]
    words = "\n\n".join([framed_issue(task.turn.issue), WHICH, "\n".join(choices)])
    [said] = yield from ask_roles(task, [Question("choose-graph", role, words)])
    place = parse_letter(said, len(offered))
    name = GRAPH if place is None else offered[place]
    task.note("vote", f"The {role} chooses the plan for this: {graphs[name].when}")
    return name


def run_graph(task: Task, graph_name: str = GRAPH) -> Generator[Step, None, Outcome]:
    """Run the phases of a graph, which is read from the prompt of this name, to the end. A patch does not count
    as verified if the last answer of a phase that judges rejects it. Raises ConfigError for an invalid graph."""
    graph = read_graph(task.turn.prompts[graph_name], roles_of(task.turn.strategy))
    given = yield from given_tests(task)
    task.branch.needs_test &= any(phase.asks == "proof" for phase in graph.phase.values())
    values = framed_issue(task.turn.issue), quote_text(name_places(places(task.branch))), "", "", ""
    progress = _GraphProgress(
        task, given, dict(zip(PROMPT_NAMES, values, strict=True)) | dict.fromkeys(graph.phase, "")
    )
    name = next(iter(graph.phase))
    while name != END:
        phase = graph.phase[name]
        progress.visit_counts[name] = number = progress.visit_counts.get(name, 0) + 1
        task.note("phase", name if number == 1 else f"{name} {number}")
        good = yield from _RUNNERS[phase.asks](progress, name, phase)
        name = phase.next if good or not phase.failed else phase.failed
        if name != END and progress.visit_counts.get(name, 0) >= graph.phase[name].visits:
            task.note("summary", f"{name} has reached its limit of {graph.phase[name].visits} visits")
            break
    best = task.best()
    if best.tree != task.tree:
        yield task.adopt(best.tree, "The best patch so far, by its proof.")
    return best


def _words(progress: _GraphProgress, name: str, phase: Phase) -> Generator[Step, None, bool]:
    answers = yield from _answers(progress, name, phase)
    if phase.weigher and answers:
        answers = yield from _rate_answers(progress, name, phase, answers)
    for said in answers:
        progress.task.note("summary", f"{phase.role}: {_one_line(said)}")
    marks = [f"{at}. " for at in range(1, len(answers) + 1)] if phase.samples > 1 else [""]
    text = "\n\n".join(f"{mark}{cut(said, MOST_SAID)}" for mark, said in zip(marks, answers, strict=False))
    progress.said[name] = quote_text(text) or "(nothing)"
    progress.answers[name] = "\n".join(answers)
    if phase.remembers and (worker := progress.workers.get(name)):
        named = f"{name} {progress.visit_counts[name]}"
        keep_summaries(progress.task.branch, named, progress.answers[name], worker.branch.steps)
    return bool(answers)


def _answers(progress: _GraphProgress, name: str, phase: Phase) -> Generator[Step, None, list[str]]:
    """Return the answers of the phase's role: one, or several if the phase has `samples`."""
    task, number = progress.task, progress.visit_counts[name]
    if phase.tools:
        scope = Scope(nothing=True, because=f"the {phase.role} may not change files", tools=phase.tools)
        worker = yield from _worker(progress, name, phase, scope)
        return [(yield from _answer_with_tools(worker, phase.rounds))]
    words, count = progress.words(phase.prompt), phase.samples
    hints = [OTHERS.format(count=count, at=at) if at > 1 else "" for at in range(1, count + 1)]
    asked = [
        Question(f"{name}-{number}-{at}", phase.role, f"{words}{hint}", 0.8 if hint else None)
        for at, hint in enumerate(hints, 1)
    ]
    return [said for said in (yield from ask_roles(task, asked)) if said]


def _answer_with_tools(worker: Task, rounds: int) -> Generator[Step, None, str]:
    """Return the final answer of a role that may use tools in at most `rounds` replies."""
    replies = 0

    def until(step: Step) -> bool:
        nonlocal replies
        replies += step.reply is not None
        return is_answer(step) or replies >= rounds

    try:
        last = yield from loop(worker.branch, until, nudge=())
    except Stuck:  # a loop in a conversation that only reads does not end the run
        last = worker.branch.steps[-1]
    if is_answer(last):
        return worker.branch.engine.trajectory.replies[worker.branch.name, last.reply or 0].text
    yield worker.say(ANSWER)
    reply = worker.ask()
    yield worker.step(reply, [NO_ROUND] * len(reply.actions))
    return reply.text


def _worker(progress: _GraphProgress, name: str, phase: Phase, scope: Scope) -> Generator[Step, None, Task]:
    """Return the conversation of a phase, with its prompt and the current files."""
    task = progress.task
    if name in progress.workers:
        worker = progress.workers[name]
        worker.branch.scope = scope
        progress.said["since"] = progress.changed(worker.tree)
        words = progress.words(phase.again or AGAIN.get(phase.asks, phase.prompt))
    else:
        worker = Task(task.branch.beside(name, phase.role))
        worker.branch.scope = scope
        words = f"{_first_message(worker, not progress.workers)}\n\n{progress.words(phase.prompt)}"
        progress.workers[name] = worker
    if worker.tree != task.tree:
        yield worker.adopt(task.tree, f"{LEFT}\n\n{words}")
    else:
        yield worker.say(words)
    return worker


def _first_message(worker: Task, located: bool) -> str:
    """Return the first message of a conversation; only the graph's first conversation gets the likeliest places, since
    its answer passes them on."""
    known = worker.once("facts", lambda: facts(worker.branch, located))
    return "\n\n".join([framed_issue(worker.turn.issue), describe_workspace(worker.branch), known])


def _rate_answers(
    progress: _GraphProgress, name: str, phase: Phase, answers: Sequence[str]
) -> Generator[Step, None, list[str]]:
    """Return the answers that were rated highly enough, each with the comment of the rating role."""
    number = progress.visit_counts[name]
    asked = []
    for at, said in enumerate(answers, 1):
        words = f"{progress.words(phase.weigh)}\n\n{quote_text(said)}"
        if phase.runs and (output := _run_once(progress.task, f"{name}-{number}-run-{at}", said)):
            words += f"\n\n{RAN}\n{quote_text(output)}"
        asked.append(Question(f"{name}-{number}-weigh-{at}", phase.weigher, words))
    weighed = yield from ask_roles(progress.task, asked)
    shares = [parse_score(said) or 0.0 for said in weighed]
    for said, share in zip(answers, shares, strict=True):
        kept = "kept" if share >= phase.sure else "dropped"
        progress.task.note("score", f"{share:.2f}, {kept}: {_one_line(said)}", share=share)
    return [
        f"{said}\n({phase.weigher}: {cut(why, MOST_WEIGHED)})"
        for said, why, share in zip(answers, weighed, shares, strict=True)
        if share >= phase.sure
    ]


def _run_once(task: Task, name: str, said: str) -> str:
    output: str = task.once(name, lambda: recalled_output(task.branch, said))
    return output


def _judgement(progress: _GraphProgress, name: str, phase: Phase) -> Generator[Step, None, bool]:
    """Return whether the work goes on as it is: the judge does not answer no. A missing answer is no judgement, and the
    verdict says so."""
    task, said = progress.task, next(iter((yield from _answers(progress, name, phase))), "")
    if not said.strip():
        task.note("vote", NO_JUDGEMENT.format(role=phase.role), tree=task.tree, judge=name, judged=False)
        return True
    good, why = is_yes(said), f"The {phase.role} rejects it: {_one_line(said)}"
    vote = f"{phase.role} says {'yes' if good else 'no'}: {_one_line(said)}"
    task.note("vote", vote, tree=task.tree, judge=name, against="" if good else why)
    progress.said[name] = quote_text(cut(said, MOST_SAID))
    progress.said["failed"] = f"Review by the {phase.role}:\n{progress.said[name]}"
    return good


def _work(progress: _GraphProgress, name: str, phase: Phase) -> Generator[Step, None, bool]:
    """Run a conversation with tools until the model submits or, if the phase allows it, answers in text."""
    task = progress.task
    tools = (*phase.tools, "submit") if phase.tools and phase.until == "submit" else phase.tools
    worker = yield from _worker(progress, name, phase, replace(task.branch.scope, tools=tools))
    checks = EditDiagnostics(worker) if phase.checked else None
    until, nudge = (is_submission, NUDGED) if phase.until == "submit" else (_is_end, ())
    for number in range(phase.visits):
        last = yield from loop(worker.branch, until, nudge, after=checks.after if checks else None)
        if checks and checks.news and not number:  # submitted although the last edit caused new diagnostics
            continue
        if not phase.anchored or not (broken := _broken(progress, worker)):
            break
        task.note("gate", f"{', '.join(broken[:5])} passed before: reverted")
        yield worker.adopt(progress.anchors[0], quote_text(BROKEN.format(tests="\n".join(broken))), author="anchors")
        if number + 1 == phase.visits:
            break
    task.branch.tree = worker.tree
    summary = next((str(seen.data.get("summary", "")) for seen in reversed(last.observations)), "")
    reply = task.branch.engine.trajectory.replies[worker.branch.name, last.reply or 0].text
    progress.said[name] = quote_text(cut(summary or reply, MOST_SAID))
    return True


def _parts(progress: _GraphProgress, name: str, phase: Phase) -> Generator[Step, None, bool]:
    """Let several developers work on the parts that an earlier answer names. Returns false if there are fewer than two,
    or if a part is not finished or not merged."""
    task, found = progress.task, parse_parts("\n".join(progress.answers.get(one, "") for one in phase.of))
    if not 2 <= len(found) <= MOST_PARTS:
        return False
    prompts = [progress.words(phase.prompt, part=quote_text(str(part))) for part in found]
    scope = replace(task.branch.scope, tools=(*phase.tools, "submit") if phase.tools else ())
    branches = f"{name}-{progress.visit_counts[name]}"
    progress.said[name], good = yield from work_on_parts(task, branches, phase.role, found, prompts, scope)
    return good


def _is_end(step: Step) -> bool:
    return is_submission(step) or is_answer(step)


def _broken(progress: _GraphProgress, worker: Task) -> list[str]:
    """Return the tests written during the work that passed with the anchored files and no longer pass. If there are
    none, the current files become the anchor."""
    tree = worker.tree
    passing = worker.once(f"anchors {len(worker.branch.steps)}", lambda: _passing(worker, tree))
    broken = [test for test in progress.anchors[1] if test not in passing]
    if not broken:
        progress.anchors = tree, passing
    return broken


def _passing(task: Task, tree: str) -> list[str]:
    """Return the tests in new files that pass."""
    files = new_tests(task, tree)
    if not files:
        return []
    with closing(task.branch.place.fork(tree)) as workspace:
        workspace.expect(HARNESS_SESSION)
        report = run_reported_tests(task, workspace, tree, files)
    return list(report.passed) if report else []


def _query(progress: _GraphProgress, name: str, phase: Phase) -> Generator[Step, None, bool]:
    """Let the role query the code graph, and keep its conclusion."""
    worker = Task(progress.task.branch.beside(f"{name}-{progress.visit_counts[name]}", phase.role))
    words, translator = progress.words(phase.prompt), phase.translator or phase.role
    said = yield from run_searches(worker, words, phase.rounds, translator)
    progress.task.note("summary", f"{phase.role}: {_one_line(said)}")
    progress.said[name] = quote_text(cut(said, MOST_SAID))
    return True


def _search(progress: _GraphProgress, name: str, phase: Phase) -> Generator[Step, None, bool]:
    """Search the code graph with the role's ratings, and keep the places that are rated best."""
    number, words = progress.visit_counts[name], progress.words(phase.prompt)
    found = yield from search_places(progress.task, f"{name}-{number}", phase.role, words, phase.rounds)
    progress.said[name] = quote_text(cut(found, MOST_SAID)) or "(nothing)"
    return bool(found)


def _fusion(progress: _GraphProgress, name: str, phase: Phase) -> Generator[Step, None, bool]:
    """Fuse the ranks of the places that earlier phases name, without a request."""
    yield from ()
    answers = {other: progress.said[other] for other in phase.of}
    found = fuse_places(progress.task, f"{name}-{progress.visit_counts[name]}", answers)
    progress.said[name] = quote_text(found) or "(nothing)"
    return bool(found)


def _proof(progress: _GraphProgress, name: str, phase: Phase) -> Generator[Step, None, bool]:
    verdict = yield from progress.task.prove(progress.given, likely_sources(progress.task.branch))
    progress.said["proof"], progress.said["failed"] = (
        quote_text(verdict_text(verdict, whole=True)),
        quote_text(verdict_text(verdict)),
    )
    return verdict.complete


def _one_line(said: str) -> str:
    """Return the beginning of an answer on one line, for a note."""
    return " ".join(said.split())[:300]


_RUNNERS: Mapping[str, Callable[[_GraphProgress, str, Phase], Generator[Step, None, bool]]] = {
    "words": _words, "judgement": _judgement, "query": _query, "search": _search, "fusion": _fusion, "work": _work,
    "parts": _parts, "proof": _proof,
}  # fmt: skip
