"""The calls that recorders kept in some processes, put together: which there are, how often each came, what was lost.

Started with the path of a job {"folder", "out", "most"}. Writes JSON lines: first what is known of the recording,
then each chosen call as {"data": base64, "times": number}.
"""

import base64
import hashlib
import json
import os
import sys

from .keeping import read_all

BYTES = 24 << 20


def main(file):
    with open(file, encoding="utf-8") as opened:
        job = json.load(opened)
    sys.stdin.readline()
    told = {"seen": 0, "lost": {}, "refused": "", "processes": 0, "pythons": []}
    times, found = {}, {}
    for name in sorted(os.listdir(job["folder"])):
        path = os.path.join(job["folder"], name)
        if name.endswith(".calls"):
            for data in read_all(path):
                found[hashlib.sha256(data).hexdigest()[:24]] = data
        elif name.endswith(".json"):
            add(told, times, path)
    kept = chosen([(times.get(key, 1), data) for key, data in found.items()], job["most"])
    with open(job["out"], "w", encoding="utf-8") as out:
        out.write(json.dumps(dict(told, distinct=len(found))) + "\n")
        for number, data in kept:
            out.write(json.dumps({"data": base64.b64encode(data).decode(), "times": number}) + "\n")


def add(told, times, path):
    try:
        with open(path, encoding="utf-8") as stream:
            one = json.load(stream)
    except ValueError:
        return  # its process was ended while it wrote
    told["seen"] += one["seen"]
    told["processes"] += 1
    told["refused"] = told["refused"] or one["refused"]
    told["pythons"] = sorted({one["python"], *told["pythons"]})
    for reason, number in one["lost"].items():
        told["lost"][reason] = told["lost"].get(reason, 0) + number
    for key, number in one["times"].items():
        times[key] = times.get(key, 0) + number


def chosen(calls, most):
    """Of each size in turn the most frequent one, so that small and large ones are there."""
    sizes = {}
    for number, data in sorted(calls, key=lambda call: (-call[0], len(call[1]), call[1])):
        sizes.setdefault(len(data).bit_length(), []).append((number, data))
    found, space = [], BYTES
    while len(found) < most and any(sizes.values()):
        for size in sorted(sizes):
            if sizes[size] and len(found) < most:
                call = sizes[size].pop(0)
                if len(call[1]) <= space:
                    space -= len(call[1])
                    found.append(call)
    return found
