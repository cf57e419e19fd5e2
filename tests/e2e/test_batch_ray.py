"""`swe-agent batch --engine ray` on a local cluster of two nodes: kills, interrupts and API keys."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks import ray as benchmark
from tests.endpoint import Endpoint, Rule, rules
from trajectories.journal import read
from trajectories.records import Exit

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed: swe-agent[ray]"),
    pytest.mark.timeout(600),
]
KEY = "sk-9c41e0aa73d2bf58"
NAMES = ["sum_00", "sum_01", "sum_02", "sum_03"]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with benchmark.cluster() as (address, _):
        yield address


class ClusterUser:
    """A user of the cluster with four instances and a provider that needs a key."""

    def __init__(self, home: Path, address: str) -> None:
        self.home, self.out, self.address = home, home / "out", address
        repository = benchmark.make_repository(home / "sums", NAMES)
        rows = [json.dumps(benchmark.row(name, repository)) + "\n" for name in NAMES]
        (home / "rows.jsonl").write_text("".join(rows))
        script = [Rule.from_json(json.dumps(line)) for line in benchmark.script(NAMES)]
        self.endpoint = Endpoint(rules(script), key=KEY)
        config = benchmark.CONFIG.format(url=self.endpoint.url, model=benchmark.MODEL)
        (home / "config.toml").write_text(config + 'key_env = "SUMS_KEY"\n')

    def start(self, *options: str, workspace: str = "local") -> subprocess.Popen[str]:
        command = [
            *("batch", "--instances", str(self.home / "rows.jsonl"), "--out", str(self.out), "--workers", "2"),
            *("--engine", "ray", "--model", benchmark.MODEL, "--workspace", workspace, "--json"),
            *("--test", "python3 -m unittest discover"),
            *(f"--engine-option={option}" for option in (f"address={self.address}", *options)),
        ]
        return subprocess.Popen(
            [sys.executable, "-c", "from swe_agent import main; main()", *command],
            env=benchmark.environment(self.home) | {"SUMS_KEY": KEY}, cwd=benchmark.ROOT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip

    def run(self, *options: str, workspace: str = "local") -> tuple[int, dict, str]:
        process = self.start(*options, workspace=workspace)
        out, err = process.communicate(timeout=300)
        return process.returncode, json.loads(out), err


@pytest.fixture
def home(tmp_path: Path, address: str) -> Iterator[ClusterUser]:
    user = ClusterUser(tmp_path, address)
    yield user
    user.endpoint.close()


def test_killed_node_does_not_affect_results(tmp_path: Path) -> None:
    report = benchmark.compare(tmp_path, 8)
    assert report["faults"] == []


def test_interrupted_batch_can_be_continued(home: ClusterUser) -> None:
    process = home.start("pass-keys=1")
    benchmark.wait_for(home.out, 1, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    requests_before = len(home.endpoint.asked)
    code, result, err = home.run("pass-keys=1")
    assert (code, result["done"], result["left"]) == (0, 4, 0), err
    lines = [json.loads(line) for line in (home.out / "results.jsonl").read_text().splitlines()]
    assert Counter(line["run"] for line in lines) == Counter(NAMES)
    assert {line["run"]: line["kind"] for line in lines} == dict.fromkeys(NAMES, "plausible") | {"sum_02": "unproven"}
    records = [read(home.out / "runs" / name) for name in NAMES]
    assert [sum(isinstance(entry, Exit) for entry in record.records) for record in records] == [1] * 4
    assert sum(len(record.holds) for record in records) >= len(home.endpoint.asked) > requests_before


def test_batch_survives_kill_of_record_store(home: ClusterUser) -> None:
    process = home.start("pass-keys=1")
    benchmark.wait_for(home.out, 1, process)
    for hub in hubs(home.out):
        os.kill(hub, signal.SIGKILL)
    out, err = process.communicate(timeout=300)
    result = json.loads(out)
    assert (process.returncode, result["done"], result["left"]) == (0, 4, 0), err
    assert result["exits"] == {"plausible": 3, "unproven": 1}
    assert "stores the batch's records was lost" in err
    records = [read(home.out / "runs" / name) for name in NAMES]
    assert [sum(isinstance(entry, Exit) for entry in record.records) for record in records] == [1] * 4


def hubs(out: Path) -> list[int]:
    """The processes that hold the locks of runs of this batch; they must be hubs."""
    hub_processes = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # the process has ended
            opened = [file.readlink() for file in (process / "fd").iterdir()]
            if b"ray::Hub" in (process / "cmdline").read_bytes() and any(out in file.parents for file in opened):
                hub_processes.append(int(process.name))
    assert hub_processes
    return hub_processes


def test_batch_stops_if_no_node_has_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with benchmark.cluster() as (address, _):
        home = ClusterUser(tmp_path, address)
        try:
            code, result, err = home.run("pass-keys=1", workspace="docker")
        finally:
            home.endpoint.close()
    assert (code, result["done"], result["left"]) == (5, 0, 4), err
    assert "Docker is not running" in result["error"]["message"]
    assert "no other usable node" in result["error"]["fix"]
    results = home.out / "results.jsonl"
    assert not results.exists() or not results.read_text()


def test_keys_are_sent_to_nodes_only_on_request(home: ClusterUser) -> None:
    code, result, err = home.run()
    assert code == 3, err
    assert "SUMS_KEY" in json.dumps(result) + err
    assert home.endpoint.requests == []
    code, result, err = home.run("pass-keys=1")
    assert (code, result["done"]) == (0, 4), err
    session = Path(os.path.realpath("/tmp/ray/session_latest"))
    files = [*session.rglob("*"), *home.out.rglob("*")]
    assert [file for file in files if file.is_file() and KEY.encode() in file.read_bytes()] == []


@pytest.mark.parametrize("option", ["cpus=none", "cpus=0", "cpus=64", "nodes=3", "address=ray://127.0.0.1:1"])
def test_bad_engine_option_is_refused(home: ClusterUser, option: str) -> None:
    code, _, err = home.run(option)
    assert code == 2
    assert "Traceback" not in err
