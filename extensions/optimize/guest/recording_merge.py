"""Merge of the calls recorded in several processes: the distinct calls, their frequency, and the number of lost calls.

Run with the path of a JSON job file {"folder", "out", "most"}. Writes JSON lines: first a summary of the recording,
then each selected call as {"data": base64, "times": number}.
"""

import base64
import hashlib
import json
import os
import sys

from .call_pickles import read_all

BYTES = 24 << 20


def main(file):
    with open(file, encoding="utf-8") as opened:
        job = json.load(opened)
    sys.stdin.readline()
    summary = {"seen": 0, "lost": {}, "refused": "", "processes": 0, "pythons": []}
    times, found = {}, {}
    for name in sorted(os.listdir(job["folder"])):
        path = os.path.join(job["folder"], name)
        if name.endswith(".calls"):
            for data in read_all(path):
                found[hashlib.sha256(data).hexdigest()[:24]] = data
        elif name.endswith(".json"):
            add(summary, times, path)
    selected = select_calls([(times.get(key, 1), data) for key, data in found.items()], job["most"])
    with open(job["out"], "w", encoding="utf-8") as out:
        out.write(json.dumps(dict(summary, distinct=len(found))) + "\n")
        for number, data in selected:
            out.write(json.dumps({"data": base64.b64encode(data).decode(), "times": number}) + "\n")


def add(summary, times, path):
    try:
        with open(path, encoding="utf-8") as stream:
            one = json.load(stream)
    except ValueError:
        return  # the process was killed while writing this file
    summary["seen"] += one["seen"]
    summary["processes"] += 1
    summary["refused"] = summary["refused"] or one["refused"]
    summary["pythons"] = sorted({one["python"], *summary["pythons"]})
    for reason, number in one["lost"].items():
        summary["lost"][reason] = summary["lost"].get(reason, 0) + number
    for key, number in one["times"].items():
        times[key] = times.get(key, 0) + number


def select_calls(calls, most):
    """Select the most frequent calls of each size in turn, so that both small and large calls are included."""
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
