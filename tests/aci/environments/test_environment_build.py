"""Environments that are really built, from an image that is here and without any network."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event, Timer
from typing import Any

import pytest

from aci.docker.docker_daemon import Daemon, connect
from aci.environments import environment, environment_build
from aci.environments.environment import environment_for, list_environments, prune
from aci.environments.environment_build import NetworkFailed
from aci.environments.environment_plan import EnvironmentOptions
from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions, open_workspace
from tests.conftest import IMAGE, MakeRepo, git
from trajectories.errors import Cancelled, WorkspaceError
from trajectories.trees import Trees

pytestmark = [pytest.mark.slow, pytest.mark.docker]

OFFLINE = EnvironmentOptions(image=IMAGE, hosts=(), test="true")
Build = Callable[..., tuple[str, WorkspaceOptions]]


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Under which a test's environments go, so that nobody else's are touched."""
    own = f"swe-agent-test-environment-{uuid.uuid4().hex[:8]}"
    monkeypatch.setattr(environment, "NAME", own)
    yield own
    made = docker("images", "-q", "--filter", f"reference={own}/*").split()
    keys = [
        docker("image", "inspect", "-f", f'{{{{index .Config.Labels "{environment.KEY_LABEL}"}}}}', one) for one in made
    ]
    bases = [docker("images", "-q", "--filter", f"label={environment.KEY_LABEL}={key}") for key in keys if key]
    for one in dict.fromkeys([*"\n".join(bases).split(), *made]):
        subprocess.run(["docker", "image", "rm", "-f", one], capture_output=True)


