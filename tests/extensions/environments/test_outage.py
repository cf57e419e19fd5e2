"""Recorded output of tools when the network fails, through the proxy of set-up."""

from __future__ import annotations

import pytest

from extensions.environments.network_outage import find_outage


@pytest.mark.parametrize(
    "line",
    [
        "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'ProxyError('Cannot connect to "
        "proxy.', OSError('Tunnel connection failed: 502 swe-agent: pypi.org was not found'))': /simple/x/",
        "curl: (56) CONNECT tunnel failed, response 502",
        "npm ERR! tunneling socket could not be established, statusCode=502",
        "npm ERR! code E503",
        "npm ERR! code ECONNRESET",
        "ERROR: HTTP error 503 while getting https://files.pythonhosted.org/a.whl",
        "E: Failed to fetch http://deb.debian.org/x.deb  502  swe-agent: deb.debian.org cannot be reached",
        "go: proxyconnect tcp: swe-agent: proxy.golang.org cannot be reached",
        "go: proxyconnect tcp: swe-agent: this machine's proxy did not answer",
        "pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool(host='x', port=443): Read timed out.",
        "ProxyError('Cannot connect to proxy.', NewConnectionError('[Errno 111] Connection refused'))",
    ],
)
def test_network_outage_is_recognised(line: str) -> None:
    assert find_outage(f"Collecting x\n{line}\nERROR: No matching distribution found for x==1\n") == line.strip()


@pytest.mark.parametrize(
    "line",
    [
        "OSError('Tunnel connection failed: 403 swe-agent: x:443 is not among the registries of the settings')",
        "WARNING: Retrying (Retry(total=4)) after connection broken by 'ReadTimeoutError('Read timed out.')': /x/",
        'could not translate host name "db" to address: Temporary failure in name resolution',
        'psql: error: connection to server at "localhost" (127.0.0.1), port 5432 failed: Connection refused',
        "src/x.c:502:1: error: expected ';'",
        "Downloading x-503.tar.gz (502 kB)",
    ],
)
def test_permanent_error_is_not_network_outage(line: str) -> None:
    assert find_outage(line) == ""
