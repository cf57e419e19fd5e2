"""Guarantees that only containers give, and errors when Docker or an image cannot be used."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker import APIClient
from filelock import FileLock

from aci.docker import base_image, docker_daemon
from aci.docker.base_image import exclusive_lock
from aci.docker.docker_daemon import OTHER_WORKSPACE
from aci.repository.process_owner import own_mark
from aci.runtime.workspace import WorkspaceOptions
from tests.conftest import IMAGE, MakeRepo, OpenWorkspace
from trajectories.errors import Cancelled, WorkspaceError

pytestmark = pytest.mark.docker


def docker(*args: str, input: bytes = b"") -> str:
    return subprocess.run(["docker", *args], input=input, check=True, capture_output=True).stdout.decode().strip()


@pytest.fixture
def repo(make_repo: MakeRepo) -> Path:
    return make_repo({"README": "hello\n", ".gitignore": "*.so\n"})


@pytest.fixture
def image() -> Iterator[str]:
    """The name of an image that only this test uses."""
    name = f"swe-agent-test-{uuid.uuid4().hex[:8]}:latest"
    yield name
    subprocess.run(["docker", "image", "rm", "-f", name], capture_output=True)


def build(name: str, commands: str, *changes: str) -> None:
    container = docker("create", "--label=swe-agent=1", "--network=none", "--entrypoint=sh", IMAGE, "-ec", commands)
    try:
        docker("start", "-a", container)
        docker("commit", *(f"--change={change}" for change in changes), container, name)
    finally:
        docker("rm", "-f", container)


def container_of(workspace: object) -> str:
    return str(workspace._host._container.id)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_container_is_isolated(repo: Path, open_ws: OpenWorkspace) -> None:
    ws = open_ws("docker", repo, memory="256m", processes=64)
    status = ws.run("cat /proc/self/status").text.split()
    assert {"CapEff:", "CapPrm:", "CapBnd:"} < set(status)
    for name in ("CapEff:", "CapPrm:", "CapBnd:"):
        assert int(status[status.index(name) + 1], 16) == 0
    assert status[status.index("NoNewPrivs:") + 1] == "1"
    assert ws.run("ls /sys/class/net").text.split() == ["lo"]
    limits = docker("inspect", "-f", "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}", container_of(ws))
    assert limits == f"{256 << 20} 64"
    mounts = json.loads(docker("inspect", container_of(ws)))[0]["Mounts"]
    assert {mount["Destination"] for mount in mounts} == {"/etc/hosts", "/etc/resolv.conf", "/etc/hostname"}
    assert {mount["RW"] for mount in mounts} == {False}


@pytest.mark.slow
def test_proxy_settings_of_host_are_not_in_container(
    repo: Path, open_ws: OpenWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxies = {"proxies": {"default": {"httpProxy": "http://user:hunter2@proxy:3128", "noProxy": "localhost"}}}
    (tmp_path / "config.json").write_text(json.dumps(proxies))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (repo / "unique").write_text(uuid.uuid4().hex)
    ws = open_ws("docker", repo)
    try:
        assert ws.run("env | grep -i proxy").text == ""
        assert "hunter2" not in docker("image", "inspect", ws._host._base.image)  # type: ignore[attr-defined]
    finally:
        ws.close()
        docker_daemon.all_discarded()
        docker("image", "rm", "-f", ws._host._base.image)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_too_many_processes_end_command_but_not_workspace(repo: Path, open_ws: OpenWorkspace) -> None:
    ws = open_ws("docker", repo, processes=40)
    result = ws.run("for i in $(seq 100); do sleep 60 & done; wait", timeout=1)
    assert result.timed_out or result.code
    ws.run("true")
    assert ws.run("echo alive").text == "alive\n"


@pytest.mark.slow
def test_processes_at_process_limit_are_ended(repo: Path, open_ws: OpenWorkspace) -> None:
    ws = open_ws("docker", repo, processes=100)
    fill = "sh -c 'while :; do sleep 60 & done' >/dev/null 2>&1"
    ws.run(f"export A=kept; echo new > new; {fill}")
    changed = ws.options.trees.changed(ws.options.base.tree, ws.snapshot().tree)
    assert [change.path for change in changed] == ["new"]
    result = ws.run("echo $A")
    assert "all of them were ended" in result.text
    assert result.text.endswith("\nkept\n")
    result = ws.run(f"{fill}; sleep 60", timeout=1)
    assert "all of them were ended" in result.text or result.timed_out
    assert ws.run("echo $A").text.endswith("kept\n")


@pytest.mark.slow
def test_killed_container_is_workspace_error(repo: Path, open_ws: OpenWorkspace) -> None:
    ws = open_ws("docker", repo)
    ws.run("true")
    docker("kill", container_of(ws))
    for use in (lambda: ws.run("true"), ws.snapshot, lambda: ws.read("README")):
        with pytest.raises(WorkspaceError) as caught:
            use()
        assert "resume" in caught.value.fix


@pytest.mark.slow
def test_container_killed_during_command_is_workspace_error(repo: Path, open_ws: OpenWorkspace) -> None:
    ws = open_ws("docker", repo)
    ws.run("true")
    threading.Timer(0.3, docker, ["kill", container_of(ws)]).start()
    with pytest.raises(WorkspaceError):
        ws.run("sleep 30")


def test_closing_removes_container(repo: Path, open_ws: OpenWorkspace) -> None:
    ws = open_ws("docker", repo)
    ws.close()
    docker_daemon.all_discarded()
    assert docker("ps", "-aq", "--no-trunc", "--filter", f"id={container_of(ws)}") == ""


@pytest.mark.slow
def test_discarded_containers_are_removed_at_exit(repo: Path) -> None:
    program = (
        "import sys; from aci.docker.docker_daemon import connect; "
        "c = connect(); i = c.start(sys.argv[1]).id; c.discard(i); print(i)"
    )
    process = subprocess.run([sys.executable, "-c", program, IMAGE], check=True, capture_output=True, text=True)
    assert docker("ps", "-aq", "--no-trunc", "--filter", f"id={process.stdout.strip()}") == ""


@pytest.mark.slow
def test_containers_of_dead_processes_are_removed(repo: Path, open_ws: OpenWorkspace) -> None:
    program = "import sys; from aci.docker.docker_daemon import connect; print(connect().start(sys.argv[1]).id)"
    leftover = subprocess.run(
        [sys.executable, "-c", program, IMAGE], check=True, capture_output=True, text=True
    ).stdout.strip()
    daemon = docker_daemon.connect()
    container = str(daemon.start(IMAGE).id)
    daemon.rest()
    try:
        docker_daemon._last_tidied.clear()
        open_ws("docker", repo)
        docker_daemon.all_discarded()
        containers = docker("ps", "-aq", "--no-trunc").split()
        assert leftover not in containers
        assert container in containers
    finally:
        docker("rm", "-f", container)


def test_daemon_version_is_requested_once(monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[tuple[int, str]] = []
    get = APIClient._get

    def recording_get(self: APIClient, url: str, **more: object) -> object:
        requests.append((threading.get_ident(), url.rpartition("/")[2]))  # other threads may be removing leftovers
        return get(self, url, **more)

    monkeypatch.setattr(APIClient, "_get", recording_get)
    monkeypatch.setattr(docker_daemon, "_api_versions", {})
    for _ in range(2):
        docker_daemon.connect().rest()
    endpoints = [endpoint for thread, endpoint in requests if thread == threading.get_ident()]
    assert endpoints == ["version", "_ping", "_ping"]


@pytest.mark.slow
def test_base_image_is_built_once(repo: Path, open_ws: OpenWorkspace, make_repo: MakeRepo) -> None:
    (repo / "unique").write_text(uuid.uuid4().hex)
    messages: list[str] = []
    images = {open_ws("docker", repo, say=messages.append)._host._base.image for _ in range(2)}  # type: ignore[attr-defined]
    assert len(images) == len(messages) == 1
    subprocess.run(["docker", "image", "rm", "-f", images.pop()], capture_output=True)


def test_clean_up_tolerates_base_removed_by_another_process(image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = docker_daemon.connect()
    api = daemon.client.api
    list_images = api.images

    def list_and_remove(*args: object, **more: object) -> object:
        images = list_images(*args, **more)
        api.remove_image(image)
        return images

    build(image, "true", f"LABEL {docker_daemon.BASE}=/nowhere")
    monkeypatch.setattr(api, "images", list_and_remove)
    base_image._remove_old(daemon)
    assert not list_images(name=image)
    daemon.rest()


@pytest.mark.slow
def test_base_removed_before_use_is_rebuilt(
    repo: Path, open_ws: OpenWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo / "unique").write_text(uuid.uuid4().hex)
    base_images: list[base_image.BaseImage] = []

    def build_and_remove_first(daemon: docker_daemon.Daemon, options: WorkspaceOptions) -> base_image.BaseImage:
        base_images.append(base_image.base_image(daemon, options))
        if len(base_images) == 1:
            docker("image", "rm", base_images[0].image)
        return base_images[-1]

    monkeypatch.setattr("aci.workspaces.docker.base_image", build_and_remove_first)
    ws = open_ws("docker", repo)
    assert ws.run("cat README").text == "hello\n"
    assert len(base_images) == 2
    ws.close()
    docker_daemon.all_discarded()
    docker("image", "rm", base_images[1].image)


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, base_image._FEW_FILES])
def test_first_snapshot_trusts_index(repo: Path, open_ws: OpenWorkspace, count: int) -> None:
    for number in range(count):
        (repo / f"{number}").write_text(str(number))
    ws = open_ws("docker", repo)
    assert ws.run(f"ls {base_image.RENEW_SCRIPT}").code
    changed_files = ws._service.run("git -C /workspace/repo diff-files --name-only").text
    assert changed_files + ws.run("git diff-files --name-only").text == ""


@pytest.mark.slow
def test_repository_in_image_is_used_without_its_history(repo: Path, open_ws: OpenWorkspace, image: str) -> None:
    inside = "cd /testbed && git init -q && echo built > ext.so && echo stray > stray && echo old > README"
    late = "git add -A && git -c user.name=a -c user.email=a@b commit -qm secret-fix && git tag v9"
    build(image, f"mkdir /testbed && {inside} && {late} && chown -R 1234:1234 /testbed")
    ws = open_ws("docker", repo, image=image)
    assert ws.root == "/testbed"
    assert ws.run("cat README ext.so; ls; git tag; git status -s").text == "hello\nbuilt\nREADME\next.so\n"
    assert ws.run("git log --all | grep secret-fix; git fsck --lost-found").text == ""
    ws.write("README", b"new\n")
    assert ws.snapshot(exact=True).tree != ws.options.base.tree


GIT = "git config --global user.email a@b && git config --global user.name a &&"


@pytest.mark.slow
def test_git_history_in_image_is_removed_wherever_it_is(repo: Path, open_ws: OpenWorkspace, image: str) -> None:
    later = "echo later > fix && git add fix && git commit -qm secret-fix"
    build(
        image,
        f"{GIT} mkdir /origin && cd /origin && git init -q . && {later} &&"
        "git clone -q --shared --separate-git-dir /opt/history /origin /testbed && cd /testbed &&"
        "mkdir -p vendor/x && cp -r /origin/.git vendor/x/.git && echo vendor/ > .gitignore &&"
        "echo more >> fix && git commit -qam secret-fix",
    )
    (repo / ".gitignore").write_text("vendor/\n")
    ws = open_ws("docker", repo, image=image)
    assert ws.root == "/testbed"
    assert ws.run("git log --all --format=%s").text == "The first commit\n"
    assert ws.run("ls -d /opt/history /origin/.git/objects vendor/x/.git 2>/dev/null").text == ""
    assert ws.run("ls -d vendor/x").code == 0
    assert ws.snapshot().tree == ws.options.base.tree


@pytest.mark.slow
def test_user_and_environment_of_image_are_used(repo: Path, open_ws: OpenWorkspace, image: str) -> None:
    build(image, "useradd -m -u 1500 someone", "USER someone", "ENV FROM_IMAGE=yes", 'ENTRYPOINT ["/bin/false"]')
    ws = open_ws("docker", repo, image=image)
    assert ws.run("id -u; echo $HOME $FROM_IMAGE; git status -s; touch new").text == "1500\n/home/someone yes\n"
    assert ws.snapshot().tree != ws.options.base.tree
    ws.restore(ws.options.base.tree)


@pytest.mark.parametrize("volume", ["/testbed", "/workspace", "/swe-agent/"])
def test_image_with_volume_at_repository_path_is_refused(
    repo: Path, open_ws: OpenWorkspace, image: str, volume: str
) -> None:
    build(image, "mkdir /testbed && cd /testbed && git init -q", f"VOLUME {volume}")
    with pytest.raises(WorkspaceError, match=volume) as caught:
        open_ws("docker", repo, image=image)
    assert "VOLUME" in caught.value.fix


@pytest.mark.slow
def test_image_that_does_not_keep_files_is_refused(repo: Path, open_ws: OpenWorkspace, image: str) -> None:
    build(image, "mkdir /testbed && cd /testbed && git init -q", "VOLUME /testbed/kept")
    (repo / "kept").mkdir()
    (repo / "kept" / uuid.uuid4().hex).write_text("")
    before = docker("images", "-aq", "--no-trunc").split()
    with pytest.raises(WorkspaceError, match="does not keep"):
        open_ws("docker", repo, image=image)
    leftover = set(
        docker("images", "-aq", "--no-trunc", "--filter=dangling=true", "--filter=label=swe-agent.owner").split()
    )
    assert not [id for id in leftover - set(before) if own_mark() in docker("image", "inspect", id)]


@pytest.mark.slow
def test_image_with_missing_user_is_refused(repo: Path, open_ws: OpenWorkspace, image: str) -> None:
    build(image, ":", "USER nobodyhere")
    with pytest.raises(WorkspaceError, match="no user nobodyhere") as caught:
        open_ws("docker", repo, image=image)
    assert "USER" in caught.value.fix


@pytest.mark.slow
def test_unfinished_images_of_dead_processes_are_removed(repo: Path, open_ws: OpenWorkspace) -> None:
    program = (
        "import sys; from aci.docker.docker_daemon import connect\n"
        "c = connect().start(sys.argv[1]); print(c.commit().id); c.remove(force=True)"
    )
    process = subprocess.run([sys.executable, "-c", program, IMAGE], check=True, capture_output=True, text=True)
    docker_daemon._last_tidied.clear()
    open_ws("docker", repo)
    docker_daemon.all_discarded()
    assert process.stdout.strip() not in docker("images", "-aq", "--no-trunc")


def test_waiting_for_base_can_be_cancelled(tmp_path: Path) -> None:
    options = WorkspaceOptions(*[None] * 3, cancel=threading.Event())  # type: ignore[arg-type]
    threading.Timer(0.3, options.cancel.set).start()
    with FileLock(tmp_path / "lock"), pytest.raises(Cancelled), exclusive_lock(tmp_path / "lock", options):
        pass


def test_missing_image_is_reported(repo: Path, open_ws: OpenWorkspace) -> None:
    with pytest.raises(WorkspaceError, match=r"localhost:1/no/such:image"):
        open_ws("docker", repo, image="localhost:1/no/such:image")
    with pytest.raises(WorkspaceError):
        open_ws("docker", repo, image="Not An Image")


@pytest.mark.slow
def test_image_without_git_is_refused(repo: Path, open_ws: OpenWorkspace, image: str) -> None:
    build(image, "rm -f /usr/bin/git")
    with pytest.raises(WorkspaceError, match="has no git"):
        open_ws("docker", repo, image=image)


@pytest.mark.slow
def test_opening_image_with_hanging_git_can_be_cancelled(repo: Path, open_ws: OpenWorkspace, image: str) -> None:
    build(image, "printf '#!/bin/sh\\nexec yes\\n' > /usr/bin/git")
    cancel = threading.Event()
    timer = threading.Timer(3.0, cancel.set)
    timer.start()
    with pytest.raises(Cancelled):
        open_ws("docker", repo, image=image, cancel=cancel)
    timer.join()


def test_image_without_shell_is_refused(repo: Path, open_ws: OpenWorkspace, image: str) -> None:
    with io.BytesIO() as archive:
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.addfile(tarfile.TarInfo("empty"))
        docker("import", "-", image, input=archive.getvalue())
    with pytest.raises(WorkspaceError, match="no POSIX shell"):
        open_ws("docker", repo, image=image)


def test_missing_daemon_and_missing_docker_are_reported(
    repo: Path, open_ws: OpenWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    with pytest.raises(WorkspaceError, match="not running") as caught:
        open_ws("docker", repo)
    assert f"--workspace {OTHER_WORKSPACE}" in caught.value.fix
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(WorkspaceError, match="not installed"):
        open_ws("docker", repo)


@pytest.mark.slow
@pytest.mark.docker
def test_packages_of_repository_can_be_imported(make_repo, open_ws) -> None:
    ws = open_ws("docker", make_repo({"src/parcel/__init__.py": "WHERE = 'src'\n", "crate.py": "WHERE = 'root'\n"}))
    command = "cd / && python3 -c 'import parcel, crate; print(parcel.WHERE, crate.WHERE)'"
    assert ws.run(command).text.strip() == "src root"


@pytest.mark.slow
def test_volumes_of_image_are_tmpfs_with_size_limit(repo: Path, open_ws: OpenWorkspace, image: str) -> None:
    build(image, "ln -s var/lib /short", "VOLUME /var/data", "VOLUME /a/../var/more/", "VOLUME /short/linked")
    ws = open_ws("docker", repo, image=image)
    mounts = json.loads(docker("inspect", container_of(ws)))[0]["Mounts"]
    assert {mount["Type"] for mount in mounts if mount["RW"]} <= {"tmpfs"}
    for folder in ("/var/data", "/var/more", "/var/lib/linked"):
        assert ws.run(f"df -P {folder} | tail -n 1 | cut -d ' ' -f 1; echo x > {folder}/x").text == "tmpfs\n"
        kilobytes = ws.run(f"df -P {folder} | tail -n 1 | tr -s ' ' | cut -d ' ' -f 2").text
        assert int(kilobytes) == 1 << 20


@pytest.mark.slow
def test_volumes_of_image_in_read_only_workspace_are_tmpfs(repo: Path, open_ws: OpenWorkspace, image: str) -> None:
    build(image, ":", "VOLUME /var/data")
    ws = open_ws("docker", repo, image=image, read_only=True)
    assert ws.run("echo x > /var/data/x && echo x > new && cat /var/data/x").text == "x\n"
    mounts = json.loads(docker("inspect", container_of(ws)))[0]["Mounts"]
    assert "/var/data" not in {mount["Destination"] for mount in mounts if mount["Type"] == "volume"}