def docker(*args: str) -> str:
    return subprocess.run(["docker", *args], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def build(make_repo: MakeRepo, tmp_path: Path, name: str) -> Iterator[Build]:
    """`build(files, setup=…)`: the image, and the options to open a workspace of it."""
    stores: list[Trees] = []

    def build(files: dict[str, str] | Path, cancel: Event | None = None, **wished: Any) -> tuple[str, WorkspaceOptions]:
        repository = Repository.open(files if isinstance(files, Path) else make_repo(files))
        stores.append(trees := Trees(tmp_path / f"trees{len(stores)}.git"))
        said: list[str] = []
        options = WorkspaceOptions(repository, repository.base(trees), trees, cancel=cancel or Event(), say=said.append)
        image = environment_for(options, replace(OFFLINE, **wished))
        return image, replace(options, image=image)

    yield build
    for trees in stores:
        trees.close()


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    found = connect()
    yield found
    found.rest()


def said(options: WorkspaceOptions) -> list[str]:
    return options.say.__self__  # type: ignore[attr-defined, no-any-return]


def test_what_set_up_made_is_there_and_made_once(build: Build, make_repo: MakeRepo) -> None:
    repo = make_repo({"a.py": "x = 1\n", ".gitignore": "*.so\n"})
    setup = "echo built > ext.so; mkdir -p 'gen [1]'; echo made > 'gen [1]/made'; echo tool > /usr/local/tool; cat a.py"
    image, options = build(repo, setup=setup)
    with closing(open_workspace("docker", options)) as ws:
        shown = ws.run("cat ext.so 'gen [1]/made' /usr/local/tool a.py; git status --short").text
        assert shown == "built\nmade\ntool\nx = 1\n"
        assert ws.snapshot().tree == options.base.tree
        ws.write("new.py", b"")
        assert ws.snapshot().tree != options.base.tree
    again, later = build(repo, setup=setup)
    assert again == image
    assert said(later) == []


def test_uncommitted_changes_come_into_environment_of_commit(build: Build, make_repo: MakeRepo) -> None:
    repo = make_repo({"a.py": "old\n", "gone/b.py": "", "requirements.txt": ""})
    image, _ = build(repo, setup="cat requirements.txt > made")
    (repo / "a.py").write_text("new\n")
    (repo / "gone" / "b.py").unlink()
    again, options = build(repo, setup="cat requirements.txt > made")
    assert again == image
    with closing(open_workspace("docker", options)) as ws:
        assert (
            ws.run("cat a.py; ls; git status --short").text
            == "new\na.py\nmade\nrequirements.txt\n M a.py\n D gone/b.py\n"
        )
    (repo / "requirements.txt").write_text("six\n")
    changed, _ = build(repo, setup="cat requirements.txt > made")
    assert changed != image
    git(repo, "commit", "-qam", "The same files")
    assert build(repo, setup="cat requirements.txt > made")[0] not in (image, changed)


SCRIPT = {".swe-agent.toml": "setup = 'sh scripts/setup.sh'\n", "scripts/setup.sh": "python3 scripts/helper.py\n"}
HELPER = "open('/opt/swe-agent/by', 'w').write('{}')\n"


def test_environment_is_for_tree_that_its_set_up_could_run(build: Build, make_repo: MakeRepo) -> None:
    repo = make_repo(SCRIPT | {"scripts/helper.py": HELPER.format("main")})
    git(repo, "checkout", "-qb", "evil")
    (repo / "scripts" / "helper.py").write_text(HELPER.format("evil"))
    git(repo, "commit", "-qam", "Only the helper")
    evil, _ = build(repo, setup="sh scripts/setup.sh")
    git(repo, "checkout", "-q", "-")
    image, options = build(repo, setup="sh scripts/setup.sh")
    assert image != evil
    with closing(open_workspace("docker", options)) as ws:
        assert ws.run("cat /opt/swe-agent/by").text == "main"
    (repo / "scripts" / "helper.py").write_text(HELPER.format("not committed"))
    assert build(repo, setup="sh scripts/setup.sh")[0] == image
    git(repo, "stash", "-q")
    assert build(repo, setup="sh scripts/setup.sh")[0] == image


def test_uncommitted_changes_are_no_part_of_environment_of_commit(build: Build, make_repo: MakeRepo) -> None:
    repo = make_repo(SCRIPT | {"scripts/helper.py": HELPER.format("main")})
    (repo / "scripts" / "helper.py").write_text(HELPER.format("not committed"))
    _, options = build(repo, setup="sh scripts/setup.sh")
    with closing(open_workspace("docker", options)) as ws:
        assert ws.run("cat /opt/swe-agent/by scripts/helper.py").text == "main" + HELPER.format("not committed")


def test_environment_is_not_that_of_another_repository(make_repo: MakeRepo, tmp_path: Path) -> None:
    keys = set()
    manifests = {"package.json": '{"scripts": {"install": "node helper.js"}}', "pyproject.toml": "[project]\n"}
    with closing(Trees(tmp_path / "trees.git")) as trees:
        for helper in ("good", "evil"):
            repository = Repository.open(make_repo(manifests | {"helper.js": helper, "backend.py": helper}))
            options = WorkspaceOptions(repository, repository.base(trees), trees)
            for setup in ("", "npm install", "pip install -e ."):
                wishes = replace(OFFLINE, image="", setup=setup)
                keys.add(environment._key(environment.plan_for(options, wishes), "image", options, wishes))
    assert len(keys) == 6


def test_environment_is_that_of_settings(make_repo: MakeRepo, tmp_path: Path) -> None:
    bundle = tmp_path / "certificates.pem"
    bundle.write_text("one")
    keys = set()
    with closing(Trees(tmp_path / "trees.git")) as trees:
        repository = Repository.open(make_repo({"a.py": ""}))
        options = WorkspaceOptions(repository, repository.base(trees), trees)

        def add(**wished: Any) -> int:
            wishes = replace(OFFLINE, setup="make", **wished)
            keys.add(environment._key(environment.plan_for(options, wishes), "image", options, wishes))
            return len(keys)

        assert add() == add(named={"setup": "somebody"}) == 1
        assert add(hosts=("pypi.org", "npm.example")) == add(hosts=("npm.example", "pypi.org")) == 2
        assert add(test="sh tests.sh") == 3
        assert add(set_up_environment={"A": "b"}) == 4
        assert add(certificates=str(bundle)) == 5
        bundle.write_text("two")
        assert add(certificates=str(bundle)) == 6


def test_command_that_fails_is_told_with_its_last_lines(build: Build, name: str) -> None:
    with pytest.raises(WorkspaceError, match=r"(?s)exit code 3.*the very reason") as caught:
        build({"a": ""}, setup="seq 1000; echo the very reason >&2; exit 3")
    assert "--image" in caught.value.fix
    assert len(caught.value.message) < 2000
    assert docker("images", "-q", "--filter", f"reference={name}/*") == ""


PIP = """\
#!/bin/sh
case "$*" in *==*) echo "ERROR: No matching distribution found for left-pad==1.0" >&2; exit 1;; esac
echo "$*" > installed
"""


def test_command_is_mended_and_tried_again(build: Build, daemon: Daemon) -> None:
    setup = "PATH=$PWD:$PATH; chmod +x pip; pip install left-pad==1.0 other"
    _, options = build({"pip": PIP}, setup=setup)
    assert any(line.startswith("Repairing: left-pad==1.0 is not in the index") for line in said(options))
    with closing(open_workspace("docker", options)) as ws:
        assert ws.run("cat installed").text == "install left-pad other\n"
    (found,) = list_environments(daemon)
    assert found.about["mends"] == ["left-pad==1.0 is not in the index any more: any version of left-pad is installed"]


def test_mending_ends(build: Build) -> None:
    always = PIP.replace("*==*", "*")
    with pytest.raises(WorkspaceError, match="Tried: left-pad"):
        build({"pip": always}, setup="PATH=$PWD:$PATH; chmod +x pip; pip install left-pad==1.0")


def test_command_that_hangs_is_ended(build: Build) -> None:
    own = f"sleep {uuid.uuid4().int % 10**9 + 10**9}"
    with pytest.raises(WorkspaceError, match="did not end within"):
        build({"a": ""}, setup=f"{own} & wait", seconds=2.0)
    assert own not in subprocess.run(["ps", "axo", "args"], capture_output=True, text=True).stdout


def test_what_may_fail_may_not_take_all_time_and_leaves_nothing_running(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment_build, "OPTIONAL", 1 / 12)
    tick = "import time\nwhile True:\n    print(file=open('/root/ticks', 'a'))\n    time.sleep(0.1)\n"
    hangs, looks = "setsid python3 tick.py & wait", "(wc -l; sleep 1; wc -l) < /root/ticks > /root/seen"
    devcontainer = json.dumps({"image": IMAGE, "postCreateCommand": {"hangs": hangs, "looks": looks}})
    _, options = build({"tick.py": tick, ".devcontainer.json": devcontainer}, image="", seconds=60.0)
    assert any(re.search(r"(?s)did not end within [1-5] s.*skipped", line) for line in said(options))
    with closing(open_workspace("docker", options)) as ws:
        ticks, later = ws.run("cat /root/seen").text.split()
        assert (int(ticks) > 0, later) == (True, "0")  # the second count goes on where the first ended


def test_time_is_that_of_all_that_is_tried(build: Build, name: str) -> None:
    files = {"Dockerfile": f"FROM {IMAGE}\nRUN sleep 600\n", "test_a.py": "import unittest\n"}
    with pytest.raises(WorkspaceError, match="did not end within"):
        build(files, image="", images={"python": IMAGE}, seconds=4.0)
    assert docker("images", "-q", "--filter", f"reference={name}/*") == ""


def test_time_is_that_of_trying_tests_too(build: Build, daemon: Daemon) -> None:
    build({"test_a.py": "import time\n\n\ndef test_a():\n    time.sleep(600)\n"}, setup="true", test="", seconds=12.0)
    (found,) = list_environments(daemon)
    assert re.fullmatch(r"1 collected, none ended in the first (\d|1[01]) s", str(found.about["tests"]))


CUT = "echo 'WARNING: Tunnel connection failed: 502 swe-agent: pypi.org cannot be reached'"
LOST = f"#!/bin/sh\n{CUT}; echo 'ERROR: No matching distribution found for left-pad==1.0'; exit 1\n"
HALF = f"#!/bin/sh\ncase $2 in -r) exit 1;; a) exit;; *) {CUT}; exit 1;; esac\n"


@pytest.mark.parametrize(
    "devcontainer",
    [
        {"postCreateCommand": f"{CUT}; exit 1"},
        {"postCreateCommand": "chmod +x lost; PATH=$PWD:$PATH; lost install left-pad==1.0"},
        {"build": {"dockerfile": "Dockerfile"}},
    ],
)
def test_what_network_spoiled_is_not_kept(build: Build, name: str, devcontainer: dict[str, object]) -> None:
    files = {
        ".devcontainer.json": json.dumps({"image": IMAGE, **devcontainer}),
        "Dockerfile": f"FROM {IMAGE}\nRUN {CUT}; exit 1\n",
        "lost": LOST,
    }
    with pytest.raises(NetworkFailed, match=r"502 swe-agent: pypi\.org cannot be reached") as caught:
        build(files, image="", images={"python": IMAGE})
    assert "nothing of this set-up is kept" in caught.value.fix
    assert docker("images", "-q", "--filter", f"reference={name}/*") == ""


def test_list_that_network_spoiled_is_not_kept(build: Build, make_repo: MakeRepo, name: str) -> None:
    repo = make_repo({"pip": HALF, "list.txt": "a\nb\n"})
    git(repo, "update-index", "--chmod=+x", "pip")
    git(repo, "commit", "-qm", "It is a program")
    (repo / "pip").chmod(0o755)
    with pytest.raises(NetworkFailed):
        build(repo, setup="pip install -r list.txt", set_up_environment={"PATH": "/workspace/repo:/usr/bin:/bin"})
    assert docker("images", "-q", "--filter", f"reference={name}/*") == ""


def test_set_up_can_be_interrupted(build: Build) -> None:
    cancel = Event()
    Timer(3, cancel.set).start()
    with pytest.raises(Cancelled):
        build({"a": ""}, cancel, setup="sleep 600")


def test_set_up_may_make_folder_of_file(build: Build, make_repo: MakeRepo) -> None:
    repo = make_repo({"a": "1\n", "b/c": "2\n"})
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{git(repo, 'rev-parse', 'HEAD').strip()},sub")
    git(repo, "commit", "-qm", "A submodule")
    _, options = build(repo, setup="rm a; mkdir a; echo 3 > a/d; mkdir sub; echo 4 > sub/e")
    with closing(open_workspace("docker", options)) as ws:
        assert ws.run("cat a b/c").text == "1\n2\n"


def test_endless_output_is_bounded(build: Build) -> None:
    with pytest.raises(WorkspaceError) as caught:
        build({"a": ""}, setup="head -c 100000000 /dev/zero | tr '\\\\0' x; exit 1")
    assert len(caught.value.message) < 2500


def test_no_secret_and_no_network(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = f"canary{uuid.uuid4().hex}"
    monkeypatch.setenv("OPENAI_API_KEY", canary)
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{canary}@127.0.0.1:9")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        look = f"env; python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}), 2)' || echo shut in"
        image, options = build(
            {"a": ""}, setup=f"({look}; ls /sys/class/net) > /root/seen 2>&1", set_up_environment={"A": "b"}
        )
    with closing(open_workspace("docker", options)) as ws:
        seen = ws.run("cat /root/seen").text
        assert "shut in" in seen
        assert seen.splitlines()[-1] == "lo"
        assert "A=b" in seen
        assert canary not in seen + ws.run("env").text + docker("image", "inspect", image) + docker(
            "history", "--no-trunc", image
        )
        assert "A=b" not in ws.run("env").text


