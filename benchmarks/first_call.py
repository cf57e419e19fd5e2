"""Time from the start of a process to its first model request, compared with mini-swe-agent.

    python -m benchmarks.first_call [--runs 7] [--mini-python PATH] [--workspace W] [--image I] [--json]

The sides are started in turn, on the same small repository and the same image, against a server on loopback that never
answers. Each process is terminated when its request has arrived. The first round is not counted: it creates the base
image and the .pyc files. Ours copies the repository, opens the workspace and locates the likeliest places before it
sends the request; mini's DefaultAgent starts a container of the image, without the repository, and sends the request.

--mini-python is the Python in which mini-swe-agent 2 is installed, by default the one next to `mini` on PATH. Its
litellm is configured, as ours is, not to search for MCP servers: that search fails if the package `mcp` is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread

from extensions.sandbox.bubblewrap import unavailable_reason

MODEL = "openai/x"
ISSUE = "top_up() of accounts.wallet adds twice\n\ntop_up(5) on an empty wallet gives 10 but should give 5."
LABEL = "swe-agent-benchmark=first-call"
REQUEST_TIMEOUT = 120.0
"""Seconds to wait for a side's request."""
TERMINATION_TIMEOUT = 30.0
"""Seconds that a terminated process has to remove its container."""
OURS, MINI = "swe-agent", "mini"

DRIVER = """\
import json, os, sys
given = json.loads(sys.argv[1])
from minisweagent.agents.default import DefaultAgent
from minisweagent.config import get_config_from_spec
from minisweagent.models.litellm_model import LitellmModel
config = get_config_from_spec("mini.yaml")
model = {**config["model"], "model_name": given["model"], "cost_tracking": "ignore_errors"}
model["model_kwargs"] = {
    **model.get("model_kwargs", {}), "api_base": given["api_base"], "api_key": "x", "_skip_mcp_handler": True}
if given["image"]:
    from minisweagent.environments.docker import DockerEnvironment
    arguments = ["--rm", "--network", "none", "--label", given["label"]]
    environment = DockerEnvironment(image=given["image"], run_args=arguments, **config["environment"])
else:
    from minisweagent.environments.local import LocalEnvironment
    environment = LocalEnvironment(**config["environment"])
DefaultAgent(LitellmModel(**model), environment, **config["agent"]).run(given["task"])
"""


@dataclass(frozen=True)
class Side:
    """One program in one workspace, with the command that starts it."""

    name: str
    workspace: str
    command: list[str]
    environment: dict[str, str]


