"""The start of a tunnel: TLS to the checked host, and to no other host at the same address."""

from __future__ import annotations

import ipaddress
import socket
import time

from extensions.environments.network.client_hello import (
    ALERT,
    CHANGE_CIPHER_SPEC,
    BadHello,
    HandshakeReader,
    asks_for_second_hello,
    server_name,
)
from extensions.environments.network.socket_pipe import receive

UNRECOGNIZED_NAME = b"\x15\x03\x03\x00\x02\x02\x70"
"""The TLS alert that refuses a connection because of the name in its ClientHello."""


def open_tls(client: socket.socket, server: socket.socket, host: str, held: bytes, seconds: float) -> bytes:
    """Forward the ClientHello, which must name `host`, and the server's first answer. Return the client bytes that are
    not yet forwarded.

    No more of the client's data is forwarded before the server's answer is known: the server may ask for a second
    ClientHello, which might name another host. `held` is the data received so far. Raises BadHello for another or an
    ambiguous name, for data that is not TLS, and if the message is not complete within `seconds`. Raises OSError if a
    connection fails or the server does not answer in TLS.
    """
    held = _forward_hello(client, server, host, held, HandshakeReader(), seconds)
    if _is_second_hello_requested(client, server, seconds):
        held = _forward_hello(client, server, host, held, HandshakeReader(CHANGE_CIPHER_SPEC), seconds)
    return held


def _forward_hello(
    client: socket.socket, server: socket.socket, host: str, data: bytes, hello: HandshakeReader, seconds: float
) -> bytes:
    until = time.monotonic() + seconds
    received = bytearray(data)
    message = hello.add(data)
    while message is None:
        try:
            data = receive(client, until)
        except TimeoutError:
            data = b""
        if not data:
            raise BadHello("is not complete")
        received += data
        message = hello.add(data)
    if not hello.is_alone:
        raise BadHello("is followed by other data in its record")
    name = server_name(message)
    if name != host and not (name == "" and _is_address(host)):
        raise BadHello(f"names {name or 'no server'}")
    server.sendall(received[: len(received) - len(hello.rest)])
    return bytes(hello.rest)


def _is_second_hello_requested(client: socket.socket, server: socket.socket, seconds: float) -> bool:
    """Forward the server's data up to the end of its first message; return whether this message asks for a second
    ClientHello."""
    until = time.monotonic() + seconds
    answer = HandshakeReader(ALERT)
    while data := receive(server, until):
        try:
            message = answer.add(data)
        except BadHello as bad:
            raise ConnectionAbortedError from bad
        client.sendall(data)
        if message is not None:
            return asks_for_second_hello(message)
    return False


def _is_address(host: str) -> bool:
    """Return whether the host is an IP address, which clients do not put in a ClientHello (RFC 6066, 3)."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
