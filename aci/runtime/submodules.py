"""Submodules without files in a workspace: which one holds a missing file or module."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aci.runtime.workspace import HARNESS_SESSION
from trajectories.git_store.trees import SUBMODULE

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace
    from trajectories.git_store.trees import Entry, Trees

FIX = "Run `git submodule update --init --recursive`, and use --workspace sandbox or local."
_NO_MODULE = re.compile(r"(?:ModuleNotFoundError|ImportError): No module named '?([\w.]+)")


def submodule_of_file(trees: Trees, tree: str, path: str) -> str:
    """Return the path of the submodule of a tree that is or contains `path`, or "" if there is none."""
    parts = path.split("/")
    for count in range(1, len(parts) + 1):
        mode, _ = trees.entry(tree, folder := "/".join(parts[:count])) or ("", "")
        if mode == SUBMODULE:
            return folder
        if not mode:
            break
    return ""


def submodule_of_module(files: Mapping[str, Entry], module: str) -> str:
    """Return the path of the submodule that a dotted module name leads to, or "" if there is none.

    The first part of the name may be the last part of the submodule's path, as in `vendor/shop` for `shop.cart`.
    """
    names = module.split(".")
    for path, entry in files.items():
        parts = path.split("/")
        if entry.mode == SUBMODULE and any(
            parts[-count:] == names[:count] for count in range(1, min(len(parts), len(names)) + 1)
        ):
            return path
    return ""


def lacks_files(workspace: Workspace, submodule: str) -> bool:
    """Return whether the folder of a submodule is empty in a workspace."""
    folder = shlex.quote(f"{workspace.root}/{submodule}")
    return workspace.run(f'[ -z "$(ls -A {folder} 2>/dev/null)" ]', timeout=30, session=HARNESS_SESSION).code == 0


def submodule_missing_in(workspace: Workspace, files: Mapping[str, Entry], output: str) -> tuple[str, str]:
    """Return the first module that cannot be imported, according to the output of tests, because it lies in a
    submodule without files, and the submodule's path; two empty texts if there is none."""
    for name in dict.fromkeys(_NO_MODULE.findall(output)):
        if (found := submodule_of_module(files, name)) and lacks_files(workspace, found):
            return name, found
    return "", ""


def describe_submodule(what: str, submodule: str) -> str:
    """Return a sentence that says why a file or module in a submodule is missing."""
    return f"{what} lies in the submodule {submodule}, whose files this workspace does not have."
