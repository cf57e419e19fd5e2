"""Who is measured by `benchmarks.actions`: ours, and other ways to have a command run somewhere."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from aci.repository.user_repository import Repository
from aci.runtime.workspace import Workspace, WorkspaceOptions, open_workspace
from trajectories.git_store.trees import Trees

_LINE = "x = 1  # a line of text\n"
_MEGABYTE = (_LINE * (1_000_000 // len(_LINE) + 1))[:1_000_000]
_OUTPUT = "yes 'a line of output' | head -c 10000000"
_PATCH = "git -C {0} add -A && git --no-pager -C {0} diff --cached --binary HEAD"
_BIG, _EDITED = "/tmp/big.txt", "package/module_1.py"


class Peer(Protocol):
    """Each operation is a method of `Doing`; `seconds` is what one takes, without what only prepares it."""

    def seconds(self, operation: str) -> float: ...

    def close(self) -> None: ...


class Doing:
    """A peer that runs in this process. `start` begins anew; all else is done in what was started last."""

    def seconds(self, operation: str) -> float:
        if operation == "start":
            self.close()
        if operation == "snapshot":
            self.edit()
        began = time.perf_counter()
        getattr(self, operation)()
        return time.perf_counter() - began

    def run(self, command: str) -> bytes:
        raise NotImplementedError

    def put(self, path: str, text: str) -> None:
        raise NotImplementedError

    def edit(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def act(self) -> None:
        self.run("true")

    def process(self) -> None:
        self.run("/bin/true")

    def output(self) -> None:
        assert len(self.run(_OUTPUT)) == 10_000_000

    def write(self) -> None:
        self.put(_BIG, _MEGABYTE)

    def read(self) -> None:
        assert len(self.run(f"cat {_BIG}")) == len(_MEGABYTE)


class Ours(Doing):
    """A workspace of ours in Docker. Its snapshot ends with the tree on the host, in the run's store."""

    def __init__(self, folder: Path, repo: Path, image: str) -> None:
        self._trees = Trees(folder / "trees.git")
        repository = Repository.open(repo)
        base = repository.base(self._trees)
        self._options = WorkspaceOptions(repository, base, self._trees, image=image, say=lambda _: None)
        self._workspace: Workspace | None = None
        self._edits = 0

    @property
    def workspace(self) -> Workspace:
        assert self._workspace
        return self._workspace

    def start(self) -> None:
        self._workspace = open_workspace("docker", self._options)
        self.act()

    def run(self, command: str) -> bytes:
        ran = self.workspace.run(command)
        assert ran.code == 0
        return ran.output

    def write(self) -> None:
        self.workspace.write(f"{self.workspace.scratch}/big.txt", _MEGABYTE.encode())

    def read(self) -> None:
        assert len(self.workspace.read(f"{self.workspace.scratch}/big.txt")) == len(_MEGABYTE)

    def edit(self) -> None:
        self._edits += 1
        self.workspace.write(_EDITED, f"x = {self._edits}\n".encode())

    def snapshot(self) -> None:
        self.workspace.snapshot()

    def close(self) -> None:
        if self._workspace:
            self._workspace.close()
            self._workspace = None


class Shelled(Doing):
    """A peer that has nothing but commands: its snapshot is what is changed in the folder `place`, as a patch."""

    place = "/tmp/repo"
    _edits = 0

    def edit(self) -> None:
        self._edits += 1
        if self._edits == 1:
            self.prepare()
        self.put(f"{self.place}/{_EDITED}", f"x = {self._edits}\n")

    def prepare(self) -> None:
        """Have the repository at `place`."""
        raise NotImplementedError

    def snapshot(self) -> None:
        assert self.run(_PATCH.format(self.place))

    def start(self) -> None:
        self.act()

    def close(self) -> None:
        pass


class DockerExec(Shelled):
    """`docker run`, then `docker exec` once a command, which is how mini-swe-agent and others run theirs."""

    def __init__(self, repo: Path, image: str) -> None:
        self._repo, self._image = repo, image
        self._name = f"swe-agent-benchmark-{os.getpid()}"
        self._there = False

    def start(self) -> None:
        idle = ["--network=none", "--label=swe-agent=1", self._image, "sh", "-c", "while :; do sleep 3600; done"]
        _docker("run", "-d", "--name", self._name, *idle)
        self._there = True
        self.act()

    def run(self, command: str) -> bytes:
        return _docker("exec", self._name, "bash", "-c", command)

    def put(self, path: str, text: str) -> None:
        _docker("exec", "-i", self._name, "sh", "-c", f"cat > {path}", data=text)

    def prepare(self) -> None:
        _docker("cp", str(self._repo), f"{self._name}:{self.place}")
        self.run(_PATCH.format(self.place))

    def close(self) -> None:
        if self._there:
            _docker("rm", "-f", self._name)
        self._there = False


