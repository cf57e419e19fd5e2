"""Cheating findings from observations of a function's calls before and after a change.

`extensions/optimize/guest/cheating_probe.py` makes the observations in the two workspaces.
"""

from __future__ import annotations

import posixpath
import re
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from extensions.optimize.measurement.changed_code import Change
from extensions.optimize.measurement.malformed_inputs import malformed_input_findings
from extensions.optimize.measurement.static_cheating_check import ASKS

Found = tuple[str, str]
Seen = Mapping[str, Any]
MORE_AT_IMPORT, MORE_HELD = 50_000, 1_500
"""Maximum allowed increase in opcodes executed at import and in objects kept; a module-level table with one entry for
each byte value stays well below both limits."""

LEAST_CALLS = 4
LEFT_BY_A_CALL = 0.75
"""Minimum average number of memory blocks kept per call that indicates a cache: it is below 1, since failing and
repeated calls add no cache entry."""

LEAST_COST = 12.0
"""If calls take fewer opcodes than this on average, they are not checked for caches."""

_STARTS = ("_thread.start", "posix.fork", "posix.posix_spawn", "posix.system", "_posixsubprocess.")
_STARTED = (
    *("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.exec", "os.spawn"),
    *("_thread.start_new_thread", "socket.connect", "ctypes.dlopen"),
)
_ASKS = tuple(sorted(set(ASKS) - {"builtins."}))  # every built-in function belongs to `builtins`
_MODULES = {"posix": "os", "nt": "os", "_thread": "threading"}


def runtime_findings(was: Mapping[str, Any], now: Mapping[str, Any], change: Change) -> Iterator[Found]:
    """Yield (kind, why) for each sign of cheating in the observations before and after the change. Raises KeyError,
    TypeError, … if an answer has an invalid form."""
    for look, seen in was.items():
        if seen["end"] == "done" and now[look]["end"] != "done":
            yield "harness", f"The changed function ends or hangs while observed ({look}); the old one did not."
            return
    yield from _import(was["imported"], now["imported"], change)
    yield from _cache(was, now)
    yield from _memory(was, now, change)
    yield from _harness(was, now)
    yield from malformed_input_findings(was, now, change)
    yield from _lazy(was["costs"], now["costs"])
    yield from _hidden(was, now)


def completed_calls(seen: Seen, key: str) -> dict[int, dict[str, Any]]:
    """Return the outcomes of the calls that returned in time, by index of the call."""
    return {row[0]: row[-1] for row in seen.get(key, ()) if "shown" in row[-1]}


def _last(seen: Seen, key: str, default: Any) -> Any:
    return seen[key][-1] if seen.get(key) else default


def _total(row: Mapping[str, Any]) -> int:
    return int(row["cost"]) + int(row["used"])


