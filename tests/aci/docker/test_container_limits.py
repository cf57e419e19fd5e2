"""The limits that settings put on a container, as the daemon reports them, and a read-only root."""

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
    command = ["docker", "inspect", "-f", "{{json .HostConfig}}", ws._host._container.id]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


@pytest.fixture
def repo(make_repo):
    return make_repo({"README": "hello\n"})


def test_daemon_applies_settings(repo, open_ws):
    config = host_config(open_ws("docker", repo, cpus=0.5, memory="300m", disk="200m", runtime="runc"))
    assert config["NanoCpus"] == 500_000_000
    assert config["CpuShares"] == 512
    assert config["Memory"] == config["MemorySwap"] == 300 << 20
    assert config["Runtime"] == "runc"
    assert [option.partition("{")[0] for option in config["SecurityOpt"]] == ["no-new-privileges", "seccomp="]
    assert {"Name": "nofile", "Soft": OPEN_FILES, "Hard": OPEN_FILES} in config["Ulimits"]
    assert {"Name": "fsize", "Soft": 200 << 20, "Hard": 200 << 20} in config["Ulimits"]
    assert not config["Privileged"]
    assert not config["Binds"]


def test_missing_runtime_is_reported_by_name(repo, open_ws):
    with pytest.raises(WorkspaceError, match="no-such-runtime"):
        open_ws("docker", repo, runtime="no-such-runtime")


def test_sizes_are_parsed_with_binary_units():
    assert [parse_size(text) for text in ("7", "2k", "512m", "4g")] == [7, 2048, 512 << 20, 4 << 30]


@pytest.mark.slow
def test_read_only_root_leaves_workspace_writable(repo, open_ws):
    ws = open_ws("docker", repo, read_only=True)
    for path in ("/opt/x", "/usr/lib/x", "/etc/ld.so.preload", "/x"):
        assert ws.run(f"touch {path}").code, path
    assert ws.run("touch /tmp/x /var/tmp/x /run/x; echo '#!/bin/sh' > /tmp/x; chmod +x /tmp/x; /tmp/x").code == 0
    ws.write("new.txt", b"new\n")
    tree = ws.snapshot().tree
    assert ws.options.trees.read(tree, "new.txt") == b"new\n"
    ws.restore(ws.options.base.tree)
    fork = ws.fork(tree)
    assert fork.run("cat README new.txt").text == "hello\nnew\n"
    volumes = subprocess.run(["docker", "volume", "ls", "-q"], check=True, capture_output=True).stdout.split()
    own_volumes = {
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
    assert own_volumes
    assert own_volumes <= set(volumes)
    fork.close()
    ws.close()
    all_discarded()
    leftovers = subprocess.run(["docker", "volume", "ls", "-q"], check=True, capture_output=True).stdout.split()
    assert not own_volumes & set(leftovers)


@pytest.mark.slow
def test_workspace_works_after_first_full_disk(repo, open_ws):
    """After the first full disk, files can be removed and work continues; twice the limit removes the workspace."""
    ws = open_ws("docker", repo, disk="60m")
    result = ws.run(f"echo kept > kept; {write_files_command('a', 2)}; sleep 30", timeout=60)
    assert "The disk is full" in result.text
    assert ws.run("cat kept; rm /tmp/a*").text.endswith("kept\n")
    while ws._host._watch.is_full:
        time.sleep(0.1)
    assert ws.run("echo alive").text == "alive\n"
    tree = ws.snapshot().tree
    assert ws.options.trees.read(tree, "kept") == b"kept\n"
    fill = "{}; sleep 3; {}; sleep 60"
    assert (
        "The disk is full"
        in ws.run(fill.format(write_files_command("a", 4), write_files_command("b", 6)), timeout=60).text
    )
    with pytest.raises(WorkspaceError, match="workspace was removed"):
        ws.run(fill.format(write_files_command("c", 4), write_files_command("d", 6)), timeout=60)


def write_files_command(name: str, files: int) -> str:
    """Return a command that writes `files` files of 50 MB, since a single file cannot exceed the limit."""
    return f"for part in $(seq {files}); do head -c 50000000 /dev/zero > /tmp/{name}$part; done"
