"""Programs in containers, spoken to over the daemon's own connection; and shells that are slow or bent."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from docker import DockerClient
from hypothesis import given, settings
from hypothesis import strategies as st

from aci.docker.docker_daemon import Daemon
from aci.docker.exec_stream import ExecProgram, ProgramStream
from aci.runtime.posix_workspace import PosixWorkspace
from aci.runtime.process_channel import BLOCK_BYTES, Channel, ChildChannel
from aci.runtime.shell_session import Shell, supports_block_read
from tests.conftest import MakeRepo, OpenWorkspace
from trajectories.errors import Cancelled

OUT, ERR = 1, 2
DATA = b"touch /tmp/evil\n" * 2_000_000
SAID = st.binary(max_size=40) | st.binary(min_size=250)
PARTS = st.lists(st.tuples(st.sampled_from([OUT, OUT, ERR]), SAID), max_size=8)
CUTS = st.lists(st.integers(1, 60), max_size=40)


def framed(parts: Sequence[tuple[int, bytes]]) -> bytes:
    return b"".join(bytes([stream, 0, 0, 0]) + len(said).to_bytes(4, "big") + said for stream, said in parts)


@contextmanager
def connected(last: bytes = b"") -> Iterator[tuple[socket.socket, ProgramStream]]:
    """The daemon's end of a connection, and the stream at ours."""
    theirs, ours = socket.socketpair()
    stream = ProgramStream(ours, last)
    with theirs:
        yield theirs, stream
        stream.close(group=False)


def pieces(data: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    at = 0
    for cut in cuts:
        if at < len(data):
            yield data[at : at + cut]
        at += cut
    if at < len(data):
        yield data[at:]


@given(PARTS, CUTS)
@settings(deadline=None)
def test_however_frames_are_cut_bytes_are_same(parts: list[tuple[int, bytes]], cuts: list[int]) -> None:
    with connected() as (daemon, stream):
        heard = b""
        for piece in pieces(framed(parts), cuts):
            daemon.sendall(piece)
            heard += stream.receive() or b""
        assert heard == b"".join(said for _, said in parts)
        assert stream.receive() is None
        assert not stream.ended()
        daemon.shutdown(socket.SHUT_WR)
        assert stream.receive() == b""
        assert stream.ended()


@given(PARTS, CUTS)
@settings(deadline=None)
def test_last_word_ends_first_program(parts: list[tuple[int, bytes]], cuts: list[int]) -> None:
    word = b"0123456789abcdef"
    with connected(word) as (daemon, stream):
        data, sent = framed([*parts, (OUT, word)]), 0
        heard = b""
        for piece in pieces(data, cuts):
            daemon.sendall(piece)
            sent += len(piece)
            heard += stream.receive() or b""
            assert stream.ended() == (sent == len(data))
        assert heard.startswith(b"".join(said for _, said in parts))
        assert stream.receive() == b""


def test_part_larger_than_block() -> None:
    said = os.urandom(3 * BLOCK_BYTES + 5)
    with connected() as (daemon, stream):
        data = framed([(OUT, said), (OUT, b"after")])
        sender = threading.Thread(target=daemon.sendall, args=(data,))
        sender.start()
        heard = b""
        while len(heard) < len(said) + 5:
            heard += stream.receive() or b""
        sender.join()
        assert heard == said + b"after"


def test_program_that_reads_nothing_takes_what_fits_and_dead_one_takes_all() -> None:
    with connected() as (daemon, stream):
        taken = 0
        while count := stream.offer(memoryview(DATA)[taken:]):
            taken += count
        assert 0 < taken < len(DATA)
        daemon.close()
        assert stream.offer(memoryview(DATA)) == len(DATA)
        assert stream.receive() == b""


def answering(server: socket.socket, said: bytes) -> None:
    """A daemon whose first words of a program come together with the head of its answer, as on a busy machine."""
    made = b'{"Id": "1"}'
    answers = [b"HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(made), made)]
    answers += [b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n" + framed([(OUT, said)])]
    for answer in answers:
        connection, _ = server.accept()
        with connection:
            asked = connection.recv(BLOCK_BYTES)
            while not asked.endswith(b"}"):
                asked += connection.recv(BLOCK_BYTES)
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1)


@pytest.mark.parametrize("size", [3, 100_000])
def test_what_comes_with_head_of_answer_is_heard(tmp_path: Path, size: int) -> None:
    said = os.urandom(size)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "daemon"))
        server.listen()
        daemon = threading.Thread(target=answering, args=(server, said))
        daemon.start()
        address = f"unix://{tmp_path / 'daemon'}"
        with closing(DockerClient(address, version="1.41")) as client:
            heard, channel = _heard(Daemon(client, address), "any", "true", {})
            channel.close(group=False)
        daemon.join()
    assert heard == said


