"""Repositories whose every setting is a canary: programs that leave their names, files with secret words, and a server
that records who connects to it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from tests.aci.repository.git_settings import HOOKS, KINDS, PATH, PROGRAM, URL, VALUES, concrete
from tests.conftest import committed, git

WORD = "swordfish"
"""Each secret word begins with this."""
INCLUDED = ("include", "includeIf", "worktree")
PLACES = ("config", *INCLUDED, "submodule", "embedded")
"""Where the settings of a repository can be."""
FEW_PLACES = ("config", "included", "submodule", "embedded")
"""The same, with all places of `INCLUDED` in one repository."""
FUTURE = 4_000_000_000
"""Time of a file that git compares by its content each time, with the filter's program."""
ATTRIBUTES = "*.py diff=canary merge=canary\n*.bin filter=canary\n*.bin2 filter=a=b\n"
ATTRIBUTES += "*.proc filter=process\n*.enc working-tree-encoding=UTF-8\n"
FILES = {
    "calc/__init__.py": "",
    "calc/core.py": "def add(a, b):\n    return a - b\n\n\ndef double(a):\n    return add(a, a)\n",
    "tests/__init__.py": "",
    "tests/test_calc.py": "import unittest\n\nfrom calc.core import double\n\n\nclass DoubleTest(unittest.TestCase):\n"
    "    def test_double(self):\n        self.assertEqual(double(0), 0)\n",
    ".gitignore": "__pycache__/\n",
    ".gitattributes": ATTRIBUTES,
    "data.bin": "data\n",
    "data.bin2": "data\n",
    "data.proc": "data\n",
    "text.enc": "text\n",
}


class Canaries:
    """A folder of canaries, each named after a setting and the place where it is set."""

    def __init__(self, folder: Path, port: int = 9) -> None:
        self.folder, self.port = folder, port
        self.contacts: list[bytes] = []
        """The first bytes of each connection to the server."""
        for name in ("programs", "secrets", "fired"):
            (folder / name).mkdir(parents=True)
        self._program = folder / "canary"
        self._program.write_text(
            f'#!/bin/sh\n: > "{folder}/fired/${{0##*/}}"\ncase $0 in *--filter*) exec cat ;; esac\n'
        )
        self._program.chmod(0o755)

    def program(self, name: str) -> Path:
        """Return a program that leaves its name in the folder `fired`."""
        path = self.folder / "programs" / _file_name(name)
        if not path.exists():
            path.symlink_to(self._program)
        return path

    def hooks(self, folder: Path, name: str) -> Path:
        """Fill a folder with a hook for each event, and return it."""
        folder.mkdir(parents=True, exist_ok=True)
        for hook in HOOKS:
            (folder / hook).write_text(f'#!/bin/sh\nexec "{self.program(f"{name}--{hook}")}"\n')
            (folder / hook).chmod(0o755)
        return folder

    def secret(self, name: str) -> Path:
        """Return a file with a secret word, which git can also read as configuration, patterns or attributes."""
        path = self.folder / "secrets" / _file_name(name)
        path.write_text(f"[{WORD}]\n\tname = {WORD}-{_file_name(name)}\n")
        return path

    def settings(self, place: str, names: Sequence[str] = tuple(KINDS)) -> str:
        """Return the text of a configuration with these settings, each with a canary."""
        return "".join(
            _setting(each, value)
            for name in names
            for each in concrete(name)
            for value in self._values(name, each, f"{place}--{each}")
        )

    def _values(self, name: str, each: str, slug: str) -> list[str]:
        kind = KINDS[name]
        if name == "core.hooksPath":
            return [str(self.hooks(self.folder / "hooks" / _file_name(slug), slug))]
        if name == "hook.<friendly-name>.event":
            return list(HOOKS)
        if name in ("alias.*", "submodule.<name>.update"):
            return [f"!{self.program(slug)}"]
        if kind == PROGRAM:
            return [str(self.program(slug))]
        if kind == PATH:
            return [str(self.secret(slug))]
        if kind == URL:
            scheme = "git" if name.startswith(("remote", "branch", "submodule")) else "http"
            return [f"{scheme}://127.0.0.1:{self.port}/{_file_name(each)}"]
        return [VALUES.get(name, "true")]

    @property
    def fired(self) -> set[str]:
        """The names of the programs that ran."""
        return {file.name for file in (self.folder / "fired").iterdir()}

    def reset(self) -> None:
        """Forget what has happened."""
        for file in (self.folder / "fired").iterdir():
            file.unlink()
        self.contacts.clear()

    def check(self, *written: Path, allowed: str = "(?!)") -> None:
        """Raise AssertionError if a program ran (except those that `allowed` matches), the server was contacted, or a
        secret word is in one of the folders that the program has `written`."""
        fired = {name for name in self.fired if not re.match(allowed, name)}
        assert not fired, f"programs ran: {sorted(fired)}"
        assert not self.contacts, f"the server was contacted: {self.contacts}"
        leaks = [found for folder in written for found in secrets_in(folder)]
        assert not leaks, f"secret words are in {leaks}"
        for file in (self.folder / "secrets").iterdir():
            assert file.read_text().endswith(f"{WORD}-{file.name}\n"), f"{file.name} was written"


def secrets_in(folder: Path) -> Iterator[str]:
    """Yield the paths of files below a folder that contain a secret word, also in objects and packs of git."""
    word = WORD.encode()
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        data = path.read_bytes()
        if word in data or (re.fullmatch("[0-9a-f]{38}", path.name) and word in zlib.decompress(data)):
            yield str(path)
        if path.suffix == ".idx":
            ids = [line.split()[1] for line in _piped(path.parent, "show-index", input=data).splitlines()]
            store = path.parent.parent.parent
            if word in _piped(store, f"--git-dir={store}", "cat-file", "--batch", input=b"\n".join([*ids, b""])):
                yield str(path)


