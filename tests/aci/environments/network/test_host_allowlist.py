from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.environments.network.host_allowlist import HostAllowlist, Refusal, host_and_port
from trajectories.errors import ConfigError


def passes(allowed: HostAllowlist, host: str, port: int = 443) -> bool:
    try:
        allowed.check(host, port)
    except Refusal as refusal:
        return refusal.status != 403
    return True


def at(*addresses: str) -> HostAllowlist:
    """`full.example` by its name and all below `.example`, at `addresses`."""
    return HostAllowlist(["full.example", ".example"], lambda host, port: list(addresses))


def test_host_is_allowed_by_its_name_at_usual_ports_only() -> None:
    allowed = HostAllowlist(["pypi.org"])
    assert passes(allowed, "pypi.org", 443)
    assert passes(allowed, "pypi.org", 80)
    assert not passes(allowed, "pypi.org", 8080)
    assert not passes(allowed, "files.pypi.org")
    assert not passes(allowed, "notpypi.org")
    assert not passes(allowed, "pypi.org.evil.example")


def test_port_that_is_named_with_host_is_only_one() -> None:
    allowed = HostAllowlist(["localhost:4873"])
    assert passes(allowed, "localhost", 4873)
    assert not passes(allowed, "localhost", 443)


def test_dot_in_front_means_all_below() -> None:
    allowed = HostAllowlist([".example.com"])
    assert passes(allowed, "a.example.com")
    assert passes(allowed, "a.b.example.com")
    assert not passes(allowed, "example.com")
    assert not passes(allowed, "badexample.com")


@pytest.mark.parametrize("entry", ["", ".", "*.pypi.org", "https://pypi.org", "a b", "pypi.org:0", "x:99999", "[::1"])
def test_entry_that_names_no_host_is_told(entry: str) -> None:
    with pytest.raises(ConfigError, match="cannot name a package registry"):
        HostAllowlist([entry])


def test_name_that_is_not_listed_is_never_looked_up() -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return []

    allowed = HostAllowlist(["pypi.org"], resolve)
    assert not passes(allowed, "secret-of-the-set-up.evil.example")
    assert asked == []


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1"),
        *("::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1"),
        *("::127.0.0.1", "64:ff9b:1::7f00:1", "64:ff9b:1:2:3::7f00:1", "fec0::1"),
    ],
)
def test_name_behind_suffix_may_not_lead_into_this_machine_or_its_network(address: str) -> None:
    with pytest.raises(Refusal, match="private address") as caught:
        at(address).addresses("rebound.example", 443)
    assert caught.value.status == 403
    assert at(address).addresses("full.example", 443) == [address]


def test_label_that_is_too_long_is_not_found() -> None:
    with pytest.raises(Refusal, match="was not found") as caught:
        HostAllowlist([".example"]).addresses("x" * 64 + ".example", 443)
    assert caught.value.status == 502


def test_of_several_addresses_only_public_ones_are_used() -> None:
    assert at("127.0.0.1", "93.184.216.34", "2606:2800:21f::1").addresses("x.example", 443) == [
        "93.184.216.34",
        "2606:2800:21f::1",
    ]


def test_addresses_are_no_names_unless_they_are_listed() -> None:
    assert not passes(HostAllowlist(["pypi.org", ".org"]), "127.0.0.1")
    assert passes(HostAllowlist(["127.0.0.1:80"]), "127.0.0.1", 80)
    assert passes(HostAllowlist(["[::1]:80"]), "::1", 80)


def test_places_are_read_strictly() -> None:
    assert host_and_port("PyPI.org.:443") == ("pypi.org", 443)
    assert host_and_port("[0:0::1]:80") == ("::1", 80)
    for wrong in ("pypi.org", "a:b@c:1", "a:1:2", "a/b:1", "ä.example:1", "a..b:1", "-a:1", "a:٣", "a\n:1", "[a]:1"):
        with pytest.raises(ValueError, match=r"."):
            host_and_port(wrong)


@given(st.text(max_size=40))
def test_no_text_that_is_taken_for_place_has_more_in_it_than_place(text: str) -> None:
    try:
        host, port = host_and_port(text)
    except ValueError:
        return
    assert not set(host) & set(" \t\r\n/@?#%\\")
    assert 0 < port < 65536
