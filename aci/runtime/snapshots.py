"""Snapshots and restores: a git store of ours in the workspace, outside the repository, driven by the service shell.

It has its own GIT_DIR, index, attributes and configuration, so nothing in the repository's `.git` has a say in it,
and holds the base tree and what came after, without history. Objects leave as thin packs for the run's `trees.git`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from aci.service import LONG, QUICK, Service, printing
from aci.shell import quote
from aci.workspace import Ran, Snapshot
from trajectories.checked_difference import SUBMODULE
from trajectories.errors import WorkspaceError
from trajectories.listing import Entry
from trajectories.packs import PACK_LIMIT, PackRefused
from trajectories.plumbing import encode
from trajectories.trees import Trees

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
_NAMES_SHOWN = 20
_UNLOCKED = b'if [ -e "$GIT_DIR/index.lock" ] || [ -L "$GIT_DIR/index.lock" ]; then rm -f "$GIT_DIR/index.lock"; fi\n'
"""Nearly always there is none, and `rm` would be a process more."""
_FULL = re.compile(
    r"(?m): (?:No space left on device|Out of diskspace|Disk quota exceeded|unable to write new index file)$"
)
"""What git says where its own files cannot be written, in contrast to a file that it cannot take."""
_SMALL = 20_000  # bytes of a pack that go with the command
_A_FILE, _A_BYTE = 0.005, 1 / 5e6
"""Seconds for what git does with a file that is known, and with each byte of it: ten to twenty times what it takes on
an idle machine. git tells a pipe nothing of its progress, and a program that pretends to work looks busy; how much
there is to do is known here, and nothing in the workspace can lie about it."""


def seconds_for(files: Iterable[Entry]) -> float:
    """The seconds that git may take for all that it does with these files, beyond those that any command may take."""
    return sum(_A_FILE + entry.size * _A_BYTE for entry in files)


def environment(store: str, root: str) -> dict[str, str]:
    """What git must be told to use the store at `store` for the files in `root`."""
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


def creation(store: str, pack: str, history: str) -> bytes:
    """The shell commands that make the store from the base tree's `pack`; they need its environment.

    What the user ignores is taken from `history`, a git directory that no command of the agent has seen yet.
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


def checkout(root: str, tree: str) -> bytes:
    """The shell commands that make the files in `root` those of `tree`, ignored ones aside."""
    return (
        b"[ -d %(root)b ] || mkdir -p %(root)b\n"
        b"%(unlocked)b"
        b"git -C %(root)b read-tree -u --reset %(tree)b && git -C %(root)b clean -ffdq"
        % {b"root": quote(root), b"tree": quote(tree), b"unlocked": _UNLOCKED}
    )


def refresh(root: str) -> bytes:
    """The shell commands that renew the stat data of the store's index and touch no file."""
    return b"git -C %b update-index -q --refresh || :" % quote(root)


def adoption(root: str) -> bytes:
    """The shell commands that make the history in `root`/.git the clone's own: what differs from HEAD is not committed.

    To be run once, before any command of the agent, with the store's environment.
    """
    return (
        b"(unset GIT_DIR GIT_WORK_TREE && cd %b && git read-tree HEAD && { git update-index -q --refresh || :; })"
        % quote(root)
    )


