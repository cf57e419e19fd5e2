"""The start of a tunnel: TLS to the host that was checked, and to no other that answers at the same address."""

from __future__ import annotations

import ipaddress
import socket
import time

from aci.environments.client_hello import ALERT, CHANGE_CIPHER_SPEC, BadHello, Handshake, asks_again, server_name
from aci.environments.pumping import receive

UNRECOGNIZED_NAME = b"\x15\x03\x03\x00\x02\x02\x70"
"""The alert that ends a connection of TLS for the name in its ClientHello."""


def open_tls(client: socket.socket, server: socket.socket, host: str, held: bytes, seconds: float) -> bytes:
    """Forward the ClientHello, which must name `host`, and the server's first answer. Return the client bytes that are
    not yet forwarded.

    Nothing more of the client's goes up before the server's answer is known: the server may ask for a second
    ClientHello, which may name another host. `held` is what came already. Raises BadHello for another name, an unclear
    one, and what is no TLS; and if it is not whole within `seconds`. Raises OSError, also if the server does not answer
    in TLS.
    """
    held = _pass_hello(client, server, host, held, Handshake(), seconds)
    if _is_asked_again(client, server, seconds):
        held = _pass_hello(client, server, host, held, Handshake(CHANGE_CIPHER_SPEC), seconds)
    return held


def _pass_hello(
    client: socket.socket, server: socket.socket, host: str, data: bytes, hello: Handshake, seconds: float
) -> bytes:
    until = time.monotonic() + seconds
    came = bytearray(data)
    message = hello.add(data)
    while message is None:
        try:
            data = receive(client, until)
        except TimeoutError:
            data = b""
        if not data:
            raise BadHello("is not whole")
        came += data
        message = hello.add(data)
    if not hello.is_alone:
        raise BadHello("has more in its record")
    name = server_name(message)
    if name != host and not (name == "" and _is_address(host)):
        raise BadHello(f"names {name or 'no server'}")
    server.sendall(came[: len(came) - len(hello.rest)])
    return bytes(hello.rest)


def _is_asked_again(client: socket.socket, server: socket.socket, seconds: float) -> bool:
    """Pass on what the server says until its first message is whole: whether that asks for a second ClientHello."""
    until = time.monotonic() + seconds
    answer = Handshake(ALERT)
    while data := receive(server, until):
        try:
            message = answer.add(data)
        except BadHello as bad:
            raise ConnectionAbortedError from bad
        client.sendall(data)
        if message is not None:
            return asks_again(message)
    return False


def _is_address(host: str) -> bool:
    """Whether the host is an address, which clients do not name (RFC 6066, 3)."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
