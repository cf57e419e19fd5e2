"""The sources of environments, in order of precedence: settings, devcontainer, Dockerfile, and the repository's other
files, among them those with instructions for contributors and agents.

A devcontainer or Dockerfile names an image to start from and commands to run there. The plan implied by the manifests
is added to them, since a devcontainer or Dockerfile rarely installs what the tests need. If the result cannot be built,
the implied plan is used alone.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace

from aci.environments.environment_plan import BROWSER_SETUP, VENV, Command, EnvironmentOptions, Files, Plan
from aci.environments.preparation import DEFAULT_IMAGES
from extensions.environments import other_environments, python_environment
from extensions.environments.documented_setup import add_documented_setup
from extensions.environments.manifests import devcontainer, dockerfile
from extensions.environments.manifests.devcontainer import Devcontainer, Dockerfile
from extensions.environments.manifests.dockerfile import DockerfileStage, UnusableDockerfile
from trajectories.plugins import installed_module

_MANIFESTS = r"pyproject\.toml|setup\.py|setup\.cfg|requirements\.txt|package\.json|go\.mod|Cargo\.toml|pom\.xml"
DOCKERFILES = ("Dockerfile", "Dockerfile.dev", "Dockerfile.test", "docker/Dockerfile", ".docker/Dockerfile")


def plan_environment(files: Files, settings: EnvironmentOptions) -> Plan:
    """Return the plan for the environment of these files, without running any code or asking the user."""
    plan = _choose_source(files, settings)
    if browsers := installed_module(BROWSER_SETUP):
        added: Plan = browsers.add_browser(plan, files, settings)
        return added
    missing = "The setting `browser` asks for a browser, but the extension pages is not installed."
    return replace(plan, reasons=(*plan.reasons, missing)) if settings.browser else plan


def _choose_source(files: Files, settings: EnvironmentOptions) -> Plan:
    implied = derive_plan(files, settings)
    if settings.image:
        whose = settings.named.get("image", "the settings")
        why = f"The image {settings.image} is named by {whose}."
        plan = Plan(whose, settings.image, implied.language, reasons=(why,))
        return _with_own_setup(plan, files, settings) if settings.setup else plan
    if settings.setup:
        return _with_own_setup(implied, files, settings)
    refused: list[str] = []
    return (
        _of_devcontainer(files, implied, refused)
        or _of_dockerfile(files, implied, refused)
        or replace(add_documented_setup(implied, files) if settings.instructions else implied, refused=tuple(refused))
    )


def derive_plan(files: Files, settings: EnvironmentOptions) -> Plan:
    """Return the plan implied by the top-level files or, if these include no manifest, by the subfolder that has a
    manifest and the most test files.

    If there are several languages, one with a manifest in that folder is chosen; Python has priority.
    """
    top = _of_folder(files, settings, "")
    declared = any(re.fullmatch(f"{_MANIFESTS}|tox.ini|Gemfile|composer.json", path) for path in files)
    below = "" if declared else _folder(files)
    return (_of_folder(files, settings, below) if below else None) or top or _fallback_plan(settings)


def _of_folder(files: Files, settings: EnvironmentOptions, folder: str) -> Plan | None:
    python = python_environment.plan_python(files, settings, folder)
    if python and python_environment.declares_package(files, folder):
        return _in_folder(python, folder)
    others = [plan for derive in other_environments.PLANNERS if (plan := derive(files, settings, folder))]
    found = others[0] if others else python
    return _in_folder(found, folder) if found else None


def _in_folder(plan: Plan, folder: str) -> Plan:
    """Return the plan with its commands run in the folder, except for the one that creates the virtual environment."""
    if not folder:
        return plan
    place = f"cd {shlex.quote(folder.rstrip('/'))} && "
    first = len(plan.paths)
    rest = (replace(one, text=f"{place}{one.text}") for one in plan.setup[first:])
    why = f"The manifests lie in {folder}"
    return replace(plan, setup=(*plan.setup[:first], *rest), reasons=(*plan.reasons, f"{why}."), folder=folder)


def _folder(files: Files) -> str:
    """Return the folder below the top that has a manifest; of several, the one with the most test files."""
    found = {path.partition("/")[0] for path in files if re.fullmatch(rf"[^/]+/(?:{_MANIFESTS})", path)}
    tests = [
        path.partition("/")[0] for path in files if re.search(r"(?:^|/)(?:test[^/]*|[^/]*[._-]test\.[^/]*)$", path)
    ]
    return f"{max(sorted(found), key=tests.count)}/" if found else ""


def _fallback_plan(settings: EnvironmentOptions) -> Plan:
    return Plan("nothing in the repository", settings.images.get("python", DEFAULT_IMAGES["python"]))


def _with_own_setup(plan: Plan, files: Files, settings: EnvironmentOptions) -> Plan:
    """Return the plan with the set-up commands of the settings instead of the implied ones.

    Files that these commands name are inputs.
    """
    whose = settings.named.get("setup", "the settings")
    words = set(settings.setup.replace("'", " ").replace('"', " ").replace("=", " ").split())
    named = tuple(path for path in files if path in words or f"./{path}" in words)
    commands = (Command(settings.setup, f"{whose} names this set-up"),)
    keep = plan.setup[:1] if plan.paths else ()
    return replace(plan, setup=(*keep, *commands), inputs=(*plan.inputs, *named), serves_later_commits=False)


def _of_devcontainer(files: Files, implied: Plan, refused: list[str]) -> Plan | None:
    found = devcontainer.find_devcontainer(files)
    if found is None:
        return None
    refused.extend(found.refused)
    reading = DockerfileStage(found.image)
    if found.dockerfile:
        reading = _read(found.dockerfile, files, refused) or DockerfileStage()
    if not reading.image:
        return None
    plan = _on_image(found.path, reading, implied, refused)
    venv, rest = _split_venv(implied)
    return replace(
        plan,
        setup=(*reading.commands, *venv, *found.commands, *rest),
        variables={**plan.variables, **found.variables},
        inputs=(*plan.inputs, found.path, *_named_files(files, found)),
    )


def _of_dockerfile(files: Files, implied: Plan, refused: list[str]) -> Plan | None:
    path = next((path for path in DOCKERFILES if path in files), "")
    reading = _read(Dockerfile(path), files, refused) if path else None
    if reading is None or not reading.image:
        return None
    plan = _on_image(path, reading, implied, refused)
    venv, rest = _split_venv(implied)
    return replace(plan, setup=(*reading.commands, *venv, *rest), inputs=(*plan.inputs, path))


def _read(where: Dockerfile, files: Files, refused: list[str]) -> DockerfileStage | None:
    try:
        found = dockerfile.read_dockerfile(where, files)
        refused.extend(found.untaken)
        return found
    except UnusableDockerfile as error:
        refused.append(f"{where.path} {error}: it is ignored.")
        return None


def _on_image(source: str, reading: DockerfileStage, implied: Plan, refused: Sequence[str]) -> Plan:
    """Return the implied plan with the image, variables and paths of the devcontainer or Dockerfile."""
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


def _split_venv(implied: Plan) -> tuple[tuple[Command, ...], tuple[Command, ...]]:
    """Split off the command that creates the virtual environment, and change it so that the environment includes the
    image's packages."""
    if f"{VENV}/bin" not in implied.paths:
        return (), implied.setup
    made, *rest = implied.setup
    text = " --system-site-packages ".join(made.text.rsplit(" ", 1))
    return (Command(text, f"{made.why}, beside what the image has"),), tuple(rest)


def _named_files(files: Files, found: Devcontainer) -> list[str]:
    """Return the files that the plan's commands name, and the Dockerfile."""
    words = {word.removeprefix("./") for command in found.commands for word in command.text.split()}
    return [path for path in files if path in words or (found.dockerfile and path == found.dockerfile.path)]
