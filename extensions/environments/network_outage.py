"""Detection of network failures in a command's output. After such a failure, another run may succeed."""

from __future__ import annotations

import re

_OUTAGE = re.compile(
    r"\b50[234]\b.{0,3}(?:swe-agent:|bad gateway|service |gateway |server error|backend|first byte)"
    r"|(?:http error|http code|http/[\d.]+|status ?(?:code)?|response|returned error|connection failed)"
    r"[ :=(]{1,3}50[234]\b"
    r"|\bE50[234]\b|429 too many requests"
    r"|swe-agent: .{1,260} (?:was not found|cannot be reached|gave no answer|did not answer)"
    r"|ProxyError|cannot connect to proxy|remote end closed|remotedisconnected|connection (?:was )?(?:reset|aborted)"
    r"|read timed out|connection timed out|operation timed out|(?:read|connect)timeout|tls handshake timeout"
    r"|i/o timeout|ECONNRESET|ETIMEDOUT|ERR_SOCKET_TIMEOUT|socket hang up|IncompleteRead",
    re.IGNORECASE,
)
_FOR_GOOD = re.compile(r"\b403\b|not among the registries|has a private address|answered HTTP/\S+ 4|Retry\(total=[1-9]")
"""Errors that another run would not change, and lines about pip's own retries."""

_LONGEST = 1000


def find_outage(output: str) -> str:
    """Return the line of the output that reports a network failure; empty if none does.

    A host name that a program cannot resolve is not a sign of an outage: names are only resolved by the proxy outside
    the container, which answers 502 if this fails.
    """
    lines = (line.strip()[:_LONGEST] for line in output.splitlines())
    return next((line for line in lines if _OUTAGE.search(line) and not _FOR_GOOD.search(line)), "")
