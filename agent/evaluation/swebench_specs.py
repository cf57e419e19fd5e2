"""What the `swebench` package knows of an instance: how its environment is made, its tests run, and their words read.

The package is an extra of ours. Importing it takes seconds and much else with it, so it is imported when the first
instance asks for it, and by `evaluate` only.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.evaluation.applying import files

_PASSED = ("PASSED", "XFAIL")


@dataclass(frozen=True, slots=True)
class Official:
    """`spec` is the entry of the instance's repository and version, `tested` the files of the test patch as its test
    command is told them. `requirements` and `environments` are where such files may lie in the repository."""

    repo: str
    version: str
    spec: Mapping[str, Any]
    tested: tuple[str, ...]
    requirements: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()

    @property
    def is_python(self) -> bool:
        return "python" in self.spec

    def read(self, log: str) -> dict[str, bool]:
        """Whether each test passed, by the package's parser. Only what the tests said is read, if it says anything."""
        from swebench.harness.log_parsers import MAP_REPO_TO_PARSER

        from agent.evaluation.applying import START, STOP

        parse = MAP_REPO_TO_PARSER[self.repo]
        told = log.partition(START)[2].partition(STOP)[0]
        statuses = parse(told, self._test_spec()) or parse(log, self._test_spec())
        return {name: status in _PASSED for name, status in statuses.items()}

    def _test_spec(self) -> Any:
        from swebench.harness.test_spec.test_spec import TestSpec

        language = "py" if self.is_python else ""
        return TestSpec("", self.repo, self.version, [], [], [], "x86_64", [], [], language, {}, None)


def official(row: Mapping[str, Any]) -> Official | None:
    """What the package knows of the instance; None where it does not, or is not installed."""
    repo, version = str(row.get("repo", "")), str(row.get("version", ""))
    if not repo or not version or importlib.util.find_spec("swebench") is None:
        return None
    from swebench.harness import constants
    from swebench.harness.test_spec.python import get_test_directives

    spec = constants.MAP_REPO_VERSION_TO_SPECS.get(repo, {}).get(version, {})
    if not spec.get("test_cmd"):
        return None
    patch = str(row.get("test_patch", ""))
    tested = get_test_directives({"repo": repo, "test_patch": patch}) if "python" in spec else files(patch)
    return Official(
        repo,
        version,
        spec,
        tuple(dict.fromkeys(tested)),
        tuple(constants.MAP_REPO_TO_REQS_PATHS.get(repo, ())),
        tuple(constants.MAP_REPO_TO_ENV_YML_PATHS.get(repo, ())),
    )
