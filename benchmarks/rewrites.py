"""Effect of the built-in rewrites on slow functions: equal answers on many calls, and instructions before and after.

    python -m benchmarks.rewrites [DIR...] [--only a,b] [--most N] [--counted N] [--why] [--backend NAME] [--json OUT]

A folder holds modules `NAME.py`, each with a slow function named by a constant `FUNCTION = "qualname"`, and for each of
them `NAME_inputs.py` with `calls(n, seed) -> list[(args, kwargs)]` and `SIZE`, the n at which the ratio is measured.
`NAME_fast.py`, if there is one, is a person's version of the module; its ratio is measured by the same calls.
A rewrite that answers small calls differently is rejected, as in `swe-agent optimize`. The cheapest of the others is
then run on calls that were not used for the choice, and is reported as wrong if it answers them differently.

The code of the repository and of these folders runs in a workspace; this process only reads it as data.
"""

from __future__ import annotations

import argparse
import ast
import base64
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import harmonic_mean

from aci.repository.user_repository import Repository
from aci.runtime.target_function import Target, python_line
from aci.runtime.workspace import Workspace, WorkspaceOptions, open_workspace
from extensions.optimize.measurement.equivalence import Answer, collect_answers, describe_differences
from extensions.optimize.measurement.input_calls import InputCall
from extensions.optimize.measurement.instruction_count import Counts, count_calls, incomparable_reason
from extensions.optimize.measurement.workload_inputs import vary_calls
from extensions.optimize.rewrites.rewrite_catalog import Rewrite, rewrites
from trajectories.errors import UsageError
from trajectories.git_store.trees import Trees

SLOW = Path(__file__).resolve().parents[1] / "tests" / "extensions" / "optimize" / "rewrites" / "slow"
GOALS = 3.0, 1.5
SMALL, SEEDS, UNSEEN_SEEDS, COUNTED_SEED = (0, 1, 2, 3, 5, 8, 13), range(6), range(1000, 1006), 77
MUTATED = 60
MAX_SMALL = 16
"""Largest size of a small call, which is also at most SIZE: fast-growing functions are already slow there."""

_MAKE_CALLS = """\
import base64, importlib, json, pickle, sys
sys.path[:0] = [sys.argv[1], "."]
inputs = importlib.import_module(sys.argv[2])
wanted = [(inputs.SIZE if n < 0 else n, seed) for n, seed in json.loads(sys.argv[3]) if n <= inputs.SIZE]
made, failed = [], []
for n, seed in wanted:
    try:
        made += [base64.b64encode(pickle.dumps((tuple(a), dict(k)), 4)).decode() for a, k in inputs.calls(n, seed)]
    except (ValueError, IndexError, ZeroDivisionError) as error:
        failed.append([n, repr(error)])  # a size too small for these inputs
with open(sys.argv[4], "w") as stream:
    json.dump([inputs.SIZE, made, failed], stream)
"""


@dataclass(frozen=True)
class Row:
    """Result of one function. `right` of `offered` rewrites answered the small calls as before.

    `before` and `after` are the instructions of all warm calls of size SIZE together, and `person` those of a person's
    version. `refused`: why rewrites were rejected, printed with `--why`.
    """

    name: str
    function: str
    size: int
    offered: int
    right: int
    calls: int
    before: int = 0
    after: int = 0
    cold: float = 0.0
    backend: str = ""
    what: str = ""
    wrong: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    error: str = ""
    person: int = 0

    @property
    def ratio(self) -> float:
        return self.before / self.after if self.after else 1.0

    @property
    def ratio_of_person(self) -> float:
        return self.before / self.person if self.person else 1.0


