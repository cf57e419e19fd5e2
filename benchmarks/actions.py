"""What one action costs: `python -m benchmarks.actions [--image I] [--n 300]` prints p50 and p95 in milliseconds.

A plain action is `true` in the persistent shell, without a snapshot; snapshots have rows of their own. Beside it stands
`docker exec` once a command, which is how mini-swe-agent and others run theirs.
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from aci.repository import Repository
from aci.workspace import Options, Workspace, open_workspace
from trajectories.trees import Trees

_FILES = 300
_SHOWN = ("p50 ms", "p95 ms", "n")


@dataclass(frozen=True, slots=True)
class Row:
    """Milliseconds of each time something was done."""

    name: str
    times: list[float]

    @property
    def p50(self) -> float:
        return statistics.median(self.times)

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.times, n=20)[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", default="swe-agent-base:latest")
    parser.add_argument("--n", type=int, default=300)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = list(measure(Path(folder), arguments.image, max(arguments.n, 2)))
    show(rows)


def measure(folder: Path, image: str, n: int) -> Iterator[Row]:
    """Each row in turn. Slow ways are measured fewer times."""
    repo = _repository(folder / "repo")
    few = max(n // 10, 2)
    with _opened("docker", folder, repo, image) as workspace:
        yield Row("docker: action", _times(lambda: workspace.run("true"), n))
        yield Row("docker: action that starts a process", _times(lambda: workspace.run("/bin/true"), n))
        yield Row("docker: snapshot, nothing changed", _times(lambda: workspace.snapshot(), few))
        yield Row("docker: snapshot, one file changed", _times(lambda: workspace.snapshot(), few, _editor(workspace)))
    with _opened("local", folder, repo, image) as workspace:
        yield Row("local: action", _times(lambda: workspace.run("true"), n))
        yield Row("local: snapshot, one file changed", _times(lambda: workspace.snapshot(), few, _editor(workspace)))
    with _container(image) as name:
        yield Row("docker exec per command", _times(lambda: _exec(name), few))
    if theirs := _mini(image):
        yield Row("mini-swe-agent DockerEnvironment", _times(lambda: theirs.execute({"command": "true"}), few))
        theirs.cleanup()


def show(rows: list[Row]) -> None:
    table = Table("action", *_SHOWN, title="An action of a workspace")
    for row in rows:
        table.add_row(row.name, f"{row.p50:.2f}", f"{row.p95:.2f}", str(len(row.times)))
    found = {row.name: row.p50 for row in rows}
    ratio = found["docker exec per command"] / found["docker: action"]
    console = Console()
    console.print(table)
    console.print(f"docker exec per command / docker: action = {ratio:.0f}x at p50")


def _times(action: Callable[[], object], n: int, before: Callable[[], object] = lambda: None) -> list[float]:
    """Milliseconds of `n` actions after three that are not counted; `before` each, uncounted."""
    times = []
    for _ in range(n + 3):
        before()
        began = time.perf_counter()
        action()
        times.append((time.perf_counter() - began) * 1000)
    return times[3:]


def _editor(workspace: Workspace) -> Callable[[], object]:
    texts = (f"x = {number}\n" for number in range(10**9))
    return lambda: workspace.write("package/module_1.py", next(texts).encode())


@contextmanager
def _opened(kind: str, folder: Path, repo: Path, image: str) -> Iterator[Workspace]:
    repository = Repository.open(repo)
    with Trees(folder / f"{kind}.git") as trees:
        workspace = open_workspace(kind, Options(repository, repository.base(trees), trees, image=image))
        try:
            yield workspace
        finally:
            workspace.close()


def _repository(root: Path) -> Path:
    """A small repository, equal each time, so that its base image is made once."""
    (root / "package").mkdir(parents=True)
    for number in range(_FILES):
        (root / "package" / f"module_{number}.py").write_text(f"def f{number}():\n    return {number}\n" * 40)
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in {"NAME": "b", "EMAIL": "b@example.com", "DATE": "1700000000 +0000"}.items()
    }
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "base"]):
        subprocess.run(["git", "-C", str(root), *command], env={**os.environ, **who}, check=True)
    return root


@contextmanager
def _container(image: str) -> Iterator[str]:
    name = f"swe-agent-benchmark-{os.getpid()}"
    idle = ["--network=none", "--label=swe-agent=1", image, "sh", "-c", "while :; do sleep 3600; done"]
    subprocess.run(["docker", "run", "-d", "--name", name, *idle], check=True, capture_output=True)
    try:
        yield name
    finally:
        subprocess.run(["docker", "rm", "-f", name], check=True, capture_output=True)


def _exec(name: str) -> None:
    subprocess.run(["docker", "exec", name, "sh", "-c", "true"], check=True, capture_output=True)


def _mini(image: str) -> Any:
    """mini-swe-agent's own Docker environment, where it is installed."""
    try:
        docker = importlib.import_module("minisweagent.environments.docker")
    except ImportError:
        return None
    return docker.DockerEnvironment(image=image, run_args=["--rm", "--network=none", "--label=swe-agent=1"])


if __name__ == "__main__":
    main()
