"""What an instance of a batch costs beside its model, its tests and its containers' start, and what the same costs
mini-swe-agent: `python -m benchmarks.batch [--mini PYTHON] [--instances 300] [--workers 2] [--image I]`.
Exit 1 where less is reached than is needed.

As many small repositories are made, from a seed, each with one failing behaviour and an image that holds it in
/testbed. A provider on loopback answers each request after 50 ms, in three replies an instance: look and write a test
that fails, mend and see it pass, hand in. `swe-agent batch` calls its tools and proves the patch, `mini-extra swebench`
runs the same commands by its own tool; both in turn, on the same images and provider, with as many workers, offline.

An instance's seconds are those of the worker that it holds, told by a clock in each program (`_timed.py`,
`_timed_mini.py`). From these are taken

    model    from each request's arrival at the provider until its answer is ready
    tests    ours: from a call of `date` in the container until the end of the tests is seen from the host; mini's:
             between two calls of `date`, so that its `docker exec` counts as overhead, and our shell's pipe does
    starts   ours: creating and starting each of the containers (one for the base, one to work in, two for the proof);
             mini's: `docker run`

What is left is the overhead: git, records, localization, our commands in containers, making and removing the base, and
whatever a worker waits for before the next instance. `waits` is the part of a worker's time in which it has an instance
and its run has not begun, or has ended (leases, clones, index, records), or in which it has none.

--mini is the Python that mini-swe-agent 2 and `datasets` are installed for:

    python3.11 -m venv mini && mini/bin/pip install 'mini-swe-agent>=2,<3' datasets
    python -m benchmarks.batch --mini mini/bin/python
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks._synthetic import Case, Provider, cases, image, repository

OURS, MINI = "swe-agent", "mini-extra swebench"
MOST, TIMES, MOST_WAITS, MOST_GROWTH = 0.150, 2.0, 0.05, 1.1
"""Seconds of overhead, times that mini's is to be ours, part of a worker's time, and memory at the end beside that at
a tenth."""
OWNER = "benchmark"
CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Side:
    """Seconds an instance, over all of them; `outcomes` counts how they ended."""

    name: str
    instances: int
    whole: float
    model: float
    tests: float
    starts: float
    sent: float
    """Bytes of requests, conversations as they are sent anew each time among them."""
    outcomes: Mapping[str, int]

    @property
    def overhead(self) -> float:
        return self.whole - self.model - self.tests - self.starts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=300, metavar="N")
    parser.add_argument("--workers", type=int, default=2, metavar="N")
    parser.add_argument("--seconds", type=float, default=0.05, help="until the provider answers")
    parser.add_argument("--image", default="swe-agent-base:latest", help="has Python, pytest and git")
    parser.add_argument("--mini", metavar="PYTHON", help="a Python that has mini-swe-agent 2 and datasets")
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    known = cases(asked.instances, asked.seed)
    with tempfile.TemporaryDirectory(prefix="swe-agent-batch-") as name:
        folder = Path(name)
        with _images(known, folder, asked.image), Provider(known, asked.seconds) as provider:
            lines = _ours(folder, provider, asked.workers)
            sides = [_side(OURS, lines, provider, known, _our_outcomes(folder))]
            provider.forget()
            if asked.mini:
                theirs = _mini(folder, provider, asked.workers, asked.mini)
                sides.append(_side(MINI, theirs, provider, known, _mini_outcomes(folder)))
            left = _left(folder / "ours" / "runs", lines)
        reached = show(sides, lines)
        Console().print(left)
    sys.exit(0 if reached else 1)


def _left(runs: Path, lines: Sequence[Mapping[str, Any]]) -> str:
    """What our instances leave on the disk, and what it took to have it there safely."""
    found = [path.lstat() for path in runs.rglob("*")]
    n = len(list(runs.iterdir()))
    size = sum(each.st_blocks * 512 for each in found)
    syncs = max(line["fsyncs"] for line in lines) / n
    return (
        f"An instance leaves {size / n / 1000:,.0f} kB in {len(found) / n:,.0f} files and folders; {syncs:,.0f} fsyncs."
    )


class _images:  # noqa: N801 - used as a context
    """The cases' repositories below `repos`, their images, and the file of instances, while the context lasts."""

    def __init__(self, known: Sequence[Case], folder: Path, base: str) -> None:
        import docker

        self._client = docker.from_env()
        self._known, self._folder, self._base = known, folder, base

    def __enter__(self) -> None:
        try:
            rows = [self._row(case) for case in self._known]
        except BaseException:
            self.__exit__()
            raise
        (self._folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def _row(self, case: Case) -> dict[str, str]:
        place = self._folder / "repos" / OWNER / case.id
        commit = repository(case, place)
        image(case, place, self._client, self._base)
        return {
            "instance_id": case.id,
            "repo": f"{OWNER}/{case.id}",
            "base_commit": commit,
            "problem_statement": case.issue,
            "image_name": case.image,
            "test": "python3 -m pytest",
        }

    def __exit__(self, *_: object) -> None:
        from docker.errors import APIError

        for case in self._known:
            try:
                self._client.images.remove(case.image, force=True)
            except APIError:
                continue
        self._client.close()


def _ours(folder: Path, provider: Provider, workers: int) -> list[dict[str, Any]]:
    (folder / "config.toml").write_text(f'[models."openai/m"]\napi_base = "{provider.openai}"\n')
    env = {f"SWE_AGENT_{name}": str(folder / name.lower()) for name in ("STATE", "CACHE")}
    env |= {"SWE_AGENT_CONFIG": str(folder / "config.toml"), "OPENAI_API_KEY": "none"}
    words = ["--instances", str(folder / "test.jsonl"), "--out", str(folder / "ours"), "--repos", str(folder / "repos")]
    words += ["--workers", str(workers), "--model", "openai/m", "--max-tokens", "1000000", "--plain"]
    return _run([sys.executable, "-m", "benchmarks._timed"], folder / "ours.log", words, env)


def _mini(folder: Path, provider: Provider, workers: int, python: str) -> list[dict[str, Any]]:
    model = {"model_kwargs": {"api_base": provider.openai, "_skip_mcp_handler": True}, "cost_tracking": "ignore_errors"}
    arguments = ["--rm", "--network", "none"]
    (folder / "mini.yaml").write_text(json.dumps({"model": model, "environment": {"run_args": arguments}}))
    (folder / "data").mkdir()
    (folder / "test.jsonl").rename(folder / "data" / "test.jsonl")
    env = {"MSWEA_CONFIGURED": "true", "MSWEA_SILENT_STARTUP": "1", "MSWEA_GLOBAL_CONFIG_DIR": str(folder / "mini")}
    env |= {"OPENAI_API_KEY": "none", "HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    words = ["--subset", str(folder / "data"), "--split", "test", "--output", str(folder / "theirs"), "--model"]
    words += ["openai/m", "--workers", str(workers), "-c", "swebench.yaml", "-c", str(folder / "mini.yaml")]
    return _run([python, str(CHECKOUT / "benchmarks" / "_timed_mini.py")], folder / "theirs.log", words, env)


def _run(program: list[str], log: Path, words: list[str], env: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the program's clock wrote; what the program says is shown where it fails."""
    ran = subprocess.run(
        [*program, str(log), *words], env={**os.environ, **env}, cwd=CHECKOUT, capture_output=True, text=True
    )
    if ran.returncode or not log.exists():
        sys.exit(f"{' '.join(program)} ended with {ran.returncode}:\n{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}")
    return [json.loads(line) for line in log.read_text().splitlines()]


def _our_outcomes(folder: Path) -> Counter[str]:
    lines = (folder / "ours" / "results.jsonl").read_text().splitlines()
    return Counter(json.loads(line)["kind"] for line in lines)


def _mini_outcomes(folder: Path) -> Counter[str]:
    found = [json.loads(path.read_text()) for path in (folder / "theirs").glob("*/*.traj.json")]
    return Counter(str(each["info"]["exit_status"]) for each in found)


def _side(
    name: str, lines: list[dict[str, Any]], provider: Provider, known: Sequence[Case], outcomes: Mapping[str, int]
) -> Side:
    """What the clock and the provider say, an instance."""
    n = len(known)
    intervals = defaultdict(list)
    for line in lines:
        intervals[line["what"], line["id"]].append((line["began"], line["began"] + line["seconds"]))
    tests = sum(_covered(intervals["tests", case.id]) for case in known) or sum(provider.tests.values())
    starts = sum(_covered(intervals["start", case.id]) for case in known)
    whole, model = sum(_worked(lines)), sum(provider.waited.values())
    return Side(name, n, whole / n, model / n, tests / n, starts / n, provider.sent / n, outcomes)


def _worked(lines: Iterable[dict[str, Any]]) -> list[float]:
    """Seconds of each worker, from its first instance's begin to its last one's end."""
    spans: dict[int, list[float]] = defaultdict(list)
    for line in lines:
        if line["what"] == "instance":
            spans[line["thread"]] += [line["began"], line["began"] + line["seconds"]]
    return [max(span) - min(span) for span in spans.values()]


def _covered(intervals: list[tuple[float, float]]) -> float:
    """Seconds in which at least one of them ran: two suites of a proof may run side by side."""
    total, until = 0.0, 0.0
    for begin, end in sorted(intervals):
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return total


def show(sides: Sequence[Side], lines: list[dict[str, Any]]) -> bool:
    """Whether all that is needed is reached."""
    table = Table("ms an instance", *(side.name for side in sides), title="Where the time of a batch goes")
    for row in ("whole", "model", "tests", "starts", "overhead"):
        table.add_row(row, *(f"{1000 * getattr(side, row):,.0f}" for side in sides))
    table.add_row("kB sent to the model", *(f"{side.sent / 1000:,.1f}" for side in sides))
    table.add_row("instances", *(str(side.instances) for side in sides))
    table.add_row("ended", *(", ".join(f"{n} {kind}" for kind, n in side.outcomes.items()) for side in sides))
    console = Console(width=max(Console().width, 100))
    console.print(table)
    asked = [("overhead, ms", f"<= {1000 * MOST:.0f}", 1000 * sides[0].overhead, sides[0].overhead <= MOST)]
    if len(sides) > 1:
        times = sides[1].overhead / sides[0].overhead
        asked.append(("times that theirs is ours", f">= {TIMES:g}", times, times >= TIMES))
    waits = 1 - sum(line["seconds"] for line in lines if line["what"] == "solve") / sum(_worked(lines))
    asked.append(("workers wait, %", f"<= {100 * MOST_WAITS:.0f}", 100 * waits, waits <= MOST_WAITS))
    memory = [line["memory"] for line in lines if line["what"] == "instance"]
    early, last = memory[max(0, len(memory) // 10 - 1)], memory[-1]
    console.print(f"Most memory: {early / 1e6:,.0f} MB at a tenth of the instances, {last / 1e6:,.0f} MB at the end.")
    asked.append(("memory, end / a tenth", f"<= {MOST_GROWTH:g}", last / early, last <= MOST_GROWTH * early))
    reached = Table("", "needed", "measured", "reached")
    for what, needed, measured, is_reached in asked:
        reached.add_row(what, needed, f"{measured:,.2f}", "yes" if is_reached else "NO")
    console.print(reached)
    return all(is_reached for *_, is_reached in asked)


if __name__ == "__main__":
    main()
