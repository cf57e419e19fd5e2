"""Evaluator that tests thousands of edits a minute inside the target: imports once, forks, swaps code, runs tests.

A JSON file named by SWE_AGENT_JOB says what to collect; afterwards, requests and answers are exchanged as JSON lines
(see `fork_server.py`). Modes:

    evaluate   for each candidate: `plausible`, `fail` or `slow` with the test (`slow`: the others passed), `timeout`,
               `crash`, `invalid` or `fluke`
    trace      for each test: what it does on the base (`base_observation.py`)
    probe      the values of conditions where tests reach a statement (`frame_probes.py`)
    behave     for each plausible candidate: its answers on inputs derived from those of the tests
    compare    answers of the base and of a patch on inputs derived from those of the tests (`patch_comparison.py`)
    copies     the same in copies of the tests with changed literals (`copy_comparison.py`)

Standard library only, for the target's own Python (3.6 and later). Under pytest it is a plug-in
(`evaluator_plugin.py`), for unittest `python -m _swe_agent_guest.experiment.evaluator_main`, and under Django's runner
it replaces the one of unittest (`evaluator_runner.py`).
"""

import contextlib
import json
import os
import sys

from . import answer_collection, base_observation, copy_comparison, frame_probes, patch_comparison
from .fork_server import Server
from .item_runners import unittest_tests

SOURCE, SINK = 7, 8
"""Descriptors of the pipes to the host in the test command's shell; see `evaluator_process.py`."""


def serve(spec, tests):
    """Answer the host's requests about these tests until the host closes its end of the pipe."""
    modes = {
        "trace": base_observation.observe,
        "probe": frame_probes.probe,
        "compare": patch_comparison.compare,
        "copies": copy_comparison.compare,
        "behave": lambda job: answer_collection.run(job.spec, job.editor, job.tests, job.answer, job.left),
    }
    source, sink = _ends(os.environ["SWE_AGENT_WIRE"])
    Server(spec["root"], os.path.dirname(os.environ["SWE_AGENT_JOB"]), tests, modes, source, sink).run()


def _ends(shell):
    """Return this process's ends of the pipes to the host.

    They are opened again through the `shell` (its process id), since intermediate processes may have closed the
    inherited descriptors. If that fails, the inherited descriptors are used.
    """
    inherited = [_identity(descriptor) for descriptor in (SOURCE, SINK)]
    try:
        opened = [
            os.open("/proc/%s/fd/%d" % (shell, descriptor), mode)
            for descriptor, mode in ((SOURCE, os.O_RDONLY), (SINK, os.O_WRONLY))
        ]
    except OSError:
        return SOURCE, SINK
    for descriptor, before, now in zip((SOURCE, SINK), inherited, opened):
        if before == _identity(now):
            os.close(descriptor)
    return opened


def _identity(descriptor):
    with contextlib.suppress(OSError):
        found = os.fstat(descriptor)
        return found.st_dev, found.st_ino
    return None


def read_job():
    with open(os.environ["SWE_AGENT_JOB"]) as file:
        return json.load(file)


def main():
    spec = read_job()
    for folder in [*spec["folders"], spec["root"]]:
        sys.path.insert(0, os.path.realpath(os.path.join(spec["root"], folder)))
    os.chdir(spec["root"])
    serve(spec, unittest_tests(spec["names"]))


if __name__ == "__main__":
    main()
