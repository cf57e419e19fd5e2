from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aci.environments.network.client_hello import (
    ALERT,
    CHANGE_CIPHER_SPEC,
    MAX_HANDSHAKE_BYTES,
    BadHello,
    HandshakeReader,
    asks_for_second_hello,
    server_name,
)
from aci.environments.network.host_allowlist import HOST_NAME
from tests.aci.environments.network.loopback_servers import client_hello

REAL = client_hello("registry.example")
RECORD = 5 + (1 << 14)


def named(parts: list[bytes]) -> str:
    """The name that is found in what comes in these parts, or why there is none; only so much is kept of it."""
    came = HandshakeReader()
    try:
        for part in parts:
            message = came.add(part)
            assert len(came.rest) <= RECORD + len(part)
            assert len(came._message) <= MAX_HANDSHAKE_BYTES + RECORD
            if message is not None:
                assert len(message) <= MAX_HANDSHAKE_BYTES
                return server_name(message)
    except BadHello as bad:
        return f"refused: {bad}"
    return "not whole"


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(ends)]


@st.composite
def altered(draw: st.DrawFn) -> bytes:
    """A real ClientHello of which some bytes are others, gone or more."""
    data = bytearray(REAL)
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(data)


def test_real_hello_names_its_host() -> None:
    assert named([REAL]) == "registry.example"
    assert named([client_hello("127.0.0.1")]) == ""


@pytest.mark.slow
@given(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?(\.[a-z]{1,10}){0,4}", fullmatch=True))
def test_whatever_real_client_names_is_found(name: str) -> None:
    try:
        hello = client_hello(name)
    except ValueError:  # Python's own check of names
        return
    assert named([hello]) in (name.lower(), "")  # "": it looks like an address


@pytest.mark.slow
@given(st.one_of(st.binary(max_size=400), altered()), st.lists(st.integers(0, 2000), max_size=8))
@example(b"\x16\x03\x01\x40\x00" + b"\x01\x00\x80\x00" + bytes(16380), [])
def test_any_bytes_have_clear_name_or_are_refused_however_they_are_cut(data: bytes, places: list[int]) -> None:
    found = named([data])
    assert found == named(cut(data, places)) == named([data[at : at + 1] for at in range(len(data))])
    assert found.startswith(("refused: ", "not whole")) or found == "" or HOST_NAME.fullmatch(found)


@pytest.mark.slow
@given(st.binary(max_size=300))
def test_any_message_has_clear_name_or_is_refused(message: bytes) -> None:
    body = len(message).to_bytes(3, "big") + message
    for whole in (message, b"\x01" + body, REAL[5:][:40] + message):
        asks_for_second_hello(whole)
        try:
            name = server_name(whole)
        except BadHello:
            continue
        assert name == "" or HOST_NAME.fullmatch(name)


def test_hello_that_has_no_end_is_refused_before_it_is_kept() -> None:
    came = HandshakeReader()
    with pytest.raises(BadHello, match="too long"):
        came.add(b"\x16\x03\x01\x00\x04\x01\xff\xff\xff")
    came = HandshakeReader()
    assert came.add(b"\x16\x03\x01\x00\x04\x01" + (MAX_HANDSHAKE_BYTES - 4).to_bytes(3, "big")) is None


@pytest.mark.parametrize("kind", [ALERT, CHANGE_CIPHER_SPEC])
@pytest.mark.parametrize("length", [1, 2, 3, 1 << 14])
def test_one_short_record_of_another_type_may_come_before_hello(kind: int, length: int) -> None:
    record = bytes([kind, 3, 3]) + length.to_bytes(2, "big") + bytes(length)
    came = HandshakeReader(kind)
    if length > 2:
        with pytest.raises(BadHello, match="not TLS"):
            came.add(record)
        return
    assert came.add(record) is None
    assert came.rest == b""
    with pytest.raises(BadHello, match="not TLS"):
        came.add(record)
    came = HandshakeReader(kind)
    assert came.add(record + REAL) == REAL[5:]


def test_hello_of_many_small_records_takes_no_more_than_is_said() -> None:
    part, held = b"\x16\x03\x01\x00\x01", 0
    came = HandshakeReader()
    message = b"\x01" + (MAX_HANDSHAKE_BYTES - 4).to_bytes(3, "big") + bytes(MAX_HANDSHAKE_BYTES - 4)
    for byte in message:
        found = came.add(part + bytes([byte]))
        held += len(part) + 1
    assert found == message
    assert held == 6 * MAX_HANDSHAKE_BYTES
