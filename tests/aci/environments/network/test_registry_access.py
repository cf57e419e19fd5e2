"""The way to the registries, whole: from a container without network, through `docker exec`."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue

import pytest

from aci.docker.docker_daemon import Daemon, connect
from aci.environments.network import registry_access
from aci.environments.network.registry_access import install_certificates, local_certificates, open_registries
from tests.aci.environments.network.loopback_servers import BIG, registry
from tests.conftest import IMAGE
from trajectories.errors import ConfigError, WorkspaceError

GET = "import sys, urllib.request as u; r = u.urlopen(sys.argv[1]); sys.stdout.buffer.write(r.read())"
MANY = """\
import sys, threading, urllib.request as u
got = []
threads = [threading.Thread(target=lambda: got.append(u.urlopen(sys.argv[1]).read())) for _ in range(50)]
[each.start() for each in threads]
[each.join() for each in threads]
print(len(got), len(set(got)), len(got[0]))
"""
FLOOD = """\
import socket, sys
host, port = sys.argv[1].split("//")[1].split(":")
socks = []
for number in range(200):
    sock = socket.create_connection((host, int(port)))
    sock.setblocking(False)
    try:
        sock.send(b"x" * 1000000 if number % 2 else b"GET ")
    except BlockingIOError:
        pass
    socks.append(sock)
"""

Run = Callable[..., subprocess.CompletedProcess[bytes]]
pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    there = connect()
    yield there
    there.rest()


@pytest.fixture(scope="module")
def container(daemon: Daemon) -> Iterator[str]:
    made = daemon.start(IMAGE)
    yield str(made.id)
    made.remove(force=True, v=True)


@pytest.fixture
def run(container: str, daemon: Daemon) -> Run:
    """Run a command in the container with some variables set."""

    def run(variables: dict[str, str], *command: str) -> subprocess.CompletedProcess[bytes]:
        words = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
        full = ["docker", "exec", *words, container, *command]
        return subprocess.run(full, env=daemon.environment(), capture_output=True, timeout=100)

    return run


@pytest.fixture(autouse=True)
def no_upstream(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def outside(variables: dict[str, str]) -> dict[str, str]:
    """`variables` with loopback going through the proxy too, which is where the tests have their registries."""
    return {**variables, "NO_PROXY": "", "no_proxy": ""}


@pytest.mark.slow
def test_registry_is_reached_and_nothing_else(container: str, daemon: Daemon, run: Run) -> None:
    said: list[str] = []
    before = threading.active_count()
    with registry() as (port, seen), registry() as (other, unseen):
        with open_registries(container, daemon.environment(), [f"localhost:{port}"], said.append) as variables:
            there = run(outside(variables), "python3", "-c", GET, f"http://localhost:{port}/big")
            assert there.stdout == BIG, there.stderr
            beside = run(outside(variables), "python3", "-c", GET, f"http://localhost:{other}/")
            assert b"403" in beside.stderr
            assert run({}, "python3", "-c", GET, f"http://localhost:{port}/").returncode
            found = run({}, "sh", "-c", "cat /proc/[0-9]*/cmdline").stdout
            assert b"class Link" in found
        assert b"class Link" not in run({}, "sh", "-c", "cat /proc/[0-9]*/cmdline").stdout
        assert run(outside(variables), "python3", "-c", GET, f"http://localhost:{port}/").returncode
        assert len(seen) == 1
    assert not unseen
    assert [f"localhost:{other}" in each for each in said] == [True]
    assert threading.active_count() == before


@pytest.mark.slow
def test_many_downloads_at_once_arrive_whole(container: str, daemon: Daemon, run: Run) -> None:
    with (
        registry() as (port, _),
        open_registries(container, daemon.environment(), [f"localhost:{port}"], print) as variables,
    ):
        done = run(outside(variables), "python3", "-c", MANY, f"http://localhost:{port}/big")
    assert done.stdout == b"50 1 %d\n" % len(BIG), done.stderr[-2000:]


@pytest.mark.slow
def test_program_that_floods_does_not_end_way_for_others(container: str, daemon: Daemon, run: Run) -> None:
    with (
        registry() as (port, _),
        open_registries(container, daemon.environment(), [f"localhost:{port}"], print) as variables,
    ):
        flooded = run(outside(variables), "python3", "-c", FLOOD, variables["HTTP_PROXY"])
        assert flooded.returncode == 0, flooded.stderr
        after = run(outside(variables), "python3", "-c", GET, f"http://localhost:{port}/big")
        assert after.stdout == BIG, after.stderr


def test_relay_that_set_up_kills_is_told(container: str, daemon: Daemon, run: Run) -> None:
    said: Queue[str] = Queue()
    with open_registries(container, daemon.environment(), ["pypi.org"], said.put):
        kill = "for p in /proc/[0-9]*; do grep -q '[c]lass Link' $p/cmdline && kill -9 ${p#/proc/}; done 2>/dev/null"
        run({}, "sh", "-c", kill)
        assert said.get(timeout=30) == "The relay to the package registries died."
    assert said.empty()


def test_what_user_named_wrongly_is_told_before_anything_starts(container: str, daemon: Daemon) -> None:
    with (
        pytest.raises(ConfigError),
        open_registries(container, daemon.environment(), ["https://pypi.org/simple"], print),
    ):
        pass


def test_container_that_is_gone_is_told(daemon: Daemon) -> None:
    with (
        pytest.raises(WorkspaceError, match="did not start"),
        open_registries("swe-agent-of-nobody", daemon.environment(), ["pypi.org"], print),
    ):
        pass


def test_certificates_are_brought_along(container: str, daemon: Daemon, run: Run, tmp_path: Path) -> None:
    bundle = tmp_path / "own.pem"
    bundle.write_text("certificates\n" * 10_000)
    variables = install_certificates(container, daemon.environment(), bundle)
    assert run(variables, "sh", "-c", 'cat "$SSL_CERT_FILE"').stdout == bundle.read_bytes()
    assert {"PIP_CERT", "NODE_EXTRA_CA_CERTS", "CARGO_HTTP_CAINFO", "REQUESTS_CA_BUNDLE"} <= set(variables)


def test_certificates_that_cannot_be_brought_are_told(daemon: Daemon, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="could not be copied"):
        install_certificates("swe-agent-of-nobody", daemon.environment(), Path(__file__))
    with pytest.raises(WorkspaceError, match="could not be copied"):
        install_certificates("swe-agent-of-nobody", daemon.environment(), tmp_path / "missing")


def test_bundle_that_user_has_named_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in registry_access._ASKED:
        monkeypatch.delenv(name, raising=False)
    assert local_certificates() is None
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path))
    assert local_certificates() is None
    monkeypatch.setenv("PIP_CERT", __file__)
    assert local_certificates() == Path(__file__)