@dataclass
class Trial:
    """A function in a workspace, with its inputs."""

    workspace: Workspace
    target: Target
    inputs: str
    folder: Path
    backend: str
    counted: int

    def install_inputs(self) -> None:
        """Write the inputs' modules and the script that makes the calls into the harness."""
        for path in self.folder.glob("*_inputs.py"):
            self.workspace.write(f"{self.workspace.harness}/inputs/{path.name}", path.read_bytes())
        self.workspace.write(f"{self.workspace.harness}/inputs/make_calls.py", _MAKE_CALLS.encode())

    def calls(self, wanted: Sequence[tuple[int, int]]) -> tuple[int, list[InputCall]]:
        """Return (SIZE, the calls for these sizes and seeds); -1 means SIZE. Raises UsageError."""
        folder = f"{self.workspace.harness}/inputs"
        arguments = [f"{folder}/make_calls.py", folder, self.inputs, json.dumps(list(wanted)), f"{folder}/calls.json"]
        ran = self.workspace.run(f"(export PYTHONHASHSEED=0; {python_line(self.workspace, arguments)})", 120, "inputs")
        if ran.code:
            raise UsageError(f"{self.inputs}.py failed: {ran.text.strip()[-300:]}")
        size, made, _ = json.loads(self.workspace.read(f"{folder}/calls.json"))
        return size, [InputCall(base64.b64decode(text), "test") for text in made]

    def replace_module(self, data: bytes) -> None:
        self.workspace.write(self.target.path, data)
        self.workspace.run("find . -name __pycache__ -exec rm -rf {} +", 60, "inputs")

    def answers(self, calls: Sequence[InputCall]) -> tuple[Answer, ...]:
        return collect_answers(self.workspace, self.target, calls)

    def count(self, calls: Sequence[InputCall]) -> Counts:
        return count_calls(self.workspace, self.target, calls, backend=self.backend, timeout=300)


def measure(folder: Path, name: str, backend: str, most: int, counted: int) -> Row:
    """Try all rewrites of a function."""
    data = (folder / f"{name}.py").read_bytes()
    target = Target(f"{name}.py", find_function(data))
    offered = rewrites(data, target)[:most]
    with room(folder) as workspace:
        trial = Trial(workspace, target, f"{name}_inputs", folder, backend, counted)
        try:
            return _tried(trial, data, offered)
        except UsageError as error:
            return Row(name, target.name, 0, len(offered), 0, 0, error=str(error))


def _tried(trial: Trial, data: bytes, offered: Sequence[Rewrite]) -> Row:
    trial.install_inputs()
    size, made = trial.calls([(n, seed) for n in SMALL if n <= MAX_SMALL for seed in SEEDS])
    made += vary_calls(trial.workspace, trial.target, made[:24], MUTATED, 1)
    before = trial.answers(made)
    right, refused = [], []
    for rewrite in offered:
        trial.replace_module(rewrite.data)
        differences = describe_differences(before, trial.answers(made))
        if differences:
            refused.append(f"{rewrite.what}: {differences[0]}")
        else:
            right.append(rewrite)
    trial.replace_module(data)
    name = trial.target.path.removesuffix(".py")
    row = Row(name, trial.target.name, size, len(offered), len(right), len(made), refused=tuple(refused))
    counted = trial.calls([(-1, COUNTED_SEED)])[1]
    old = trial.count(counted)
    fast = trial.folder / f"{name}_fast.py"
    if fast.exists():
        trial.replace_module(fast.read_bytes())
        person = sum(one.warm for one in trial.count(counted).calls)
        row = replace(row, before=sum(one.warm for one in old.calls), backend=old.backend, person=person)
        trial.replace_module(data)
    return _measure_cheapest(trial, data, right, row, counted, old) if right else row


def _measure_cheapest(
    trial: Trial, data: bytes, right: Sequence[Rewrite], row: Row, counted: Sequence[InputCall], old: Counts
) -> Row:
    best: tuple[int, float, str, bytes] | None = None
    for rewrite in sorted(right, key=lambda one: -len(one.steps))[: trial.counted]:
        trial.replace_module(rewrite.data)
        try:
            new = trial.count(counted)
        except UsageError:
            continue
        warm, cold = sum(one.warm for one in new.calls), sum(one.cold for one in new.calls)
        ratio = sum(one.cold for one in old.calls) / cold
        if (old.backend != "opcodes" or not incomparable_reason(old, new)) and (best is None or warm < best[0]):
            best = (warm, ratio, rewrite.what, rewrite.data)
    trial.replace_module(data)
    before = sum(one.warm for one in old.calls)
    values = asdict(row) | {"before": before, "backend": old.backend}
    if best is None or best[0] >= before:
        return Row(**values)
    wrong = _unseen_differences(trial, data, best[3])
    return Row(**values | {"after": best[0], "cold": best[1], "what": best[2], "wrong": tuple(wrong)})


