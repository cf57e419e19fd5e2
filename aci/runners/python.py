"""pytest, and all that is built on unittest (Django's runners too): files of ours in the target's own Python."""

from __future__ import annotations

import re
from importlib.resources import files

from aci.commands import importing
from aci.runner import Asked, Hook

UNITTEST = re.compile(r"(?<=\s)-m\s+unittest(?=\s|$)", re.MULTILINE)
LABELLED = re.compile(r"[^;&|]*?(?:^|[\s/])(?P<file>(?:[\w./-]*/)?(?:manage\.py\s+test|runtests\.py))(?:\s+-\S+)*\s*")
"""A command of Django's runners without labels: what it is narrowed to can be added."""


def hook(asked: Asked, command: str) -> Hook:
    source = files("aci.inside.results")
    found = {
        f"swe_agent_results/{file.name}": file.read_bytes() for file in source.iterdir() if file.name.endswith(".py")
    }
    found["sitecustomize.py"] = found.pop("swe_agent_results/site.py")
    command = UNITTEST.sub("-m swe_agent_results", command)
    return Hook(
        importing(asked.folder, command) + _labels(asked, command),
        found,
        {
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": asked.folder + "${PYTHONPATH:+:$PYTHONPATH}",
            "PYTEST_PLUGINS": "swe_agent_results.plugin${PYTEST_PLUGINS:+,$PYTEST_PLUGINS}",
        },
    )


def _labels(asked: Asked, command: str) -> str:
    """What is asked for as labels of Django's, so that not all databases and modules are prepared for one test."""
    match = LABELLED.fullmatch(command)
    if not match or not asked.nodes:
        return ""
    folder = match["file"].split()[0].rpartition("/")[0]
    labels = [_label(node, folder) for node in asked.nodes]
    return "" if "" in labels else " " + " ".join(dict.fromkeys(labels))


def _label(node: str, folder: str) -> str:
    """A node as a dotted label, seen from the runner's folder; "" where that cannot be said."""
    path, _, rest = node.partition("::")
    if "/" in path or path.endswith(".py"):
        inside = path.removeprefix(f"{folder}/") if folder else path
        path = inside.removesuffix(".py").rstrip("/").replace("/", ".")
    label = ".".join(filter(None, (path, rest.replace("::", "."))))
    return label if re.fullmatch(r"\w+(?:\.\w+)*", label) else ""
