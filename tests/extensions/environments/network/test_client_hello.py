from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from extensions.environments.network.client_hello import (
    ALERT,
    CHANGE_CIPHER_SPEC,
    MAX_HANDSHAKE_BYTES,
    BadHello,
    HandshakeReader,
    asks_for_second_hello,
    server_name,
)
from extensions.environments.network.host_allowlist import HOST_NAME
from tests.extensions.environments.network.loopback_servers import client_hello

REAL = client_hello("registry.example")
RECORD = 5 + (1 << 14)


def read_name(parts: list[bytes]) -> str:
    """Return the server name in these parts of a stream, or why there is none; check that the reader stores little."""
    reader = HandshakeReader()
    try:
        for part in parts:
            message = reader.add(part)
            assert len(reader.rest) <= RECORD + len(part)
            assert len(reader._message) <= MAX_HANDSHAKE_BYTES + RECORD
            if message is not None:
                assert len(message) <= MAX_HANDSHAKE_BYTES
                return server_name(message)
    except BadHello as bad:
        return f"refused: {bad}"
    return "not whole"


def split_at(data: bytes, positions: list[int]) -> list[bytes]:
    ends = sorted({0, len(data), *(position % (len(data) + 1) for position in positions)})
    return [data[start:end] for start, end in pairwise(ends)]


@st.composite
def altered_hello(draw: st.DrawFn) -> bytes:
    """A real ClientHello with some bytes replaced, removed or inserted."""
    data = bytearray(REAL)
    for _ in range(draw(st.integers(0, 6))):
        position = draw(st.integers(0, len(data)))
        data[position : position + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(data)


def test_name_is_read_from_real_hello() -> None:
    assert read_name([REAL]) == "registry.example"
    assert read_name([client_hello("127.0.0.1")]) == ""


@pytest.mark.slow
@given(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?(\.[a-z]{1,10}){0,4}", fullmatch=True))
def test_any_name_of_real_client_is_read(name: str) -> None:
    try:
        hello = client_hello(name)
    except ValueError:  # Python's own check of names
        return
    assert read_name([hello]) in (name.lower(), "")  # "" for a name that looks like an address


@pytest.mark.slow
@given(st.one_of(st.binary(max_size=400), altered_hello()), st.lists(st.integers(0, 2000), max_size=8))
@example(b"\x16\x03\x01\x40\x00" + b"\x01\x00\x80\x00" + bytes(16380), [])
def test_any_bytes_in_any_parts_give_valid_name_or_refusal(data: bytes, positions: list[int]) -> None:
    result = read_name([data])
    assert (
        result
        == read_name(split_at(data, positions))
        == read_name([data[position : position + 1] for position in range(len(data))])
    )
    assert result.startswith(("refused: ", "not whole")) or result == "" or HOST_NAME.fullmatch(result)


@pytest.mark.slow
@given(st.binary(max_size=300))
def test_any_message_gives_valid_name_or_refusal(message: bytes) -> None:
    body = len(message).to_bytes(3, "big") + message
    for hello in (message, b"\x01" + body, REAL[5:][:40] + message):
        asks_for_second_hello(hello)
        try:
            name = server_name(hello)
        except BadHello:
            continue
        assert name == "" or HOST_NAME.fullmatch(name)


def test_too_long_hello_is_refused_by_its_header() -> None:
    reader = HandshakeReader()
    with pytest.raises(BadHello, match="too long"):
        reader.add(b"\x16\x03\x01\x00\x04\x01\xff\xff\xff")
    reader = HandshakeReader()
    assert reader.add(b"\x16\x03\x01\x00\x04\x01" + (MAX_HANDSHAKE_BYTES - 4).to_bytes(3, "big")) is None


@pytest.mark.parametrize("kind", [ALERT, CHANGE_CIPHER_SPEC])
@pytest.mark.parametrize("length", [1, 2, 3, 1 << 14])
def test_one_short_record_of_other_type_may_precede_hello(kind: int, length: int) -> None:
    record = bytes([kind, 3, 3]) + length.to_bytes(2, "big") + bytes(length)
    reader = HandshakeReader(kind)
    if length > 2:
        with pytest.raises(BadHello, match="not TLS"):
            reader.add(record)
        return
    assert reader.add(record) is None
    assert reader.rest == b""
    with pytest.raises(BadHello, match="not TLS"):
        reader.add(record)
    reader = HandshakeReader(kind)
    assert reader.add(record + REAL) == REAL[5:]


def test_hello_of_many_small_records_is_read_up_to_limit() -> None:
    part, size = b"\x16\x03\x01\x00\x01", 0
    reader = HandshakeReader()
    message = b"\x01" + (MAX_HANDSHAKE_BYTES - 4).to_bytes(3, "big") + bytes(MAX_HANDSHAKE_BYTES - 4)
    for byte in message:
        result = reader.add(part + bytes([byte]))
        size += len(part) + 1
    assert result == message
    assert size == 6 * MAX_HANDSHAKE_BYTES