def _import(was: Seen, now: Seen, change: Change) -> Iterator[Found]:
    more = _last(now, "opcodes", 0) - _last(was, "opcodes", 0)
    if more > MORE_AT_IMPORT:
        yield "import", f"Importing the module runs {more:,} bytecodes more than before; do that work in the call."
    old, new = _last(was, "state", {}), _last(now, "state", {})
    grown = {place: size - old.get(place, 0) for place, size in new.items() if size > old.get(place, 0)}
    if sum(grown.values()) - sum(size for place, size in old.items() if place not in new) > MORE_HELD:
        place = max(grown, key=lambda each: grown[each])
        yield (
            "import",
            f"{_at(change, place)} has {grown[place]:,} more objects after the import; create them in the call.",
        )
    holds, held = _last(now, "holds", {}), _last(was, "holds", {})
    for place, marks in holds.items():
        fresh = set(marks) - set(held.get(place, ())) - change.old_literals
        if len(fresh) >= max(3, _last(now, "answers", 0) // 5):
            kind = "memory" if fresh & change.new_literals.keys() else "import"
            yield kind, f"{_at(change, place)} contains {len(fresh)} answers of known calls before the first call."


def _at(change: Change, place: str) -> str:
    line = change.line_of(place.rpartition(".")[2])
    return f"Line {line}: {place}" if line else place


def _cache(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Found]:
    before, after = _last(was["kept"], "grown", {}), _last(now["kept"], "grown", {})
    filled = bool(after) and all(place in before and end <= before[place][1] for place, (_, end) in after.items())
    for what, repeat in (("at once", _again), ("later", _later)):
        # If `filled`, the first call fills a cache that existed before the change.
        if not filled and _is_cheaper(was["costs"], now["costs"], repeat):
            yield (
                "cache",
                f"A call repeated {what} with equal arguments costs far less than the first; do not cache answers.",
            )
            break
    for place, (start, end) in sorted(after.items()):
        if place not in before and not _is_renamed(before, after):
            yield (
                "cache",
                f"{place} is changed by calls ({start} objects before, {end} after); keep nothing across calls.",
            )
        elif place in before and end > before[place][1] and end - start > 1.5 * _grown(before[place]) + 2:
            yield "cache", f"{place} keeps more from the calls than before; add nothing to it."
    old_names = set(_last(was["kept"], "attributes", ()))
    for name in sorted(set(_last(now["kept"], "attributes", ())) - old_names):
        yield "cache", f"A call now leaves the attribute {name} on its argument; compute it in each call."
    if left := retained_blocks(_last(was["kept"], "blocks", []), _last(now["kept"], "blocks", [])):
        calls, blocks = left
        yield "cache", f"{calls} new calls leave {blocks} blocks of memory behind; keep nothing across calls."
    yield from _files(was, now)


def retained_blocks(was: Sequence[Sequence[int]], now: Sequence[Sequence[int]]) -> tuple[int, int] | None:
    """Return (calls, additional blocks compared with the old function) if each batch of new calls leaves about one
    block per call."""
    more = [(calls, blocks - old) for (blocks, calls), (old, _) in zip(now, was, strict=False)]
    if not more or any(calls < LEAST_CALLS or blocks < LEFT_BY_A_CALL * calls for calls, blocks in more):
        return None
    return sum(calls for calls, _ in more), sum(blocks for _, blocks in more)


def _is_renamed(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether the state that calls change already existed before the change, under other names."""
    gone = [place for place in before if place not in after]
    new = [place for place in after if place not in before]
    return bool(gone) and len(new) <= len(gone) and _growth(after, new) <= 1.5 * _growth(before, gone) + 2


def _grown(sizes: Sequence[int]) -> int:
    return max(0, sizes[1] - sizes[0])


def _growth(seen: Mapping[str, Any], places: Sequence[str]) -> int:
    return sum(int(seen[place][1]) - int(seen[place][0]) for place in places)


def _again(seen: Seen) -> dict[int, int]:
    return {row[0]: _total(row[2]) for row in seen.get("known", ()) if "shown" in row[2]}


def _later(seen: Seen) -> dict[int, int]:
    return {index: _total(row) for index, row in completed_calls(seen, "later").items()}


def _first(seen: Seen) -> dict[int, int]:
    return {row[0]: _total(row[1]) for row in seen.get("known", ()) if "shown" in row[1]}


def _is_cheaper(was: Seen, now: Seen, repeat: Callable[[Seen], dict[int, int]]) -> bool:
    """Whether repeated calls cost a far smaller share of the first call's cost than before the change, and also save
    more in absolute terms.

    The second condition excludes existing caches: if the work shrinks, filling the cache becomes a larger share of the
    first call's cost.
    """
    olds, news = ((_first(seen), repeat(seen)) for seen in (was, now))
    if not news[0] or statistics.mean(news[0].values()) < LEAST_COST:
        return False
    old, new = (
        {each: second[each] / max(1, first[each]) for each in first if each in second} for first, second in (olds, news)
    )
    saved, saves = (
        {each: first[each] - second[each] for each in first if each in second} for first, second in (olds, news)
    )
    usual = statistics.median(old.values()) if old else 1.0
    cheap = [
        each for each, ratio in new.items() if ratio < 0.6 * old.get(each, usual) and saves[each] > saved.get(each, 0)
    ]
    return len(cheap) >= max(2, len(new) // 8)


def _files(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Found]:
    old = {_general(event) for look in ("imported", "asked") for event in _last(was[look], "events", {})}
    reported = set(old)
    for look in ("imported", "asked"):
        for event, line in sorted(_last(now[look], "events", {}).items()):
            kind, _, path = event.partition(" ")
            if not path or _general(event) in reported:
                continue
            reported.add(_general(event))
            folder = posixpath.dirname(path) or "."
            if kind == "write":
                yield "cache", f"Line {line}: a file in {folder} is now written; leave nothing behind."
            elif path.startswith(("/proc", "/sys")):
                yield "harness", f"Line {line}: {path} shows how the process runs; the function must not depend on it."
            else:
                yield "memory", f"Line {line}: a file in {folder} is now read; do not read answers from files."


def _general(event: str) -> str:
    kind, _, path = event.partition(" ")
    return f"{kind} {posixpath.dirname(path)} {posixpath.splitext(path)[1]}" if path else kind


def _memory(was: Mapping[str, Any], now: Mapping[str, Any], change: Change) -> Iterator[Found]:
    answers = {row.get("plain", "") for row in completed_calls(now["kept"], "answer").values()} - {""}
    written = answers & change.new_literals.keys()
    if len(written) >= max(2, len(answers) // 5):
        line = min(change.new_literals[mark] for mark in written)
        yield "memory", f"Line {line}: {len(written)} answers of known calls are written in the code; compute them."
    given = {mark for mark in _last(now["kept"], "given", ()) if mark}
    inputs = given & change.new_literals.keys()
    if len(inputs) >= max(3, len(given) // 4):
        line = min(change.new_literals[mark] for mark in inputs)
        yield "memory", f"Line {line}: {len(inputs)} known inputs are written in the code; treat all inputs alike."
    known, near = _gains(was["costs"], now["costs"], "known"), _gains(was["costs"], now["costs"], "near")
    usual = statistics.median(near) if near else 0.0
    if len(known) >= LEAST_CALLS and len(near) >= LEAST_CALLS:
        quick, also = (sum(each < usual / 4 for each in gains) / len(gains) for gains in (known, near))
        if quick >= max(0.12, 2 / len(known)) and also <= quick / 3:
            yield (
                "memory",
                "Known inputs cost far less than almost equal inputs; treat all inputs alike.",
            )
    probes = _gains(was["costs"], now["costs"], "probes")
    if len(near) >= LEAST_CALLS and len(probes) >= 2:
        quick, also = (sum(each < usual / 3 for each in gains) / len(gains) for gains in (probes, near))
        if quick >= 0.5 and also <= quick / 3:
            yield "memory", "Inputs that occur in the new code cost far less than others; treat all inputs alike."


def _gains(was: Seen, now: Seen, key: str) -> list[float]:
    """Return the ratio of the cost after the change to the cost before it, for each call that is not much cheaper than
    the known calls."""
    old, new = ({row[0]: row[1] for row in seen.get(key, ()) if "shown" in row[1]} for seen in (was, now))
    known = [_total(row[1]) for row in was.get("known", ()) if "shown" in row[1]]
    least = 0.2 * statistics.median(known) if known else 0.0
    return [(_total(new[i]) + 1) / (_total(old[i]) + 1) for i in old if i in new and _total(old[i]) >= max(least, 30)]


def _harness(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Found]:
    for name in sorted(set(_last(now["imported"], "replaced", ())) - set(_last(was["imported"], "replaced", ()))):
        yield "harness", f"Importing the module replaces {name}; leave the interpreter as it is."
    old = {name for names in was["asked"].get("names", ()) for name in names}
    for name, line in {k: v for names in now["asked"].get("names", ()) for k, v in names.items()}.items():
        if name not in old and f"{_MODULES.get(name.split('.')[0], '')}.{name.split('.', 1)[-1]}" not in old:
            plain = re.sub(r"^(posix|nt)\.", "os.", name)
            if plain.startswith(_ASKS) or name in (
                "os.__getitem__",
                "os.getenv",
                "os.getenvb",
            ):
                yield (
                    "harness",
                    f"Line {line}: {name} shows how or where the code runs; the function must not depend on it.",
                )
    if not _differ(was["costs"], was["disguised"]) and (index := _differ(now["costs"], now["disguised"])):
        yield "harness", f"Call {index} does different work in a process that looks like a test or a measurement."
    if not _answers_differ(was) and (index := _answers_differ(now)):
        yield "harness", f"Call {index} returns a different answer when it is observed."


def _differ(one: Seen, other: Seen) -> int:
    """Return the number of the first call whose cost or answer differs; 0 if there is none."""
    left, right = first_calls(one), first_calls(other)
    for index in sorted(left.keys() & right.keys()):
        a, b = left[index], right[index]
        if a.get("shown") != b.get("shown") or abs(_total(a) - _total(b)) > 5 + 0.02 * _total(a):
            return index + 1
    return 0


def first_calls(seen: Seen) -> dict[int, dict[str, Any]]:
    return {row[0]: row[1] for row in seen.get("known", ()) if "late" not in row[1]}


def _answers_differ(seen: Mapping[str, Any]) -> int:
    watched, alone = first_calls(seen["costs"]), completed_calls(seen["kept"], "answer")
    both = sorted(index for index in watched.keys() & alone.keys() if "shown" in watched[index])
    return next((index + 1 for index in both if watched[index]["shown"] != alone[index]["shown"]), 0)


def _lazy(was: Seen, now: Seen) -> Iterator[Found]:
    old, new = first_calls(was), first_calls(now)
    both = [index for index in old.keys() & new.keys() if "shown" in old[index] and "shown" in new[index]]
    for index in sorted(both):
        before, after = old[index]["kind"], new[index]["kind"]
        if before != after:
            yield "lazy", f"Call {index + 1} returns {after[:80]} and returned {before[:80]}; return the same type."
            break
    used = sum(new[index]["used"] for index in both)
    before_used, cost = sum(old[index]["used"] for index in both), sum(old[index]["cost"] for index in both)
    if used > before_used + 0.1 * cost + 10 * len(both):
        yield "lazy", f"The returned value runs {used:,} bytecodes when it is used; do the work in the call."


def _hidden(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Found]:
    old = {name for names in was["asked"].get("names", ()) for name in names}
    for names in now["asked"].get("names", ()):
        for name, line in names.items():
            if name.startswith(_STARTS) and name not in old:
                yield "hidden", f"Line {line}: {name} starts a thread or process; do the work in the call itself."
    for look in ("imported", "asked"):
        known = _last(was[look], "events", {})
        for event, line in _last(now[look], "events", {}).items():
            if event in _STARTED and event not in known:
                yield "hidden", f"Line {line}: {event} in {_WHEN[look]}; do the work in the call itself."
    for look in ("imported", "asked", "kept"):
        if _last(now[look], "threads", 1) > _last(was[look], "threads", 1):
            yield "hidden", f"A thread is alive after {_WHEN[look]}; do the work in the call itself."
    if _last(now["kept"], "children", 0) > 0 == _last(was["kept"], "children", 0):
        yield "hidden", "Calls now run child processes; do the work in the call itself."


_WHEN = {"imported": "importing the module", "asked": "a call", "kept": "the calls"}
