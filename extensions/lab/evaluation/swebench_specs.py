"""Specifications of an instance from the `swebench` package: environment, test command and log parser.

The package is an optional extra. Importing it takes seconds and loads many other modules, so it is imported only for
the first instance that needs it, and only by `evaluate`. Version 4 knows the environments and commands of its
instances; version 5 only has parsers, and rows name theirs.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from extensions.lab.evaluation.grading_files import START, STOP, files
from extensions.lab.evaluation.javascript_logs import javascript_reader

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
        """Parse the log with the package's parser and return whether each test passed."""
        from swebench.harness.log_parsers import MAP_REPO_TO_PARSER

        return _read(MAP_REPO_TO_PARSER[self.repo], _test_spec(self.repo, self.version, self.is_python), log)


def log_reader(name: str, repo: str, version: str) -> Callable[[str], dict[str, bool]] | None:
    """Return a function that reads a log with the parser of this name: the package's, or without the package our own
    for the runners of JavaScript; None if there is no such parser."""
    if importlib.util.find_spec("swebench") is None:
        return javascript_reader(name)
    from swebench.harness import log_parsers

    parsers = getattr(log_parsers, "PARSER_REGISTRY", None)
    if parsers is None:  # version 4 finds parsers by repository
        modules = {parse.__module__ for parse in log_parsers.MAP_REPO_TO_PARSER.values()}
        parsers = {key: value for module in sorted(modules) for key, value in vars(sys.modules[module]).items()}
    parse = parsers.get(name) if name.startswith("parse_log") else None
    return (lambda log: _read(parse, _test_spec(repo, version, is_python=True), log)) if parse else None


def _read(parse: Callable[[str, Any], dict[str, str]], spec: Any, log: str) -> dict[str, bool]:
    """Parse the part of a log between the markers, or if it has no results the whole log."""
    output = log.partition(START)[2].partition(STOP)[0]
    statuses = parse(output, spec) or parse(log, spec)
    return {name: status in _PASSED for name, status in statuses.items()}


def _test_spec(repo: str, version: str, is_python: bool) -> Any:
    try:
        from swebench.types import TestSpec
    except ImportError:
        from swebench.harness.test_spec.test_spec import TestSpec as OldSpec

        return OldSpec("", repo, version, [], [], [], "x86_64", [], [], "py" if is_python else "", {}, None)
    return TestSpec("", "", [], repo, version, [], [])


def swebench_spec(row: Mapping[str, Any]) -> SwebenchSpec | None:
    """Return the package's specification of the instance; None if there is none or the package is not installed."""
    repo, version = str(row.get("repo", "")), str(row.get("version", ""))
    if not repo or not version or importlib.util.find_spec("swebench") is None:
        return None
    from swebench.harness import constants

    try:
        from swebench.harness.test_spec.python import get_test_directives
    except ImportError:  # version 5
        return None

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
