"""A batch on two Ray nodes, one of which is killed halfway, compared with the same batch in one process.

    python -m benchmarks.ray [--instances N] [--json]

Requires `swe-agent[ray]`. The nodes are raylets of this machine; when half of the instances are done, all processes of
the second node get SIGKILL. The provider is an endpoint on loopback, whose slow answers solve two of three instances.
`swe-agent batch` runs in separate processes.

Reported and checked (exit 1 on a fault): every instance has the same result as in one process (exit, verdict, patch,
and dollars if nothing was lost); each journal has one exit; each request that the endpoint received has a hold in a
journal of the driver; no recorded reply was requested again; the dollars reported by the batch equal the sum over its
journals, to the picodollar.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from trajectories.journal import read
from trajectories.records import Exit, Hold, Reply, Settle

ROOT = Path(__file__).parents[1]
MODEL = "openai/x"
SLOW = 0.15
"""Seconds before each event of a stream, so that the batch can be interrupted halfway."""
WORKERS = 4
PICO = 10**12
CONFIG = """retry_wait = 0.5
[models."{model}"]
api_base = "{url}/v1"
price_in = 1.0
price_out = 5.0
max_output = 1000
"""
TEST = """import unittest

from calc import {name}


class Test(unittest.TestCase):
    def test_sum(self):
        self.assertEqual({name}(2, 3), 5)
"""


@dataclass(frozen=True)
class BatchOutcome:
    """Results of a batch by run, with the faults found in its journals and the endpoint's log."""

    done: dict[str, dict[str, Any]]
    seconds: float
    summary: dict[str, Any]
    faults: list[str] = field(default_factory=list)
    lost: int = 0
    """Number of runs that were resumed on another node."""
    kept: int = 0
    """Number of replies in the journals of these runs when they were resumed."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ray", description=__doc__.split("\n")[0])
    parser.add_argument("--instances", type=int, default=12)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="swe-agent-benchmark-") as name:
        result = compare(Path(name), options.instances)
    print(json.dumps(result) if options.json else "\n".join(f"{key}: {value}" for key, value in result.items()))
    return 1 if result["faults"] else 0


def compare(home: Path, instances: int) -> dict[str, Any]:
    """Run both batches and compare them."""
    names = [f"sum_{number:02}" for number in range(instances)]
    repository = make_repository(home / "sums", names)
    rows = home / "instances.jsonl"
    rows.write_text("".join(json.dumps(row(name, repository)) + "\n" for name in names))
    alone = batch(home, rows, "local", names)
    with cluster() as (address, kill):
        spread = batch(home, rows, "ray", names, ["--engine-option", f"address={address}"], kill)
    faults = [*alone.faults, *spread.faults]
    for name in names:
        one, other = alone.done.get(name), spread.done.get(name)
        if one is None or other is None:
            faults.append(f"{name} has no result")
            continue
        same = ("code", "kind", "verdict", "patch", "dollars" if other["tries"] == 1 else "kind")
        faults += [
            f"{name}: {key} is {other[key]!r}, in one process {one[key]!r}" for key in same if one[key] != other[key]
        ]
    if not spread.lost:
        faults.append("nothing ran on the node that was killed")
    return {
        "instances": instances,
        "exits": dict(Counter(one["kind"] for one in spread.done.values())),
        "seconds in one process": round(alone.seconds, 1),
        "seconds on two nodes, one killed": round(spread.seconds, 1),
        "runs that went on elsewhere": spread.lost,
        "replies that were kept of them": spread.kept,
        "dollars alone": alone.summary["dollars"],
        "dollars with a node lost": spread.summary["dollars"],
        "faults": faults,
    }


def make_repository(folder: Path, names: list[str]) -> Path:
    folder.mkdir()
    (folder / "calc.py").write_text("".join(f"def {name}(a, b):\n    return a - b  # {name}\n\n\n" for name in names))
    (folder / "test_calc.py").write_text(TEST.format(name=names[0]).replace("2, 3), 5", "0, 0), 0"))
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "Sums"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    return folder


def row(name: str, repository: Path) -> dict[str, str]:
    text = f"{name}() subtracts\n\n{name}(2, 3) gives -1 but should give 5."
    return {"instance_id": name, "repo": str(repository), "base_commit": "HEAD", "problem_statement": text}


def script(names: list[str]) -> Iterator[dict[str, Any]]:
    """The endpoint's answers: a test, a patch (every third one is wrong), and the submission."""
    for number, name in enumerate(names):
        test = ("edit", {"path": f"test_{name}.py", "old": "", "new": TEST.format(name=name)})
        sign = "*" if number % 3 == 2 else "+"
        patch = ("edit", {"path": "calc.py", "old": f"a - b  # {name}", "new": f"a {sign} b  # {name}"})
        yield rule(0, f"{name}(2, 3) gives", test, ("run_tests", {}))
        yield rule(1, f"test_{name}.", patch, ("run_tests", {}))
    for turns in range(2, 12):
        yield rule(turns, "", ("submit", {"summary": "The patch is complete."}))


