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

from aci.environments.network import container_relay
from aci.environments.network.container_relay import ContainerRelay
from aci.guest.connection_relay import CHUNK, CONNECTIONS, HEADER, WINDOW, Broken, Link
from tests.aci.environments.network.loopback_servers import BIG, echo, everything
from trajectories.errors import WorkspaceError

KINDS = {"python3": "python3", "perl": "perl", "node": "node"}


@pytest.fixture(params=list(KINDS))
def only(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """An environment in which there is a shell and one of the languages that the relay is written in."""
    return with_only(tmp_path, request.param)


def with_only(folder: Path, *programs: str) -> dict[str, str]:
    for program in ("sh", *programs):
        found = shutil.which(program, path="/usr/bin:/bin:/usr/local/bin")
        if not found:
            pytest.skip(f"there is no {program} here")
        (folder / program).symlink_to(found)
    return {"PATH": str(folder)}


@contextmanager
def relay(
    environment: dict[str, str], serve: Callable[[socket.socket], None], lost: Callable[[], None] = print
) -> Iterator[ContainerRelay]:
    before = threading.active_count()
    made = ContainerRelay([], environment, serve, lost)
    try:
        yield made
    finally:
        made.close()
    assert made._process.returncode is not None
    assert threading.active_count() == before


def connected(to: ContainerRelay) -> socket.socket:
    return socket.create_connection(("127.0.0.1", to.port), timeout=30)


def exchanged(to: ContainerRelay, data: bytes) -> bytes:
    with connected(to) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return everything(sock)


def rest(sock: socket.socket) -> bytes:
    """What still comes before the connection ends or breaks."""
    try:
        return everything(sock)
    except ConnectionResetError:
        return b""


def test_what_is_said_through_it_arrives_whole_both_ways(only: dict[str, str]) -> None:
    with relay(only, echo) as there:
        assert exchanged(there, BIG) == BIG
        assert exchanged(there, b"") == b""


@pytest.mark.slow
def test_many_connections_at_once(only: dict[str, str]) -> None:
    def give(client: socket.socket) -> None:
        with client:
            client.sendall(BIG)

    got: list[bytes] = []
    with relay(only, give) as there:
        threads = [Thread(target=lambda: got.append(exchanged(there, b"please"))) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [len(each) for each in got] == [len(BIG)] * 50
    assert all(each == BIG for each in got)


def test_reader_that_is_slow_makes_its_sender_wait(only: dict[str, str]) -> None:
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

    with relay(only, endless) as there, connected(there) as sock:
        assert stalled.wait(60)
        assert sum(sent) < 32 << 20
        assert sock.recv(1) == b"\0"


def test_writer_is_not_heard_further_than_it_is_listened_to(only: dict[str, str]) -> None:
    deaf, done = Event(), Event()

    def ignores(client: socket.socket) -> None:
        with client:
            deaf.wait(60)
        done.set()

    with relay(only, ignores) as there, connected(there) as sock:
        sock.settimeout(0.5)
        assert sent_until_it_stalls(sock) < 32 << 20
        deaf.set()
        assert done.wait(30)


def sent_until_it_stalls(sock: socket.socket) -> int:
    total = 0
    try:
        while total < 1 << 28:
            total += sock.send(bytes(65536))
    except TimeoutError:
        pass
    return total


def test_connection_that_breaks_on_this_side_breaks_there(only: dict[str, str]) -> None:
    def breaks(client: socket.socket) -> None:
        client.close()

    with relay(only, breaks) as there, connected(there) as sock:
        sock.sendall(b"hello")
        assert rest(sock) == b""


def test_program_that_breaks_off_ends_what_is_done_for_it(only: dict[str, str]) -> None:
    ended = Event()

    def endless(client: socket.socket) -> None:
        with client:
            try:
                while True:
                    client.sendall(bytes(65536))
            except OSError:
                ended.set()

    with relay(only, endless) as there:
        with connected(there) as sock:
            assert sock.recv(1) == b"\0"
        assert ended.wait(30)


def test_connections_beyond_most_wait_or_are_refused_and_others_go_on_after_them(only: dict[str, str]) -> None:
    with relay(only, echo) as there:
        idle = [connected(there) for _ in range(CONNECTIONS + 20)]
        for sock in idle:
            sock.close()
        while soon(there) != b"still there":  # the time-out of the test ends what does not go on
            pass


def soon(to: ContainerRelay) -> bytes:
    """An answer, or nothing while there is no room for the question."""
    try:
        return exchanged(to, b"still there")
    except OSError:
        return b""


def test_relay_that_dies_is_told_once_and_all_is_cleaned(only: dict[str, str]) -> None:
    lost = Event()
    with relay(only, echo, lost.set) as there, connected(there) as sock:
        there._process.kill()
        assert lost.wait(30)
        assert rest(sock) == b""


def test_relay_that_was_stopped_is_killed(only: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_relay, "_END", 0.2)
    with relay(only, echo) as there:
        os.kill(there._process.pid, signal.SIGSTOP)


def test_where_it_can_be_written_in_nothing_that_is_told(tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(WorkspaceError, match="neither Python"):
        ContainerRelay([], with_only(tmp_path), echo, print)
    assert threading.active_count() == before


@pytest.mark.slow
def test_one_that_says_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_relay, "_START", 0.2)
    monkeypatch.setattr(container_relay, "_END", 0.2)
    (tmp_path / "python3").write_text('#!/bin/sh\n[ "$1" = -I ] && exec sleep 60\nexit 0\n')
    (tmp_path / "python3").chmod(0o755)
    with pytest.raises(WorkspaceError, match="did not start"):
        ContainerRelay([], {"PATH": f"{tmp_path}:/usr/bin:/bin"}, echo, print)


def said(*frames: bytes, opened: Callable[[], socket.socket | None] = lambda: None) -> bytes:
    """What the host's end answers to `frames`."""
    source, ours = os.pipe()
    theirs, sink = os.pipe()
    for frame in frames:
        os.write(ours, frame)
    os.close(ours)
    try:
        link = Link(source, sink, opened, lambda process, port: None)
        link.run()
        return bytes(link._out)
    finally:
        for fd in (source, theirs, sink):
            os.close(fd)


def frame(kind: bytes, stream: int = 1, number: int = 0, data: bytes = b"") -> bytes:
    return HEADER.pack(kind, stream, number) + data


def data(length: int) -> bytes:
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
        [frame(b"O"), frame(b"E"), data(1)],
    ],
)
def test_relay_that_does_not_keep_to_rules_is_not_listened_to(frames: list[bytes]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(Broken):
        said(*frames, opened=lambda: ours)


def test_more_than_window_is_not_taken() -> None:
    """A relay that is not ours might send on and on to a connection that is not read."""
    ours, theirs = socket.socketpair()
    link = Link(*os.pipe(), lambda: ours, print)
    with theirs:
        link._obey(b"O", 1, 0, b"")
        for _ in range(WINDOW // CHUNK):
            link._obey(b"D", 1, CHUNK, bytes(CHUNK))
        with pytest.raises(Broken):
            link._obey(b"D", 1, 1, b".")
    ours.close()
    os.close(link._source)
    os.close(link._sink)


def test_frames_of_connections_that_are_gone_are_passed_over() -> None:
    assert said(data(100), frame(b"E", 7), frame(b"R", 7), frame(b"C", 7, 5)) == b""


def test_connection_that_is_refused_is_reset() -> None:
    source, ours = os.pipe()
    theirs, sink = os.pipe()
    link = Link(source, sink, lambda: None, print)
    link._obey(b"O", 5, 0, b"")
    os.close(ours)
    link._flush()
    assert os.read(theirs, 100) == frame(b"R", 5)
    for fd in (source, theirs, sink):
        os.close(fd)


FRAMES = st.builds(frame, st.sampled_from([b"H", b"O", b"D", b"E", b"R", b"C"]), st.integers(0, 2), st.integers(0, 40))


@given(st.binary(max_size=200) | st.lists(FRAMES | st.binary(max_size=40), max_size=20).map(b"".join))
def test_nothing_that_comes_does_more_than_end_it(text: bytes) -> None:
    others: list[socket.socket] = []

    def opened() -> socket.socket:
        ours, theirs = socket.socketpair()
        others.append(theirs)
        return ours

    with suppress(Broken):
        said(text, opened=opened)
    for each in others:
        each.close()
