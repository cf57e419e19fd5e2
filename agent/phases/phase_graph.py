"""Roles at work on a graph of phases, which is a file: who is asked what, with which tools, where the work goes on from
there, and where it goes back to.

Task graphs with edges for failures are CodeR's (arXiv 2406.01304), roles with tools of their own MAGIS's
(arXiv 2403.17927) and MetaGPT's (arXiv 2308.00352).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from string import Template
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aci.workspace import OURS
from agent.best import in_words
from agent.casting import CODER, roles_of
from agent.loop import NUDGED, answered, loop, submitted
from agent.moves.checking import Checks
from agent.moves.crossing import new_tests, ran
from agent.moves.framing import framed, framed_issue
from agent.moves.opening import describe_places, facts, likely_sources, places, whereabouts
from agent.moves.querying import queried
from agent.moves.reproduction import given_tests
from agent.moves.retrieving import RETRIEVED, retrieved
from agent.moves.suspecting import suspicious
from agent.moves.telling import cut
from agent.moves.voices import Question, says_yes, share_of, voices
from agent.outcome import Outcome
from agent.scope import Scope
from tools.base import Toolbox
from trajectories.errors import ConfigError, Stuck
from trajectories.records import Observation

if TYPE_CHECKING:
    from agent.task import Task
    from trajectories.records import Step

END = "end"
MOST_SAID, MOST_WEIGHED, MOST_PATCH = 6_000, 600, 12_000
"""Characters that are told of an answer, of what a weigher said of one, and of a patch."""


NAME = r"^[a-z][a-z0-9_]{0,40}$"
TOLD = "issue", "places", "proof", "failed", "since"
"""What prompts may name besides phases and the patch."""
SOUGHT: Mapping[str, Callable[[Task, Sequence[str]], str]] = {"suspects": suspicious}
"""What takes time to be had, so it is looked for only where a prompt names it."""
NO_ROUND = Observation("Not run: no round is left.", ok=False)
AGAIN = {
    "work": "$failed\n\nMend it and submit again; if the patch is right as it is, submit it unchanged and say why.",
    "judgement": (
        "What has changed since, because of what you said:\n$since\n\nWhat running it shows now:\n$proof\n\n"
        "Judge it anew: look or try as before, then answer in words, and end with a line that holds yes or no."
    ),
}
"""What a conversation is told that comes round again, by what it is asked for."""
LEFT = "The files are as others have left them."
OTHERS = "\n\nThis is asked {count} times, and this is number {at}: answer with what the others will not think of."
ANSWER = "That was the last round. Answer now, in words, without a tool call."
BROKEN = (
    "These tests of yours passed before, and no longer do:\n{tests}\n"
    "The files are put back to when they did. Go on so that all of them pass."
)


class Phase(BaseModel):
    """What happens in a phase, and where it goes on.

    `asks` for `words`; for a `judgement`, whose last line is yes or no; for a `query` of the code graph, and then
    words; for `work`, in one conversation however often the phase comes round; for a `proof`, which asks nobody.
    `tools` are those of the work, all if empty; for words and judgements those to read and run with, without a change,
    none if empty. Queries, and replies with tools to read with, may be `rounds`; then words are asked for. Without
    tools, `samples` are asked for words at the same time; of them those are kept that `weigher` gives at least `sure`,
    from 0 to 1.

    Work goes on `until` it is handed in, or until words end it. Where it is `anchored`, what breaks one of its own
    tests that passed before is put back; where it is `checked`, each edit is answered by what no longer fits together.

    A conversation that comes round again is told `again` instead of its prompt; where there is none, what was said
    against the work, or what has changed since a judgement.

    Where a judgement is no, or a patch not proven, the phase `failed` comes next, if it was begun fewer than `visits`
    times; else the end.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    asks: Literal["words", "judgement", "query", "work", "proof"]
    role: str = Field(default=CODER, pattern=NAME)
    prompt: str = ""
    again: str = ""
    tools: tuple[str, ...] = ()
    samples: int = Field(default=1, ge=1, le=26)
    weigher: str = ""
    weigh: str = ""
    sure: float = Field(default=0.7, ge=0, le=1)
    rounds: int = Field(default=15, ge=1, le=50)
    until: Literal["submit", "words"] = "submit"
    anchored: bool = False
    checked: bool = False
    next: str = END
    failed: str = ""
    visits: int = Field(default=3, ge=1, le=20)


