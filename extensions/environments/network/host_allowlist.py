"""The hosts that set-up may reach, and their addresses."""

from __future__ import annotations

import ipaddress
import re
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock

from trajectories.errors import ConfigError

PORTS = (443, 80)
_EMBEDDING_NETWORKS = [ipaddress.IPv6Network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")]
"""IPv6 networks that embed IPv4 addresses, in addition to those that Python's `ipaddress` knows."""
FAILED_PAUSES = 10
"""Number of pauses for which a failed look-up is not repeated."""
ATTEMPTS = 4
"""Number of times that a name is looked up if the resolver fails for the moment."""
HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
"""A host name in lower case, without a trailing dot."""

Resolve = Callable[[str, int], list[str]]


class Refusal(Exception):
    """A refused request, with an HTTP `status` and a `reason`."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True, slots=True)
class HostRule:
    """A rule that allows a host, or all its subdomains if the name starts with a dot, on `ports`."""

    name: str
    ports: tuple[int, ...]

    def fits(self, host: str, port: int) -> bool:
        named = host.endswith(self.name) if self.name.startswith(".") else host == self.name
        return named and port in self.ports


class HostAllowlist:
    """The allowed hosts, from entries such as `pypi.org`, `.example.com` (all its subdomains) and `localhost:4873`
    (only on that port).

    Raises ConfigError for an invalid entry.
    """

    def __init__(self, hosts: Iterable[str], resolve: Resolve | None = None, pause: float = 1.0) -> None:
        """`pause` is the number of seconds before a name is looked up again after a temporary failure."""
        self._rules = [_rule(each) for each in hosts]
        self._resolve, self._pause = resolve or _addresses, pause
        self._held: dict[tuple[str, int], list[str]] = {}
        self._failed: dict[tuple[str, int], tuple[Refusal, float]] = {}
        self._locks: dict[str, Lock] = {}
        self._guard = Lock()

    def check(self, host: str, port: int) -> None:
        """Raise Refusal if the host is not listed. The name is not resolved for this, so that no DNS query can leak
        data."""
        if not self._matching_rules(host, port):
            raise Refusal(403, f"{host}:{port} is not among the registries that the settings allow")

    def addresses(self, host: str, port: int) -> list[str]:
        """Return the addresses of a listed host, which are looked up once: package managers open hundreds of
        connections at the same time, and resolvers drop so many questions.

        A host that is only listed by a suffix must have public addresses, so that the owner of a domain cannot point
        names at this machine or its network.
        """
        with self._guard:
            lock = self._locks.setdefault(host, Lock())
        with lock:
            held = self._held.get((host, port))
            if held is None:
                refusal, until = self._failed.get((host, port), (None, 0.0))
                if refusal and time.monotonic() < until:
                    raise refusal
                held = self._held[host, port] = self._look_up(host, port)
            return held

    def forget(self, host: str, port: int, unusable: list[str]) -> None:
        """Look the host up again at its next use, since these addresses of it do not answer."""
        with self._guard:
            if self._held.get((host, port)) is unusable:
                del self._held[host, port]

    def _look_up(self, host: str, port: int) -> list[str]:
        """Look up a name; a failure holds for some seconds, so that those who wait do not repeat it one by one."""
        try:
            return self._ask(host, port)
        except Refusal as refusal:
            self._failed[host, port] = refusal, time.monotonic() + self._pause * FAILED_PAUSES
            raise

    def _ask(self, host: str, port: int) -> list[str]:
        for attempts_left in reversed(range(ATTEMPTS)):
            try:
                found = self._resolve(host, port)
                break
            except socket.gaierror as error:
                if error.errno != socket.EAI_AGAIN or not attempts_left:
                    raise Refusal(502, f"{host} was not found: {error.strerror or error}") from error
                time.sleep(self._pause)
            except (OSError, UnicodeError) as error:  # UnicodeError: a label of more than 63 letters
                raise Refusal(502, f"{host} was not found") from error
        if not any(rule.name == host for rule in self._matching_rules(host, port)):
            found = [each for each in found if _public(each)]
            if not found:
                raise Refusal(403, f"{host} has a private address and is not listed by its full name")
        return found

    def _matching_rules(self, host: str, port: int) -> list[HostRule]:
        return [rule for rule in self._rules if rule.fits(host, port)]


def host_and_port(text: str, default: int | None = None) -> tuple[str, int]:
    """Parse `host:port`, `[::1]:port` or, with a `default` port, `host`; convert the host to lower case. Raises
    ValueError."""
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\[\]]+))(?::([0-9]{1,5}))?", text, re.ASCII)
    if not match:
        raise ValueError(text)
    if match[1]:
        host = ipaddress.IPv6Address(match[1]).compressed
    else:
        host = match[2].lower().removesuffix(".")
        if not HOST_NAME.fullmatch(host):
            raise ValueError(text)
    port = int(match[3]) if match[3] else default
    if port is None or (match[3] and not 0 < port < 65536):
        raise ValueError(text)
    return host, port


def _rule(text: str) -> HostRule:
    dot = "." if text.startswith(".") else ""
    try:
        host, port = host_and_port(text.removeprefix("."), default=0)
    except ValueError as error:
        raise ConfigError(
            f"{text!r} is not a valid host of a package registry.",
            'Use hosts: "pypi.org", ".example.com", "localhost:4873".',
        ) from error
    return HostRule(dot + host, (port,) if port else PORTS)


def _addresses(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.is_site_local or any(found in each for each in _EMBEDDING_NETWORKS):
            return False
        found = found.ipv4_mapped or found.sixtofour or found
    return found.is_global and not found.is_multicast