class Store:
    """The store of a workspace whose files are the base's. `trees` is where its objects go to and come from."""

    def __init__(self, service: Service, trees: Trees, root: str, base: str, inbox: str) -> None:
        self._service, self._trees, self._root, self._inbox = service, trees, root, inbox
        self._here = {base}  # trees that the store holds whole
        self._base = self._index = base  # the index: what the store's was last
        self._links: list[bytes] | None = None  # submodules of the base, once they are known
        self._known = 0.0  # seconds for all files of the largest tree that was measured
        self._measured: set[str] = set()
        self.tree = base
        """The last tree that `trees` has taken."""

    def snapshot(self, exact: bool = False) -> Snapshot:
        """See `Workspace.snapshot`."""
        if exact:
            clear = b'rm -f "$GIT_DIR/index" "$GIT_DIR/index.lock"; git read-tree '
            self._ask(clear + self._index.encode(), "git read-tree")
        tree, troubles = self._write()
        skipped = self._left_out(troubles) if troubles else ()
        nested = self._foreign_links(tree) if tree != self._index else []
        if nested:
            tree = self._put_back(nested)
            skipped = (*skipped, *(f"{_shown(path)} (a repository of its own)" for path in nested))
        self._index = tree
        self._here.add(tree)
        skipped = (*skipped, *self._in_submodules(nested))
        if tree != self.tree:
            if refusal := self._send(tree):
                return Snapshot(self.tree, (*skipped, refusal))
            self.tree = tree
        return Snapshot(self.tree, skipped)

    def restore(self, tree: str) -> None:
        """See `Workspace.restore`."""
        fetching = self._fetching(tree)
        troubles = ""
        for stubborn in (False, True):
            if stubborn:
                self._clear_the_way(tree)
            files = b"%b{\n%b\n}" % (fetching, checkout(self._root, tree))
            steps = (files, self._opening_up(), self._clearing_submodules())
            complete, self._index, troubles = self._written(steps)
            if self._index == tree and ((complete and not troubles) or (stubborn and self._is_clean())):
                self.tree = tree
                self._here.add(tree)
                return
        raise WorkspaceError(
            f"The workspace's files could not be made those of tree {tree[:10]}{': ' + troubles if troubles else '.'}",
            "`swe-agent resume` goes on in a new workspace.",
        )

    def _opening_up(self) -> bytes:
        """Let the owner read and write every file: a mode that no tree keeps is not undone by a checkout."""
        return (
            b"find %b -name .git -prune -o '(' -type d ! -perm -700 -o -type f ! -perm -600 ')' -exec chmod u+rwX {} +"
            % quote(self._root)
        )

    def _clear_the_way(self, tree: str) -> None:
        """Open read-only folders, which keep what is in them; empty submodules, where git would see other commits."""
        links = self._submodules(tree)
        words = b" ".join(quote(path) for path in links)
        folder = quote(self._root)
        self._service.run(
            b"find %b -type d ! -perm -700 -exec chmod u+rwx {} \\;\n" % folder
            + (b"(cd %b && rm -rf -- %b; mkdir -p -- %b) 2>/dev/null" % (folder, words, words) if links else b""),
            patience=LONG + self._known,
            program="find",
        )

    def _submodules(self, tree: str) -> list[bytes]:
        return [encode(path) for path, entry in self._trees.files(tree).items() if entry.mode == SUBMODULE]

    def _in_submodules(self, nested: Sequence[bytes]) -> tuple[str, ...]:
        """Files in submodules of the base that are newer than the store; git passes over them in silence."""
        if self._links is None:
            self._links = self._submodules(self._base)
        links = b" ".join(quote(b"./" + path) for path in self._links if path not in nested)
        if not links:
            return ()
        found = self._service.run(
            b"(cd %b && find %b -mindepth 1 ! -type d -newer \"$GIT_DIR/config\" ! -path '*/.git/*') 2>/dev/null"
            % (quote(self._root), links),
            patience=LONG + self._known,
            program="find",
        ).output
        return _few([f"{_shown(name.removeprefix(b'./'))} (in a submodule)" for name in found.splitlines()])

    def _clearing_submodules(self) -> bytes:
        """Remove what is newer than the store from submodules that lie in their place and are no repositories."""
        if not self._links:
            return b":"
        words = b" ".join(quote(path) for path in self._links)
        return (
            b'for link in %b; do there=%b/$link; [ "$(cd -P "$there" && pwd -P)" = "$there" ] &&\n'
            b'[ ! -e "$there/.git" ] && for depth in "-maxdepth 1" "! -type d"; do\n'
            b'find "$there" -mindepth 1 $depth -newer "$GIT_DIR/config" -exec rm -rf {} +\n'
            b"done; done" % (words, quote(self._root))
        )

    def _write(self) -> tuple[str, str]:
        """Take up every file and write the tree; also what git complained of."""
        return self._written(())[1:]

    def _written(self, steps: Sequence[bytes]) -> tuple[bool, str, str]:
        """`_write` after these shell commands, in one go; also whether the first of them succeeded."""
        before = [b"{\n%b\n} >/dev/null 2>&1; complete=${complete:-$?}" % step for step in steps]
        self._measure(self._base)
        ran = self._service.run(
            b"complete=\n%(before)b\n"
            b"[ -d %(root)b ] || mkdir -p %(root)b\n"
            b"%(unlocked)b"
            b"git -C %(root)b add -A --ignore-errors --no-warn-embedded-repo\n"
            b"printf '\\n%%s %%s' \"${complete:-0}\" $?"
            % {b"before": b"\n".join(before), b"root": quote(self._root), b"unlocked": _UNLOCKED},
            patience=LONG + self._known,
            program="git add",
        )
        written = self._service.run(b"git write-tree", patience=QUICK + self._known, program="git write-tree")
        said, _, last = ran.text.rpartition("\n")
        complete, _, status = last.partition(" ")
        tree = written.text.strip()
        is_full = bool(_FULL.search(said))
        if ran.code or written.code or len(tree) != 40 or is_full:
            why = ran.text if ran.code else said if is_full else tree
            raise WorkspaceError(
                f"A snapshot of the workspace failed: {why.strip()[-500:]}",
                "See that its disk is not full; `swe-agent resume` goes on in a new workspace.",
            )
        said = said.strip()
        return complete == "0", tree, said or ("git add failed" if status != "0" else "")

    def _left_out(self, troubles: str) -> tuple[str, ...]:
        """What differs still after everything was added, by name if git can tell, else in git's words."""
        names = [_shown(name) for name in dict.fromkeys(self._differing().output.split(b"\0")) if name]
        return _few(names or [_shown(line.encode()) for line in troubles.splitlines()])

    def _is_clean(self) -> bool:
        """Whether git sees no file that differs from the index."""
        found = self._differing()
        return not found.code and not found.output

    def _differing(self) -> Ran:
        """Ask git for the files that differ from the index: each name ends in a NUL."""
        return self._service.run(
            b"{ git -C %(root)b diff-files --name-only -z && git -C %(root)b ls-files -z -o --exclude-standard; } "
            b"2>/dev/null" % {b"root": quote(self._root)},
            patience=LONG + self._known,
            program="git diff-files",
        )

    def _foreign_links(self, tree: str) -> list[bytes]:
        """Paths that became repositories of their own since the last tree."""
        asked = f"git diff-tree -r -z --no-renames {self._index} {tree}".encode()
        fields = self._ask(asked, "git diff-tree").split(b"\0")
        return [
            path
            for about, path in zip(fields[::2], fields[1::2], strict=False)
            if about.split()[1] == SUBMODULE.encode()
        ]

    def _put_back(self, paths: Sequence[bytes]) -> str:
        """Give `paths` their last state in the index, and write the tree again."""
        words = b" ".join(quote(path) for path in paths)
        before = self._ask(f"git ls-tree -r -z --full-tree {self._index} -- ".encode() + words, "git ls-tree")
        lines = b"".join(b"0 %b\t%b\0" % (b"0" * 40, path) for path in paths) + before
        self._put(lines)
        writing = b"git update-index -z --index-info < %b; git write-tree" % quote(self._inbox)
        return self._ask(writing, "git write-tree").decode().strip()

    def _send(self, tree: str) -> str:
        """Bring a tree's new objects to `trees`; why they were refused, if so."""
        ran = self._service.run(
            f"printf '{tree}\\n^{self.tree}\\n' | "
            "git pack-objects --revs --thin --stdout -q --delta-base-offset 2>/dev/null",
            PACK_LIMIT + 1,
            LONG + self._known,
            program="git pack-objects",
        )
        if ran.cut:
            return f"all changes since the last step: they come to more than {PACK_LIMIT / 1e6:,.0f} MB"
        if ran.code:
            raise WorkspaceError("The workspace's changes could not be packed.", "See that its disk is not full.")
        try:
            self._trees.add_pack(ran.output, tree, before=self.tree)
        except PackRefused as refused:
            return f"all changes since the last step: {refused.message}"
        return ""

    def _fetching(self, tree: str) -> bytes:
        """What must stand before a command that needs `tree` in the store: nothing, where it is there already."""
        if tree in self._here:
            return b""
        self._measure(tree)
        pack = self._trees.pack(tree, sorted(self._here & {self.tree} or self._here))
        if len(pack) <= _SMALL:
            return b"%b | git index-pack --stdin --fix-thin &&\n" % printing(pack)
        self._put(pack)
        self._ask(b"git index-pack --stdin --fix-thin < %b" % quote(self._inbox), "git index-pack")
        self._here.add(tree)
        return b""

    def _put(self, data: bytes) -> None:
        if self._service.put(quote(self._inbox), data).code:
            raise WorkspaceError("Nothing can be written in the workspace.", "See that its disk is not full.")

    def _ask(self, command: bytes, program: str) -> bytes:
        """What `program` of git says about trees that are known."""
        return self._service.ask(command, "run git", QUICK + self._known, program)

    def _measure(self, tree: str) -> None:
        """Allow for the files of this tree from now on."""
        if tree not in self._measured:
            self._measured.add(tree)
            self._known = max(self._known, seconds_for(self._trees.files(tree).values()))


def _few(names: list[str]) -> tuple[str, ...]:
    more = len(names) - _NAMES_SHOWN
    return tuple(names) if more <= 0 else (*names[:_NAMES_SHOWN], f"… and {more} more")


def _shown(name: bytes) -> str:
    """A name from the workspace without control characters."""
    return "".join(char if char.isprintable() else "?" for char in name.decode("utf-8", "replace"))[:300]
