"""Where an environment is found, in order: settings, devcontainer, Dockerfile, what the repository's files imply.

What a repository names is an image to start from and commands to run there; what its files imply comes on top, since a
devcontainer or a Dockerfile rarely holds what the tests need. Where it cannot be built, the implied plan stands alone.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace

from aci.environments import derive_other, derive_python, devcontainer, dockerfile
from aci.environments.devcontainer import Devcontainer
from aci.environments.dockerfile import Reading, Unusable
from aci.environments.images import DEFAULTS
from aci.environments.plan import VENV, Command, Dockerfile, Files, Plan, Wishes

_MANIFESTS = r"pyproject\.toml|setup\.py|setup\.cfg|requirements\.txt|package\.json|go\.mod|Cargo\.toml|pom\.xml"
DOCKERFILES = ("Dockerfile", "Dockerfile.dev", "Dockerfile.test", "docker/Dockerfile", ".docker/Dockerfile")


def planned(files: Files, wishes: Wishes) -> Plan:
    """How the environment of these files is made; nothing is run and nobody is asked."""
    implied = derived(files, wishes)
    if wishes.image:
        whose = wishes.named.get("image", "the settings")
        why = f"The image {wishes.image} is named by {whose}."
        plan = Plan(whose, wishes.image, implied.language, reasons=(why,))
        return _with_own_setup(plan, files, wishes) if wishes.setup else plan
    if wishes.setup:
        return _with_own_setup(implied, files, wishes)
    refused: list[str] = []
    return (
        _of_devcontainer(files, implied, refused)
        or _of_dockerfile(files, implied, refused)
        or replace(implied, refused=tuple(refused))
    )


def derived(files: Files, wishes: Wishes) -> Plan:
    """What the files imply: those at the top, else those of the folder that has a manifest and most of the tests.

    Of several languages one whose manifest lies there, Python's first.
    """
    top = _of_folder(files, wishes, "")
    declared = any(re.fullmatch(f"{_MANIFESTS}|tox.ini|Gemfile|composer.json", path) for path in files)
    below = "" if declared else _folder(files)
    return (_of_folder(files, wishes, below) if below else None) or top or _nothing(wishes)


def _of_folder(files: Files, wishes: Wishes, folder: str) -> Plan | None:
    python = derive_python.derive(files, wishes, folder)
    if python and derive_python.declares(files, folder):
        return _within(python, folder)
    others = [plan for derive in derive_other.DERIVED if (plan := derive(files, wishes, folder))]
    found = others[0] if others else python
    return _within(found, folder) if found else None


def _within(plan: Plan, folder: str) -> Plan:
    """The plan with its commands run in the folder; the environment for packages is the same anywhere."""
    if not folder:
        return plan
    place = f"cd {shlex.quote(folder.rstrip('/'))} && "
    first = len(plan.paths)
    rest = (replace(one, text=f"{place}{one.text}") for one in plan.setup[first:])
    why = f"The manifests lie in {folder}"
    return replace(plan, setup=(*plan.setup[:first], *rest), reasons=(*plan.reasons, f"{why}."), folder=folder)


def _folder(files: Files) -> str:
    """The folder below the top that has a manifest, of several the one with the most test files."""
    found = {path.partition("/")[0] for path in files if re.fullmatch(rf"[^/]+/(?:{_MANIFESTS})", path)}
    tests = [
        path.partition("/")[0] for path in files if re.search(r"(?:^|/)(?:test[^/]*|[^/]*[._-]test\.[^/]*)$", path)
    ]
    return f"{max(sorted(found), key=tests.count)}/" if found else ""


def _nothing(wishes: Wishes) -> Plan:
    return Plan("nothing in the repository", wishes.images.get("python", DEFAULTS["python"]))


def _with_own_setup(plan: Plan, files: Files, wishes: Wishes) -> Plan:
    """The commands that somebody wrote down take the place of derived ones; files that they name are inputs."""
    whose = wishes.named.get("setup", "the settings")
    words = set(wishes.setup.replace("'", " ").replace('"', " ").replace("=", " ").split())
    named = tuple(path for path in files if path in words or f"./{path}" in words)
    commands = (Command(wishes.setup, f"{whose} names this set-up"),)
    keep = plan.setup[:1] if plan.paths else ()
    return replace(plan, setup=(*keep, *commands), inputs=(*plan.inputs, *named))


def _of_devcontainer(files: Files, implied: Plan, refused: list[str]) -> Plan | None:
    found = devcontainer.find(files)
    if found is None:
        return None
    refused.extend(found.refused)
    reading = Reading(found.image)
    if found.dockerfile:
        reading = _read(found.dockerfile, files, refused) or Reading()
    if not reading.image:
        return None
    plan = _on(found.path, reading, implied, refused)
    venv, rest = _shared(implied)
    return replace(
        plan,
        setup=(*reading.commands, *venv, *found.commands, *rest),
        variables={**plan.variables, **found.variables},
        inputs=(*plan.inputs, found.path, *_named(files, found)),
    )


def _of_dockerfile(files: Files, implied: Plan, refused: list[str]) -> Plan | None:
    path = next((path for path in DOCKERFILES if path in files), "")
    reading = _read(Dockerfile(path), files, refused) if path else None
    if reading is None or not reading.image:
        return None
    plan = _on(path, reading, implied, refused)
    venv, rest = _shared(implied)
    return replace(plan, setup=(*reading.commands, *venv, *rest), inputs=(*plan.inputs, path))


def _read(where: Dockerfile, files: Files, refused: list[str]) -> Reading | None:
    try:
        found = dockerfile.read(where, files)
        refused.extend(found.untaken)
        return found
    except Unusable as error:
        refused.append(f"{where.path} {error}: it is passed over.")
        return None


def _on(source: str, reading: Reading, implied: Plan, refused: Sequence[str]) -> Plan:
    """The implied plan on somebody's own image."""
    return replace(
        implied,
        source=source,
        image=reading.image,
        variables={**implied.variables, **reading.variables},
        paths=(*implied.paths, *reading.paths),
        alternatives=(),
        reasons=(f"The image {reading.image} is named by {source}.",),
        refused=tuple(refused),
        inputs=(*implied.inputs, *reading.copied),
        instead=replace(implied, refused=tuple(refused)),
    )


def _shared(implied: Plan) -> tuple[tuple[Command, ...], tuple[Command, ...]]:
    """The command that makes an environment, which here sees what the image has installed already; and the others."""
    if f"{VENV}/bin" not in implied.paths:
        return (), implied.setup
    made, *rest = implied.setup
    text = " --system-site-packages ".join(made.text.rsplit(" ", 1))
    return (Command(text, f"{made.why}, beside what the image has"),), tuple(rest)


def _named(files: Files, found: Devcontainer) -> list[str]:
    """Files that its commands name, and the Dockerfile."""
    words = {word.removeprefix("./") for command in found.commands for word in command.text.split()}
    return [path for path in files if path in words or (found.dockerfile and path == found.dockerfile.path)]
