"""Repositories whose set-up requests more than it may, before any request to a model.

A hostile set-up writes its observations into the image, where the tests read that it ran and what it reached.
"""

from __future__ import annotations

import json
import re
import subprocess
from uuid import uuid4

import pytest

from aci.docker.docker_daemon import connect
from extensions.environments.setup_container import SetupContainer
from tests.aci.workspaces.breakout.hostile import python
from tests.aci.workspaces.breakout.test_kernel import COMMON_SOCKETS, FORBIDDEN_SOCKETS
from tests.conftest import IMAGE, git
from tests.e2e.conftest import answer, call, write

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(400)]


@pytest.fixture
def build(machine, calculator):
    """`build({"file": "text"})`: the process of `env build`, or another `verb`, for a repository with these files."""

    def build(files: dict[str, str], verb: str = "build"):
        write(calculator, files)
        git(calculator, "add", "-A")
        git(calculator, "commit", "-qm", "More")
        machine.workspace = "docker"
        machine.extra["SWE_AGENT_IMAGE"] = ""  # otherwise, the image of the test run would be used
        return machine.run("env", verb, "--repo", str(calculator), timeout=280)

    return build


REPORT = "/usr/local/report"
PROCESSES = 200


@pytest.fixture
def run_set_up(build, calculator, open_ws):
    """`run_set_up({"file": "text"})`: what set-up wrote to REPORT, a workspace of the new image, and the process."""
    workspaces = {}

    def run_set_up(files: dict[str, str]):
        process = build(files)
        assert process.returncode == 0, process.stderr
        match = re.search(r"swe-agent-environment/([0-9a-f]{24}):latest", process.stdout)
        assert match, process.stdout + process.stderr
        workspaces[match[1]] = ws = open_ws("docker", calculator, image=match[0])
        return ws.run(f"cat {REPORT}").text, ws, process

    yield run_set_up
    for key, ws in workspaces.items():
        ws.close()
        list_images = ["docker", "images", "-q", "--filter", f"label=swe-agent.environment={key}"]
        ids = subprocess.run(list_images, check=True, capture_output=True, text=True).stdout.split()
        subprocess.run(["docker", "image", "rm", "-f", *dict.fromkeys(ids)], check=False, capture_output=True)


def devcontainer(command: str, **more: object) -> dict[str, str]:
    """Return a devcontainer that runs `command` as its set-up and for which no environment exists yet."""
    config = {"image": IMAGE, "postCreateCommand": f"{command}\n: {uuid4()}", **more}
    return {".devcontainer/devcontainer.json": json.dumps(config)}


@pytest.mark.parametrize(
    "requested",
    [
        {"initializeCommand": "touch MARKER"},
        {"runArgs": ["--privileged", "--network=host"]},
        {"mounts": ["source=/,target=/host,type=bind"]},
        {"privileged": True},
        {"capAdd": ["SYS_ADMIN"], "securityOpt": ["seccomp=unconfined"]},
        {"workspaceMount": "source=/,target=/w,type=bind", "workspaceFolder": "/w"},
    ],
    ids=lambda requested: next(iter(requested)),
)
def test_forbidden_devcontainer_properties_are_refused(build, marker, requested):
    text = json.dumps({"image": IMAGE, **requested}).replace("MARKER", str(marker))
    assert build({".devcontainer/devcontainer.json": text}).returncode == 0
    output = build({"another": "commit\n"}, "why").stdout
    assert all(f"Refused: {name} " in output for name in requested if name != "workspaceFolder"), output
    assert not marker.exists()


FORBIDDEN_SETTINGS = {
    "workspace": '"local"',
    "budget": "1000",
    "model": '"x"',
    "runtime": '"runc"',
    "registries": '["127.0.0.1:1"]',
    "certificates": '"/etc/passwd"',
    "setup_env": '{ A = "b" }',
    "services": '{ db = { image = "postgres" } }',
    "memory": '"64g"',
}


@pytest.mark.parametrize("name", FORBIDDEN_SETTINGS)
def test_forbidden_setting_of_repository_is_refused(build, marker, name):
    toml = f"setup = 'touch {marker}'\n{name} = {FORBIDDEN_SETTINGS[name]}\n"
    for verb in ("why", "build"):
        process = build({".swe-agent.toml": toml, "verb": verb}, verb)
        assert process.returncode != 0
        assert f".swe-agent.toml sets {name}; it may set only image, setup, test and serve" in " ".join(
            process.stderr.split()
        )
    assert not marker.exists()


