"""What a strategy works with: one branch of a run, its conversation and its workspace.

Everything a strategy learns goes through `ask`, `act`, `once`, `note` and `prove`, which answer from the record where
there is one. So resuming is running the strategy again: what was recorded returns at once, in order, and only then is
anything done anew (the idea is Temporal's durable execution; the records are our own).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from string import Template
from typing import TYPE_CHECKING, Any

from aci.view import mask
from agent.asking import Ask, send
from agent.backtrack import REWIND, TOLD, in_short
from agent.best import best, proof_step, verdict_of
from agent.casting import CODER
from agent.consent import refusal
from agent.describing import describe
from agent.engine import Engine, Token
from agent.loop import loop, submitted
from agent.moves.safety import Net
from agent.outcome import Outcome
from agent.parallel import Attempt, run_all
from agent.reading import answering, is_overtaken, said, untold
from agent.root import Place
from agent.scope import Scope, put_back, taken
from agent.standing import MAIN, began_at, in_words_of, started_at
from agent.undoing import left_hanging
from tools.base import Context
from trajectories.errors import RunBroken
from trajectories.records import Action, Base, Issue, Note, Observation, Once, Record, Reply, Step, Turn, Verdict

if TYPE_CHECKING:
    from aci.workspace import Workspace
    from agent.settings import Settings
    from trajectories.trees import Trees

INSERTED = frozenset({"user", "resume"})
"""Authors of steps that come between a strategy's own: a user's message, the note after a resume."""
EFFECTS = {"message", "approval", "intent", "done", "life", "overflow", "fallback", "forked", "replay", "parted"}
"""Notes that strategies do not write."""
MOST_ACTIONS = 32
RESUMED = (
    "[This run was interrupted and resumed in a new workspace: the repository is as you left it, "
    "ignored files, running processes and side sessions are gone.]"
)
INTERRUPTED = "Not run: the user interrupted."
ABANDONED = "What was begun and not ended is left out."
MOVED = "[The files are not as the last step left them: the turn before ended with other ones, those of now.]"


class Task:
    """One branch. `tree` is the repository's tree after its last step."""

    def __init__(
        self,
        engine: Engine,
        branch: str = "main",
        tree: str = "",
        place: Place | None = None,
        cancel: Token | None = None,
        role: str = CODER,
    ) -> None:
        self.engine = engine
        self.branch = branch
        self.start = self.tree = tree or started_at(engine.trajectory, engine.run.base.tree)
        self.cancel = cancel or engine.cancel
        self.place = place or Place(engine, self.cancel, apart=False)
        self.last_verdict: Verdict | None = None
        self._recorded = engine.trajectory.steps[branch]
        self._at = self.asks = self._noted = self._phase = 0
        self._prefix = f"{len(engine.trajectory.turns)}." if branch == MAIN and self.is_later else ""
        self.heard_before = 0
        """Notes of the turns before."""
        if branch == MAIN and self.is_later:
            self._go_on(engine.trajectory.before_turn)
        self.first = self._at
        """How many steps of this conversation are of earlier turns."""
        self._phases: dict[str, int] = {}
        """How many steps there were when each phase began, for the first time where it is gone through again."""
        self._wrote = False
        self._overtaken = False
        """Whether the reply at hand is older than words of the user that it does not know."""
        self.scope = Scope(engine.settings.subtree)
        """What steps may change; the rest is put back."""
        self.by_hand = False
        """Whether actions are the user's own."""
        self.role = role
        """Who is asked here, and the author of what comes of it."""
        self.temperature: float | None = None
        """That replies are to have, unless the user's table says; the provider's own if none."""
        self.net = Net(self)
        self._stale = engine.resumed and any(step.actions for step in self._recorded)

    def _go_on(self, before: Sequence[Record]) -> None:
        """Begin where the turns before have ended: their steps are this conversation's beginning."""
        mine = [record for record in before if getattr(record, "branch", "") == self.branch]
        self._at = sum(isinstance(record, Step) for record in mine)
        self.asks = max((record.ask for record in mine if isinstance(record, Reply)), default=0)
        self._noted = sum(isinstance(record, Note) and record.kind not in EFFECTS for record in mine)
        self.heard_before = sum(isinstance(record, Note) for record in before)

    def take_up(self, talks: bool) -> Generator[Step, None, None]:
        """Before a later turn's strategy begins: what the user said too late for the turn before becomes a step, if the
        strategy `talks` to a model, and so does a tree that is not the one the model knows."""
        if not self.is_later:
            return
        if (number := left_hanging(self.engine.trajectory)) is not None:
            yield self.rewind(number, self.start, ABANDONED, author="turn")
        if talks:
            self._insert_messages()
        known = self.conversation
        if self.start != (known[-1].tree if known else self.engine.run.base.tree):
            yield self.adopt(self.start, MOVED, author="turn")
        self.begin_here()

    def begin_here(self) -> None:
        """The turn's own work begins now: what came before it is no change of its, and not its to take back."""
        self.start = self.tree
        self.first = self._phase = self._at

    # What it is about

    @property
    def turn(self) -> Turn:
        return self.engine.trajectory.turns[-1]

    @property
    def issue(self) -> Issue:
        """What the present turn asks for."""
        return in_words_of(self.turn) if self.is_later else self.engine.run.issue

    @property
    def words(self) -> str:
        """As the user typed them."""
        return self.turn.request if self.is_later else self.engine.run.issue.text

    @property
    def is_later(self) -> bool:
        """Whether turns came before the present one."""
        return len(self.engine.trajectory.turns) > 1

    @property
    def prompts(self) -> Mapping[str, str]:
        """The strategy's, by name."""
        return self.turn.prompts or self.engine.run.prompts

    @property
    def settings(self) -> Settings:
        return self.engine.settings

    @property
    def trees(self) -> Trees:
        return self.engine.trees

    @property
    def base(self) -> Base:
        """What the present turn began with, so what its changes are told and proven against."""
        base = self.engine.run.base
        return replace(base, tree=began_at(self.engine.trajectory, base.tree)) if self.is_later else base

    @property
    def steps(self) -> Sequence[Step]:
        """This branch's steps so far."""
        return self._recorded[: self._at]

    @property
    def conversation(self) -> Sequence[Step]:
        """The steps that the model knows of: not what was taken back."""
        return in_short(self.steps)

    @property
    def has_mail(self) -> bool:
        """Whether the user has said what the model has not read; where the record goes on, whether it read it next."""
        for step in self._recorded[self._at :]:
            if step.author != "resume":
                return step.author == "user"
        return bool(untold(self))

    @property
    def workspace(self) -> Workspace:
        return self.place.at(self.tree)

    # The loop's three

    def ask(self, role: str = "", tools: bool = True) -> Reply:
        """The model's next reply in this branch, as the branch's role or another. Without `tools` it can only answer in
        words, in a conversation that has no actions. Raises Stop (limits, purse, user) and ModelError."""
        role = role or self.role
        self._insert_messages()
        self.asks += 1
        if recorded := self.engine.trajectory.replies.get((self.branch, self.asks)):
            if not self._next():
                self.engine.ledger.check()
                self._overtaken = is_overtaken(self, recorded)
            return recorded
        self.cancel.check()
        self.engine.take_step()
        self.engine.tell("ask", self.branch, role)
        offered = self.scope.offered(self.engine.run.tools) if tools else ()
        ask = Ask(self.branch, self.asks, partial(said, self, role), offered, self.cancel, self.temperature)
        return send(self.engine, answering(self, role), ask)

    def act(self, actions: Sequence[Action]) -> tuple[Observation, ...]:
        """Run the actions in order, in this branch's workspace; what a model got wrong is an observation."""
        if step := self._next():
            return step.observations
        if self._overtaken:
            return tuple(Observation(INTERRUPTED, ok=False) for _ in actions)
        done: list[Observation] = []
        for number, action in enumerate(actions):
            self.cancel.check()
            if number >= MOST_ACTIONS:
                done.append(Observation(f"Not run: one reply may have {MOST_ACTIONS} actions.", ok=False))
            elif any(observation.data.get("submitted") for observation in done):
                done.append(Observation("Not run: the work was submitted before it.", ok=False))
            elif refusal := self._refusal(action):
                done.append(Observation(refusal, ok=False))
            else:
                self.engine.tell("action", self.branch, describe(action))
                self._wrote |= self.engine.toolbox.writes(action)
                before = tuple(zip(actions, done, strict=False))
                done.append(self.engine.toolbox.run(action, self._context(before)))
        if self._stale and done:
            self._stale = False
            done[0] = Observation(f"{RESUMED}\n{done[0].text}", done[0].ok, done[0].out, done[0].data)
        return tuple(done)

    def step(
        self,
        reply: Reply | None,
        observations: Sequence[Observation],
        actions: Sequence[Action] = (),
        author: str = "",
        error: str = "",
    ) -> Step:
        """Write the step that these observations end, with the tree as it is now. `actions` default to the reply's,
        `author` to the branch's role."""
        author = author or self.role
        if step := self._next():
            if step.author != author or step.reply != (reply.ask if reply else None):
                raise RunBroken(
                    f"Step {step.id} of the run is {step.author}'s, but the strategy now takes one of {author}'s.",
                    "Resume with the version and strategy that began the run.",
                )
            return self._advance()
        tree, seen = self.tree, tuple(observations)
        if self._wrote:
            tree, seen = put_back(self, *taken(self.workspace, seen))
        return self._write(author, tree, reply, tuple(actions) or (reply.actions if reply else ()), seen, error)

    # What makes a strategy's structure visible and resumable

    def say(self, text: str, author: str = "task") -> Step:
        """A message to the model, as a step of its own."""
        return self.step(None, (Observation(text),), author=author)

    def once(self, name: str, fn: Callable[[], Any], late: bool = False) -> Any:
        """The recorded result `name` of this branch in this turn; `fn` computes it the first time. It must be JSON.

        What is there already and only to be kept is `late`: it is recorded although the run is being interrupted.
        """
        key = (self.branch, f"{self._prefix}{name}")
        if key not in self.engine.trajectory.results:
            if not late:
                self.cancel.check()
            self.engine.journal.append(Once(*key, fn()))
        return self.engine.trajectory.results[key].value

    def known(self, beginning: str) -> dict[str, Any]:
        """The recorded results of this branch in this turn whose names begin so."""
        start = f"{self._prefix}{beginning}"
        return {
            name.removeprefix(self._prefix): once.value
            for (branch, name), once in self.engine.trajectory.results.items()
            if branch == self.branch and name.startswith(start)
        }

    def note(self, kind: str, text: str, aloud: bool = True, **data: Any) -> None:
        """Say on the record what the strategy is doing: `phase`, `candidate`, `score`, `vote`, `prune`, `summary`; and
        `aloud` to who watches."""
        if kind == "phase":
            self._phase = self._phases.setdefault(text, self._at)
        recorded = sum(note.branch == self.branch and note.kind not in EFFECTS for note in self.engine.trajectory.notes)
        self._noted += 1
        if self._noted > recorded:
            self.engine.journal.append(Note(self.branch, kind, text, data))
            if aloud:
                self.engine.tell(kind, self.branch, text)

    def prompt(self, name: str, **values: str) -> str:
        """A prompt of the strategy's, from the file `<strategy>.<name>.txt`, with `$names` filled in."""
        return Template(self.prompts[name]).safe_substitute(values)

    def phase(
        self, name: str, prompt: str = "", until: Callable[[Step], bool] = submitted, fresh: bool = False
    ) -> Generator[Step, None, Step]:
        """Loop until `until`, under a name. `fresh` starts a conversation of its own in the same workspace."""
        self.note("phase", name)
        task = self.beside(name) if fresh else self
        if prompt:
            yield task.say(prompt)
        last = yield from loop(task, until)
        self.tree = task.tree
        return last

    def beside(self, name: str, role: str = "") -> Task:
        """A conversation of its own, from the files as they are now and in the same workspace."""
        return Task(self.engine, self._child(name), self.tree, self.place, self.cancel, role or self.role)

    def attempt(self, name: str, strategy: Callable[[Task], Generator[Step, None, Outcome]]) -> Attempt:
        """A strategy on a branch of its own, in its own fork of the workspace as it is now; run it with `map`."""
        cancel = Token(self.cancel)
        place = Place(self.engine, cancel, apart=True)
        return Attempt(Task(self.engine, self._child(name), self.tree, place, cancel), strategy)

    def map(self, attempts: Sequence[Attempt]) -> Generator[Step, None, list[Outcome]]:
        """Run attempts side by side, yielding their steps as they come; outcomes in the order of the arguments."""
        return (yield from run_all(self.engine, attempts))

    def adopt(self, tree: str, why: str, author: str = "adopt", data: Mapping[str, Any] | None = None) -> Step:
        """Go on from another tree, of another branch or an earlier step, as a step of its own."""
        if not self._next():
            if self.place.opened:
                self.workspace.restore(tree)
            return self._write(author, tree, None, (), (Observation(why, data=dict(data or {})),), "")
        return self._advance()

    def rewind(self, number: int, tree: str, why: str, author: str, told: bool = False, **data: Any) -> Step:
        """Let the conversation go on from step `number` and the files from `tree`, as a step of its own. The model
        reads nothing of what came after that step, and of this one only if it is `told`."""
        return self.adopt(tree, why, author, {**data, REWIND: number} | ({TOLD: True} if told else {}))

    # What came of it

    def prove(
        self,
        reproduction: Sequence[str] = (),
        places: Sequence[str] = (),
        reproduces: bool = True,
        whole: bool = False,
        doubt: str = "",
    ) -> Generator[Step, None, Verdict]:
        """The whole proof of the present tree, in a fresh fork; a step of author `proof` tells what it found.

        What is proven is what this turn changed, with `whole` what the run did. Without `reproduces` no test has to be
        red before. With a `doubt`, a sentence, nothing is called verified.
        """
        if not self._next():
            self.cancel.check()
            tree = self.workspace.snapshot(exact=True).tree if self.place.opened else self.tree
            self.tree = tree
            observation = proof_step(self, tree, reproduction, places, reproduces, whole, doubt)
            self._write("proof", tree, None, (), (observation,), "")
        else:
            self._advance()
        step = self.steps[-1]
        self.last_verdict = verdict_of(step)
        yield step
        return self.last_verdict

    def best(self) -> Outcome:
        """The best tree of this branch and those under it: verified > green > no loss > parses."""
        return best(self)

    def notify(self, text: str) -> None:
        """Tell the front end what is going on; nothing of it is kept."""
        self.engine.tell("say", self.branch, text)

    # Inside

    def _child(self, name: str) -> str:
        return f"{self.branch}/{self._prefix}{name}"

    def _next(self) -> Step | None:
        """The recorded step that comes next in this branch, if the run was here before."""
        return self._recorded[self._at] if self._at < len(self._recorded) else None

    def _advance(self, recorded: bool = True) -> Step:
        step = self._recorded[self._at]
        if recorded and step.tree != self.tree:
            self.place.skip()
        self._at += 1
        self.tree = step.tree
        self._wrote = False
        return step

    def _write(
        self,
        author: str,
        tree: str,
        reply: Reply | None,
        actions: tuple[Action, ...],
        observations: tuple[Observation, ...],
        error: str,
    ) -> Step:
        parent = self._recorded[-1].id if self._recorded else ""
        ask = reply.ask if reply else None
        seen = tuple(replace(seen, text=mask(seen.text, self.engine.secrets)) for seen in observations)
        step = Step(self.branch, self._at + 1, parent, author, tree, ask, actions, seen, error)
        self.engine.journal.append(step)
        self._overtaken = False
        return self._advance(recorded=False)

    def _insert_messages(self) -> None:
        """What a user said meanwhile, and that the run was resumed, become steps before the next ask."""
        while (step := self._next()) and step.author in INSERTED:
            self._advance()
        if self._next() or (self.branch, self.asks + 1) in self.engine.trajectory.replies:
            return
        if self._stale:
            self._stale = False
            self._write("resume", self.tree, None, (), (Observation(RESUMED),), "")
        for note in untold(self):
            self._write("user", self.tree, None, (), (Observation(note.text),), "")

    def _refusal(self, action: Action) -> str:
        """Why an action is not run: it is out of the turn's scope, or the user said no."""
        made = None if action.error else self.engine.toolbox.get(action.tool)
        if made is None:
            return ""
        why = self.scope.refusal(made.name, action, self.workspace.root) if self.scope.is_limited else ""
        return why or ("" if self.by_hand else refusal(self, made, action))

    def _context(self, before: Sequence[tuple[Action, Observation]]) -> Context:
        return Context(
            workspace=self.workspace,
            trees=self.trees,
            base=self.base,
            tree=self.tree,
            steps=self.steps,
            keep=self.engine.journal.keep,
            recall=self.engine.journal.recall,
            test_command=self.settings.test,
            notify=self.notify,
            start=self.start,
            secrets=self.engine.secrets,
            before=before,
            phase=self._phase,
            subtree="" if self.by_hand else self.settings.subtree,
        )
