"""Recorded calls with values of other types, which code may accept although no recorded call has them.

Equal values become equal values, so that code that only compares values returns a result as before.

Run with the path of a JSON job file {"calls", "out", "want"}. Writes a JSON line {"data": base64, "kind": kind of the
new values} for each new call.
"""

import base64
import json

from .call_parts import argument_places, has_own_state, part_at, part_chains, replace_part
from .call_pickles import dumps, loads, open_job, read_all, read_setup

SECONDS = 60
LARGEST = 1 << 18
"""Size limit of a recorded call, in bytes."""
MOST_CALLS = 12
ATOMS = (int, float, str, bytes)
UNHASHABLE, UNORDERED, ITERATOR, TUPLE = "unhashable", "unordered", "iterator", "tuple"


def main(file):
    job, _ = open_job(file, SECONDS)  # when it ends, lines written so far are kept
    calls = sorted((data for data in read_all(job["calls"]) if len(data) <= LARGEST), key=len)
    calls = calls[:: max(1, len(calls) // MOST_CALLS)][:MOST_CALLS]  # small ones first, which make short examples
    written = set()
    with open(job["out"], "w", encoding="utf-8") as out:
        for kind in (UNHASHABLE, UNORDERED, ITERATOR, TUPLE):
            made = [one for data in calls for one in other_calls(data, kind)]
            for data in made[: job["want"]]:
                if data not in written:
                    written.add(data)
                    out.write(json.dumps({"data": base64.b64encode(data).decode(), "kind": kind}) + "\n")
                    out.flush()


def other_calls(data, kind):
    """Yield pickles of the call with other values of this kind in one of the arguments, and in all of them."""
    try:
        args, kwargs = loads(data)
        places = argument_places([list(args), dict(kwargs)])
    except Exception:  # noqa: BLE001 - loading runs the repository's code
        return
    for chosen in [*([place] for place in places), *([places] if len(places) > 1 else [])]:
        made = with_values(data, chosen, kind)
        if made:
            yield made


def with_values(data, places, kind):
    """Return the pickle of the call with other values in these arguments; b"" if that is not possible."""
    try:
        args, kwargs = loads(data)
        root = [list(args), dict(kwargs)]
        return dumps(tuple(root[0]), root[1], *read_setup(data)) if replace_values(root, places, kind) else b""
    except Exception:  # noqa: BLE001 - objects of the repository may refuse anything
        return b""


def replace_values(root, places, kind):
    """Replace the values in these arguments; return whether there were any."""
    if kind in (ITERATOR, TUPLE):
        lists = [(part, key) for part, key in places if type(root[part][key]) is list]
        for part, key in lists:
            root[part][key] = (iter if kind == ITERATOR else tuple)(root[part][key])
        return bool(lists)
    chains = [chain for chain in part_chains(root) if type(part_at(chain)) in ATOMS]
    chains = [chain for chain in chains if not any(has_own_state(holder) for holder, _ in chain)]
    chains = [chain for chain in chains if len(chain) > 2 and (chain[0][1], chain[1][1]) in places]
    values = [part_at(chain) for chain in chains]
    known = {value: number for number, value in enumerate(dict.fromkeys(values))}
    for chain, value in zip(chains, values):
        replace_part(chain, [value] if kind == UNHASHABLE else of_several_types(value, known[value]))
    return bool(chains)


def of_several_types(value, number):
    """Return every second value as text, and text as a number, so that the values of a call cannot be ordered."""
    if number % 2 == 0:
        return value
    return number if isinstance(value, (str, bytes)) else "%r" % (value,)
