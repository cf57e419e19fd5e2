"""Random sequences of commands, edits, time-outs, snapshots, restores and forks, checked against a model of files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from aci.runtime.posix_workspace import PosixWorkspace
from aci.runtime.shell_session import quote
from tests.aci.workspaces.conformance.conftest import FILES, LINKS, Shared
from trajectories.git_store.trees import Trees

NAMES = ["a", "b c", "d/e", "d/f/g", "new\nline", "-rf", os.fsdecode(b"\xe9"), "README", "run.sh", "pkg/mod.py", "link"]
CONTENTS = [b"", b"x\n", b"no newline", b"\0\xff\r\n", b"# " * 40_000]

Content = bytes | str
Files = dict[str, tuple[str, bytes]]
"""Path -> (git mode, content or link target)."""


def base() -> Files:
    files = {
        name: ("100644", content.encode() if isinstance(content, str) else content) for name, content in FILES.items()
    }
    links = {name: ("120000", os.fsencode(target)) for name, target in LINKS.items()}
    return files | links | {"run.sh": ("100755", files["run.sh"][1])}


def quote_name(name: str) -> str:
    """Quote a file name for a command. As commands are UTF-8, printf in the shell makes the bytes of other names."""
    path = b"./" + os.fsencode(name)
    try:
        return quote(path.decode()).decode()
    except UnicodeDecodeError:
        octal = "".join(f"\\{byte:03o}" for byte in path)
        return f"\"$(printf '{octal}')\""


def read_tree(trees: Trees, tree: str) -> Files:
    entries = trees.files(tree)
    return {path: (entry.mode, trees.read(tree, path)) for path, entry in entries.items() if entry.mode != "160000"}


class Machine(RuleBasedStateMachine):
    """`files` is the expected content. The agent's shell runs the commands, and the workspace makes the edits."""

    workspace: PosixWorkspace

    def __init__(self) -> None:
        super().__init__()
        self.ws = self.workspace
        self.files = base()
        self.snapshots: dict[str, Files] = {}
        self.exported = ""
        self.forks = ExitStack()

    @initialize()
    def start(self) -> None:
        self.ws.restore(self.ws.options.base.tree)
        self.ws.run(f"cd {quote(self.ws.root).decode()}; unset KEPT")

    def teardown(self) -> None:
        self.forks.close()

    def _can_hold_file(self, name: str) -> bool:
        """Return whether a file can exist there: no folder is in its place, and no parent is a file or link."""
        parents = ["/".join(name.split("/")[:depth]) for depth in range(1, name.count("/") + 1)]
        return not any(parent in self.files for parent in parents) and not any(
            path.startswith(f"{name}/") for path in self.files
        )

    def _run(self, command: str) -> None:
        result = self.ws.run(command)
        assert result.code == 0, result.text

    @rule(name=st.sampled_from(NAMES), data=st.sampled_from(CONTENTS))
    def edit(self, name: str, data: bytes) -> None:
        if not self._can_hold_file(name) or self.files.get(name, ("",))[0] == "120000":
            return
        self.ws.write(name, data)
        self.files[name] = (self.files.get(name, ("100644",))[0], data)
        assert self.ws.read(name) == data

    @rule(name=st.sampled_from(NAMES), text=st.sampled_from(["y", "é", "a'b"]))
    def append(self, name: str, text: str) -> None:
        mode, data = self.files.get(name, ("100644", b""))
        if not self._can_hold_file(name) or mode == "120000":
            return
        path = quote_name(name)
        self._run(f'mkdir -p -- "$(dirname -- {path})"; printf %s {quote(text).decode()} >> {path}')
        self.files[name] = (mode, data + text.encode())

    @rule(name=st.sampled_from(NAMES))
    def remove(self, name: str) -> None:
        self._run(f"rm -rf -- {quote_name(name)}")
        self.files = {path: file for path, file in self.files.items() if path != name}
        self.files = {path: file for path, file in self.files.items() if not path.startswith(f"{name}/")}

    @rule(old=st.sampled_from(NAMES), new=st.sampled_from(NAMES))
    def move(self, old: str, new: str) -> None:
        if old not in self.files or old == new or not self._can_hold_file(new) or new.startswith(f"{old}/"):
            return
        if self.files[old] == ("120000", new.encode("utf-8", "surrogateescape")):
            return  # `mv` refuses to replace the target of a link by the link
        paths = [quote_name(old), quote_name(new)]
        self._run(f'mkdir -p -- "$(dirname -- {paths[1]})"; mv -fT -- {" ".join(paths)}')
        self.files[new] = self.files.pop(old)

    @rule(name=st.sampled_from(NAMES), on=st.booleans())
    def mode(self, name: str, on: bool) -> None:
        mode, data = self.files.get(name, ("", b""))
        if mode in ("", "120000"):
            return
        self._run(f"chmod {'+' if on else '-'}x -- {quote_name(name)}")
        self.files[name] = ("100755" if on else "100644", data)

    @rule(name=st.sampled_from(NAMES), to=st.sampled_from(["README", "nowhere", ".", "pkg"]))
    def link(self, name: str, to: str) -> None:
        if not self._can_hold_file(name):
            return
        path = quote_name(name)
        self._run(f'mkdir -p -- "$(dirname -- {path})"; rm -f -- {path}; ln -s {to} {path}')
        self.files[name] = ("120000", to.encode())

    @rule(death=st.sampled_from(["exit 3", "kill -9 $$", "exec true"]))
    def die(self, death: str) -> None:
        assert self.ws.run(f"rm -rf a; echo died > a; {death}").restarted
        self.files["a"] = ("100644", b"died\n")

    @rule()
    def time_out(self) -> None:
        self._run("rm -rf late")
        assert self.ws.run("echo 1 > late; sleep 30; echo 2 > late", timeout=0.3).timed_out
        self.files["late"] = ("100644", b"1\n")

    @rule(value=st.sampled_from(["1", "two words", "'"]))
    def export(self, value: str) -> None:
        self._run(f"export KEPT={quote(value).decode()}")
        self.exported = value

    @rule(exact=st.booleans())
    def snapshot(self, exact: bool) -> None:
        snapshot = self.ws.snapshot(exact)
        assert snapshot.skipped == ()
        assert read_tree(self.ws.options.trees, snapshot.tree) == self.files
        self.snapshots[snapshot.tree] = dict(self.files)

    @precondition(lambda self: self.snapshots)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        tree = data.draw(st.sampled_from(sorted(self.snapshots)))
        self.ws.restore(tree)
        self.files = dict(self.snapshots[tree])
        assert self.ws.snapshot(exact=True).tree == tree

    @precondition(lambda self: self.snapshots and self.ws is self.workspace)
    @rule(data=st.data())
    def fork(self, data: st.DataObject) -> None:
        """Continue in a fork."""
        tree = data.draw(st.sampled_from(sorted(self.snapshots)))
        self.ws = self.forks.enter_context(self.ws.fork(tree))
        self.files, self.exported = dict(self.snapshots[tree]), ""

    @invariant()
    def session_has_exported_variable(self) -> None:
        assert self.ws.run('printf %s "$KEPT"').text == self.exported


@pytest.fixture
def shared_workspace(kind: str, shared: Shared) -> Iterator[PosixWorkspace]:
    workspace = shared.take(kind)
    yield workspace
    shared.reset(kind, workspace)


@pytest.mark.slow
def test_workspace_agrees_with_model(shared_workspace: PosixWorkspace) -> None:
    class BoundMachine(Machine):
        workspace = shared_workspace

    examples, steps = 4, 20
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        BoundMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
