"""Messages about files that a tool cannot read, also because they lie in a submodule."""

from __future__ import annotations

import posixpath
from typing import Protocol

from aci.runtime.snapshots import describe_submodule, lacks_files, submodule_of_file
from aci.runtime.workspace import Workspace
from trajectories.git_store.trees import Trees
from trajectories.records import Base

UNCHANGED = "Changes there do not belong to the patch."
"""What holds for each file of a submodule."""


class FileContext(Protocol):
    """The part of a tool's context that tells where the repository's files are."""

    @property
    def workspace(self) -> Workspace: ...

    @property
    def trees(self) -> Trees: ...

    @property
    def base(self) -> Base: ...


def describe_file_error(ctx: FileContext, error: OSError, path: object) -> str:
    """Return why a file could not be used; `path` is the argument of the model's call, if it has one."""
    said = {
        FileNotFoundError: "There is no file {}.",
        FileExistsError: "{} exists already.",
        IsADirectoryError: "{} is a directory.",
        NotADirectoryError: "A part of the path {} is a file, not a directory.",
        PermissionError: "No permission for {}.",
    }
    name = error.filename or (error.args[-1] if error.args else "")
    described = said[next(kind for kind in said if isinstance(error, kind))].format(name)
    return explain_submodule(ctx, path) or described


def explain_submodule(ctx: FileContext, path: object, otherwise: str = "") -> str:
    """Return why there is no file at a path that a model gave if the path leads into a submodule of the base whose
    files the workspace does not have. If it has them, `otherwise` is said about the path. Return "" for any other
    path."""
    if not isinstance(path, str):
        return ""
    plain = posixpath.relpath(posixpath.join(ctx.workspace.root, path), ctx.workspace.root)
    submodule = submodule_of_file(ctx.trees, ctx.base.tree, plain)
    if not submodule:
        return ""
    if lacks_files(ctx.workspace, submodule):
        return f"{describe_submodule(plain, submodule)} {UNCHANGED}"
    return otherwise and f"{plain} lies in the submodule {submodule}. {otherwise}"
