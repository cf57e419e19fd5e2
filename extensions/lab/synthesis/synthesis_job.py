"""The synthesis of tasks: draw candidates, validate them, write instances and the bundle; resumable."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

from aci.observation.secret_masking import mask_secrets
from aci.runtime.workspace import Workspace, WorkspaceOptions
from agent.engine.engine import known_secrets
from extensions.lab.synthesis.candidate import Candidate
from extensions.lab.synthesis.candidate_validation import Validation, measure_base
from extensions.lab.synthesis.difficulty import measure_difficulty
from extensions.lab.synthesis.issue_text import IssueText, write_issue
from extensions.lab.synthesis.issue_writer import IssueWriter
from extensions.lab.synthesis.model_questions import ModelQuestions
from extensions.lab.synthesis.source_repository import SourceRepository, open_source
from extensions.lab.synthesis.synthesis_files import SynthesisFiles, bundle_file, open_files
from extensions.lab.synthesis.task_bundle import commit_tree
from extensions.lab.synthesis.task_instance import Row, build_instance, instance_id
from extensions.lab.synthesis.test_coverage import measure_test_coverage
from extensions.lab.synthesis.validation_executor import ValidationExecutor, ValidationInput
from trajectories.errors import Cancelled, UsageError
from trajectories.plugins import find

KINDS = "extensions.lab.synthesis.kinds"
MODEL_KINDS = frozenset({"rewrite"})
VALID = "valid"
Generate = Callable[[SourceRepository, Random], Iterator[Candidate | None]]
"""Yields candidates, and None if there are none before other candidates were validated."""


@dataclass(frozen=True, slots=True)
class SynthesisOptions:
    """The flags of `swe-agent synth`."""

    out: Path
    count: int = 50
    kinds: tuple[str, ...] = ("plant",)
    seed: int = 0
    workers: int = 2
    """Number of candidates that the executor validates at a time."""
    test: str = ""
    tries_templates: bool = False
    """Whether repair by templates is tried on each instance."""


@dataclass
class SynthesisResult:
    """The number of instances in the file and of candidates with each result, by kind and operator."""

    instances: int = 0
    tried: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, kind: str, operator: str, result: str) -> None:
        """Count the result of a candidate."""
        self.tried.setdefault(f"{kind} {operator}", Counter())[result] += 1


@dataclass(frozen=True, slots=True)
class Trial:
    """A candidate with its id and result; `row` is the instance of a valid one."""

    id: str
    candidate: Candidate
    result: str
    row: Row | None = None


def synthesize(
    workspace: Workspace,
    place: WorkspaceOptions,
    options: SynthesisOptions,
    say: Callable[[str], None],
    questions: ModelQuestions | None = None,
    *,
    executor: ValidationExecutor,
    settings: Mapping[str, Any] | None = None,
) -> SynthesisResult:
    """Measure the tests of the base in the workspace, and make instances from it with candidates that the executor
    validates.

    A model writes the issue texts if `questions` are given. `settings` are those of workspaces on other machines.
    Raises UsageError if the tests cannot judge candidates or the file holds something else, TryLater if another process
    uses the file, WorkspaceError, and Cancelled.
    """
    source = open_source(place, None)
    with open_files(options.out, source, options.test) as files:
        say(f"Running the tests of {place.repository.name} twice.")
        base = measure_base(workspace, options.test)
        say(f"{len(base.passing)} tests pass in {base.seconds:.1f} s. Measuring which lines each runs.")
        coverage = measure_test_coverage(workspace, base.command, base.passing, place.cancel, say)
        source = replace(source, coverage=coverage, ask=questions.ask if questions else None)
        executor.start(ValidationInput(workspace, source, base, say, settings or {}))
        return SynthesisJob(source, executor, options, files, place.cancel, say, questions).run()


def find_kinds(names: Sequence[str], has_model: bool = True) -> dict[str, Generate]:
    """Return the functions that yield the candidates of these kinds. Raises UsageError for an unknown kind, and for one
    that needs a model if there is none."""
    if not has_model and (asking := MODEL_KINDS.intersection(names)):
        raise UsageError(f"The kind {min(asking)} needs a model.", "Name one with --model, or leave the kind out.")
    return {name: find(KINDS, name, "generate", "kind of task") for name in names}


def draw_candidates(source: SourceRepository, kinds: Sequence[str], seed: int) -> Iterator[Candidate | None]:
    """Yield the candidates of the kinds in turn, and None whenever no kind has one: validated candidates may lead to
    more. Raises UsageError."""
    streams = [generate(source, Random(f"{seed} {kind}")) for kind, generate in find_kinds(kinds).items()]
    while True:
        found = False
        for stream in streams:
            if candidate := next(stream, None):
                found = True
                yield candidate
        if not found:
            yield None


class SynthesisJob:
    """Writes instances of one source to a file until it holds `count`.

    With the file of tried candidates, an interrupted job validates no candidate twice.
    """

    def __init__(
        self,
        source: SourceRepository,
        executor: ValidationExecutor,
        options: SynthesisOptions,
        files: SynthesisFiles,
        cancel: Event,
        say: Callable[[str], None],
        questions: ModelQuestions | None = None,
    ) -> None:
        self._source, self._executor, self._options = source, executor, options
        self._files, self._cancel, self._say = files, cancel, say
        self._writer = IssueWriter(questions) if questions else None
        self._secrets = questions.secrets if questions else known_secrets(os.environ)
        self._result = SynthesisResult()
        for note in files.tried.values():
            self._result.add(note["kind"], note["operator"], note["result"])

    @property
    def _is_done(self) -> bool:
        return len(self._files.commits) >= self._options.count

    def run(self) -> SynthesisResult:
        """Make instances until there are enough or no candidate is left, then write the bundle. Raises Cancelled if it
        was interrupted before."""
        try:
            self._try_candidates()
        finally:
            self._files.write_bundle()
        if self._cancel.is_set() and not self._is_done:
            raise Cancelled("Interrupted.")
        self._result.instances = len(self._files.commits)
        return self._result

    def _try_candidates(self) -> None:
        """Record the results of new candidates in the order of the candidates; several are validated at a time."""
        candidates = self._new_candidates()
        pool = ThreadPoolExecutor(self._options.workers)
        waiting: deque[Future[Trial]] = deque()
        try:
            while not self._cancel.is_set() and not self._is_done:
                while len(waiting) < 2 * self._options.workers and (candidate := next(candidates, None)):
                    waiting.append(pool.submit(self._try, candidate))
                if not waiting:
                    return
                self._record(waiting.popleft().result())
        finally:
            for future in waiting:
                future.cancel()
            pool.shutdown(wait=True)
            self._record_finished(waiting)

    def _record_finished(self, futures: Iterable[Future[Trial]]) -> None:
        """Record the results that exist when the job ends early, up to the number of instances."""
        for future in futures:
            if not self._is_done and not future.cancelled() and not future.exception():
                self._record(future.result())

    def _record(self, trial: Trial) -> None:
        candidate = trial.candidate
        self._result.add(candidate.kind, candidate.operator, trial.result)
        if trial.row:
            self._files.add_row(trial.row)
        self._files.add_note(trial.id, candidate.kind, candidate.operator, trial.result)
        total = sum(counts.total() for counts in self._result.tried.values())
        self._say(f"{sum(counts[VALID] for counts in self._result.tried.values())} valid of {total} candidates")

    def _new_candidates(self) -> Iterator[Candidate | None]:
        seen = {*self._files.tried, *self._files.commits}
        for candidate in draw_candidates(self._source, self._options.kinds, self._options.seed):
            id = instance_id(self._source, candidate) if candidate else ""
            if id not in seen:
                seen |= {id} - {""}
                yield candidate

    def _try(self, candidate: Candidate) -> Trial:
        id = instance_id(self._source, candidate)
        validation = self._executor.validate(candidate)
        if validation.reason:
            return Trial(id, candidate, validation.reason)
        issue = self._issue(candidate, validation)
        if issue is None:
            return Trial(id, candidate, "no clear text")
        return Trial(id, candidate, VALID, self._row(candidate, validation, issue))

    def _issue(self, candidate: Candidate, validation: Validation) -> IssueText | None:
        """Return the text without a model, in which secrets are masked: failing tests may print them."""
        if candidate.write_text is None:
            found = write_issue(self._source, validation.examples, candidate.symbols)
        else:
            text = candidate.write_text(validation.failures)
            found = IssueText(text, "", "") if text else None
        return found and replace(found, text=self._masked(found.text), code=self._masked(found.code))

    def _masked(self, text: str) -> str:
        return mask_secrets(text, self._secrets)

    def _row(self, candidate: Candidate, validation: Validation, issue: IssueText) -> Row:
        source, options = self._source, self._options
        id = instance_id(source, candidate)
        writer = self._writer if candidate.write_text is None else None
        written = writer.rewrite(id, issue, candidate.symbols) if writer else None
        text = written.text if written else issue.text
        planted = source.trees.write(candidate.files, source.tree)
        commit = commit_tree(source.trees, planted, source.created_at)
        failing = len(validation.fail_to_pass)
        difficulty = measure_difficulty(source, planted, commit, text, candidate.symbols, failing)
        if options.tries_templates:
            difficulty = replace(difficulty, templates=self._executor.is_repaired(candidate, validation, text))
        bundle = f"./{bundle_file(options.out).name}"
        return build_instance(
            source, candidate, validation, planted, commit, text, difficulty, bundle=bundle, seed=options.seed,
            test=options.test, text_model=written.model if written else "",
        )  # fmt: skip
