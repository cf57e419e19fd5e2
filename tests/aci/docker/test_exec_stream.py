"""Programs in containers over the daemon's connection; shells that are slow or in unusual states."""

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
PART = st.binary(max_size=40) | st.binary(min_size=250)
PARTS = st.lists(st.tuples(st.sampled_from([OUT, OUT, ERR]), PART), max_size=8)
CUTS = st.lists(st.integers(1, 60), max_size=40)


def multiplex(parts: Sequence[tuple[int, bytes]]) -> bytes:
    return b"".join(bytes([stream, 0, 0, 0]) + len(output).to_bytes(4, "big") + output for stream, output in parts)


@contextmanager
def connected_stream(last: bytes = b"") -> Iterator[tuple[socket.socket, ProgramStream]]:
    """The daemon's end of a connection, and the stream at the other end."""
    daemon, client = socket.socketpair()
    stream = ProgramStream(client, last)
    with daemon:
        yield daemon, stream
        stream.close(group=False)


def split_at(data: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    position = 0
    for cut in cuts:
        if position < len(data):
            yield data[position : position + cut]
        position += cut
    if position < len(data):
        yield data[position:]


@pytest.mark.slow
@given(PARTS, CUTS)
@settings(deadline=None)
def test_frames_in_any_pieces_give_same_bytes(parts: list[tuple[int, bytes]], cuts: list[int]) -> None:
    with connected_stream() as (daemon, stream):
        output = b""
        for piece in split_at(multiplex(parts), cuts):
            daemon.sendall(piece)
            output += stream.receive() or b""
        assert output == b"".join(part for _, part in parts)
        assert stream.receive() is None
        assert not stream.ended()
        daemon.shutdown(socket.SHUT_WR)
        assert stream.receive() == b""
        assert stream.ended()


@given(PARTS, CUTS)
@settings(deadline=None)
def test_last_marker_ends_first_program(parts: list[tuple[int, bytes]], cuts: list[int]) -> None:
    marker = b"0123456789abcdef"
    with connected_stream(marker) as (daemon, stream):
        data, sent = multiplex([*parts, (OUT, marker)]), 0
        output = b""
        for piece in split_at(data, cuts):
            daemon.sendall(piece)
            sent += len(piece)
            output += stream.receive() or b""
            assert stream.ended() == (sent == len(data))
        assert output.startswith(b"".join(part for _, part in parts))
        assert stream.receive() == b""


def test_part_larger_than_block_is_received() -> None:
    large = os.urandom(3 * BLOCK_BYTES + 5)
    with connected_stream() as (daemon, stream):
        data = multiplex([(OUT, large), (OUT, b"after")])
        sender = threading.Thread(target=daemon.sendall, args=(data,))
        sender.start()
        output = b""
        while len(output) < len(large) + 5:
            output += stream.receive() or b""
        sender.join()
        assert output == large + b"after"


def test_offer_takes_what_fits_or_all_after_program_ends() -> None:
    with connected_stream() as (daemon, stream):
        accepted = 0
        while count := stream.offer(memoryview(DATA)[accepted:]):
            accepted += count
        assert 0 < accepted < len(DATA)
        daemon.close()
        assert stream.offer(memoryview(DATA)) == len(DATA)
        assert stream.receive() == b""


def serve_responses(server: socket.socket, output: bytes) -> None:
    """Answer as a busy daemon: the program's first output comes together with the head of the response."""
    created = b'{"Id": "1"}'
    responses = [b"HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(created), created)]
    responses += [b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n" + multiplex([(OUT, output)])]
    for response in responses:
        connection, _ = server.accept()
        with connection:
            request = connection.recv(BLOCK_BYTES)
            while not request.endswith(b"}"):
                request += connection.recv(BLOCK_BYTES)
            connection.sendall(response)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1)


@pytest.mark.parametrize("size", [3, 100_000])
def test_output_sent_with_response_head_is_received(tmp_path: Path, size: int) -> None:
    expected = os.urandom(size)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "daemon"))
        server.listen()
        daemon = threading.Thread(target=serve_responses, args=(server, expected))
        daemon.start()
        address = f"unix://{tmp_path / 'daemon'}"
        with closing(DockerClient(address, version="1.41")) as client:
            output, channel = read_output(Daemon(client, address), "any", "true", {})
            channel.close(group=False)
        daemon.join()
    assert output == expected


