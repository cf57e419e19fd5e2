"""The proxy that this machine itself uses, if its environment names one."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from trajectories.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ProxyAddress:
    """A proxy, and the header lines that it needs."""

    host: str
    port: int
    lines: tuple[bytes, ...]


class UpstreamProxy:
    """The proxy settings in `environment`: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY. Lower-case names take
    precedence.

    Raises ConfigError if one of them names a proxy that is not an HTTP proxy.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        named = [(name.lower(), value) for name, value in sorted(environment.items()) if value]
        self._proxies = {name.removesuffix("_proxy"): value for name, value in named if name.endswith("_proxy")}
        everything = self._proxies.get("all", "")
        self._tunnels = _parse_proxy(self._proxies.get("https", everything))
        self._plain = _parse_proxy(self._proxies.get("http", everything))

    def to(self, host: str, port: int, tunnel: bool) -> ProxyAddress | None:
        """Return the proxy for a connection to `host`; None if it is reached directly."""
        if any(_entry_fits(entry.strip(), host, port) for entry in self._proxies.get("no", "").split(",")):
            return None
        return self._tunnels if tunnel else self._plain


def _entry_fits(entry: str, host: str, port: int) -> bool:
    """Return whether an entry of NO_PROXY (`example.com`, `.example.com`, `example.com:8080`, `*`) matches the host."""
    name = entry.lower().removeprefix("*").removeprefix(".").removesuffix(f":{port}")
    return entry == "*" or (bool(name) and (host == name or host.endswith(f".{name}")))


def _parse_proxy(url: str) -> ProxyAddress | None:
    if not url:
        return None
    scheme = url.partition("://")[0] if "://" in url else "http"
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port or 80
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme != "http" or not parts.hostname:
        raise ConfigError(
            f"Set-up cannot use this machine's proxy, of kind {scheme[:20]!r}.",
            "Name one of the form http://host:port in HTTPS_PROXY and HTTP_PROXY.",
        )
    lines: tuple[bytes, ...] = ()
    if parts.username is not None:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        lines = (b"Proxy-Authorization: Basic " + base64.b64encode(secret),)
    return ProxyAddress(parts.hostname, port, lines)