# Shells that are slow, or that somebody bent


class Slow(ChildChannel):
    """Takes a few bytes, and for a while nothing, whenever it is `told` to."""

    told = False

    def offer(self, data: memoryview) -> int:
        if self.told:
            self.told, self._until = False, time.monotonic() + 1.5
            return super().offer(data[:70])
        return 0 if time.monotonic() < getattr(self, "_until", 0.0) else super().offer(data)


@pytest.mark.slow
def test_time_out_of_shells_own_cuts_no_command_that_comes_slowly(tmp_path: Path) -> None:
    made: list[Slow] = []

    def start(words: Sequence[str]) -> Channel:
        made.append(Slow(words, None))
        return made[-1]

    shell = Shell(start, cwd=str(tmp_path))
    shell.run("export TMOUT=1")
    made[0].told = True
    ran = shell.run("echo one; echo two " + "." * 100, timeout=30)
    assert ran.text == "one\ntwo " + "." * 100 + "\n"
    assert not ran.restarted
    shell.close()


@pytest.mark.parametrize("program", ["sh", "bash"])
def test_command_that_does_not_read_is_ended_in_time_and_can_be_cancelled(program, tmp_path: Path) -> None:
    cancel = threading.Event()
    shell = Shell(lambda words: ChildChannel(words, None), cwd=str(tmp_path), program=program, cancel=cancel)
    ran = shell.run("sleep 60", timeout=0.5, data=DATA)
    assert (ran.timed_out, ran.restarted) == (True, True)
    threading.Timer(0.3, cancel.set).start()
    with pytest.raises(Cancelled):
        shell.run("sleep 60", data=DATA)
    cancel.clear()
    assert shell.run("echo after").text == "after\n"
    shell.close()


def test_which_shells_take_command_at_gulp() -> None:
    taking = {
        version: supports_block_read(version) for version in (b"", b"3.2.57(1)-release", b"4.0.1", b"4.1.2", b"5.2.15")
    }
    assert taking == {b"": False, b"3.2.57(1)-release": False, b"4.0.1": False, b"4.1.2": True, b"5.2.15": True}


BENT = [
    "export TMOUT=1; sleep 1.2",
    "set -o posix",
    "shopt -s extglob",
    "set -o posix; shopt -s extglob",
    "read() { echo mine; }",
    "eval() { echo mine; }",
    "command() { echo mine; }",
    "unset() { echo mine; }",
    "read() { echo mine; }; eval() { echo mine; }; command() { echo mine; }",
    "set -o posix; read() { echo mine; }; command() { echo mine; }",
    "alias read=false eval=false command=false; shopt -s expand_aliases",
    "enable -n read printf",
    "set -euf; set -C; set -k",
    "IFS=abc",
    "exec 0</dev/null",
    "export LC_ALL=ja_JP.SJIS",
    "unset PWD; readonly OLDPWD",
]
CONTROLS = bytes(each for each in range(1, 128) if each not in b"'\n")


