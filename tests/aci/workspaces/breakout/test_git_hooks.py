"""Programs that git would run automatically in a repository that the agent can write."""

from __future__ import annotations

import pytest

from trajectories.errors import SweAgentError


def changed_paths(ws, tree: str) -> list[str]:
    return [change.path for change in ws.options.trees.changed(ws.options.base.tree, tree)]


@pytest.mark.slow
def test_config_hooks_filters_and_fsmonitor_are_not_run(ws, marker):
    bad = f"touch {marker} /tmp/ran; cat"
    ws.run("mkdir -p hooks; for h in post-checkout post-index-change pre-commit reference-transaction; do "
           f"printf '#!/bin/sh\\n{bad}' > hooks/$h; chmod +x hooks/$h; done")  # fmt: skip
    for name in ("core.fsmonitor", "core.pager", "diff.external", "filter.bad.clean", "filter.bad.smudge",
                 "filter.bad.process", "diff.bad.textconv", "core.editor", "core.sshCommand", "alias.add"):  # fmt: skip
        ws.run(f"git config {name} '{bad}'")
    ws.run("git config core.hooksPath $PWD/hooks; echo '* filter=bad diff=bad' > .gitattributes; cp -r hooks .git/")
    ws.run("echo changed > README; rm -f /tmp/ran")
    tree = ws.snapshot().tree
    assert ws.options.trees.read(tree, "README") == b"changed\n"
    ws.restore(ws.options.base.tree)
    ws.fork(tree).close()
    assert ws.options.trees.diff(ws.options.base.tree, tree)
    assert not marker.exists()
    assert ws.run("ls /tmp/ran").code != 0, "the control session in the container ran a hook or filter"


def test_snapshot_works_with_moved_or_linked_git_directory(ws):
    ws.run("mv .git /tmp/moved; echo 'gitdir: /etc' > .git; echo new > new.txt")
    assert "new.txt" in changed_paths(ws, ws.snapshot().tree)
    ws.run("rm .git; ln -s /proc/1/root .git")
    assert "new.txt" in changed_paths(ws, ws.snapshot().tree)
    ws.run("rm .git; mv /tmp/moved .git; git config core.worktree /; git config core.bare true")
    assert changed_paths(ws, ws.snapshot().tree) == ["new.txt"]
    ws.restore(ws.options.base.tree)
    assert ws.snapshot(exact=True).tree == ws.options.base.tree


def test_alternates_and_nested_repositories_are_left_out(ws, marker):
    ws.run("mkdir -p .git/objects/info; echo /proc/1/root/objects > .git/objects/info/alternates")
    ws.run(f"git init -q pkg/inner; cd pkg/inner; echo x > x; echo 'touch {marker}' > .git/hooks/pre-commit; git add x")
    ws.run("git -c user.name=a -c user.email=a@b commit -qnm x; cd ../..")
    ws.run("printf '[submodule \"x\"]\\n\\tpath = pkg/inner\\n\\turl = ext::sh -c touch%% /tmp/ran\\n' > .gitmodules")
    snapshot = ws.snapshot()
    assert ".gitmodules" in changed_paths(ws, snapshot.tree)
    assert not any(".git/" in name for name in changed_paths(ws, snapshot.tree))
    assert any("pkg/inner" in path for path in snapshot.skipped)
    assert not marker.exists()


HOSTILE = ("../up", ".git/hooks/post-checkout", ".GIT/config", "git~1/config", ".git\u200c/config", "a/../../b", "/abs")
HOSTILE_ALONE = (".git", "..", ".", ".GIT", "git~1", ".git\u200c", ".git ", ".gitmodules\u200c")


@pytest.mark.parametrize("name", HOSTILE + HOSTILE_ALONE)
def test_tree_with_hostile_name_is_refused_or_cleaned(ws, name):
    """A replaced git in the container returns a tree that `git add` could never write."""
    ws.snapshot()
    ws.run("mkdir -p /tmp/bin; real=$(command -v git); " + WRAPPER.replace("NAME", name))
    try:
        tree = ws.snapshot().tree
    except SweAgentError:
        return
    for change in ws.options.trees.changed(ws.options.base.tree, tree):
        parts = change.path.lower().split("/")
        assert not {"..", ".", ".git", ".git ", "git~1", "", ".git\u200c"} & set(parts), change.path


WRAPPER = r"""
cp $real /tmp/git.real
blob=$(echo bad | git hash-object -w --stdin)
cat > /tmp/bin/git <<END
#!/bin/sh
case " \$* " in *" write-tree "*)
    python3 - <<'PY' | /tmp/git.real --git-dir=\${GIT_DIR:-.git} hash-object --literally -w -t tree --stdin
import sys
sys.stdout.buffer.write("100644 NAME\\0".encode() + bytes.fromhex("$blob"))
PY
    echo bad | /tmp/git.real hash-object -w --stdin >/dev/null; exit 0;; esac
exec /tmp/git.real "\$@"
END
chmod +x /tmp/bin/git; cp /tmp/bin/git $real 2>/dev/null
export PATH=/tmp/bin:$PATH; true
"""
