"""Access of a set-up container to the package registries that the user names, and to nothing else.

The container has no network. On this machine a small proxy (`http_proxy.py`) reaches the listed hosts. In the container
a relay (`guest/connection_relay.py`, or its equivalent in Perl or JavaScript) listens on loopback and forwards
connections to the proxy over the pipes of a `docker exec`.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aci.environments.registries import CERTIFICATE_VARIABLES
from extensions.environments.network.container_relay import ContainerRelay, Programs
from extensions.environments.network.host_allowlist import HostAllowlist
from extensions.environments.network.http_proxy import Proxy
from trajectories.errors import WorkspaceError

_LOCAL = "localhost,127.0.0.1,::1"
_BUNDLE = "/tmp/.swe-agent-certificates.pem"
_TRUST = (*CERTIFICATE_VARIABLES, "CARGO_HTTP_CAINFO", "GIT_SSL_CAINFO", "AWS_CA_BUNDLE", "BUNDLE_SSL_CA_CERT")


@contextmanager
def open_registries(programs: Programs, hosts: Iterable[str], say: Callable[[str], None]) -> Iterator[dict[str, str]]:
    """Let commands in a container or sandbox reach `hosts`. Yields the variables with which they must run.

    A host is given as `pypi.org`, as `.example.com` for all its subdomains, or as `localhost:4873` with a port (default
    ports: 443 and 80). `say`, which other threads call, reports requests for other hosts to the user. Raises
    ConfigError for an invalid host or if this machine's own proxy cannot be used, and WorkspaceError if neither
    Python, Perl nor Node is available.
    """
    proxy = Proxy(HostAllowlist(hosts), say)
    relay = ContainerRelay(programs, proxy.serve, lambda: say("The relay to the package registries died."))
    try:
        yield _variables(relay.port)
    finally:
        proxy.close()
        relay.close()


def install_certificates(container: str, environment: Mapping[str, str], bundle: Path) -> dict[str, str]:
    """Copy `bundle` (PEM) into `container`; return the variables with which programs trust it.

    Raises WorkspaceError.
    """
    put = ["docker", "exec", "-i", container, "sh", "-c", f"umask 022; cat > {_BUNDLE}"]
    try:
        done = subprocess.run(put, env=dict(environment), input=bundle.read_bytes(), capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WorkspaceError(f"{bundle} could not be copied into the container: {error}.", "Try again.") from error
    if done.returncode:
        errors = done.stderr.decode("utf-8", "replace").strip()[-300:]
        raise WorkspaceError(f"{bundle} could not be copied into the container: {errors}.", "Try again.")
    return trust_variables(_BUNDLE)


def trust_variables(bundle: str) -> dict[str, str]:
    """Return the variables with which programs trust the certificates in a file."""
    return dict.fromkeys(_TRUST, bundle)


def _variables(port: int) -> dict[str, str]:
    url = f"http://127.0.0.1:{port}"
    named = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "npm_config_proxy", "npm_config_https_proxy")
    yarn = ("YARN_HTTP_PROXY", "YARN_HTTPS_PROXY")  # from version 2 on, yarn reads no others
    java = [f"-D{each}.proxyHost=127.0.0.1 -D{each}.proxyPort={port}" for each in ("http", "https")]
    return {
        **dict.fromkeys((*named, *yarn, "CARGO_HTTP_PROXY"), url),
        **dict.fromkeys(("ALL_PROXY", "all_proxy"), ""),
        **dict.fromkeys(("NO_PROXY", "no_proxy", "npm_config_noproxy"), _LOCAL),
        "JAVA_TOOL_OPTIONS": " ".join([*java, "-Daether.connector.http.useSystemProperties=true"]),
    }
