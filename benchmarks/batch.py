"""Overhead of a batch per instance, compared with mini-swe-agent.

    python -m benchmarks.batch [--mini PYTHON] [--instances 300] [--workers 2] [--image I]

Exits with 1 if a bound is missed. The overhead of an instance is its time without the model, the tests and the start of
its containers.

For each instance the benchmark makes a small repository, from a seed, with one failing behaviour, and an image that
holds it in /testbed. A provider on loopback answers each request after 50 ms. An instance takes three replies: inspect
the code and write a failing test; fix the code and run the test; submit. `swe-agent batch` calls its tools and proves
the patch; `mini-extra swebench` runs the same commands with its own tool. They run one after the other, offline, with
the same images, provider and number of workers.

The time of an instance is the time for which it occupies a worker, measured by a clock in each program (`_timed.py`,
`_timed_mini.py`). These parts of it are measured separately:

    model    from each request's arrival at the provider until its answer is ready
    tests    ours: from a call of `date` in the container until the host sees the end of the tests; mini's:
             between two calls of `date`, so its `docker exec` counts as overhead, as our shell's pipe does
    starts   ours: creating and starting each container (one for the base, one to work in, two for the proof);
             mini's: `docker run`

The overhead is the rest: git, records, localization, our commands in containers, making and removing the base, and
the worker's wait for its next instance. `waits` is the share of a worker's time in which it has no instance, or in
which its instance's run has not started yet or has already ended (leases, clones, index, records).

--mini takes a Python in which mini-swe-agent 2 and `datasets` are installed:

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
MAX_OVERHEAD, MIN_RATIO, MAX_WAITS, MAX_GROWTH = 0.150, 2.0, 0.05, 1.1
"""Bounds: seconds of overhead, the ratio of mini's overhead to ours, the share of a worker's time, and the ratio of
memory at the end to memory after a tenth of the instances."""
OWNER = "benchmark"
CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Side:
    """Mean seconds per instance of one program. `outcomes` counts how the instances ended."""

    name: str
    instances: int
    whole: float
    model: float
    tests: float
    starts: float
    sent: float
    """Bytes of all requests; each request repeats its conversation."""
    outcomes: Mapping[str, int]

    @property
    def overhead(self) -> float:
        return self.whole - self.model - self.tests - self.starts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=300, metavar="N")
    parser.add_argument("--workers", type=int, default=2, metavar="N")
    parser.add_argument("--seconds", type=float, default=0.05, help="delay of the provider's answers")
    parser.add_argument("--image", default="swe-agent-base:latest", help="an image with Python, pytest and git")
    parser.add_argument("--mini", metavar="PYTHON", help="a Python with mini-swe-agent 2 and datasets")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    known = cases(options.instances, options.seed)
    with tempfile.TemporaryDirectory(prefix="swe-agent-batch-") as name:
        folder = Path(name)
        with _images(known, folder, options.image), Provider(known, options.seconds) as provider:
            lines = _run_ours(folder, provider, options.workers)
            sides = [_build_side(OURS, lines, provider, known, _our_outcomes(folder))]
            provider.forget()
            if options.mini:
                theirs = _run_mini(folder, provider, options.workers, options.mini)
                sides.append(_build_side(MINI, theirs, provider, known, _mini_outcomes(folder)))
            disk_usage = _disk_usage(folder / "ours" / "runs", lines)
        passed = show(sides, lines)
        Console().print(disk_usage)
    sys.exit(0 if passed else 1)


def _disk_usage(runs: Path, lines: Sequence[Mapping[str, Any]]) -> str:
    """Disk space, files and fsyncs of one of our instances, as a sentence."""
    found = [path.lstat() for path in runs.rglob("*")]
    n = len(list(runs.iterdir()))
    size = sum(each.st_blocks * 512 for each in found)
    syncs = max(line["fsyncs"] for line in lines) / n
    return (
        f"An instance writes {size / n / 1000:,.0f} kB in {len(found) / n:,.0f} files and folders; {syncs:,.0f} fsyncs."
    )


class _images:  # noqa: N801 - used as a context manager
    """Makes the cases' repositories below `repos`, their images and the instance file; removes the images on exit."""

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


def _run_ours(folder: Path, provider: Provider, workers: int) -> list[dict[str, Any]]:
    (folder / "config.toml").write_text(f'[models."openai/m"]\napi_base = "{provider.openai}"\n')
    env = {f"SWE_AGENT_{name}": str(folder / name.lower()) for name in ("STATE", "CACHE")}
    env |= {"SWE_AGENT_CONFIG": str(folder / "config.toml"), "OPENAI_API_KEY": "none"}
    arguments = ["--instances", str(folder / "test.jsonl"), "--out", str(folder / "ours")]
    arguments += [
        "--repos",
        str(folder / "repos"),
        "--workers",
        str(workers),
        "--model",
        "openai/m",
        "--max-tokens",
        "1000000",
        "--plain",
    ]
    return _run([sys.executable, "-m", "benchmarks._timed"], folder / "ours.log", arguments, env)