def _unseen_differences(trial: Trial, data: bytes, changed: bytes) -> list[str]:
    """Differences of the chosen rewrite on calls that were not used for the choice."""
    made = trial.calls([(n, seed) for n in (*SMALL, -1) for seed in UNSEEN_SEEDS])[1]
    made += vary_calls(trial.workspace, trial.target, made[:24], MUTATED, 2, "unseen")
    before = trial.answers(made)
    trial.replace_module(changed)
    after = trial.answers(made)
    trial.replace_module(data)
    return describe_differences(before, after)


@contextmanager
def room(folder: Path) -> Iterator[Workspace]:
    """Open a local workspace with the folder's modules, without their inputs."""
    with tempfile.TemporaryDirectory(prefix="swe-agent-rewrites-") as home:
        repo = Path(home) / "repo"
        repo.mkdir()
        for path in folder.glob("*.py"):
            if not path.stem.endswith(("_inputs", "_fast")):
                (repo / path.name).write_bytes(path.read_bytes())
        person = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com"]
        for command in (["init", "-q"], ["add", "-A"], [*person, "commit", "-q", "-m", "Slow"]):
            subprocess.run(["git", "-C", str(repo), *command], check=True, capture_output=True)
        trees = Trees(Path(home) / "trees.git")
        repository = Repository.open(repo)
        options = WorkspaceOptions(repository, repository.base(trees), trees, say=lambda _: None)
        workspace = open_workspace("local", options)
        try:
            yield workspace
        finally:
            workspace.close()
            trees.close()


def functions(folder: Path) -> list[str]:
    """The modules of a folder that have an inputs module."""
    found = (path.stem.removesuffix("_inputs") for path in folder.glob("*_inputs.py"))
    return sorted(name for name in found if (folder / f"{name}.py").exists())


def find_function(data: bytes) -> str:
    """The value of the module's constant FUNCTION."""
    for node in ast.parse(data).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FUNCTION":
            return str(ast.literal_eval(node.value))
    raise UsageError("The module has no constant FUNCTION.", 'Add FUNCTION = "name".')


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "folders", type=Path, nargs="*", metavar="DIR", help=f"folders of modules (default: `{SLOW.name}` of the tests)"
    )
    parser.add_argument("--only", default="", metavar="NAME,..")
    parser.add_argument("--most", type=int, default=60, help="maximum number of rewrites of each function")
    parser.add_argument(
        "--counted",
        type=int,
        default=8,
        help="maximum number of right rewrites to count; those with most steps come first",
    )
    parser.add_argument("--backend", default="", help="counting backend (default: the first that works)")
    parser.add_argument("--why", action="store_true", help="print why rewrites were rejected")
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args(arguments)
    rows = []
    for folder in options.folders or [SLOW]:
        for name in functions(folder):
            if not options.only or name in options.only.split(","):
                rows.append(measure(folder.resolve(), name, options.backend, options.most, options.counted))
                _print_row(rows[-1], options.why)
    wrong = sum(bool(row.wrong) for row in rows)
    for goal in GOALS:
        cheaper = sum(row.ratio >= goal and not row.wrong for row in rows)
        print(f"{cheaper} of {len(rows)} at least {goal:g}x cheaper, {wrong} changed wrongly")
    if people := [row for row in rows if row.person]:
        ours, theirs = (
            harmonic_mean([row.ratio for row in people]),
            harmonic_mean([row.ratio_of_person for row in people]),
        )
        print(f"harmonic mean of {len(people)} functions: {ours:.2f}, of a person's versions: {theirs:.2f}")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) | {"ratio": row.ratio} for row in rows], indent=1))
    return 0 if rows and not wrong else 1


def _print_row(row: Row, why: bool) -> None:
    figures = f"{row.ratio:8.1f}x (cold {row.cold:.1f}x) at {row.size}, {row.before} -> {row.after or row.before}"
    person = f", a person {row.ratio_of_person:.1f}x" if row.person else ""
    head = f"{row.name:20} {row.right:3}/{row.offered:<3} right on {row.calls:4} calls"
    print(f"{head} {figures} by {row.backend}{person}")
    refused = [f"rejected: {one}" for one in row.refused] if why else []
    for line in (row.what, row.error, *(f"WRONG {one}" for one in row.wrong), *refused):
        if line:
            print(f"    {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