def test_set_up_has_few_rights_and_solving_none(build: Build) -> None:
    _, options = build(
        {"a": ""}, setup="grep -E 'CapBnd|NoNewPrivs' /proc/self/status > /root/seen; ulimit -n >> /root/seen"
    )
    with closing(open_workspace("docker", options)) as ws:
        bound, privileges, _ = ws.run("cat /root/seen").text.splitlines()
        assert int(bound.split()[1], 16) == 1 << 0 | 1 << 1 | 1 << 3 | 1 << 6 | 1 << 7
        assert privileges.split()[1] == "1"
        assert "0000000000000000" in ws.run("grep CapBnd /proc/self/status").text


@pytest.fixture
def labelled(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """`labelled(name, command)`: an image with labels as somebody hostile chooses them, made by the command."""
    made: list[str] = []
    victim = tmp_path / "victim"
    victim.write_text("precious")

    def labelled(tag: str, command: str = "true", key: str = str(victim)) -> str:
        labels = [
            f"--label={environment.KEY_LABEL}={key}",
            f"--label={environment.ABOUT_LABEL}=[1]",
            "--label=swe-agent=1",
        ]
        begun = docker("create", *labels, "--network=none", IMAGE, "sh", "-c", command)
        try:
            docker("start", "-a", begun)
            docker("commit", begun, tag)
        finally:
            docker("rm", "-f", begun)
        made.append(tag)
        return tag

    yield labelled
    for tag in made:
        subprocess.run(["docker", "image", "rm", "-f", tag], capture_output=True)
    assert victim.read_text() == "precious"


def test_image_that_holds_repository_is_used_as_it_is(
    build: Build, daemon: Daemon, labelled: Callable[..., str]
) -> None:
    begun = "mkdir /testbed && cd /testbed && git init -q"
    made = labelled(f"swe-agent-test-{uuid.uuid4().hex[:8]}:latest", begun)
    image, options = build({"a": ""}, image=made, setup="exit 1")
    assert any("/testbed" in line for line in said(options))
    with closing(open_workspace("docker", options)) as ws:
        assert ws.root == "/testbed"
    (found,) = list_environments(daemon)
    assert (found.image, f"{environment.NAME}/{found.key}:latest") == (image, image)
    assert found.about["source"]
    assert [one.key for one in prune(daemon, keep=0, days=30)] == [found.key]


def test_labels_of_strangers_choose_nothing(name: str, daemon: Daemon, labelled: Callable[..., str]) -> None:
    labelled(f"{name}/no-key:latest")
    known = labelled(f"{name}/{'a' * 24}:latest")
    theirs = labelled(f"swe-agent-test-{uuid.uuid4().hex[:8]}:latest", key="a" * 24)
    (found,) = list_environments(daemon)
    assert (found.image, found.about) == (known, {})
    assert prune(daemon, keep=0, days=30) == [found]
    assert docker("images", "-q", theirs)


def test_tests_are_tried_and_counted(build: Build, daemon: Daemon) -> None:
    tests = "import pytest\n\n\ndef test_a():\n    open('left behind', 'w')\n\n\ndef test_b():\n    assert 0\n"
    _, options = build({"test_it.py": tests, "setup.py": ""}, setup="true", test="")
    (found,) = list_environments(daemon)
    assert found.about["tests"] == "2 collected, 1 failed, 1 passed"
    assert str(found.about["language"]).startswith("python 3.")
    with closing(open_workspace("docker", options)) as ws:
        assert ws.run("ls").text == "setup.py\ntest_it.py\n"


def test_environments_are_listed_and_pruned(build: Build, daemon: Daemon) -> None:
    old, _ = build({"a": ""}, setup="echo 1")
    new, _ = build({"a": ""}, setup="echo 2")
    os.utime(environment._used(old.partition("/")[2].removesuffix(":latest")), (1, 1))
    assert [one.image for one in list_environments(daemon)] == [new, old]
    assert [one.image for one in prune(daemon, keep=5, days=30)] == [old]
    assert [one.image for one in prune(daemon, keep=0, days=30)] == [new]
    assert list_environments(daemon) == []


def test_what_cannot_be_pulled_leads_to_what_files_imply(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aci.environments.devcontainer.PUBLIC_REGISTRIES", {"no-such-registry.invalid"})
    files = {".devcontainer.json": '{"image": "no-such-registry.invalid/x:1"}', "test_a.py": "import unittest\n"}
    image, options = build(files, image="", images={"python": IMAGE})
    assert image == IMAGE
    assert any("cannot be pulled" in line for line in said(options))


DATED = """\
#!/bin/sh
mkdir -p /opt/swe-agent
case "$PIP_INDEX_URL" in http://127.0.0.1:*) echo older ;; *) echo today ;; esac > /opt/swe-agent/installed
"""
DAY = "import pytest\n\n\ndef test_day():\n    assert open('/opt/swe-agent/installed').read() == '{}\\n'\n"


@pytest.mark.parametrize(("works", "packages"), [("older", "2"), ("today", "today's"), ("neither", "today's")])
def test_packages_of_bases_day_are_tried_where_todays_fail(
    build: Build, daemon: Daemon, works: str, packages: str
) -> None:
    files = {"pip": DATED, "test_it.py": DAY.format(works), "setup.py": ""}
    _, options = build(files, setup="PATH=$PWD:$PATH; chmod +x pip; pip install it", test="")
    assert any(line.startswith("Trying again") for line in said(options)) is (works != "today")
    (found,) = list_environments(daemon)
    assert str(found.about["packages"]).startswith(packages)
    assert ("packages of 2" in str(found.about["tests"])) is (works == "older")
    with closing(open_workspace("docker", options)) as ws:
        expected = "older\n" if works == "older" else "today\n"
        assert ws.run("cat /opt/swe-agent/installed; ls /tmp/.swe-agent* 2>/dev/null").text == expected


def test_set_up_that_fails_today_is_tried_with_older_packages(build: Build, daemon: Daemon) -> None:
    fails = DATED + 'grep -q older /opt/swe-agent/installed || { echo "no luck"; exit 1; }\n'
    _, options = build({"pip": fails, "test_it.py": DAY.format("older"), "setup.py": ""}, test="",
                       setup="PATH=$PWD:$PATH; chmod +x pip; pip install it")  # fmt: skip
    assert list_environments(daemon)[0].about["passed"] == 1
    assert options.image


def test_set_up_that_would_reach_hosts_is_asked_about_once(make_repo: MakeRepo, tmp_path: Path, name: str) -> None:
    repository = Repository.open(make_repo({"a.py": ""}))
    asked: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []
    answers = [False, True, False]

    def may_set_up(image: str, commands: Sequence[str], hosts: Sequence[str]) -> bool:
        asked.append((image, tuple(commands), tuple(hosts)))
        return answers.pop(0)

    with closing(Trees(tmp_path / "trees.git")) as trees:
        said: list[str] = []
        options = WorkspaceOptions(repository, repository.base(trees), trees, say=said.append, may_set_up=may_set_up)
        wishes = replace(OFFLINE, setup="echo made > made", hosts=("registry.invalid",))
        assert environment_for(options, wishes) == IMAGE
        assert "refused" in said[-1]
        made = environment_for(options, wishes)
        assert made.startswith(name)
        assert environment_for(options, wishes) == made, "what is there reaches nothing"
        assert environment_for(options, replace(wishes, hosts=("other.invalid",))) == IMAGE, "it was made with another"
        environment_for(options, replace(wishes, setup="echo other > made", hosts=()))
    assert [hosts for _, _, hosts in asked] == [("registry.invalid",)] * 2 + [("other.invalid",)]
    assert {each[:2] for each in asked} == {(IMAGE, ("echo made > made",))}
