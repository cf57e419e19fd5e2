"""The `sitecustomize` of test runs: makes unittest record results, or serve the evaluator of edits under a runner such
as Django's, then runs the target's own sitecustomize, if any.

This folder is removed from sys.path before anything else runs. A process that never runs a test is otherwise unchanged.
"""

import os
import sys
from importlib.machinery import PathFinder

if "SWE_AGENT_JOB" in os.environ:
    from _swe_agent_guest.experiment import evaluator_runner

    evaluator_runner.install()
else:
    import _swe_agent_guest.results  # noqa: F401  its modules are then found without sys.path

FOLDER = os.path.dirname(os.path.abspath(__file__))


class Unittest:
    """Finder for `unittest.runner` that installs the recorder once, when the module is loaded."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "unittest.runner":
            return None
        sys.meta_path.remove(cls)
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def exec_module(module):
                load(module)
                from _swe_agent_guest.results import unittest_recorder

                unittest_recorder.install(sys.modules["unittest.result"], module)

            spec.loader.exec_module = exec_module
        return spec


def run_hidden_sitecustomize():
    """Run the `sitecustomize` module that this one shadows."""
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        from importlib.util import module_from_spec

        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


sys.path[:] = [path for path in sys.path if os.path.abspath(path) != FOLDER]
if "SWE_AGENT_RUN" in os.environ:
    sys.meta_path.insert(0, Unittest)
run_hidden_sitecustomize()
