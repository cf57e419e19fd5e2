"""How an instance's tests are run and read: by its own row, by SWE-bench's constants, or as the repository's are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from aci.environments.plan import Files
from agent.batch.instances import Gold
from agent.batch.place import Instance
from agent.evaluation.applying import files
from agent.evaluation.installing import edits, installing
from agent.evaluation.official import Official, official

_TOX, _WITHOUT_TOX = re.compile(r"tox --current-env .*--$"), "python -X dev -m pytest -rA"
"""Sphinx's command as its tox.ini has it: in a venv tox's own link to Python leads to one without its packages."""
Read = Callable[[str], dict[str, bool]]
"""Names of tests, and whether they passed, from what they printed."""


@dataclass(frozen=True, slots=True)
class Way:
    """`command` is empty where it is for us to find out. It runs the files of the test patch, and is narrowed to
    `nodes` where it does not name them itself. `read` is None where our own hooks tell what came of each test.

    `setup` says, of a repository's files, the shell lines that install what tests need, in an environment of `python`,
    a version; without it that is derived from the repository's files. `edits` change the repository before anything
    else does, as the set-up of SWE-bench's images did; `before` is run before the command.
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
    """SWE-bench may have published an image for the instance."""


def way_of(gold: Gold, instance: Instance, test: str = "") -> Way:
    """How the instance is tested, `test` being the user's own command.

    The row's `test` is taken as it is; `install_config`, which data sets made like SWE-bench have, is narrowed to the
    files of the tests.
    """
    row: Mapping[str, Any] = gold.row
    setup, config = row.get("setup"), row.get("install_config")
    own = (lambda _: setup) if isinstance(setup, str) and setup else None
    if command := test or instance.test:
        return Way(command=command, setup=own, image=instance.image)
    if isinstance(config, Mapping) and isinstance(config.get("test_cmd"), str):
        return _configured(config, gold, instance)
    known = official({**row, "repo": instance.repo, "version": instance.version, "test_patch": gold.test_patch})
    if known and (known.is_python or instance.image):
        return _known(known, instance)
    return Way(nodes=_tests(gold), setup=own, image=instance.image)


def _configured(config: Mapping[str, Any], gold: Gold, instance: Instance) -> Way:
    paths = config.get("reqs_path"), config.get("env_yml_path")
    lists, environments = (tuple(path) if isinstance(path, list | tuple) else () for path in paths)
    return Way(
        command=config["test_cmd"],
        nodes=_tests(gold),
        python=str(config.get("python", "")),
        setup=partial(_install, config, lists, environments),
        edits=edits(config),
        image=instance.image,
    )


def _known(known: Official, instance: Instance) -> Way:
    spec, tested = known.spec, shlex.join(known.tested)
    if not known.is_python:
        commands = [spec["test_cmd"]] if isinstance(spec["test_cmd"], str) else spec["test_cmd"]
        return Way("\n".join((*spec.get("build", ()), *commands)), read=known.read, image=instance.image)
    return Way(
        command=f"{_TOX.sub(_WITHOUT_TOX, spec['test_cmd'])} {tested}",
        read=known.read,
        python=str(spec["python"]),
        setup=partial(_install, spec, known.requirements, known.environments),
        edits=edits(spec),
        before=tuple(spec.get("eval_commands", ())),
        image=instance.image,
        published=True,
    )


def _tests(gold: Gold) -> tuple[str, ...]:
    """The files of the test patch, and those in which pytest's names say that a test lies."""
    named = (name.partition("::")[0] for name in (*gold.fail_to_pass, *gold.pass_to_pass) if ".py::" in name)
    return tuple(dict.fromkeys((*files(gold.test_patch), *named)))


def _install(
    spec: Mapping[str, Any], requirements: tuple[str, ...], environments: tuple[str, ...], files: Files
) -> str:
    return installing(spec, files, requirements, environments)
