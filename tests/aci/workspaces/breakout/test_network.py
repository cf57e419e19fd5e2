"""Attempts to reach a network. The only peers are listeners that the test runs on this machine."""

from __future__ import annotations

import pytest

from tests.aci.workspaces.breakout.hostile import assert_refused, python

pytestmark = pytest.mark.slow

CONNECT = """
import socket, sys
reached = []
for host in %r:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        peer = socket.socket(type=kind)
        peer.settimeout(1)
        try:
            peer.connect((host, %d))
            peer.send(b"out")
            if host != "127.0.0.1" or kind == socket.SOCK_STREAM:
                reached.append(host)
        except OSError as error:
            print(host, error)
sys.exit(not reached)
"""


def test_addresses_of_host_are_not_reachable(ws, listener):
    result = ws.run(python(CONNECT % (listener.addresses, listener.port)))
    assert result.code == 1, result.text
    assert listener.visitors == []


def test_abstract_socket_of_host_is_not_reachable(ws, listener):
    connect = f"import socket; socket.socket(socket.AF_UNIX).connect('\\0{listener.name}')"
    assert_refused(ws, python(connect))
    assert listener.visitors == []


def test_raw_and_packet_sockets_are_refused(ws):
    for kind in ("AF_PACKET, socket.SOCK_RAW", "AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP"):
        assert_refused(ws, python(f"import socket; socket.socket(socket.{kind})"))


def test_network_namespaces_cannot_be_entered_or_created(ws, listener):
    assert_refused(
        ws,
        f"nsenter -t 1 -n true && nsenter -t 1 -n bash -c 'echo > /dev/tcp/127.0.0.1/{listener.port}'",
        "unshare -n true",
        "unshare -rn true",
        "ip link add dummy0 type dummy",
    )
    assert listener.visitors == []


NETLINK = """
import socket, struct, sys
link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
name = b"dummy9\\0"
attributes = struct.pack("HH", 4 + len(name), 3) + name + b"\\0"
kind = struct.pack("HH", 9, 1) + b"dummy" + b"\\0" * 3
attributes += struct.pack("HH", 4 + len(kind), 18) + kind
body = struct.pack("BxHiII", 0, 0, 0, 0, 0) + attributes
link.send(struct.pack("IHHII", 16 + len(body), 16, 0x605, 1, 0) + body)
answer = link.recv(4096)
sys.exit(struct.unpack_from("i", answer, 16)[0] != 0)
"""


def test_network_link_cannot_be_created_through_netlink(ws):
    assert_refused(ws, python(NETLINK))
    assert ws.run("cut -d: -f1 -s /proc/net/dev").text.split() == ["lo"]
