"""Services beside a workspace, with images built here whose program is a few lines of Python."""

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

from aci.docker.docker_daemon import OWNER_LABEL, all_discarded, connect
from aci.docker.service_containers import _image
from aci.observation.activity_message import ActivityMessage
from aci.repository.process_owner import own_mark
from aci.runtime.workspace import Service, WorkspaceOptions
from tests.aci.workspaces.breakout.hostile import host_mounts
from tests.conftest import IMAGE, MakeRepo, OpenWorkspace
from trajectories.errors import Cancelled, WorkspaceError

pytestmark = pytest.mark.docker

STORE = """\
import os, socketserver, sys, time
print("starting", os.environ.get("GREETING"), flush=True)
open(os.environ.get("DATA", "/tmp") + "/state", "a").close()
time.sleep(float(os.environ.get("LATE", "0")))
lines = [os.environ.get("GREETING", "nothing").encode()]
class Store(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline().strip()
        lines.append(line) if line else self.wfile.write(b" ".join(lines))
socketserver.TCPServer.allow_reuse_address = True
socketserver.TCPServer(("", int(sys.argv[1])), Store).serve_forever()
"""
"""A program that stores each line it receives, and answers an empty line with all of them."""


def send_line_command(port: int, line: str, host: str = "127.0.0.1") -> str:
    program = (
        f"import socket; s = socket.create_connection(({host!r}, {port})); s.sendall(b'{line}\\n'); "
        "print(s.makefile().read())"
    )
    return f'python3 -c "{program}"'


