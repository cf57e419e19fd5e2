"""Commands in containers of untrusted images."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event, Timer

import pytest

from aci.docker.container_exec import MAX_OUTPUT_BYTES, execute
from aci.docker.docker_daemon import Daemon, connect
from tests.conftest import IMAGE
from trajectories.errors import Cancelled

pytestmark = pytest.mark.docker

LONG = 100.0


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    client = connect()
    yield client
    client.rest()


@pytest.fixture(scope="module")
def container(daemon: Daemon) -> Iterator[str]:
    started = daemon.start(IMAGE)
    yield str(started.id)
    started.remove(force=True, v=True)


def test_both_streams_are_reported_in_order(daemon: Daemon, container: str) -> None:
    lines: list[str] = []
    script = "echo one; echo $A >&2; pwd; id -u; exit 7"
    result = execute(
        daemon, container, script, Event(), LONG, user="65534", where="/etc", env={"A": "b c"}, on_line=lines.append
    )
    assert (result.code, result.text, result.late) == (7, "one\nb c\n/etc\n65534\n", False)
    assert lines[-1] == "65534"


def test_only_end_of_long_output_is_returned(daemon: Daemon, container: str) -> None:
    lines: list[str] = []
    flood = "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end"
    result = execute(daemon, container, flood, Event(), LONG, on_line=lines.append)
    assert (result.code, len(result.output), result.output[-6:]) == (0, MAX_OUTPUT_BYTES, b"x\nend\n")
    assert max(map(len, lines)) <= 1000


@pytest.mark.slow
def test_command_that_times_out_returns_its_output(daemon: Daemon, container: str) -> None:
    result = execute(daemon, container, "echo said; sleep 300", Event(), 3.0)
    assert (result.code, result.text, result.late) == (124, "said\n", True)


def test_command_with_endless_output_can_be_cancelled(daemon: Daemon, container: str) -> None:
    cancel = Event()
    timer = Timer(0.5, cancel.set)
    timer.start()
    with pytest.raises(Cancelled):
        execute(daemon, container, "yes", cancel, LONG)
    timer.join()
