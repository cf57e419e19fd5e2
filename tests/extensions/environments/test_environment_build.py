"""Environments that are built, from a local image and without network."""

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
from aci.environments.environment_plan import OWN_FILES, Command, EnvironmentOptions, Files, Plan
from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions, open_workspace
from extensions.environments import environment, setup_run
from extensions.environments.environment import environment_for, list_environments, prune
from extensions.environments.setup_run import NetworkFailed
from tests.conftest import IMAGE, MakeRepo, git
from trajectories.errors import Cancelled, WorkspaceError
from trajectories.git_store.trees import Trees

pytestmark = [pytest.mark.slow, pytest.mark.docker]

OFFLINE = EnvironmentOptions(image=IMAGE, hosts=(), test="true")
Build = Callable[..., tuple[str, WorkspaceOptions]]


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name prefix of this test's environments, so that no others are changed."""
    prefix = f"swe-agent-test-environment-{uuid.uuid4().hex[:8]}"
    monkeypatch.setattr(environment, "NAME", prefix)
    yield prefix
    images = docker("images", "-q", "--filter", f"reference={prefix}/*").split()
    keys = [
        docker("image", "inspect", "-f", f'{{{{index .Config.Labels "{environment.KEY_LABEL}"}}}}', image)
        for image in images
    ]
    bases = [docker("images", "-q", "--filter", f"label={environment.KEY_LABEL}={key}") for key in keys if key]
    for image in dict.fromkeys([*"\n".join(bases).split(), *images]):
        subprocess.run(["docker", "image", "rm", "-f", image], capture_output=True)


