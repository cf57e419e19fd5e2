"""Stands before the target's own sitecustomize, where there is one: lets unittest record, and hands on.

A process that never runs a test is left as it was; our folder is off sys.path before anything else runs.
"""

import os
import sys
from importlib.machinery import PathFinder

import swe_agent_results  # noqa: F401  from here on its parts are found without sys.path

FOLDER = os.path.dirname(os.path.abspath(__file__))


class Unittest:
    """Finds unittest.runner once, and teaches it to record when it is loaded."""

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
                from swe_agent_results import cases

                cases.install(sys.modules["unittest.result"], module)

            spec.loader.exec_module = exec_module
        return spec


def hand_on():
    """Run the sitecustomize that we hide."""
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        from importlib.util import module_from_spec

        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


sys.path[:] = [path for path in sys.path if os.path.abspath(path) != FOLDER]
if "SWE_AGENT_RUN" in os.environ:
    sys.meta_path.insert(0, Unittest)
hand_on()
