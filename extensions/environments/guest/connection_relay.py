"""Relay that carries connections over a pair of pipes; the host imports this module for its own end.

In a container it runs as a program: it listens on loopback and forwards connections through its stdin and stdout. The
other end of the pipes is on the host (`network/container_relay.py`). Standard library only, Python 3.6 and later;
connection_relay.pl and connection_relay.js do the same.

A frame is a kind (one byte), the id of a connection and a number (four bytes each, the highest first):

    H  hello     the relay's process id (as the id), the port it listens on
    O  open      a new connection
    D  data      `number` bytes follow
    E  end       no more data in this direction
    R  reset     the connection is gone; data sent before is still valid
    C  credit    `number` more bytes may be sent: a slow reader makes its sender wait instead of filling memory
"""

import os
import select
import socket
import struct
from typing import Any, Callable, Dict, Optional, Tuple

HEADER = struct.Struct(">cII")
HELLO, OPEN, DATA, END, RESET, CREDIT = b"H", b"O", b"D", b"E", b"R", b"C"
WINDOW = 262144  # bytes that may be in flight on a connection, in each direction
CHUNK = 32768
HIGH = 1 << 20  # queued bytes at which connections are no longer read; at 4 times as many, the pipe is no longer read
CONNECTIONS = 128
WAITING = 4096  # the backlog: npm opens hundreds of connections at once, and retries a refused one only later


class Broken(Exception):
    """Raised if the other end violates the protocol."""


