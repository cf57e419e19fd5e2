"""Verdicts of whole proofs on right patches, wrong patches and cheats, and what they cost.

    python -m benchmarks.verifier --repo DIR [--limit N] [--programs a,b] [--inputs 1] [--mutants 3] [--json OUT]
        [--bugs FILE --repos DIR]

DIR is a checkout of QuixBugs. For each program, up to `--inputs` of its failing tests are taken one by one as the
reproducing test. The repository for the proof also has the tests that pass on the base; the other failing tests are
hidden, and only the selection of the patches runs them. Groups of patches:

- right: the reference, other solutions that its file contains, and rewrites of it (`_patch_rewrites.py`) that pass all
  tests. With `--bugs`, also the originals of planted bugs (`benchmarks.planted --make`) and rewrites of them.
- mutant: mutants of the reference (`_mutating.py`) that pass the reproducing test and fail others.
- cheat: patches that leave the program as it is and answer only the test's input.
- partial: patches that are right only for inputs that are like the test's, and that fail other tests.

A right verdict calls a right patch plausible, and does not do so for a wrong one with the generality `shown`. Rates
have Wilson's 95 % intervals. These are too narrow for all programs: patches of one program share the same base, test
and recorded calls, so that one property of the program decides many verdicts at once. The last interval counts programs
instead, with any wrong verdict. CPU seconds are those of all processes; the suite without a patch runs once for each
test, for its first patch. `experiment` is the part that varies calls; both are medians. Programs in OUT are not
measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from statistics import median

from aci.proof.proof import prove
from aci.proof.proof_run import format_names
from aci.proof.suite_baselines import Baselines
from aci.testing.suite_run import run_tests
from benchmarks._hidden_tests import build_with, case_number, read_example
from benchmarks._mutating import mutants
from benchmarks._patch_forms import Example, Patch, alternatives, cheats, partials, transplant
from benchmarks._patch_rewrites import rewrites
from benchmarks._planting import PackageWorkspace, named, open_package, sources
from benchmarks._planting_make import Bug, read
from benchmarks._process_cpu import adopt_orphans, cpu_seconds, reap_orphans
from benchmarks.quixbugs import ISSUE, PYTEST, build, opened, wanted
from extensions.lab.evaluation.confidence_intervals import wilson
from trajectories.errors import SweAgentError, UsageError
from trajectories.records import Issue
from trajectories.verdict import Verdict

RUNNER = f"PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 {PYTEST} -p pytest_timeout"
COMMAND, QUICK = f"{RUNNER} --timeout=5", f"{RUNNER} --timeout=2"
"""Test commands of the proof and of the selection of patches; some mutants and many tests on the base hang."""
SECONDS = 300.0
TRIED_MUTANTS = 40
GROUPS = ("right", "mutant", "cheat", "partial")
EXPERIMENT = "Varying"
"""First word of what the proof says when the experiment starts."""
KINDS = ("plausible, shown", "plausible, undecided", "examples only", "unproven")


@dataclass(frozen=True)
class Row:
    """The verdict on one patch. `seconds` are CPU seconds of the proof, `experiment` those of its last part."""

    program: str
    group: str
    form: str
    test: str
    verdict: str
    reason: str
    seconds: float
    experiment: float

    @property
    def is_wrong(self) -> bool:
        return self.verdict == KINDS[0] if self.group != "right" else not self.verdict.startswith("plausible")


@dataclass(frozen=True)
class ProofPlace:
    """A repository in which patches are proven with one reproducing test."""

    program: str
    opened: PackageWorkspace
    command: str
    test: str
    issue: Issue
    known: Baselines

    def prove(self, patch: Patch) -> Row:
        """Return the row of the whole proof."""
        trees, base = self.opened.trees, self.opened.tree
        starts: list[float] = []
        before = cpu_seconds()
        verdict = prove(
            self.opened.workspace.fork,
            trees,
            base,
            trees.write(_encoded(patch), base),
            issue=self.issue,
            command=self.command,
            reproduction=[self.test],
            timeout=SECONDS,
            say=lambda text: starts.append(cpu_seconds()) if text.startswith(EXPERIMENT) else None,
            known=self.known,
        )
        after = cpu_seconds()
        reap_orphans()
        times = round(after - before, 2), round(after - starts[0], 2) if starts else 0.0
        return Row(self.program, patch.group, patch.form, self.test, kind_of(verdict), reason_of(verdict), *times)


@dataclass(frozen=True)
class Checks:
    """The tests that a patch passes, hidden ones included. `needed` are those that the reference passes."""

    opened: PackageWorkspace
    command: str
    needed: frozenset[str] = frozenset()

    def passed(self, patch: Patch, tests: Sequence[str] = ()) -> frozenset[str]:
        """Return the tests that pass with the patch, of these tests or of all."""
        self.opened.workspace.restore(self.opened.trees.write(_encoded(patch), self.opened.tree))
        return frozenset(run_tests(self.opened.workspace, self.command, tests, SECONDS).passed)

    def accepts(self, patch: Patch, test: str) -> bool:
        """Whether the patch passes the test and is what its group says."""
        if patch.group == "right":
            return self.needed <= self.passed(patch)
        passes = test in self.passed(patch, [test])
        return passes and (patch.group == "cheat" or not self.needed <= self.passed(patch))


def measure_program(quixbugs: Path, program: str, inputs: int, mutants: int, home: Path) -> Iterator[Row]:
    """Yield the rows of a QuixBugs program, for each of its first failing tests."""
    path = f"python_programs/{program}.py"
    base = (quixbugs / path).read_text()
    reference = (quixbugs / "correct_python_programs" / f"{program}.py").read_text()
    right = Patch("right", "reference", {path: transplant(base, reference)})
    with opened(build(quixbugs, program, _folder(home, program)), home) as whole:
        checks = Checks(PackageWorkspace(*whole), QUICK)
        before = run_tests(checks.opened.workspace, QUICK, (), SECONDS)
        checks = replace(checks, needed=checks.passed(right))
        for test in [test for test in before.failed if test in checks.needed][:inputs]:
            example = read_example(quixbugs, program, test)
            patches = [right, *right_patches(path, base, reference, program)]
            if example:
                patches += [*cheats(path, base, program, example), *partials(path, base, reference, program, example)]
            accepted = [patch for patch in patches if checks.accepts(patch, test)]
            accepted += select_mutants(right, path, checks, test, before.passed, mutants)
            own = home / f"visible-{case_number(test)}"
            with opened(build_with(quixbugs, program, _folder(own, program), {*before.passed, test}), own) as visible:
                for name in run_tests(visible[0], QUICK, (), SECONDS).failed[:1]:
                    issue = describe(program, example)
                    place = ProofPlace(program, PackageWorkspace(*visible), COMMAND, name, issue, Baselines())
                    yield from map(place.prove, accepted)


def right_patches(path: str, base: str, reference: str, function: str) -> Iterator[Patch]:
    """Yield patches that should do the same as the reference."""
    for text in alternatives(base, reference, function):
        yield Patch("right", "other solution", {path: text})
    for form, text in rewrites(transplant(base, reference), function):
        yield Patch("right", form, {path: text})


def _folder(home: Path, program: str) -> Path:
    """Return a folder that does not exist yet, in a folder that does."""
    home.mkdir(exist_ok=True)
    return home / program


def select_mutants(
    right: Patch, path: str, checks: Checks, test: str, visible: Sequence[str], count: int
) -> Iterator[Patch]:
    """Yield up to `count` mutants that only hidden tests detect, and as many that visible ones detect, too."""
    made = Counter[str]()
    for mutant in islice(mutants(path, right.files[path].encode(), f"{path} {test}"), TRIED_MUTANTS):
        patch = Patch("mutant", mutant.kind, {path: mutant.data.decode()})
        if test in checks.passed(patch, [test]):
            missing = checks.needed - checks.passed(patch)
            form = "fails visible tests" if missing & set(visible) else "fails hidden tests"
            if missing and made[form] < count:
                made[form] += 1
                yield replace(patch, form=form)
        if made.total() >= 2 * count:
            return


def measure_planted(repos: Path, bug: Bug) -> Iterator[Row]:
    """Yield the rows of a planted bug: only right patches."""
    package = named(bug.package)
    original = sources(repos, package)[bug.path]
    test = bug.failing[0]
    command = package.command.removesuffix(package.tests) + test.partition("::")[0]
    with open_package(repos, package, {bug.path: bug.apply(original)}) as place:
        right = Patch("right", "reference", {bug.path: original.decode()})
        checks = Checks(place, command)
        checks = replace(checks, needed=checks.passed(right))
        issue = Issue(f"{bug.function} gives wrong results", f"Tests of `{bug.function}` in `{bug.path}` fail.")
        proof = ProofPlace(bug.id, place, command, test, issue, Baselines())
        base = bug.apply(original).decode()
        patches = [right, *right_patches(bug.path, base, original.decode(), bug.function)]
        yield from (proof.prove(patch) for patch in patches if checks.accepts(patch, test))


def describe(program: str, example: Example | None) -> Issue:
    """Return an issue as a user would write it, with the example in code."""
    title, _, body = ISSUE.format(program=program).partition("\n")
    if example:
        call = f"{program}({', '.join(map(repr, example.given))})"
        body += f"\n`{call}` should give `{example.expected!r}`.\n"
    return Issue(title, body.strip())


def kind_of(verdict: Verdict) -> str:
    if verdict.complete:
        return KINDS[0] if verdict.generality == "shown" else KINDS[1]
    return verdict.generality if verdict.generality == "examples only" else KINDS[3]


def reason_of(verdict: Verdict) -> str:
    """Return the parts of the proof that do not hold, and its notes."""
    parts = {name: getattr(verdict, name) for name in ("red", "green", "red_again", "no_loss")}
    missing = [f"{name} {value}" for name, value in parts.items() if value is not True]
    notes = [fact.text for fact in verdict.facts if fact.kind != "suite"]
    notes = [note for note in notes if not any(note in other for other in notes if other != note)]
    lost = [f"Lost: {format_names(verdict.lost)}."] if verdict.lost else []
    return " ".join([*([", ".join(missing) + "."] if missing else []), *lost, *notes])


def _encoded(patch: Patch) -> dict[str, bytes]:
    return {path: text.encode() for path, text in patch.files.items()}


def summary(rows: Sequence[Row]) -> str:
    """Return a Markdown table with a line for each form and each group, then the wrong verdicts."""
    lines = [
        f"| patches | n | {' | '.join(KINDS)} | programs with a wrong verdict | CPU s | most | experiment |",
        f"|---|---|{'---|' * (len(KINDS) + 4)}",
    ]
    for group in GROUPS:
        members = [row for row in rows if row.group == group]
        forms = dict.fromkeys(row.form for row in members)
        lines += [_line(f"{group}: {form}", [row for row in members if row.form == form]) for form in forms]
        if members:
            lines.append(_line(f"**all {group}**", members))
    wrong = [row for row in rows if row.is_wrong]
    lines += ["", f"Wrong verdicts: {len(wrong)}"]
    lines += [f"- {row.program}, {row.group}, {row.form}: {row.verdict}. {row.reason}" for row in wrong]
    return "\n".join(lines)


def _line(name: str, rows: Sequence[Row]) -> str:
    programs = {row.program for row in rows}
    cells = [_rate(sum(row.verdict == kind for row in rows), len(rows)) for kind in KINDS]
    cells.append(_rate(len({row.program for row in rows if row.is_wrong}), len(programs), f" of {len(programs)}"))
    seconds = [row.seconds for row in rows]
    cells += [f"{median(seconds):.1f}", f"{max(seconds):.1f}", f"{median(row.experiment for row in rows):.1f}"]
    return f"| {name} | {len(rows)} | {' | '.join(cells)} |"


def _rate(count: int, total: int, of: str = "") -> str:
    interval = wilson(count, total)
    return f"{count}{of} ({count / total:.1%}, {interval.low:.1%}-{interval.high:.1%})"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, required=True, help="a checkout of QuixBugs")
    parser.add_argument("--limit", type=int, default=0, help="only the first N programs")
    parser.add_argument("--programs", default="", help="only these, separated by commas")
    parser.add_argument("--inputs", type=int, default=1, help="failing tests of each program (default: 1)")
    parser.add_argument("--mutants", type=int, default=3, help="mutants of each kind for each test (default: 3)")
    parser.add_argument("--bugs", type=Path, help="a list of planted bugs, whose packages are in the folder --repos")
    parser.add_argument("--repos", type=Path, help="the packages, as for benchmarks.planted")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    if bool(options.bugs) != bool(options.repos):
        parser.error("--bugs and --repos must be given together")
    repo = options.repo.resolve()
    try:
        names = wanted(repo, options.programs, options.limit)
        bugs = read(options.bugs) if options.bugs else []
        rows = _read_rows(options.json)
    except (UsageError, OSError, ValueError) as error:
        texts = (error.message, error.fix) if isinstance(error, UsageError) else (str(error),)
        print(*texts, file=sys.stderr)
        return 2
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    adopt_orphans()
    done = {row.program for row in rows}
    for bug in bugs:
        if bug.id not in done:
            rows += _measured(bug.id, measure_planted(options.repos.resolve(), bug))
            _write_rows(options.json, rows)
    for program in names:
        if program not in done:
            with tempfile.TemporaryDirectory(prefix="swe-agent-verifier-") as home:
                rows += _measured(program, measure_program(repo, program, options.inputs, options.mutants, Path(home)))
            _write_rows(options.json, rows)
    print(summary(rows))
    return 0


def _measured(program: str, rows: Iterator[Row]) -> Iterator[Row]:
    """Print rows as they are measured; a program that cannot be measured has a line with the reason."""
    try:
        for row in rows:
            times = f"{row.seconds:6.1f} s {row.experiment:5.1f} s"
            print(f"{program:28} {row.group:8} {row.form:22} {row.verdict:20} {times}  {row.reason}", flush=True)
            yield row
    except SweAgentError as error:
        print(f"{program:28} not measured: {error.message}", flush=True)


def _read_rows(file: Path | None) -> list[Row]:
    """Return the rows of an earlier run. Raises UsageError."""
    try:
        return [Row(**one) for one in json.loads(file.read_text())] if file and file.exists() else []
    except (ValueError, TypeError) as error:
        raise UsageError(f"{file} does not hold rows of this benchmark: {error}.", "Give another file.") from error


def _write_rows(file: Path | None, rows: Sequence[Row]) -> None:
    if file:
        file.write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    sys.exit(main())
