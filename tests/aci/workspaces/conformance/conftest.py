"""Guarantees that every kind of workspace gives.

Most tests share one workspace for each kind and process. Its repository holds everything unusual in real ones,
and it is reset after each test. Tests of the shell alone also run in the shells of this machine without a workspace.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from aci.runtime.posix_workspace import PosixWorkspace
from aci.runtime.process_channel import local_starter
from aci.runtime.shell_session import Shell, quote
from aci.runtime.workspace import WorkspaceOptions, open_workspace
from tests.conftest import IMAGE, git
from trajectories.git_store.trees import Trees

KINDS = [
    "local",
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("sandbox", marks=pytest.mark.sandbox),
]
SHELLS = ["bash", "sh", *(["busybox"] if shutil.which("busybox") else []), *KINDS]
BINARY = bytes(range(256)) * 40
LONG = "n" * 250
LATIN = os.fsdecode(b"caf\xe9")
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "4d" * 32 + "\nsize 12345\n"
FILES: dict[str, str | bytes] = {
    ".gitignore": "*.log\nbuild/\n/venv/\n",
    ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n*.crlf text eol=crlf\n*.id ident\n",
    "README": "hello\n",
    "empty": "",
    "pkg/__init__.py": "x = 1\n",
    "pkg/mod.py": "def f():\n    return 1\n",
    "run.sh": "#!/bin/sh\necho ran\n",
    "model.bin": LFS,
    "image.png": BINARY,
    "dos.txt": "one\r\ntwo\r\n",
    "tagged.id": "$Id$\n",
    "no newline": "end",
    "new\nline": "n\n",
    "-rf": "dash\n",
    LATIN: "latin\n",
    "日本語 ☃": "snow\n",
    LONG: "long\n",
    "deep/" * 30 + "leaf": "leaf\n",
    "case": "lower\n",
    "CASE": "upper\n",
    "quote'\"\\$(x)`": "quoted\n",
    " spaces ": "spaces\n",
    "packages/app/pyproject.toml": "[project]\nname = 'app'\n",
    "packages/app/app.py": "import lib\n",
    "packages/app/.gitignore": "*.tmp\n!kept.tmp\n",
    "packages/lib/lib.py": "y = 1\n",
    "kept.log": "committed though ignored\n",
    **{f"many/{number // 100}/{number}.txt": f"{number}\n" for number in range(500)},
}
LINKS = {"link": "README", "folder link": "pkg", "dangling": "nowhere", "loop": "loop", "out": "/etc/passwd"}


def create_repository(root: Path) -> Path:
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    for name, content in FILES.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    for name, target in LINKS.items():
        (root / name).symlink_to(target)
    (root / "run.sh").chmod(0o755)
    git(root, "-c", "filter.lfs.clean=cat", "add", "-A", "-f")
    git(root, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor/sub")
    (root / "vendor" / "sub").mkdir(parents=True)
    git(root, "commit", "-q", "-m", "Unusual files")
    return root


class Shared:
    """One workspace for each kind, opened on first use and reopened if it could not be reset."""

    def __init__(self, make_folder: Callable[[str], Path], exit_stack: ExitStack) -> None:
        self._make_folder, self._exit_stack = make_folder, exit_stack
        self._available: dict[str, PosixWorkspace] = {}

    def take(self, kind: str) -> PosixWorkspace:
        """Return the workspace at its base. Until `reset`, it is not available again."""
        return self._available.pop(kind, None) or self._open(kind)

    def reset(self, kind: str, ws: PosixWorkspace, sessions: bool = True) -> None:
        """Undo all changes of a test to the workspace. If it only changed files, its `sessions` need no reset."""
        ws.options.cancel.clear()
        if sessions:
            ws._processes("").end_all()
            for shell in ws._sessions.values():
                shell.close()
            ws._sessions.clear()
        ws.restore(ws.options.base.tree)
        command = b"(cd %b && git clean -ffdqx && rm -rf .git && cp -Rp %b .git && find %b -mindepth 1 -delete)"
        ws._service.ask(command % (quote(ws.root), _saved_history(ws), quote(ws.scratch)), "be reset")
        for shell in ws._sessions.values():
            shell.run(b"cd " + quote(ws.root))
        self._available[kind] = ws

    def _open(self, kind: str) -> PosixWorkspace:
        folder = self._make_folder(kind)
        trees = self._exit_stack.enter_context(Trees(folder / "trees.git"))
        repository = Repository.open(create_repository(folder / "repo"))
        options = WorkspaceOptions(repository, repository.base(trees), trees, image=IMAGE, say=lambda _: None)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
            workspace = open_workspace(kind, options)
        assert isinstance(workspace, PosixWorkspace)
        self._exit_stack.callback(workspace.close)
        workspace._service.ask(
            b"cp -Rp %b/.git %b" % (quote(workspace.root), _saved_history(workspace)), "save the history"
        )
        return workspace


def _saved_history(ws: PosixWorkspace) -> bytes:
    return quote(f"{ws.harness}/saved.git")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    with ExitStack() as stack:
        yield Shared(tmp_path_factory.mktemp, stack)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of workspace in turn."""
    return str(request.param)


@pytest.fixture
def ws(kind: str, shared: Shared, request: pytest.FixtureRequest) -> Iterator[PosixWorkspace]:
    """The shared workspace of a kind at its base; changes of the test are undone."""
    workspace = shared.take(kind)
    yield workspace
    shared.reset(kind, workspace, sessions=not getattr(request.module, "ONLY_FILES", False))


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shell | PosixWorkspace]:
    """Each POSIX shell of this machine in an empty folder, and the main session of each workspace."""
    program = str(request.param)
    if program in ("local", "docker", "sandbox"):
        shared: Shared = request.getfixturevalue("shared")
        workspace = shared.take(program)
        yield workspace
        shared.reset(program, workspace)
        return
    (tmp_path / "work").mkdir()
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C"}
    if program == "busybox":  # `sh` is busybox, for the wrapper and as the shell
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "sh").symlink_to(shutil.which("busybox") or "")
        env, program = {**env, "PATH": f"{tmp_path}/bin:{env['PATH']}"}, "sh"
    standalone = Shell(local_starter(env), cwd=str(tmp_path / "work"), program="bash" if program == "bash" else "sh")
    yield standalone
    standalone.close()


def check_output(shell: Shell | PosixWorkspace, command: str) -> str:
    """Return the output of a command that must succeed."""
    result = shell.run(command)
    assert result.code == 0, result.text
    return result.text.rstrip("\n")


def changed(ws: PosixWorkspace, tree: str) -> dict[str, str]:
    """Return the status of each path that differs from the base."""
    return {change.path: change.status for change in ws.options.trees.changed(ws.options.base.tree, tree)}
