"""Strict parser for the server name in a TLS ClientHello; ambiguous messages are refused."""

from __future__ import annotations

from extensions.environments.network.host_allowlist import HOST_NAME

MAX_HANDSHAKE_BYTES = 32768
"""The maximum number of bytes of a handshake message. Real ones have hundreds, or a few thousand with post-quantum
keys."""

CHANGE_CIPHER_SPEC, ALERT, _HANDSHAKE = 20, 21, 22
_SHORT = 2  # maximum length of an alert in bytes; a change_cipher_spec has one byte (RFC 8446, 5 and 6)
_CLIENT_HELLO, _SERVER_HELLO = 1, 2
_SERVER_NAME = 0
_HIDDEN = frozenset((0xFFCE, *range(0xFE08, 0xFE0E)))
"""The extensions encrypted_client_hello and its drafts, including ESNI."""

_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The `random` of a HelloRetryRequest, a ServerHello that asks for another ClientHello (RFC 8446, 4.1.3)."""


class BadHello(Exception):
    """A refused handshake. The message completes a sentence: "names no server"."""


class HandshakeReader:
    """A reader of the first handshake message of one direction of TLS records.

    At most LONGEST bytes of the message and one record are kept. One record of the type `passed` (ALERT or
    CHANGE_CIPHER_SPEC) may precede it. Since empty records are refused, the message and everything before it, including
    record headers, take at most 6 * LONGEST bytes.
    """

    def __init__(self, passed: int = _HANDSHAKE) -> None:
        self._passed = passed
        self._message = bytearray()
        self._alone = True
        self.rest = bytearray()
        """The received bytes that are not part of a consumed record."""

    def add(self, data: bytes) -> bytes | None:
        """Add received bytes; return the message once it is complete. Raises BadHello if the data is not TLS or the
        message is too long."""
        self.rest += data
        at, message = 0, None
        while message is None and len(self.rest) - at >= 5:
            kind, version, length = self.rest[at], self.rest[at + 1], int.from_bytes(self.rest[at + 3 : at + 5], "big")
            if version != 3 or not 0 < length <= 1 << 14 or not self._is_expected(kind, length):
                raise BadHello("is not TLS")
            if len(self.rest) - at - 5 < length:
                break
            if kind == _HANDSHAKE:
                self._message += self.rest[at + 5 : at + 5 + length]
                message = self._complete_message()
            else:
                self._passed = _HANDSHAKE
            at += 5 + length
        del self.rest[:at]
        return message

    @property
    def is_alone(self) -> bool:
        """Whether the last record of the message contains no other data."""
        return self._alone

    def _is_expected(self, kind: int, length: int) -> bool:
        return kind == _HANDSHAKE or (kind == self._passed and not self._message and length <= _SHORT)

    def _complete_message(self) -> bytes | None:
        if len(self._message) < 4:
            return None
        length = 4 + int.from_bytes(self._message[1:4], "big")
        if length > MAX_HANDSHAKE_BYTES:
            raise BadHello("is too long")
        self._alone = len(self._message) == length
        return bytes(self._message[:length]) if len(self._message) >= length else None


def server_name(message: bytes) -> str:
    """Return the host that a ClientHello names, in lower case; "" if none. Raises BadHello."""
    whole = _Fields(message)
    if whole.number(1) != _CLIENT_HELLO:
        raise BadHello("is not a ClientHello")
    hello = whole.block(3)
    whole.end()
    hello.take(2 + 32)  # version, random
    for size in (1, 2, 1):  # session, ciphers, compressions
        hello.block(size)
    extensions: dict[int, _Fields] = {}
    if hello.left:
        listed = hello.block(2)
        while listed.left:
            kind = listed.number(2)
            if kind in extensions:
                raise BadHello("has an extension twice")
            extensions[kind] = listed.block(2)
    hello.end()
    if _HIDDEN & extensions.keys():
        raise BadHello("hides its server's name (encrypted_client_hello)")
    return _only_name(extensions[_SERVER_NAME]) if _SERVER_NAME in extensions else ""


def asks_for_second_hello(message: bytes) -> bool:
    """Return whether a server's first message asks for a second ClientHello."""
    return message[:1] == bytes([_SERVER_HELLO]) and message[6:38] == _RETRY


def _only_name(extension: _Fields) -> str:
    listed = extension.block(2)
    extension.end()
    kind, name = listed.number(1), listed.block(2)
    if kind or listed.left:
        raise BadHello("names two servers, or identifies one by something other than a host name")
    host = name.take(name.left).decode("latin-1").lower()
    if not HOST_NAME.fullmatch(host):
        raise BadHello("names a server by an invalid host name")
    return host


class _Fields:
    """A reader of a message's fields in order. Raises BadHello if a field extends beyond the message."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise BadHello("is truncated")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def block(self, size: int) -> _Fields:
        """Return a reader of the fields in a block, which starts with its length as a number of `size` bytes."""
        return _Fields(self.take(self.number(size)))

    def end(self) -> None:
        if self.left:
            raise BadHello("is longer than its stated length")
