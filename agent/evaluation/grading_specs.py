"""Specifications of how to run an instance's tests and read their results: from its row, from SWE-bench's constants, or
detected."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from aci.environments.environment_plan import Files
from agent.evaluation.conda_requirements import pip_install_lines, repository_edits
from agent.evaluation.grading_files import files
from agent.evaluation.swebench_specs import SwebenchSpec, swebench_spec
from agent.instances.dataset_instances import Gold
from agent.instances.jobs import Instance

_TOX, _WITHOUT_TOX = re.compile(r"tox --current-env .*--$"), "python -X dev -m pytest -rA"
"""Sphinx's test command, and its equivalent without tox: in a venv, tox uses a Python without the packages."""
Read = Callable[[str], dict[str, bool]]
"""Parses the tests' output and returns whether each test passed, by name."""


@dataclass(frozen=True, slots=True)
class GradingSpec:
    """How to run an instance's tests.

    `command` is empty if it is to be detected. The command runs the tests in the files of the test patch; if it does
    not name these files itself, they are in `nodes`. `read` is None if swe-agent's own hooks record the results.

    Given a repository's files, `setup` returns the shell lines that install the tests' requirements with the Python
    version `python`; if it is None, the set-up is derived from the files. `edits` are commands that first change the
    repository, as in the set-up of SWE-bench's images; `before` are commands that run before the test command.
    """

    command: str = ""
    nodes: tuple[str, ...] = ()
    read: Read | None = None
    python: str = ""
    setup: Callable[[Files], str] | None = None
    edits: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    image: str = ""
    published: bool = False
    """Whether SWE-bench may have published an image for the instance."""


def grading_spec(gold: Gold, instance: Instance, test: str = "") -> GradingSpec:
    """Return the specification for testing an instance; `test` is the user's own test command.

    The row's `test` command is used unchanged; the command in `install_config`, which data sets in the style of
    SWE-bench have, is narrowed to the test files.
    """
    row: Mapping[str, Any] = gold.row
    setup, config = row.get("setup"), row.get("install_config")
    own = (lambda _: setup) if isinstance(setup, str) and setup else None
    if command := test or instance.test:
        return GradingSpec(command=command, setup=own, image=instance.image)
    if isinstance(config, Mapping) and isinstance(config.get("test_cmd"), str):
        return _configured(config, gold, instance)
    known = swebench_spec({**row, "repo": instance.repo, "version": instance.version, "test_patch": gold.test_patch})
    if known and (known.is_python or instance.image):
        return _known(known, instance)
    return GradingSpec(nodes=_tests(gold), setup=own, image=instance.image)


def _configured(config: Mapping[str, Any], gold: Gold, instance: Instance) -> GradingSpec:
    paths = config.get("reqs_path"), config.get("env_yml_path")
    lists, environments = (tuple(path) if isinstance(path, list | tuple) else () for path in paths)
    return GradingSpec(
        command=config["test_cmd"],
        nodes=_tests(gold),
        python=str(config.get("python", "")),
        setup=partial(_install, config, lists, environments),
        edits=repository_edits(config),
        image=instance.image,
    )


def _known(known: SwebenchSpec, instance: Instance) -> GradingSpec:
    spec, tested = known.spec, shlex.join(known.tested)
    if not known.is_python:
        commands = [spec["test_cmd"]] if isinstance(spec["test_cmd"], str) else spec["test_cmd"]
        return GradingSpec("\n".join((*spec.get("build", ()), *commands)), read=known.read, image=instance.image)
    return GradingSpec(
        command=f"{_TOX.sub(_WITHOUT_TOX, spec['test_cmd'])} {tested}",
        read=known.read,
        python=str(spec["python"]),
        setup=partial(_install, spec, known.requirements, known.environments),
        edits=repository_edits(spec),
        before=tuple(spec.get("eval_commands", ())),
        image=instance.image,
        published=True,
    )


def _tests(gold: Gold) -> tuple[str, ...]:
    """Return the files of the test patch, and the files named in the pytest ids of the instance's tests."""
    named = (name.partition("::")[0] for name in (*gold.fail_to_pass, *gold.pass_to_pass) if ".py::" in name)
    return tuple(dict.fromkeys((*files(gold.test_patch), *named)))


def _install(
    spec: Mapping[str, Any], requirements: tuple[str, ...], environments: tuple[str, ...], files: Files
) -> str:
    return pip_install_lines(spec, files, requirements, environments)
