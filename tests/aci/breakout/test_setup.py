"""A repository that asks for more than it may, before any model has said a word."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from tests.conftest import IMAGE, git
from tests.e2e.conftest import answer, call, write

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]


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
def test_a_devcontainer_that_asks_for_more(build, marker, asked):
    text = json.dumps({"image": IMAGE, **asked}).replace("MARKER", str(marker))
    assert build({".devcontainer/devcontainer.json": text}).returncode == 0
    said = build({"another": "commit\n"}, "why").stdout
    assert all(f"Refused: {name} " in said for name in asked if name != "workspaceFolder"), said
    assert not marker.exists()


def test_a_settings_file_that_asks_for_more(build, marker):
    done = build({".swe-agent.toml": f'workspace = "local"\nbudget = 1000\nmodel = "x"\nruntime = "{marker}"\n'})
    assert done.returncode != 0 or "budget" in done.stderr
    assert not marker.exists()


def test_set_up_reaches_no_listener_and_sees_no_secret(build, machine, listener):
    machine.extra |= {"OPENAI_API_KEY": "sk-the-canary-of-this-test", "MY_TOKEN": "the-canary-of-this-test"}
    reach = "; ".join(
        f"(echo > /dev/tcp/{host}/{listener.port}) 2>/dev/null && echo REACHED" for host in listener.addresses
    )
    command = f"env; bash -c '{reach} true'"
    done = build({".devcontainer/devcontainer.json": json.dumps({"image": IMAGE, "postCreateCommand": command})})
    assert "canary" not in done.stdout + done.stderr
    assert "REACHED" not in done.stdout
    assert listener.visitors == []


def test_a_hostile_set_up_is_bounded(build, marker):
    bomb = 'python3 -c "import os, time\nfor _ in range(3000):\n  if os.fork() == 0: time.sleep(20); os._exit(0)"'
    bomb += f" # {marker}"  # an environment of its own, whatever was built before
    done = build({".devcontainer/devcontainer.json": json.dumps({"image": IMAGE, "postCreateCommand": bomb})})
    assert done.returncode != 0 or "Resource temporarily unavailable" in done.stdout + done.stderr


def test_output_does_not_drive_the_terminal(machine, calculator, issue_file):
    evil = r"\033]0;owned\007\033]52;c;ZWNobw==\007\033[2J\033[1;1H\233\061\062;\x9b31m\033Pq\033\\visible"
    machine.workspace = "docker"
    script = machine.script(answer("\x1b]0;from the model\x07Look.", call("shell", command=f"printf '{evil}'")),
                            answer("Done.", call("submit")))  # fmt: skip
    done = machine.run("fix", "--repo", calculator, "--issue-file", issue_file, "--model", script, "--plain")
    shown = machine.run("show", machine.runs()[0].name)
    for text in (done.stdout, done.stderr, shown.stdout, shown.stderr):
        assert not {"\x1b", "\x07", "\x9b", "\x90"} & set(text)
    assert "visible" in shown.stdout + done.stderr


def test_a_dockerfile_that_lets_the_daemon_fetch(build, machine, listener):
    """`ADD http://…` is done by the daemon, which has a network even where RUN has none."""
    machine.extra["SWE_AGENT_IMAGE"] = ""
    lines = [f"FROM {IMAGE}"]
    lines += [f"ADD http://{host}:{listener.port}/x /x" for host in listener.addresses]
    lines += [f"RUN bash -c 'echo > /dev/tcp/{host}/{listener.port}' || true" for host in listener.addresses]
    build({"Dockerfile": "\n".join(lines) + "\n"})
    assert listener.visitors == []


def test_a_devcontainer_that_asks_for_the_users_environment(build, machine):
    machine.extra |= {"SWE_AGENT_IMAGE": "", "MY_TOKEN": "the-canary-of-this-test"}
    wants = {"A": "${localEnv:MY_TOKEN}", "B": "${env:MY_TOKEN}", "LD_PRELOAD": "/nowhere.so", "GIT_DIR": "/nowhere"}
    text = json.dumps({"image": IMAGE, "containerEnv": wants, "postCreateCommand": "env; exit 3"})
    done = build({".devcontainer/devcontainer.json": text})
    assert "canary" not in done.stdout + done.stderr


def test_a_set_up_that_fills_the_disk(build, machine):
    machine.extra |= {"SWE_AGENT_IMAGE": "", "SWE_AGENT_DISK": "200m"}
    fill = f": {uuid4()}; for i in $(seq 20); do head -c 100000000 /dev/zero > /f$i; done"
    done = build({".devcontainer/devcontainer.json": json.dumps({"image": IMAGE, "postCreateCommand": fill})})
    assert "The disk is full" in done.stdout + done.stderr