class Graph(BaseModel):
    """Phases by name. The work begins with the one that stands first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    phase: dict[Annotated[str, Field(pattern=NAME)], Phase] = Field(min_length=1)


def read_graph(text: str, roles: Sequence[str]) -> Graph:
    """Raises ConfigError for what is no graph, leads to a phase that there is none of, or names a role or a tool that
    nobody knows."""
    fix = "docs/strategies.md says what a graph looks like."
    try:
        graph = Graph.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"The graph is no TOML: {error}.", fix) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"The graph's {where or 'text'} cannot be used: {first['msg']}.", fix) from None
    tools = tuple(Toolbox().tools)
    for name, phase in graph.phase.items():
        if name in (*TOLD, *SOUGHT, *RETRIEVED, "patch", END):
            raise ConfigError(f"No phase of a graph can be called {name}: it means something else.", fix)
        for what, said, known in (
            ("leads to", (phase.next, *filter(None, [phase.failed])), (*graph.phase, END)),
            ("has the tool", phase.tools, tools),
            ("has the role", (phase.role, *filter(None, [phase.weigher])), roles),
        ):
            if strange := [one for one in said if one not in known]:
                raise ConfigError(f"The graph's phase {name} {what} {strange[0]!r}.", f"Known are {', '.join(known)}.")
        if phase.tools and phase.samples > 1:
            raise ConfigError(f"The graph's phase {name} has samples and tools.", "Leave one of them out.")
    return graph


@dataclass
class _Course:
    """How far a graph has come. `said` is what prompts may name."""

    task: Task
    given: Sequence[str]
    said: dict[str, str]
    begun: dict[str, int] = field(default_factory=dict)
    workers: dict[str, Task] = field(default_factory=dict)
    anchors: tuple[str, Sequence[str]] = "", ()
    """The files to go back to, and the tests of the work that pass with them."""

    def words(self, prompt: str) -> str:
        """A prompt with what was said so far, what it asks of the past, and the patch as it is now."""
        task = self.task
        self.said |= retrieved(task, prompt, self.said)
        patch = self.changed(task.base.tree)
        wanted = SOUGHT.keys() & Template(prompt).get_identifiers()
        sought = {name: SOUGHT[name](task, self.given) for name in sorted(wanted)}
        return Template(prompt).safe_substitute(self.said, **sought, patch=patch or "(none yet)").strip()

    def changed(self, tree: str) -> str:
        """What is different now from a tree."""
        return framed(cut(self.task.trees.diff(tree, self.task.tree), MOST_PATCH))


def follow(task: Task) -> Generator[Step, None, Outcome]:
    """Go through the phases of the strategy's graph, the prompt `graph`, to the end. What a judgement was against last
    is not called verified. Raises ConfigError for a graph that cannot be used."""
    graph = read_graph(task.prompts["graph"], roles_of(task.turn.strategy))
    given = yield from given_tests(task)
    told = framed_issue(task.issue), framed(describe_places(places(task))), "", "", ""
    course = _Course(task, given, dict(zip(TOLD, told, strict=True)) | dict.fromkeys(graph.phase, ""))
    name = next(iter(graph.phase))
    while name != END:
        phase = graph.phase[name]
        course.begun[name] = number = course.begun.get(name, 0) + 1
        task.note("phase", name if number == 1 else f"{name} {number}")
        good = yield from _ASKS[phase.asks](course, name, phase)
        name = phase.next if good or not phase.failed else phase.failed
        if name != END and course.begun.get(name, 0) >= graph.phase[name].visits:
            task.note("summary", f"{name} was begun {graph.phase[name].visits} times: it is left at that")
            break
    best = task.best()
    if best.tree != task.tree:
        yield task.adopt(best.tree, "Of what was made, this is proven best.")
    return best


def _words(course: _Course, name: str, phase: Phase) -> Generator[Step, None, bool]:
    answers = yield from _answers(course, name, phase)
    if phase.weigher and answers:
        answers = yield from _sure_ones(course, name, phase, answers)
    for said in answers:
        course.task.note("summary", f"{phase.role}: {_in_a_line(said)}")
    marks = [f"{at}. " for at in range(1, len(answers) + 1)] if phase.samples > 1 else [""]
    told = "\n\n".join(f"{mark}{cut(said, MOST_SAID)}" for mark, said in zip(marks, answers, strict=False))
    course.said[name] = framed(told) or "(nothing)"
    return bool(answers)


def _answers(course: _Course, name: str, phase: Phase) -> Generator[Step, None, list[str]]:
    """What the phase's role says; "" of nobody."""
    task, number = course.task, course.begun[name]
    if phase.tools:
        scope = Scope(nothing=True, because=f"the {phase.role} changes nothing", tools=phase.tools)
        worker = yield from _worker(course, name, phase, scope)
        return [(yield from _read_up(worker, phase.rounds))]
    words, count = course.words(phase.prompt), phase.samples
    hints = [OTHERS.format(count=count, at=at) if at > 1 else "" for at in range(1, count + 1)]
    asked = [
        Question(f"{name}-{number}-{at}", phase.role, f"{words}{hint}", 0.8 if hint else None)
        for at, hint in enumerate(hints, 1)
    ]
    return [said for said in (yield from voices(task, asked)) if said]