class Stream:
    """A relayed connection.

    `waiting` is data from the pipe that is not delivered yet, `credit` the number of bytes that may still be sent to
    the pipe, `room` the number that may still arrive from it. A `deaf` connection accepts no more data, but may still
    send some.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.waiting = bytearray()
        self.credit = self.room = WINDOW
        self.sent_end = self.got_end = self.shut = self.deaf = False

    def interest(self, may_read: bool) -> int:
        reads = select.POLLIN if may_read and self.credit and not self.sent_end else 0
        return reads | (select.POLLOUT if self.waiting else 0)

    def over(self) -> bool:
        return self.sent_end and self.shut


class Link:
    """One end of the relay.

    On the host, `opened` returns the socket for a connection opened in the container, or None to refuse it, and
    `greeted` receives the process id and port from the hello frame.
    """

    def __init__(
        self,
        source: int,
        sink: int,
        opened: Optional[Callable[[], Optional[socket.socket]]] = None,
        greeted: Optional[Callable[[int, int], None]] = None,
    ) -> None:
        self._source, self._sink, self._opened, self._greeted = source, sink, opened, greeted
        self._in, self._out = bytearray(), bytearray()
        self._streams = {}  # type: Dict[int, Stream]
        self._last = 0
        os.set_blocking(source, False)
        os.set_blocking(sink, False)

    def send(self, kind: bytes, stream: int, number: int = 0, data: bytes = b"") -> None:
        self._out += HEADER.pack(kind, stream, number) + data

    def run(self, listener: Optional[socket.socket] = None, stop: Optional[socket.socket] = None) -> None:
        """Relay until the other end is gone or data arrives on `stop`. Raises Broken."""
        try:
            while self.turn(listener, stop):
                pass
        finally:
            for stream in self._streams.values():
                stream.sock.close()
            self._streams.clear()

    def turn(self, listener: Optional[socket.socket], stop: Optional[socket.socket]) -> bool:
        """Wait for events and handle them. Return False if the relay should end."""
        poll, streams = self._watched(listener, stop)
        for fd, events in poll.poll():
            if stop is not None and fd == stop.fileno():
                return False
            if fd == self._sink:
                if not self._flush():
                    return False
            elif fd == self._source:
                if not self._take():
                    return False
            elif listener is not None and fd == listener.fileno():
                self._accept(listener)
            else:
                self._serve(streams[fd], events)
        return True

    def _watched(self, listener: Optional[socket.socket], stop: Optional[socket.socket]) -> Tuple[Any, Dict[int, int]]:
        poll = select.poll()
        may_read = len(self._out) < HIGH
        if len(self._out) < 4 * HIGH:
            poll.register(self._source, select.POLLIN)
        if self._out:
            poll.register(self._sink, select.POLLOUT)
        if stop is not None:
            poll.register(stop, select.POLLIN)
        if listener is not None and may_read and len(self._streams) < CONNECTIONS:
            poll.register(listener, select.POLLIN)
        streams = {}
        for number, stream in self._streams.items():
            interest = stream.interest(may_read)
            if interest:
                poll.register(stream.sock, interest)
                streams[stream.sock.fileno()] = number
        return poll, streams

    def _flush(self) -> bool:
        try:
            written = os.write(self._sink, self._out[:65536])
        except BlockingIOError:
            return True
        except OSError:
            return False
        del self._out[:written]
        return True

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock = listener.accept()[0]
        except OSError:  # the connection is gone already
            return
        sock.setblocking(False)
        self._last += 1
        self._streams[self._last] = Stream(sock)
        self.send(OPEN, self._last)

    def _serve(self, number: int, events: int) -> None:
        stream = self._streams.get(number)
        if stream is None:  # a frame that was handled since `poll` returned has ended it
            return
        if events & select.POLLOUT and stream.waiting:
            self._give(number, stream)
        if number in self._streams and events & ~select.POLLOUT and stream.credit and not stream.sent_end:
            self._get(number, stream, bool(events & select.POLLHUP))

    def _give(self, number: int, stream: Stream) -> None:
        try:
            written = stream.sock.send(stream.waiting[:CHUNK])
        except BlockingIOError:
            return
        except OSError:
            self._deafen(number, stream)
            return
        del stream.waiting[:written]
        owed = WINDOW - stream.room - len(stream.waiting)
        if owed >= WINDOW // 4:
            stream.room += owed
            self.send(CREDIT, number, owed)
        self._finish(number, stream)

    def _get(self, number: int, stream: Stream, hung_up: bool) -> None:
        try:
            data = stream.sock.recv(min(CHUNK, stream.credit))
        except BlockingIOError:
            return
        except OSError:
            self._gone(number)
            return
        if data:
            stream.credit -= len(data)
            self.send(DATA, number, len(data), data)
            return
        stream.sent_end = True
        self.send(END, number)
        if stream.deaf or hung_up:
            self._gone(number)
        else:
            self._finish(number, stream)

    def _finish(self, number: int, stream: Stream) -> None:
        """Forward the end of the data once all data is delivered, and drop a connection that has ended in both
        directions."""
        if stream.got_end and not stream.waiting and not stream.shut:
            stream.shut = True
            try:
                stream.sock.shutdown(socket.SHUT_WR)
            except OSError:
                self._deafen(number, stream)
                return
        if stream.over():
            self._drop(number)

    def _deafen(self, number: int, stream: Stream) -> None:
        stream.deaf = True
        stream.waiting.clear()
        if stream.sent_end:
            self._gone(number)

    def _gone(self, number: int) -> None:
        self.send(RESET, number)
        self._drop(number)

    def _drop(self, number: int) -> None:
        self._streams.pop(number).sock.close()

    def _take(self) -> bool:
        """Read from the pipe and handle complete frames. Return False at its end."""
        try:
            data = os.read(self._source, 65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        self._in += data
        at = 0
        while len(self._in) - at >= HEADER.size:
            kind, stream, number = HEADER.unpack_from(self._in, at)
            length = number if kind == DATA else 0
            if length > CHUNK:
                raise Broken("a frame is too long")
            if len(self._in) - at - HEADER.size < length:
                break
            at += HEADER.size
            self._obey(kind, stream, number, bytes(self._in[at : at + length]))
            at += length
        del self._in[:at]
        return True

    def _obey(self, kind: bytes, number: int, value: int, data: bytes) -> None:
        stream = self._streams.get(number)
        if kind == OPEN and stream is None and self._opened:
            self._open(number, self._opened())
        elif kind == HELLO and self._greeted:
            self._greeted(number, value)
        elif kind not in (DATA, END, RESET, CREDIT):
            raise Broken("a frame has an unknown kind")
        elif stream is not None:
            self._change(kind, number, stream, value, data)

    def _open(self, number: int, sock: Optional[socket.socket]) -> None:
        if sock is None:
            self.send(RESET, number)
        else:
            sock.setblocking(False)
            self._streams[number] = Stream(sock)

    def _change(self, kind: bytes, number: int, stream: Stream, value: int, data: bytes) -> None:
        if kind == CREDIT:
            stream.credit += value
            if stream.credit > WINDOW:
                raise Broken("a connection has too much credit")
        elif kind == DATA:
            stream.room -= len(data)
            if stream.room < 0 or stream.got_end:
                raise Broken("a connection sends more than it may")
            if not stream.deaf:
                stream.waiting += data
        else:
            stream.got_end = True
            stream.sent_end |= kind == RESET
            self._finish(number, stream)


def main() -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(WAITING)
    listener.setblocking(False)
    link = Link(0, 1)
    link.send(HELLO, os.getpid(), listener.getsockname()[1])
    link.run(listener)


if __name__ == "__main__":
    main()
