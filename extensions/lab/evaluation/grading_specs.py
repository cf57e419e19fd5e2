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
from extensions.lab.evaluation.conda_requirements import pip_install_lines, repository_edits
from extensions.lab.evaluation.eval_scripts import read_eval_script
from extensions.lab.evaluation.grading_files import files
from extensions.lab.evaluation.javascript_logs import Read
from extensions.lab.evaluation.multimodal_specs import MultimodalSpec, multimodal_spec
from extensions.lab.evaluation.swebench_specs import SwebenchSpec, log_reader, swebench_spec
from extensions.lab.instances.dataset_instances import Gold, parse_list
from extensions.lab.instances.jobs import Instance

_TOX, _WITHOUT_TOX = re.compile(r"tox --current-env .*--$"), "python -X dev -m pytest -rA"
"""Sphinx's test command, and its equivalent without tox: in a venv, tox uses a Python without the packages."""
SWEBENCH, LIVE = "swebench", "starryzhang"
_DOTTED = re.compile(r"\w+ \(([\w.]+)\)|(\w+(?:\.\w+)+)\.\w+")
"""A test of unittest: `test_x (module.Class)` or `module.Class.test_x`."""


@dataclass(frozen=True, slots=True)
class GradingSpec:
    """How to run an instance's tests.

    `command` is empty if it is to be detected. The command runs the tests in the files of the test patch; if it does
    not name these files itself, they are in `nodes`. `read` parses the output and returns whether each test passed, by
    name; it is None if swe-agent's own hooks record the results.

    Given a repository's files, `setup` returns the shell lines that install the tests' requirements with the Python
    version `python` or the Node version `node`; if it is None, the set-up is derived from the files. `edits` are
    commands that first change the repository, as in the set-up of SWE-bench's images; `before` are commands that run
    before the test command.
    """

    command: str = ""
    nodes: tuple[str, ...] = ()
    read: Read | None = None
    python: str = ""
    node: str = ""
    setup: Callable[[Files], str] | None = None
    edits: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    image: str = ""
    publisher: str = ""
    """The account on Docker Hub that may have published an image for the instance."""
    fail_only: bool = False
    """Whether the output names only the tests that fail."""

    browser: bool = False
    """Whether the tests open Chromium."""


def grading_spec(gold: Gold, instance: Instance, test: str = "") -> GradingSpec:
    """Return the specification for testing an instance; `test` is the user's own test command.

    The row's `test` command, `eval_script` and `test_cmds` are used unchanged; the command in `install_config`, which
    data sets in the style of SWE-bench have, is narrowed to the test files.
    """
    row: Mapping[str, Any] = gold.row
    setup, config = row.get("setup"), row.get("install_config")
    own = (lambda _: setup) if isinstance(setup, str) and setup else None
    if command := test or instance.test:
        return GradingSpec(command=command, setup=own, image=instance.image)
    if isinstance(script := row.get("eval_script"), str) and (found := read_eval_script(script)):
        return GradingSpec(
            command=found.command,
            read=log_reader(str(row.get("log_parser", "")), instance.repo, instance.version),
            setup=own,
            before=found.before,
            image=instance.image,
            publisher=SWEBENCH,
            fail_only=row.get("eval_type") == "fail_only",
        )
    if isinstance(config, Mapping) and lines(config.get("test_cmd")):
        return _configured(config, gold, instance)
    if commands := lines(row.get("test_cmds")):
        return GradingSpec(command="\n".join(commands), setup=own, image=instance.image, publisher=LIVE)
    if visual := multimodal_spec(str(row.get("repo") or instance.repo), instance.version, files(gold.test_patch)):
        return _multimodal(visual, instance)
    known = swebench_spec({**row, "repo": instance.repo, "version": instance.version, "test_patch": gold.test_patch})
    if known and (known.is_python or instance.image):
        return _known(known, instance)
    return GradingSpec(nodes=_tests(gold), setup=own, image=instance.image)


def _configured(config: Mapping[str, Any], gold: Gold, instance: Instance) -> GradingSpec:
    paths = config.get("reqs_path"), config.get("env_yml_path")
    lists, environments = (tuple(path) if isinstance(path, list | tuple) else () for path in paths)
    return GradingSpec(
        command="\n".join(lines(config["test_cmd"])),
        nodes=_tests(gold),
        python=str(config.get("python", "")),
        setup=partial(_install, config, lists, environments),
        edits=repository_edits(config),
        image=instance.image,
    )


def _multimodal(spec: MultimodalSpec, instance: Instance) -> GradingSpec:
    return GradingSpec(
        command=spec.command,
        read=spec.read,
        node=spec.node,
        setup=lambda _: spec.setup,
        before=spec.before,
        image=instance.image,
        publisher=SWEBENCH,
        fail_only=spec.fail_only,
        browser=spec.browser,
    )


def _known(known: SwebenchSpec, instance: Instance) -> GradingSpec:
    spec, tested = known.spec, shlex.join(known.tested)
    if not known.is_python:
        commands = lines(spec["test_cmd"])
        return GradingSpec("\n".join((*spec.get("build", ()), *commands)), read=known.read, image=instance.image)
    return GradingSpec(
        command=f"{_TOX.sub(_WITHOUT_TOX, spec['test_cmd'])} {tested}",
        read=known.read,
        python=str(spec["python"]),
        setup=partial(_install, spec, known.requirements, known.environments),
        edits=repository_edits(spec),
        before=tuple(spec.get("eval_commands", ())),
        image=instance.image,
        publisher=SWEBENCH,
    )


def _tests(gold: Gold) -> tuple[str, ...]:
    """Return the files of the test patch, those that the row selects, and those that the names of its tests tell.

    The name of a unittest does not tell where the module ends and its class begins, so all possible files are named;
    those that do not exist are skipped.
    """
    selected = lines(gold.row.get("selected_test_files_to_run"))
    named: list[str] = []
    for name in (*gold.fail_to_pass, *gold.pass_to_pass):
        if ".py::" in name:
            named.append(name.partition("::")[0])
        elif match := _DOTTED.fullmatch(name):
            parts = (match[1] or match[2]).split(".")
            named += [f"{'/'.join(parts[:end])}.py" for end in range(1, len(parts) + 1)]
    return tuple(dict.fromkeys((*files(gold.test_patch), *selected, *named)))


def lines(value: Any) -> list[str]:
    """Return a field's texts: it is a text, a list of texts, or such a list as JSON or Python source."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = parse_list(value) or value
    texts = [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else []
    return [text for text in texts if isinstance(text, str) and text.strip()]


def _install(
    spec: Mapping[str, Any], requirements: tuple[str, ...], environments: tuple[str, ...], files: Files
) -> str:
    return pip_install_lines(spec, files, requirements, environments)