def rule(turns: int, contains: str, *actions: tuple[str, dict[str, str]]) -> dict[str, Any]:
    usage = {"input": 1000 + 100 * turns, "output": 50}
    answer = {"text": "Next step.", "actions": actions, "usage": usage, "slow": SLOW}
    return {"turns": turns, "contains": contains, "answer": answer}


def batch(
    home: Path,
    rows: Path,
    engine: str,
    names: list[str],
    more: list[str] | None = None,
    midway: Callable[[], object] | None = None,
) -> BatchOutcome:
    """Run `swe-agent batch` on an engine to its end; call `midway` once half of its instances are done."""
    out = home / engine
    with endpoint(home, names, engine) as (url, log):
        (home / "config.toml").write_text(CONFIG.format(url=url, model=MODEL))
        began = time.monotonic()
        command = [
            *("batch", "--instances", str(rows), "--out", str(out), "--workers", str(WORKERS), "--engine", engine),
            *("--model", MODEL, "--workspace", "local", "--test", "python3 -m unittest discover", "--total", "100"),
            *("--json", *(more or [])),
        ]
        start = [sys.executable, "-c", "from swe_agent import main; main()", *command]
        process = subprocess.Popen(start, env=environment(home), cwd=ROOT, stdout=subprocess.PIPE, text=True)
        if midway is not None:
            wait_for(out, len(names) // 2, process)
            midway()
        output = process.communicate()[0]
        seconds = time.monotonic() - began
        requests = [json.loads(line) for line in log.read_text().splitlines()]
    summary = json.loads(output or "{}")
    results = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    done = {one["run"]: one for one in results}
    faults = [f"{engine} ended with {process.returncode}: {summary}"] if process.returncode else []
    faults += [
        f"{run} was done {count} times" for run, count in Counter(r["run"] for r in results).items() if count > 1
    ]
    faults += find_faults(out, done, requests, summary)
    lost = [run for run, one in done.items() if one["tries"] > 1]
    return BatchOutcome(
        done, seconds, summary, faults, len(lost), sum(replies_before_resume(out / "runs" / run) for run in lost)
    )


def find_faults(
    out: Path, done: Mapping[str, Mapping[str, Any]], requests: list[dict[str, Any]], summary: Mapping[str, Any]
) -> list[str]:
    """Check the journals against each other, the batch's summary, and the requests that the endpoint received."""
    faults = []
    sent: dict[str, Counter[int]] = {}
    for request in requests:
        name, turns = conversation(request["body"])
        sent.setdefault(name, Counter())[turns + 1] += 1
    whole = Fraction(0)
    for run in done:
        records = read(out / "runs" / run).records
        exits = sum(isinstance(record, Exit) for record in records)
        if exits != 1:
            faults.append(f"{run} has {exits} exits")
        holds = {record.id: record for record in records if isinstance(record, Hold)}
        settles = [record for record in records if isinstance(record, Settle)]
        replies = Counter((record.branch, record.ask) for record in records if isinstance(record, Reply))
        if len({settle.hold for settle in settles}) != len(settles) or max(replies.values()) > 1:
            faults.append(f"{run} paid for a request twice")
        if over := sent.get(run, Counter()) - Counter(hold.ask for hold in holds.values()):
            faults.append(f"{run}: the endpoint received requests without a hold: {dict(over)}")
        open_holds = holds.keys() - {settle.hold for settle in settles}
        spent = sum(pico(settle.dollars) for settle in settles) + sum(pico(holds[id].dollars) for id in open_holds)
        if spent != pico(done[run]["dollars"]):
            faults.append(f"{run} says {done[run]['dollars']}, its journal {spent / PICO}")
        whole += spent
    if whole != pico(summary.get("dollars")):
        faults.append(f"the batch says {summary.get('dollars')}, the journals {float(whole) / PICO}")
    return faults


def pico(dollars: float | None) -> int:
    return round((dollars or 0.0) * PICO)


def conversation(body: Mapping[str, Any]) -> tuple[str, int]:
    """The instance of a request, and the number of replies in it."""
    text = json.dumps(body["messages"])
    found = re.search(r"(sum_\d\d)\(2, 3\) gives", text)
    return found[1] if found else "", sum(message["role"] == "assistant" for message in body["messages"])


def replies_before_resume(directory: Path) -> int:
    """Number of replies in the journal before the run was last resumed."""
    count = kept = 0
    for record in read(directory).records:
        count += isinstance(record, Reply)
        if getattr(record, "kind", "") == "life":
            kept = count
    return kept


def wait_for(out: Path, lines: int, process: subprocess.Popen[str]) -> None:
    """Wait until `lines` instances are done, and all running ones, at least two, have a reply in their journal."""
    while process.poll() is None:
        results = out / "results.jsonl"
        done = {json.loads(line)["run"] for line in whole_lines(results)}
        running = [folder for folder in out.glob("runs/*") if folder.name not in done]
        replies = [b'"type":"reply"' in b"".join(whole_lines(folder / "journal.jsonl")) for folder in running]
        if len(done) >= lines and len(replies) > 1 and all(replies):
            return
        time.sleep(0.05)


def whole_lines(file: Path) -> list[bytes]:
    lines = file.read_bytes().splitlines(keepends=True) if file.exists() else []
    return [line for line in lines if line.endswith(b"\n")]


def environment(home: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SWE_AGENT_")}
    own = {
        "SWE_AGENT_CONFIG": home / "config.toml",
        "SWE_AGENT_CACHE": home / "cache",
        "SWE_AGENT_STATE": home / "state",
        "SWE_AGENT_INDEPENDENT": "false",  # the scripted provider writes no blind tests
    }
    return inherited | {name: str(path) for name, path in own.items()}


@contextmanager
def endpoint(home: Path, names: list[str], engine: str) -> Iterator[tuple[str, Path]]:
    """Start a provider in a separate process; yield its URL and its log of requests."""
    answers, log = home / f"{engine}.script.jsonl", home / f"{engine}.requests.jsonl"
    answers.write_text("".join(json.dumps(line) + "\n" for line in script(names)))
    command = [sys.executable, "-m", "tests.endpoint", "--script", str(answers), "--log", str(log)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip(), log
        finally:
            process.kill()


@contextmanager
def cluster() -> Iterator[tuple[str, Callable[[], object]]]:
    """Start two nodes with two CPUs each; yield the address, and a function that kills the node without the driver."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    both = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    try:
        second = both.add_node(num_cpus=2)
        yield both.address, lambda: both.remove_node(second, allow_graceful=False)
    finally:
        both.shutdown()


if __name__ == "__main__":
    raise SystemExit(main())