def test_set_up_of_settings_file_runs_in_container(run_set_up, machine, marker):
    with (machine.home / "config.toml").open("a") as config:
        config.write(f'[images]\npython = "{IMAGE}"\n')
    touch = f"mkdir -p {marker.parent}; touch {marker}; ls {marker} > {REPORT}; cat /proc/1/cgroup /etc/hostname"
    report, _, _ = run_set_up({".swe-agent.toml": f"setup = '''{touch}\n: {uuid4()}'''\n"})
    assert report == f"{marker}\n", "the set-up ran and saw its own file"
    assert not marker.exists()


def network_probe(listener) -> str:
    """Return a program that tries each address directly and through the registry proxy, and records the outcomes."""
    return f"""
import os, socket, urllib.parse
proxy = urllib.parse.urlsplit(os.environ["HTTPS_PROXY"])
def connect(host, port, request=b""):
    try:
        with socket.create_connection((host, port), 5) as peer:
            peer.sendall(request or b"out")
            return peer.recv(100).split(b"\\r\\n")[0].decode() if request else "REACHED"
    except OSError as error:
        return type(error).__name__
with open({REPORT!r}, "a") as report:
    for host in {listener.addresses!r}:
        at = f"{{host}}:{listener.port}"
        print("direct", at, connect(host, {listener.port}), file=report)
        for line in (f"CONNECT {{at}} HTTP/1.1", f"GET http://{{at}}/x HTTP/1.1"):
            request = f"{{line}}\\r\\nHost: {{at}}\\r\\nConnection: close\\r\\n\\r\\n".encode()
            print("proxied", at, connect(proxy.hostname, proxy.port, request), file=report)
"""


def assert_nothing_reached(report: str, listener) -> None:
    """Check that all addresses were tried, that the proxy answered and that nothing reached the listener."""
    lines = [line.split(" ", 2) for line in report.splitlines() if line.startswith(("direct ", "proxied "))]
    assert len(lines) == 3 * len(listener.addresses), report
    assert all(outcome in ("ConnectionRefusedError", "OSError") for way, _, outcome in lines if way == "direct"), report
    assert all(outcome.startswith("HTTP/1.1 403") for way, _, outcome in lines if way == "proxied"), report
    assert listener.visitors == []


def test_set_up_reaches_no_listener_and_sees_no_secret(run_set_up, machine, listener):
    machine.extra |= {"OPENAI_API_KEY": "sk-the-canary-of-this-test", "MY_TOKEN": "the-canary-of-this-test"}
    probe = network_probe(listener)
    command = f"env > {REPORT}; cat /proc/*/environ | tr '\\0' '\\n' >> {REPORT}\npython3 - <<'END'\n{probe}\nEND"
    report, ws, process = run_set_up(devcontainer(command))
    assert "\nHTTPS_PROXY=http://127.0.0.1:" in report
    assert "canary" not in report + ws.run("env").text + process.stdout + process.stderr
    assert_nothing_reached(report, listener)


def test_hostile_set_up_is_bounded(run_set_up, machine):
    machine.extra |= {"SWE_AGENT_PROCESSES": str(PROCESSES), "SWE_AGENT_MEMORY": "300m"}
    bomb = f"""
import errno, os, time
made = []
try:
    while len(made) < 3000:
        made.append(os.fork())
        if made[-1] == 0:
            time.sleep(60); os._exit(0)
    came = "all of them"
except OSError as error:
    came = errno.errorcode[error.errno]
print("made", len(made), came, file=open({REPORT!r}, "a"), flush=True)
for pid in made:  # the rest of the set-up needs processes
    os.kill(pid, 9)
    os.wait()
"""
    hog = f"x = bytearray(1 << 30); print('allocated all', file=open({REPORT!r}, 'a'))"
    command = f"python3 -c \"{hog}\" || echo hog $? > {REPORT}\npython3 - <<'END'\n{bomb}\nEND"
    report, _, _ = run_set_up(devcontainer(command))
    hog_result, bomb_result = report.splitlines()
    assert hog_result in ("hog 137", "hog 1"), "killed or refused"
    label, count, error = bomb_result.split()
    assert (label, error) == ("made", "EAGAIN")
    assert 0 < int(count) < PROCESSES


