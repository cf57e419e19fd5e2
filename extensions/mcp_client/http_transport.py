"""A server at an address: streamable HTTP, in which each message is a request of its own.

A thread reads the answer, so that a person can interrupt at any time. Redirects are not followed, because the token
would be sent to another address.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING

from aci.observation.untrusted_text import one_line
from extensions.mcp_client.messages import (
    MOST_BYTES,
    MOST_MESSAGES,
    TICK,
    Interrupted,
    Message,
    ServerFailed,
    ServerTimeout,
    check_interrupt,
    decode,
    encode,
)

if TYPE_CHECKING:
    from requests import Response, Session

CHUNK = 1 << 16
CONNECT_TIME = 10.0
"""Seconds to connect."""
SEND_TIME = 10.0
"""Seconds for a message that has no answer."""
CLOSE_TIME = 2.0
"""Seconds for the end of the session; after that it is left to the server."""
SESSION = "Mcp-Session-Id"
VERSION = "MCP-Protocol-Version"
MOST_SESSION = 200
"""Maximum number of characters of a session's id."""


class HttpTransport:
    """Requests to a server's address."""

    def __init__(self, url: str, token: str = "") -> None:
        from requests import Session

        self._url = url
        self._session: Session = Session()
        self._session.auth = lambda request: request  # no key of another service from ~/.netrc
        self._session.headers.update(
            {
                "Accept": "application/json, text/event-stream",
                "Accept-Encoding": "identity",
                "Content-Type": "application/json",
            }
        )
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def exchange(self, sent: Message, seconds: float, interrupted: Interrupted) -> Iterator[Message]:
        """Send a request and yield what the server answers; see `Transport`."""
        reader = _Reader(self._session, self._url, encode(sent), seconds)
        end, count = time.monotonic() + seconds, 0
        try:
            while True:
                check_interrupt(interrupted)
                if time.monotonic() > end:
                    raise ServerTimeout(f"did not answer within {seconds:g} s")
                with suppress(Empty):
                    found = reader.found.get(timeout=TICK)
                    if isinstance(found, Exception):
                        raise found
                    if "result" in found and SESSION not in self._session.headers:
                        self._start_session(found, reader.session)
                    count += 1
                    if count > MOST_MESSAGES:
                        raise ServerFailed(f"sent more than {MOST_MESSAGES} messages for one request")
                    yield found
        finally:
            reader.stop()

    def send(self, message: Message, interrupted: Interrupted) -> None:
        """Send a message that has no answer; see `Transport`."""
        request = _Request(self._session, "POST", self._url, encode(message), SEND_TIME)
        end = time.monotonic() + SEND_TIME
        while not request.wait(TICK):
            check_interrupt(interrupted)
            if time.monotonic() > end:
                raise ServerFailed(f"did not take a message within {SEND_TIME:g} s")
        if request.error is not None:
            raise request.error

    def close(self) -> None:
        """End the server's session, and the connections."""
        if SESSION in self._session.headers:
            _Request(self._session, "DELETE", self._url, b"", CLOSE_TIME).wait(CLOSE_TIME)
        self._session.close()

    def _start_session(self, answer: Message, session: str) -> None:
        """Name the session and the protocol's version in later requests, as the first answer says."""
        result = answer["result"]
        version = result.get("protocolVersion") if isinstance(result, dict) else None
        if isinstance(version, str) and version.isascii() and version.isprintable():
            self._session.headers[VERSION] = version[:40]
        if session.isascii() and session.isprintable() and 0 < len(session) <= MOST_SESSION:
            self._session.headers[SESSION] = session


class _Request:
    """A thread that sends one request and reads only the status, because a server can delay an answer without end."""

    def __init__(self, session: Session, method: str, url: str, body: bytes, seconds: float) -> None:
        self.error: ServerFailed | None = None
        self._done = Event()
        Thread(target=self._run, args=(session, method, url, body, seconds), name="mcp", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Return whether the server has answered, after at most `seconds`."""
        return self._done.wait(seconds)

    def _run(self, session: Session, method: str, url: str, body: bytes, seconds: float) -> None:
        try:
            with session.request(
                method, url, data=body, timeout=seconds, stream=True, allow_redirects=False
            ) as response:
                _check_status(response)
        except ServerFailed as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - the session may be closed meanwhile
            self.error = ServerFailed(f"cannot be reached ({type(error).__name__})")
        finally:
            self._done.set()


class _Reader:
    """A thread that sends one request and puts the messages of its answer, or an exception, into `found`."""

    def __init__(self, session: Session, url: str, body: bytes, seconds: float) -> None:
        self.found: Queue[Message | Exception] = Queue(maxsize=16)
        self.session = ""
        """The id of the server's session, if the answer has one."""
        self._stopped = Event()
        self._response: Response | None = None
        self._thread = Thread(target=self._run, args=(session, url, body, seconds), name="mcp", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._response is not None:
            with suppress(Exception):  # another thread reads from it
                self._response.close()

    def _run(self, session: Session, url: str, body: bytes, seconds: float) -> None:
        from requests import RequestException

        try:
            with session.post(
                url, body, timeout=(CONNECT_TIME, seconds + SEND_TIME), stream=True, allow_redirects=False
            ) as response:
                self._response = response
                _check_status(response)
                self.session = response.headers.get(SESSION, "")
                for message in _messages(response):
                    self._put(message)
            self._put(ServerFailed("ended its answer before the result"))
        except ServerFailed as error:
            self._put(error)
        except (RequestException, OSError, ValueError) as error:
            self._put(ServerFailed(f"cannot be reached ({type(error).__name__})"))
        except Exception as error:  # noqa: BLE001 - a response that was closed while it was read
            self._put(ServerFailed(f"broke off its answer ({type(error).__name__})"))

    def _put(self, found: Message | Exception) -> None:
        while not self._stopped.is_set():
            with suppress(Exception):  # the queue is full
                self.found.put(found, timeout=TICK)
                return


def _check_status(response: Response) -> None:
    """Raise ServerFailed if the server refused the request."""
    if response.is_redirect or not response.ok:
        hint = {401: "; check token_env", 403: "; check token_env", 404: "; its session has ended, or the url is wrong"}
        where = "; it redirects, so correct the url" if response.is_redirect else hint.get(response.status_code, "")
        raise ServerFailed(f"answered {response.status_code} {one_line(response.reason or '')[:60]}{where}")


def _messages(response: Response) -> Iterator[Message]:
    """Yield the messages of an answer: one JSON object, or a stream of events."""
    if response.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "text/event-stream":
        body = b"".join(_chunks(response))
        if (message := decode(body)) is None:
            raise ServerFailed(f"answered what is no JSON object: {one_line(body[:200].decode('utf-8', 'replace'))}")
        yield message
        return
    rest, data = b"", []
    for chunk in _chunks(response):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in (each.rstrip(b"\r") for each in lines):
            if line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" "))
            elif not line and data:
                if (message := decode(b"\n".join(data))) is not None:
                    yield message
                data = []


def _chunks(response: Response) -> Iterator[bytes]:
    received = 0
    while chunk := response.raw.read1(CHUNK):
        received += len(chunk)
        if received > MOST_BYTES:
            raise ServerFailed(f"sent more than {MOST_BYTES >> 20} MB for one request")
        yield chunk
