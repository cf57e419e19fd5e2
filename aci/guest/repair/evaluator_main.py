"""Evaluates edits against tests inside the target, thousands a minute: imports once, forks, swaps code, runs.

A JSON file named by SWE_AGENT_JOB says what to collect; then requests and answers are JSON lines (`serving.py`). Modes:

    evaluate   for each candidate: `plausible`, or which test `fail`ed, or was `slow` after others had passed, or
               `timeout`, `crash`, `invalid`, `fluke`
    trace      for each test: what it does on the base (`observing.py`)
    probe      what conditions are where tests arrive (`probing.py`)
    behave     for each plausible candidate: what it answers on inputs made from those seen in the tests

Standard library only, for the target's own Python (3.6 and later). Under pytest it is a plug-in (`plugin.py`),
for unittest `python -m swe_agent_repair.repair`.
"""

import contextlib
import json
import os
import sys

from . import behave, observing, probing
from .runners import unittest_tests
from .serving import Server

SOURCE, SINK = 7, 8
"""The shell that began the test command has the host's lines at these descriptors; see `aci/candidate_server.py`."""


def serve(spec, tests):
    """Answer the host's requests about these tests until it asks for nothing more."""
    modes = {
        "trace": observing.observe,
        "probe": probing.probe,
        "behave": lambda job: behave.run(job.spec, job.editor, job.tests, job.answer, job.left),
    }
    source, sink = _ends(os.environ["SWE_AGENT_WIRE"])
    Server(spec["root"], os.path.dirname(os.environ["SWE_AGENT_JOB"]), tests, modes, source, sink).run()


def _ends(shell):
    """Our ends of the pipes to the host, opened anew from the `shell` (its process id), since what stands between
    may have closed what it inherited; where that is not possible, those inherited."""
    inherited = [_known(descriptor) for descriptor in (SOURCE, SINK)]
    try:
        opened = [
            os.open("/proc/%s/fd/%d" % (shell, descriptor), mode)
            for descriptor, mode in ((SOURCE, os.O_RDONLY), (SINK, os.O_WRONLY))
        ]
    except OSError:
        return SOURCE, SINK
    for descriptor, before, now in zip((SOURCE, SINK), inherited, opened):
        if before == _known(now):
            os.close(descriptor)
    return opened


def _known(descriptor):
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
