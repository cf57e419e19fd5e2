"""The systems that `benchmarks.actions` compares: our workspace and other ways to run commands."""

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
_PATCH = (
    "git -c 'safe.directory=*' -C {0} add -A && git -c 'safe.directory=*' --no-pager -C {0} diff --cached --binary HEAD"
)
_BIG, _EDITED = "/tmp/big.txt", "package/module_1.py"


class Peer(Protocol):
    """A system to measure.

    Operations are methods of `InProcessPeer`; `seconds` runs one and returns its time without preparations.
    """

    def seconds(self, operation: str) -> float: ...

    def close(self) -> None: ...


class InProcessPeer:
    """A peer that runs in this process. `start` starts a new session; other operations use the last one."""

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


class Ours(InProcessPeer):
    """Our workspace of a kind. Its snapshot includes copying the tree to the store of the run on the host."""

    def __init__(self, kind: str, folder: Path, repo: Path, image: str) -> None:
        self._kind = kind
        self._trees = Trees(folder / f"{kind}.git")
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
        self._workspace = open_workspace(self._kind, self._options)
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


class CommandPeer(InProcessPeer):
    """A peer that only runs commands. Its snapshot is a patch of the changes in the folder `place`."""

    place = "/tmp/repo"
    _edits = 0

    def edit(self) -> None:
        self._edits += 1
        if self._edits == 1:
            self.prepare()
        self.put(f"{self.place}/{_EDITED}", f"x = {self._edits}\n")

    def prepare(self) -> None:
        """Copy the repository to `place`."""
        raise NotImplementedError

    def snapshot(self) -> None:
        assert self.run(_PATCH.format(self.place))

    def start(self) -> None:
        self.act()

    def close(self) -> None:
        pass


class DockerExec(CommandPeer):
    """`docker run`, then one `docker exec` for each command, as in mini-swe-agent and others."""

    def __init__(self, repo: Path, image: str) -> None:
        self._repo, self._image = repo, image
        self._name = f"swe-agent-benchmark-{os.getpid()}"
        self._running = False

    def start(self) -> None:
        idle = ["--network=none", "--label=swe-agent=1", self._image, "sh", "-c", "while :; do sleep 3600; done"]
        _docker("run", "-d", "--name", self._name, *idle)
        self._running = True
        self.act()

    def run(self, command: str) -> bytes:
        return _docker("exec", self._name, "bash", "-c", command)

    def put(self, path: str, text: str) -> None:
        _docker("exec", "-i", self._name, "sh", "-c", f"cat > {path}", data=text)

    def prepare(self) -> None:
        _docker("cp", str(self._repo), f"{self._name}:{self.place}")
        self.run(_PATCH.format(self.place))

    def close(self) -> None:
        if self._running:
            _docker("rm", "-f", self._name)
        self._running = False


class Bash(CommandPeer):
    """A new `bash -c` for each command on this machine, without a container."""

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
    """One local bash that reads commands from a pipe and marks the end of each output: the lower bound."""

    _shell: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._shell = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.act()

    def run(self, command: str) -> bytes:
        assert self._shell
        assert self._shell.stdin
        assert self._shell.stdout
        self._shell.stdin.write(f"{command}\nprintf '\\0end'\n".encode())
        output = b""
        while not output.endswith(b"\0end"):
            output += os.read(self._shell.stdout.fileno(), 1 << 18)
        return output[:-4]

    def close(self) -> None:
        if self._shell:
            self._shell.kill()
            self._shell.communicate()
            self._shell = None


class SweRex:
    """SWE-ReX, driven by `swe_rex.py` in a separate Python, which also measures the time."""

    def __init__(self, python: str, repo: Path, image: str) -> None:
        self._repo = repo
        self._edits = 0
        script = Path(__file__).with_name("swe_rex.py")
        self._process = subprocess.Popen(
            [python, str(script), image], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @property
    def execute(self) -> Execute:
        """Return the `execute` interface of the same container."""
        return Execute(self)

    def seconds(self, operation: str) -> float:
        if operation == "start":
            self.request(do="stop")
        if operation == "snapshot":
            self.edit()
        return self.request(**_REX[operation])

    def close(self) -> None:
        self._process.communicate()  # at end of input it stops its container

    def request(self, **request: Any) -> float:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"SWE-ReX failed at {request}; check that port 8000 is free and the image has its server.")
        return float(json.loads(line)["seconds"])

    def edit(self) -> None:
        self._edits += 1
        if self._edits == 1:
            self.request(do="copy", source=str(self._repo), target=CommandPeer.place)
            self.request(do="execute", command=_PATCH.format(CommandPeer.place))
        line = f"x = {self._edits}\n"
        self.request(do="write", path=f"{CommandPeer.place}/{_EDITED}", size=len(line), line=line)


class Execute:
    """`execute` of SWE-ReX: a new process for each command, without shared directory or variables."""

    def __init__(self, rex: SweRex) -> None:
        self._rex = rex

    def seconds(self, operation: str) -> float:
        if operation not in _EXECUTED:
            return math.nan
        if operation == "snapshot":
            self._rex.edit()
        return self._rex.request(do="execute", command=_EXECUTED[operation])

    def close(self) -> None:
        pass


_EXECUTED = {"act": "true", "process": "/bin/true", "output": _OUTPUT, "snapshot": _PATCH.format(CommandPeer.place)}
_REX: Mapping[str, dict[str, Any]] = {
    "start": {"do": "start"},
    "act": {"do": "run", "command": "true"},
    "process": {"do": "run", "command": "/bin/true"},
    "output": {"do": "execute", "command": _OUTPUT},
    "write": {"do": "write", "path": _BIG, "size": len(_MEGABYTE), "line": _LINE},
    "read": {"do": "read", "path": _BIG},
    "snapshot": {"do": "run", "command": _PATCH.format(CommandPeer.place)},
}
"""Commands run in its session, except the one with 10 MB of output, which takes 40 s there."""


def repository(root: Path, files: int) -> Path:
    """Create a repository that is identical each time, so that its base image is built once."""
    for number in range(files):
        folder = root / "package" / (f"part_{number // 100}" if number >= 100 else "")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"module_{number}.py").write_text(f"def f{number}():\n    return {number}\n" * 40)
    identity = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in {"NAME": "b", "EMAIL": "b@example.com", "DATE": "1700000000 +0000"}.items()
    }
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "base"]):
        subprocess.run(["git", "-C", str(root), *command], env={**os.environ, **identity}, check=True)
    return root


def _docker(*words: str, data: str = "") -> bytes:
    return subprocess.run(["docker", *words], check=True, capture_output=True, input=data.encode()).stdout
