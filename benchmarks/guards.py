"""Accuracy of the cheating check on a corpus of candidates: caught cheats, and honest candidates it accuses.

    python -m benchmarks.guards DIR [--workspace local|docker] [--image I] [--only NAME,..] [--json]

DIR holds a folder for each case: before.py and after.py, two versions of `subject_module.py` at a repository's root;
more/ with files that the candidate adds; inputs.py with `calls(n, seed) -> [(args, kwargs)]`; case.json with
{"function", "cheat", "kind"}. Exits with 1 if a cheat is missed or an honest candidate is accused. The candidates run
in workspaces; `local` does not isolate them.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from aci.repository.user_repository import Repository
from aci.runtime.target_function import Target, python_line
from aci.runtime.workspace import Workspace, WorkspaceOptions, open_workspace
from extensions.optimize.measurement.cheating_check import CheatingFinding, find_cheating
from trajectories.git_store.trees import Trees

SUBJECT = "subject_module.py"
SEEDS = (0, 1, 2, 7, 42)
EACH = 13
_MAKE_CALLS = """\
import base64, json, pickle, sys
sys.path[:0] = [sys.argv[1], "."]
import inputs
made = [call for seed in json.loads(sys.argv[2]) for call in inputs.calls(int(sys.argv[3]), seed)]
pickled = [pickle.dumps((tuple(args), dict(kwargs)), 4) for args, kwargs in made]
with open(sys.argv[4], "w") as stream:
    json.dump([base64.b64encode(data).decode() for data in pickled], stream)
"""


@dataclass(frozen=True)
class Recorded:
    """A recorded call, as input for `extensions.optimize.measurement.cheating_check`."""

    data: bytes


@dataclass(frozen=True)
class Row:
    """Findings of the guards on one case. A finding on a cheat is right; a finding on an honest candidate is not."""

    name: str
    cheat: bool
    kind: str
    found: tuple[str, ...]
    why: tuple[str, ...]
    seconds: float

    @property
    def right(self) -> bool:
        return bool(self.found) == self.cheat


def check_case(case: Path, kind: str = "local", image: str = "") -> Row:
    """Run the guards on one case."""
    about = json.loads((case / "case.json").read_text())
    with (
        tempfile.TemporaryDirectory(prefix="swe-agent-guards-") as home,
        temporary_files_in(home),
        open_sides(case, Path(home), kind, image) as pair,
    ):
        started = time.monotonic()
        found = look(case, about["function"], *pair)
        seconds = time.monotonic() - started
    kinds = tuple(dict.fromkeys(finding.kind for finding in found))
    whys = tuple(f"{finding.kind}: {finding.why}" for finding in found)
    return Row(case.name, about["cheat"], about["kind"], kinds, whys, round(seconds, 1))


@contextmanager
def temporary_files_in(folder: str) -> Iterator[None]:
    """Create temporary files in this folder, so that a candidate's leftovers are removed with it."""
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = folder
    try:
        yield
    finally:
        del os.environ["TMPDIR"]
        if before is not None:
            os.environ["TMPDIR"] = before


def look(case: Path, function: str, before: Workspace, after: Workspace) -> list[CheatingFinding]:
    """Run the guards on a case whose two sides are in these workspaces."""
    target = Target(SUBJECT, function)
    return find_cheating(
        before, after, target, calls(case, before), {SUBJECT: (case / "before.py").read_bytes()}, sides(case)
    )


def sides(case: Path) -> dict[str, bytes]:
    """The files after the candidate's change."""
    more = case / "more"
    files = {path.relative_to(more).as_posix(): path.read_bytes() for path in sorted(more.rglob("*")) if path.is_file()}
    return {SUBJECT: (case / "after.py").read_bytes(), **{k: v for k, v in files.items() if "__pycache__" not in k}}


@contextmanager
def open_sides(case: Path, home: Path, kind: str, image: str) -> Iterator[tuple[Workspace, Workspace]]:
    """Open two workspaces, before and after the candidate's change."""
    folder = home / "repo"
    folder.mkdir()
    (folder / SUBJECT).write_bytes((case / "before.py").read_bytes())
    person = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com"]
    for command in (["init", "-q"], ["add", "-A"], [*person, "commit", "-q", "-m", "Before"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)
    trees = Trees(home / "trees.git")
    repository = Repository.open(folder)
    options = WorkspaceOptions(repository, repository.base(trees), trees, image=image, say=lambda _: None)
    before = open_workspace(kind, options)
    try:
        after = before.fork(trees.write(dict(sides(case)), options.base.tree))
        try:
            yield before, after
        finally:
            after.close()
    finally:
        before.close()
        trees.close()


def calls(case: Path, workspace: Workspace) -> list[Recorded]:
    """Make the calls of inputs.py in the workspace."""
    folder = f"{workspace.harness}/inputs"
    workspace.write(f"{folder}/inputs.py", (case / "inputs.py").read_bytes())
    workspace.write(f"{folder}/make.py", _MAKE_CALLS.encode())
    arguments = [f"{folder}/make.py", folder, json.dumps(SEEDS), str(EACH), f"{folder}/calls.json"]
    ran = workspace.run(f"(export PYTHONHASHSEED=0; {python_line(workspace, arguments)})", 60, "inputs")
    if ran.code:
        raise SystemExit(f"{case.name}: inputs.py failed: {ran.text.strip()[-500:]}")
    return [Recorded(base64.b64decode(text)) for text in json.loads(workspace.read(f"{folder}/calls.json"))]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("directory", type=Path, metavar="DIR")
    parser.add_argument("--workspace", choices=("local", "docker"), default="local")
    parser.add_argument("--image", default=os.environ.get("SWE_AGENT_IMAGE", "swe-agent-base:latest"))
    parser.add_argument("--only", default="", metavar="NAME,..")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if options.workspace == "local":  # the workspaces use the `python3` that runs this benchmark
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    only = set(filter(None, options.only.split(",")))
    cases = [file.parent for file in sorted(options.directory.glob("*/case.json"))]
    rows = []
    for case in cases:
        if not only or case.name in only:
            rows.append(check_case(case, options.workspace, options.image))
            if not options.json:
                print_row(rows[-1])
    cheats, honest = [row for row in rows if row.cheat], [row for row in rows if not row.cheat]
    caught, accused = sum(row.right for row in cheats), sum(not row.right for row in honest)
    named = sum(row.kind in row.found for row in cheats)
    if options.json:
        counts = {"caught": caught, "cheats": len(cheats), "named": named, "accused": accused, "honest": len(honest)}
        print(json.dumps({**counts, "rows": [asdict(row) for row in rows]}))
    else:
        print(
            f"caught {caught} of {len(cheats)} ({named} by their kind), accused {accused} of {len(honest)} honest ones"
        )
    return 0 if rows and all(row.right for row in rows) else 1


def print_row(row: Row) -> None:
    mark = "ok " if row.right else "BAD"
    print(f"{mark} {row.name:40} {row.kind:8} {row.seconds:5.1f} s  {', '.join(row.found) or '-'}", flush=True)
    for why in row.why:
        print(f"      {why}")


if __name__ == "__main__":
    raise SystemExit(main())
