"""Replacement for `python -m unittest` that records the results."""

import sys
import unittest.result
import unittest.runner

from . import unittest_recorder

if not hasattr(unittest.TestResult.startTest, "__wrapped__"):
    unittest_recorder.install(unittest.result, unittest.runner)
if unittest_recorder.RECORDER.listens_to(None):
    unittest_recorder.RECORDER.begin()
sys.argv[0] = unittest_recorder.PLAIN_RUNNER
unittest.main(module=None)