@contextmanager
def listening() -> Iterator[tuple[str, SimpleQueue[float]]]:
    """Start a server that never answers; yield its base URL and the times (perf_counter) at which requests arrived."""
    arrivals: SimpleQueue[float] = SimpleQueue()
    closed = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            arrivals.put(time.perf_counter())
            closed.wait()

        def log_message(self, format: str, *args: object) -> None:
            """Suppress the log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", arrivals
    finally:
        closed.set()
        server.shutdown()
        server.server_close()


def repository(folder: Path) -> Path:
    """Make a small git repository with a package and its tests."""
    files = {"README.md": "# Accounts\n", "accounts/__init__.py": "", "tests/__init__.py": ""}
    for name in ("wallet", *(f"module{number}" for number in range(20))):
        functions = [f"def {verb}(value, by=1):\n    return value + by\n" for verb in ("top_up", "draw", f"{name}_of")]
        files[f"accounts/{name}.py"] = "\n\n".join(functions)
        files[f"tests/test_{name}.py"] = (
            f"from accounts import {name}\n\n\ndef test():\n    assert {name}.draw(1) == 2\n"
        )
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    person = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com"]
    for command in (["init", "-q"], ["add", "-A"], [*person, "commit", "-q", "-m", "Accounts"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)
    return folder


def sides(folder: Path, base: str, workspaces: list[str], image: str, mini_python: str | None) -> list[Side]:
    """Our side and, if its Python is given, mini's, for each workspace; their state is stored in `folder`."""
    config = folder / "config.toml"
    config.write_text(f'[models."{MODEL}"]\napi_base = "{base}"\nprice_in = 1.0\nprice_out = 5.0\n', "utf-8")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SWE_AGENT_", "MSWEA_"))}
    ours = inherited | {"SWE_AGENT_CONFIG": str(config), "SWE_AGENT_STATE": str(folder / "state")}
    minis = inherited | {"MSWEA_GLOBAL_CONFIG_DIR": str(folder / "mini"), "MSWEA_SILENT_STARTUP": "1"}
    minis |= {"MSWEA_CONFIGURED": "true", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    program = str(Path(sys.executable).with_name("swe-agent"))
    found = []
    for workspace in workspaces:
        command = [program, "fix", "--text", ISSUE, "--model", MODEL, "--workspace", workspace]
        command += ["--image", image] if workspace == "docker" else []
        found.append(Side(OURS, workspace, [*command, "--plain"], ours))
        if mini_python and workspace != "sandbox":
            given = {"task": ISSUE, "model": MODEL, "api_base": base, "label": LABEL}
            argument = json.dumps(given | {"image": image if workspace == "docker" else ""})
            found.append(Side(MINI, workspace, [mini_python, "-c", DRIVER, argument], minis))
    return found


def seconds(side: Side, folder: Path, arrivals: SimpleQueue[float], timeout: float = REQUEST_TIMEOUT) -> float:
    """Seconds from the start of the process to its first request. Raises RuntimeError if none arrives in `timeout`
    seconds."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            side.command, cwd=folder, env=side.environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            while True:
                try:
                    return arrivals.get(timeout=0.5) - start
                except Empty:
                    if process.poll() is None and time.perf_counter() - start < timeout:
                        continue
                output.seek(0)
                last = output.read().decode("utf-8", "replace")[-500:]
                raise RuntimeError(f"{side.name} ({side.workspace}) sent no request: {last.strip()}")
        finally:
            _terminate(process)


def _terminate(process: subprocess.Popen[bytes]) -> None:
    """Terminate the process and its children, after giving them time to clean up."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(TERMINATION_TIMEOUT)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _remove_containers() -> None:
    """Remove mini's containers, which outlive a killed process."""
    listed = subprocess.run(["docker", "ps", "-aq", "--filter", f"label={LABEL}"], capture_output=True, text=True)
    if names := listed.stdout.split():
        subprocess.run(["docker", "rm", "-f", *names], capture_output=True)


def measure(started_sides: list[Side], folder: Path, arrivals: SimpleQueue[float], runs: int) -> list[list[float]]:
    """Seconds of each side in `runs` alternating rounds, after one round that is not counted."""
    taken: list[list[float]] = [[] for _ in started_sides]
    for round_number in range(runs + 1):
        for side, counted in zip(started_sides, taken, strict=True):
            took = seconds(side, folder, arrivals)
            if side.name == MINI and side.workspace == "docker":
                _remove_containers()
            if round_number:
                counted.append(took)
    return taken


def compare(workspaces: list[str], runs: int, image: str, mini_python: str | None) -> dict[str, dict[str, float]]:
    """For each workspace: the median and fastest seconds of each side, and the ratio of our median to mini's."""
    with tempfile.TemporaryDirectory(prefix="swe-agent-first-call-") as place, listening() as (base, arrivals):
        folder = Path(place)
        (folder / "accounts").mkdir()
        repository(folder / "accounts")
        started_sides = sides(folder, base, workspaces, image, mini_python)
        taken = measure(started_sides, folder / "accounts", arrivals, runs)
    found: dict[str, dict[str, float]] = {workspace: {} for workspace in workspaces}
    for side, counted in zip(started_sides, taken, strict=True):
        found[side.workspace][side.name] = round(statistics.median(counted), 3)
        found[side.workspace][f"{side.name} fastest"] = round(min(counted), 3)
    for medians in found.values():
        if MINI in medians:
            medians["ratio"] = round(medians[OURS] / medians[MINI], 2)
    return found


def show(found: Mapping[str, Mapping[str, float]], mini_python: str | None) -> None:
    columns = [OURS, f"{OURS} fastest", MINI, f"{MINI} fastest", "ratio"]
    print("  ".join(["workspace", *columns]) + "   (seconds to the first request: medians, fastest)")
    for workspace, taken in found.items():
        cells = ((f"{taken[name]:.2f}" if name in taken else "-").rjust(len(name)) for name in columns)
        print("  ".join([f"{workspace:<9}", *cells]))
    if not mini_python:
        print("mini is missing: give its Python with --mini-python.")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_call", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=7, help="number of counted rounds (default: 7)")
    parser.add_argument("--mini-python", default=_python_of_mini(), help="a Python with mini-swe-agent 2")
    parser.add_argument("--workspace", choices=["docker", "sandbox", "local"], help="measure only this (default: all)")
    parser.add_argument("--image", default="swe-agent-base:latest", help="image for Docker, with git")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    possible = ["docker", "local"] if unavailable_reason() else ["docker", "sandbox", "local"]
    workspaces = [options.workspace] if options.workspace else possible
    try:
        found = compare(workspaces, options.runs, options.image, options.mini_python)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps({"runs": options.runs, "seconds": found}))
    else:
        show(found, options.mini_python)
    return 0


def _python_of_mini() -> str | None:
    mini = shutil.which("mini")
    python = Path(mini).resolve().with_name("python") if mini else None
    return str(python) if python and python.exists() else None


if __name__ == "__main__":
    sys.exit(main())