# Slow shells and shells in unusual states


class SlowChannel(ChildChannel):
    """Takes 70 bytes and then none for 1.5 s after `is_slow` is set."""

    is_slow = False

    def offer(self, data: memoryview) -> int:
        if self.is_slow:
            self.is_slow, self._until = False, time.monotonic() + 1.5
            return super().offer(data[:70])
        return 0 if time.monotonic() < getattr(self, "_until", 0.0) else super().offer(data)


@pytest.mark.slow
def test_tmout_does_not_cut_command_that_arrives_slowly(tmp_path: Path) -> None:
    channels: list[SlowChannel] = []

    def start(words: Sequence[str]) -> Channel:
        channels.append(SlowChannel(words, None))
        return channels[-1]

    shell = Shell(start, cwd=str(tmp_path))
    shell.run("export TMOUT=1")
    channels[0].is_slow = True
    result = shell.run("echo one; echo two " + "." * 100, timeout=30)
    assert result.text == "one\ntwo " + "." * 100 + "\n"
    assert not result.restarted
    shell.close()


@pytest.mark.parametrize("program", ["sh", "bash"])
def test_command_that_reads_no_input_times_out_and_can_be_cancelled(program, tmp_path: Path) -> None:
    cancel = threading.Event()
    shell = Shell(lambda words: ChildChannel(words, None), cwd=str(tmp_path), program=program, cancel=cancel)
    result = shell.run("sleep 60", timeout=0.5, data=DATA)
    assert (result.timed_out, result.restarted) == (True, True)
    threading.Timer(0.3, cancel.set).start()
    with pytest.raises(Cancelled):
        shell.run("sleep 60", data=DATA)
    cancel.clear()
    assert shell.run("echo after").text == "after\n"
    shell.close()


def test_block_read_is_supported_from_bash_4_1() -> None:
    supported = {
        version: supports_block_read(version) for version in (b"", b"3.2.57(1)-release", b"4.0.1", b"4.1.2", b"5.2.15")
    }
    assert supported == {b"": False, b"3.2.57(1)-release": False, b"4.0.1": False, b"4.1.2": True, b"5.2.15": True}


