"""The limits that settings put on a container, as the daemon has them, and a read-only root."""

from __future__ import annotations

import json
import subprocess
import time

import pytest

from aci.docker.container_limits import OPEN_FILES, parse_size
from aci.docker.docker_daemon import all_discarded
from trajectories.errors import WorkspaceError

pytestmark = pytest.mark.docker


def host_config(ws) -> dict:
    asked = ["docker", "inspect", "-f", "{{json .HostConfig}}", ws._host._container.id]
    return json.loads(subprocess.run(asked, check=True, capture_output=True).stdout)


@pytest.fixture
def repo(make_repo):
    return make_repo({"README": "hello\n"})


def test_settings_reach_daemon(repo, open_ws):
    found = host_config(open_ws("docker", repo, cpus=0.5, memory="300m", disk="200m", runtime="runc"))
    assert found["NanoCpus"] == 500_000_000
    assert found["CpuShares"] == 512
    assert found["Memory"] == found["MemorySwap"] == 300 << 20
    assert found["Runtime"] == "runc"
    assert [option.partition("{")[0] for option in found["SecurityOpt"]] == ["no-new-privileges", "seccomp="]
    assert {"Name": "nofile", "Soft": OPEN_FILES, "Hard": OPEN_FILES} in found["Ulimits"]
    assert {"Name": "fsize", "Soft": 200 << 20, "Hard": 200 << 20} in found["Ulimits"]
    assert not found["Privileged"]
    assert not found["Binds"]


def test_runtime_that_is_not_there_is_sentence(repo, open_ws):
    with pytest.raises(WorkspaceError, match="no-such-runtime"):
        open_ws("docker", repo, runtime="no-such-runtime")


def test_sizes():
    assert [parse_size(text) for text in ("7", "2k", "512m", "4g")] == [7, 2048, 512 << 20, 4 << 30]


@pytest.mark.slow
def test_read_only_root(repo, open_ws):
    ws = open_ws("docker", repo, read_only=True)
    for place in ("/opt/x", "/usr/lib/x", "/etc/ld.so.preload", "/x"):
        assert ws.run(f"touch {place}").code, place
    assert ws.run("touch /tmp/x /var/tmp/x /run/x; echo '#!/bin/sh' > /tmp/x; chmod +x /tmp/x; /tmp/x").code == 0
    ws.write("new.txt", b"new\n")
    tree = ws.snapshot().tree
    assert ws.options.trees.read(tree, "new.txt") == b"new\n"
    ws.restore(ws.options.base.tree)
    fork = ws.fork(tree)
    assert fork.run("cat README new.txt").text == "hello\nnew\n"
    volumes = subprocess.run(["docker", "volume", "ls", "-q"], check=True, capture_output=True).stdout.split()
    mine = {
        mount["Name"].encode()
        for each in (ws, fork)
        for mount in json.loads(
            subprocess.run(
                ["docker", "inspect", "-f", "{{json .Mounts}}", each._host._container.id],
                check=True,
                capture_output=True,
            ).stdout
        )
        if mount["Type"] == "volume"
    }
    assert mine
    assert mine <= set(volumes)
    fork.close()
    ws.close()
    all_discarded()
    left = subprocess.run(["docker", "volume", "ls", "-q"], check=True, capture_output=True).stdout.split()
    assert not mine & set(left)


@pytest.mark.slow
def test_what_goes_on_after_full_disk(repo, open_ws):
    """The session is told, may make room, and then works as before; a disk twice full ends the workspace."""
    ws = open_ws("docker", repo, disk="60m")
    ran = ws.run(f"echo kept > kept; {filled('a', 2)}; sleep 30", timeout=60)
    assert "The disk is full" in ran.text
    assert ws.run("cat kept; rm /tmp/a*").text.endswith("kept\n")
    while ws._host._watch.is_full:
        time.sleep(0.1)
    assert ws.run("echo alive").text == "alive\n"
    tree = ws.snapshot().tree
    assert ws.options.trees.read(tree, "kept") == b"kept\n"
    fill = "{}; sleep 3; {}; sleep 60"
    assert "The disk is full" in ws.run(fill.format(filled("a", 4), filled("b", 6)), timeout=60).text
    with pytest.raises(WorkspaceError, match="workspace was removed"):
        ws.run(fill.format(filled("c", 4), filled("d", 6)), timeout=60)


def filled(name: str, files: int) -> str:
    """A command that writes so many files of 50 MB; a single one cannot exceed the limit."""
    return f"for part in $(seq {files}); do head -c 50000000 /dev/zero > /tmp/{name}$part; done"
