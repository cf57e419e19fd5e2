"""Snapshots and restores of a workspace's files in a git store, which lies outside the repository and is used through
the control shell.

The store has its own GIT_DIR, index, attributes and configuration, so nothing in the repository's `.git` affects it.
It holds the base tree and later objects, without history. Objects are sent to the run's `trees.git` as thin packs.

Submodules may have no files in a workspace; a missing file or module is traced to its submodule.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from aci.runtime.control_shell import LONG, QUICK, ControlShell, print_command
from aci.runtime.shell_session import quote
from aci.runtime.workspace import HARNESS_SESSION, CommandResult, Snapshot
from trajectories.errors import WorkspaceError
from trajectories.git_store.git_commands import DISK_FULL, encode
from trajectories.git_store.object_reader import Entry
from trajectories.git_store.packs import PACK_LIMIT, PackRefused
from trajectories.git_store.trees import SUBMODULE, Trees

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace
    from trajectories.git_store.trees import Entry

_CONFIG = """\
[core]
    repositoryformatversion = 0
    bare = false
    filemode = true
    autocrlf = false
    logallrefupdates = false
    bigFileThreshold = 1m
    attributesFile = /dev/null
    excludesFile = /dev/null
    hooksPath = /dev/null
    fsmonitor = false
    untrackedCache = false
[gc]
    auto = 0
[advice]
    addEmbeddedRepo = false
[index]
    threads = 1
[pack]
    threads = 1
"""
_ATTRIBUTES = "* -text !eol !crlf !filter !ident !working-tree-encoding\n"
SUBMODULES = "submodules"
"""Name of a folder in a store with the files of the base's submodules, if the workspace has them; may be a link."""
_NAMES_SHOWN = 20
_UNLOCK = b'if [ -e "$GIT_DIR/index.lock" ] || [ -L "$GIT_DIR/index.lock" ]; then rm -f "$GIT_DIR/index.lock"; fi\n'
"""The check avoids starting `rm` in the usual case that there is no lock."""
_SMALL = 20_000  # maximum number of bytes of a pack that is sent inside the command
_A_FILE, _A_BYTE = 0.005, 1 / 5e6
"""Maximum numbers of seconds that git gets for each known file and for each of its bytes: ten to twenty times the
duration on an idle machine. Git reports no progress to a pipe, and a program could fake it, so the limit depends on the
amount of work, which nothing in the workspace can falsify."""


def estimate_git_seconds(files: Iterable[Entry]) -> float:
    """Return the number of seconds that git may take for these files, in addition to a command's own limit."""
    return sum(_A_FILE + entry.size * _A_BYTE for entry in files)


def store_environment(store: str, root: str) -> dict[str, str]:
    """Return the environment in which git uses the store at `store` for the files in `root`."""
    return {
        "GIT_DIR": store,
        "GIT_WORK_TREE": root,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        "PAGER": "cat",
    }


def create_store_script(store: str, pack: str, history: str) -> bytes:
    """Return the shell commands that create the store from the base tree's `pack`. The commands need the store's
    environment.

    The user's ignore patterns are copied from `history`, a git directory that no command of the agent has changed yet.
    """
    here = quote(store)
    return b"\n".join(
        [
            b"set -e",
            b"mkdir -p %b/objects/pack %b/refs %b/info" % (here, here, here),
            b"echo 'ref: refs/heads/none' > %b/HEAD" % here,
            b"printf %%s %b > %b/config" % (quote(_CONFIG), here),
            b"printf %%s %b > %b/info/attributes" % (quote(_ATTRIBUTES), here),
            b"cp %b/info/exclude %b/info/exclude" % (quote(history), here),
            b"git index-pack --stdin < %b >/dev/null" % quote(pack),
        ]
    )


def checkout_script(root: str, tree: str) -> bytes:
    """Return the shell commands that set the files in `root` to those of `tree`, except for ignored files."""
    return (
        b"[ -d %(root)b ] || mkdir -p %(root)b\n"
        b"%(unlocked)b"
        b"git -C %(root)b read-tree -u --reset %(tree)b && git -C %(root)b clean -ffdq"
        % {b"root": quote(root), b"tree": quote(tree), b"unlocked": _UNLOCK}
    )


