"""Limits of size and time for answers of GitHub's API."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import repeat
from threading import Event, Thread

import pytest

from agent.inputs.github_urls import Address
from extensions.github.api import response_bodies
from extensions.github.api.github_client import repository, translate_errors
from extensions.github.api.issue_images import fetch_images
from trajectories.errors import TryLater

HEAD = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\n%s\r\n"


class EndlessServer:
    """Sends a head and then pieces to one client, until the client disconnects."""

    def __init__(self, head: bytes, pieces: Iterator[bytes], pause: float) -> None:
        self.client_left, self._ended = Event(), Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = Thread(target=self._serve, args=(head, pieces, pause), daemon=True)
        self._thread.start()

    def _serve(self, head: bytes, pieces: Iterator[bytes], pause: float) -> None:
        with suppress(OSError), self._socket.accept()[0] as client:
            client.settimeout(10)
            client.recv(1 << 16)
            try:
                client.sendall(head)
                for piece in pieces:
                    if self._ended.wait(pause):
                        return
                    client.sendall(piece)
            except TimeoutError:
                return
            except OSError:
                self.client_left.set()

    def stop(self) -> None:
        """Accept no more connections."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def close(self) -> None:
        self._ended.set()
        self.stop()
        self._thread.join(10)


def read_error(server: EndlessServer) -> str:
    address = Address(server.url, "us/it", 1)
    with pytest.raises(TryLater) as raised, translate_errors("read the issue"):
        repository(address).requester.requestJsonAndCheck("GET", "/repos/us/it/issues/1")
    return raised.value.message


@pytest.mark.parametrize("status", [200, 404])
def test_answer_is_limited_in_bytes(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setattr(response_bodies, "MOST", 1 << 20)
    with closing(EndlessServer(HEAD % (status, b""), repeat(b'{"x": ' + b" " * 100_000), 0)) as server:
        assert "more than 1,048,576 bytes" in read_error(server)
        assert server.client_left.wait(10)


def test_failed_answer_before_retry_is_not_read_to_its_end() -> None:
    with closing(EndlessServer(HEAD % (503, b""), repeat(b" " * 100_000), 0)) as server:
        Thread(target=lambda: server.client_left.wait(10) and server.stop(), daemon=True).start()
        read_error(server)
        assert server.client_left.wait(10)


def test_compressed_answer_is_limited_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_bodies, "MOST", 1 << 20)
    bomb = gzip.compress(b" " * (32 << 20))
    with closing(EndlessServer(HEAD % (200, b"Content-Encoding: gzip\r\n"), iter([bomb]), 0)) as server:
        assert "more than 1,048,576 bytes" in read_error(server)


def test_slow_answer_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_bodies, "SECONDS", 0.3)
    with closing(EndlessServer(HEAD % (200, b"Content-Length: 1000000\r\n"), repeat(b" "), 0.01)) as server:
        assert "did not answer in time" in read_error(server)
        assert server.client_left.wait(10)


def test_slow_image_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extensions.github.api.issue_images.SECONDS", 0.3)
    with closing(EndlessServer(HEAD % (200, b"Content-Length: 1000000\r\n"), repeat(b" "), 0.01)) as server:
        address = Address(server.url, "us/it", 1)
        assert fetch_images([f"![a]({server.url}/us/it/assets/1)"], address) == ()
        assert server.client_left.wait(10)
