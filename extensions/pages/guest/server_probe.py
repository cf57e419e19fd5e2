"""Program that finds a free port for a server, and waits until the server answers HTTP.

    free                             prints a free port, then the ports in use, separated by commas
    wait SECONDS LOG PORT IN_USE ... prints the server's address; exit code 1 if it ended, 2 after SECONDS

The same as server_probe.cjs, for workspaces with Python. The server's output is untrusted: of the addresses in it, only
ports of this machine's loopback interface are used.
"""

import os
import re
import socket
import sys
import time

PORTS = range(8421, 8521)
LOOPBACK = ("127.0.0.1", "::1")
LOCAL = re.compile(rb"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\]):(\d{2,5})")
COLOURS = re.compile(rb"\x1b\[[0-9;]*m")
USUAL = (1234, 3000, 4173, 4200, 4321, 5000, 5173, 8000, 8080)
MOST_PORTS, MOST_BYTES = 8, 200000
ONCE = 20.0
"""Seconds that one answer may take: development servers compile a page when it is first requested."""


def connect(host, port, seconds):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    link = socket.socket(family, socket.SOCK_STREAM)
    link.settimeout(max(seconds, 0.05))
    try:
        link.connect((host, port))
    except OSError:
        link.close()
        return None
    return link


def listens(port):
    for host in LOOPBACK:
        try:
            link = connect(host, port, 1.0)
        except OSError:  # no IPv6
            continue
        if link:
            link.close()
            return True
    return False


def answers(host, port, seconds):
    try:
        link = connect(host, port, min(seconds, 2.0))
        if link is None:
            return False
        with link:
            link.settimeout(max(seconds, 0.05))
            link.sendall(
                b"GET / HTTP/1.1\r\nHost: localhost:%d\r\nAccept: text/html\r\nConnection: close\r\n\r\n" % port
            )
            return link.recv(5) == b"HTTP/"
    except OSError:
        return False


def free():
    found = [port for port in PORTS if not listens(port)][:1]
    used = [port for port in USUAL if listens(port)]
    sys.stdout.write("%s %s\n" % ("".join(map(str, found)), ",".join(map(str, used))))


def start_of(path):
    try:
        with open(path, "rb") as file:
            return file.read(MOST_BYTES)
    except OSError:  # the log does not exist yet, or is being renamed
        return b""


def printed_ports(log):
    """Return the local ports that the server printed."""
    data = COLOURS.sub(b"", start_of(log + ".old") + start_of(log))
    return [int(digits) for digits in LOCAL.findall(data)[:MOST_PORTS]]


def wait(seconds, log, port, used, *others):
    end = time.monotonic() + float(seconds)
    while True:
        has_ended = os.path.exists(log + ".end")
        known = printed_ports(log) + [int(one) for one in others]
        ports = [int(port)] + [one for one in known if str(one) not in used.split(",")]
        for one in dict.fromkeys(ports):
            for host in LOOPBACK:
                left = end - time.monotonic()
                if left > 0 and answers(host, one, min(left, ONCE)):
                    sys.stdout.write("http://%s:%d\n" % ("[::1]" if ":" in host else host, one))
                    return 0
        if has_ended or time.monotonic() > end:
            return 1 if has_ended else 2
        time.sleep(0.1)


def main(command, *arguments):
    return free() if command == "free" else wait(*arguments)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
