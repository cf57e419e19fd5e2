from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.runtime.process_channel import local_starter
from extensions.environments.guest.connection_relay import CHUNK, CONNECTIONS, HEADER, WINDOW, Broken, Link
from extensions.environments.network import container_relay
from extensions.environments.network.container_relay import ContainerRelay, Programs
from tests.extensions.environments.network.loopback_servers import BIG, echo, receive_all
from trajectories.errors import WorkspaceError

LANGUAGES = {"python3": "python3", "perl": "perl", "node": "node"}


@pytest.fixture(params=list(LANGUAGES))
def environment_of_language(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """An environment with a shell and one of the languages in which the relay is written."""
    return link_programs(tmp_path, request.param)


def link_programs(folder: Path, *programs: str) -> dict[str, str]:
    for program in ("sh", *programs):
        path = shutil.which(program, path="/usr/bin:/bin:/usr/local/bin")
        if not path:
            pytest.skip(f"there is no {program} here")
        (folder / program).symlink_to(path)
    return {"PATH": str(folder)}


@contextmanager
def open_relay(
    environment: dict[str, str], serve: Callable[[socket.socket], None], lost: Callable[[], None] = print
) -> Iterator[ContainerRelay]:
    before = threading.active_count()
    relay = ContainerRelay(Programs(local_starter(environment)), serve, lost)
    try:
        yield relay
    finally:
        relay.close()
    assert relay._program.code(0.0) is not None
    assert threading.active_count() == before


def connect(relay: ContainerRelay) -> socket.socket:
    return socket.create_connection(("127.0.0.1", relay.port), timeout=30)


def exchange(relay: ContainerRelay, data: bytes) -> bytes:
    with connect(relay) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return receive_all(sock)


def receive_rest(sock: socket.socket) -> bytes:
    """Return the data until the connection ends or breaks."""
    try:
        return receive_all(sock)
    except ConnectionResetError:
        return b""


def test_data_arrives_completely_in_both_directions(environment_of_language: dict[str, str]) -> None:
    with open_relay(environment_of_language, echo) as relay:
        assert exchange(relay, BIG) == BIG
        assert exchange(relay, b"") == b""


@pytest.mark.slow
def test_many_simultaneous_connections_are_relayed(environment_of_language: dict[str, str]) -> None:
    def send_data(client: socket.socket) -> None:
        with client:
            client.sendall(BIG)

    received: list[bytes] = []
    with open_relay(environment_of_language, send_data) as relay:
        threads = [Thread(target=lambda: received.append(exchange(relay, b"please"))) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [len(each) for each in received] == [len(BIG)] * 50
    assert all(each == BIG for each in received)


def test_slow_reader_stalls_sender(environment_of_language: dict[str, str]) -> None:
    sent: list[int] = []
    stalled = Event()

    def endless(client: socket.socket) -> None:
        with client:
            client.settimeout(0.5)
            try:
                while sum(sent) < 1 << 28:
                    sent.append(client.send(bytes(65536)))
            except TimeoutError:
                stalled.set()

    with open_relay(environment_of_language, endless) as relay, connect(relay) as sock:
        assert stalled.wait(60)
        assert sum(sent) < 32 << 20
        assert sock.recv(1) == b"\0"


def test_writer_stalls_if_nothing_reads(environment_of_language: dict[str, str]) -> None:
    finish, finished = Event(), Event()

    def ignore(client: socket.socket) -> None:
        with client:
            finish.wait(60)
        finished.set()

    with open_relay(environment_of_language, ignore) as relay, connect(relay) as sock:
        sock.settimeout(0.5)
        assert send_until_stalled(sock) < 32 << 20
        finish.set()
        assert finished.wait(30)


def send_until_stalled(sock: socket.socket) -> int:
    total = 0
    try:
        while total < 1 << 28:
            total += sock.send(bytes(65536))
    except TimeoutError:
        pass
    return total


def test_connection_closed_on_host_is_closed_in_container(environment_of_language: dict[str, str]) -> None:
    def close(client: socket.socket) -> None:
        client.close()

    with open_relay(environment_of_language, close) as relay, connect(relay) as sock:
        sock.sendall(b"hello")
        assert receive_rest(sock) == b""


def test_disconnected_program_ends_its_connection_on_host(environment_of_language: dict[str, str]) -> None:
    ended = Event()

    def endless(client: socket.socket) -> None:
        with client:
            try:
                while True:
                    client.sendall(bytes(65536))
            except OSError:
                ended.set()

    with open_relay(environment_of_language, endless) as relay:
        with connect(relay) as sock:
            assert sock.recv(1) == b"\0"
        assert ended.wait(30)


def test_relay_works_after_too_many_connections(environment_of_language: dict[str, str]) -> None:
    with open_relay(environment_of_language, echo) as relay:
        idle = [connect(relay) for _ in range(CONNECTIONS + 20)]
        for sock in idle:
            sock.close()
        while try_exchange(relay) != b"still there":  # otherwise the test times out
            pass


def try_exchange(relay: ContainerRelay) -> bytes:
    """Return an answer, or nothing while the relay has too many connections."""
    try:
        return exchange(relay, b"still there")
    except OSError:
        return b""


def test_death_of_relay_is_reported_and_connections_closed(environment_of_language: dict[str, str]) -> None:
    lost = Event()
    with open_relay(environment_of_language, echo, lost.set) as relay, connect(relay) as sock:
        os.kill(relay._hello[0], signal.SIGKILL)
        assert lost.wait(30)
        assert receive_rest(sock) == b""


def test_stopped_relay_is_killed(environment_of_language: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with open_relay(environment_of_language, echo) as relay:
        os.kill(relay._hello[0], signal.SIGSTOP)


def test_container_without_known_language_is_reported(tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(WorkspaceError, match="neither Python"):
        ContainerRelay(Programs(local_starter(link_programs(tmp_path))), echo, print)
    assert threading.active_count() == before


@pytest.mark.slow
def test_silent_relay_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_relay, "_START", 0.2)
    monkeypatch.setattr(container_relay, "_END", 0.2)
    (tmp_path / "python3").write_text('#!/bin/sh\n[ "$1" = -I ] && exec sleep 60\nexit 0\n')
    (tmp_path / "python3").chmod(0o755)
    with pytest.raises(WorkspaceError, match="did not start"):
        ContainerRelay(Programs(local_starter({"PATH": f"{tmp_path}:/usr/bin:/bin"})), echo, print)


def host_replies(*frames: bytes, open_socket: Callable[[], socket.socket | None] = lambda: None) -> bytes:
    """Return what the host's end answers to `frames`."""
    source, write_end = os.pipe()
    read_end, sink = os.pipe()
    for frame in frames:
        os.write(write_end, frame)
    os.close(write_end)
    try:
        link = Link(source, sink, open_socket, lambda process, port: None)
        link.run()
        return bytes(link._out)
    finally:
        for fd in (source, read_end, sink):
            os.close(fd)


def frame(kind: bytes, stream: int = 1, number: int = 0, data: bytes = b"") -> bytes:
    return HEADER.pack(kind, stream, number) + data


def data_frame(length: int) -> bytes:
    return frame(b"D", 1, length, bytes(length))


@pytest.mark.parametrize(
    "frames",
    [
        [frame(b"x")],
        [frame(b"O"), frame(b"O")],
        [frame(b"O"), frame(b"D", 1, CHUNK + 1)],
        [frame(b"O"), frame(b"D", 1, 0xFFFFFFFF)],
        [frame(b"O"), frame(b"C", 1, 1)],
        [frame(b"O"), frame(b"C", 1, 0xFFFFFFFF)],
        [frame(b"O"), frame(b"E"), data_frame(1)],
    ],
)
def test_relay_that_breaks_protocol_is_disconnected(frames: list[bytes]) -> None:
    host_end, peer = socket.socketpair()
    with host_end, peer, pytest.raises(Broken):
        host_replies(*frames, open_socket=lambda: host_end)


def test_data_beyond_window_is_refused() -> None:
    """A modified relay could send without end to a connection that is not read."""
    host_end, peer = socket.socketpair()
    link = Link(*os.pipe(), lambda: host_end, print)
    with peer:
        link._obey(b"O", 1, 0, b"")
        for _ in range(WINDOW // CHUNK):
            link._obey(b"D", 1, CHUNK, bytes(CHUNK))
        with pytest.raises(Broken):
            link._obey(b"D", 1, 1, b".")
    host_end.close()
    os.close(link._source)
    os.close(link._sink)


def test_frames_of_closed_connections_are_ignored() -> None:
    assert host_replies(data_frame(100), frame(b"E", 7), frame(b"R", 7), frame(b"C", 7, 5)) == b""


def test_refused_connection_is_reset() -> None:
    source, write_end = os.pipe()
    read_end, sink = os.pipe()
    link = Link(source, sink, lambda: None, print)
    link._obey(b"O", 5, 0, b"")
    os.close(write_end)
    link._flush()
    assert os.read(read_end, 100) == frame(b"R", 5)
    for fd in (source, read_end, sink):
        os.close(fd)


FRAMES = st.builds(frame, st.sampled_from([b"H", b"O", b"D", b"E", b"R", b"C"]), st.integers(0, 2), st.integers(0, 40))


@given(st.binary(max_size=200) | st.lists(FRAMES | st.binary(max_size=40), max_size=20).map(b"".join))
def test_no_input_does_more_than_end_link(text: bytes) -> None:
    peers: list[socket.socket] = []

    def open_socket() -> socket.socket:
        host_end, peer = socket.socketpair()
        peers.append(peer)
        return host_end

    with suppress(Broken):
        host_replies(text, open_socket=open_socket)
    for each in peers:
        each.close()
