"""Services beside a workspace: images made here whose program is a few lines of Python."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Timer

import pytest

from aci.docker.docker_daemon import OWNER_LABEL, connect
from aci.docker.service_containers import Service, _image
from aci.repository.process_owner import own_mark
from aci.runtime.workspace import WorkspaceOptions
from tests.aci.workspaces.breakout.hostile import host_mounts
from tests.conftest import IMAGE, MakeRepo, OpenWorkspace
from trajectories.errors import Cancelled, WorkspaceError

pytestmark = pytest.mark.docker

KEEPER = """\
import os, socketserver, sys, time
print("starting", os.environ.get("GREETING"), flush=True)
open(os.environ.get("DATA", "/tmp") + "/state", "a").close()
time.sleep(float(os.environ.get("LATE", "0")))
kept = [os.environ.get("GREETING", "nothing").encode()]
class Keeper(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline().strip()
        kept.append(line) if line else self.wfile.write(b" ".join(kept))
socketserver.TCPServer.allow_reuse_address = True
socketserver.TCPServer(("", int(sys.argv[1])), Keeper).serve_forever()
"""
"""Keeps each line that it is sent; an empty one is answered with all of them."""


def say(port: int, line: str, host: str = "127.0.0.1") -> str:
    program = (
        f"import socket; s = socket.create_connection(({host!r}, {port})); s.sendall(b'{line}\\n'); "
        "print(s.makefile().read())"
    )
    return f'python3 -c "{program}"'


def docker(*args: str, input: str = "") -> str:
    return subprocess.run(["docker", *args], input=input, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def keeper() -> Iterator[str]:
    """An image whose program keeps lines at port 7001, as a user that is not root, with a volume."""
    name = f"swe-agent-test-{uuid.uuid4().hex[:8]}:latest"
    into = (
        "cat > /keeper.py; mkdir /data; printf '#!/bin/sh\\nchown 65534 /data\\nexec %s \"$@\"\\n' '" + DROP + "' > /go"
    )
    container = docker("create", "-i", "--label=swe-agent=1", "--network=none", "--entrypoint=sh", IMAGE, "-ec", into)
    try:
        docker("start", "-ai", container, input=KEEPER)
        changes = [
            'ENTRYPOINT ["sh","/go"]',
            'CMD ["7001"]',
            "EXPOSE 7001",
            "VOLUME /data",
            "ENV DATA=/data",
            "USER root",
        ]
        docker("commit", *(f"--change={change}" for change in changes), container, name)
    finally:
        docker("rm", "-f", container)
    yield name
    docker("image", "rm", "-f", name)


DROP = "setpriv --reuid 65534 --regid 65534 --clear-groups python3 /keeper.py"


@pytest.fixture
def repo(make_repo: MakeRepo) -> Path:
    return make_repo({"README": "hello\n"})


def running() -> set[str]:
    """The containers of this process."""
    return set(docker("ps", "-aq", f"--filter=label={OWNER_LABEL}={own_mark()}").split())


@pytest.mark.slow
def test_service_is_reached_on_loopback_by_number_and_by_name(
    keeper: str, repo: Path, open_ws: OpenWorkspace
) -> None:
    before = running()
    told: list[str] = []
    service = Service("store", keeper, env={"GREETING": "hello"}, variables={"STORE_URL": "store:7001"})
    ws = open_ws("docker", repo, services=(service,), say=told.append)
    assert ws.run(say(7001, "")).text.strip() == "hello"
    assert ws.run(say(7001, "", "store")).text.strip() == "hello"
    assert ws.run("echo $STORE_URL").text.strip() == "store:7001"
    assert "Starting the service store." in told
    assert len(running() - before) == 3
    ws.close()
    assert running() == before


@pytest.mark.slow
def test_there_is_no_way_out_beside_it(keeper: str, repo: Path, open_ws: OpenWorkspace) -> None:
    ws = open_ws("docker", repo, services=(Service("store", keeper),))
    interfaces = [line.split(":")[0].strip() for line in ws.run("cat /proc/net/dev").text.splitlines()[2:]]
    assert interfaces == ["lo"]


@pytest.mark.slow
def test_service_is_confined_as_workspace_is(keeper: str, repo: Path, open_ws: OpenWorkspace) -> None:
    before = running()
    open_ws("docker", repo, services=(Service("store", keeper),), memory="200m", processes=50)
    found = [json.loads(docker("inspect", each))[0] for each in running() - before]
    (service,) = [each for each in found if each["Config"]["Cmd"] == ["7001"]]
    host = service["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges" in host["SecurityOpt"]
    assert (host["Memory"], host["PidsLimit"], host["Privileged"]) == (200 << 20, 50, False)
    assert not host["Binds"]
    assert {mount["RW"] for mount in service["Mounts"]} == {False}
    (holder,) = [each for each in found if each["HostConfig"]["NetworkMode"] == "none"]
    assert subprocess.run(["docker", "exec", holder["Id"], "touch", "/file"], capture_output=True).returncode == 1
    for each in found:
        assert any(option.startswith("seccomp={") for option in each["HostConfig"]["SecurityOpt"])
        assert host_mounts(docker("exec", each["Id"], "cat", "/proc/self/mountinfo")) == []
    assert list(host["Tmpfs"]) == ["/data"]
    assert host["LogConfig"]["Config"]["max-size"] == "5m"
    assert service["Config"]["Labels"][OWNER_LABEL]


@pytest.mark.slow
def test_each_fork_has_its_own(keeper: str, repo: Path, open_ws: OpenWorkspace) -> None:
    before = running()
    ws = open_ws("docker", repo, services=(Service("store", keeper, env={"GREETING": "first"}),))
    ws.run(say(7001, "of-the-parent"))
    fork = ws.fork(ws.snapshot().tree)
    assert fork.run(say(7001, "")).text.strip() == "first"
    assert ws.run(say(7001, "")).text.strip() == "first of-the-parent"
    fork.close()
    assert len(running() - before) == 3


@pytest.mark.slow
def test_workspace_that_starts_anew_finds_its_services_again(keeper: str, repo: Path, open_ws: OpenWorkspace) -> None:
    ws = open_ws("docker", repo, services=(Service("store", keeper),))
    ws.run(say(7001, "kept"))
    assert ws._host.relieve()
    assert ws.run("true").restarted
    assert ws.run(say(7001, "")).text.strip() == "nothing kept"


@pytest.mark.slow
def test_several_services_at_ports_of_their_own(keeper: str, repo: Path, open_ws: OpenWorkspace) -> None:
    two = (
        Service("one", keeper, env={"GREETING": "1"}),
        Service("two", keeper, "7002", {"GREETING": "2"}, ports=(7002,)),
    )
    ws = open_ws("docker", repo, services=two)
    assert ws.run(say(7001, "")).text.strip() == "1"
    assert ws.run(say(7002, "", "two")).text.strip() == "2"


def fails(keeper: str, repo: Path, open_ws: OpenWorkspace, *services: Service) -> str:
    """Why a workspace with these cannot be opened; nothing is left of it."""
    before = running()
    with pytest.raises(WorkspaceError) as caught:
        open_ws("docker", repo, services=services)
    assert running() == before
    return caught.value.message


def test_two_that_want_one_port_are_told(keeper: str, repo: Path, open_ws: OpenWorkspace) -> None:
    why = fails(keeper, repo, open_ws, Service("a", keeper), Service("b", keeper))
    assert why == "The services a and b both use port 7001."


@pytest.mark.slow
def test_one_that_finds_its_port_taken_is_told_with_what_it_said(
    keeper: str, repo: Path, open_ws: OpenWorkspace
) -> None:
    second = Service("b", keeper, "7001", ready="test -e /never")
    why = fails(keeper, repo, open_ws, Service("a", keeper), second)
    assert "The service b ended with status 1 before it was ready." in why
    assert "Address already in use" in why


@pytest.mark.slow
def test_one_that_does_not_get_ready_is_told_with_its_last_lines(
    keeper: str, repo: Path, open_ws: OpenWorkspace
) -> None:
    slow = Service("slow", keeper, env={"LATE": "60", "GREETING": "\x1b[31mred"}, seconds=6.0)
    why = fails(keeper, repo, open_ws, slow)
    assert why == "The service slow was not ready within 6 s. Its last lines:\nstarting red"


@pytest.mark.slow
def test_ready_command_is_waited_for(keeper: str, repo: Path, open_ws: OpenWorkspace) -> None:
    ready = "test -e /tmp/asked-before || { touch /tmp/asked-before; false; }"
    ws = open_ws("docker", repo, services=(Service("store", keeper, ready=ready),))
    assert ws.run(say(7001, "")).text.strip() == "nothing"


@pytest.mark.slow
@pytest.mark.parametrize("ready", ["sleep 600", "exec yes"])
def test_ready_command_that_does_not_end_is_told_in_time(
    keeper: str, repo: Path, open_ws: OpenWorkspace, ready: str
) -> None:
    service = Service("stuck", keeper, env={"GREETING": "here"}, ready=ready, seconds=3.0)
    assert fails(keeper, repo, open_ws, service).startswith("The service stuck was not ready within 3 s.")


@pytest.mark.slow
def test_ready_command_that_does_not_end_can_be_interrupted(
    keeper: str, repo: Path, open_ws: OpenWorkspace, tmp_path: Path
) -> None:
    before = running()
    cancel = Event()
    timer = Timer(4.0, cancel.set)
    timer.start()
    with pytest.raises(Cancelled):
        open_ws("docker", repo, services=(Service("stuck", keeper, ready="sleep 600", seconds=600),), cancel=cancel)
    timer.join()
    assert running() == before


def test_range_of_exposed_ports() -> None:
    """Docker never writes one; builders of others do."""
    name = f"swe-agent-test-{uuid.uuid4().hex[:8]}:latest"
    ports: dict[str, object] = {key: {} for key in ("7000-7002/tcp", "7005/udp", "x/tcp", "9/tcp")}
    config = {"config": {"ExposedPorts": ports}, "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
    options = WorkspaceOptions(None, None, None)  # type: ignore[arg-type]
    daemon = connect()
    load(name, config)
    try:
        assert sorted(_image(daemon, Service("s", name), options)[1]) == [9, 7000, 7001, 7002]
    finally:
        daemon.rest()
        docker("image", "rm", "-f", name)


def load(name: str, config: dict[str, object]) -> None:
    """An image of no files with this configuration, whatever stands in it."""
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": []}]
    with io.BytesIO() as archive:
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for file, said in (("config.json", config), ("manifest.json", manifest)):
                entry = tarfile.TarInfo(file)
                entry.size = len(data := json.dumps(said).encode())
                tar.addfile(entry, io.BytesIO(data))
        subprocess.run(["docker", "load"], input=archive.getvalue(), check=True, capture_output=True)


def test_image_that_is_not_there_is_told(keeper: str, repo: Path, open_ws: OpenWorkspace) -> None:
    assert "is not a valid image name" in fails(keeper, repo, open_ws, Service("x", "No Image"))


def test_waiting_can_be_interrupted(keeper: str, repo: Path, open_ws: OpenWorkspace) -> None:
    before = running()
    cancel = Event()

    def told(line: str) -> None:
        if "service" in line:
            cancel.set()

    with pytest.raises(Cancelled):
        open_ws("docker", repo, services=(Service("s", keeper, env={"LATE": "60"}),), say=told, cancel=cancel)
    assert running() == before


@pytest.mark.slow
def test_what_dead_process_left_is_removed(keeper: str, repo: Path, open_ws: OpenWorkspace) -> None:
    """As leftovers of a workspace are: by their label, which holders and services have too."""
    before = running()
    open_ws("docker", repo, services=(Service("store", keeper),))
    labels = [json.loads(docker("inspect", each))[0]["Config"]["Labels"] for each in running() - before]
    assert len(labels) == 3
    assert len({each[OWNER_LABEL] for each in labels}) == 1
    daemon = connect()
    daemon.remove_leftovers()
    daemon.rest()
    assert len(running() - before) == 3
