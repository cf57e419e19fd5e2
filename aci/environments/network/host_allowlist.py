"""Which hosts set-up may reach, and at which addresses they are."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from trajectories.errors import ConfigError

PORTS = (443, 80)
_WITHIN = [ipaddress.IPv6Network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")]
"""Addresses that mean another one, of IPv4; so do those that Python knows."""
NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
"""A host's name, in lower case and without the dot of an absolute one."""

Resolve = Callable[[str, int], list[str]]


class Refusal(Exception):
    """A request that is answered with `status` and `reason`."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True, slots=True)
class Rule:
    """A host that may be reached, or with a dot in front all below it; at `ports`."""

    name: str
    ports: tuple[int, ...]

    def fits(self, host: str, port: int) -> bool:
        named = host.endswith(self.name) if self.name.startswith(".") else host == self.name
        return named and port in self.ports


class Allowed:
    """The hosts that are listed: `pypi.org`, `.example.com` (all below it), `localhost:4873` (at that port only).

    Raises ConfigError for an entry that names no host.
    """

    def __init__(self, hosts: Iterable[str], resolve: Resolve | None = None) -> None:
        self._rules = [_rule(each) for each in hosts]
        self._resolve = resolve or _addresses

    def check(self, host: str, port: int) -> None:
        """Raises Refusal for what is not listed; no name is looked up for that, so none tells anybody anything."""
        if not self._fitting(host, port):
            raise Refusal(403, f"{host}:{port} is not among the registries that the settings allow")

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a listed host. Behind a suffix there must be public ones: whoever answers for the names
        below a domain shall not point them at this machine or its network."""
        try:
            found = self._resolve(host, port)
        except (OSError, UnicodeError) as error:  # a label of more than 63 letters is not even asked for
            raise Refusal(502, f"{host} was not found") from error
        if not any(rule.name == host for rule in self._fitting(host, port)):
            found = [each for each in found if _public(each)]
            if not found:
                raise Refusal(403, f"{host} has a private address and is not listed by its full name")
        return found

    def _fitting(self, host: str, port: int) -> list[Rule]:
        return [rule for rule in self._rules if rule.fits(host, port)]


def host_and_port(text: str, default: int | None = None) -> tuple[str, int]:
    """`host:port`, `[::1]:port` or, with a `default` port, `host`; in lower case. Raises ValueError for all else."""
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\[\]]+))(?::([0-9]{1,5}))?", text, re.ASCII)
    if not match:
        raise ValueError(text)
    if match[1]:
        host = ipaddress.IPv6Address(match[1]).compressed
    else:
        host = match[2].lower().removesuffix(".")
        if not NAME.fullmatch(host):
            raise ValueError(text)
    port = int(match[3]) if match[3] else default
    if port is None or (match[3] and not 0 < port < 65536):
        raise ValueError(text)
    return host, port


def _rule(text: str) -> Rule:
    dot = "." if text.startswith(".") else ""
    try:
        host, port = host_and_port(text.removeprefix("."), default=0)
    except ValueError as error:
        raise ConfigError(
            f"{text!r} cannot name a package registry.", 'Write hosts: "pypi.org", ".example.com", "localhost:4873".'
        ) from error
    return Rule(dot + host, (port,) if port else PORTS)


def _addresses(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.is_site_local or any(found in each for each in _WITHIN):
            return False
        found = found.ipv4_mapped or found.sixtofour or found
    return found.is_global and not found.is_multicast