def hostile_repository(canaries: Canaries, root: Path, place: str) -> Path:
    """Create a repository with every setting in this place, every hook, and a commit with a false signature; return the
    folder in which the settings would take effect."""
    committed(root, FILES)
    folder = root
    if place == "submodule":
        _add_submodule(canaries, root)
    if place == "embedded":
        folder = _embed(canaries, root)
    for name in ("data.bin", "data.bin2"):
        os.utime(root / name, (FUTURE, FUTURE))
    git(root, "add", "-A")
    if place != "config":
        git(root, "commit", "-q", "--allow-empty", "-m", "More")
    _sign(root)
    git_dir = root / ".git"
    if place not in ("submodule", "embedded"):
        canaries.hooks(git_dir / "hooks", f"{place}--hooks")
        for each in INCLUDED if place == "included" else (place,):
            _configure(canaries, git_dir, each)
    return folder


def _configure(canaries: Canaries, git_dir: Path, place: str) -> None:
    text = canaries.settings(place)
    if place in ("include", "includeIf"):
        file = canaries.folder / place
        file.write_text(text)
        section = "include" if place == "include" else 'includeIf "gitdir:/"'
        text = f"[{section}]\n\tpath = {file}\n"
    if place == "worktree":
        (git_dir / "config.worktree").write_text(text)
        text = "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tworktreeConfig = true\n"
    with (git_dir / "config").open("a") as config:
        config.write(text)


def _add_submodule(canaries: Canaries, root: Path) -> None:
    """Add a submodule as `git submodule` does: its git directory is in that of the repository."""
    sub = committed(root / "sub", {"a.py": "a = 1\n"})
    (root / ".gitmodules").write_text('[submodule "sub"]\n\tpath = sub\n\turl = ./sub\n\tignore = none\n')
    git_dir = root / ".git" / "modules" / "sub"
    git_dir.parent.mkdir()
    shutil.move(sub / ".git", git_dir)
    (sub / ".git").write_text("gitdir: ../.git/modules/sub\n")
    git(root, "add", "-A")
    canaries.hooks(git_dir / "hooks", "submodule--hooks")
    with (git_dir / "config").open("a") as config:
        config.write("[core]\n\tworktree = ../../../sub\n" + canaries.settings("submodule"))
    (sub / "a.py").write_text("a = 2\n")


def _embed(canaries: Canaries, root: Path) -> Path:
    """Add ordinary files that look like a git directory with a working tree."""
    inner = committed(root.with_name(f"{root.name}-inner"), {"a.py": "a = 1\n"})
    demo = root / "demo"
    demo.mkdir()
    for name in ("HEAD", "objects", "refs", "index"):
        shutil.move(inner / ".git" / name, demo / name)
    canaries.hooks(demo / "hooks", "embedded--hooks")
    format = "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n"
    (demo / "config").write_text(format + canaries.settings("embedded"))
    shutil.rmtree(inner)
    return demo


def _sign(root: Path) -> None:
    """Give the commit at HEAD a signature, which `log.showSignature` would have a program check."""
    text = git(root, "cat-file", "commit", "HEAD")
    header, _, message = text.partition("\n\n")
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n canary\n -----END PGP SIGNATURE-----"
    signed = f"{header}\n{signature}\n\n{message}\n".encode()
    id = _piped(root, "hash-object", "-t", "commit", "-w", "--stdin", input=signed)
    git(root, "update-ref", "HEAD", id.decode().strip())


@contextmanager
def canary_server(canaries: Canaries) -> Iterator[Canaries]:
    """Record connections to a port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        canaries.port = server.getsockname()[1]

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(1)
                    try:
                        data = connection.recv(200)
                    except OSError:
                        data = b""
                if data == b"end":
                    return
                canaries.contacts.append(data)

        thread = Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield canaries
        finally:
            with socket.create_connection(("127.0.0.1", canaries.port)) as connection:
                connection.sendall(b"end")
            thread.join()


def hostile_environment(canaries: Canaries) -> Mapping[str, str]:
    """Return variables of git's caller whose values are canaries, except those that are the user's configuration."""
    programs: tuple[str, ...] = (
        "GIT_EDITOR",
        "GIT_SEQUENCE_EDITOR",
        "GIT_PAGER",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_ASKPASS",
    )
    programs = (*programs, "GIT_PROXY_COMMAND", "GIT_EXTERNAL_DIFF")
    paths: tuple[str, ...] = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_TEMPLATE_DIR")
    paths = (*paths, "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE", "GIT_EXEC_PATH")
    paths = (
        *paths,
        "GIT_TRACE",
        "GIT_TRACE2",
        "GIT_TRACE2_EVENT",
        "GIT_TRACE2_PERF",
        "GIT_TRACE_PACKET",
        "GIT_TRACE_SETUP",
    )
    return {
        **{name: str(canaries.program(f"caller--{name}")) for name in programs},
        **{name: str(canaries.secret(f"caller--{name}")) for name in paths},
        "GIT_NAMESPACE": "canary",
        "GIT_PREFIX": "canary/",
        "GIT_ATTR_SOURCE": "HEAD",
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_REF_PARANOIA": "1",
    }


def _piped(folder: Path, *args: str, input: bytes) -> bytes:
    env = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    return subprocess.run(["git", *args], cwd=folder, env=env, input=input, check=True, capture_output=True).stdout


def _setting(name: str, value: str) -> str:
    section, _, rest = name.partition(".")
    middle, dot, key = rest.rpartition(".")
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'[{section} "{middle}"]\n\t{key} = "{quoted}"\n' if dot else f'[{section}]\n\t{key} = "{quoted}"\n'


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.=-]", "_", name)
