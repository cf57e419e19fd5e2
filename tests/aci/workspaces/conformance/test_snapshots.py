"""Snapshots and restores: a tree records every change to the files, and restoring it is exact."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from aci.runtime import snapshots
from aci.runtime.posix_workspace import PosixWorkspace
from aci.runtime.workspace import Snapshot
from tests.aci.workspaces.conformance.conftest import BINARY, FILES, LATIN, LFS, LONG, changed, check_output
from tests.conftest import MakeRepo, OpenWorkspace, git
from trajectories.errors import RunBroken, WorkspaceError
from trajectories.git_store.object_reader import Entry

ONLY_FILES = True
"""Tests in this module need no reset of the sessions."""
MANY = {f"many/{number // 100}/{number}.txt" for number in range(500)}
COMMIT = "git -c user.name=a -c user.email=a@b commit -qm x"
CHANGES: list[tuple[str, str, dict[str, str]]] = [
    ("nothing", ":", {}),
    ("a new file", "echo new > a", {"a": "A"}),
    ("an empty new file", ": > a", {"a": "A"}),
    ("a changed file", "echo more >> README", {"README": "M"}),
    ("a file written with the same bytes", "echo hello > README", {}),
    ("a touched file", "touch README", {}),
    ("a removed file", "rm README", {"README": "D"}),
    ("a renamed file", "mv README OTHER", {"README": "D", "OTHER": "A"}),
    (
        "a renamed folder",
        "mv pkg gkp",
        dict.fromkeys(FILES_OF_PKG := ("pkg/__init__.py", "pkg/mod.py"), "D")
        | dict.fromkeys(("gkp/__init__.py", "gkp/mod.py"), "A"),
    ),
    ("a removed folder", "rm -r pkg", dict.fromkeys(FILES_OF_PKG, "D")),
    ("made executable", "chmod +x README", {"README": "M"}),
    ("no longer executable", "chmod -x run.sh", {"run.sh": "M"}),
    ("a mode that git does not store", "chmod 640 README", {}),
    ("a file becomes a folder", "rm README; mkdir README; echo 1 > README/x", {"README": "D", "README/x": "A"}),
    ("a folder becomes a file", "rm -r pkg; echo 1 > pkg", dict.fromkeys(FILES_OF_PKG, "D") | {"pkg": "A"}),
    ("a file becomes a link", "rm README; ln -s run.sh README", {"README": "T"}),
    ("a link becomes a file", "rm link; echo 1 > link", {"link": "T"}),
    ("a link becomes a folder", "rm link; mkdir link; echo 1 > link/x", {"link": "D", "link/x": "A"}),
    ("a folder becomes a link", "rm -r pkg; ln -s packages pkg", dict.fromkeys(FILES_OF_PKG, "D") | {"pkg": "A"}),
    ("a link with another target", "ln -sfn /nowhere/at/all link", {"link": "M"}),
    ("new links in a loop", "ln -s b a; ln -s a b; ln -s . here", {"a": "A", "b": "A", "here": "A"}),
    ("an empty folder", "mkdir -p empty-folder/in/side", {}),
    ("an emptied folder", "rm pkg/*", dict.fromkeys(FILES_OF_PKG, "D")),
    ("ignored files", "echo 1 > x.log; mkdir build venv; echo 1 > build/x; echo 1 > venv/x", {}),
    ("an ignored file that is tracked", "echo 1 >> kept.log", {"kept.log": "M"}),
    (
        "an inner .gitignore",
        "cd packages/app; echo 1 > a.tmp; echo 1 > kept.tmp",
        {"packages/app/kept.tmp": "A"},
    ),
    (
        "a .gitignore that hides",
        "echo '*' > .gitignore; echo 1 > hidden; echo 1 >> README",
        {".gitignore": "M", "README": "M"},
    ),
    ("a removed .gitignore", "echo 1 > x.log; rm .gitignore", {".gitignore": "D", "x.log": "A"}),
    (
        "attributes that convert",
        "echo '* text eol=crlf working-tree-encoding=UTF-16' > .gitattributes",
        {".gitattributes": "M"},
    ),
    ("line ends changed", "printf 'one\\ntwo\\n' > dos.txt", {"dos.txt": "M"}),
    ("no newline, then one", "echo >> 'no newline'", {"no newline": "M"}),
    ("a binary file", "printf '\\000\\377' >> image.png", {"image.png": "M"}),
    ("an LFS pointer", "sed -i 's/size 12345/size 99999/' model.bin", {"model.bin": "M"}),
    ("a file that LFS would convert", "printf 'raw\\000bytes' > model.bin", {"model.bin": "M"}),
    ("a file that ident would convert", "printf '$Id: abc $\\n' > tagged.id", {"tagged.id": "M"}),
    (
        "a name with a newline",
        "echo more >> 'new\nline'; echo 1 > 'other\nline\n'",
        {"new\nline": "M", "other\nline\n": "A"},
    ),
    (
        "a name that is no UTF-8",
        "echo more >> $(printf 'caf\\351'); echo 1 > $(printf '\\377')",
        {LATIN: "M", "\udcff": "A"},
    ),
    ("a name with a dash", "echo more >> ./-rf; echo 1 > ./--all", {"-rf": "M", "--all": "A"}),
    ("a very long name", f"echo more >> {LONG}; echo 1 > {LONG}x", {LONG: "M", f"{LONG}x": "A"}),
    ("a very deep file", "echo more >> " + "deep/" * 30 + "leaf", {"deep/" * 30 + "leaf": "M"}),
    ("names that differ in case only", "rm case; mv CASE x; mv x case", {"CASE": "D", "case": "M"}),
    (
        "a file name special to git",
        "mkdir sub; echo 1 > sub/.gitmodules; echo 1 > .gitmodules",
        {"sub/.gitmodules": "A", ".gitmodules": "A"},
    ),
    (
        "names with pathspec magic",
        "echo 1 > ':(top)x'; echo 1 > '*'; echo 1 > '[a]'",
        {":(top)x": "A", "*": "A", "[a]": "A"},
    ),
    ("500 files changed", "for f in many/*/*.txt; do echo more >> $f; done", dict.fromkeys(MANY, "M")),
    ("500 files removed", "rm -r many", dict.fromkeys(MANY, "D")),
    ("everything removed", "find . -mindepth 1 -maxdepth 1 ! -name .git -exec rm -rf {} +", {"*": "D"}),
    ("the repository's folder removed", 'rm -rf "$PWD"', {"*": "D"}),
    (
        "git commands in a monorepo",
        "cd packages/app; echo 1 >> app.py; git add -A; git stash -q; git stash pop -q",
        {"packages/app/app.py": "M"},
    ),
    ("a commit", f"echo 1 >> README; git add -A; {COMMIT}", {"README": "M"}),
    ("a commit amended and reset", f"git reset -q --soft HEAD; git commit -q --amend -m y; {COMMIT} --allow-empty", {}),
    ("another branch", f"git checkout -q -b b; rm -r many; git add -A; {COMMIT}", dict.fromkeys(MANY, "D")),
    ("the git index deleted", "rm -f .git/index; echo 1 >> README", {"README": "M"}),
    ("the git index locked", "touch .git/index.lock; echo 1 >> README", {"README": "M"}),
    ("the .git removed", "rm -rf .git; echo 1 >> README", {"README": "M"}),
    ("the .git a file", "rm -rf .git; echo 'gitdir: /nowhere' > .git; echo 1 >> README", {"README": "M"}),
    ("assume-unchanged", "git update-index --assume-unchanged README; echo 1 >> README", {"README": "M"}),
    ("skip-worktree", "git update-index --skip-worktree README; echo 1 >> README", {"README": "M"}),
    (
        "a sparse checkout",
        "git sparse-checkout set pkg >/dev/null 2>&1; echo 1 >> pkg/mod.py",
        {"pkg/mod.py": "M", "?": "D"},
    ),
    (
        "git excludes",
        "echo '*' > .git/info/exclude; git config core.excludesFile .gitignore; echo 1 > a",
        {"a": "A"},
    ),
    (
        "git filters",
        "git config filter.lfs.clean 'tr a-z A-Z'; git config filter.lfs.required true; echo x >> model.bin",
        {"model.bin": "M"},
    ),
    (
        "git hooks",
        "mkdir -p h; echo 'touch pwned' > h/post-index-change; chmod +x h/*; git config core.hooksPath h",
        {"h/post-index-change": "A"},
    ),
    ("a git file monitor", "git config core.fsmonitor 'touch pwned; false'; echo 1 >> README", {"README": "M"}),
    ("another git work tree", "git config core.worktree /tmp; echo 1 >> README", {"README": "M"}),
    (
        "git without file modes",
        "git config core.fileMode false; git config core.symlinks false; chmod +x README",
        {"README": "M"},
    ),
    ("a read-only folder", "mkdir ro; echo 1 > ro/x; chmod 555 ro", {"ro/x": "A"}),
    ("a read-only folder of the base", "chmod 555 pkg; chmod 444 README", {}),
    ("a sparse file", "truncate -s 3000000 hole", {"hole": "A"}),
    ("a hard link", "ln README hard; echo 1 >> hard", {"hard": "A", "README": "M"}),
    ("files with extreme times", "touch -d '1960-01-01' README; touch -d '2100-01-01' run.sh", {}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("commands", "expected"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES])
def test_change_is_in_snapshot_and_can_be_undone(ws: PosixWorkspace, commands: str, expected: dict[str, str]) -> None:
    base = ws.options.base.tree
    ws.run(commands)
    snapshot = ws.snapshot()
    statuses = changed(ws, snapshot.tree)
    if "*" in expected and "D" in expected.values():
        assert set(statuses.values()) == {"D"}
        assert len(statuses) >= len(FILES)
    elif "?" in expected:
        assert expected.items() - {"?": "D"}.items() <= statuses.items()
    else:
        assert statuses == expected
    assert snapshot.skipped == ()
    assert ws.snapshot(exact=True) == snapshot
    ws.restore(base)
    assert ws.snapshot(exact=True) == Snapshot(base)
    ws.restore(snapshot.tree)
    assert ws.snapshot(exact=True) == Snapshot(snapshot.tree)


UNSUPPORTED = [
    ("a pipe in place of a tracked file", "rm README; mkfifo README", {}, "README"),
    ("a new pipe", "mkfifo pipe; echo 1 > fine", {"fine": "A"}, ""),
    ("an empty repository", "git init -q empty-repo; echo 1 > fine", {"fine": "A"}, "empty-repo"),
    (
        "a nested repository",
        f"git init -q full; cd full; echo 1 > f; git add f; {COMMIT}; cd ..; echo 1 > fine",
        {"fine": "A"},
        "full",
    ),
    (
        "a tracked folder that becomes a repository",
        f"cd pkg; git init -q; git add .; {COMMIT}; echo more >> mod.py",
        {"pkg/mod.py": "M"},
        "",
    ),
    ("a worktree", "git worktree add -q wt >/dev/null 2>&1; echo 1 > fine", {"fine": "A"}, "wt"),
    ("a clone", "git clone -q . twin; echo 1 > fine", {"fine": "A"}, "twin"),
    (
        "files in a submodule",
        "mkdir -p vendor/sub/d; echo 1 > 'vendor/sub/d/a b'",
        {},
        "vendor/sub/d/a b (in a submodule)",
    ),
    (
        "a repository in a submodule",
        f"cd vendor/sub; git init -q; echo 1 > f; git add .; {COMMIT}",
        {},
        "vendor/sub",
    ),
    (
        "a socket",
        "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"sock\")'; echo 1 > fine",
        {"fine": "A"},
        "",
    ),
]


@pytest.mark.parametrize(
    ("commands", "expected", "skipped_path"), [case[1:] for case in UNSUPPORTED], ids=[case[0] for case in UNSUPPORTED]
)
def test_unsupported_file_keeps_last_state_and_is_reported(
    ws: PosixWorkspace, commands: str, expected: dict[str, str], skipped_path: str
) -> None:
    ws.run(commands)
    snapshot = ws.snapshot()
    assert changed(ws, snapshot.tree) == expected
    assert skipped_path in " ".join(snapshot.skipped)
    assert bool(skipped_path) == bool(snapshot.skipped)
    assert ws.snapshot() == snapshot
    ws.restore(ws.options.base.tree)
    assert ws.snapshot(exact=True) == Snapshot(ws.options.base.tree)


def test_unreadable_file_keeps_last_state(ws: PosixWorkspace) -> None:
    ws.run("echo changed > README; chmod 000 README; echo 1 > fine")
    readable = ws.run("cat README").code == 0
    snapshot = ws.snapshot()
    if readable:  # as root, who has all capabilities
        assert changed(ws, snapshot.tree) == {"README": "M", "fine": "A"}
    else:
        assert changed(ws, snapshot.tree) == {"fine": "A"}
        assert "README" in snapshot.skipped[0]
    ws.restore(ws.options.base.tree)
    assert ws.snapshot(exact=True) == Snapshot(ws.options.base.tree)
    assert ws.read("README") == b"hello\n"


def test_read_only_files_are_writable_after_restore(ws: PosixWorkspace) -> None:
    ws.run("chmod 444 README; chmod 555 pkg; chmod 000 run.sh")
    ws.restore(ws.options.base.tree)
    for path in ("README", "pkg/new", "run.sh"):
        ws.write(path, b"again\n")


def test_restore_removes_read_only_folders_and_repositories(ws: PosixWorkspace) -> None:
    ws.run("mkdir -p ro/x; echo 1 > ro/x/y; chmod 500 ro ro/x; chmod 000 ro/x; git init -q nest; echo 1 > nest/f")
    ws.run(f"echo '*' > .gitignore; echo h > hidden; (cd nest && git add f && {COMMIT})")
    ws.snapshot()
    ws.restore(ws.options.base.tree)
    assert ws.snapshot(exact=True) == Snapshot(ws.options.base.tree)
    assert check_output(ws, "ls -d ro nest hidden 2>/dev/null || :") == ""


def test_tree_holds_exact_bytes_of_files(ws: PosixWorkspace) -> None:
    ws.write("c.crlf", b"x\ny\r\n")
    ws.write("d.id", b"$Id$\r\n")
    trees, tree = ws.options.trees, ws.snapshot().tree
    assert trees.read(tree, "c.crlf") == b"x\ny\r\n"
    assert trees.read(tree, "d.id") == b"$Id$\r\n"
    assert trees.read(tree, "image.png") == BINARY
    assert trees.read(tree, "model.bin") == LFS.encode()
    assert trees.read(tree, "dos.txt") == b"one\r\ntwo\r\n"
    assert trees.read(tree, "out") == b"/etc/passwd"
    assert trees.files(tree)["vendor/sub"].mode == "160000"
    assert trees.files(tree)["run.sh"].mode == "100755"
    ws.restore(ws.options.base.tree)
    ws.restore(tree)
    assert ws.read("c.crlf") == b"x\ny\r\n"


def test_tree_created_on_host_can_be_restored(ws: PosixWorkspace) -> None:
    tree = ws.options.trees.write({"pkg/mod.py": b"\xff\0host\n", "README": None}, ws.options.base.tree)
    ws.restore(tree)
    assert ws.read("pkg/mod.py") == b"\xff\0host\n"
    assert ws.snapshot().tree == tree


@pytest.mark.slow
def test_restore_switches_between_many_trees(ws: PosixWorkspace) -> None:
    trees = [ws.options.base.tree]
    for number in range(5):
        ws.run(f"echo {number} > n; rm -rf d; mkdir d; echo {number} > d/{number}; chmod +x n")
        trees.append(ws.snapshot().tree)
    for tree in [*reversed(trees), *trees[::2], *trees[1::2]]:
        ws.restore(tree)
        assert ws.snapshot(exact=True).tree == tree


def test_restore_of_missing_tree_fails(ws: PosixWorkspace) -> None:
    with pytest.raises((RunBroken, WorkspaceError)):
        ws.restore("1" * 40)
    assert ws.snapshot(exact=True).tree == ws.options.base.tree


def test_restore_keeps_ignored_files(ws: PosixWorkspace) -> None:
    ws.run("echo 1 > x.log; mkdir build; echo 2 > build/x; echo new > a")
    ws.restore(ws.options.base.tree)
    assert check_output(ws, "cat x.log build/x; ls a 2>/dev/null || :") == "1\n2"


def test_session_in_restored_folder_stays_usable(ws: PosixWorkspace) -> None:
    ws.run("cd pkg; rm -rf ../pkg")
    ws.restore(ws.options.base.tree)
    assert check_output(ws, "cat mod.py && pwd") == f"def f():\n    return 1\n{ws.root}/pkg"
    ws.run("mkdir new; cd new; echo 1 > x")
    ws.restore(ws.options.base.tree)
    assert check_output(ws, "pwd") == ws.root


def test_stale_lock_of_store_is_ignored(ws: PosixWorkspace) -> None:
    ws._service.run('touch "$GIT_DIR/index.lock"')
    ws.run("echo new > a")
    assert changed(ws, ws.snapshot().tree) == {"a": "A"}
    ws._service.run('touch "$GIT_DIR/index.lock"')
    ws.restore(ws.options.base.tree)


def test_exact_snapshot_detects_write_with_restored_time(ws: PosixWorkspace) -> None:
    ws.snapshot()
    ws.run("touch -r README stamp; printf 'HELLO\\n' > README; touch -r stamp README; rm stamp")
    assert changed(ws, ws.snapshot(exact=True).tree) == {"README": "M"}


@pytest.mark.slow
def test_snapshot_tolerates_changing_files(ws: PosixWorkspace) -> None:
    ws.run(
        "(i=0; while [ $i -lt 400 ]; do echo $i > busy; rm busy; echo $i > busy2; i=$((i+1)); done) >/dev/null 2>&1 &"
    )
    for _ in range(3):
        assert set(changed(ws, ws.snapshot().tree)) <= {"busy", "busy2"}
    ws.run("wait")
    assert changed(ws, ws.snapshot().tree) == {"busy2": "A"}


def test_refused_pack_is_reported(ws: PosixWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aci.runtime.snapshots.PACK_LIMIT", 20_000)
    ws.run("head -c 100000 /dev/urandom > big")
    snapshot = ws.snapshot()
    assert snapshot.tree == ws.options.base.tree
    assert "all changes since the last step" in snapshot.skipped[0]
    ws.run("rm big; echo small > small")
    assert changed(ws, ws.snapshot().tree) == {"small": "A"}


# The base


def test_workspace_starts_at_base(ws: PosixWorkspace) -> None:
    assert check_output(ws, "git rev-parse HEAD") == ws.options.base.commit
    assert check_output(ws, "git -c core.quotepath=off -c filter.lfs.clean=cat status --porcelain") == ""
    assert ws.snapshot().tree == ws.snapshot(exact=True).tree == ws.options.base.tree


def test_uncommitted_changes_are_in_workspace(kind: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    repo = make_repo({"README": "hello\n", "run.sh": "#!/bin/sh\necho ran\n", "gone": "x"})
    (repo / "README").write_text("changed\n")
    (repo / "new.txt").write_text("new\n")
    (repo / "gone").unlink()
    (repo / "run.sh").chmod(0o755)
    (repo / "link").symlink_to("README")
    ws = open_ws(kind, repo)
    expected = {"M README", " M run.sh", "?? new.txt", " D gone", "?? link"}
    assert set(check_output(ws, "git status --porcelain").strip().splitlines()) == expected
    assert check_output(ws, "./run.sh; cat link") == "ran\nchanged"
    assert ws.snapshot(exact=True).tree == ws.options.base.tree


def test_workspace_has_no_commit_later_than_base(kind: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    repo = make_repo({"README": "hello\n"})
    first = git(repo, "rev-parse", "HEAD")
    (repo / "README").write_text("the fix\n")
    git(repo, "commit", "-qam", "later")
    git(repo, "tag", "v2")
    later = git(repo, "rev-parse", "HEAD")
    ws = open_ws(kind, repo, first)
    assert check_output(ws, "git log --all --format=%H") == first
    assert ws.run(f"git cat-file -e {later}").code != 0
    assert (
        check_output(ws, "git tag; git remote; git reflog; git stash list; git for-each-ref | grep -v refs/heads || :")
        == ""
    )


def test_workspace_of_subfolder_holds_whole_repository(kind: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    repo = make_repo({"packages/app/app.py": "x = 1\n", "packages/lib/lib.py": "y = 1\n"})
    ws = open_ws(kind, repo / "packages" / "app")
    assert check_output(ws, "ls packages") == "app\nlib", "the workspace is the whole repository"
    ws.write("packages/lib/lib.py", b"y = 2\n")
    assert changed(ws, ws.snapshot().tree) == {"packages/lib/lib.py": "M"}


def test_submodule_keeps_its_commit(ws: PosixWorkspace) -> None:
    base = ws.options.base.tree
    ws.run('cd vendor/sub; rm -rf "$PWD"')
    assert changed(ws, ws.snapshot().tree) == {"vendor/sub": "D"}
    ws.restore(base)
    assert ws.snapshot(exact=True) == Snapshot(base)
    assert check_output(ws, f"cd {ws.root}; ls -A vendor/sub") == ""


@pytest.mark.parametrize("verb", ["add", "write-tree", "pack-objects"])
def test_hanging_git_times_out_in_snapshot(
    verb: str, make_repo: MakeRepo, open_ws: OpenWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, real, broken = tmp_path / "fake" / "git", shutil.which("git"), tmp_path / "broken"
    fake.parent.mkdir()
    hang = f'for word; do [ "$word" = {verb} ] && [ -e {broken} ] && exec sleep 1000; done'
    fake.write_text(f'#!/bin/sh\n{hang}\nexec {real} "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")
    ws = open_ws("local", make_repo({"README": "hello\n"}))
    ws.run("echo new > new.txt")
    assert ws.options.trees.read(ws.snapshot().tree, "new.txt") == b"new\n"
    broken.touch()
    ws.run("echo newer > new.txt")
    monkeypatch.setattr(snapshots, "QUICK", 0.4)
    monkeypatch.setattr(snapshots, "LONG", 0.4)
    with pytest.raises(WorkspaceError, match=f"`git {verb}` of this machine did not end within 0 s"):
        ws.snapshot()


@pytest.mark.slow
@pytest.mark.docker
def test_hanging_git_of_image_is_reported(
    make_repo: MakeRepo, open_ws: OpenWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws = open_ws("docker", make_repo({"README": "hello\n"}))
    fake = '#!/bin/sh\\ncase "$*" in *write-tree*) exec sleep 1000 ;; esac\\nexec /tmp/git "$@"\\n'
    assert ws.run(f"cp $(command -v git) /tmp/git && printf '{fake}' > /tmp/f && cp /tmp/f $(command -v git)").code == 0
    monkeypatch.setattr(snapshots, "QUICK", 1.0)
    with pytest.raises(WorkspaceError, match="`git write-tree` of the image did not end within 1 s") as caught:
        ws.snapshot()
    assert "--image" in caught.value.fix


def test_time_for_snapshot_grows_with_repository() -> None:
    small = [Entry("100644", "0" * 40, 2_000)] * 100
    assert snapshots.estimate_git_seconds(small) < 1
    assert snapshots.estimate_git_seconds(small * 2_000) > 900, "200,000 files have more than 15 minutes"
