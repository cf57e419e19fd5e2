"""`python -m unittest`, recorded."""

import sys
import unittest.result
import unittest.runner

from . import cases

if not hasattr(unittest.TestResult.startTest, "__wrapped__"):
    cases.install(unittest.result, unittest.runner)
if cases.HERE.listens_to(None):
    cases.HERE.begin()
sys.argv[0] = "python -m unittest"
unittest.main(module=None)