def _read_up(worker: Task, rounds: int) -> Generator[Step, None, str]:
    """What is said in the end by who may look at things in so many replies."""
    replies = 0

    def until(step: Step) -> bool:
        nonlocal replies
        replies += step.reply is not None
        return answered(step) or replies >= rounds

    try:
        last = yield from loop(worker, until, nudge=())
    except Stuck:  # it is not the end of the work that who looks goes round in circles
        last = worker.steps[-1]
    if answered(last):
        return worker.engine.trajectory.replies[worker.branch, last.reply or 0].text
    yield worker.say(ANSWER)
    reply = worker.ask()
    yield worker.step(reply, [NO_ROUND] * len(reply.actions))
    return reply.text


def _worker(course: _Course, name: str, phase: Phase, scope: Scope) -> Generator[Step, None, Task]:
    """The conversation of a phase, told what it is to do, with the files as they are now."""
    task = course.task
    if name in course.workers:
        worker = course.workers[name]
        worker.scope = scope
        course.said["since"] = course.changed(worker.tree)
        words = course.words(phase.again or AGAIN.get(phase.asks, phase.prompt))
    else:
        worker = task.beside(name, phase.role)
        worker.scope = scope
        words = f"{_known(worker, not course.workers)}\n\n{course.words(phase.prompt)}"
        course.workers[name] = worker
    if worker.tree != task.tree:
        yield worker.adopt(task.tree, f"{LEFT}\n\n{words}")
    else:
        yield worker.say(words)
    return worker


def _known(worker: Task, located: bool) -> str:
    """What a conversation begins with; the likeliest places are for the first, which tells the others."""
    known = worker.once("facts", lambda: facts(worker, located))
    return "\n\n".join([framed_issue(worker.issue), whereabouts(worker), known])


def _sure_ones(course: _Course, name: str, phase: Phase, answers: Sequence[str]) -> Generator[Step, None, list[str]]:
    """The answers that the weigher is sure enough of, with what it says of them."""
    number = course.begun[name]
    asked = [
        Question(f"{name}-{number}-weigh-{at}", phase.weigher, f"{course.words(phase.weigh)}\n\n{framed(said)}")
        for at, said in enumerate(answers, 1)
    ]
    weighed = yield from voices(course.task, asked)
    shares = [share_of(said) or 0.0 for said in weighed]
    for said, share in zip(answers, shares, strict=True):
        kept = "kept" if share >= phase.sure else "dropped"
        course.task.note("score", f"{share:.2f}, {kept}: {_in_a_line(said)}", share=share)
    return [
        f"{said}\n({phase.weigher}: {cut(why, MOST_WEIGHED)})"
        for said, why, share in zip(answers, weighed, shares, strict=True)
        if share >= phase.sure
    ]


