"""Specifications of an instance from the `swebench` package: environment, test command and log parser.

The package is an optional extra. Importing it takes seconds and loads many other modules, so it is imported only for
the first instance that needs it, and only by `evaluate`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.evaluation.grading_files import files

_PASSED = ("PASSED", "XFAIL")


@dataclass(frozen=True, slots=True)
class SwebenchSpec:
    """The package's specification of an instance.

    `spec` is the entry for the instance's repository and version, `tested` the files of the test patch as arguments of
    the test command. `requirements` and `environments` are possible paths of requirements and environment files in the
    repository.
    """

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
        """Parse the log with the package's parser and return whether each test passed; only the part between the
        markers is parsed if possible."""
        from swebench.harness.log_parsers import MAP_REPO_TO_PARSER

        from agent.evaluation.grading_files import START, STOP

        parse = MAP_REPO_TO_PARSER[self.repo]
        output = log.partition(START)[2].partition(STOP)[0]
        statuses = parse(output, self._test_spec()) or parse(log, self._test_spec())
        return {name: status in _PASSED for name, status in statuses.items()}

    def _test_spec(self) -> Any:
        from swebench.harness.test_spec.test_spec import TestSpec

        language = "py" if self.is_python else ""
        return TestSpec("", self.repo, self.version, [], [], [], "x86_64", [], [], language, {}, None)


def swebench_spec(row: Mapping[str, Any]) -> SwebenchSpec | None:
    """Return the package's specification of the instance; None if there is none or the package is not installed."""
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
    return SwebenchSpec(
        repo,
        version,
        spec,
        tuple(dict.fromkeys(tested)),
        tuple(constants.MAP_REPO_TO_REQS_PATHS.get(repo, ())),
        tuple(constants.MAP_REPO_TO_ENV_YML_PATHS.get(repo, ())),
    )