def refresh_script(root: str) -> bytes:
    """Return the shell commands that refresh the stat data of the store's index without changing a file."""
    return b"git -C %b update-index -q --refresh || :" % quote(root)


def reset_index_script(root: str) -> bytes:
    """Return the shell commands that set the index in `root`/.git to HEAD, so that other changes show as uncommitted.

    They must run once, before any command of the agent, with the store's environment.
    """
    return (
        b"(unset GIT_DIR GIT_WORK_TREE && cd %b && git read-tree HEAD && { git update-index -q --refresh || :; })"
        % quote(root)
    )


class SnapshotStore:
    """The snapshot store of a workspace that starts at the base. It exchanges objects with `trees`."""

    def __init__(self, service: ControlShell, trees: Trees, root: str, base: str, inbox: str) -> None:
        self._service, self._trees, self._root, self._inbox = service, trees, root, inbox
        self._complete_trees = {base}  # trees whose objects are all in the store
        self._base = self._index = base  # the last tree written to the store's index
        self._submodule_paths: list[bytes] | None = None  # None until the base's submodules are listed
        self._extra_seconds = 0.0  # additional seconds for git, for the largest tree measured
        self._measured: set[str] = set()
        self.tree = base
        """The last tree that `trees` has accepted."""

    def snapshot(self, exact: bool = False) -> Snapshot:
        """Store the current tree in `trees`; see `Workspace.snapshot`."""
        if exact:
            clear = b'rm -f "$GIT_DIR/index" "$GIT_DIR/index.lock"; git read-tree '
            self._ask(clear + self._index.encode(), "git read-tree")
        tree, complaints = self._write()
        skipped = self._skipped_names(complaints) if complaints else ()
        nested = self._nested_repositories(tree) if tree != self._index else []
        if nested:
            tree = self._reset_paths(nested)
            skipped = (*skipped, *(f"{_printable(path)} (a repository of its own)" for path in nested))
        self._index = tree
        self._complete_trees.add(tree)
        skipped = (*skipped, *self._changed_in_submodules(nested))
        if tree != self.tree:
            if refusal := self._send(tree):
                return Snapshot(self.tree, (*skipped, refusal))
            self.tree = tree
        return Snapshot(self.tree, skipped)

    def restore(self, tree: str) -> None:
        """Set the files to those of a tree; see `Workspace.restore`."""
        fetching = self._fetch_script(tree)
        complaints = ""
        for stubborn in (False, True):
            if stubborn:
                self._clear_folders(tree)
            removing, resetting = self._submodule_scripts(tree)
            files = b"%b\n%b{\n%b\n}" % (removing, fetching, checkout_script(self._root, tree))
            steps = (files, self._chmod_script(), resetting)
            complete, self._index, complaints = self._write_after(steps)
            if self._index == tree and ((complete and not complaints) or (stubborn and self._is_clean())):
                self.tree = tree
                self._complete_trees.add(tree)
                return
        why = f": {complaints}" if complaints else "."
        raise WorkspaceError(
            f"The workspace's files could not be restored to tree {tree[:10]}{why}",
            "`swe-agent resume` continues in a new workspace.",
        )

    def _chmod_script(self) -> bytes:
        """Return the shell command that lets the owner read and write every file; trees do not record these modes, so a
        checkout does not restore them."""
        return (
            b"find %b -name .git -prune -o '(' -type d ! -perm -700 -o -type f ! -perm -600 ')' -exec chmod u+rwX {} +"
            % quote(self._root)
        )

    def _clear_folders(self, tree: str) -> None:
        """Make folders writable, so that their files can be removed, and clear the folders of submodules, in which git
        might find other commits."""
        links = self._submodules(tree)
        words = b" ".join(quote(path) for path in links)
        folder = quote(self._root)
        self._service.run(
            b"find %b -type d ! -perm -700 -exec chmod u+rwx {} \\;\n" % folder
            + (b"(cd %b && rm -rf -- %b; mkdir -p -- %b) 2>/dev/null" % (folder, words, words) if links else b""),
            patience=LONG + self._extra_seconds,
            program="find",
        )

    def _submodules(self, tree: str) -> list[bytes]:
        return [encode(path) for path, entry in self._trees.files(tree).items() if entry.mode == SUBMODULE]

    def _base_submodules(self) -> list[bytes]:
        if self._submodule_paths is None:
            self._submodule_paths = self._submodules(self._base)
        return self._submodule_paths

    def _changed_in_submodules(self, nested: Sequence[bytes]) -> tuple[str, ...]:
        """Return files in the base's submodules that are newer than the store, since git silently ignores such
        changes."""
        links = b" ".join(quote(b"./" + path) for path in self._base_submodules() if path not in nested)
        if not links:
            return ()
        found = self._service.run(
            b"(cd %b && find %b -mindepth 1 ! -type d -newer \"$GIT_DIR/config\" ! -path '*/.git/*') 2>/dev/null"
            % (quote(self._root), links),
            patience=LONG + self._extra_seconds,
            program="find",
        ).output
        return _shorten([f"{_printable(name.removeprefix(b'./'))} (in a submodule)" for name in found.splitlines()])

    def _submodule_scripts(self, tree: str) -> tuple[bytes, bytes]:
        """Return two shell commands for a restore. The first removes the files of the base's submodules that are no
        submodules in the tree. The second removes files newer than the store from the others, and then adds the files
        that are missing there. A folder in which an entry was added or removed is newer, too."""
        if not (known := set(self._base_submodules())):
            return b":", b":"
        kept = set(self._submodules(tree))
        resetting = (
            b'[ -n "$(find "$there" -newer "$GIT_DIR/config")" ] || continue\n'
            b'for depth in "-maxdepth 1" "! -type d"; do\n'
            b'find "$there" -mindepth 1 $depth -newer "$GIT_DIR/config" -exec rm -rf {} +\n'
            b"done\n"
            b'[ ! -d "$saved" ] || cp -RPpn "$saved/." "$there"'
        )
        return self._each_submodule(known - kept, b'rm -rf -- "$there"'), self._each_submodule(known & kept, resetting)

    def _each_submodule(self, paths: Iterable[bytes], script: bytes) -> bytes:
        """Return the shell commands that run a script with each submodule's folder `there`, if it is a real folder and
        no repository, and `saved`, the folder with its files in the store."""
        return (
            b"for link in %b; do there=%b/$link; saved=$GIT_DIR/%b/$link\n"
            b'[ "$(cd -P "$there" && pwd -P)" = "$there" ] && [ ! -e "$there/.git" ] || continue\n'
            b"%b\ndone"
        ) % (b" ".join(map(quote, sorted(paths))), quote(self._root), SUBMODULES.encode(), script)

    def _write(self) -> tuple[str, str]:
        """Add every file, write the tree and return it with git's error messages."""
        return self._write_after(())[1:]

    def _write_after(self, steps: Sequence[bytes]) -> tuple[bool, str, str]:
        """Run these shell commands and then `_write`, in one call; also return whether the first one succeeded."""
        before = [b"{\n%b\n} >/dev/null 2>&1; complete=${complete:-$?}" % step for step in steps]
        self._measure(self._base)
        ran = self._service.run(
            b"complete=\n%(before)b\n"
            b"[ -d %(root)b ] || mkdir -p %(root)b\n"
            b"%(unlocked)b"
            b"git -C %(root)b add -A --ignore-errors --no-warn-embedded-repo\n"
            b"printf '\\n%%s %%s' \"${complete:-0}\" $?"
            % {b"before": b"\n".join(before), b"root": quote(self._root), b"unlocked": _UNLOCK},
            patience=LONG + self._extra_seconds,
            program="git add",
        )
        written = self._service.run(b"git write-tree", patience=QUICK + self._extra_seconds, program="git write-tree")
        messages, _, last = ran.text.rpartition("\n")
        complete, _, status = last.partition(" ")
        tree = written.text.strip()
        is_full = bool(DISK_FULL.search(messages))
        if ran.code or written.code or len(tree) != 40 or is_full:
            why = ran.text if ran.code else messages if is_full else tree
            raise WorkspaceError(
                f"A snapshot of the workspace failed: {why.strip()[-500:]}",
                "Check that its disk is not full; `swe-agent resume` continues in a new workspace.",
            )
        messages = messages.strip()
        return complete == "0", tree, messages or ("git add failed" if status != "0" else "")

    def _skipped_names(self, complaints: str) -> tuple[str, ...]:
        """Return the files that still differ after all files were added, or git's messages if no file differs."""
        names = [_printable(name) for name in dict.fromkeys(self._list_differing().output.split(b"\0")) if name]
        return _shorten(names or [_printable(line.encode()) for line in complaints.splitlines()])

    def _is_clean(self) -> bool:
        """Return whether git finds no file that differs from the index."""
        found = self._list_differing()
        return not found.code and not found.output

    def _list_differing(self) -> CommandResult:
        """List the files that differ from the index. Each name ends in a NUL."""
        return self._service.run(
            b"{ git -C %(root)b diff-files --name-only -z && git -C %(root)b ls-files -z -o --exclude-standard; } "
            b"2>/dev/null" % {b"root": quote(self._root)},
            patience=LONG + self._extra_seconds,
            program="git diff-files",
        )

    def _nested_repositories(self, tree: str) -> list[bytes]:
        """Return the paths that became nested repositories since the last tree."""
        command = f"git diff-tree -r -z --no-renames {self._index} {tree}".encode()
        fields = self._ask(command, "git diff-tree").split(b"\0")
        return [
            path
            for about, path in zip(fields[::2], fields[1::2], strict=False)
            if about.split()[1] == SUBMODULE.encode()
        ]

    def _reset_paths(self, paths: Sequence[bytes]) -> str:
        """Reset `paths` in the index to their previous state, and write the tree again."""
        words = b" ".join(quote(path) for path in paths)
        before = self._ask(f"git ls-tree -r -z --full-tree {self._index} -- ".encode() + words, "git ls-tree")
        lines = b"".join(b"0 %b\t%b\0" % (b"0" * 40, path) for path in paths) + before
        self._put(lines)
        writing = b"git update-index -z --index-info < %b; git write-tree" % quote(self._inbox)
        return self._ask(writing, "git write-tree").decode().strip()

    def _send(self, tree: str) -> str:
        """Send a tree's new objects to `trees`. Return the reason if they were refused, or else an empty string."""
        ran = self._service.run(
            f"printf '{tree}\\n^{self.tree}\\n' | "
            "git pack-objects --revs --thin --stdout -q --delta-base-offset 2>/dev/null",
            PACK_LIMIT + 1,
            LONG + self._extra_seconds,
            program="git pack-objects",
        )
        if ran.cut:
            return f"all changes since the last step: they take more than {PACK_LIMIT / 1e6:,.0f} MB"
        if ran.code:
            raise WorkspaceError("The workspace's changes could not be packed.", "Check that its disk is not full.")
        try:
            self._trees.add_pack(ran.output, tree, before=self.tree)
        except PackRefused as refused:
            return f"all changes since the last step: {refused.message}"
        return ""

    def _fetch_script(self, tree: str) -> bytes:
        """Return the shell commands that add `tree` to the store, to be put before a command that needs it; empty if it
        is already there."""
        if tree in self._complete_trees:
            return b""
        self._measure(tree)
        pack = self._trees.pack(tree, sorted(self._complete_trees & {self.tree} or self._complete_trees))
        if len(pack) <= _SMALL:
            return b"%b | git index-pack --stdin --fix-thin &&\n" % print_command(pack)
        self._put(pack)
        self._ask(b"git index-pack --stdin --fix-thin < %b" % quote(self._inbox), "git index-pack")
        self._complete_trees.add(tree)
        return b""

    def _put(self, data: bytes) -> None:
        if self._service.put(quote(self._inbox), data).code:
            raise WorkspaceError("No file can be written in the workspace.", "Check that its disk is not full.")

    def _ask(self, command: bytes, program: str) -> bytes:
        """Return the output of `program`, a git command that works on trees of known size."""
        return self._service.ask(command, "run git", QUICK + self._extra_seconds, program)

    def _measure(self, tree: str) -> None:
        """Extend the time limits from now on to allow for a tree of this size."""
        if tree not in self._measured:
            self._measured.add(tree)
            self._extra_seconds = max(self._extra_seconds, estimate_git_seconds(self._trees.files(tree).values()))


def _shorten(names: list[str]) -> tuple[str, ...]:
    more = len(names) - _NAMES_SHOWN
    return tuple(names) if more <= 0 else (*names[:_NAMES_SHOWN], f"… and {more} more")


def _printable(name: bytes) -> str:
    """Return a name from the workspace with control characters replaced."""
    return "".join(char if char.isprintable() else "?" for char in name.decode("utf-8", "replace"))[:300]


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
