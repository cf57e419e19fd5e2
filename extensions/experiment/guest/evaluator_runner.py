"""The evaluator under a runner that is built on unittest, such as Django's: it serves the host's requests after the
runner has prepared everything, instead of running tests.

Standard library only, for the target's own Python (3.6 and later).
"""

import os
from unittest import runner

from .evaluator_main import read_job, serve
from .item_runners import unittest_tests


def install():
    """Patch unittest's runner for its next use; tests may use it themselves."""
    original = runner.TextTestRunner.run

    def run(self, test):
        runner.TextTestRunner.run = original
        spec = read_job()
        serve(spec, unittest_tests(spec["names"]))
        os._exit(0)

    runner.TextTestRunner.run = run
