"""Links, races and special files used to attack reads, writes, snapshots and restores."""

from __future__ import annotations

import pytest

from trajectories.errors import SweAgentError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.mark.slow
def test_links_out_of_workspace_are_refused(ws, marker):
    ws.run("ln -s /etc/hostname out; ln -s / root; mkdir sub; ln -s ../../../../../../../../../.. sub/up")
    for path in ("out", "root/etc/hostname", "sub/up/etc/hostname", "../../etc/hostname", "/etc/hostname"):
        with pytest.raises(SweAgentError):
            ws.read(path)
    for path in (f"root{marker}", f"sub/up{marker}", "out", "/etc/new", f"../../../..{marker}"):
        with pytest.raises(SweAgentError):
            ws.write(path, b"x")
    assert not marker.exists()


@pytest.mark.slow
def test_directory_swapped_for_link_causes_no_write_on_host(ws, marker):
    ws.run(f"mkdir -p d /tmp/away {marker.parent}")
    ws.run(f"(while :; do rm -rf d; ln -s {marker.parent} d; rm -f d; mkdir d; done) >/dev/null 2>&1 &")
    for _ in range(30):
        try:
            ws.write(f"d/{marker.name}", b"x")
            ws.read(f"d/{marker.name}")
        except (SweAgentError, OSError):
            continue
    ws.snapshot()
    assert not marker.exists()


def test_hard_link_is_not_written_through(ws):
    linked = ws.run("echo outside > /tmp/outside; ln -f /tmp/outside README")
    if ws.kind == "sandbox":  # where /tmp is another mount
        assert "cross-device" in linked.text
        return
    tree = ws.snapshot().tree
    assert ws.options.trees.read(tree, "README") == b"outside\n"
    ws.restore(ws.options.base.tree)
    assert ws.read("README") == b"hello\n"
    assert ws.run("cat /tmp/outside").text == "outside\n"


def test_special_files_do_not_block(ws):
    ws.run(
        "rm README pkg/mod.py; mkfifo README fifo; ln -s loop loop; ln -s /dev/zero zero; ln -s /dev/random pkg/mod.py"
    )
    tree = ws.snapshot().tree
    assert ws.options.trees.read(tree, "zero") == b"/dev/zero"
    for path in ("README", "fifo", "loop", "zero"):
        with pytest.raises((SweAgentError, OSError)):
            ws.read(path)
    ws.restore(ws.options.base.tree)
    assert ws.read("README") == b"hello\n"


def test_hostile_file_names_survive_snapshot_and_restore(ws):
    ws.run("touch $'two\\nlines' $'\\033]0;t\\007' -- '-rf' ' ' '\"' \"$(printf 'a%.0s' $(seq 255))\" $'\\xff\\xfe'")
    ws.run("p=.; for i in $(seq 400); do p=$p/deeperanddeeper; done; mkdir -p $p; (cd $p && touch end)")
    tree = ws.snapshot().tree
    names = {change.path for change in ws.options.trees.changed(ws.options.base.tree, tree)}
    assert {"-rf", " ", '"'} <= names
    ws.restore(ws.options.base.tree)
    assert ws.snapshot(exact=True).tree == ws.options.base.tree


def test_files_that_change_during_snapshot_are_tolerated(ws):
    ws.run("(while :; do mkdir -p x/y; echo $RANDOM > x/y/a; ln -sf a x/y/b; rm -rf x; done) >/dev/null 2>&1 &")
    for _ in range(10):
        try:
            tree = ws.snapshot().tree
        except SweAgentError:
            continue
        assert {change.path for change in ws.options.trees.changed(ws.options.base.tree, tree)} <= {"x/y/a", "x/y/b"}


@pytest.mark.slow
def test_unpacked_size_of_small_pack_is_limited(ws):
    """A few hundred kilobytes in transfer, hundreds of megabytes once unpacked."""
    before = sum(file.stat().st_size for file in ws.options.trees.path.rglob("*") if file.is_file())
    ws.run("head -c 200000000 /dev/zero > zeros; cp zeros zeros1; echo 1 >> zeros1", timeout=100)
    try:
        tree = ws.snapshot().tree
        with pytest.raises((SweAgentError, OSError)):
            ws.options.trees.read(tree, "zeros1")
    except SweAgentError:
        pass
    after = sum(file.stat().st_size for file in ws.options.trees.path.rglob("*") if file.is_file())
    assert after - before < 100_000_000