def docker(*args: str, input: str = "") -> str:
    return subprocess.run(["docker", *args], input=input, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def store_image() -> Iterator[str]:
    """An image whose program stores lines at port 7001, as a user other than root, with a volume."""
    name = f"swe-agent-test-{uuid.uuid4().hex[:8]}:latest"
    script = (
        "cat > /store.py; mkdir /data; printf '#!/bin/sh\\nchown 65534 /data\\nexec %s \"$@\"\\n' '"
        + RUN_AS_NOBODY
        + "' > /go"
    )
    container = docker("create", "-i", "--label=swe-agent=1", "--network=none", "--entrypoint=sh", IMAGE, "-ec", script)
    try:
        docker("start", "-ai", container, input=STORE)
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


RUN_AS_NOBODY = "setpriv --reuid 65534 --regid 65534 --clear-groups python3 /store.py"


@pytest.fixture
def repo(make_repo: MakeRepo) -> Path:
    return make_repo({"README": "hello\n"})


def own_containers() -> set[str]:
    """The containers of this process, after those that are discarded in the background are removed."""
    all_discarded()
    return set(docker("ps", "-aq", f"--filter=label={OWNER_LABEL}={own_mark()}").split())


@pytest.mark.slow
def test_service_is_reached_on_loopback_and_by_name(store_image: str, repo: Path, open_ws: OpenWorkspace) -> None:
    before = own_containers()
    messages: list[str] = []
    service = Service("store", store_image, env={"GREETING": "hello"}, variables={"STORE_URL": "store:7001"})
    ws = open_ws("docker", repo, services=(service,), say=messages.append)
    assert ws.run(send_line_command(7001, "")).text.strip() == "hello"
    assert ws.run(send_line_command(7001, "", "store")).text.strip() == "hello"
    assert ws.run("echo $STORE_URL").text.strip() == "store:7001"
    assert [type(one) for one in messages if one == "Starting the service store."] == [ActivityMessage]
    assert len(own_containers() - before) == 3
    ws.close()
    assert own_containers() == before


@pytest.mark.slow
def test_workspace_with_service_has_only_loopback(store_image: str, repo: Path, open_ws: OpenWorkspace) -> None:
    ws = open_ws("docker", repo, services=(Service("store", store_image),))
    interfaces = [line.split(":")[0].strip() for line in ws.run("cat /proc/net/dev").text.splitlines()[2:]]
    assert interfaces == ["lo"]


@pytest.mark.slow
def test_service_has_limits_of_workspace(store_image: str, repo: Path, open_ws: OpenWorkspace) -> None:
    before = own_containers()
    open_ws("docker", repo, services=(Service("store", store_image),), memory="200m", processes=50)
    containers = [json.loads(docker("inspect", each))[0] for each in own_containers() - before]
    (service,) = [each for each in containers if each["Config"]["Cmd"] == ["7001"]]
    host = service["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges" in host["SecurityOpt"]
    assert (host["Memory"], host["PidsLimit"], host["Privileged"]) == (200 << 20, 50, False)
    assert not host["Binds"]
    assert {mount["RW"] for mount in service["Mounts"]} == {False}
    (holder,) = [each for each in containers if each["HostConfig"]["NetworkMode"] == "none"]
    assert subprocess.run(["docker", "exec", holder["Id"], "touch", "/file"], capture_output=True).returncode == 1
    for each in containers:
        assert any(option.startswith("seccomp={") for option in each["HostConfig"]["SecurityOpt"])
        assert host_mounts(docker("exec", each["Id"], "cat", "/proc/self/mountinfo")) == []
    assert list(host["Tmpfs"]) == ["/data"]
    assert host["LogConfig"]["Config"]["max-size"] == "5m"
    assert service["Config"]["Labels"][OWNER_LABEL]


@pytest.mark.slow
def test_each_fork_has_its_own_service(store_image: str, repo: Path, open_ws: OpenWorkspace) -> None:
    before = own_containers()
    ws = open_ws("docker", repo, services=(Service("store", store_image, env={"GREETING": "first"}),))
    ws.run(send_line_command(7001, "of-the-parent"))
    fork = ws.fork(ws.snapshot().tree)
    assert fork.run(send_line_command(7001, "")).text.strip() == "first"
    assert ws.run(send_line_command(7001, "")).text.strip() == "first of-the-parent"
    fork.close()
    assert len(own_containers() - before) == 3


@pytest.mark.slow
def test_restarted_workspace_reaches_its_running_services(store_image: str, repo: Path, open_ws: OpenWorkspace) -> None:
    ws = open_ws("docker", repo, services=(Service("store", store_image),))
    ws.run(send_line_command(7001, "kept"))
    assert ws._host.relieve()
    assert ws.run("true").restarted
    assert ws.run(send_line_command(7001, "")).text.strip() == "nothing kept"


@pytest.mark.slow
def test_services_listen_at_different_ports(store_image: str, repo: Path, open_ws: OpenWorkspace) -> None:
    services = (
        Service("one", store_image, env={"GREETING": "1"}),
        Service("two", store_image, "7002", {"GREETING": "2"}, ports=(7002,)),
    )
    ws = open_ws("docker", repo, services=services)
    assert ws.run(send_line_command(7001, "")).text.strip() == "1"
    assert ws.run(send_line_command(7002, "", "two")).text.strip() == "2"


def opening_error(store_image: str, repo: Path, open_ws: OpenWorkspace, *services: Service) -> str:
    """Open a workspace with these services and return the error message; check that no container is left."""
    before = own_containers()
    with pytest.raises(WorkspaceError) as caught:
        open_ws("docker", repo, services=services)
    assert own_containers() == before
    return caught.value.message


def test_two_services_at_one_port_are_refused(store_image: str, repo: Path, open_ws: OpenWorkspace) -> None:
    message = opening_error(store_image, repo, open_ws, Service("a", store_image), Service("b", store_image))
    assert message == "The services a and b both use port 7001."


@pytest.mark.slow
def test_service_that_ends_early_is_reported_with_its_output(
    store_image: str, repo: Path, open_ws: OpenWorkspace
) -> None:
    second = Service("b", store_image, "7001", ready="test -e /never")
    message = opening_error(store_image, repo, open_ws, Service("a", store_image), second)
    assert "The service b ended with status 1 before it was ready." in message
    assert "Address already in use" in message


@pytest.mark.slow
def test_service_that_is_not_ready_is_reported_with_last_lines(
    store_image: str, repo: Path, open_ws: OpenWorkspace
) -> None:
    slow = Service("slow", store_image, env={"LATE": "60", "GREETING": "\x1b[31mred"}, seconds=6.0)
    message = opening_error(store_image, repo, open_ws, slow)
    assert message == "The service slow was not ready within 6 s. Its last lines:\nstarting red"


@pytest.mark.slow
def test_failing_ready_command_is_repeated(store_image: str, repo: Path, open_ws: OpenWorkspace) -> None:
    ready = "test -e /tmp/asked-before || { touch /tmp/asked-before; false; }"
    ws = open_ws("docker", repo, services=(Service("store", store_image, ready=ready),))
    assert ws.run(send_line_command(7001, "")).text.strip() == "nothing"


@pytest.mark.slow
@pytest.mark.parametrize("ready", ["sleep 600", "exec yes"])
def test_endless_ready_command_times_out(store_image: str, repo: Path, open_ws: OpenWorkspace, ready: str) -> None:
    service = Service("stuck", store_image, env={"GREETING": "here"}, ready=ready, seconds=3.0)
    assert opening_error(store_image, repo, open_ws, service).startswith("The service stuck was not ready within 3 s.")


@pytest.mark.slow
def test_endless_ready_command_can_be_cancelled(
    store_image: str, repo: Path, open_ws: OpenWorkspace, tmp_path: Path
) -> None:
    before = own_containers()
    cancel = Event()
    timer = Timer(4.0, cancel.set)
    timer.start()
    with pytest.raises(Cancelled):
        open_ws(
            "docker", repo, services=(Service("stuck", store_image, ready="sleep 600", seconds=600),), cancel=cancel
        )
    timer.join()
    assert own_containers() == before


def test_range_of_exposed_ports_is_expanded() -> None:
    """Docker never writes a range; other image builders do."""
    name = f"swe-agent-test-{uuid.uuid4().hex[:8]}:latest"
    ports: dict[str, object] = {key: {} for key in ("7000-7002/tcp", "7005/udp", "x/tcp", "9/tcp")}
    config = {"config": {"ExposedPorts": ports}, "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
    options = WorkspaceOptions(None, None, None)  # type: ignore[arg-type]
    daemon = connect()
    load_image(name, config)
    try:
        assert sorted(_image(daemon, Service("s", name), options)[1]) == [9, 7000, 7001, 7002]
    finally:
        daemon.rest()
        docker("image", "rm", "-f", name)


def load_image(name: str, config: dict[str, object]) -> None:
    """Load an image without files that has this configuration, valid or not."""
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": []}]
    with io.BytesIO() as archive:
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for file, content in (("config.json", config), ("manifest.json", manifest)):
                entry = tarfile.TarInfo(file)
                entry.size = len(data := json.dumps(content).encode())
                tar.addfile(entry, io.BytesIO(data))
        subprocess.run(["docker", "load"], input=archive.getvalue(), check=True, capture_output=True)


def test_invalid_image_name_is_reported(store_image: str, repo: Path, open_ws: OpenWorkspace) -> None:
    assert "is not a valid image name" in opening_error(store_image, repo, open_ws, Service("x", "No Image"))


def test_waiting_for_service_can_be_cancelled(store_image: str, repo: Path, open_ws: OpenWorkspace) -> None:
    before = own_containers()
    cancel = Event()

    def cancel_at_service(line: str) -> None:
        if "service" in line:
            cancel.set()

    with pytest.raises(Cancelled):
        open_ws(
            "docker",
            repo,
            services=(Service("s", store_image, env={"LATE": "60"}),),
            say=cancel_at_service,
            cancel=cancel,
        )
    assert own_containers() == before


@pytest.mark.slow
def test_all_containers_of_service_have_owner_label(store_image: str, repo: Path, open_ws: OpenWorkspace) -> None:
    """Leftovers of dead processes are removed by this label, as those of a workspace are."""
    before = own_containers()
    open_ws("docker", repo, services=(Service("store", store_image),))
    labels = [json.loads(docker("inspect", each))[0]["Config"]["Labels"] for each in own_containers() - before]
    assert len(labels) == 3
    assert len({each[OWNER_LABEL] for each in labels}) == 1
    daemon = connect()
    daemon.remove_leftovers()
    daemon.rest()
    assert len(own_containers() - before) == 3
