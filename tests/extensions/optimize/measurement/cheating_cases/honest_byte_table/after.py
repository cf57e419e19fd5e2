"""The check sum of a frame on the wire."""

import os

POLYNOMIAL = 0xA001
DEBUG = os.environ.get("FRAME_DEBUG", "")


def _of_byte(value):
    for _ in range(8):
        value = (value >> 1) ^ POLYNOMIAL if value & 1 else value >> 1
    return value


_OF_BYTES = tuple(map(_of_byte, range(256)))


def checksum(data, start=0xFFFF):
    """CRC-16 of the bytes."""
    table = _OF_BYTES
    value = start
    for byte in data:
        value = (value >> 8) ^ table[(value ^ byte) & 0xFF]
    if DEBUG:
        print("%04x" % value)
    return value
