"""Access to registries from a container without network, through `docker exec`."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue

import pytest

from aci.docker.docker_daemon import Daemon, connect
from aci.environments.registries import CERTIFICATE_VARIABLES, local_certificates
from extensions.environments.network.registry_access import install_certificates, open_registries
from extensions.environments.setup_container import container_programs
from tests.conftest import IMAGE
from tests.extensions.environments.network.loopback_servers import BIG, registry
from trajectories.errors import ConfigError, WorkspaceError

GET = "import sys, urllib.request as u; r = u.urlopen(sys.argv[1]); sys.stdout.buffer.write(r.read())"
MANY_DOWNLOADS = """\
import sys, threading, urllib.request as u
bodies = []
threads = [threading.Thread(target=lambda: bodies.append(u.urlopen(sys.argv[1]).read())) for _ in range(50)]
[each.start() for each in threads]
[each.join() for each in threads]
print(len(bodies), len(set(bodies)), len(bodies[0]))
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
    client = connect()
    yield client
    client.rest()


@pytest.fixture(scope="module")
def container(daemon: Daemon) -> Iterator[str]:
    started = daemon.start(IMAGE)
    yield str(started.id)
    started.remove(force=True, v=True)


@pytest.fixture
def run(container: str, daemon: Daemon) -> Run:
    """Run a command in the container with these variables."""

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


def proxy_loopback(variables: dict[str, str]) -> dict[str, str]:
    """Return `variables` so that loopback, where the tests have their registries, is also reached through the proxy."""
    return {**variables, "NO_PROXY": "", "no_proxy": ""}


@pytest.mark.slow
def test_only_listed_registry_is_reached(container: str, daemon: Daemon, run: Run) -> None:
    messages: list[str] = []
    before = threading.active_count()
    with registry() as (port, requests), registry() as (other, other_requests):
        with open_registries(
            container_programs(daemon, container), [f"localhost:{port}"], messages.append
        ) as variables:
            allowed = run(proxy_loopback(variables), "python3", "-c", GET, f"http://localhost:{port}/big")
            assert allowed.stdout == BIG, allowed.stderr
            refused = run(proxy_loopback(variables), "python3", "-c", GET, f"http://localhost:{other}/")
            assert b"403" in refused.stderr
            assert run({}, "python3", "-c", GET, f"http://localhost:{port}/").returncode
            processes = run({}, "sh", "-c", "cat /proc/[0-9]*/cmdline").stdout
            assert b"class Link" in processes
        assert b"class Link" not in run({}, "sh", "-c", "cat /proc/[0-9]*/cmdline").stdout
        assert run(proxy_loopback(variables), "python3", "-c", GET, f"http://localhost:{port}/").returncode
        assert len(requests) == 1
    assert not other_requests
    assert [f"localhost:{other}" in each for each in messages] == [True]
    assert threading.active_count() == before


@pytest.mark.slow
def test_simultaneous_downloads_arrive_completely(container: str, daemon: Daemon, run: Run) -> None:
    with (
        registry() as (port, _),
        open_registries(container_programs(daemon, container), [f"localhost:{port}"], print) as variables,
    ):
        result = run(proxy_loopback(variables), "python3", "-c", MANY_DOWNLOADS, f"http://localhost:{port}/big")
    assert result.stdout == b"50 1 %d\n" % len(BIG), result.stderr[-2000:]


@pytest.mark.slow
def test_flood_of_connections_does_not_block_later_request(container: str, daemon: Daemon, run: Run) -> None:
    with (
        registry() as (port, _),
        open_registries(container_programs(daemon, container), [f"localhost:{port}"], print) as variables,
    ):
        flooded = run(proxy_loopback(variables), "python3", "-c", FLOOD, variables["HTTP_PROXY"])
        assert flooded.returncode == 0, flooded.stderr
        after = run(proxy_loopback(variables), "python3", "-c", GET, f"http://localhost:{port}/big")
        assert after.stdout == BIG, after.stderr


def test_relay_killed_by_set_up_is_reported(container: str, daemon: Daemon, run: Run) -> None:
    messages: Queue[str] = Queue()
    with open_registries(container_programs(daemon, container), ["pypi.org"], messages.put):
        kill = "for p in /proc/[0-9]*; do grep -q '[c]lass Link' $p/cmdline && kill -9 ${p#/proc/}; done 2>/dev/null"
        run({}, "sh", "-c", kill)
        assert messages.get(timeout=30) == "The relay to the package registries died."
    assert messages.empty()


def test_invalid_registry_is_refused_before_start(container: str, daemon: Daemon) -> None:
    with (
        pytest.raises(ConfigError),
        open_registries(container_programs(daemon, container), ["https://pypi.org/simple"], print),
    ):
        pass


def test_missing_container_is_reported(daemon: Daemon) -> None:
    with (
        pytest.raises(WorkspaceError, match="did not start"),
        open_registries(container_programs(daemon, "swe-agent-of-nobody"), ["pypi.org"], print),
    ):
        pass


def test_certificates_are_copied_and_named_in_variables(
    container: str, daemon: Daemon, run: Run, tmp_path: Path
) -> None:
    bundle = tmp_path / "own.pem"
    bundle.write_text("certificates\n" * 10_000)
    variables = install_certificates(container, daemon.environment(), bundle)
    assert run(variables, "sh", "-c", 'cat "$SSL_CERT_FILE"').stdout == bundle.read_bytes()
    assert {"PIP_CERT", "NODE_EXTRA_CA_CERTS", "CARGO_HTTP_CAINFO", "REQUESTS_CA_BUNDLE"} <= set(variables)


def test_certificates_that_cannot_be_copied_are_reported(daemon: Daemon, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="could not be copied"):
        install_certificates("swe-agent-of-nobody", daemon.environment(), Path(__file__))
    with pytest.raises(WorkspaceError, match="could not be copied"):
        install_certificates("swe-agent-of-nobody", daemon.environment(), tmp_path / "missing")


def test_bundle_named_in_environment_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CERTIFICATE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert local_certificates() is None
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path))
    assert local_certificates() is None
    monkeypatch.setenv("PIP_CERT", __file__)
    assert local_certificates() == Path(__file__)
