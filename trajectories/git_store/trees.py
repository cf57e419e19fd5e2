"""The trees of a run: a bare repository `trees.git` with the exact files of the repository after each step.

Code that needs a tree (diff, undo, fork, resume, reports) reads it from this store, never from a container. Objects
from a container are untrusted: they enter only as a pack, through `add_pack`. Paths and diffs are str with
surrogateescape, so that bytes that are not UTF-8 are preserved.

Trees from containers and repositories are limited in size. The objects that differ between two trees are hashed and
compared with their ids before git reads them.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import BinaryIO, NamedTuple

from trajectories.errors import RunBroken, UsageError, writing
from trajectories.git_store import packs
from trajectories.git_store.git_commands import (
    GitFailed,
    create_store,
    decode,
    encode,
    folders,
    git,
    git_environ,
    objects_environment,
    read_only_environment,
    sync_folder,
)
from trajectories.git_store.object_reader import (
    AnswerCache,
    Change,
    Entry,
    Listings,
    Reader,
    changes,
    checked_id,
    checked_path,
    is_under,
)
from trajectories.git_store.packs import (
    EMPTY_TREE,
    PACK_LIMIT,
    Entries,
    Objects,
    PackRefused,
    index_pack,
    pack_objects,
    parse_tree,
)

SUBMODULE = "160000"
TREE_LIMIT = 1 << 28
"""Maximum size in bytes of a tree object that is read."""
FILE_LIMIT = 1 << 28


class CheckedDifference:
    """Reads the objects that differ between trees of one store. Thread-safe."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._blobs: set[str] = set()

    def check_folders(self, old: str, new: str) -> None:
        """Read all folders that differ. Raises RunBroken if one is missing or its content does not match its id."""
        for _ in self._differing(old, new):
            pass

    def check(self, old: str, new: str) -> None:
        """Read all folders and files that differ, each file once. Raises RunBroken as `check_folders` does. A missing
        file is not reported here; git reports it."""
        for id, folder in self._differing(old, new):
            if folder is None and id not in self._blobs:
                self._reader.check(id)
                self._blobs.add(id)

    def copy(self, old: str, new: str, objects: Path) -> None:
        """Write both trees, and all folders and files that differ, into an object folder.

        Let git read only this folder, because a store may hold two copies of an object, and git could read the
        unchecked one. Raises RunBroken as `check` does, UsageError for a file of more than FILE_LIMIT bytes, and
        OSError.
        """
        # `_differing` yields nothing if both trees are the same.
        for id, folder in chain(self._differing(old, new), [(new, None)]):
            file = objects / id[:2] / id[2:]
            if file.exists():
                continue
            found = self._reader.get(id, FILE_LIMIT) if folder is None else ("tree", folder)
            if found is None:
                continue
            kind, data = found
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(zlib.compress(b"%b %d\0%b" % (kind.encode(), len(data), data), 1))

    def _differing(self, old: str, new: str) -> Iterator[tuple[str, bytes | None]]:
        """Yield the id of each folder and file that differs, on both sides; each folder comes with its content."""
        left, seen = [(old, new)], set[tuple[str, str]]()
        while left:
            pair = left.pop()
            if pair[0] == pair[1] or pair in seen:
                continue
            seen.add(pair)
            contents = [self._folder(id) if id else b"" for id in pair]
            yield from ((id, content) for id, content in zip(pair, contents, strict=True) if id)
            before, after = map(parse_tree, contents)
            for name in before.keys() | after.keys():
                sides = [entries.get(name, ("", "")) for entries in (before, after)]
                if sides[0] == sides[1]:
                    continue
                one, other = (id if mode == FOLDER else "" for mode, id in sides)
                left.append((one, other))
                yield from ((id, None) for mode, id in sides if mode not in ("", FOLDER, SUBMODULE))

    def _folder(self, tree: str) -> bytes:
        found = self._reader.get(tree, TREE_LIMIT)
        if found is None or found[0] != "tree":
            raise RunBroken(f"The tree {tree[:10]} is not in the store.", "The run can no longer be used.")
        return found[1]


@contextmanager
def object_folder(env: Mapping[str, str], store: Path | None = None) -> Iterator[tuple[Path, dict[str, str]]]:
    """Provide an empty object folder, in the store if one is given, and an environment in which git sees no other
    objects. Raises OSError."""
    with TemporaryDirectory(prefix="new-" if store else "swe-agent-", dir=store) as name:
        rest = {key: value for key, value in env.items() if key != "GIT_ALTERNATE_OBJECT_DIRECTORIES"}
        yield Path(name), {**rest, "GIT_OBJECT_DIRECTORY": name}