def docker(*args: str) -> str:
    return subprocess.run(["docker", *args], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def build(make_repo: MakeRepo, tmp_path: Path, name: str) -> Iterator[Build]:
    """`build(files, setup=…)` returns the image, and the options to open a workspace of it."""
    stores: list[Trees] = []

    def make(files: dict[str, str] | Path, cancel: Event | None = None, **changes: Any) -> tuple[str, WorkspaceOptions]:
        repository = Repository.open(files if isinstance(files, Path) else make_repo(files))
        stores.append(trees := Trees(tmp_path / f"trees{len(stores)}.git"))
        messages: list[str] = []
        base = repository.base(trees)
        options = WorkspaceOptions(repository, base, trees, cancel=cancel or Event(), say=messages.append)
        image = environment_for(options, replace(OFFLINE, **changes))
        return image, replace(options, image=image)

    yield make
    for trees in stores:
        trees.close()


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    client = connect()
    yield client
    client.rest()


def messages_of(options: WorkspaceOptions) -> list[str]:
    return options.say.__self__  # type: ignore[attr-defined, no-any-return]


def test_set_up_runs_once_and_its_files_are_in_workspace(build: Build, make_repo: MakeRepo) -> None:
    repo = make_repo({"a.py": "x = 1\n", ".gitignore": "*.so\n"})
    setup = "echo built > ext.so; mkdir -p 'gen [1]'; echo generated > 'gen [1]/file'; echo tool > /usr/local/tool; "
    setup += "cat a.py"
    image, options = build(repo, setup=setup)
    with closing(open_workspace("docker", options)) as ws:
        output = ws.run("cat ext.so 'gen [1]/file' /usr/local/tool a.py; git status --short").text
        assert output == "built\ngenerated\ntool\nx = 1\n"
        assert ws.snapshot().tree == options.base.tree
        ws.write("new.py", b"")
        assert ws.snapshot().tree != options.base.tree
    again, later = build(repo, setup=setup)
    assert again == image
    assert messages_of(later) == []


def test_uncommitted_changes_appear_in_environment_of_commit(build: Build, make_repo: MakeRepo) -> None:
    repo = make_repo({"a.py": "old\n", "gone/b.py": "", "requirements.txt": ""})
    image, _ = build(repo, setup="cat requirements.txt > copy")
    (repo / "a.py").write_text("new\n")
    (repo / "gone" / "b.py").unlink()
    again, options = build(repo, setup="cat requirements.txt > copy")
    assert again == image
    with closing(open_workspace("docker", options)) as ws:
        assert (
            ws.run("cat a.py; ls; git status --short").text
            == "new\na.py\ncopy\nrequirements.txt\n M a.py\n D gone/b.py\n"
        )
    (repo / "requirements.txt").write_text("six\n")
    changed, _ = build(repo, setup="cat requirements.txt > copy")
    assert changed != image
    git(repo, "commit", "-qam", "The same files")
    assert build(repo, setup="cat requirements.txt > copy")[0] not in (image, changed)


def test_environment_is_used_for_later_commits_with_the_same_inputs(
    build: Build, make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan(files: Files, settings: EnvironmentOptions, folder: str = "") -> Plan:
        return Plan(
            OWN_FILES, IMAGE, "python", (Command("true", ""),), inputs=("pyproject.toml",), serves_later_commits=True
        )

    monkeypatch.setattr("extensions.environments.environment_sources.plan_environment", plan)
    repo = make_repo({"a.py": "1", "pyproject.toml": ""})
    image, _ = build(repo)

    def commit(path: str, text: str) -> str:
        (repo / path).write_text(text)
        git(repo, "commit", "-qam", "later")
        return build(repo)[0]

    assert commit("a.py", "2") == commit("a.py", "3") == image
    changed = commit("pyproject.toml", "[project]")
    assert changed != image
    assert commit("a.py", "4") == changed
    git(repo, "checkout", "-q", "--orphan", "other")
    git(repo, "commit", "-qm", "no history")
    assert build(repo)[0] not in (image, changed)


SETUP_FILES = {".swe-agent.toml": "setup = 'sh scripts/setup.sh'\n", "scripts/setup.sh": "python3 scripts/helper.py\n"}
HELPER = "open('/opt/swe-agent/by', 'w').write('{}')\n"


def test_environment_depends_on_committed_files_of_set_up(build: Build, make_repo: MakeRepo) -> None:
    repo = make_repo(SETUP_FILES | {"scripts/helper.py": HELPER.format("main")})
    git(repo, "checkout", "-qb", "evil")
    (repo / "scripts" / "helper.py").write_text(HELPER.format("evil"))
    git(repo, "commit", "-qam", "Only the helper")
    other, _ = build(repo, setup="sh scripts/setup.sh")
    git(repo, "checkout", "-q", "-")
    image, options = build(repo, setup="sh scripts/setup.sh")
    assert image != other
    with closing(open_workspace("docker", options)) as ws:
        assert ws.run("cat /opt/swe-agent/by").text == "main"
    (repo / "scripts" / "helper.py").write_text(HELPER.format("not committed"))
    assert build(repo, setup="sh scripts/setup.sh")[0] == image
    git(repo, "stash", "-q")
    assert build(repo, setup="sh scripts/setup.sh")[0] == image


def test_set_up_does_not_see_uncommitted_changes(build: Build, make_repo: MakeRepo) -> None:
    repo = make_repo(SETUP_FILES | {"scripts/helper.py": HELPER.format("main")})
    (repo / "scripts" / "helper.py").write_text(HELPER.format("not committed"))
    _, options = build(repo, setup="sh scripts/setup.sh")
    with closing(open_workspace("docker", options)) as ws:
        assert ws.run("cat /opt/swe-agent/by scripts/helper.py").text == "main" + HELPER.format("not committed")


def test_repositories_share_no_environment(make_repo: MakeRepo, tmp_path: Path) -> None:
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


def test_environment_depends_on_settings(make_repo: MakeRepo, tmp_path: Path) -> None:
    bundle = tmp_path / "certificates.pem"
    bundle.write_text("one")
    keys = set()
    with closing(Trees(tmp_path / "trees.git")) as trees:
        repository = Repository.open(make_repo({"a.py": ""}))
        options = WorkspaceOptions(repository, repository.base(trees), trees)

        def add(**changes: Any) -> int:
            wishes = replace(OFFLINE, setup="make", **changes)
            keys.add(environment._key(environment.plan_for(options, wishes), "image", options, wishes))
            return len(keys)

        assert add() == add(named={"setup": "settings"}) == 1
        assert add(hosts=("pypi.org", "npm.example")) == add(hosts=("npm.example", "pypi.org")) == 2
        assert add(test="sh tests.sh") == 3
        assert add(set_up_environment={"A": "b"}) == 4
        assert add(certificates=str(bundle)) == 5
        bundle.write_text("two")
        assert add(certificates=str(bundle)) == 6


def test_failing_command_is_reported_with_its_last_lines(build: Build, name: str) -> None:
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


def test_failing_command_is_repaired_and_repeated(build: Build, daemon: Daemon) -> None:
    setup = "PATH=$PWD:$PATH; chmod +x pip; pip install left-pad==1.0 other"
    _, options = build({"pip": PIP}, setup=setup)
    assert any(line.startswith("Repairing: left-pad==1.0 is no longer in the index") for line in messages_of(options))
    with closing(open_workspace("docker", options)) as ws:
        assert ws.run("cat installed").text == "install left-pad other\n"
    (built,) = list_environments(daemon)
    assert (
        built.about["repairs"]
        == built.about["mends"]
        == ["left-pad==1.0 is no longer in the index: any version of left-pad is installed"]
    )


def test_repeated_failure_ends_repairs(build: Build) -> None:
    always = PIP.replace("*==*", "*")
    with pytest.raises(WorkspaceError, match="Tried: left-pad"):
        build({"pip": always}, setup="PATH=$PWD:$PATH; chmod +x pip; pip install left-pad==1.0")


def test_hanging_command_is_ended(build: Build) -> None:
    command = f"sleep {uuid.uuid4().int % 10**9 + 10**9}"
    with pytest.raises(WorkspaceError, match="did not end within"):
        build({"a": ""}, setup=f"{command} & wait", seconds=2.0)
    assert command not in subprocess.run(["ps", "axo", "args"], capture_output=True, text=True).stdout


def test_optional_command_has_its_own_limit_and_leaves_no_process(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup_run, "OPTIONAL", 1 / 12)
    tick = "import time\nwhile True:\n    print(file=open('/root/ticks', 'a'))\n    time.sleep(0.1)\n"
    hangs, counts = "setsid python3 tick.py & wait", "(wc -l; sleep 1; wc -l) < /root/ticks > /root/output"
    devcontainer = json.dumps({"image": IMAGE, "postCreateCommand": {"hangs": hangs, "counts": counts}})
    _, options = build({"tick.py": tick, ".devcontainer.json": devcontainer}, image="", seconds=60.0)
    assert any(re.search(r"(?s)did not end within [1-5] s.*skipped", line) for line in messages_of(options))
    with closing(open_workspace("docker", options)) as ws:
        ticks, later = ws.run("cat /root/output").text.split()
        assert (int(ticks) > 0, later) == (True, "0")  # the second count starts where the first ended


def test_time_limit_covers_all_attempts(build: Build, name: str) -> None:
    files = {"Dockerfile": f"FROM {IMAGE}\nRUN sleep 600\n", "test_a.py": "import unittest\n"}
    with pytest.raises(WorkspaceError, match="did not end within"):
        build(files, image="", images={"python": IMAGE}, seconds=4.0)
    assert docker("images", "-q", "--filter", f"reference={name}/*") == ""


def test_time_limit_covers_smoke_check(build: Build, daemon: Daemon) -> None:
    build({"test_a.py": "import time\n\n\ndef test_a():\n    time.sleep(600)\n"}, setup="true", test="", seconds=12.0)
    (built,) = list_environments(daemon)
    assert re.fullmatch(r"1 collected, none finished in the first (\d|1[01]) s", str(built.about["tests"]))


PRINT_OUTAGE = "echo 'WARNING: Tunnel connection failed: 502 swe-agent: pypi.org cannot be reached'"
FAILING_PIP = f"#!/bin/sh\n{PRINT_OUTAGE}; echo 'ERROR: No matching distribution found for left-pad==1.0'; exit 1\n"
HALF_FAILING_PIP = f"#!/bin/sh\ncase $2 in -r) exit 1;; a) exit;; *) {PRINT_OUTAGE}; exit 1;; esac\n"


@pytest.mark.parametrize(
    "devcontainer",
    [
        {"postCreateCommand": f"{PRINT_OUTAGE}; exit 1"},
        {"postCreateCommand": "chmod +x lost; PATH=$PWD:$PATH; lost install left-pad==1.0"},
        {"build": {"dockerfile": "Dockerfile"}},
    ],
)
def test_environment_is_discarded_after_network_outage(
    build: Build, name: str, devcontainer: dict[str, object]
) -> None:
    files = {
        ".devcontainer.json": json.dumps({"image": IMAGE, **devcontainer}),
        "Dockerfile": f"FROM {IMAGE}\nRUN {PRINT_OUTAGE}; exit 1\n",
        "lost": FAILING_PIP,
    }
    with pytest.raises(NetworkFailed, match=r"502 swe-agent: pypi\.org cannot be reached") as caught:
        build(files, image="", images={"python": IMAGE})
    assert "this set-up was discarded" in caught.value.fix
    assert docker("images", "-q", "--filter", f"reference={name}/*") == ""


def test_environment_is_discarded_after_outage_in_requirements_file(
    build: Build, make_repo: MakeRepo, name: str
) -> None:
    repo = make_repo({"pip": HALF_FAILING_PIP, "list.txt": "a\nb\n"})
    git(repo, "update-index", "--chmod=+x", "pip")
    git(repo, "commit", "-qm", "It is a program")
    (repo / "pip").chmod(0o755)
    with pytest.raises(NetworkFailed):
        build(repo, setup="pip install -r list.txt", set_up_environment={"PATH": "/workspace/repo:/usr/bin:/bin"})
    assert docker("images", "-q", "--filter", f"reference={name}/*") == ""


def test_set_up_can_be_cancelled(build: Build) -> None:
    cancel = Event()
    Timer(3, cancel.set).start()
    with pytest.raises(Cancelled):
        build({"a": ""}, cancel, setup="sleep 600")


def test_set_up_may_replace_file_by_folder(build: Build, make_repo: MakeRepo) -> None:
    repo = make_repo({"a": "1\n", "b/c": "2\n"})
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{git(repo, 'rev-parse', 'HEAD').strip()},sub")
    git(repo, "commit", "-qm", "A submodule")
    _, options = build(repo, setup="rm a; mkdir a; echo 3 > a/d; mkdir sub; echo 4 > sub/e")
    with closing(open_workspace("docker", options)) as ws:
        assert ws.run("cat a b/c").text == "1\n2\n"


def test_error_with_long_output_is_bounded(build: Build) -> None:
    with pytest.raises(WorkspaceError) as caught:
        build({"a": ""}, setup="head -c 100000000 /dev/zero | tr '\\\\0' x; exit 1")
    assert len(caught.value.message) < 2500


def test_set_up_has_no_secrets_and_no_network(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = f"canary{uuid.uuid4().hex}"
    monkeypatch.setenv("OPENAI_API_KEY", canary)
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{canary}@127.0.0.1:9")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        script = (
            f"env; python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}), 2)' || echo unreachable"
        )
        image, options = build(
            {"a": ""}, setup=f"({script}; ls /sys/class/net) > /root/output 2>&1", set_up_environment={"A": "b"}
        )
    with closing(open_workspace("docker", options)) as ws:
        output = ws.run("cat /root/output").text
        assert "unreachable" in output
        assert output.splitlines()[-1] == "lo"
        assert "A=b" in output
        assert canary not in output + ws.run("env").text + docker("image", "inspect", image) + docker(
            "history", "--no-trunc", image
        )
        assert "A=b" not in ws.run("env").text


def test_set_up_has_few_capabilities_and_workspace_has_none(build: Build) -> None:
    _, options = build(
        {"a": ""}, setup="grep -E 'CapBnd|NoNewPrivs' /proc/self/status > /root/output; ulimit -n >> /root/output"
    )
    with closing(open_workspace("docker", options)) as ws:
        bound, privileges, _ = ws.run("cat /root/output").text.splitlines()
        assert int(bound.split()[1], 16) == 1 << 0 | 1 << 1 | 1 << 3 | 1 << 6 | 1 << 7
        assert privileges.split()[1] == "1"
        assert "0000000000000000" in ws.run("grep CapBnd /proc/self/status").text


@pytest.fixture
def make_labelled_image(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """`make_labelled_image(name, command)` builds an image by a command, with malicious labels."""
    tags: list[str] = []
    victim = tmp_path / "victim"
    victim.write_text("precious")

    def make(tag: str, command: str = "true", key: str = str(victim)) -> str:
        labels = [
            f"--label={environment.KEY_LABEL}={key}",
            f"--label={environment.ABOUT_LABEL}=[1]",
            "--label=swe-agent=1",
        ]
        container = docker("create", *labels, "--network=none", IMAGE, "sh", "-c", command)
        try:
            docker("start", "-a", container)
            docker("commit", container, tag)
        finally:
            docker("rm", "-f", container)
        tags.append(tag)
        return tag

    yield make
    for tag in tags:
        subprocess.run(["docker", "image", "rm", "-f", tag], capture_output=True)
    assert victim.read_text() == "precious"


def test_image_that_contains_repository_is_used_unchanged(
    build: Build, daemon: Daemon, make_labelled_image: Callable[..., str]
) -> None:
    command = "mkdir /testbed && cd /testbed && git init -q"
    base = make_labelled_image(f"swe-agent-test-{uuid.uuid4().hex[:8]}:latest", command)
    image, options = build({"a": ""}, image=base, setup="exit 1")
    assert any("/testbed" in line for line in messages_of(options))
    with closing(open_workspace("docker", options)) as ws:
        assert ws.root == "/testbed"
    (built,) = list_environments(daemon)
    assert (built.image, f"{environment.NAME}/{built.key}:latest") == (image, image)
    assert built.about["source"]
    assert [each.key for each in prune(daemon, keep=0, days=30)] == [built.key]


def test_labels_of_external_images_are_ignored(
    name: str, daemon: Daemon, make_labelled_image: Callable[..., str]
) -> None:
    make_labelled_image(f"{name}/no-key:latest")
    known = make_labelled_image(f"{name}/{'a' * 24}:latest")
    external = make_labelled_image(f"swe-agent-test-{uuid.uuid4().hex[:8]}:latest", key="a" * 24)
    (built,) = list_environments(daemon)
    assert (built.image, built.about) == (known, {})
    assert prune(daemon, keep=0, days=30) == [built]
    assert docker("images", "-q", external)


def test_smoke_check_runs_and_counts_tests(build: Build, daemon: Daemon) -> None:
    tests = "import pytest\n\n\ndef test_a():\n    open('leftover', 'w')\n\n\ndef test_b():\n    assert 0\n"
    _, options = build({"test_it.py": tests, "setup.py": ""}, setup="true", test="")
    (built,) = list_environments(daemon)
    assert built.about["tests"] == "2 collected, 1 failed, 1 passed"
    assert str(built.about["language"]).startswith("python 3.")
    with closing(open_workspace("docker", options)) as ws:
        assert ws.run("ls").text == "setup.py\ntest_it.py\n"


def test_environments_are_listed_and_pruned(build: Build, daemon: Daemon) -> None:
    old, _ = build({"a": ""}, setup="echo 1")
    new, _ = build({"a": ""}, setup="echo 2")
    os.utime(environment._used(old.partition("/")[2].removesuffix(":latest")), (1, 1))
    assert [each.image for each in list_environments(daemon)] == [new, old]
    assert [each.image for each in prune(daemon, keep=5, days=30)] == [old]
    assert [each.image for each in prune(daemon, keep=0, days=30)] == [new]
    assert list_environments(daemon) == []


def test_plan_from_files_is_used_if_image_cannot_be_pulled(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aci.environments.registries.PUBLIC_REGISTRIES", {"no-such-registry.invalid"})
    files = {".devcontainer.json": '{"image": "no-such-registry.invalid/x:1"}', "test_a.py": "import unittest\n"}
    image, options = build(files, image="", images={"python": IMAGE})
    assert image == IMAGE
    assert any("cannot be pulled" in line for line in messages_of(options))


DATED_PIP = """\
#!/bin/sh
mkdir -p /opt/swe-agent
case "$PIP_INDEX_URL" in http://127.0.0.1:*) echo older ;; *) echo today ;; esac > /opt/swe-agent/installed
"""
DATED_TEST = "import pytest\n\n\ndef test_day():\n    assert open('/opt/swe-agent/installed').read() == '{}\\n'\n"


@pytest.mark.parametrize(("works", "packages"), [("older", "2"), ("today", "today's"), ("neither", "today's")])
def test_older_packages_are_tried_where_current_ones_fail(
    build: Build, daemon: Daemon, works: str, packages: str
) -> None:
    files = {"pip": DATED_PIP, "test_it.py": DATED_TEST.format(works), "setup.py": ""}
    _, options = build(files, setup="PATH=$PWD:$PATH; chmod +x pip; pip install it", test="")
    assert any(line.startswith("Trying again") for line in messages_of(options)) is (works != "today")
    (built,) = list_environments(daemon)
    assert str(built.about["packages"]).startswith(packages)
    assert ("packages of 2" in str(built.about["tests"])) is (works == "older")
    with closing(open_workspace("docker", options)) as ws:
        expected = "older\n" if works == "older" else "today\n"
        assert ws.run("cat /opt/swe-agent/installed; ls /tmp/.swe-agent* 2>/dev/null").text == expected


def test_failing_set_up_is_repeated_with_older_packages(build: Build, daemon: Daemon) -> None:
    fails = DATED_PIP + 'grep -q older /opt/swe-agent/installed || { echo "no luck"; exit 1; }\n'
    _, options = build({"pip": fails, "test_it.py": DATED_TEST.format("older"), "setup.py": ""}, test="",
                       setup="PATH=$PWD:$PATH; chmod +x pip; pip install it")  # fmt: skip
    assert list_environments(daemon)[0].about["passed"] == 1
    assert options.image


def test_user_must_approve_set_up_that_reaches_hosts(make_repo: MakeRepo, tmp_path: Path, name: str) -> None:
    repository = Repository.open(make_repo({"a.py": ""}))
    questions: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []
    answers = [False, True, False]

    def may_set_up(image: str, commands: Sequence[str], hosts: Sequence[str]) -> bool:
        questions.append((image, tuple(commands), tuple(hosts)))
        return answers.pop(0)

    with closing(Trees(tmp_path / "trees.git")) as trees:
        messages: list[str] = []
        options = WorkspaceOptions(
            repository, repository.base(trees), trees, say=messages.append, may_set_up=may_set_up
        )
        wishes = replace(OFFLINE, setup="echo built > built", hosts=("registry.invalid",))
        assert environment_for(options, wishes) == IMAGE
        assert "refused" in messages[-1]
        built = environment_for(options, wishes)
        assert built.startswith(name)
        assert environment_for(options, wishes) == built, "an existing image needs no approval"
        assert environment_for(options, replace(wishes, hosts=("other.invalid",))) == IMAGE, "other hosts need approval"
        environment_for(options, replace(wishes, setup="echo other > built", hosts=()))
    assert [hosts for _, _, hosts in questions] == [("registry.invalid",)] * 2 + [("other.invalid",)]
    assert {each[:2] for each in questions} == {(IMAGE, ("echo built > built",))}
