"""Commands in containers of images that nobody vouches for."""

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
    found = connect()
    yield found
    found.rest()


@pytest.fixture(scope="module")
def container(daemon: Daemon) -> Iterator[str]:
    started = daemon.start(IMAGE)
    yield str(started.id)
    started.remove(force=True, v=True)


def test_both_streams_are_heard_in_order(daemon: Daemon, container: str) -> None:
    heard: list[str] = []
    script = "echo one; echo $A >&2; pwd; id -u; exit 7"
    ran = execute(
        daemon, container, script, Event(), LONG, user="65534", where="/etc", env={"A": "b c"}, on_line=heard.append
    )
    assert (ran.code, ran.text, ran.late) == (7, "one\nb c\n/etc\n65534\n", False)
    assert heard[-1] == "65534"


def test_only_end_of_flood_is_kept(daemon: Daemon, container: str) -> None:
    heard: list[str] = []
    flood = "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end"
    ran = execute(daemon, container, flood, Event(), LONG, on_line=heard.append)
    assert (ran.code, len(ran.output), ran.output[-6:]) == (0, MAX_OUTPUT_BYTES, b"x\nend\n")
    assert max(map(len, heard)) <= 1000


@pytest.mark.slow
def test_what_is_late_is_left_with_what_it_said(daemon: Daemon, container: str) -> None:
    ran = execute(daemon, container, "echo said; sleep 300", Event(), 3.0)
    assert (ran.code, ran.text, ran.late) == (124, "said\n", True)


def test_it_can_be_cancelled_however_much_is_said(daemon: Daemon, container: str) -> None:
    cancel = Event()
    timer = Timer(0.5, cancel.set)
    timer.start()
    with pytest.raises(Cancelled):
        execute(daemon, container, "yes", cancel, LONG)
    timer.join()