def _judgement(course: _Course, name: str, phase: Phase) -> Generator[Step, None, bool]:
    """Whether the judge says yes. One that cannot be had is against nothing."""
    task, said = course.task, next(iter((yield from _answers(course, name, phase))), "")
    if not said:
        task.note("vote", f"{phase.role} says nothing")
        return True
    good, why = says_yes(said), f"The {phase.role} is against it: {_in_a_line(said)}"
    told = f"{phase.role} says {'yes' if good else 'no'}: {_in_a_line(said)}"
    task.note("vote", told, tree=task.tree, against="" if good else why)
    course.said[name] = framed(cut(said, MOST_SAID))
    course.said["failed"] = f"The {phase.role} says of the patch:\n{course.said[name]}"
    return good


def _work(course: _Course, name: str, phase: Phase) -> Generator[Step, None, bool]:
    """A conversation with tools, until it hands something in."""
    task = course.task
    tools = (*phase.tools, "submit") if phase.tools and phase.until == "submit" else phase.tools
    worker = yield from _worker(course, name, phase, replace(task.scope, tools=tools))
    checks = Checks(worker) if phase.checked else None
    until, nudge = (submitted, NUDGED) if phase.until == "submit" else (_ended, ())
    for number in range(phase.visits):
        last = yield from loop(worker, until, nudge, after=checks.after if checks else None)
        if checks and checks.news and not number:  # handed in with what does not fit
            continue
        if not phase.anchored or not (broken := _broken(course, worker)):
            break
        task.note("gate", f"{', '.join(broken[:5])} passed before: put back")
        yield worker.adopt(course.anchors[0], framed(BROKEN.format(tests="\n".join(broken))), author="anchors")
        if number + 1 == phase.visits:
            break
    task.tree = worker.tree
    summary = next((str(seen.data.get("summary", "")) for seen in reversed(last.observations)), "")
    reply = task.engine.trajectory.replies[worker.branch, last.reply or 0].text
    course.said[name] = framed(cut(summary or reply, MOST_SAID))
    return True


def _ended(step: Step) -> bool:
    return submitted(step) or answered(step)


def _broken(course: _Course, worker: Task) -> list[str]:
    """Tests of the work that passed with its last anchored files and do not now; if there are none, these files are
    its anchor."""
    tree = worker.tree
    passing = worker.once(f"anchors {len(worker.steps)}", lambda: _passing(worker, tree))
    broken = [test for test in course.anchors[1] if test not in passing]
    if not broken:
        course.anchors = tree, passing
    return broken


def _passing(task: Task, tree: str) -> list[str]:
    """Tests in new files that pass."""
    files = new_tests(task, tree)
    if not files:
        return []
    with closing(task.engine.fork(tree, task.cancel)) as workspace:
        workspace.expect(OURS)
        report = ran(task, workspace, tree, files)
    return list(report.passed) if report else []


def _query(course: _Course, name: str, phase: Phase) -> Generator[Step, None, bool]:
    """What somebody makes of what the code graph answers."""
    worker = course.task.beside(f"{name}-{course.begun[name]}", phase.role)
    said = yield from queried(worker, course.words(phase.prompt), phase.rounds)
    course.task.note("summary", f"{phase.role}: {_in_a_line(said)}")
    course.said[name] = framed(cut(said, MOST_SAID))
    return True


def _proof(course: _Course, name: str, phase: Phase) -> Generator[Step, None, bool]:
    verdict = yield from course.task.prove(course.given, likely_sources(course.task))
    course.said["proof"], course.said["failed"] = framed(in_words(verdict, whole=True)), framed(in_words(verdict))
    return verdict.verified


def _in_a_line(said: str) -> str:
    """The beginning of an answer, for a note."""
    return " ".join(said.split())[:300]


_ASKS: Mapping[str, Callable[[_Course, str, Phase], Generator[Step, None, bool]]] = {
    "words": _words, "judgement": _judgement, "query": _query, "work": _work, "proof": _proof,
}  # fmt: skip
