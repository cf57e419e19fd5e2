"""Clones of a repository in a temporary folder of this machine, all at the same base."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from aci.host.generated_files import GeneratedFiles, find_generated_files
from aci.host.local_folders import LOCAL_PREFIX, dead_folders, remove_folder
from aci.host.project_python import ProjectPython, describe_python, project_python
from aci.repository import process_owner
from aci.runtime.shell_session import quote
from aci.runtime.snapshots import (
    SUBMODULES,
    checkout_script,
    create_store_script,
    reset_index_script,
    store_environment,
)
from aci.runtime.workspace import WorkspaceOptions
from trajectories.errors import WorkspaceError

PARTS = ("repo", "scratch", "harness", "home", "inbox", "tmp")
FOLDER = "/swe-agent"
"""The folder of the harness's own files in a sandbox."""

PACKAGES, OBJECTS = f"{FOLDER}/packages", f"{FOLDER}/objects"
"""Where a sandbox shows the checkout's folders `node_modules`, and the git objects of the base."""

_ALTERNATES = "objects/info/alternates"


@dataclass(frozen=True, slots=True)
class Clone:
    """The folder of a clone, with subfolders for its files and for what else a workspace needs."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    def part(self, name: str) -> str:
        """Return the path of one of PARTS, or of `store.git`."""
        return str(self.folder / name)

    def renew(self, name: str) -> str:
        """Replace a part by an empty folder, and return its path."""
        try:
            (self.folder / name).rmdir()
        except OSError:
            remove_folder(self.folder / name)
        (self.folder / name).mkdir()
        return str(self.folder / name)


def prepare_clones(options: WorkspaceOptions) -> tuple[ProjectPython | None, GeneratedFiles]:
    """Remove the folders of dead workspaces. Return the project's Python and the files that git ignores but clones
    need. Name a few of these files to the user, and record all of them."""
    for folder in dead_folders():
        remove_folder(folder)
    python = project_python(options)
    generated = find_generated_files(options, python)
    for text in (describe_python(python, options.repository.root), generated.describe()):
        if text:
            options.say(text)
    if text := generated.describe_all():
        options.record_files(text, generated.values())
    return python, generated


class CloneFamily:
    """The clones of one base, and a folder with pristine copies of its history and store, which the last clone
    removes.

    Each clone gets the `generated` files. If `is_sandboxed`, the folders in PACKAGES and OBJECTS are shown in the
    workspace under these paths, and other folders at the `mounted` paths in the clone.
    """

    def __init__(
        self,
        options: WorkspaceOptions,
        generated: GeneratedFiles,
        is_sandboxed: bool = False,
        mounted: Sequence[str] = (),
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=LOCAL_PREFIX)).resolve()
        self.history, self.store = self.folder / "history.git", self.folder / "store.git"
        self.submodules = self.folder / SUBMODULES
        self._active: set[str] = set()
        self._lock = Lock()
        self._tree = options.base.tree
        self._generated, self._is_sandboxed = generated, is_sandboxed
        ignored = [*mounted, *generated.ignored]
        try:
            (self.folder / "owner").write_text(process_owner.own_mark())
            generated.save(self.folder / "generated", PACKAGES if is_sandboxed else "")
            # before the store is created: files that are newer than it count as changed
            generated.save_submodules(self.submodules, self.folder / "generated")
            options.repository.history(options.base, self.history)
            with (self.history / "info/exclude").open("a") as exclude:
                exclude.writelines(f"/{_escaped(path)}\n" for path in ignored)
            pack = self.folder / "base.pack"
            pack.write_bytes(options.trees.pack(self._tree))
            script = create_store_script(str(self.store), str(pack), str(self.history))
            _run_script(script, self.store, self.folder)
            pack.unlink()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def create(self) -> Clone:
        """Create a clone at the base."""
        name = secrets.token_hex(4)
        with self._lock:
            self._active.add(name)
        home = self.folder / name
        try:
            for part in PARTS:
                (home / part).mkdir(parents=True)
            _copy_without_objects(self.history, home / "repo" / ".git")
            _copy_without_objects(self.store, home / "store.git")
            root = str(home / "repo")
            _run_script(
                checkout_script(root, self._tree) + b" && " + reset_index_script(root),
                home / "store.git",
                home / "repo",
            )
            if self._generated.submodules.present:
                _run_script(b"cp -RPp %b/. %b" % (quote(str(self.submodules)), quote(root)), home / "store.git", home)
                shown = f"{FOLDER}/{SUBMODULES}" if self._is_sandboxed else self.submodules
                (home / "store.git" / SUBMODULES).symlink_to(shown)
            self._generated.put(self.folder / "generated", home / "repo")
            if self._is_sandboxed:
                for part, shown in (("repo/.git", "history"), ("store.git", "store")):
                    (home / part / _ALTERNATES).write_text(f"{OBJECTS}/{shown}\n")
        except BaseException:
            self.remove(name)
            raise
        return Clone(home)

    def remove(self, name: str) -> None:
        with self._lock:
            self._active.discard(name)
            last = not self._active
        remove_folder(self.folder / name)
        if last:
            self.discard()

    def discard(self) -> None:
        """Remove the folder of a family that has no clones."""
        remove_folder(self.folder)


def _escaped(path: str) -> str:
    """Return a pattern of `.gitignore` that matches this path only."""
    return re.sub(r"([\\*?\[\] ])", r"\\\1", path)


def _run_script(script: bytes, store: Path, root: Path) -> None:
    """Run the harness's own commands, before any command of the agent."""
    env = {"PATH": os.environ.get("PATH", os.defpath), **store_environment(str(store), str(root))}
    done = subprocess.run(
        ["sh", "-c", os.fsdecode(script)],
        env=env,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    if done.returncode:
        errors = done.stderr.decode("utf-8", "replace").strip()[-500:]
        raise WorkspaceError(
            f"The clone could not be made: {errors}.", "Check that git is installed and the disk is not full."
        )


def _copy_without_objects(source: Path, target: Path) -> None:
    """Copy a repository without its objects, which the copy uses from `source`.

    Linked objects would let a program in the copy change those of `source`, and of all other copies.
    """
    shutil.copytree(source, target, ignore=lambda folder, names: names if folder == f"{source}/objects" else ())
    (target / "objects/info").mkdir()
    (target / _ALTERNATES).write_text(f"{source}/objects\n")