@pytest.mark.slow
def test_what_command_bends_does_not_break_next(kind: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    ws = open_ws(kind, make_repo({"a": "x\n"}))
    for number, bend in enumerate(BENT):
        session = f"s{number}"
        assert not ws.run(bend, 20, session).restarted, bend
        for _ in range(2):
            assert ws.run("(exit 7)", 20, session).code == 7, bend
            assert ws.run("\\echo é", 20, session).text == "é\n", bend
            ran = ws.run("\\printf %s '" + CONTROLS.decode() + "'", 20, session)
            assert ran.output == CONTROLS, bend
            assert not ran.restarted, bend


# In a container


@pytest.fixture
def ws(make_repo: MakeRepo, open_ws: OpenWorkspace) -> PosixWorkspace:
    return open_ws("docker", make_repo({"a": "x\n"}))


def container_of(ws: PosixWorkspace) -> str:
    return str(ws._host._container.id)  # type: ignore[attr-defined]


def goes_on(ws: PosixWorkspace) -> None:
    ws.write("new", b"new\n")
    assert ws.read("new") == b"new\n"
    assert ws.options.trees.read(ws.snapshot().tree, "new") == b"new\n"


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.parametrize("which", ["shell", "wrapper", "both"])
def test_our_own_shell_is_killed_by_agents(ws: PosixWorkspace, which: str) -> None:
    for _ in range(2):  # the container's first program, then one that was brought in
        goes_on(ws)
        service, channel = ws._service._shell._pid, ws._service._shell._channel
        told = ws.run(f"cut -d' ' -f4 /proc/{service}/stat").text
        parent = told.split("\n")[-2]  # before it may stand that all was ended
        doomed = {"shell": f"{service}", "wrapper": f"{parent}", "both": f"{parent} {service}"}[which]
        assert ws.run(f"kill -9 {doomed}").code == 0
        goes_on(ws)
        if which != "wrapper":  # without it, a shell can still be spoken to
            assert ws._service._shell._channel is not channel


@pytest.mark.slow
@pytest.mark.docker
def test_container_is_restarted(ws: PosixWorkspace) -> None:
    ws.run("cd /tmp; export KEPT=yes")
    goes_on(ws)
    subprocess.run(["docker", "restart", "--time=0", container_of(ws)], check=True, capture_output=True)
    goes_on(ws)
    ran = ws.run("echo $KEPT; pwd")
    assert (ran.text, ran.restarted) == ("yes\n/tmp\n", True)
    assert not ws.run("true").restarted


@pytest.mark.slow
@pytest.mark.docker
def test_container_is_paused(ws: PosixWorkspace) -> None:
    def docker(verb: str) -> None:
        subprocess.run(["docker", verb, container_of(ws)], check=True, capture_output=True)

    ws.run("true")
    timers = [threading.Timer(0.3, docker, ["pause"]), threading.Timer(3.3, docker, ["unpause"])]
    for timer in timers:
        timer.start()
    ran = ws.run("echo before; sleep 1; echo after")
    for timer in timers:
        timer.join()
    assert (ran.text, ran.code, ran.restarted) == ("before\nafter\n", 0, False)
    goes_on(ws)


@pytest.mark.slow
@pytest.mark.docker
def test_two_hundred_sessions_leave_nothing(ws: PosixWorkspace) -> None:
    goes_on(ws)
    start = ws._host.start({}, for_harness=False)  # type: ignore[attr-defined]
    gc.collect()
    held, running = _descriptors(), len(ws._processes("").table(marks=False))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for number in range(200):
            shell = Shell(start, cwd="/tmp")
            if number % 4:
                assert shell.run("echo there").text == "there\n"
            else:
                shell.begin()
            shell.close()
        gc.collect()
    assert [str(each.message) for each in warned if issubclass(each.category, ResourceWarning)] == []
    assert _descriptors() < held + 5, "some are the client's own, kept for the next request"
    deadline = time.monotonic() + 30
    while len(found := ws._processes("").table(marks=False)) > running and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(found) <= running


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.docker
@pytest.mark.timeout(100)
def test_what_is_sent_to_shell_that_died_holds_nobody(ws: PosixWorkspace) -> None:
    """A full disk ends what is written to, and the shell with it: the daemon then takes no more of it."""
    for _ in range(2):  # the container's first program, then one that was brought in
        ran = ws._service.pour(b"/dev/full", DATA)
        assert ran.code
        assert ran.restarted
        assert b"No space left" in ran.output
        goes_on(ws)
    assert ws.run("test -e /tmp/evil").code
    assert ws._service.pour(b"/tmp/all", DATA).code == 0
    assert ws.run("wc -c < /tmp/all").text.split() == [str(len(DATA))]


@pytest.mark.slow
@pytest.mark.docker
def test_words_and_status_of_program_are_all_there(ws: PosixWorkspace) -> None:
    """Also where it says them before anybody listens."""
    daemon, environment = ws._host._daemon, {"WORD": "there"}  # type: ignore[attr-defined]
    with ExitStack() as opened:
        for number in range(20):
            heard, channel = _heard(daemon, container_of(ws), f"echo $WORD; exit {number}", environment)
            opened.callback(channel.close, group=True)
            assert (heard, channel.code(10.0)) == (b"there\n", number)


def _heard(daemon: Daemon, container: str, command: str, environment: Mapping[str, str]) -> tuple[bytes, ExecProgram]:
    channel = ExecProgram(daemon, container, ["sh", "-c", command], environment)
    heard = b""
    while (said := channel.receive()) != b"":
        heard += said or b""
        time.sleep(0.01)
    return heard, channel


@pytest.mark.docker
def test_what_is_written_at_process_one_reaches_nobody(ws: PosixWorkspace) -> None:
    ws.run("(for fd in 1 2; do while :; do echo logged > /proc/1/fd/$fd; sleep 0.01; done & done) >/dev/null 2>&1")
    ws.write("a.txt", b"kept")
    assert [ws.read("a.txt") for _ in range(20)] == [b"kept"] * 20
    assert not ws.run("declare -p __swe_text 2>&1 | grep -o 'end %d'").output