def test_terminal_escapes_in_output_are_removed(machine, calculator, issue_file):
    evil = r"\033]0;owned\007\033]52;c;ZWNobw==\007\033[2J\033[1;1H\233\061\062;\x9b31m\033Pq\033\\visible"
    machine.workspace = "docker"
    script = machine.script(answer("\x1b]0;from the model\x07Look.", call("shell", command=f"printf '{evil}'")),
                            answer("Done.", call("submit")))  # fmt: skip
    process = machine.run("fix", "--repo", calculator, "--issue-file", issue_file, "--model", script, "--plain")
    show = machine.run("show", machine.runs()[0].name)
    for text in (process.stdout, process.stderr, show.stdout, show.stderr):
        assert not {"\x1b", "\x07", "\x9b", "\x90"} & set(text)
    assert "visible" in show.stdout + process.stderr


def test_dockerfile_that_adds_files_from_network_is_ignored(build, run_set_up, machine, listener):
    """The daemon itself executes `ADD http://…`, and it has a network even where RUN has none."""
    adds = [f"ADD http://{host}:{listener.port}/x /x" for host in listener.addresses]
    output = build({"Dockerfile": "\n".join([f"FROM {IMAGE}", *adds, f"RUN : {uuid4()}"])}, "why").stdout
    assert "Dockerfile adds files from the network: it is ignored." in " ".join(output.split())
    first, *rest = network_probe(listener).replace("\\", "\\\\").strip().splitlines()
    program = "\\n".join([first, *rest]).replace("'", '"')
    run = f"RUN printf '%b' '{program}' > /tmp/ways && python3 /tmp/ways && echo {uuid4()} >> {REPORT}"
    report, _, _ = run_set_up({"Dockerfile": f"FROM {IMAGE}\n{run}\n"})
    assert_nothing_reached(report, listener)
    process = build({"Dockerfile": "\n".join([f"FROM {IMAGE}", *adds, run]) + "\n"})
    assert process.returncode == 0
    assert "swe-agent-environment/" not in process.stdout, "no line of a Dockerfile runs if one line cannot"
    assert listener.visitors == []


def test_devcontainer_gets_no_variables_of_user(run_set_up, build, machine):
    machine.extra |= {"MY_TOKEN": "the-canary-of-this-test"}
    environment = {"A": "${localEnv:MY_TOKEN}", "B": "${env:MY_TOKEN}", "C": "plain", "GIT_DIR": "/nowhere"}
    files = devcontainer(f"env > {REPORT}", containerEnv=environment, remoteEnv={"D": "x${localEnv:MY_TOKEN}"},
                         onCreateCommand="echo ${localEnv:MY_TOKEN} > /usr/local/copied")  # fmt: skip
    report, ws, process = run_set_up(files)
    variables = dict(line.partition("=")[::2] for line in report.splitlines())
    assert variables["C"] == "plain"
    assert not {"A", "B", "D", "MY_TOKEN"} & variables.keys()
    printed = ws.run("cat /usr/local/copied; env").text
    assert "No such file" in printed
    assert "canary" not in report + printed + process.stdout + process.stderr
    refused = build({"another": "commit\n"}, "why").stdout
    assert all(f"The variable {name!r} in " in refused for name in "ABD"), refused
    assert ws.snapshot().tree == ws.options.base.tree, "the GIT_DIR of the devcontainer is ignored"


def test_set_up_that_fills_disk_is_stopped(build, machine):
    machine.extra |= {"SWE_AGENT_IMAGE": "", "SWE_AGENT_DISK": "200m"}
    fill = f": {uuid4()}; for i in $(seq 20); do head -c 100000000 /dev/zero > /f$i; done"
    process = build({".devcontainer/devcontainer.json": json.dumps({"image": IMAGE, "postCreateCommand": fill})})
    assert "The disk is full" in process.stdout + process.stderr


def test_set_up_container_has_same_system_call_filter(open_container):
    daemon, ws = connect(), open_container()
    with SetupContainer(daemon, IMAGE, ws.options) as container:
        assert container.run(python(FORBIDDEN_SOCKETS), {}, 20, where="/").output.strip() == "[]"
        assert container.run(python(COMMON_SOCKETS), {}, 20, where="/").code == 0
    daemon.rest()