class Bash(Shelled):
    """A fresh `bash -c` a command on this machine, in no container."""

    def __init__(self, folder: Path, repo: Path) -> None:
        self._repo, self.place = repo, str(folder)

    def run(self, command: str) -> bytes:
        return subprocess.run(["bash", "-c", command], check=True, capture_output=True).stdout

    def put(self, path: str, text: str) -> None:
        Path(path).write_text(text)

    def prepare(self) -> None:
        shutil.copytree(self._repo, self.place)
        self.run(_PATCH.format(self.place))


class Pipe(Bash):
    """One local bash that is fed through a pipe and says where an answer ends: the least that there can be."""

    _shell: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._shell = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.act()

    def run(self, command: str) -> bytes:
        assert self._shell
        assert self._shell.stdin
        assert self._shell.stdout
        self._shell.stdin.write(f"{command}\nprintf '\\0end'\n".encode())
        found = b""
        while not found.endswith(b"\0end"):
            found += os.read(self._shell.stdout.fileno(), 1 << 18)
        return found[:-4]

    def close(self) -> None:
        if self._shell:
            self._shell.kill()
            self._shell.communicate()
            self._shell = None


class SweRex:
    """SWE-ReX, driven by `swe_rex.py` in a Python of its own, which also takes the time."""

    def __init__(self, python: str, repo: Path, image: str) -> None:
        self._repo = repo
        self._edits = 0
        script = Path(__file__).with_name("swe_rex.py")
        self._process = subprocess.Popen(
            [python, str(script), image], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @property
    def execute(self) -> Execute:
        """Its other way, in the same container."""
        return Execute(self)

    def seconds(self, operation: str) -> float:
        if operation == "start":
            self.ask(do="stop")
        if operation == "snapshot":
            self.edit()
        return self.ask(**_REX[operation])

    def close(self) -> None:
        self._process.communicate()  # at its end it stops what it has started

    def ask(self, **request: Any) -> float:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"SWE-ReX failed at {request}; is port 8000 free, and does the image have its server?")
        return float(json.loads(line)["seconds"])

    def edit(self) -> None:
        self._edits += 1
        if self._edits == 1:
            self.ask(do="copy", source=str(self._repo), target=Shelled.place)
            self.ask(do="execute", command=_PATCH.format(Shelled.place))
        line = f"x = {self._edits}\n"
        self.ask(do="write", path=f"{Shelled.place}/{_EDITED}", size=len(line), line=line)


class Execute:
    """SWE-ReX's `execute`: a process a command, which keeps neither directory nor variables."""

    def __init__(self, rex: SweRex) -> None:
        self._rex = rex

    def seconds(self, operation: str) -> float:
        if operation not in _EXECUTED:
            return math.nan
        if operation == "snapshot":
            self._rex.edit()
        return self._rex.ask(do="execute", command=_EXECUTED[operation])

    def close(self) -> None:
        pass


_EXECUTED = {"act": "true", "process": "/bin/true", "output": _OUTPUT, "snapshot": _PATCH.format(Shelled.place)}
_REX: Mapping[str, dict[str, Any]] = {
    "start": {"do": "start"},
    "act": {"do": "run", "command": "true"},
    "process": {"do": "run", "command": "/bin/true"},
    "output": {"do": "execute", "command": _OUTPUT},
    "write": {"do": "write", "path": _BIG, "size": len(_MEGABYTE), "line": _LINE},
    "read": {"do": "read", "path": _BIG},
    "snapshot": {"do": "run", "command": _PATCH.format(Shelled.place)},
}
"""In its session, but for 10 MB of output, which that takes 40 s for."""


def repository(root: Path, files: int) -> Path:
    """A repository, equal each time, so that its base image is made once."""
    for number in range(files):
        folder = root / "package" / (f"part_{number // 100}" if number >= 100 else "")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"module_{number}.py").write_text(f"def f{number}():\n    return {number}\n" * 40)
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in {"NAME": "b", "EMAIL": "b@example.com", "DATE": "1700000000 +0000"}.items()
    }
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "base"]):
        subprocess.run(["git", "-C", str(root), *command], env={**os.environ, **who}, check=True)
    return root


def _docker(*words: str, data: str = "") -> bytes:
    return subprocess.run(["docker", *words], check=True, capture_output=True, input=data.encode()).stdout