COMMANDS = [
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
CONTROL_CHARACTERS = bytes(each for each in range(1, 128) if each not in b"'\n")


@pytest.mark.slow
def test_changed_shell_state_does_not_break_next_command(
    kind: str, make_repo: MakeRepo, open_ws: OpenWorkspace
) -> None:
    ws = open_ws(kind, make_repo({"a": "x\n"}))
    for number, command in enumerate(COMMANDS):
        session = f"s{number}"
        assert not ws.run(command, 20, session).restarted, command
        for _ in range(2):
            assert ws.run("(exit 7)", 20, session).code == 7, command
            assert ws.run("\\echo é", 20, session).text == "é\n", command
            result = ws.run("\\printf %s '" + CONTROL_CHARACTERS.decode() + "'", 20, session)
            assert result.output == CONTROL_CHARACTERS, command
            assert not result.restarted, command


# In a container


@pytest.fixture
def ws(make_repo: MakeRepo, open_ws: OpenWorkspace) -> PosixWorkspace:
    return open_ws("docker", make_repo({"a": "x\n"}))


def container_of(ws: PosixWorkspace) -> str:
    return str(ws._host._container.id)  # type: ignore[attr-defined]


def check_workspace_works(ws: PosixWorkspace) -> None:
    ws.write("new", b"new\n")
    assert ws.read("new") == b"new\n"
    assert ws.options.trees.read(ws.snapshot().tree, "new") == b"new\n"


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.parametrize("target", ["shell", "wrapper", "both"])
def test_workspace_works_after_agent_kills_service_shell(ws: PosixWorkspace, target: str) -> None:
    for _ in range(2):  # the container's first program, then one that was started by exec
        check_workspace_works(ws)
        service, channel = ws._service._shell._pid, ws._service._shell._channel
        output = ws.run(f"cut -d' ' -f4 /proc/{service}/stat").text
        parent = output.split("\n")[-2]  # a notice that all processes were ended may precede it
        processes = {"shell": f"{service}", "wrapper": f"{parent}", "both": f"{parent} {service}"}[target]
        assert ws.run(f"kill -9 {processes}").code == 0
        check_workspace_works(ws)
        if target != "wrapper":  # without the wrapper, the shell still answers
            assert ws._service._shell._channel is not channel


@pytest.mark.slow
@pytest.mark.docker
def test_session_state_survives_restart_of_container(ws: PosixWorkspace) -> None:
    ws.run("cd /tmp; export KEPT=yes")
    check_workspace_works(ws)
    subprocess.run(["docker", "restart", "--time=0", container_of(ws)], check=True, capture_output=True)
    check_workspace_works(ws)
    result = ws.run("echo $KEPT; pwd")
    assert (result.text, result.restarted) == ("yes\n/tmp\n", True)
    assert not ws.run("true").restarted


@pytest.mark.slow
@pytest.mark.docker
def test_command_survives_pause_of_container(ws: PosixWorkspace) -> None:
    def docker(verb: str) -> None:
        subprocess.run(["docker", verb, container_of(ws)], check=True, capture_output=True)

    ws.run("true")
    timers = [threading.Timer(0.3, docker, ["pause"]), threading.Timer(3.3, docker, ["unpause"])]
    for timer in timers:
        timer.start()
    result = ws.run("echo before; sleep 1; echo after")
    for timer in timers:
        timer.join()
    assert (result.text, result.code, result.restarted) == ("before\nafter\n", 0, False)
    check_workspace_works(ws)


@pytest.mark.slow
@pytest.mark.docker
def test_closed_sessions_leave_no_processes_or_descriptors(ws: PosixWorkspace) -> None:
    check_workspace_works(ws)
    start = ws._host.start({}, for_harness=False)  # type: ignore[attr-defined]
    gc.collect()
    descriptors, running = count_descriptors(), len(ws._processes("").table(marks=False))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for number in range(200):
            shell = Shell(start, cwd="/tmp")
            if number % 4:
                assert shell.run("echo there").text == "there\n"
            else:
                shell.begin()
            shell.close()
        gc.collect()
    assert [str(each.message) for each in caught if issubclass(each.category, ResourceWarning)] == []
    assert count_descriptors() < descriptors + 5, "the client has a few open connections"
    deadline = time.monotonic() + 30
    while len(left := ws._processes("").table(marks=False)) > running and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(left) <= running


def count_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.docker
@pytest.mark.timeout(100)
def test_data_sent_to_dead_shell_does_not_block(ws: PosixWorkspace) -> None:
    """A full disk ends the receiving program and the shell, and the daemon then takes no more data."""
    for _ in range(2):  # the container's first program, then one that was started by exec
        result = ws._service.pour(b"/dev/full", DATA)
        assert result.code
        assert result.restarted
        assert b"No space left" in result.output
        check_workspace_works(ws)
    assert ws.run("test -e /tmp/evil").code
    assert ws._service.pour(b"/tmp/all", DATA).code == 0
    assert ws.run("wc -c < /tmp/all").text.split() == [str(len(DATA))]


@pytest.mark.slow
@pytest.mark.docker
def test_output_and_status_of_program_are_complete(ws: PosixWorkspace) -> None:
    """Also if the program writes its output before the client reads."""
    daemon, environment = ws._host._daemon, {"WORD": "there"}  # type: ignore[attr-defined]
    with ExitStack() as stack:
        for number in range(20):
            output, channel = read_output(daemon, container_of(ws), f"echo $WORD; exit {number}", environment)
            stack.callback(channel.close, group=True)
            assert (output, channel.code(10.0)) == (b"there\n", number)


def read_output(
    daemon: Daemon, container: str, command: str, environment: Mapping[str, str]
) -> tuple[bytes, ExecProgram]:
    channel = ExecProgram(daemon, container, ["sh", "-c", command], environment)
    output = b""
    while (part := channel.receive()) != b"":
        output += part or b""
        time.sleep(0.01)
    return output, channel


@pytest.mark.docker
def test_output_of_process_one_does_not_mix_with_replies(ws: PosixWorkspace) -> None:
    ws.run("(for fd in 1 2; do while :; do echo logged > /proc/1/fd/$fd; sleep 0.01; done & done) >/dev/null 2>&1")
    ws.write("a.txt", b"kept")
    assert [ws.read("a.txt") for _ in range(20)] == [b"kept"] * 20
    assert not ws.run("declare -p __swe_text 2>&1 | grep -o 'end %d'").output