FOLDER = "040000"

DEPTH_LIMIT = 500
FILES_LIMIT = 2_000_000
PATH_LIMIT = 4096
"""Maximum number of bytes of a path: Linux's PATH_MAX."""
LISTING_LIMIT = 256_000_000
"""Maximum number of bytes of all paths together."""


class TreeSize(NamedTuple):
    """The size of a tree: number of files, levels of folders, bytes of the longest path, and bytes of all paths."""

    files: int = 0
    depth: int = 1
    longest: int = 0
    listing: int = 0


FILE = TreeSize(1, 0)


def combine(entries: Iterable[tuple[bytes, TreeSize]]) -> TreeSize:
    """Return the size of a folder with entries of these names and sizes."""
    files, depth, longest, listing = TreeSize()
    for name, size in entries:
        prefix = len(name) + (size is not FILE)
        files, depth = files + size.files, max(depth, size.depth + 1)
        longest, listing = max(longest, prefix + size.longest), listing + prefix * size.files + size.listing
    return TreeSize(files, depth, longest, listing)


def measure(tree: str, entries: Callable[[str], Entries], known: dict[str, TreeSize], level: int = 0) -> TreeSize:
    """Return the size of a tree. `entries` reads a folder by its id; each folder is read once. The sizes are added to
    `known`. Raises PackRefused for too many levels."""
    if level > DEPTH_LIMIT:
        raise PackRefused(f"The tree has more than {DEPTH_LIMIT} levels.")
    if tree not in known:
        sizes = []
        for name, (mode, id) in entries(tree).items():
            sizes.append((name, measure(id, entries, known, level + 1) if mode == FOLDER else FILE))
        known[tree] = combine(sizes)
    return known[tree]


def check_size(size: TreeSize) -> None:
    """Raise PackRefused if a tree's listing would be too large: a few nested folders can represent billions of files,
    or a few files with paths of megabytes."""
    if size.files > FILES_LIMIT or size.depth > DEPTH_LIMIT or size.listing > LISTING_LIMIT:
        raise PackRefused(f"The tree is too large: {size.files:,} files, {size.depth} levels deep.")
    if size.longest > PATH_LIMIT:
        raise PackRefused(f"The tree has a path of {size.longest:,} bytes.")


__all__ = ["EMPTY_TREE", "Change", "Entry", "PackRefused", "Trees"]

