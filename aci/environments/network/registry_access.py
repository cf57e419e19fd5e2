"""The one way out of a container in which an environment is set up: to the package registries that the user names.

The container has no network. On this machine a small proxy (`proxy.py`) reaches the listed hosts; in the container a
relay (`aci/inside/relay.py`, or its like in Perl or JavaScript) listens on loopback and carries connections to it over
the pipes of one `docker exec`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aci.environments.allowing import Allowed
from aci.environments.proxy import Proxy
from aci.environments.relaying import Relay
from trajectories.errors import WorkspaceError

_LOCAL = "localhost,127.0.0.1,::1"
_BUNDLE = "/tmp/.swe-agent-certificates.pem"
_ASKED = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS")
_TRUST = (*_ASKED, "CARGO_HTTP_CAINFO", "GIT_SSL_CAINFO", "AWS_CA_BUNDLE", "BUNDLE_SSL_CA_CERT")


@contextmanager
def reached(
    container: str, environment: Mapping[str, str], hosts: Iterable[str], say: Callable[[str], None]
) -> Iterator[dict[str, str]]:
    """Within it, commands in `container` reach `hosts` when they run with the variables that are yielded.

    `environment` is what the `docker` command needs. A host is `pypi.org`, `.example.com` for all below it, or with a
    port (else 443 and 80) `localhost:4873`. `say` tells the user what else was asked for, from other threads. Raises
    ConfigError for an entry that names no host or a proxy of this machine that cannot be used, WorkspaceError for an
    image that has neither Python, Perl nor Node.
    """
    proxy = Proxy(Allowed(hosts), say)
    prefix = ["docker", "exec", "-i", container]
    relay = Relay(prefix, environment, proxy.serve, lambda: say("The relay to the package registries died."))
    try:
        yield _variables(relay.port)
    finally:
        proxy.close()
        relay.close()


def bundle_of_this_machine() -> Path | None:
    """The certificates that the user has told programs on this machine to trust, if there are any of their own."""
    for name in _ASKED:
        if (path := Path(os.environ.get(name) or "/")).is_file():
            return path
    return None


def trusting(container: str, environment: Mapping[str, str], bundle: Path) -> dict[str, str]:
    """Bring `bundle` (PEM) into `container`: the variables with which programs trust it. Raises WorkspaceError."""
    put = ["docker", "exec", "-i", container, "sh", "-c", f"umask 022; cat > {_BUNDLE}"]
    try:
        done = subprocess.run(put, env=dict(environment), input=bundle.read_bytes(), capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WorkspaceError(f"{bundle} could not be brought into the container: {error}.", "Try again.") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()[-300:]
        raise WorkspaceError(f"{bundle} could not be brought into the container: {said}.", "Try again.")
    return dict.fromkeys(_TRUST, _BUNDLE)


def _variables(port: int) -> dict[str, str]:
    url = f"http://127.0.0.1:{port}"
    named = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "npm_config_proxy", "npm_config_https_proxy")
    java = [f"-D{each}.proxyHost=127.0.0.1 -D{each}.proxyPort={port}" for each in ("http", "https")]
    return {
        **dict.fromkeys((*named, "CARGO_HTTP_PROXY"), url),
        **dict.fromkeys(("ALL_PROXY", "all_proxy"), ""),
        **dict.fromkeys(("NO_PROXY", "no_proxy", "npm_config_noproxy"), _LOCAL),
        "JAVA_TOOL_OPTIONS": " ".join([*java, "-Daether.connector.http.useSystemProperties=true"]),
    }
