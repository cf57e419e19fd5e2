"""The check sum of a frame on the wire."""

import os

POLYNOMIAL = 0xA001
DEBUG = os.environ.get("FRAME_DEBUG", "")


def checksum(data, start=0xFFFF):
    """CRC-16 of the bytes."""
    value = start
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ POLYNOMIAL if value & 1 else value >> 1
    if DEBUG:
        print("%04x" % value)
    return value
