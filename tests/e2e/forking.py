"""Commands run in processes that are forked from one which has imported the program.

Starting the interpreter and importing take most of the CPU time of a short command, and the tests run hundreds of them.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

IMPORTED = [
    "agent.lifecycle.run_lifecycle",
    "agent.console.run_display",
    "agent.console.foreground_run",
    "agent.lifecycle.delivery",
    "extensions.memory.run_lessons",
    "aci.graph.code_graph",
    "git",
]


def run(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run `swe-agent` with an empty stdin and this environment.

    Raises subprocess.TimeoutExpired. No new interpreter is started, so variables for Python (PYTHON...) have no effect.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    with TemporaryDirectory() as outputs:
        out, err = Path(outputs) / "stdout", Path(outputs) / "stderr"
        process = context.Process(target=_command, args=(arguments, environment, folder, out, err))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(["swe-agent", *arguments], timeout, out.read_text(), err.read_text())
        return subprocess.CompletedProcess(arguments, process.exitcode, out.read_text(), err.read_text())


def _command(arguments: Sequence[str], environment: Mapping[str, str], folder: Path, out: Path, err: Path) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["swe-agent", *arguments]
    from swe_agent import main

    main()