def _run_mini(folder: Path, provider: Provider, workers: int, python: str) -> list[dict[str, Any]]:
    model = {"model_kwargs": {"api_base": provider.openai, "_skip_mcp_handler": True}, "cost_tracking": "ignore_errors"}
    run_args = ["--rm", "--network", "none"]
    (folder / "mini.yaml").write_text(json.dumps({"model": model, "environment": {"run_args": run_args}}))
    (folder / "data").mkdir()
    (folder / "test.jsonl").rename(folder / "data" / "test.jsonl")
    env = {"MSWEA_CONFIGURED": "true", "MSWEA_SILENT_STARTUP": "1", "MSWEA_GLOBAL_CONFIG_DIR": str(folder / "mini")}
    env |= {"OPENAI_API_KEY": "none", "HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    arguments = ["--subset", str(folder / "data"), "--split", "test", "--output", str(folder / "theirs"), "--model"]
    arguments += ["openai/m", "--workers", str(workers), "-c", "swebench.yaml", "-c", str(folder / "mini.yaml")]
    return _run([python, str(CHECKOUT / "benchmarks" / "_timed_mini.py")], folder / "theirs.log", arguments, env)


def _run(program: list[str], log: Path, arguments: list[str], env: Mapping[str, str]) -> list[dict[str, Any]]:
    """Run a program and return the lines its clock wrote. If it fails, exit with its output."""
    ran = subprocess.run(
        [*program, str(log), *arguments], env={**os.environ, **env}, cwd=CHECKOUT, capture_output=True, text=True
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


def _build_side(
    name: str, lines: list[dict[str, Any]], provider: Provider, known: Sequence[Case], outcomes: Mapping[str, int]
) -> Side:
    """Average the clock's and the provider's measurements over the instances."""
    n = len(known)
    intervals = defaultdict(list)
    for line in lines:
        intervals[line["what"], line["id"]].append((line["began"], line["began"] + line["seconds"]))
    tests = sum(_covered(intervals["tests", case.id]) for case in known) or sum(provider.tests.values())
    starts = sum(_covered(intervals["start", case.id]) for case in known)
    whole, model = sum(_worked(lines)), sum(provider.waited.values())
    return Side(name, n, whole / n, model / n, tests / n, starts / n, provider.sent / n, outcomes)


def _worked(lines: Iterable[dict[str, Any]]) -> list[float]:
    """Seconds of each worker, from the start of its first instance to the end of its last one."""
    spans: dict[int, list[float]] = defaultdict(list)
    for line in lines:
        if line["what"] == "instance":
            spans[line["thread"]] += [line["began"], line["began"] + line["seconds"]]
    return [max(span) - min(span) for span in spans.values()]


def _covered(intervals: list[tuple[float, float]]) -> float:
    """Seconds covered by at least one interval: two suites of a proof may run in parallel."""
    total, until = 0.0, 0.0
    for begin, end in sorted(intervals):
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return total


def show(sides: Sequence[Side], lines: list[dict[str, Any]]) -> bool:
    """Print the tables, and return whether all bounds are met."""
    table = Table("ms per instance", *(side.name for side in sides), title="Time of a batch")
    for row in ("whole", "model", "tests", "starts", "overhead"):
        table.add_row(row, *(f"{1000 * getattr(side, row):,.0f}" for side in sides))
    table.add_row("kB sent to the model", *(f"{side.sent / 1000:,.1f}" for side in sides))
    table.add_row("instances", *(str(side.instances) for side in sides))
    table.add_row("outcomes", *(", ".join(f"{n} {kind}" for kind, n in side.outcomes.items()) for side in sides))
    console = Console(width=max(Console().width, 100))
    console.print(table)
    checks = [
        ("overhead, ms", f"<= {1000 * MAX_OVERHEAD:.0f}", 1000 * sides[0].overhead, sides[0].overhead <= MAX_OVERHEAD)
    ]
    if len(sides) > 1:
        times = sides[1].overhead / sides[0].overhead
        checks.append(("overhead, mini's / ours", f">= {MIN_RATIO:g}", times, times >= MIN_RATIO))
    waits = 1 - sum(line["seconds"] for line in lines if line["what"] == "solve") / sum(_worked(lines))
    checks.append(("workers wait, %", f"<= {100 * MAX_WAITS:.0f}", 100 * waits, waits <= MAX_WAITS))
    memory = [line["memory"] for line in lines if line["what"] == "instance"]
    early, last = memory[max(0, len(memory) // 10 - 1)], memory[-1]
    console.print(
        f"Peak memory: {early / 1e6:,.0f} MB after a tenth of the instances, {last / 1e6:,.0f} MB at the end."
    )
    checks.append(("memory, end / after a tenth", f"<= {MAX_GROWTH:g}", last / early, last <= MAX_GROWTH * early))
    bounds = Table("", "required", "measured", "passed")
    for name, required, measured, is_passed in checks:
        bounds.add_row(name, required, f"{measured:,.2f}", "yes" if is_passed else "NO")
    console.print(bounds)
    return all(is_passed for *_, is_passed in checks)


if __name__ == "__main__":
    main()