PATHS_PER_CALL = 500
STORE_LIMIT = 2_000_000_000
"""Maximum number of bytes that are taken from another run's store."""
IN_FULL = ("--binary", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color")
"""Options that make `git diff-tree` write a diff that can be applied in any repository."""
SPECIAL = (".gitattributes", ".gitmodules")  # files that configure git
PACKS_PER_INDEX = 32
FEW_FILES, FEW_BYTES = 500, 1_000_000
"""Maximum number of files and bytes for which packs, folders and listings are made without a `git` process."""
LITTLE = 20_000
"""Maximum number of bytes of files that are sent in full instead of as deltas against earlier files."""
SOON = ("-c", "core.fsync=none")  # for drafts, which are packed before anything depends on them

Line = tuple[str | None, str, str]


class Trees:
    """The store at `path`, created if missing. Thread-safe. Raises RunBroken for a tree that is not in it.

    With `read_only`, nothing is created or written, and only the store's objects are used, since someone else may have
    created it. Raises RunBroken and OSError if the store cannot be used this way.
    """

    def __init__(self, path: Path, read_only: bool = False) -> None:
        self.path, self._read_only = path.absolute(), read_only
        if not read_only:
            create_store(self.path, durable=True)
        place = read_only_environment(self.path) if read_only else objects_environment(self.path)
        self.env = git_environ(place)
        self._reader = Reader(self.env, self.path)
        self._difference = CheckedDifference(self._reader)
        self._sizes: dict[str, TreeSize] = {}
        self._listings = Listings()
        self._changed: AnswerCache[list[Change]] = AnswerCache()
        self._diffs: AnswerCache[str] = AnswerCache()
        self._packs = 0

    def close(self) -> None:
        """Stop the process that reads objects; the next read starts another."""
        self._reader.close()

    def __enter__(self) -> Trees:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Reading

    def has(self, tree: str) -> bool:
        found = self._reader.get(checked_id(tree))
        return found is not None and found[0] == "tree"

    def files(self, tree: str) -> Mapping[str, Entry]:
        """Return every file of a tree in git's order; submodules are included with size 0."""
        found = self._listings.get(tree)
        return found if found is not None else self._listings.keep(tree, self._walked(tree) or self._listing(tree))

    def _walked(self, tree: str) -> dict[str, Entry] | None:
        """Return a listing whose blob sizes come from cached listings where possible; None if no listing is cached, or
        if the tree or the cached listings have more than FEW_FILES files."""
        known = self._listings.entries()
        if not known or len(known) > FEW_FILES:
            return None
        found = {}
        folders = [("", checked_id(tree))]
        while folders:
            below, folder = folders.pop()
            for name, (mode, id) in self._entries(folder).items():
                path = f"{below}{decode(name)}"
                if mode == FOLDER:
                    folders.append((f"{path}/", id))
                elif mode == SUBMODULE or id in known:
                    found[path] = Entry(mode, id, known[id].size if id in known else 0)
                else:
                    found[path] = Entry(mode, id, len(self.read_blob(id)))
            if len(found) > FEW_FILES:
                return None
        return dict(sorted(found.items(), key=lambda item: encode(item[0])))

    def _few(self, *trees: str) -> list[Mapping[str, Entry]]:
        """Return the files of these trees, or nothing if one has more than FEW_FILES."""
        found = list(map(self.files, trees))
        return found if max(map(len, found), default=0) <= FEW_FILES else []

    def _listing(self, tree: str) -> dict[str, Entry]:
        found = {}
        self._check_folders(tree)
        for line in self._git("ls-tree", "-r", "-z", "-l", "--full-tree", checked_id(tree)).split(b"\0")[:-1]:
            about, _, path = line.partition(b"\t")
            mode, _, id, size = about.decode().split()
            found[decode(path)] = Entry(mode, id, int(size) if size != "-" else 0)
        return found

    def entry(self, tree: str, path: str) -> tuple[str, str] | None:
        """Return (mode, id) of a file or folder, or None if it does not exist."""
        mode, id = FOLDER, checked_id(tree)
        for name in path.split("/"):
            if mode != FOLDER:
                return None
            found = self._entries(id).get(encode(name))
            if found is None:
                return None
            mode, id = found
        return mode, id

    def read(self, tree: str, path: str, limit: int = 50_000_000) -> bytes:
        """Return a file's bytes; for a symbolic link, its target.

        Raises FileNotFoundError, IsADirectoryError (also for a submodule), and UsageError for more than `limit` bytes.
        """
        found = self.entry(tree, path)
        if found is None:
            raise FileNotFoundError(path)
        mode, id = found
        if mode in (FOLDER, SUBMODULE):
            raise IsADirectoryError(path)
        return self.read_blob(id, limit)

    def read_blob(self, id: str, limit: int = 50_000_000) -> bytes:
        return self._object(id, "blob", limit)

    def read_blobs(self, ids: Sequence[str], limit: int = 50_000_000) -> Iterator[bytes | None]:
        """Yield the bytes of many blobs, in order, and None for one that is longer than `limit`, missing or damaged."""
        return self._reader.get_blobs([checked_id(id) for id in ids], limit)

    def diff(self, old: str, new: str, paths: Sequence[str] = (), context: int = 3) -> str:
        """Return the diff between two trees, limited to `paths` (files or folders) if given, with `context` lines
        around each change; it applies anywhere. Encode it with `surrogateescape` to get git's bytes.
        """
        asked = (old, new, str(context), *paths)
        if (known := self._diffs.get(asked)) is None:
            known = self._diffs.keep(asked, self._diff(old, new, paths, context))
        return known

    def _diff(self, old: str, new: str, paths: Sequence[str], context: int) -> str:
        size = "core.bigFileThreshold=64m"  # above the threshold git treats text as binary
        chunks = [paths[at : at + PATHS_PER_CALL] for at in range(0, len(paths), PATHS_PER_CALL)] or [()]
        store = None if self._read_only else self.path
        with object_folder(self.env, store) as (folder, env), writing(store or folder):
            self.copy_difference(old, new, folder)
            how = ("-c", size, "diff-tree", "-r", "-p", f"-U{context}", *IN_FULL)
            command = (*how, checked_id(old), checked_id(new), "--")
            return "".join(decode(self._git(*command, *chunk, env=env)) for chunk in chunks)

    def changed(self, old: str, new: str) -> list[Change]:
        """Return the paths that differ, in git's order; a rename is a deletion and an addition."""
        if (known := self._changed.get((old, new))) is None and self._few(old, new):
            known = self._changed.keep((old, new), list(changes(self.files(old), self.files(new))))
        if known is None:
            self._difference.check_folders(checked_id(old), checked_id(new))
            out = self._git("diff-tree", "-r", "-z", "--no-renames", "--name-status", checked_id(old), checked_id(new))
            fields = out.split(b"\0")[:-1]
            pairs = zip(fields[::2], fields[1::2], strict=True)
            known = self._changed.keep((old, new), [Change(decode(status), decode(path)) for status, path in pairs])
        return list(known)

    def check_difference(self, old: str, new: str) -> None:
        """Raise RunBroken if the content of an object that differs between two trees does not match its id. Call this
        before git uses the objects, because git does not check them."""
        self._difference.check(checked_id(old), checked_id(new))

    def copy_difference(self, old: str, new: str, objects: Path) -> None:
        """Write the objects that differ into another folder. Raises RunBroken, OSError, UsageError for huge files."""
        self._difference.copy(checked_id(old), checked_id(new), objects)

    # Writing

    def write(self, files: Mapping[str, bytes | None], tree: str) -> str:
        """Return the tree with `files` set, or removed if None. A file keeps its mode; a new one has 100644.

        Setting a file removes whatever conflicts with its path: a folder of that name, or a file where a folder is
        needed. Raises UsageError for a path that a tree may not contain (`..`, `.git`, absolute, empty).
        """
        kept = {path: data for path, data in files.items() if data is not None}
        if all(map(packs.is_plain, files)):
            blobs: Objects = {packs.object_id("blob", data): ("blob", data) for data in kept.values()}
            plain = [(self._mode(tree, path), packs.object_id("blob", data), path) for path, data in kept.items()]
            return self._edited(tree, [*((None, "", path) for path in files.keys() - kept.keys()), *plain], blobs)
        with self._draft() as draft:
            ids = dict(zip(kept, self._blobs(list(kept.values()), draft), strict=True))
            lines = [(self._mode(tree, path) if path in ids else None, ids.get(path, ""), path) for path in files]
            return self._keep(self._edit(tree, lines, draft), draft, [tree])

    def overlay(self, tree: str, other: str, paths: Sequence[str]) -> str:
        """Return the tree with `paths` (files or folders) replaced by those in `other`; paths that `other` does not
        have are removed."""
        wanted = {path.rstrip("/") for path in paths}
        lines: list[Line] = [(None, "", path) for path in self.files(tree) if is_under(path, wanted)]
        lines += [(entry.mode, entry.id, path) for path, entry in self.files(other).items() if is_under(path, wanted)]
        if all(packs.is_plain(path) for _, _, path in lines):
            return self._edited(tree, lines)
        with self._draft() as draft:
            return self._keep(self._edit(tree, lines, draft), draft, [tree, other])

    def adopt(self, listing: bytes, stores: Sequence[Path]) -> str:
        """Return the tree for a listing (`ls-files --stage -z`, `ls-tree -r -z`) with blobs in other object folders.

        Its folders are rewritten in canonical form, and all its objects are copied into this store. Raises GitFailed if
        a blob is missing or a tree may not contain a path.
        """
        with self._draft(*stores) as draft:
            if tree := self._adopted(listing, draft):
                return tree
            git("update-index", "-z", "--index-info", env=draft, input=listing)
            return self._keep(git(*SOON, "write-tree", env=draft).decode().strip(), draft)

    def _adopted(self, listing: bytes, draft: Mapping[str, str]) -> str:
        """Do the same as `adopt` in Python, for a few plain files whose blobs exist. Return "" if git has to do it."""
        lines: list[Line] = []
        files: dict[str, Entry] = {}
        objects: dict[str, tuple[str, bytes]] = {}
        size = 0
        found = listing.split(b"\0")[:-1]
        with closing(Reader(draft, self.path)) as reader, suppress(UsageError):  # raised for a blob with more bytes
            for line in found if len(found) <= FEW_FILES else ():
                about, _, name = line.partition(b"\t")
                path, (mode, *rest) = decode(name), about.decode().split()
                id, stage = rest if len(rest[0]) == 40 else (rest[1], "0")
                data = reader.get(checked_id(id), FEW_BYTES) if mode != SUBMODULE else ("blob", b"")
                if not packs.is_plain(path) or stage != "0" or not data or data[0] != "blob" or size > FEW_BYTES:
                    return ""
                size += len(data[1])
                objects |= {id: data} if mode != SUBMODULE else {}
                lines.append((mode, id, path))
                files[path] = Entry(mode, id, len(data[1]))
        if not lines or len(lines) < len(found):
            return ""
        tree = self._edited("", lines, objects)
        self._listings.keep(tree, files)
        return tree

    def _edited(self, tree: str, lines: Sequence[Line], blobs: Objects = MappingProxyType({})) -> str:
        """Apply (mode, id, path) changes in order; mode None removes. Return the new tree, which is on disk."""
        made, objects = packs.edit_tree(tree and checked_id(tree), lines, self._entries)
        if not self.has(made):
            assert not self._read_only
            with writing(self.path):
                packs.write_pack({**objects, **blobs}, self.path / "objects" / "pack")
            self._pack_came()
        return made

    def _mode(self, tree: str, path: str) -> str:
        mode, _ = self.entry(tree, path) or ("", "")
        return "100644" if mode in ("", FOLDER, SUBMODULE) else mode

    def _blobs(self, contents: list[bytes], draft: Mapping[str, str]) -> list[str]:
        if not contents:
            return []
        with self._scratch_folder() as folder:
            for n, data in enumerate(contents):
                (folder / str(n)).write_bytes(data)
            names = "".join(f"{n}\n" for n in range(len(contents)))
            command = ("hash-object", "-w", "--no-filters", "--stdin-paths")
            return self._git(*SOON, *command, env=draft, input=names.encode(), cwd=folder).decode().split()

    def _edit(self, tree: str, lines: Sequence[Line], draft: Mapping[str, str]) -> str:
        """Apply (mode, id, path) changes in order, with git; mode None removes. Return the new tree."""
        feed = b"".join(
            f"{mode or 0} {id or '0' * 40}\t".encode() + encode(checked_path(path)) + b"\0" for mode, id, path in lines
        )
        self._check_folders(tree)
        self._git("read-tree", checked_id(tree), env=draft)
        try:
            git("update-index", "--replace", "-z", "--index-info", env=draft, input=feed)
        except GitFailed as error:
            raise UsageError(f"A tree cannot hold these paths: {error.reason}.") from error
        return self._git(*SOON, "write-tree", env=draft).decode().strip()

    def add_pack(self, pack: bytes | BinaryIO, tree: str = "", limit: int = PACK_LIMIT, before: str = "") -> None:
        """Import the objects of an untrusted (thin) pack; they are on disk when this returns.

        If `tree` is given, it must be complete and within the size limits after the import. Raises PackRefused, with
        the store unchanged, if the pack is broken, dangerous or larger than `limit` bytes, or if it takes too much
        memory or time. Problems in git's own files (`.gitattributes`, `.gitmodules`) are accepted if the tree `before`
        already contains these files.
        """
        try:
            self._take(pack, limit)
        except PackRefused:
            files = self.files(before).items() if before and isinstance(pack, bytes) else ()
            spared = [entry.id for path, entry in files if path.rpartition("/")[2].lower() in SPECIAL]
            if not spared:
                raise
            self._take(pack, limit, spared)
        self._pack_came()
        if tree:
            self._check(tree)

    def take_all(self, objects: Path) -> None:
        """Import every file and tree from the object folder of an untrusted store, each under the id of its content.
        Raises PackRefused as `add_pack` does, and RunBroken for a store that git cannot read."""
        env = {**self.env, "GIT_ALTERNATE_OBJECT_DIRECTORIES": folders(objects, self.path / "objects")}
        known = self._git("cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectname)", env=env)
        kinds = (line.split() for line in known.splitlines())
        ids = b"".join(b"%b\n" % id for kind, id in kinds if kind in (b"blob", b"tree"))
        with self._scratch_folder() as folder:
            pack_objects(ids, folder / "taken", {**env, "GIT_OBJECT_DIRECTORY": str(folder)}, STORE_LIMIT)
            for pack in folder.glob("taken-*.pack"):
                with pack.open("rb") as file:
                    self.add_pack(file, limit=STORE_LIMIT)

    def _take(self, pack: bytes | BinaryIO, limit: int, spared: Sequence[str] = ()) -> None:
        stream = io.BytesIO(pack) if isinstance(pack, bytes) else pack
        with self._scratch_folder() as folder:
            index_pack(stream, folder, self.path, self.env, limit, spared)

    def pack(self, tree: str, have: Sequence[str] = ()) -> bytes:
        """Return a thin pack of the objects in `tree` that no tree of `have` contains."""
        if (few := self._few(tree, *have)) and (new := self._new(tree, have, few)):
            return packs.build_pack(new)
        bases = "".join(f"-{other}\n" for other in have).encode()  # delta bases, since --thin only accepts commits
        objects = self._objects(tree, have, self.env)
        return self._git("pack-objects", "-q", "--stdout", "--delta-base-offset", input=bases + objects)

    def _new(self, tree: str, have: Sequence[str], few: Sequence[Mapping[str, Entry]]) -> Objects:
        """Return the objects in `tree` that no tree of `have` contains; none if they are too large to pack here."""
        old = {entry.id for files in few[1:] for entry in files.values()}
        for other in have:
            old |= self._folders(other).keys()
        blobs = {entry.id: entry for entry in few[0].values() if entry.mode != SUBMODULE and entry.id not in old}
        if sum(entry.size for entry in blobs.values()) > (FEW_BYTES if not have else LITTLE):
            return {}
        folders = {id: ("tree", data) for id, data in self._folders(tree).items() if id not in old}
        return {**folders, **{id: ("blob", self.read_blob(id)) for id in blobs}}

    def _folders(self, tree: str) -> dict[str, bytes]:
        """Return a tree and all folders in it: id -> bytes."""
        found, left = {}, [checked_id(tree)]
        while left:
            id = left.pop()
            found[id] = self._object(id, "tree", TREE_LIMIT)
            left += [
                below for mode, below in packs.parse_tree(found[id]).values() if mode == FOLDER and below not in found
            ]
        return found

    def _objects(self, tree: str, have: Sequence[str], env: Mapping[str, str]) -> bytes:
        revs = "".join([f"{checked_id(tree)}\n", *(f"^{checked_id(other)}\n" for other in have)])
        return self._git("rev-list", "--objects", "--stdin", env=env, input=revs.encode())

    def _check(self, tree: str) -> None:
        try:
            check_size(measure(checked_id(tree), self._entries, self._sizes))
        except RunBroken as error:
            raise PackRefused(str(error)) from error

    def _check_folders(self, tree: str) -> None:
        """Read all folders of a tree, each once. Raises RunBroken if the content of a folder does not match its id."""
        try:
            measure(checked_id(tree), self._entries, self._sizes)
        except PackRefused as error:
            raise RunBroken(str(error)) from error

    def _entries(self, tree: str) -> Entries:
        return packs.parse_tree(self._object(tree, "tree", TREE_LIMIT))

    def _object(self, id: str, kind: str, limit: int) -> bytes:
        found = self._reader.get(checked_id(id), limit)
        if found is None or found[0] != kind:
            raise RunBroken(f"The {kind} {id[:10]} is not in {self.path}.", "The run can no longer be used.")
        return found[1]

    def _git(
        self, *args: str, input: bytes = b"", env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> bytes:
        try:
            return git(*args, env=env or self.env, input=input, cwd=cwd)
        except GitFailed as error:
            if error.is_disk_full:
                raise
            raise RunBroken(f"The trees at {self.path} cannot be used: {error}") from error

    @contextmanager
    def _scratch_folder(self) -> Iterator[Path]:
        assert not self._read_only
        with writing(self.path), TemporaryDirectory("", "new-", self.path, ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    @contextmanager
    def _draft(self, *stores: Path) -> Iterator[Mapping[str, str]]:
        """Provide an environment with a temporary index and object folder; `_keep` imports a tree from it."""
        with self._scratch_folder() as folder:
            yield {
                **self.env,
                "GIT_INDEX_FILE": str(folder / "index"),
                "GIT_OBJECT_DIRECTORY": str(folder),
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": folders(self.path / "objects", *stores),
            }

    def _keep(self, tree: str, draft: Mapping[str, str], have: Sequence[str] = ()) -> str:
        """Import a draft's tree as one pack, so that the number of syncs does not depend on the number of objects."""
        if not self.has(tree):
            packs = self.path / "objects" / "pack"
            objects = self._objects(tree, have, draft)
            options = ("-q", "--window=0", "--delta-base-offset")  # a search for deltas took 96 s for 100,000 files
            self._git("pack-objects", *options, str(packs / "pack"), env=draft, input=objects)
            sync_folder(packs)
            self._pack_came()
        return tree

    def _pack_came(self) -> None:
        """Write a multi-pack index now and then; otherwise each git command would open every pack."""
        self._packs += 1
        if self._packs % PACKS_PER_INDEX == 0:
            git("multi-pack-index", "write", env=self.env, ok=range(256))  # a failure is harmless: it only saves time
