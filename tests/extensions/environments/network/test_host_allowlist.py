from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Semaphore

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.environments.network.host_allowlist import ATTEMPTS, HostAllowlist, Refusal, host_and_port
from trajectories.errors import ConfigError


def is_allowed(allowed: HostAllowlist, host: str, port: int = 443) -> bool:
    try:
        allowed.check(host, port)
    except Refusal as refusal:
        return refusal.status != 403
    return True


def allowlist_at(*addresses: str) -> HostAllowlist:
    """An allowlist of `full.example` and all subdomains of `.example`, which resolve to `addresses`."""
    return HostAllowlist(["full.example", ".example"], lambda host, port: list(addresses))


@pytest.mark.parametrize(
    ("entry", "host", "port", "allowed"),
    [
        ("pypi.org", "pypi.org", 443, True),
        ("pypi.org", "pypi.org", 80, True),
        ("pypi.org", "pypi.org", 8080, False),
        ("pypi.org", "files.pypi.org", 443, False),
        ("pypi.org", "notpypi.org", 443, False),
        ("pypi.org", "pypi.org.evil.example", 443, False),
        ("localhost:4873", "localhost", 4873, True),
        ("localhost:4873", "localhost", 443, False),
        (".example.com", "a.example.com", 443, True),
        (".example.com", "a.b.example.com", 443, True),
        (".example.com", "example.com", 443, False),
        (".example.com", "badexample.com", 443, False),
    ],
)
def test_entry_allows_exact_name_its_port_or_subdomains(entry: str, host: str, port: int, allowed: bool) -> None:
    assert is_allowed(HostAllowlist([entry]), host, port) is allowed


@pytest.mark.parametrize("entry", ["", ".", "*.pypi.org", "https://pypi.org", "a b", "pypi.org:0", "x:99999", "[::1"])
def test_invalid_entry_is_refused(entry: str) -> None:
    with pytest.raises(ConfigError, match="is not a valid host of a package registry"):
        HostAllowlist([entry])


def test_unlisted_name_is_not_resolved() -> None:
    lookups: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        lookups.append(host)
        return []

    allowed = HostAllowlist(["pypi.org"], resolve)
    assert not is_allowed(allowed, "secret-of-the-set-up.evil.example")
    assert lookups == []


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1"),
        *("::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1"),
        *("::127.0.0.1", "64:ff9b:1::7f00:1", "64:ff9b:1:2:3::7f00:1", "fec0::1"),
    ],
)
def test_subdomain_with_private_address_is_refused(address: str) -> None:
    with pytest.raises(Refusal, match="private address") as caught:
        allowlist_at(address).addresses("rebound.example", 443)
    assert caught.value.status == 403
    assert allowlist_at(address).addresses("full.example", 443) == [address]


def test_name_is_looked_up_once_for_many_connections() -> None:
    """The resolver drops most of many questions at the same time, as real ones do."""
    asking, lookups = Semaphore(4), []

    def resolve(host: str, port: int) -> list[str]:
        lookups.append(host)
        if not asking.acquire(blocking=False):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        try:
            time.sleep(0.02)
            return ["93.184.216.34"]
        finally:
            asking.release()

    allowed = HostAllowlist([".example"], resolve, pause=0.01)
    with ThreadPoolExecutor(300) as pool:
        found = list(pool.map(lambda _: allowed.addresses("registry.example", 443), range(300)))
    assert found == [["93.184.216.34"]] * 300
    assert lookups == ["registry.example"]


def test_temporary_failure_is_tried_again() -> None:
    answers = [socket.EAI_AGAIN, socket.EAI_AGAIN, 0]

    def resolve(host: str, port: int) -> list[str]:
        if code := answers.pop(0):
            raise socket.gaierror(code, "Temporary failure in name resolution")
        return ["127.0.0.1"]

    assert HostAllowlist(["full.example"], resolve, pause=0).addresses("full.example", 443) == ["127.0.0.1"]


@pytest.mark.parametrize(("code", "lookups"), [(socket.EAI_AGAIN, ATTEMPTS), (socket.EAI_NONAME, 1)])
def test_lasting_failure_names_host_and_cause(code: int, lookups: int) -> None:
    asked = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        raise socket.gaierror(code, "no answer")

    with pytest.raises(Refusal, match=r"full\.example was not found: no answer"):
        HostAllowlist(["full.example"], resolve, pause=0).addresses("full.example", 443)
    assert len(asked) == lookups


def test_addresses_that_do_not_answer_are_looked_up_again() -> None:
    answers = [["127.0.0.2"], ["127.0.0.3"]]
    allowed = HostAllowlist(["full.example"], lambda host, port: answers.pop(0))
    first = allowed.addresses("full.example", 443)
    allowed.forget("full.example", 443, first)
    assert allowed.addresses("full.example", 443) == ["127.0.0.3"]
    allowed.forget("full.example", 443, first)
    assert allowed.addresses("full.example", 443) == ["127.0.0.3"]


def test_name_with_too_long_label_is_not_found() -> None:
    with pytest.raises(Refusal, match="was not found") as caught:
        HostAllowlist([".example"]).addresses("x" * 64 + ".example", 443)
    assert caught.value.status == 502


def test_only_public_addresses_of_subdomain_are_used() -> None:
    assert allowlist_at("127.0.0.1", "93.184.216.34", "2606:2800:21f::1").addresses("x.example", 443) == [
        "93.184.216.34",
        "2606:2800:21f::1",
    ]


def test_address_is_allowed_only_if_listed() -> None:
    assert not is_allowed(HostAllowlist(["pypi.org", ".org"]), "127.0.0.1")
    assert is_allowed(HostAllowlist(["127.0.0.1:80"]), "127.0.0.1", 80)
    assert is_allowed(HostAllowlist(["[::1]:80"]), "::1", 80)


def test_host_and_port_are_parsed_strictly() -> None:
    assert host_and_port("PyPI.org.:443") == ("pypi.org", 443)
    assert host_and_port("[0:0::1]:80") == ("::1", 80)
    for wrong in ("pypi.org", "a:b@c:1", "a:1:2", "a/b:1", "ä.example:1", "a..b:1", "-a:1", "a:٣", "a\n:1", "[a]:1"):
        with pytest.raises(ValueError, match=r"."):
            host_and_port(wrong)


@given(st.text(max_size=40))
def test_parsed_host_contains_no_separators(text: str) -> None:
    try:
        host, port = host_and_port(text)
    except ValueError:
        return
    assert not set(host) & set(" \t\r\n/@?#%\\")
    assert 0 < port < 65536
